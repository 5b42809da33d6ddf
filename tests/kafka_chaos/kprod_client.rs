//! kprod as a client: `client.rs` says what it is told and what it says.

use std::io::{BufWriter, Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kprod::completion::{Report, ReportKind};
use kprod::config::Config;
use kprod::error::{Class, Error, ErrorCode};
use kprod::producer::{Callbacks, Producer, Record, Timeout, TopicRef};

const VALUE_LENGTH: usize = 100;
const POLL: Duration = Duration::from_millis(100);
const AT_A_TIME: usize = 1024;

struct Setup {
    topic: String,
    partitions: u64,
    run: u64,
    rate: u32,
    transaction: u64,
    config: Config,
}

impl Setup {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Setup {
        let mut setup = Setup {
            topic: String::new(),
            partitions: 1,
            run: 0,
            rate: 1,
            transaction: 0,
            config: Config::new(),
        };
        while let (Some(name), Some(value)) = (arguments.next(), arguments.next()) {
            let number = || value.parse::<u64>().expect("a number");
            match name.as_str() {
                "--bootstrap" => setup.set("bootstrap.servers", &value),
                "--topic" => setup.topic = value,
                "--partitions" => setup.partitions = number(),
                "--run" => setup.run = u64::from_str_radix(&value, 16).expect("hexadecimal"),
                "--rate" => setup.rate = number() as u32,
                "--transaction" => setup.transaction = number(),
                "--set" => {
                    let (name, value) = value.split_once('=').expect("NAME=VALUE");
                    setup.set(name, value);
                }
                _ => panic!("what is {name}?"),
            }
        }
        setup
    }

    fn set(&mut self, name: &str, value: &str) {
        self.config.set(name, value).expect("a property of ours");
    }
}

struct Sender {
    setup: Setup,
    producer: Producer,
    started: Instant,
    /// When each record was handed over, by its number.
    handed_over: Mutex<Vec<u64>>,
    over: AtomicBool,
    finished: AtomicBool,
    out: Mutex<BufWriter<std::io::Stdout>>,
}

pub fn run(arguments: impl Iterator<Item = String>) {
    let setup = Setup::parse(arguments);
    let started = Instant::now();
    let callbacks = Callbacks {
        log: Some(Arc::new(move |level, line: &str| {
            eprintln!("{:>10} {level:?} {line}", started.elapsed().as_micros());
        })),
        ..Callbacks::default()
    };
    let config = setup.config.build().expect("a valid configuration");
    let sender = Sender {
        producer: Producer::create(config, callbacks).expect("a producer"),
        setup,
        started,
        handed_over: Mutex::default(),
        over: AtomicBool::new(false),
        finished: AtomicBool::new(false),
        out: Mutex::new(BufWriter::new(std::io::stdout())),
    };
    // Not joined where the producer fails: it waits for the end of the input.
    let sender = Arc::new(sender);
    let waiting = sender.clone();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        waiting.over.store(true, Ordering::SeqCst);
    });
    std::thread::scope(|scope| {
        scope.spawn(|| sender.poll());
        sender.say(&format!("clock {}", sender.now()));
        match sender.setup.transaction {
            0 => sender.send_all(),
            _ => sender.send_transactions(),
        }
        let limit = Timeout::After(Duration::from_secs(150));
        if let Err(error) = sender.producer.flush(limit) {
            eprintln!("flush: {error:?}");
        }
        sender.finished.store(true, Ordering::SeqCst);
        sender.producer.poll_interrupt();
    });
    let sent = sender.handed_over.lock().expect("not poisoned").len();
    sender.say(&format!("sent {sent}"));
}

impl Sender {
    fn now(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }

    fn say(&self, line: &str) {
        let mut out = self.out.lock().expect("not poisoned");
        writeln!(out, "{line}").expect("the harness reads");
        out.flush().expect("the harness reads");
    }

    fn send_all(&self) {
        let mut pace = Pace::new(self.setup.rate);
        while !self.over.load(Ordering::SeqCst) {
            self.send().expect("accepted");
            pace.wait();
        }
    }

