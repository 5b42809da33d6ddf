//! A connection of the test's own to a broker, for requests that no well-behaved producer makes.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kprod::protocol::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use kprod::protocol::{Message, RequestHeader, Uuid, split_response};
use kprod::record::{Attributes, BatchHeader, Codec, frame};

const LIMIT: Duration = Duration::from_secs(60);

pub struct Peer {
    stream: TcpStream,
}

impl Peer {
    #[track_caller]
    pub fn connect(broker: impl ToSocketAddrs) -> Peer {
        let stream = TcpStream::connect(broker).expect("the broker listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        stream.set_nodelay(true).expect("no delay");
        Peer { stream }
    }

    #[track_caller]
    pub fn ask<Q: Message, A: Message>(&mut self, version: i16, request: &Q) -> A {
        let mut message = BytesMut::new();
        RequestHeader::encode(&mut message, Q::API, version, 9, None).expect("a header");
        message.extend_from_slice(&request.encode(version).expect("a body"));
        let length = (message.len() as u32).to_be_bytes();
        self.stream
            .write_all(&[&length, &message[..]].concat())
            .expect("sent");
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).expect("an answer");
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut answer).expect("an answer");
        let (_, body) = split_response(Q::API, version, Bytes::from(answer)).expect("a header");
        A::decode(version, &body).expect("a body")
    }
}

/// A request to write one batch, in the transaction of that id if there is one.
pub fn produce(
    topic: &str,
    partition: i32,
    records: Bytes,
    transactional_id: Option<String>,
) -> ProduceRequest {
    ProduceRequest {
        transactional_id,
        acks: -1,
        timeout_ms: 10_000,
        topics: vec![TopicProduceData {
            name: topic.into(),
            topic_id: Uuid::ZERO,
            partitions: vec![PartitionProduceData {
                index: partition,
                records: Some(records),
            }],
        }],
    }
}

/// A batch of records without key and with value "v", in the place of a producer's.
pub fn batch(
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    records: u8,
    transactional: bool,
) -> Bytes {
    // Length, attributes, timestamp delta, offset delta, no key, the value's length, the value, no headers; zigzag.
    let record = |n: u8| [14, 0, 0, 2 * n, 1, 2, b'v', 0];
    let section = Bytes::from((0..records).flat_map(record).collect::<Vec<u8>>());
    let header = BatchHeader {
        attributes: Attributes::new(Codec::None, transactional),
        last_offset_delta: i32::from(records) - 1,
        base_timestamp: 1_700_000_000_000,
        max_timestamp: 1_700_000_000_000,
        producer_id,
        producer_epoch,
        base_sequence,
        record_count: i32::from(records),
        ..BatchHeader::default()
    };
    let front = frame(&header, std::slice::from_ref(&section));
    [&front[..], &section].concat().into()
}
