//! One run: a broker of its own, a client, and the check that every record came to its end.

use crate::broker::TOPIC;
use crate::contestant::{Contestant, Kind};
use std::collections::HashMap;
use std::env;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

pub const PARTITIONS: usize = 4;
/// A client that takes longer hangs; under callgrind a run takes half a minute.
const PATIENCE_S: u32 = 900;

/// What is sent in a run.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub value_size: usize,
    pub records: u64,
    pub warmup: u64,
    pub linger_ms: u32,
}

/// What a run came to. The broker's numbers have the warm-up in them.
#[derive(Clone, Debug)]
pub struct Sample {
    pub version: String,
    pub records: u64,
    pub wall_ns: u64,
    pub user_ns: u64,
    pub system_ns: u64,
    pub switches: u64,
    pub requests: u64,
    pub batches: u64,
    pub batched_records: u64,
    pub bytes: u64,
}

impl Sample {
    /// Processor time of the client in nanoseconds per record.
    pub fn cpu(&self) -> f64 {
        (self.user_ns + self.system_ns) as f64 / self.records as f64
    }

    pub fn per_second(&self) -> f64 {
        self.records as f64 * 1e9 / self.wall_ns as f64
    }
}

/// Runs a contestant, under `valgrind --tool=callgrind` when a file for its counts is given.
pub fn run(
    contestant: &Contestant,
    load: Load,
    callgrind_out: Option<&PathBuf>,
) -> io::Result<Sample> {
    let mut broker = Broker::start()?;
    let output = client(contestant, load, broker.port, callgrind_out).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        let name = contestant.name();
        return Err(failure(format!("{name}: {}: {error}", output.status)));
    }
    let received = broker.stop()?;
    let (client, broker) = (Fields::parse(&said), Fields::parse(&received));
    let (sent, received) = (client.number("total")?, broker.number("records")?);
    if sent != received {
        let name = contestant.name();
        return Err(failure(format!(
            "{name}: {sent} records reported as acknowledged, but {received} came to the broker"
        )));
    }
    Ok(Sample {
        version: client.text("version")?.into(),
        records: client.number("records")?,
        wall_ns: client.number("wall_ns")?,
        user_ns: client.number("user_ns")?,
        system_ns: client.number("system_ns")?,
        switches: client.number("switches")?,
        requests: broker.number("requests")?,
        batches: broker.number("batches")?,
        batched_records: received,
        bytes: broker.number("bytes")?,
    })
}

fn client(
    contestant: &Contestant,
    load: Load,
    port: u16,
    callgrind_out: Option<&PathBuf>,
) -> Command {
    let mut command = Command::new("timeout");
    command.arg(PATIENCE_S.to_string());
    if let Some(file) = callgrind_out {
        // Threads take turns, or one would starve the others.
        command.args(["valgrind", "--tool=callgrind", "--fair-sched=yes"]);
        command.arg(format!("--callgrind-out-file={}", file.display()));
    }
    command.arg(contestant.program());
    let mut option = |name: &str, value: String| {
        command.arg(name).arg(value);
    };
    option("--topic", TOPIC.into());
    option("--size", load.value_size.to_string());
    option("--records", load.records.to_string());
    option("--warmup", load.warmup.to_string());
    if let Kind::Floor { write } = contestant.kind {
        option("--port", port.to_string());
        option("--write", write.to_string());
    } else {
        option("--bootstrap", format!("127.0.0.1:{port}"));
        option("--senders", contestant.senders.to_string());
        for property in contestant.properties(load.linger_ms) {
            option("--set", property);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// A process of this program that acknowledges; it ends when its input does.
struct Broker {
    process: Child,
    output: BufReader<ChildStdout>,
    port: u16,
}

impl Broker {
    fn start() -> io::Result<Broker> {
        let mut process = Command::new(env::current_exe()?)
            .args(["broker", &PARTITIONS.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().map(BufReader::new);
        let mut broker = Broker {
            process,
            output: output.ok_or_else(|| failure("the broker has no output".into()))?,
            port: 0,
        };
        let mut line = String::new();
        broker.output.read_line(&mut line)?;
        broker.port = line
            .trim()
            .parse()
            .map_err(|_| failure(format!("the broker said {line:?} for its port")))?;
        Ok(broker)
    }

    /// What it got.
    fn stop(&mut self) -> io::Result<String> {
        drop(self.process.stdin.take());
        let mut said = String::new();
        self.output.read_to_string(&mut said)?;
        self.process.wait()?;
        Ok(said)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _already_gone = self.process.wait();
    }
}

/// `name=value` pairs of one line.
struct Fields<'a>(HashMap<&'a str, &'a str>);

impl<'a> Fields<'a> {
    fn parse(line: &'a str) -> Fields<'a> {
        let pairs = line.split_whitespace();
        Fields(pairs.filter_map(|pair| pair.split_once('=')).collect())
    }

    fn text(&self, name: &str) -> io::Result<&'a str> {
        let value = self.0.get(name).copied();
        value.ok_or_else(|| failure(format!("a process did not say its {name}")))
    }

    fn number(&self, name: &str) -> io::Result<u64> {
        let text = self.text(name)?;
        let number = text.parse();
        number.map_err(|_| failure(format!("{name}={text} is not a number")))
    }
}

pub fn failure(message: String) -> io::Error {
    io::Error::other(message)
}
