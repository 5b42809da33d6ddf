//! Tests of the mock cluster, first without I/O, then over its transports and with foreign clients.

mod coordinators;
mod faults;
mod metadata;
mod produce;
mod producer;
mod sasl;
mod transactions;
mod transports;

use super::*;
use crate::protocol::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::protocol::metadata::{MetadataRequest, MetadataRequestTopic, MetadataResponse};
use crate::protocol::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, ProduceResponse,
    TopicProduceData,
};
use crate::protocol::{ApiKey, Message, RequestHeader, Uuid, split_response};
use crate::record::samples::{Sample, batch};
use crate::record::{Codec, TimestampType};
use bytes::{BufMut, Bytes, BytesMut};
use std::time::Duration;

const NOW: Duration = Duration::from_secs(1);

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn config(brokers: i32) -> ClusterConfig {
    ClusterConfig {
        brokers,
        ..ClusterConfig::default()
    }
}

/// A cluster with topic "t" of as many partitions as brokers.
fn cluster(brokers: i32) -> MockCluster {
    let mut cluster = MockCluster::new(config(brokers));
    assert!(cluster.create_topic("t", &TopicConfig::new(brokers)));
    cluster
}

/// A timestamp that the brokers' clock has just passed.
fn recent(cluster: &MockCluster) -> i64 {
    cluster.wall_millis(NOW) - 5
}

fn value(text: &str, timestamp: i64) -> Sample {
    Sample {
        timestamp,
        value: Some(text.as_bytes().to_vec()),
        ..Sample::default()
    }
}

fn frame_of(request: &impl Request, version: i16, correlation_id: i32) -> Bytes {
    let mut out = BytesMut::new();
    request.write_frame(version, correlation_id, &mut out);
    out.freeze()
}

/// A request message that can be framed, and its answer.
trait Request {
    type Response: Message;
    fn write_frame(&self, version: i16, correlation_id: i32, out: &mut BytesMut);
}

macro_rules! request {
    ($request:ty => $response:ty) => {
        impl Request for $request {
            type Response = $response;
            fn write_frame(&self, version: i16, correlation_id: i32, out: &mut BytesMut) {
                RequestHeader::encode(out, Self::API, version, correlation_id, Some("tests"))
                    .expect("a header");
                out.extend_from_slice(&self.encode(version).expect("a body"));
            }
        }
    };
}

request!(ApiVersionsRequest => ApiVersionsResponse);
request!(MetadataRequest => MetadataResponse);
request!(ProduceRequest => ProduceResponse);
request!(crate::protocol::fetch::FetchRequest => crate::protocol::fetch::FetchResponse);
request!(crate::protocol::list_offsets::ListOffsetsRequest => crate::protocol::list_offsets::ListOffsetsResponse);
request!(crate::protocol::find_coordinator::FindCoordinatorRequest => crate::protocol::find_coordinator::FindCoordinatorResponse);
request!(crate::protocol::init_producer_id::InitProducerIdRequest => crate::protocol::init_producer_id::InitProducerIdResponse);

request!(crate::protocol::add_partitions_to_txn::AddPartitionsToTxnRequest => crate::protocol::add_partitions_to_txn::AddPartitionsToTxnResponse);
request!(crate::protocol::add_offsets_to_txn::AddOffsetsToTxnRequest => crate::protocol::add_offsets_to_txn::AddOffsetsToTxnResponse);
request!(crate::protocol::txn_offset_commit::TxnOffsetCommitRequest => crate::protocol::txn_offset_commit::TxnOffsetCommitResponse);
request!(crate::protocol::end_txn::EndTxnRequest => crate::protocol::end_txn::EndTxnResponse);
request!(crate::protocol::sasl::SaslHandshakeRequest => crate::protocol::sasl::SaslHandshakeResponse);
request!(crate::protocol::sasl::SaslAuthenticateRequest => crate::protocol::sasl::SaslAuthenticateResponse);

/// Sends a request to broker `broker`; the actions that come of it.
fn act<R: Request>(
    cluster: &mut MockCluster,
    broker: i32,
    version: i16,
    request: &R,
) -> Vec<Action> {
    cluster.handle(broker, 1, NOW, frame_of(request, version, 77))
}

/// Sends a request that is answered; the answer and when it comes.
fn ask_at<R: Request>(
    cluster: &mut MockCluster,
    broker: i32,
    version: i16,
    request: &R,
) -> (R::Response, Duration) {
    let actions = act(cluster, broker, version, request);
    let [Action::Send { at, bytes }] = &actions[..] else {
        panic!("no single answer: {actions:?}");
    };
    (response::<R>(version, 77, bytes), *at)
}

fn ask<R: Request>(
    cluster: &mut MockCluster,
    broker: i32,
    version: i16,
    request: &R,
) -> R::Response {
    ask_at(cluster, broker, version, request).0
}

/// Reads a framed answer.
fn response<R: Request>(version: i16, correlation_id: i32, framed: &Bytes) -> R::Response {
    let length = i32::from_be_bytes(framed[..4].try_into().expect("a length"));
    assert_eq!(length as usize, framed.len() - 4);
    let api = R::Response::API;
    let (id, body) = split_response(api, version, framed.slice(4..)).expect("a header");
    assert_eq!(id, correlation_id);
    R::Response::decode(version, &body).expect("a body")
}

/// A Produce request of one partition.
fn produce(acks: i16, topic: &str, partition: i32, records: Vec<u8>) -> ProduceRequest {
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 1000,
        topics: vec![TopicProduceData {
            name: topic.to_owned(),
            topic_id: Uuid::ZERO,
            partitions: vec![PartitionProduceData {
                index: partition,
                records: Some(Bytes::from(records)),
            }],
        }],
    }
}

/// Produces to a partition of "t" with Produce v11 and acks=1; its part of the answer.
fn send(
    cluster: &mut MockCluster,
    broker: i32,
    partition: i32,
    records: Vec<u8>,
) -> PartitionProduceResponse {
    let request = produce(1, "t", partition, records);
    only_partition(ask(cluster, broker, 11, &request))
}

fn only_partition(mut response: ProduceResponse) -> PartitionProduceResponse {
    assert_eq!(response.topics.len(), 1);
    let mut partitions = response.topics.remove(0).partitions;
    assert_eq!(partitions.len(), 1);
    partitions.remove(0)
}

/// One record with this value, as an uncompressed batch.
fn one(cluster: &MockCluster, text: &str) -> Vec<u8> {
    batch(&[value(text, recent(cluster))], Codec::None)
}

fn values(cluster: &MockCluster, topic: &str, partition: i32) -> Vec<String> {
    let text = |record: StoredRecord| {
        String::from_utf8(record.value.unwrap_or_default().to_vec()).expect("UTF-8")
    };
    cluster
        .records(topic, partition)
        .into_iter()
        .map(text)
        .collect()
}

fn metadata_request(topics: &[&str], create: bool) -> MetadataRequest {
    let named = |name: &&str| MetadataRequestTopic {
        topic_id: Uuid::ZERO,
        name: Some((*name).to_owned()),
    };
    MetadataRequest {
        topics: Some(topics.iter().map(named).collect()),
        allow_auto_topic_creation: create,
        ..MetadataRequest::default()
    }
}

/// A frame as it goes over a connection.
fn framed(request: &impl Request, version: i16, correlation_id: i32) -> Bytes {
    let frame = frame_of(request, version, correlation_id);
    let mut out = BytesMut::new();
    out.put_i32(frame.len() as i32);
    out.extend_from_slice(&frame);
    out.freeze()
}
