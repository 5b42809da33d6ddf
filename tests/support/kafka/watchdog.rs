//! Kills a cluster's servers and removes its directory if the test process dies before it could.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its standard input, which comes with the end of the test process, however it ends. A process
/// id may have gone to somebody else by then: only one whose command line names the directory is killed.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
cat >/dev/null
for file in "$0"/*/pid; do
    read -r pid <"$file" && grep -aqF "$0" "/proc/$pid/cmdline" && kill -s KILL "$pid"
done
while ! rm -rf "$0"; do sleep 0.1; done
"#;

pub struct Watchdog {
    child: Child,
}

impl Watchdog {
    /// `directory` belongs to the watchdog from now on; servers note their process ids in `*/pid`.
    pub fn over(directory: &Path) -> Watchdog {
        let child = Command::new("sh")
            .args(["-c", SCRIPT])
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh runs");
        Watchdog { child }
    }
}

impl Drop for Watchdog {
    /// Has it clean up now.
    fn drop(&mut self) {
        if let Some(mut stdin) = self.child.stdin.take() {
            let _ = stdin.flush();
        }
        let _ = self.child.wait();
    }
}
