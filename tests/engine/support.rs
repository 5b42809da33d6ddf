//! A producer on a mock cluster, and short ways to say what tests do with them.

use std::time::{Duration, Instant};

use kprod::completion::Report;
use kprod::config::Config;
use kprod::error::ErrorCode;
use kprod::mock::{ClusterConfig, MockHandle, MockServer};
use kprod::producer::{Callbacks, Producer, Record, Timeout, TopicRef};

/// Far longer than anything here takes.
pub const LONG: Duration = Duration::from_secs(30);

/// The default of `buffer.memory`.
pub const MEMORY: u64 = 32 << 20;

pub struct Bed {
    pub server: MockServer,
    pub producer: Producer,
}

pub fn cluster(brokers: i32) -> MockServer {
    MockServer::start(ClusterConfig {
        brokers,
        ..ClusterConfig::default()
    })
    .unwrap()
}

pub fn config(server: &MockServer, settings: &[(&str, &str)]) -> Config {
    let mut config = Config::new();
    config
        .set("bootstrap.servers", &server.bootstrap())
        .unwrap();
    for (name, value) in settings {
        config.set(name, value).unwrap();
    }
    config
}

pub fn producer(server: &MockServer, settings: &[(&str, &str)], callbacks: Callbacks) -> Producer {
    let config = config(server, settings).build().unwrap();
    Producer::create(config, callbacks).unwrap()
}

impl Bed {
    pub fn new(brokers: i32, settings: &[(&str, &str)]) -> Self {
        let server = cluster(brokers);
        let producer = producer(&server, settings, Callbacks::default());
        Bed { server, producer }
    }

    pub fn mock(&self) -> &MockHandle {
        self.server.handle()
    }

    /// Sends a record to partition 0 whose value is its tag.
    pub fn send(&self, topic: &str, tag: u64) {
        let value = tag.to_be_bytes();
        let sent = Record {
            partition: Some(0),
            ..record(topic, &value, tag)
        };
        self.producer.send(&sent).unwrap();
    }

    pub fn report(&self) -> Report {
        self.reports(1)[0]
    }

    pub fn flush(&self) {
        self.producer.flush(Timeout::After(LONG)).unwrap();
    }

    pub fn close(&self) {
        self.producer.close(Timeout::After(LONG)).unwrap();
    }

    /// The message of a failed report.
    pub fn detail(&self, report: &Report) -> String {
        let error = self.producer.error_detail(report.detail);
        let error = error.unwrap_or_else(|| panic!("no message of {report:?}"));
        assert_eq!(error.code, report.error);
        error.message
    }

    /// The tags in the log of a topic's first partition.
    pub fn log(&self, topic: &str) -> Vec<u64> {
        log(self.mock(), topic, 0)
    }

    /// Waits until nothing occupies memory any more.
    pub fn settle(&self) {
        let all = MEMORY;
        until("memory comes back", || {
            self.producer.metrics().buffer_available == all
        });
    }

    /// Reads exactly `count` reports.
    pub fn reports(&self, count: usize) -> Vec<Report> {
        reports(&self.producer, count)
    }
}

pub fn reports(producer: &Producer, count: usize) -> Vec<Report> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let got = producer
            .poll(count - seen.len(), Timeout::After(LONG), |report| {
                seen.push(*report);
            })
            .unwrap();
        assert!(got > 0, "only {} of {count} reports came", seen.len());
    }
    seen
}

pub fn record<'a>(topic: &'a str, value: &'a [u8], tag: u64) -> Record<'a> {
    Record {
        topic: TopicRef::Name(topic),
        key: None,
        value: Some(value),
        headers: &[],
        partition: None,
        timestamp: None,
        tag,
    }
}

pub fn ok(report: &Report) {
    assert_eq!(report.error, ErrorCode::OK, "{report:?}");
}

/// Waits for what nothing tells of.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The tags in a partition's log.
pub fn log(mock: &MockHandle, topic: &str, partition: i32) -> Vec<u64> {
    let records = mock.records(topic, partition);
    let values = records.iter().map(|record| record.value.as_deref());
    values
        .map(|value| u64::from_be_bytes(*value.unwrap().first_chunk().unwrap()))
        .collect()
}
