//! A producer on a mock cluster in virtual time, for scenes that are told step by step and timed exactly.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kprod::completion::{Report, ReportKind};
use kprod::config::Config;
use kprod::error::ErrorCode;
use kprod::mock::{ClusterConfig, Fault, MemoryNetwork, MockHandle, RequestEntry};
use kprod::network::{BoxFuture, SocketOptions, Stream, Transport};
use kprod::producer::{
    Callbacks, Environment, GroupMetadata, GroupOffset, Offsets, Producer, Record, Timeout,
    TopicRef,
};
use kprod::protocol::ApiKey;
use kprod::sys::Rng;
use tokio::time::{Instant, sleep};

/// The brokers' clock at the beginning.
pub const NOW: i64 = 1_767_225_600_000;

/// The mock's network with names: a name stands for a broker's address, which may change.
pub struct Names {
    network: MemoryNetwork,
    known: Mutex<HashMap<String, String>>,
}

impl Names {
    /// The name leads to this address from now on.
    pub fn set(&self, name: &str, address: &str) {
        let mut known = self.known.lock().unwrap();
        known.insert(name.to_owned(), address.to_owned());
    }
}

impl Transport for Names {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let known = self.known.lock().unwrap().get(host).cloned();
        let address = known.unwrap_or_else(|| host.to_owned());
        Box::pin(async move { self.network.resolve(&address, port) })
    }

    fn connect<'a>(
        &'a self,
        address: SocketAddr,
        options: &'a SocketOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        Transport::connect(&self.network, address, options)
    }
}

pub struct Stage {
    pub names: Arc<Names>,
    pub mock: MockHandle,
    pub producer: Producer,
    began: Instant,
    seen: RefCell<VecDeque<(Duration, Report)>>,
}

/// A record as a user's batch takes it.
pub fn in_batch(value: &[u8]) -> Record<'_> {
    Record {
        topic: TopicRef::Handle(0),
        key: None,
        value: Some(value),
        headers: &[],
        partition: None,
        timestamp: Some(NOW),
        tag: 0,
    }
}

pub fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Plays a scene on a cluster of so many brokers.
pub fn play<F: Future<Output = ()>>(
    brokers: i32,
    settings: &[(&str, &str)],
    scene: impl FnOnce(Stage) -> F,
) {
    let cluster = ClusterConfig {
        brokers,
        ..ClusterConfig::default()
    };
    play_on(cluster, settings, scene);
}

pub fn play_on<F: Future<Output = ()>>(
    cluster: ClusterConfig,
    settings: &[(&str, &str)],
    scene: impl FnOnce(Stage) -> F,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async { scene(Stage::new(cluster, settings)).await });
}

impl Stage {
    fn new(cluster: ClusterConfig, settings: &[(&str, &str)]) -> Stage {
        let mock = MockHandle::new(cluster);
        let mut config = Config::new();
        let names = Arc::new(Names {
            network: MemoryNetwork::new(mock.clone()),
            known: Mutex::default(),
        });
        names.set("kafka", "10.0.0.1");
        config.set("bootstrap.servers", "kafka:9092").unwrap();
        for (name, value) in settings {
            config.set(name, value).unwrap();
        }
        let environment = Environment {
            transport: names.clone(),
            rng: Rng::from_seed(7),
            on_current_runtime: true,
            each_turn: None,
            first_sequence: 0,
        };
        let config = config.build().unwrap();
        let producer = Producer::create_in(environment, config, Callbacks::default()).unwrap();
        Stage {
            names,
            mock,
            producer,
            began: Instant::now(),
            seen: RefCell::default(),
        }
    }

    pub fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// A topic that is there and known to the producer, which has connected to its leaders.
    pub async fn topic(&self, name: &str, partitions: i32) {
        self.mock.create_topic(name, partitions);
        for partition in 0..partitions {
            self.send_to(name, Some(partition), u64::MAX, b"warm-up");
        }
        let reports = self.reports(partitions as usize).await;
        assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
        for partition in 0..partitions {
            self.mock
                .with(|cluster| cluster.delete_records(name, partition));
        }
        self.mock.with(|cluster| cluster.clear_requests());
    }

