//! The mock cluster's state and what a test may do to it.

use super::coordinators::Coordinators;
use super::fault::{Fault, Faults};
use super::groups::Group;
use super::log::{StoredBatch, StoredRecord};
use super::requests::{RequestEntry, RequestLog};
use super::sasl::Sasl;
use super::topic::{NO_LEADER, Partition, Topic, TopicConfig};
use super::transaction::Transaction;
use super::versions::{KafkaVersion, Offer};
use crate::protocol::metadata::MetadataTopic;
use crate::protocol::{ApiKey, Uuid, VersionRange};
use std::collections::BTreeMap;
use std::time::Duration;

/// How a cluster is made.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// How many brokers; their ids begin at 1.
    pub brokers: i32,
    pub cluster_id: String,
    /// Partitions of a topic that is created because a client asked for it.
    pub default_partitions: i32,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// How long a topic so created is not there yet.
    pub auto_create_delay: Duration,
    /// `message.max.bytes`, for topics that have no limit of their own.
    pub message_max_bytes: usize,
    /// The brokers' wall clock at the cluster's beginning.
    pub epoch_millis: i64,
    /// A partition's oldest batches are dropped when it holds more.
    pub retention_bytes: usize,
    /// How many requests are remembered.
    pub kept_requests: usize,
    pub version: KafkaVersion,
    /// `transaction.max.timeout.ms`.
    pub max_transaction_timeout: Duration,
    /// How long the markers of a transaction take from its end on.
    pub marker_delay: Duration,
}

impl Default for ClusterConfig {
    fn default() -> Self {
        ClusterConfig {
            brokers: 1,
            cluster_id: "kprod-mock-cluster-000".to_owned(),
            default_partitions: 4,
            auto_create_topics: true,
            auto_create_delay: Duration::ZERO,
            message_max_bytes: 1_048_588,
            epoch_millis: 1_767_225_600_000,
            retention_bytes: 256 << 20,
            kept_requests: 10_000,
            version: KafkaVersion::V4_3,
            max_transaction_timeout: Duration::from_secs(900),
            marker_delay: Duration::ZERO,
        }
    }
}

/// What has become of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokerState {
    Up,
    /// It answers nobody, and the cluster has not noticed: metadata names it as before.
    Crashed,
    /// It answers nobody and is gone from the metadata; the partitions that it leads have no leader.
    Down,
}

#[derive(Debug)]
pub(super) struct Broker {
    pub state: BrokerState,
    pub host: String,
    pub port: u16,
    pub offer: Offer,
    pub round_trip: Duration,
    /// How often its connections were cut; a connection of an earlier count is dead.
    pub cuts: u64,
    /// What a broker whose metadata are stale says of each topic.
    pub stale_topics: Option<BTreeMap<String, MetadataTopic>>,
}

/// A cluster of brokers without sockets, threads or clocks.
#[derive(Debug)]
pub struct MockCluster {
    pub(super) config: ClusterConfig,
    pub(super) brokers: BTreeMap<i32, Broker>,
    pub(super) topics: BTreeMap<String, Topic>,
    pub(super) faults: Faults,
    pub(super) requests: RequestLog,
    pub(super) next_producer_id: i64,
    pub(super) next_producer_epoch: i16,
    pub(super) coordinators: Coordinators,
    pub(super) transactions: BTreeMap<String, Transaction>,
    pub(super) groups: BTreeMap<String, Group>,
    /// The latest time that the cluster was told.
    pub(super) now: Duration,
    pub(super) sasl: Option<Sasl>,
    next_topic_id: u64,
}

impl MockCluster {
    /// A cluster whose brokers are up, at `10.0.0.ID:9092` until told otherwise.
    pub fn new(config: ClusterConfig) -> Self {
        let broker = |id: i32| Broker {
            state: BrokerState::Up,
            host: format!("10.0.{}.{}", id / 256, id % 256),
            port: 9092,
            offer: Offer::of(config.version),
            round_trip: Duration::ZERO,
            cuts: 0,
            stale_topics: None,
        };
        MockCluster {
            brokers: (1..=config.brokers).map(|id| (id, broker(id))).collect(),
            topics: BTreeMap::new(),
            faults: Faults::default(),
            requests: RequestLog::new(config.kept_requests),
            next_producer_id: 1000,
            next_producer_epoch: 0,
            coordinators: Coordinators::default(),
            transactions: BTreeMap::new(),
            groups: BTreeMap::new(),
            now: Duration::ZERO,
            sasl: None,
            next_topic_id: 1,
            config,
        }
    }

    // Brokers.

    pub fn broker_ids(&self) -> Vec<i32> {
        self.brokers.keys().copied().collect()
    }

    /// Where clients are told to find a broker.
    pub fn endpoint(&self, broker: i32) -> Option<(&str, u16)> {
        let broker = self.brokers.get(&broker)?;
        Some((&broker.host, broker.port))
    }

