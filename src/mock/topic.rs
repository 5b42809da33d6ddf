//! Topics and partitions of the mock cluster: configuration, leadership and logs.

use super::log::{AppendRules, PartitionLog};
use super::producers::ProducerRules;
use crate::protocol::Uuid;
use crate::record::TimestampType;
use std::time::Duration;

/// How a topic is made.
#[derive(Clone, Debug)]
pub struct TopicConfig {
    pub partitions: i32,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `max.message.bytes`; unset: the cluster's `message_max_bytes`.
    pub max_message_bytes: Option<usize>,
}

impl TopicConfig {
    pub fn new(partitions: i32) -> Self {
        TopicConfig {
            partitions,
            timestamp_type: TimestampType::CreateTime,
            max_message_bytes: None,
        }
    }

    pub fn timestamp_type(self, timestamp_type: TimestampType) -> Self {
        TopicConfig {
            timestamp_type,
            ..self
        }
    }

    pub fn max_message_bytes(self, bytes: usize) -> Self {
        TopicConfig {
            max_message_bytes: Some(bytes),
            ..self
        }
    }
}

/// The id in metadata where there is no leader.
pub(super) const NO_LEADER: i32 = -1;

#[derive(Debug)]
pub(super) struct Partition {
    /// A broker's id or [`NO_LEADER`].
    pub leader: i32,
    pub leader_epoch: i32,
    pub log: PartitionLog,
}

#[derive(Debug)]
pub(super) struct Topic {
    pub id: Uuid,
    pub partitions: Vec<Partition>,
    /// Until then the cluster is still creating it.
    pub ready_at: Duration,
    timestamp_type: TimestampType,
    max_message_bytes: usize,
}

impl Topic {
    /// A topic whose partitions are led by `brokers` in turn.
    pub fn new(
        id: Uuid,
        config: &TopicConfig,
        brokers: &[i32],
        max_message_bytes: usize,
        ready_at: Duration,
    ) -> Self {
        let mut topic = Topic {
            id,
            partitions: Vec::new(),
            ready_at,
            timestamp_type: config.timestamp_type,
            max_message_bytes: config.max_message_bytes.unwrap_or(max_message_bytes),
        };
        topic.grow(config.partitions, brokers);
        topic
    }

    /// Adds partitions until there are `count`.
    pub fn grow(&mut self, count: i32, brokers: &[i32]) {
        for index in self.partitions.len()..count.max(0) as usize {
            let leader = brokers.get(index % brokers.len().max(1));
            self.partitions.push(Partition {
                leader: leader.copied().unwrap_or(NO_LEADER),
                leader_epoch: 0,
                log: PartitionLog::default(),
            });
        }
    }

    pub fn partition(&self, index: i32) -> Option<&Partition> {
        self.partitions.get(usize::try_from(index).ok()?)
    }

    pub fn partition_mut(&mut self, index: i32) -> Option<&mut Partition> {
        self.partitions.get_mut(usize::try_from(index).ok()?)
    }

    /// The rules for an append to one of its partitions; the leader's epoch is the partition's to say.
    pub fn rules(&self, wall_millis: i64, producers: ProducerRules) -> AppendRules {
        AppendRules {
            timestamp_type: self.timestamp_type,
            max_bytes: self.max_message_bytes,
            leader_epoch: 0,
            wall_millis,
            producers,
        }
    }
}

/// Whether Kafka allows the name.
pub(super) fn is_valid_name(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    !matches!(name, "" | "." | "..") && name.len() <= 249 && name.bytes().all(allowed)
}