    pub fn send(&self, topic: &str, tag: u64) {
        self.send_to(topic, Some(0), tag, &tag.to_be_bytes());
    }

    pub fn send_to(&self, topic: &str, partition: Option<i32>, tag: u64, value: &[u8]) {
        self.try_send_to(topic, partition, tag, value).unwrap();
    }

    pub fn try_send_to(
        &self,
        topic: &str,
        partition: Option<i32>,
        tag: u64,
        value: &[u8],
    ) -> Result<(), ErrorCode> {
        self.producer.try_send(&Record {
            topic: TopicRef::Name(topic),
            key: None,
            value: Some(value),
            headers: &[],
            partition,
            timestamp: Some(NOW),
            tag,
        })
    }

    fn poll(&self) {
        let now = self.now();
        let mut seen = self.seen.borrow_mut();
        // An error is CLOSED, after which nothing comes.
        let _ = self.producer.poll(10_000, Timeout::Now, |report| {
            seen.push_back((now, *report))
        });
    }

    /// Lets time pass.
    pub async fn wait(&self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            sleep(ms(1).min(until - Instant::now())).await;
            self.poll();
        }
    }

    /// So many entries of any kind, with the times at which they came.
    pub async fn reports(&self, count: usize) -> Vec<(Duration, Report)> {
        let deadline = Instant::now() + Duration::from_secs(3600);
        loop {
            self.poll();
            {
                let mut seen = self.seen.borrow_mut();
                if seen.len() >= count {
                    return seen.drain(..count).collect();
                }
                assert!(Instant::now() < deadline, "only {seen:?} came");
            }
            sleep(ms(1)).await;
        }
    }

    pub async fn report(&self) -> (Duration, Report) {
        self.reports(1).await[0]
    }

    /// Record reports that came and were not asked for yet.
    pub fn reported(&self) -> usize {
        self.poll();
        let seen = self.seen.borrow();
        let records = seen.iter().filter(|(_, r)| r.kind == ReportKind::Record);
        records.count()
    }

    pub fn fault(&self, fault: Fault) {
        self.mock.inject(fault);
    }

    pub fn requests(&self, api: ApiKey) -> Vec<RequestEntry> {
        self.mock.requests(api)
    }

    pub fn produced(&self) -> Vec<RequestEntry> {
        self.requests(ApiKey::Produce)
    }

    /// The tags in a partition's log.
    pub fn log(&self, topic: &str, partition: i32) -> Vec<u64> {
        let records = self.mock.records(topic, partition);
        let tag = |value: &[u8]| u64::from_be_bytes(*value.first_chunk().expect("a tag"));
        records
            .iter()
            .map(|record| tag(record.value.as_deref().expect("a value")))
            .collect()
    }

    pub fn detail(&self, report: &Report) -> String {
        let error = self.producer.error_detail(report.detail);
        error
            .unwrap_or_else(|| panic!("no message of {report:?}"))
            .message
    }
}

/// Milliseconds, for comparisons that read well.
pub fn at(time: Duration) -> u64 {
    time.as_millis() as u64
}

/// Whether something came when it should: timers and looks are a millisecond apart.
pub fn is_at(time: Duration, millis: u64) -> bool {
    (millis..=millis + 2).contains(&at(time))
}

/// Requests whose answers do not come, nor those behind them on the connection, but the work is done.
pub fn silent(api: ApiKey) -> Fault {
    Fault::on(api).delay(Duration::from_secs(86_400))
}

/// What a consumer of group "g" has read of partition 0 of "t".
pub fn next_offset(offset: i64) -> Offsets {
    Offsets {
        group: GroupMetadata {
            group_id: "g".into(),
            generation_id: -1,
            member_id: String::new(),
            group_instance_id: None,
        },
        offsets: vec![GroupOffset {
            topic: "t".into(),
            partition: 0,
            offset,
            leader_epoch: -1,
            metadata: None,
        }],
    }
}
