//! One producer in a process of its own: what it is told, and what it says.
//!
//! Each client is given `--bootstrap`, `--topic`, `--partitions`, `--run` (hexadecimal), `--rate` (records a second),
//! `--transaction` (records in each; 0: none) and `--set NAME=VALUE`. Record number n goes to partition n % partitions;
//! its tag is `Ledger::tag(partition, n / partitions)`. It sends until its input ends, and says, a line each, with times
//! in microseconds of its own clock:
//!
//! - `clock NOW`, when it begins to send
//! - `d TAG PARTITION OFFSET TIMESTAMP SENT ACKED`: a record is delivered
//! - `f TAG PARTITION PERSISTENCE SENT ACKED ERROR`: it has failed, and is not (0), possibly (1) or surely (2) in the log
//! - `c FIRST END`: a transaction of these numbers is committed; `a FIRST END ERROR`: it had to be aborted
//! - `x ERROR`: the producer is of no more use
//! - `sent NUMBER`, at its end

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kprod::completion::{Report, ReportKind, TimestampType, flags};
use kprod::error::ErrorCode;

use crate::PARTITIONS;
use crate::ledger::Ledger;
use crate::measure::Ack;
use crate::options::Options;
use crate::schedule::Schedule;
use crate::support::kafka::KafkaCluster;
use crate::support::kafka::inventory::{Inventory, Version};
use crate::support::wait_for;

const RATE: u32 = 2_000;
const TRANSACTION: u64 = 100;
/// For a last record's delivery.timeout.ms and a JVM's start.
const LIMIT: Duration = Duration::from_secs(150);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Kprod,
    Java,
    Librdkafka,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Kprod, Kind::Java, Kind::Librdkafka];

    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            Kind::Kprod => "kprod",
            Kind::Java => "java",
            Kind::Librdkafka => "librdkafka",
        }
    }

    fn command(self, options: &Options) -> Command {
        match self {
            Kind::Kprod => {
                let mut me = Command::new(std::env::current_exe().expect("a program"));
                me.arg("client");
                for property in &options.properties {
                    me.args(["--set", property]);
                }
                me
            }
            Kind::Java => java(),
            Kind::Librdkafka => {
                let program = options.librdkafka.as_ref();
                Command::new(program.expect("script/chaos builds and names librdkafka's client"))
            }
        }
    }

    /// Above those that all get.
    fn properties(self) -> &'static [&'static str] {
        match self {
            Kind::Kprod | Kind::Java => &[],
            // Its request.timeout.ms goes to brokers only; this is how long it waits itself.
            Kind::Librdkafka => &["socket.timeout.ms=10000"],
        }
    }

    fn transactional_properties(self) -> &'static [&'static str] {
        match self {
            Kind::Kprod | Kind::Java => &[],
            // It takes no longer one than the transaction's.
            Kind::Librdkafka => &["delivery.timeout.ms=30000"],
        }
    }
}

fn java() -> Command {
    let inventory = Inventory::get();
    let kafka = inventory.kafka(Version::V4_3_1).display();
    let helper = inventory.helper().display();
    let mut java = Command::new("java");
    java.arg(format!(
        "-Dlog4j.configuration=file:{}/log4j.properties",
        Inventory::source().display()
    ))
    .args(["-cp", &format!("{kafka}/lib/*:{helper}/helper.jar")])
    .arg("Sending");
    java
}

/// All that it has said so far.
#[derive(Debug, Default)]
struct Said {
    /// The harness's time at zero of the client's clock.
    zero: Option<Instant>,
    outcomes: Vec<Outcome>,
    committed: Vec<(u64, u64)>,
    aborted: usize,
    fatal: Option<String>,
    sent: Option<u64>,
    ended: bool,
}

#[derive(Debug)]
struct Outcome {
    report: Report,
    ack: Ack,
    error: Option<String>,
}