    fn send_transactions(&self) {
        let mut pace = Pace::new(self.setup.rate);
        let mut n = 0;
        while !self.over.load(Ordering::SeqCst) {
            let first = n;
            let outcome = self.transaction(&mut n, &mut pace);
            match outcome {
                Ok(()) => self.say(&format!("c {first} {n}")),
                Err(error) if error.class == Class::Abortable => {
                    eprintln!("to abort: {error:?}");
                    self.say(&format!("a {first} {n} {}", error.code.name()));
                    let aborted =
                        until_known(|| self.producer.abort_transaction(Timeout::Configured));
                    if let Err(error) = aborted {
                        return self.say(&format!("x {error:?}"));
                    }
                }
                Err(error) => return self.say(&format!("x {error:?}")),
            }
        }
    }

    fn transaction(&self, n: &mut u64, pace: &mut Pace) -> Result<(), Error> {
        until_known(|| self.producer.begin_transaction(Timeout::Configured))?;
        let end = *n + self.setup.transaction;
        while *n < end && !self.over.load(Ordering::SeqCst) {
            *n += 1;
            // A refusal says that the transaction has failed; the commit says why.
            if self.send().is_err() {
                break;
            }
            pace.wait();
        }
        until_known(|| self.producer.commit_transaction(Timeout::Configured))
    }

    /// The next record.
    fn send(&self) -> Result<(), ErrorCode> {
        let n = {
            let mut handed_over = self.handed_over.lock().expect("not poisoned");
            handed_over.push(self.now());
            handed_over.len() as u64 - 1
        };
        let partition = n % self.setup.partitions;
        let tag = (partition << 32) | (n / self.setup.partitions);
        let mut value = [b'.'; VALUE_LENGTH];
        value[..8].copy_from_slice(&self.setup.run.to_be_bytes());
        value[8..16].copy_from_slice(&tag.to_be_bytes());
        self.producer.send(&Record {
            topic: TopicRef::Name(&self.setup.topic),
            key: None,
            value: Some(&value),
            headers: &[],
            partition: Some(partition as i32),
            timestamp: None,
            tag,
        })
    }

    fn poll(&self) {
        loop {
            // Looked at before, so that what comes with the end is read.
            let last = self.finished.load(Ordering::SeqCst);
            let limit = if last { Duration::ZERO } else { POLL };
            let mut reports = Vec::new();
            self.producer
                .poll(AT_A_TIME, Timeout::After(limit), |report| {
                    reports.push(*report)
                })
                .expect("an open producer");
            if reports.is_empty() && last {
                return;
            }
            self.tell(&reports);
        }
    }

    fn tell(&self, reports: &[Report]) {
        let now = self.now();
        let handed_over = self.handed_over.lock().expect("not poisoned");
        let mut out = self.out.lock().expect("not poisoned");
        let records = reports.iter().filter(|it| it.kind == ReportKind::Record);
        for report in records {
            let (tag, partition) = (report.tag, report.partition);
            let n = (tag & 0xffff_ffff) * self.setup.partitions + (tag >> 32);
            let sent = handed_over[n as usize];
            let told = if report.error == ErrorCode::OK {
                let (offset, timestamp) = (report.offset, report.timestamp);
                writeln!(out, "d {tag} {partition} {offset} {timestamp} {sent} {now}")
            } else {
                let (persistence, error) = (report.persistence() as u32, report.error.name());
                writeln!(
                    out,
                    "f {tag} {partition} {persistence} {sent} {now} {error}"
                )
            };
            told.expect("the harness reads");
        }
        out.flush().expect("the harness reads");
    }
}

/// A call that runs out of time goes on, and is to be made again.
fn until_known(call: impl Fn() -> Result<(), Error>) -> Result<(), Error> {
    loop {
        match call() {
            Err(error) if error.class == Class::Retriable => eprintln!("again: {error:?}"),
            known => return known,
        }
    }
}

/// Holds the rate; what was missed while a call blocked is not made up for.
struct Pace {
    every: Duration,
    next: Instant,
}

impl Pace {
    fn new(rate: u32) -> Pace {
        Pace {
            every: Duration::from_secs(1) / rate,
            next: Instant::now(),
        }
    }

    fn wait(&mut self) {
        let now = Instant::now();
        let earliest = now.checked_sub(Duration::from_millis(10)).unwrap_or(now);
        self.next = (self.next + self.every).max(earliest);
        if let Some(rest) = self.next.checked_duration_since(now) {
            std::thread::sleep(rest);
        }
    }
}
