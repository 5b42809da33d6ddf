//! ListOffsets: the offset at a timestamp, or at an end of the log.

use super::codec::{Reader, Writer};
use super::{ApiKey, Direction, Message, Result};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOffsetsRequest {
    pub replica_id: i32,
    /// 0: read uncommitted, 1: read committed.
    pub isolation_level: i8,
    pub topics: Vec<ListOffsetsTopic>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOffsetsTopic {
    pub name: String,
    pub partitions: Vec<ListOffsetsPartition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOffsetsPartition {
    pub partition_index: i32,
    pub current_leader_epoch: i32,
    /// −1: the end of the log, −2: its start.
    pub timestamp: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOffsetsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<ListOffsetsTopicResponse>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOffsetsTopicResponse {
    pub name: String,
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListOffsetsPartitionResponse {
    pub partition_index: i32,
    pub error_code: i16,
    pub timestamp: i64,
    pub offset: i64,
    pub leader_epoch: i32,
}

impl Default for ListOffsetsRequest {
    fn default() -> Self {
        ListOffsetsRequest {
            replica_id: -1,
            isolation_level: 0,
            topics: Vec::new(),
        }
    }
}

impl Default for ListOffsetsPartition {
    fn default() -> Self {
        ListOffsetsPartition {
            partition_index: 0,
            current_leader_epoch: -1,
            timestamp: -1,
        }
    }
}

impl Default for ListOffsetsPartitionResponse {
    fn default() -> Self {
        ListOffsetsPartitionResponse {
            partition_index: 0,
            error_code: 0,
            timestamp: -1,
            offset: -1,
            leader_epoch: -1,
        }
    }
}

impl Message for ListOffsetsRequest {
    const API: ApiKey = ApiKey::ListOffsets;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, version: i16, w: &mut Writer) {
        w.i32(self.replica_id);
        if version >= 2 {
            w.i8(self.isolation_level);
        }
        w.array(&self.topics, |w, topic| {
            w.string(&topic.name);
            w.array(&topic.partitions, |w, partition| {
                w.i32(partition.partition_index);
                if version >= 4 {
                    w.i32(partition.current_leader_epoch);
                }
                w.i64(partition.timestamp);
                w.no_tags();
            });
            w.no_tags();
        });
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut request = ListOffsetsRequest {
            replica_id: r.i32()?,
            ..Self::default()
        };
        if version >= 2 {
            request.isolation_level = r.i8()?;
        }
        request.topics = r.array(3, |r| {
            let topic = ListOffsetsTopic {
                name: r.string()?,
                partitions: r.array(12, |r| ListOffsetsPartition::read(version, r))?,
            };
            r.skip_tags()?;
            Ok(topic)
        })?;
        r.skip_tags()?;
        Ok(request)
    }
}

impl ListOffsetsPartition {
    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut partition = ListOffsetsPartition {
            partition_index: r.i32()?,
            ..Self::default()
        };
        if version >= 4 {
            partition.current_leader_epoch = r.i32()?;
        }
        partition.timestamp = r.i64()?;
        r.skip_tags()?;
        Ok(partition)
    }
}

impl Message for ListOffsetsResponse {
    const API: ApiKey = ApiKey::ListOffsets;
    const DIRECTION: Direction = Direction::Response;

    fn write(&self, version: i16, w: &mut Writer) {
        if version >= 2 {
            w.i32(self.throttle_time_ms);
        }
        w.array(&self.topics, |w, topic| {
            w.string(&topic.name);
            w.array(&topic.partitions, |w, partition| {
                w.i32(partition.partition_index);
                w.i16(partition.error_code);
                w.i64(partition.timestamp);
                w.i64(partition.offset);
                if version >= 4 {
                    w.i32(partition.leader_epoch);
                }
                w.no_tags();
            });
            w.no_tags();
        });
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut response = ListOffsetsResponse::default();
        if version >= 2 {
            response.throttle_time_ms = r.i32()?;
        }
        response.topics = r.array(3, |r| {
            let topic = ListOffsetsTopicResponse {
                name: r.string()?,
                partitions: r.array(22, |r| ListOffsetsPartitionResponse::read(version, r))?,
            };
            r.skip_tags()?;
            Ok(topic)
        })?;
        r.skip_tags()?;
        Ok(response)
    }
}

impl ListOffsetsPartitionResponse {
    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut partition = ListOffsetsPartitionResponse {
            partition_index: r.i32()?,
            error_code: r.i16()?,
            timestamp: r.i64()?,
            offset: r.i64()?,
            ..Self::default()
        };
        if version >= 4 {
            partition.leader_epoch = r.i32()?;
        }
        r.skip_tags()?;
        Ok(partition)
    }
}
