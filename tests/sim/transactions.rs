//! Schedules of a transactional producer: whatever goes wrong, a consumer that reads committed records sees the
//! records of the transactions that were committed, each once and in order, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kprod::completion::{Report, ReportKind};
use kprod::config::Config;
use kprod::error::ErrorCode;
use kprod::mock::{
    BrokerState, ClusterConfig, CoordinatorKind, Fault, FaultKind, KafkaVersion, MemoryNetwork,
    MockHandle, TopicConfig, TransactionState, When,
};
use kprod::producer::{Callbacks, Environment, Producer, Record, Timeout, TopicRef, UserBatch};
use kprod::protocol::ApiKey;
use kprod::sys::Rng;
use tokio::time::{Instant, sleep};

use super::faults;
use super::plan::{millis, one_in, pick};
use super::stage::{NOW, in_batch, next_offset};

/// Of the last one only user's batches that wait for their turn know: others would overtake them.
const PARTITIONS: i32 = 5;
const PATIENT: i32 = PARTITIONS - 1;
const BROKERS: i32 = 3;
/// Tags of calls, of user's batches and of answers about these, above those of records.
const CALL: u64 = 1 << 40;
const BATCH: u64 = 2 << 40;
const OFFER: u64 = 3 << 40;
const PATIENCE: Duration = Duration::from_secs(1200);
const ABORTABLE: u32 = 2;
const FATAL: u32 = 4;

const STEPS: [ApiKey; 6] = [
    ApiKey::FindCoordinator,
    ApiKey::InitProducerId,
    ApiKey::AddPartitionsToTxn,
    ApiKey::AddOffsetsToTxn,
    ApiKey::TxnOffsetCommit,
    ApiKey::EndTxn,
];

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Committed,
    Aborted,
    /// The producer failed before it knew.
    Unknown,
}

/// A user's batch that waits for its turn, the transaction of its time and the records.
struct Offered {
    _batch: UserBatch,
    transaction: usize,
    tags: std::ops::Range<u64>,
}

struct World {
    rng: Rng,
    mock: MockHandle,
    producer: Producer,
    topic: u32,
    calls: u64,
    next_tag: u64,
    /// The accepted records of each transaction.
    records: Vec<BTreeSet<u64>>,
    /// The reports that are due, by their tags.
    due: BTreeSet<u64>,
    batches: u64,
    /// User's batches whose acceptance is not known yet, by their number.
    offered: BTreeMap<u64, Offered>,
    offsets: BTreeMap<usize, i64>,
    fates: Vec<Fate>,
    reported: BTreeSet<u64>,
    /// The newest report of a single record, by partition.
    newest: BTreeMap<i32, u64>,
    results: BTreeMap<u64, Report>,
    storm: bool,
    trace: Vec<String>,
    began: Instant,
}

pub async fn run(seed: u64) -> Vec<String> {
    let mut world = World::new(seed);
    let transactions = 2 + world.rng.below(8);
    for number in 0..transactions {
        if !world.transaction(number as usize).await {
            break;
        }
    }
    world.end().await;
    world.trace
}

impl World {
    fn new(seed: u64) -> World {
        let rng = Rng::from_seed(seed ^ 0x7a5a_c710);
        let version = pick(
            &rng,
            &[
                KafkaVersion::V2_8,
                KafkaVersion::V3_9,
                KafkaVersion::V4_3,
                KafkaVersion::V4_3,
            ],
        );
        let mock = MockHandle::new(ClusterConfig {
            brokers: BROKERS,
            version,
            marker_delay: pick(&rng, &[Duration::ZERO, Duration::from_millis(30)]),
            ..ClusterConfig::default()
        });
        mock.with(|cluster| cluster.create_topic("t", &TopicConfig::new(PARTITIONS)));
        let mut config = Config::new();
        let mut set = |name: &str, value: &str| config.set(name, value).unwrap();
        set("bootstrap.servers", &mock.bootstrap());
        set("transactional.id", "me");
        set("request.timeout.ms", pick(&rng, &["300", "1000", "5000"]));
        set("max.block.ms", pick(&rng, &["50", "3000", "60000"]));
        set("linger.ms", pick(&rng, &["0", "5", "200"]));
        set("batch.size", pick(&rng, &["0", "150", "1000"]));
        set("transaction.timeout.ms", "600000");
        let producer = Producer::create_in(
            Environment {
                transport: Arc::new(MemoryNetwork::new(mock.clone())),
                rng: Rng::from_seed(seed ^ 1),
                on_current_runtime: true,
                each_turn: None,
                first_sequence: 0,
            },
            config.build().unwrap(),
            Callbacks::default(),
        )
        .unwrap();
        World {
            topic: producer.topic("t").unwrap(),
            storm: !seed.is_multiple_of(4),
            rng,
            mock,
            producer,
            calls: 0,
            next_tag: 0,
            records: Vec::new(),
            due: BTreeSet::new(),
            batches: 0,
            offered: BTreeMap::new(),
            offsets: BTreeMap::new(),
            fates: Vec::new(),
            reported: BTreeSet::new(),
            newest: BTreeMap::new(),
            results: BTreeMap::new(),
            trace: Vec::new(),
            began: Instant::now(),
        }
    }

