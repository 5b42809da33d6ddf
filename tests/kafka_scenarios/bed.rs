//! A producer as a scenario needs it, and short ways to say what is done with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kprod::completion::{Report, ReportKind};
use kprod::config::Config;
use kprod::error::ErrorCode;
use kprod::network::Transport;
use kprod::producer::{Callbacks, Environment, Producer, Record, Timeout, TopicRef};

/// Far longer than anything takes that works, even on a busy machine.
pub const LONG: Duration = Duration::from_secs(60);

pub type Settings<'a> = &'a [(&'a str, &'a str)];

pub struct Bed {
    pub producer: Producer,
    idle_memory: u64,
}

impl Bed {
    pub fn new(bootstrap: &str, settings: Settings<'_>) -> Bed {
        Bed::with(bootstrap, settings, Callbacks::default(), None)
    }

    /// Its connections are made by `transport`.
    pub fn through(transport: Arc<dyn Transport>, bootstrap: &str, settings: Settings<'_>) -> Bed {
        Bed::with(bootstrap, settings, Callbacks::default(), Some(transport))
    }

    pub fn with(
        bootstrap: &str,
        settings: Settings<'_>,
        callbacks: Callbacks,
        transport: Option<Arc<dyn Transport>>,
    ) -> Bed {
        let mut environment = Environment::real();
        if let Some(transport) = transport {
            environment.transport = transport;
        }
        Bed::create(environment, bootstrap, settings, callbacks)
    }

    pub fn within(environment: Environment, bootstrap: &str, settings: Settings<'_>) -> Bed {
        Bed::create(environment, bootstrap, settings, Callbacks::default())
    }

    fn create(
        environment: Environment,
        bootstrap: &str,
        settings: Settings<'_>,
        callbacks: Callbacks,
    ) -> Bed {
        let config = config(bootstrap, settings).build().expect("a valid one");
        let producer = Producer::create_in(environment, config, callbacks).expect("a producer");
        let idle_memory = producer.metrics().buffer_available;
        Bed {
            producer,
            idle_memory,
        }
    }

    #[track_caller]
    pub fn send(&self, record: &Record<'_>) {
        self.producer
            .send(record)
            .unwrap_or_else(|error| panic!("send refused: {error}"));
    }

    /// Reads exactly `count` reports of records; fails when they do not come.
    #[track_caller]
    pub fn reports(&self, count: usize) -> Vec<Report> {
        let (mut seen, deadline) = (Vec::with_capacity(count), Instant::now() + LONG);
        while seen.len() < count {
            self.poll(count - seen.len(), LONG, &mut seen);
            let in_time = Instant::now() < deadline || seen.len() == count;
            assert!(in_time, "only {} of {count} reports came", seen.len());
        }
        seen
    }

    /// The reports of records that are there now.
    pub fn reports_now(&self) -> Vec<Report> {
        let mut seen = Vec::new();
        while self.poll(1024, Duration::ZERO, &mut seen) > 0 {}
        seen
    }

    fn poll(&self, max: usize, limit: Duration, seen: &mut Vec<Report>) -> usize {
        self.producer
            .poll(max, Timeout::After(limit), |report| {
                if report.kind == ReportKind::Record {
                    seen.push(*report);
                }
            })
            .expect("an open producer")
    }

    #[track_caller]
    pub fn flush(&self) {
        self.producer
            .flush(Timeout::After(LONG))
            .expect("all outcomes in time");
    }

    /// The bytes of `buffer.memory` that are taken.
    pub fn memory_taken(&self) -> u64 {
        self.idle_memory - self.producer.metrics().buffer_available
    }

    /// Everything has its outcome, so nothing may be held for it any more.
    #[track_caller]
    pub fn assert_at_rest(&self) {
        assert_eq!(self.memory_taken(), 0, "memory held without a record");
        let metrics = self.producer.metrics();
        assert_eq!(metrics.requests_in_flight, 0, "{metrics:?}");
        assert_eq!(metrics.reports_queued, 0, "{metrics:?}");
    }

    /// The message that goes with a failed record.
    #[track_caller]
    pub fn message(&self, report: &Report) -> String {
        let detail = self.producer.error_detail(report.detail);
        detail.expect("a failure has words").message
    }
}

pub fn config(bootstrap: &str, settings: Settings<'_>) -> Config {
    let mut config = Config::new();
    let bootstrap = ("bootstrap.servers", bootstrap);
    for (name, value) in settings.iter().copied().chain([bootstrap]) {
        config.set(name, value).expect("a property of ours");
    }
    config
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

/// A record for a partition of the caller's choice.
pub fn record_at<'a>(topic: &'a str, partition: i32, value: &'a [u8], tag: u64) -> Record<'a> {
    Record {
        partition: Some(partition),
        ..record(topic, value, tag)
    }
}

#[track_caller]
pub fn ok(report: &Report) {
    assert_eq!(report.error, ErrorCode::OK, "{report:?}");
}

#[track_caller]
pub fn all_ok(reports: &[Report]) {
    reports.iter().for_each(ok);
}

/// Bytes that no codec makes smaller.
pub fn noise(length: usize) -> Vec<u8> {
    let rng = kprod::sys::Rng::from_seed(length as u64);
    let words = std::iter::repeat_with(|| rng.next_u64().to_le_bytes());
    words.flatten().take(length).collect()
}

/// Bytes that every codec makes smaller.
pub fn text(length: usize) -> Vec<u8> {
    let words = b"the quick brown fox jumps over the lazy dog; ";
    words.iter().copied().cycle().take(length).collect()
}

/// As timestamps count.
pub fn wall_clock() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("the clock is set").as_millis() as i64
}
