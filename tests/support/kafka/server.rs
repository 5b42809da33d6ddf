//! One Java server process of a cluster: its directory, its start, its signals, its end.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::inventory::{Inventory, Version};
use crate::support::wait_for;

/// A controlled shutdown moves leaders first; after this it is killed.
const STOP_LIMIT: std::time::Duration = std::time::Duration::from_secs(20);

enum State {
    Down,
    Running(Child),
    /// Stopped by SIGSTOP.
    Paused(Child),
}

pub struct Server {
    pub name: String,
    version: Version,
    class: &'static str,
    directory: PathBuf,
    state: State,
}

impl Server {
    /// Its configuration is to be in `directory/properties`.
    pub fn new(name: &str, version: Version, class: &'static str, directory: PathBuf) -> Server {
        Server {
            name: name.into(),
            version,
            class,
            directory,
            state: State::Down,
        }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn start(&mut self) {
        assert!(matches!(self.state, State::Down), "{} runs", self.name);
        let mut java = java(self.version, &self.directory);
        java.arg(self.class).arg(self.directory.join("properties"));
        self.state = State::Running(self.spawn(java));
    }

    /// Starts KRaft's StorageTool on the directory.
    pub fn format(&self, cluster_id: &str, features: &[(String, i16)]) -> Child {
        let mut java = java(self.version, &self.directory);
        java.args(["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c"]);
        java.arg(self.directory.join("properties"));
        for (name, level) in features {
            java.arg("--feature").arg(format!("{name}={level}"));
        }
        self.spawn(java)
    }

    /// Through a shell, which notes the process id for the watchdog before it becomes the server.
    fn spawn(&self, java: Command) -> Child {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "echo $$ >\"$0\" && exec \"$@\""])
            .arg(self.directory.join("pid"))
            .arg(java.get_program())
            .args(java.get_args())
            .stdin(Stdio::null())
            .stdout(self.log())
            .stderr(self.log())
            // An interrupt at the terminal is for the test, whose end then ends the servers.
            .process_group(0);
        shell
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.name))
    }

    fn log(&self) -> File {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.directory.join("log"))
            .expect("the server's directory is ours")
    }

    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// True if it ended although nobody told it to.
    pub fn has_died(&mut self) -> bool {
        match &mut self.state {
            State::Running(child) => !matches!(child.try_wait(), Ok(None)),
            State::Paused(_) | State::Down => false,
        }
    }

    /// SIGKILL; returns when it is gone.
    pub fn kill(&mut self) {
        match std::mem::replace(&mut self.state, State::Down) {
            State::Down => {}
            State::Running(mut child) | State::Paused(mut child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
    }

    /// SIGTERM, a controlled shutdown; returns when it is gone.
    pub fn stop(&mut self) {
        self.resume();
        match std::mem::replace(&mut self.state, State::Down) {
            State::Down => {}
            State::Running(mut child) | State::Paused(mut child) => {
                signal(&child, "TERM");
                let what = format!("{} to shut down", self.name);
                wait_for(&what, STOP_LIMIT, || child.try_wait().ok().flatten());
            }
        }
    }

    pub fn pause(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Down) {
            State::Running(child) => {
                signal(&child, "STOP");
                State::Paused(child)
            }
            other => other,
        };
    }

    pub fn resume(&mut self) {
        self.state = match std::mem::replace(&mut self.state, State::Down) {
            State::Paused(child) => {
                signal(&child, "CONT");
                State::Running(child)
            }
            other => other,
        };
    }

    /// The end of what it said, for a failed test's output.
    pub fn last_words(&self) -> String {
        let log = std::fs::read(self.directory.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let is_trace = |line: &&str| line.starts_with("\tat ");
        let lines: Vec<&str> = log.lines().filter(|line| !is_trace(line)).collect();
        let tail = &lines[lines.len().saturating_sub(25)..];
        format!("--- {} said last:\n{}\n", self.name, tail.join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn java(version: Version, directory: &Path) -> Command {
    let source = Inventory::source().display();
    let home = Inventory::get().kafka(version).display();
    let mut java = Command::new("java");
    java.arg(format!("@{source}/jvm.options"))
        .arg(format!("-XX:SharedArchiveFile={home}/broker.jsa"))
        .arg(format!(
            "-Dlog4j.configuration=file:{source}/log4j.properties"
        ))
        // Codecs unpack their libraries there, and a killed server leaves them.
        .arg(format!("-Djava.io.tmpdir={}", directory.display()))
        .args(["-cp", &format!("{home}/lib/*")]);
    java
}

/// By the shell's own `kill`, for a call of our own would be unsafe code in a test.
fn signal(child: &Child, name: &str) {
    let status = Command::new("sh")
        .args(["-c", "kill -s \"$0\" \"$1\"", name, &child.id().to_string()])
        .status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "cannot send SIG{name} to {}",
        child.id()
    );
}
