//! AddPartitionsToTxn, in the versions that clients send (newer ones are for brokers).

use super::codec::{Reader, Writer};
use super::{ApiKey, Direction, Message, Result};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddPartitionsToTxnRequest {
    pub transactional_id: String,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub topics: Vec<AddPartitionsToTxnTopic>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddPartitionsToTxnTopic {
    pub name: String,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddPartitionsToTxnResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<AddPartitionsToTxnTopicResult>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddPartitionsToTxnTopicResult {
    pub name: String,
    pub partitions: Vec<AddPartitionsToTxnPartitionResult>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddPartitionsToTxnPartitionResult {
    pub partition_index: i32,
    pub error_code: i16,
}

impl Message for AddPartitionsToTxnRequest {
    const API: ApiKey = ApiKey::AddPartitionsToTxn;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, _version: i16, w: &mut Writer) {
        w.string(&self.transactional_id);
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        w.array(&self.topics, |w, topic| {
            w.string(&topic.name);
            w.i32_array(&topic.partitions);
            w.no_tags();
        });
        w.no_tags();
    }

    fn read(_version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let request = AddPartitionsToTxnRequest {
            transactional_id: r.string()?,
            producer_id: r.i64()?,
            producer_epoch: r.i16()?,
            topics: r.array(3, |r| {
                let topic = AddPartitionsToTxnTopic {
                    name: r.string()?,
                    partitions: r.i32_array()?,
                };
                r.skip_tags()?;
                Ok(topic)
            })?,
        };
        r.skip_tags()?;
        Ok(request)
    }
}

impl Message for AddPartitionsToTxnResponse {
    const API: ApiKey = ApiKey::AddPartitionsToTxn;
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
        let response = AddPartitionsToTxnResponse {
            throttle_time_ms: r.i32()?,
            topics: r.array(3, |r| {
                let topic = AddPartitionsToTxnTopicResult {
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

fn read_partition_result(r: &mut Reader<'_>) -> Result<AddPartitionsToTxnPartitionResult> {
    let result = AddPartitionsToTxnPartitionResult {
        partition_index: r.i32()?,
        error_code: r.i16()?,
    };
    r.skip_tags()?;
    Ok(result)
}