pub struct Client {
    pub ledger: Ledger,
    pub transactional: bool,
    process: Child,
    input: Option<ChildStdin>,
    said: Arc<Mutex<Said>>,
    reader: Option<JoinHandle<()>>,
}

impl Client {
    /// Returns when it begins to send.
    pub fn start(
        cluster: &KafkaCluster,
        topic: &str,
        schedule: Schedule,
        kind: Kind,
        options: &Options,
    ) -> Client {
        let ledger = Ledger::new();
        let transactional = schedule.is_transactional();
        let mut properties = vec![
            "acks=all",
            "linger.ms=5",
            "request.timeout.ms=10000",
            "delivery.timeout.ms=120000",
            "enable.idempotence=true",
        ];
        properties.extend(kind.properties());
        let id = format!("transactional.id={topic}");
        if transactional {
            properties.extend(["transaction.timeout.ms=30000", &id]);
            properties.extend(kind.transactional_properties());
        }
        let transaction = if transactional { TRANSACTION } else { 0 };
        let mut command = kind.command(options);
        command
            .args(["--bootstrap", &cluster.bootstrap(), "--topic", topic])
            .args(["--partitions", &PARTITIONS.to_string()])
            .args(["--run", &format!("{:x}", ledger.run)])
            .args(["--rate", &RATE.to_string()])
            .args(["--transaction", &transaction.to_string()]);
        for property in properties {
            command.args(["--set", property]);
        }
        let output = |extension: &str| {
            let directory = options.output.as_ref()?;
            let path: PathBuf = directory.join(format!("{topic}.{extension}"));
            Some(File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        };
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output("log").map_or(Stdio::null(), Stdio::from))
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", kind.name()));
        let input = process.stdin.take();
        let from = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let said: Arc<Mutex<Said>> = Arc::default();
        let (shared, mut copy) = (said.clone(), output("lines"));
        let reader = std::thread::spawn(move || {
            for line in from.lines().map_while(Result::ok) {
                if let Some(copy) = &mut copy {
                    writeln!(copy, "{line}").expect("the output can be written to");
                }
                let mut said = shared.lock().expect("not poisoned");
                said.take(&line)
                    .unwrap_or_else(|| panic!("a client said {line:?}"));
            }
            shared.lock().expect("not poisoned").ended = true;
        });
        let client = Client {
            ledger,
            transactional,
            process,
            input,
            said,
            reader: Some(reader),
        };
        client.wait("the client to begin", |said| said.zero.is_some());
        client
    }

    fn wait(&self, what: &str, holds: impl Fn(&Said) -> bool) {
        wait_for(what, LIMIT, || {
            let said = self.said.lock().expect("not poisoned");
            let holds = holds(&said);
            assert!(
                holds || !said.ended,
                "the client ended too early: see its log"
            );
            holds.then_some(())
        });
    }

    /// A time of the harness in the client's microseconds.
    pub fn time(&self, at: Instant) -> u64 {
        let zero = self.said.lock().expect("not poisoned").zero;
        at.duration_since(zero.expect("it has begun")).as_micros() as u64
    }

    /// Whether each partition has acknowledged a record that was handed over since then.
    pub fn all_acknowledged(&self, since: u64, partitions: i32) -> bool {
        let said = self.said.lock().expect("not poisoned");
        assert!(!said.ended, "the client ended too early: see its log");
        let later = said.outcomes.iter().rev();
        let later = later.take_while(|outcome| outcome.ack.acked >= since);
        let fresh = later.filter(|outcome| outcome.error.is_none() && outcome.ack.sent >= since);
        let seen: BTreeSet<i32> = fresh.map(|outcome| outcome.ack.partition).collect();
        seen.len() == partitions as usize
    }

