//! One schedule: a producer and a mock cluster on one thread, with steps that the seed chooses.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use kprod::completion::Report;
use kprod::config::Config;
use kprod::error::ErrorCode;
use kprod::mock::{ClusterConfig, MemoryNetwork, MockHandle, TopicConfig};
use kprod::producer::{Callbacks, Environment, Producer, Record, Timeout, TopicRef};
use kprod::sys::Rng;
use tokio::time::{Instant, sleep};

use super::batches::Batches;
use super::faults;
use super::model::Model;
use super::plan::{Ending, Plan, Weather, millis, one_in};

/// Flushes' tags, above those of all records.
const FLUSH: u64 = 1 << 40;
/// Virtual time in which a healed cluster must have led to all reports.
const PATIENCE: Duration = Duration::from_secs(1200);

pub struct World {
    plan: Plan,
    rng: Rng,
    mock: MockHandle,
    producer: Producer,
    model: Model,
    batches: Batches,
    handles: Vec<u32>,
    flushes: u64,
    began: Instant,
    trace: Vec<String>,
}

impl World {
    pub fn new(plan: Plan) -> World {
        let rng = Rng::from_seed(plan.seed);
        let mock = MockHandle::new(ClusterConfig {
            brokers: plan.brokers,
            version: plan.version,
            auto_create_delay: plan.auto_create_delay,
            ..ClusterConfig::default()
        });
        for topic in plan.topics.iter().filter(|topic| topic.exists) {
            let config = TopicConfig::new(topic.partitions);
            mock.with(|cluster| cluster.create_topic(&topic.name, &config));
        }
        let mut config = Config::new();
        config.set("bootstrap.servers", &mock.bootstrap()).unwrap();
        for (name, value) in &plan.settings {
            config.set(name, value).unwrap();
        }
        let environment = Environment {
            transport: Arc::new(MemoryNetwork::new(mock.clone())),
            rng: Rng::from_seed(plan.seed ^ 1),
            on_current_runtime: true,
            each_turn: None,
            first_sequence: 0,
        };
        let producer =
            Producer::create_in(environment, config.build().unwrap(), Callbacks::default())
                .unwrap();
        let topics = plan.topics.iter();
        let handles = topics.map(|topic| producer.topic(&topic.name).unwrap());
        World {
            handles: handles.collect(),
            plan,
            rng,
            mock,
            producer,
            model: Model::default(),
            batches: Batches::default(),
            flushes: 0,
            began: Instant::now(),
            trace: Vec::new(),
        }
    }

    pub async fn run(mut self) -> Vec<String> {
        for _ in 0..self.plan.steps {
            self.step().await;
        }
        self.end().await;
        let logs = self.logs();
        // Logs that were deleted tell nothing.
        if !self.plan.deletes {
            self.model.check_logs(&self.plan, &logs);
        }
        self.model.check_end(&self.plan);
        if !self.plan.deletes {
            assert_eq!(self.producer.metrics().data_losses, 0);
        }
        self.check_memory().await;
        self.trace
    }

    fn say(&mut self, what: impl std::fmt::Display) {
        let line = format!("{:>9.3?} {what}", self.began.elapsed().as_secs_f64());
        if std::env::var_os("KPROD_SIM_SEED").is_some() {
            println!("{line}");
        }
        self.trace.push(line);
    }

    async fn step(&mut self) {
        match self.rng.below(10) {
            0..=4 => self.send_some(),
            5 | 6 => {
                let said = faults::strike(&self.rng, &self.mock, &self.plan);
                self.say(said);
            }
            7 if one_in(&self.rng, 4) => self.flush(),
            7 if one_in(&self.rng, 4) => self.grow(),
            8 => self.send_batch(),
            _ => {
                let most = crate::plan::pick(&self.rng, &[1, 30, 400, 3000]);
                sleep(millis(&self.rng, 0, most)).await;
            }
        }
        self.poll();
    }

    fn send_some(&mut self) {
        let which = self.rng.below(self.handles.len() as u64) as usize;
        for _ in 0..1 + self.rng.below(30) {
            if !self.send_one(which) {
                break;
            }
        }
    }

