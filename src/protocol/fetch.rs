//! Fetch, up to the last version that names topics by name.

use super::codec::{Reader, Writer};
use super::{ApiKey, Direction, Message, Result};
use bytes::Bytes;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    pub replica_id: i32,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    pub max_bytes: i32,
    /// 0: read uncommitted, 1: read committed.
    pub isolation_level: i8,
    pub session_id: i32,
    /// −1: no session, 0: begin one (KIP-227).
    pub session_epoch: i32,
    pub topics: Vec<FetchTopic>,
    pub forgotten_topics: Vec<ForgottenTopic>,
    pub rack_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchTopic {
    pub topic: String,
    pub partitions: Vec<FetchPartition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    pub partition: i32,
    pub current_leader_epoch: i32,
    pub fetch_offset: i64,
    pub last_fetched_epoch: i32,
    pub log_start_offset: i64,
    pub partition_max_bytes: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ForgottenTopic {
    pub topic: String,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    pub session_id: i32,
    pub topics: Vec<FetchableTopicResponse>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FetchableTopicResponse {
    pub topic: String,
    pub partitions: Vec<FetchPartitionData>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchPartitionData {
    pub partition_index: i32,
    pub error_code: i16,
    pub high_watermark: i64,
    pub last_stable_offset: i64,
    pub log_start_offset: i64,
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    pub preferred_read_replica: i32,
    pub records: Option<Bytes>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
}

impl Default for FetchRequest {
    fn default() -> Self {
        FetchRequest {
            replica_id: -1,
            max_wait_ms: 0,
            min_bytes: 0,
            max_bytes: i32::MAX,
            isolation_level: 0,
            session_id: 0,
            session_epoch: -1,
            topics: Vec::new(),
            forgotten_topics: Vec::new(),
            rack_id: String::new(),
        }
    }
}

impl Default for FetchPartition {
    fn default() -> Self {
        FetchPartition {
            partition: 0,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            log_start_offset: -1,
            partition_max_bytes: 0,
        }
    }
}

impl Default for FetchPartitionData {
    fn default() -> Self {
        FetchPartitionData {
            partition_index: 0,
            error_code: 0,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            aborted_transactions: None,
            preferred_read_replica: -1,
            records: None,
        }
    }
}

impl Message for FetchRequest {
    const API: ApiKey = ApiKey::Fetch;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, version: i16, w: &mut Writer) {
        w.i32(self.replica_id);
        w.i32(self.max_wait_ms);
        w.i32(self.min_bytes);
        w.i32(self.max_bytes);
        w.i8(self.isolation_level);
        if version >= 7 {
            w.i32(self.session_id);
            w.i32(self.session_epoch);
        }
        w.array(&self.topics, |w, topic| {
            w.string(&topic.topic);
            w.array(&topic.partitions, |w, partition| {
                partition.write(version, w)
            });
            w.no_tags();
        });
        if version >= 7 {
            w.array(&self.forgotten_topics, |w, topic| {
                w.string(&topic.topic);
                w.i32_array(&topic.partitions);
                w.no_tags();
            });
        }
        if version >= 11 {
            w.string(&self.rack_id);
        }
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut request = FetchRequest {
            replica_id: r.i32()?,
            max_wait_ms: r.i32()?,
            min_bytes: r.i32()?,
            max_bytes: r.i32()?,
            isolation_level: r.i8()?,
            ..Self::default()
        };
        if version >= 7 {
            request.session_id = r.i32()?;
            request.session_epoch = r.i32()?;
        }
        request.topics = r.array(3, |r| FetchTopic::read(version, r))?;
        if version >= 7 {
            request.forgotten_topics = r.array(3, ForgottenTopic::read)?;
        }
        if version >= 11 {
            request.rack_id = r.string()?;
        }
        r.skip_tags()?;
        Ok(request)
    }
}

impl FetchTopic {
    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let topic = FetchTopic {
            topic: r.string()?,
            partitions: r.array(16, |r| FetchPartition::read(version, r))?,
        };
        r.skip_tags()?;
        Ok(topic)
    }
}

impl FetchPartition {
    fn write(&self, version: i16, w: &mut Writer) {
        w.i32(self.partition);
        if version >= 9 {
            w.i32(self.current_leader_epoch);
        }
        w.i64(self.fetch_offset);
        if version >= 12 {
            w.i32(self.last_fetched_epoch);
        }
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        w.i32(self.partition_max_bytes);
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut partition = FetchPartition {
            partition: r.i32()?,
            ..Self::default()
        };
        if version >= 9 {
            partition.current_leader_epoch = r.i32()?;
        }
        partition.fetch_offset = r.i64()?;
        if version >= 12 {
            partition.last_fetched_epoch = r.i32()?;
        }
        if version >= 5 {
            partition.log_start_offset = r.i64()?;
        }
        partition.partition_max_bytes = r.i32()?;
        r.skip_tags()?;
        Ok(partition)
    }
}

impl ForgottenTopic {
    fn read(r: &mut Reader<'_>) -> Result<Self> {
        let topic = ForgottenTopic {
            topic: r.string()?,
            partitions: r.i32_array()?,
        };
        r.skip_tags()?;
        Ok(topic)
    }
}

impl Message for FetchResponse {
    const API: ApiKey = ApiKey::Fetch;
    const DIRECTION: Direction = Direction::Response;

    fn write(&self, version: i16, w: &mut Writer) {
        w.i32(self.throttle_time_ms);
        if version >= 7 {
            w.i16(self.error_code);
            w.i32(self.session_id);
        }
        w.array(&self.topics, |w, topic| {
            w.string(&topic.topic);
            w.array(&topic.partitions, |w, partition| {
                partition.write(version, w)
            });
            w.no_tags();
        });
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut response = FetchResponse {
            throttle_time_ms: r.i32()?,
            ..Self::default()
        };
        if version >= 7 {
            response.error_code = r.i16()?;
            response.session_id = r.i32()?;
        }
        response.topics = r.array(3, |r| {
            let topic = FetchableTopicResponse {
                topic: r.string()?,
                partitions: r.array(30, |r| FetchPartitionData::read(version, r))?,
            };
            r.skip_tags()?;
            Ok(topic)
        })?;
        r.skip_tags()?;
        Ok(response)
    }
}

impl FetchPartitionData {
    fn write(&self, version: i16, w: &mut Writer) {
        w.i32(self.partition_index);
        w.i16(self.error_code);
        w.i64(self.high_watermark);
        w.i64(self.last_stable_offset);
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        w.nullable_array(self.aborted_transactions.as_deref(), |w, aborted| {
            w.i64(aborted.producer_id);
            w.i64(aborted.first_offset);
            w.no_tags();
        });
        if version >= 11 {
            w.i32(self.preferred_read_replica);
        }
        w.nullable_bytes(self.records.as_deref());
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut data = FetchPartitionData {
            partition_index: r.i32()?,
            error_code: r.i16()?,
            high_watermark: r.i64()?,
            last_stable_offset: r.i64()?,
            ..Self::default()
        };
        if version >= 5 {
            data.log_start_offset = r.i64()?;
        }
        data.aborted_transactions = r.nullable_array(16, |r| {
            let aborted = AbortedTransaction {
                producer_id: r.i64()?,
                first_offset: r.i64()?,
            };
            r.skip_tags()?;
            Ok(aborted)
        })?;
        if version >= 11 {
            data.preferred_read_replica = r.i32()?;
        }
        data.records = r.records()?;
        r.skip_tags()?;
        Ok(data)
    }
}
