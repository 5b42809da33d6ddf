//! Builds a Produce request around record bytes that are not copied.

use super::codec::Writer;
use super::produce::write_topic;
use super::{ApiKey, Direction, ErrorKind, ProtocolError, Result, Uuid};
use bytes::{Bytes, BytesMut};

/// What stands before the first topic.
#[derive(Clone, Copy, Debug)]
pub struct ProduceHead<'a> {
    pub version: i16,
    pub transactional_id: Option<&'a str>,
    pub acks: i16,
    pub timeout_ms: i32,
    /// How many topics follow.
    pub topics: usize,
    /// How many partitions they have together, as far as known: room is made for so many.
    pub partitions: usize,
}

/// A Produce request in the making: `topic`, that topic's `partition`s, the next `topic`, `finish`.
/// The framing gathers in one buffer that is split where record bytes go in between.
#[derive(Debug)]
pub struct ProduceFrame {
    version: i16,
    w: Writer,
    parts: Vec<Bytes>,
    topics_left: usize,
    partitions_left: usize,
}

impl ProduceFrame {
    pub fn new(head: ProduceHead<'_>) -> ProduceFrame {
        let capacity = ProduceOverhead::request(0, head.transactional_id.map_or(0, str::len))
            + head.topics.min(4096) * TYPICAL_TOPIC
            + head.partitions.min(4096) * TYPICAL_PARTITION;
        let flexible = ApiKey::Produce.is_flexible(head.version);
        let mut w = Writer::onto(BytesMut::with_capacity(capacity), flexible);
        if let Err(error) = ApiKey::Produce.check(head.version) {
            w.fail(error.kind);
        }
        w.nullable_string(head.transactional_id);
        w.i16(head.acks);
        w.i32(head.timeout_ms);
        w.array_len(head.topics);
        ProduceFrame {
            version: head.version,
            w,
            parts: Vec::with_capacity(2 * head.partitions.min(4096) + 1),
            topics_left: head.topics,
            partitions_left: 0,
        }
    }

    /// Begins a topic of which `partitions` follow. The version decides whether its name or its id
    /// is written.
    pub fn topic(&mut self, name: &str, topic_id: Uuid, partitions: usize) {
        if self.topics_left == 0 || self.partitions_left != 0 {
            return self.w.fail(MISCOUNTED);
        }
        self.topics_left -= 1;
        self.partitions_left = partitions;
        write_topic(self.version, &mut self.w, name, topic_id);
        self.w.array_len(partitions);
        if partitions == 0 {
            self.w.no_tags();
        }
    }

    /// Adds a partition's record batch: `header` is copied into the framing (a batch header is
    /// cheaper copied than sent as a piece of its own; it may be empty), `records` are not.
    pub fn partition(&mut self, index: i32, header: &[u8], records: &[Bytes]) {
        if self.partitions_left == 0 {
            return self.w.fail(MISCOUNTED);
        }
        self.partitions_left -= 1;
        let length = header.len() + records.iter().map(Bytes::len).sum::<usize>();
        self.w.i32(index);
        self.w.bytes_len(Some(length));
        self.w.buffer().extend_from_slice(header);
        let framing = self.w.buffer().split().freeze();
        self.parts.push(framing);
        self.parts
            .extend(records.iter().filter(|part| !part.is_empty()).cloned());
        self.w.no_tags();
        if self.partitions_left == 0 {
            self.w.no_tags();
        }
    }

    /// The parts of the body, to follow the request header.
    pub fn finish(mut self) -> Result<Vec<Bytes>> {
        if self.topics_left != 0 || self.partitions_left != 0 {
            self.w.fail(MISCOUNTED);
        }
        self.w.no_tags();
        let named =
            |e: ProtocolError| e.in_message(ApiKey::Produce, Direction::Request, self.version);
        let last = self.w.finish().map_err(named)?;
        if !last.is_empty() {
            self.parts.push(last);
        }
        Ok(self.parts)
    }
}

const MISCOUNTED: ErrorKind =
    ErrorKind::NotExpressible("other numbers of topics or partitions than were announced");

/// Room for the framing of one topic.
const TYPICAL_TOPIC: usize = 64;
/// Room for the framing of one partition, batch header included.
const TYPICAL_PARTITION: usize = 80;

/// Upper bounds of what a Produce request holds besides record batches.
#[derive(Debug)]
pub struct ProduceOverhead;

impl ProduceOverhead {
    /// Per partition: index, records length, tags.
    pub const PARTITION: usize = 4 + 5 + 1;

    /// Per request, from the frame length on: header, fields before the topics, tags.
    pub fn request(client_id_len: usize, transactional_id_len: usize) -> usize {
        let header = 4 + 2 + 2 + 4 + (2 + client_id_len) + 1;
        header + (3 + transactional_id_len) + 2 + 4 + 5 + 1
    }

    /// Per topic: name or id, partition count, tags.
    pub fn topic(version: i16, name_len: usize) -> usize {
        let topic = if version >= 13 { 16 } else { 3 + name_len };
        topic + 5 + 1
    }
}