    fn say(&mut self, what: impl std::fmt::Display) {
        let line = format!("{:>9.3?} {what}", self.began.elapsed().as_secs_f64());
        if std::env::var_os("KPROD_SIM_SEED").is_some() {
            println!("{line}");
        }
        self.trace.push(line);
    }

    /// One transaction from its begin to its end. False: the producer has failed for good.
    async fn transaction(&mut self, number: usize) -> bool {
        self.records.push(BTreeSet::new());
        self.fates.push(Fate::Unknown);
        let begun = self.call("begin", |producer, tag| {
            producer.begin_transaction_async(tag)
        });
        let Some(begun) = begun.await else {
            return false;
        };
        assert_eq!(begun, ErrorCode::OK, "begin");
        for _ in 0..self.rng.below(12) {
            match self.rng.below(10) {
                0..=3 => self.send_some(number),
                8 | 9 => self.send_batch(number),
                4 | 5 if self.storm => self.strike(),
                6 if one_in(&self.rng, 2) => {
                    let Some(code) = self.send_offsets(number).await else {
                        return false;
                    };
                    if code == ErrorCode::OK {
                        self.offsets.insert(number, number as i64 + 1);
                    }
                }
                _ => sleep(millis(&self.rng, 0, 400)).await,
            }
            self.poll();
        }
        let commits = !one_in(&self.rng, 4);
        if commits {
            let committed = self.call("commit", |producer, tag| {
                producer.commit_transaction_async(tag)
            });
            match committed.await {
                None => return false,
                Some(ErrorCode::OK) => {
                    self.fates[number] = Fate::Committed;
                    return true;
                }
                Some(_) => {}
            }
        }
        let aborted = self.call("abort", |producer, tag| {
            producer.abort_transaction_async(tag)
        });
        let Some(aborted) = aborted.await else {
            return false;
        };
        assert_eq!(aborted, ErrorCode::OK, "abort");
        let is_open = self.mock.with(|cluster| {
            let left = cluster.transaction("me");
            left.is_some_and(|left| left.state == TransactionState::Ongoing)
        });
        assert!(!is_open, "the coordinator knows nothing of the abort");
        self.fates[number] = Fate::Aborted;
        true
    }

    /// Makes a call until it has a result. `None`: a fatal one.
    async fn call(
        &mut self,
        name: &str,
        make: impl Fn(&Producer, u64) -> Result<(), kprod::error::Error>,
    ) -> Option<ErrorCode> {
        let deadline = Instant::now() + PATIENCE;
        let mut timeouts = 0;
        loop {
            let tag = CALL + self.calls;
            self.calls += 1;
            if make(&self.producer, tag).is_err() {
                return None;
            }
            let report = loop {
                self.poll();
                if let Some(report) = self.results.remove(&tag) {
                    break report;
                }
                assert!(Instant::now() < deadline, "{name} has no result");
                sleep(Duration::from_millis(5)).await;
            };
            self.say(format_args!("{name}: {:?}", report.error));
            match report.error {
                ErrorCode::TIMED_OUT => {
                    timeouts += 1;
                    if timeouts == 8 || one_in(&self.rng, 4) {
                        self.heal();
                    }
                }
                _ if report.flags & FATAL != 0 => return None,
                ErrorCode::OK => return Some(ErrorCode::OK),
                code => {
                    assert!(report.flags & ABORTABLE != 0, "{name}: {report:?}");
                    return Some(code);
                }
            }
        }
    }

    async fn send_offsets(&mut self, number: usize) -> Option<ErrorCode> {
        let offsets = next_offset(number as i64 + 1);
        self.call("offsets", move |producer, tag| {
            producer.send_offsets_to_transaction_async(offsets.clone(), tag)
        })
        .await
    }

    fn send_some(&mut self, number: usize) {
        for _ in 0..1 + self.rng.below(15) {
            let tag = self.next_tag;
            let value = tag.to_be_bytes();
            let sent = Record {
                topic: TopicRef::Handle(self.topic),
                key: None,
                value: Some(&value),
                headers: &[],
                partition: Some(self.rng.below(PATIENT as u64) as i32),
                timestamp: Some(NOW),
                tag,
            };
            match self.producer.try_send(&sent) {
                Ok(()) => {
                    self.records[number].insert(tag);
                    self.due.insert(tag);
                    self.next_tag += 1;
                }
                Err(ErrorCode::TRANSACTION_ABORTABLE | ErrorCode::FATAL) => return,
                Err(other) => panic!("try_send: {other:?}"),
            }
        }
    }

