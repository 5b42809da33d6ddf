//! The Java helper (tests/kafka/helper), one for the test process: sends requests, hands back their answers.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::kafka::inventory::{Inventory, Version};

/// Beyond every deadline of the helper's own.
const ANSWER_LIMIT: Duration = Duration::from_secs(180);

/// One line of an answer; see Helper.java.
enum Line {
    Row(Vec<String>),
    Ok(Vec<String>),
    Error(String),
}

/// A whole answer: the rows, and the fields of the final line.
pub struct Answer {
    pub rows: Vec<Vec<String>>,
    pub result: Vec<String>,
}

pub struct Helper {
    requests: Mutex<Requests>,
    waiting: Arc<Mutex<HashMap<u64, Sender<Line>>>>,
}

struct Requests {
    to: ChildStdin,
    next_id: u64,
}

impl Helper {
    /// The helper of this process, started at first use. It ends when the process does, with its standard input.
    pub fn get() -> &'static Helper {
        static HELPER: OnceLock<Helper> = OnceLock::new();
        HELPER.get_or_init(Helper::start)
    }

    fn start() -> Helper {
        let inventory = Inventory::get();
        let kafka = inventory.kafka(Version::V4_3_1);
        let mut child = Command::new("java")
            .args(java_options(inventory.helper(), kafka))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run java ({error}): run script/setup"));
        let to = child.stdin.take().expect("stdin is piped");
        let from = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let waiting: Arc<Mutex<HashMap<u64, Sender<Line>>>> = Arc::default();
        let answers = waiting.clone();
        std::thread::spawn(move || {
            dispatch(from, &answers);
            // Whoever still waits learns of the end from its closed channel.
            answers.lock().expect("not poisoned").clear();
            let _ = child.wait();
        });
        let requests = Mutex::new(Requests { to, next_id: 1 });
        Helper { requests, waiting }
    }

    /// Sends a request and waits for its answer; `Err` says what went wrong.
    pub fn ask(&self, command: &str, arguments: &[&str]) -> Result<Answer, String> {
        let lines = self.send(command, arguments)?;
        let mut rows = Vec::new();
        loop {
            match lines.recv_timeout(ANSWER_LIMIT) {
                Ok(Line::Row(fields)) => rows.push(fields),
                Ok(Line::Ok(result)) => return Ok(Answer { rows, result }),
                Ok(Line::Error(message)) => return Err(message),
                Err(error) => return Err(format!("the Java helper did not answer: {error}")),
            }
        }
    }

    fn send(&self, command: &str, arguments: &[&str]) -> Result<Receiver<Line>, String> {
        let (sender, receiver) = channel();
        let mut requests = self.requests.lock().expect("not poisoned");
        let id = requests.next_id;
        requests.next_id += 1;
        self.waiting
            .lock()
            .expect("not poisoned")
            .insert(id, sender);
        let mut line = format!("{id}\t{command}");
        for argument in arguments {
            line.push('\t');
            line.push_str(argument);
        }
        line.push('\n');
        requests
            .to
            .write_all(line.as_bytes())
            .map_err(|error| format!("the Java helper is gone: {error}"))?;
        Ok(receiver)
    }
}

fn java_options(helper: &Path, kafka: &Path) -> Vec<String> {
    let source = Inventory::source();
    vec![
        format!("@{}/jvm.options", source.display()),
        format!("-XX:SharedArchiveFile={}/broker.jsa", kafka.display()),
        format!(
            "-Dlog4j.configuration=file:{}/log4j.properties",
            source.display()
        ),
        "-Dkprod.log=OFF".into(),
        "-cp".into(),
        // The broker's jars come first: the archive of classes fits a class path that begins as its own.
        format!("{}/lib/*:{}/helper.jar", kafka.display(), helper.display()),
        "Helper".into(),
    ]
}

fn dispatch(from: impl BufRead, waiting: &Mutex<HashMap<u64, Sender<Line>>>) {
    for line in from.lines().map_while(Result::ok) {
        let mut fields = line.split('\t').map(String::from);
        let (Some(id), Some(kind)) = (fields.next(), fields.next()) else {
            continue;
        };
        let Ok(id) = id.parse::<u64>() else { continue };
        let mut waiting = waiting.lock().expect("not poisoned");
        let line = match kind.as_str() {
            "row" => {
                if let Some(to) = waiting.get(&id) {
                    // Nobody listens any more when the asking test has panicked.
                    let _ = to.send(Line::Row(fields.collect()));
                }
                continue;
            }
            "ok" => Line::Ok(fields.collect()),
            _ => Line::Error(fields.collect::<Vec<_>>().join(" ")),
        };
        if let Some(to) = waiting.remove(&id) {
            let _ = to.send(line);
        }
    }
}

/// Bytes as the helper writes them: hex, "-" for null.
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if text == "-" {
        return None;
    }
    let digit = |c: u8| (c as char).to_digit(16).expect("a hex digit") as u8;
    let bytes = text.as_bytes().chunks_exact(2);
    Some(
        bytes
            .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
            .collect(),
    )
}

pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
