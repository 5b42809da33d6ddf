//! TxnOffsetCommit: a group's offsets as part of a transaction.

use super::codec::{Reader, Writer};
use super::{ApiKey, Direction, Message, Result};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnOffsetCommitRequest {
    pub transactional_id: String,
    pub group_id: String,
    pub producer_id: i64,
    pub producer_epoch: i16,
    /// The member's generation or epoch (version 3 and newer, KIP-447); −1: not a member.
    pub generation_id: i32,
    pub member_id: String,
    pub group_instance_id: Option<String>,
    pub topics: Vec<TxnOffsetCommitTopic>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxnOffsetCommitTopic {
    pub name: String,
    pub partitions: Vec<TxnOffsetCommitPartition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnOffsetCommitPartition {
    pub partition_index: i32,
    pub committed_offset: i64,
    pub committed_leader_epoch: i32,
    pub committed_metadata: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxnOffsetCommitResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<TxnOffsetCommitTopicResult>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TxnOffsetCommitTopicResult {
    pub name: String,
    pub partitions: Vec<TxnOffsetCommitPartitionResult>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TxnOffsetCommitPartitionResult {
    pub partition_index: i32,
    pub error_code: i16,
}

impl Default for TxnOffsetCommitRequest {
    fn default() -> Self {
        TxnOffsetCommitRequest {
            transactional_id: String::new(),
            group_id: String::new(),
            producer_id: -1,
            producer_epoch: -1,
            generation_id: -1,
            member_id: String::new(),
            group_instance_id: None,
            topics: Vec::new(),
        }
    }
}

impl Default for TxnOffsetCommitPartition {
    fn default() -> Self {
        TxnOffsetCommitPartition {
            partition_index: 0,
            committed_offset: -1,
            committed_leader_epoch: -1,
            committed_metadata: None,
        }
    }
}

impl Message for TxnOffsetCommitRequest {
    const API: ApiKey = ApiKey::TxnOffsetCommit;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, version: i16, w: &mut Writer) {
        w.string(&self.transactional_id);
        w.string(&self.group_id);
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        if version >= 3 {
            w.i32(self.generation_id);
            w.string(&self.member_id);
            w.nullable_string(self.group_instance_id.as_deref());
        }
        w.array(&self.topics, |w, topic| {
            w.string(&topic.name);
            w.array(&topic.partitions, |w, partition| {
                partition.write(version, w)
            });
            w.no_tags();
        });
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut request = TxnOffsetCommitRequest {
            transactional_id: r.string()?,
            group_id: r.string()?,
            producer_id: r.i64()?,
            producer_epoch: r.i16()?,
            ..Self::default()
        };
        if version >= 3 {
            request.generation_id = r.i32()?;
            request.member_id = r.string()?;
            request.group_instance_id = r.nullable_string()?;
        }
        request.topics = r.array(3, |r| {
            let topic = TxnOffsetCommitTopic {
                name: r.string()?,
                partitions: r.array(14, |r| TxnOffsetCommitPartition::read(version, r))?,
            };
            r.skip_tags()?;
            Ok(topic)
        })?;
        r.skip_tags()?;
        Ok(request)
    }
}

impl TxnOffsetCommitPartition {
    fn write(&self, version: i16, w: &mut Writer) {
        w.i32(self.partition_index);
        w.i64(self.committed_offset);
        if version >= 2 {
            w.i32(self.committed_leader_epoch);
        }
        w.nullable_string(self.committed_metadata.as_deref());
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut partition = TxnOffsetCommitPartition {
            partition_index: r.i32()?,
            committed_offset: r.i64()?,
            ..Self::default()
        };
        if version >= 2 {
            partition.committed_leader_epoch = r.i32()?;
        }
        partition.committed_metadata = r.nullable_string()?;
        r.skip_tags()?;
        Ok(partition)
    }
}

impl Message for TxnOffsetCommitResponse {
    const API: ApiKey = ApiKey::TxnOffsetCommit;
    const DIRECTION: Direction = Direction::Response;

    fn write(&self, _version: i16, w: &mut Writer) {
        w.i32(self.throttle_time_ms);
        w.array(&self.topics, |w, topic| {
            w.string(&topic.name);
            w.array(&topic.partitions, |w, partition| {
                w.i32(partition.partition_index);
                w.i16(partition.error_code);
                w.no_tags();
            });
            w.no_tags();
        });
        w.no_tags();
    }

    fn read(_version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let response = TxnOffsetCommitResponse {
            throttle_time_ms: r.i32()?,
            topics: r.array(3, |r| {
                let topic = TxnOffsetCommitTopicResult {
                    name: r.string()?,
                    partitions: r.array(6, read_partition_result)?,
                };
                r.skip_tags()?;
                Ok(topic)
            })?,
        };
        r.skip_tags()?;
        Ok(response)
    }
}

fn read_partition_result(r: &mut Reader<'_>) -> Result<TxnOffsetCommitPartitionResult> {
    let result = TxnOffsetCommitPartitionResult {
        partition_index: r.i32()?,
        error_code: r.i16()?,
    };
    r.skip_tags()?;
    Ok(result)
}