    fn send_batch(&mut self, number: usize) {
        let Ok(batch) = self.producer.create_batch() else {
            return;
        };
        let first = self.next_tag;
        for _ in 0..self.rng.below(6) {
            let value = self.next_tag.to_be_bytes();
            match batch.append(&in_batch(&value)) {
                Ok(_) => self.next_tag += 1,
                Err(code) => {
                    assert_eq!(code, ErrorCode::BATCH_FULL);
                    break;
                }
            }
        }
        let tags = first..self.next_tag;
        if one_in(&self.rng, 2) {
            batch.close().unwrap();
        }
        self.batches += 1;
        let this = self.batches;
        let report = BATCH + this;
        if one_in(&self.rng, 2) {
            let offer = OFFER + this;
            let sent = self
                .producer
                .send_batch_async(&batch, self.topic, PATIENT, report, offer);
            self.say(format_args!("batch {this} of {tags:?} offered: {sent:?}"));
            if sent.is_ok() {
                let offered = Offered {
                    _batch: batch,
                    transaction: number,
                    tags,
                };
                self.offered.insert(this, offered);
            }
            return;
        }
        let partition = self.rng.below(PATIENT as u64) as i32;
        let sent = self
            .producer
            .try_send_batch(&batch, self.topic, partition, report);
        self.say(format_args!("batch {this} of {tags:?}: {sent:?}"));
        match sent {
            Ok(()) => {
                self.records[number].extend(tags);
                self.due.insert(report);
            }
            Err(ErrorCode::QUEUE_FULL | ErrorCode::TRANSACTION_ABORTABLE | ErrorCode::FATAL) => {}
            Err(other) => panic!("try_send_batch: {other:?}"),
        }
    }

    /// The answer to an offered batch.
    fn on_offer(&mut self, number: u64, error: ErrorCode) {
        let offered = self.offered.remove(&number).expect("answered twice");
        if error == ErrorCode::OK {
            self.records[offered.transaction].extend(offered.tags);
            self.due.insert(BATCH + number);
        }
    }

    fn strike(&mut self) {
        let broker = 1 + self.rng.below(BROKERS as u64) as i32;
        let said = match self.rng.below(14) {
            0..=3 => {
                let fault = self.step_fault();
                let said = format!("{fault:?}");
                self.mock.inject(fault);
                said
            }
            4 | 5 => {
                let fault = self.produce_fault();
                let said = format!("{fault:?}");
                self.mock.inject(fault);
                said
            }
            6 => {
                let loading = millis(&self.rng, 0, 200);
                let kind = pick(
                    &self.rng,
                    &[CoordinatorKind::Transaction, CoordinatorKind::Group],
                );
                let key = match kind {
                    CoordinatorKind::Transaction => "me",
                    CoordinatorKind::Group => "g",
                };
                self.mock
                    .with(|cluster| cluster.move_coordinator(kind, key, broker, loading));
                format!("{kind:?} coordinator to {broker}")
            }
            7 => {
                let partition = self.rng.below(PARTITIONS as u64) as i32;
                self.mock.set_leader("t", partition, broker);
                format!("t/{partition} to {broker}")
            }
            8 => {
                let state = pick(&self.rng, &[BrokerState::Crashed, BrokerState::Down]);
                self.mock.set_broker_state(broker, state);
                format!("broker {broker} {state:?}")
            }
            9 => {
                self.mock.disconnect(broker);
                format!("broker {broker} cuts its connections")
            }
            10 if one_in(&self.rng, 6) => {
                self.mock.with(|cluster| cluster.time_out_transaction("me"));
                "the transaction timed out".into()
            }
            11 => faults::doubts(&self.rng, &self.mock, true),
            12 => {
                let partition = self.rng.below(PARTITIONS as u64) as i32;
                self.mock
                    .with(|cluster| cluster.restore_producers("t", partition));
                format!("t/{partition} remembers a batch of each producer")
            }
            _ => {
                self.heal();
                "healed".into()
            }
        };
        self.say(said);
    }

    fn step_fault(&self) -> Fault {
        let side = pick(&self.rng, &[When::BeforeWork, When::AfterWork]);
        let code = pick(
            &self.rng,
            &[
                ErrorCode::COORDINATOR_NOT_AVAILABLE,
                ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
                ErrorCode::NOT_COORDINATOR,
                ErrorCode::CONCURRENT_TRANSACTIONS,
            ],
        );
        let fault = Fault::on(pick(&self.rng, &STEPS)).times(1 + self.rng.below(2) as u32);
        match self.rng.below(4) {
            0 => fault.error(code),
            1 => fault.kind(FaultKind::Swallow(side)),
            2 => fault.kind(FaultKind::Disconnect(side)),
            _ => fault.delay(millis(&self.rng, 1, 800)),
        }
    }