    /// Ends the sending, and waits for all reports.
    pub fn finish(&mut self) {
        self.input = None;
        self.wait("the client to finish", |said| {
            said.sent.is_some() || said.ended
        });
        if let Some(reader) = self.reader.take() {
            reader.join().expect("all lines are understood");
        }
        let status = self.process.wait();
        assert!(
            status.is_ok_and(|status| status.success()),
            "the client failed"
        );
    }

    pub fn acks(&self) -> Vec<Ack> {
        let said = self.said.lock().expect("not poisoned");
        let delivered = said.outcomes.iter().filter(|it| it.error.is_none());
        let mut acks: Vec<Ack> = delivered.map(|outcome| outcome.ack).collect();
        acks.sort_by_key(|ack| ack.acked);
        acks
    }

    /// The tags that must be in the log, and the reports of those, in their order.
    pub fn expected(&self) -> (BTreeSet<u64>, Vec<Report>) {
        let said = self.said.lock().expect("not poisoned");
        let ranges = if self.transactional {
            said.committed.clone()
        } else {
            vec![(0, said.sent.unwrap_or(0))]
        };
        let numbers = ranges.into_iter().flat_map(|(first, end)| first..end);
        let tags: BTreeSet<u64> = numbers.map(tag).collect();
        let reports = said.outcomes.iter().map(|outcome| outcome.report);
        let reports = reports
            .filter(|report| tags.contains(&report.tag))
            .collect();
        (tags, reports)
    }

    /// Transactions committed, and aborted.
    pub fn transactions(&self) -> (usize, usize) {
        let said = self.said.lock().expect("not poisoned");
        (said.committed.len(), said.aborted)
    }

    pub fn fatal(&self) -> Option<String> {
        self.said.lock().expect("not poisoned").fatal.clone()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn tag(n: u64) -> u64 {
    let partitions = PARTITIONS as u64;
    Ledger::tag((n % partitions) as u32, (n / partitions) as u32)
}

impl Said {
    fn take(&mut self, line: &str) -> Option<()> {
        let mut words = line.split(' ');
        let kind = words.next()?;
        let words: Vec<&str> = words.collect();
        let number = |at: usize| words.get(at)?.parse::<i64>().ok();
        match kind {
            "clock" => {
                let now = Duration::from_micros(number(0)? as u64);
                self.zero = Instant::now().checked_sub(now);
            }
            "d" => self.outcomes.push(Outcome {
                report: report(
                    number(0)?,
                    number(1)?,
                    number(2)?,
                    number(3)?,
                    2,
                    ErrorCode::OK,
                ),
                ack: ack(number(1)?, number(4)?, number(5)?),
                error: None,
            }),
            "f" => {
                let failed = ErrorCode::REQUEST_TIMED_OUT;
                self.outcomes.push(Outcome {
                    report: report(number(0)?, number(1)?, -1, -1, number(2)?, failed),
                    ack: ack(number(1)?, number(3)?, number(4)?),
                    error: Some((*words.get(5)?).to_owned()),
                });
            }
            "c" => self.committed.push((number(0)? as u64, number(1)? as u64)),
            "a" => self.aborted += 1,
            "x" => self.fatal = Some(words.join(" ")),
            "sent" => self.sent = Some(number(0)? as u64),
            _ => return None,
        }
        Some(())
    }
}

fn ack(partition: i64, sent: i64, acked: i64) -> Ack {
    Ack {
        partition: partition as i32,
        sent: sent as u64,
        acked: acked as u64,
    }
}

fn report(
    tag: i64,
    partition: i64,
    offset: i64,
    timestamp: i64,
    persistence: i64,
    error: ErrorCode,
) -> Report {
    Report {
        kind: ReportKind::Record,
        tag: tag as u64,
        topic: 0,
        partition: partition as i32,
        offset,
        timestamp,
        timestamp_type: TimestampType::CreateTime,
        count: 1,
        error,
        flags: (persistence as u32) << flags::PERSISTENCE_SHIFT,
        detail: 0,
        log_start_offset: -1,
    }
}
