//! kcat, that is librdkafka, as a second opinion beside Java's consumer.

use std::io::Write;
use std::process::{Command, Stdio};

/// Runs kcat against `bootstrap` with something on its standard input; returns what it said, panics if it failed.
#[track_caller]
pub fn kcat(bootstrap: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new("kcat")
        .args(["-b", bootstrap])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run kcat ({error}): run script/setup"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let output = std::thread::scope(|scope| {
        // Beside the reading, so that neither pipe can fill up. kcat may close its end early; its status tells.
        scope.spawn(move || {
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("kcat's output")
    });
    assert!(
        output.status.success(),
        "kcat {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
