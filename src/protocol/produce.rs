//! Produce: the whole messages, as a broker reads and writes them.
//!
//! A client builds the request with [`super::ProduceFrame`] and reads the response with
//! [`super::ProduceResponseView`].

use super::codec::{Reader, Writer};
use super::produce_view::{NodeEndpointRef, PartitionResponseRef};
use super::{ApiKey, Direction, Message, Result, Uuid};
use bytes::Bytes;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProduceRequest {
    pub transactional_id: Option<String>,
    pub acks: i16,
    pub timeout_ms: i32,
    pub topics: Vec<TopicProduceData>,
}

/// A topic's records: the topic by name up to version 12, by id from version 13.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicProduceData {
    pub name: String,
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionProduceData>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionProduceData {
    pub index: i32,
    pub records: Option<Bytes>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProduceResponse {
    pub topics: Vec<TopicProduceResponse>,
    pub throttle_time_ms: i32,
    /// Where the leaders named in `current_leader` are (version 10 and newer, KIP-951).
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// A topic's results: the topic by name up to version 12, by id from version 13.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicProduceResponse {
    pub name: String,
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionProduceResponse>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionProduceResponse {
    pub index: i32,
    pub error_code: i16,
    pub base_offset: i64,
    /// −1: the topic keeps the records' own timestamps.
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    /// The records at fault (version 8 and newer, KIP-467).
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    pub error_message: Option<String>,
    pub current_leader: Option<LeaderIdAndEpoch>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchIndexAndErrorMessage {
    pub batch_index: i32,
    pub message: Option<String>,
}

/// A leader as the broker that answers knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderIdAndEpoch {
    pub leader_id: i32,
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: String,
    pub port: i32,
    pub rack: Option<String>,
}

impl Default for PartitionProduceResponse {
    fn default() -> Self {
        PartitionProduceResponse {
            index: 0,
            error_code: 0,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message: None,
            current_leader: None,
        }
    }
}

impl Message for ProduceRequest {
    const API: ApiKey = ApiKey::Produce;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, version: i16, w: &mut Writer) {
        w.nullable_string(self.transactional_id.as_deref());
        w.i16(self.acks);
        w.i32(self.timeout_ms);
        w.array(&self.topics, |w, topic| {
            write_topic(version, w, &topic.name, topic.topic_id);
            w.array(&topic.partitions, |w, partition| {
                w.i32(partition.index);
                w.nullable_bytes(partition.records.as_deref());
                w.no_tags();
            });
            w.no_tags();
        });
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let request = ProduceRequest {
            transactional_id: r.nullable_string()?,
            acks: r.i16()?,
            timeout_ms: r.i32()?,
            topics: r.array(3, |r| TopicProduceData::read(version, r))?,
        };
        r.skip_tags()?;
        Ok(request)
    }
}

impl TopicProduceData {
    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let (name, topic_id) = read_topic(version, r)?;
        let partitions = r.array(6, |r| {
            let partition = PartitionProduceData {
                index: r.i32()?,
                records: r.records()?,
            };
            r.skip_tags()?;
            Ok(partition)
        })?;
        r.skip_tags()?;
        Ok(TopicProduceData {
            name,
            topic_id,
            partitions,
        })
    }
}

/// Writes how a version of Produce names a topic.
pub(super) fn write_topic(version: i16, w: &mut Writer, name: &str, topic_id: Uuid) {
    match version >= 13 {
        true => w.uuid(topic_id),
        false => w.string(name),
    }
}

fn read_topic(version: i16, r: &mut Reader<'_>) -> Result<(String, Uuid)> {
    Ok(match version >= 13 {
        true => (String::new(), r.uuid()?),
        false => (r.string()?, Uuid::ZERO),
    })
}

impl Message for ProduceResponse {
    const API: ApiKey = ApiKey::Produce;
    const DIRECTION: Direction = Direction::Response;

    fn write(&self, version: i16, w: &mut Writer) {
        w.array(&self.topics, |w, topic| {
            write_topic(version, w, &topic.name, topic.topic_id);
            w.array(&topic.partitions, |w, partition| {
                partition.write(version, w)
            });
            w.no_tags();
        });
        w.i32(self.throttle_time_ms);
        w.tags(|tags| {
            if version >= 10 && !self.node_endpoints.is_empty() {
                tags.field(0, |w| w.array(&self.node_endpoints, write_node_endpoint));
            }
        });
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let topics = r.array(3, |r| TopicProduceResponse::read(version, r))?;
        let throttle_time_ms = r.i32()?;
        let mut node_endpoints = Vec::new();
        r.tags(|tag, r| {
            if version >= 10 && tag == 0 {
                node_endpoints = r.array(11, |r| NodeEndpointRef::read(r).map(|e| e.to_owned()))?;
            }
            Ok(())
        })?;
        Ok(ProduceResponse {
            topics,
            throttle_time_ms,
            node_endpoints,
        })
    }
}

impl TopicProduceResponse {
    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let (name, topic_id) = read_topic(version, r)?;
        let partitions = r.array(22, |r| {
            PartitionResponseRef::read(version, r).map(|p| p.to_owned())
        })?;
        r.skip_tags()?;
        Ok(TopicProduceResponse {
            name,
            topic_id,
            partitions,
        })
    }
}

impl PartitionProduceResponse {
    fn write(&self, version: i16, w: &mut Writer) {
        w.i32(self.index);
        w.i16(self.error_code);
        w.i64(self.base_offset);
        w.i64(self.log_append_time_ms);
        if version >= 5 {
            w.i64(self.log_start_offset);
        }
        if version >= 8 {
            w.array(&self.record_errors, |w, error| {
                w.i32(error.batch_index);
                w.nullable_string(error.message.as_deref());
                w.no_tags();
            });
            w.nullable_string(self.error_message.as_deref());
        }
        w.tags(|tags| {
            if let Some(leader) = self.current_leader.filter(|_| version >= 10) {
                tags.field(0, |w| write_current_leader(w, leader));
            }
        });
    }
}

fn write_current_leader(w: &mut Writer, leader: LeaderIdAndEpoch) {
    w.i32(leader.leader_id);
    w.i32(leader.leader_epoch);
    w.no_tags();
}

fn write_node_endpoint(w: &mut Writer, node: &NodeEndpoint) {
    w.i32(node.node_id);
    w.string(&node.host);
    w.i32(node.port);
    w.nullable_string(node.rack.as_deref());
    w.no_tags();
}