    fn send_one(&mut self, which: usize) -> bool {
        let tag = self.model.next_tag();
        let length = 8 + self.rng.below(self.plan.largest_value + 1) as usize;
        let mut value = vec![0u8; length];
        if one_in(&self.rng, 2) {
            value.fill_with(|| self.rng.next_u64() as u8);
        }
        value[..8].copy_from_slice(&tag.to_be_bytes());
        let key = tag.to_be_bytes();
        let explicit = self.rng.below(self.plan.topics[which].partitions as u64) as i32;
        let (key, partition) = match self.rng.below(3) {
            0 => (None, None),
            1 => (Some(&key[..]), None),
            // A topic that the cluster makes has four partitions.
            _ => (None, Some(explicit.min(3))),
        };
        let record = Record {
            topic: TopicRef::Handle(self.handles[which]),
            key,
            value: Some(&value),
            headers: &[],
            partition,
            timestamp: Some(1_767_225_600_000),
            tag,
        };
        let result = self.producer.try_send(&record);
        self.say(format_args!(
            "send {tag} to t{which}/{partition:?}: {result:?}"
        ));
        match result {
            Ok(()) => self.model.accept(self.handles[which], partition),
            Err(ErrorCode::QUEUE_FULL) => self.model.on_queue_full(),
            Err(ErrorCode::UNKNOWN_PARTITION) => {}
            Err(ErrorCode::FATAL) if self.plan.fatal => {}
            Err(other) => panic!("try_send: {other:?}"),
        }
        result.is_ok()
    }

    fn send_batch(&mut self) {
        let which = self.rng.below(self.handles.len() as u64) as usize;
        let partitions = self.plan.topics[which].partitions.min(4) as u64;
        let place = (self.handles[which], self.rng.below(partitions) as i32);
        let (rng, plan) = (&self.rng, &self.plan);
        let said = self
            .batches
            .act(&self.producer, &mut self.model, rng, plan, place);
        said.into_iter().for_each(|line| self.say(line));
    }

    fn flush(&mut self) {
        let tag = FLUSH + self.flushes;
        self.flushes += 1;
        match self.producer.flush_async(tag) {
            Ok(()) => self.model.on_flush(tag),
            Err(code) => assert!(self.plan.fatal && code == ErrorCode::FATAL, "{code:?}"),
        }
        self.say("flush");
    }

    fn grow(&mut self) {
        let which = self.rng.below(self.handles.len() as u64) as usize;
        let name = self.plan.topics[which].name.clone();
        let count = 1 + self.mock.with(|cluster| cluster.partition_count(&name));
        self.mock.with(|cluster| cluster.grow_topic(&name, count));
        self.say(format_args!("{name} has {count} partitions"));
    }

    fn poll(&mut self) {
        let mut reports: Vec<Report> = Vec::new();
        loop {
            let got = self
                .producer
                .poll(7, Timeout::Now, |report| reports.push(*report));
            if !matches!(got, Ok(1..)) {
                break;
            }
        }
        for report in reports {
            self.batches.on_report(&report);
            self.say(format_args!(
                "{:?} {} {}/{}@{} {:?} {:?}",
                report.kind,
                report.tag,
                report.topic,
                report.partition,
                report.offset,
                report.error,
                report.persistence()
            ));
            self.model.on_report(&report);
        }
    }

    async fn end(&mut self) {
        let patience = match self.plan.ending {
            Ending::Flush | Ending::Close => {
                faults::heal(&self.mock, &self.plan);
                self.say("healed");
                PATIENCE
            }
            Ending::CloseDead(limit) => {
                faults::kill_all(&self.mock, &self.plan);
                self.say("all brokers gone");
                limit + Duration::from_millis(20)
            }
        };
        match self.plan.ending {
            Ending::Flush => self.flush(),
            Ending::Close => self.producer.close(Timeout::After(PATIENCE)).unwrap(),
            Ending::CloseDead(limit) => self.producer.close(Timeout::After(limit)).unwrap(),
        }
        let deadline = Instant::now() + patience;
        loop {
            self.poll();
            if self.model.outstanding() == 0 && self.model.open_flushes() == 0 {
                return;
            }
            let left = self.model.outstanding();
            assert!(
                Instant::now() < deadline,
                "{left} records without a report {patience:?} after the end"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }

    fn logs(&self) -> HashMap<(u32, i32), Vec<kprod::mock::StoredRecord>> {
        let mut logs = HashMap::new();
        for (topic, handle) in self.plan.topics.iter().zip(&self.handles) {
            let count = self
                .mock
                .with(|cluster| cluster.partition_count(&topic.name));
            for partition in 0..count {
                let records = self.mock.records(&topic.name, partition);
                logs.insert((*handle, partition), records);
            }
        }
        logs
    }

    /// Buffers of writes that were given up go back when their connection does.
    async fn check_memory(&mut self) {
        let timeout = match self.plan.weather {
            Weather::Storm => Duration::from_secs(40),
            // A superseded leader's answer is not waited for, but it comes.
            Weather::Refusals if self.plan.idempotent => Duration::from_secs(2),
            Weather::Calm | Weather::Refusals => Duration::from_millis(100),
        };
        let deadline = Instant::now() + timeout;
        loop {
            let metrics = self.producer.metrics();
            assert_eq!(metrics.reports_queued, 0);
            if metrics.buffer_available == self.plan.memory && metrics.requests_in_flight == 0 {
                return;
            }
            assert!(Instant::now() < deadline, "{metrics:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }
}