    pub fn set_endpoint(&mut self, broker: i32, host: &str, port: u16) {
        if let Some(broker) = self.brokers.get_mut(&broker) {
            broker.host = host.to_owned();
            broker.port = port;
        }
    }

    /// `host:port` of every broker, with commas.
    pub fn bootstrap(&self) -> String {
        let address = |broker: &Broker| format!("{}:{}", broker.host, broker.port);
        let addresses: Vec<String> = self.brokers.values().map(address).collect();
        addresses.join(",")
    }

    pub fn broker_state(&self, broker: i32) -> Option<BrokerState> {
        self.brokers.get(&broker).map(|broker| broker.state)
    }

    /// Takes a broker down or up again. Going down cuts its connections.
    pub fn set_broker_state(&mut self, broker: i32, state: BrokerState) {
        if let Some(broker) = self.brokers.get_mut(&broker) {
            broker.state = state;
            if state != BrokerState::Up {
                broker.cuts += 1;
            }
        }
    }

    /// Cuts a broker's connections; new ones are accepted.
    pub fn disconnect(&mut self, broker: i32) {
        if let Some(broker) = self.brokers.get_mut(&broker) {
            broker.cuts += 1;
        }
    }

    /// Every answer of the broker takes so long.
    pub fn set_round_trip(&mut self, broker: i32, time: Duration) {
        if let Some(broker) = self.brokers.get_mut(&broker) {
            broker.round_trip = time;
        }
    }

    /// The broker's metadata of topics stay as they are now, whatever the cluster does, until they are to be fresh
    /// again.
    pub fn set_stale_metadata(&mut self, broker: i32, stale: bool) {
        let topics = stale.then(|| {
            let topics = self.topics.iter();
            topics
                .map(|(name, topic)| (name.clone(), self.metadata_topic(name, topic)))
                .collect()
        });
        if let Some(broker) = self.brokers.get_mut(&broker) {
            broker.stale_topics = topics;
        }
    }

    /// What a broker offers of an API; `None`: it does not know it.
    pub fn set_api_versions(&mut self, broker: i32, api: ApiKey, range: Option<VersionRange>) {
        if let Some(broker) = self.brokers.get_mut(&broker) {
            broker.offer.set(api, range);
        }
    }

    /// A broker offers what a broker of `version` does.
    pub fn set_version(&mut self, broker: i32, version: KafkaVersion) {
        if let Some(broker) = self.brokers.get_mut(&broker) {
            broker.offer = Offer::of(version);
        }
    }

    /// The level that every broker states of a finalized feature.
    pub fn set_feature(&mut self, name: &str, level: i16) {
        for broker in self.brokers.values_mut() {
            broker.offer.set_feature(name, level);
        }
    }

    /// The release that a broker is of.
    pub(super) fn release(&self, broker: i32) -> KafkaVersion {
        let offer = self.offer(broker);
        offer.map_or(self.config.version, Offer::release)
    }

    pub(super) fn offer(&self, broker: i32) -> Option<&Offer> {
        self.brokers.get(&broker).map(|broker| &broker.offer)
    }

    pub(super) fn is_up(&self, broker: i32) -> bool {
        self.broker_state(broker) == Some(BrokerState::Up)
    }

    /// The brokers that the cluster believes to be there.
    pub(super) fn listed_brokers(&self) -> impl Iterator<Item = (i32, &Broker)> {
        let listed = |broker: &Broker| broker.state != BrokerState::Down;
        self.brokers
            .iter()
            .filter(move |(_, broker)| listed(broker))
            .map(|(&id, broker)| (id, broker))
    }

    // Topics.

    /// Creates a topic; `false` if it is there already.
    pub fn create_topic(&mut self, name: &str, config: &TopicConfig) -> bool {
        self.create_topic_at(name, config, Duration::ZERO)
    }

    pub(super) fn create_topic_at(
        &mut self,
        name: &str,
        config: &TopicConfig,
        ready_at: Duration,
    ) -> bool {
        if self.topics.contains_key(name) {
            return false;
        }
        let id = self.new_topic_id();
        let brokers = self.broker_ids();
        let max_bytes = self.config.message_max_bytes;
        let topic = Topic::new(id, config, &brokers, max_bytes, ready_at);
        self.topics.insert(name.to_owned(), topic);
        true
    }

    /// Ids never come again, so that a topic made anew under an old name is another one.
    fn new_topic_id(&mut self) -> Uuid {
        let mut id = *b"kprodmock\0\0\0\0\0\0\0";
        id[8..].copy_from_slice(&self.next_topic_id.to_be_bytes());
        self.next_topic_id += 1;
        Uuid(id)
    }

