//! Asks one broker for its metadata, in Kafka's protocol, on a connection of its own.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{
    ApiKey, MetadataRequest, MetadataResponse, RequestHeader, ResponseHeader, TopicName,
    metadata_request::MetadataRequestTopic,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};

/// Known to every broker since 1.0, not flexible, and the first that can forbid to create the topic.
const METADATA_VERSION: i16 = 4;
const LIMIT: Duration = Duration::from_secs(5);
const MAX_ANSWER: usize = 16 << 20;

/// The cluster as one broker sees it at this moment.
#[derive(Debug)]
pub struct View {
    pub brokers: Vec<i32>,
    /// Of the topic asked for; empty if the broker does not know it.
    pub leaders: Vec<(i32, Option<i32>)>,
}

pub fn metadata(broker: SocketAddr, topic: Option<&str>) -> io::Result<View> {
    let mut stream = TcpStream::connect_timeout(&broker, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(&request(topic)?)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_ANSWER {
        return Err(io::Error::other(format!("an answer of {length} bytes")));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer)?;
    view(answer.into())
}

fn request(topic: Option<&str>) -> io::Result<BytesMut> {
    let header = RequestHeader::default()
        .with_request_api_key(ApiKey::Metadata as i16)
        .with_request_api_version(METADATA_VERSION)
        .with_correlation_id(1);
    let topics = topic
        .map(|name| {
            let name = TopicName(StrBytes::from_string(name.into()));
            MetadataRequestTopic::default().with_name(Some(name))
        })
        .into_iter()
        .collect();
    let body = MetadataRequest::default()
        .with_topics(Some(topics))
        .with_allow_auto_topic_creation(false);
    let mut message = BytesMut::new();
    let version = ApiKey::Metadata.request_header_version(METADATA_VERSION);
    header
        .encode(&mut message, version)
        .map_err(io::Error::other)?;
    body.encode(&mut message, METADATA_VERSION)
        .map_err(io::Error::other)?;
    let mut frame = BytesMut::new();
    frame.put_u32(message.len() as u32);
    frame.put(message);
    Ok(frame)
}

fn view(mut answer: Bytes) -> io::Result<View> {
    let version = ApiKey::Metadata.response_header_version(METADATA_VERSION);
    ResponseHeader::decode(&mut answer, version).map_err(io::Error::other)?;
    let answer_body =
        MetadataResponse::decode(&mut answer, METADATA_VERSION).map_err(io::Error::other)?;
    if answer.has_remaining() {
        return Err(io::Error::other("bytes left over in a metadata answer"));
    }
    let partitions = answer_body
        .topics
        .iter()
        .flat_map(|topic| &topic.partitions);
    Ok(View {
        brokers: answer_body.brokers.iter().map(|b| b.node_id.0).collect(),
        leaders: partitions
            .map(|p| (p.partition_index, Some(p.leader_id.0).filter(|&id| id >= 0)))
            .collect(),
    })
}