    fn produce_fault(&self) -> Fault {
        let side = pick(&self.rng, &[When::BeforeWork, When::AfterWork]);
        let fault = Fault::on(ApiKey::Produce).times(1 + self.rng.below(2) as u32);
        match self.rng.below(6) {
            0 => fault.error(ErrorCode::NOT_ENOUGH_REPLICAS),
            1 => fault.error_after_work(ErrorCode::REQUEST_TIMED_OUT),
            2 => fault.error(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
            3 => fault.kind(FaultKind::Swallow(side)),
            4 => fault.kind(FaultKind::Disconnect(side)),
            _ => fault.delay(millis(&self.rng, 1, 800)),
        }
    }

    fn heal(&self) {
        self.mock.with(|cluster| {
            cluster.clear_faults();
            for broker in 1..=BROKERS {
                cluster.set_broker_state(broker, BrokerState::Up);
            }
            for partition in 0..PARTITIONS {
                if let Some((-1, _)) = cluster.leader("t", partition) {
                    cluster.set_leader("t", partition, 1);
                }
            }
        });
    }

    fn poll(&mut self) {
        let mut reports: Vec<Report> = Vec::new();
        while let Ok(1..) = self
            .producer
            .poll(7, Timeout::Now, |report| reports.push(*report))
        {}
        for report in reports {
            match report.kind {
                ReportKind::Record | ReportKind::Batch => {
                    self.say(format_args!(
                        "{:?} {} {:?}",
                        report.kind, report.tag, report.error
                    ));
                    assert!(self.reported.insert(report.tag), "twice: {report:?}");
                    assert_ne!(report.error, ErrorCode::INTERNAL);
                    if report.tag < CALL {
                        let before = self.newest.insert(report.partition, report.tag);
                        assert!(before < Some(report.tag), "{report:?} behind {before:?}");
                    }
                }
                ReportKind::Operation if report.tag > OFFER => {
                    self.say(format_args!(
                        "batch {}: {:?}",
                        report.tag - OFFER,
                        report.error
                    ));
                    self.on_offer(report.tag - OFFER, report.error);
                }
                ReportKind::Operation => drop(self.results.insert(report.tag, report)),
                _ => {}
            }
        }
    }

    async fn end(&mut self) {
        self.heal();
        self.producer.close(Timeout::After(PATIENCE)).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !self.offered.is_empty() || !self.due.is_subset(&self.reported) {
            self.poll();
            assert!(Instant::now() < deadline, "records without a report");
            sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(self.due, self.reported);
        // Markers that are due.
        sleep(Duration::from_secs(700)).await;
        self.mock.with(|cluster| cluster.time_out_transaction("me"));
        self.check();
    }

    fn check(&self) {
        let mut seen = BTreeSet::new();
        for partition in 0..PARTITIONS {
            let records = self
                .mock
                .with(|cluster| cluster.committed_records("t", partition));
            let tags: Vec<u64> = records
                .iter()
                .map(|record| {
                    u64::from_be_bytes(*record.value.as_deref().unwrap().first_chunk().unwrap())
                })
                .collect();
            assert!(tags.is_sorted(), "out of order: {tags:?}");
            for tag in tags {
                assert!(seen.insert(tag), "{tag} is there twice");
            }
        }
        for (number, (records, fate)) in self.records.iter().zip(&self.fates).enumerate() {
            let there = records.intersection(&seen).count();
            match fate {
                Fate::Committed => assert_eq!(there, records.len(), "{number} was committed"),
                Fate::Aborted => assert_eq!(there, 0, "{number} was aborted"),
                Fate::Unknown => {
                    assert!(
                        there == 0 || there == records.len(),
                        "{number}: {there} of it"
                    );
                }
            }
        }
        let unknown = self.fates.last() == Some(&Fate::Unknown);
        let newest = |known: bool| {
            let committed = self.offsets.iter().rev().find(|(number, _)| {
                let fate = self.fates[**number];
                fate == Fate::Committed || (!known && fate == Fate::Unknown)
            });
            committed.map(|(_, offset)| *offset)
        };
        let offset = self.mock.with(|cluster| {
            let offset = cluster.committed_offset("g", "t", 0);
            offset.map(|offset| offset.offset)
        });
        assert!(
            offset == newest(true) || (unknown && offset == newest(false)),
            "offset {offset:?}, committed {:?}",
            newest(true)
        );
    }
}