    /// Deletes a topic and its records; `false` if there is none.
    pub fn delete_topic(&mut self, name: &str) -> bool {
        self.topics.remove(name).is_some()
    }

    /// Adds partitions until there are `count`.
    pub fn grow_topic(&mut self, name: &str, count: i32) {
        let brokers = self.broker_ids();
        if let Some(topic) = self.topics.get_mut(name) {
            topic.grow(count, &brokers);
        }
    }

    pub fn topic_id(&self, name: &str) -> Option<Uuid> {
        self.topics.get(name).map(|topic| topic.id)
    }

    pub fn partition_count(&self, name: &str) -> i32 {
        self.topics
            .get(name)
            .map_or(0, |topic| topic.partitions.len() as i32)
    }

    // Partitions.

    fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        self.topics.get(topic)?.partition(partition)
    }

    fn partition_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Partition> {
        self.topics.get_mut(topic)?.partition_mut(partition)
    }

    /// The leader's id and epoch; an id of −1 where the partition has none.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<(i32, i32)> {
        self.partition(topic, partition)
            .map(|p| (p.leader, p.leader_epoch))
    }

    /// Moves the leadership of a partition, in a new leader epoch.
    pub fn set_leader(&mut self, topic: &str, partition: i32, broker: i32) {
        if let Some(partition) = self.partition_mut(topic, partition) {
            partition.leader = broker;
            partition.leader_epoch += 1;
        }
    }

    /// Takes the partition's leader away.
    pub fn remove_leader(&mut self, topic: &str, partition: i32) {
        self.set_leader(topic, partition, NO_LEADER);
    }

    pub fn start_offset(&self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition)
            .map_or(-1, |p| p.log.start_offset())
    }

    pub fn end_offset(&self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition)
            .map_or(-1, |p| p.log.end_offset())
    }

    /// The records in a partition's log.
    pub fn records(&self, topic: &str, partition: i32) -> Vec<StoredRecord> {
        self.partition(topic, partition)
            .map(|p| p.log.records())
            .unwrap_or_default()
    }

    /// The records that a consumer sees that reads committed ones only.
    pub fn committed_records(&self, topic: &str, partition: i32) -> Vec<StoredRecord> {
        self.partition(topic, partition)
            .map(|p| p.log.committed_records())
            .unwrap_or_default()
    }

    /// Where the oldest open transaction of a partition begins; its end if there is none.
    pub fn last_stable_offset(&self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition)
            .map_or(-1, |p| p.log.last_stable_offset())
    }

    /// The batches in a partition's log, control batches among them.
    pub fn batches(&self, topic: &str, partition: i32) -> Vec<StoredBatch> {
        self.partition(topic, partition)
            .map(|p| p.log.batches().cloned().collect())
            .unwrap_or_default()
    }

    /// Deletes the records that are in a partition's log; offsets go on.
    pub fn delete_records(&mut self, topic: &str, partition: i32) {
        if let Some(partition) = self.partition_mut(topic, partition) {
            partition.log.truncate_all();
        }
    }

    /// Loses the records from `offset` on that were acknowledged, as when a replica that lacks them is elected: in a
    /// new leader epoch, offsets and sequences go back to what is left.
    pub fn lose_records(&mut self, topic: &str, partition: i32, offset: i64) {
        if let Some(partition) = self.partition_mut(topic, partition) {
            partition.log.lose_from(offset);
            partition.leader_epoch += 1;
        }
    }

    /// The next producer that asks for an id without a transactional id begins in this epoch instead of 0.
    pub fn set_next_producer_epoch(&mut self, epoch: i16) {
        self.next_producer_epoch = epoch;
    }

    /// Makes a partition forget its producer ids, as if they had expired.
    pub fn forget_producers(&mut self, topic: &str, partition: i32) {
        if let Some(partition) = self.partition_mut(topic, partition) {
            partition.log.forget_producers();
        }
    }

    /// Makes a partition remember of each producer id the last batch alone: snapshots, from which a broker restores
    /// its memory when it starts, hold no more.
    pub fn restore_producers(&mut self, topic: &str, partition: i32) {
        if let Some(partition) = self.partition_mut(topic, partition) {
            partition.log.restore_producers();
        }
    }

    // Faults and requests.

    pub fn inject(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    pub fn clear_faults(&mut self) {
        self.faults.clear();
    }

    /// How many faults have not struck as often as they should.
    pub fn waiting_faults(&self) -> usize {
        self.faults.waiting()
    }

    /// The newest requests, oldest first.
    pub fn requests(&self) -> impl DoubleEndedIterator<Item = &RequestEntry> {
        self.requests.entries()
    }

    /// How many requests there were, remembered or not.
    pub fn request_count(&self) -> u64 {
        self.requests.total()
    }

    pub fn clear_requests(&mut self) {
        self.requests.clear();
    }
}
