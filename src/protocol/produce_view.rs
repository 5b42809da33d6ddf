//! Reads a Produce response without allocating: names and messages stay in the body.

use super::codec::Reader;
use super::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse,
};
use super::{ApiKey, Direction, Result, Uuid};

/// How a response names a topic: by name up to version 12, by id from version 13.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicRef<'a> {
    Name(&'a str),
    Id(Uuid),
}

/// A Produce response that was read to its end once, so that what it says of the first partition
/// is only acted upon when the rest makes sense too.
#[derive(Clone, Debug)]
pub struct ProduceResponseView<'a> {
    partitions: Partitions<'a>,
    endpoints: Elements<'a>,
    pub throttle_time_ms: i32,
}

/// What a broker says of one partition's records.
#[derive(Clone, Debug)]
pub struct PartitionResponseRef<'a> {
    pub index: i32,
    pub error_code: i16,
    pub base_offset: i64,
    /// −1: the topic keeps the records' own timestamps.
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    record_errors: Elements<'a>,
    pub error_message: Option<&'a str>,
    pub current_leader: Option<LeaderIdAndEpoch>,
}

/// A record at fault: its place in the batch and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordErrorRef<'a> {
    pub batch_index: i32,
    pub message: Option<&'a str>,
}

/// Where a broker can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeEndpointRef<'a> {
    pub node_id: i32,
    pub host: &'a str,
    pub port: i32,
    pub rack: Option<&'a str>,
}

/// The encoded elements of an array.
#[derive(Clone, Debug)]
struct Elements<'a> {
    reader: Reader<'a>,
    left: usize,
}

impl<'a> ProduceResponseView<'a> {
    /// Reads the whole body once and checks it.
    pub fn parse(version: i16, body: &'a [u8]) -> Result<Self> {
        let api = ApiKey::Produce;
        api.check(version)
            .and_then(|()| Self::read(version, Reader::new(body, api.is_flexible(version))))
            .map_err(|e| e.in_message(api, Direction::Response, version))
    }

    fn read(version: i16, mut r: Reader<'a>) -> Result<Self> {
        let topics_left = r.array_len(3)?;
        let topic = TopicRef::Id(Uuid::ZERO);
        let partitions = Partitions {
            version,
            reader: r,
            topics_left,
            partitions_left: 0,
            topic,
        };

        let mut scan = partitions.clone();
        while scan.advance()?.is_some() {}

        let mut r = scan.reader;
        let throttle_time_ms = r.i32()?;
        let mut endpoints = Elements::none();
        r.tags(|tag, field| {
            if version >= 10 && tag == 0 {
                endpoints = Elements::read(field, 11, NodeEndpointRef::read)?;
            }
            Ok(())
        })?;
        Ok(ProduceResponseView {
            partitions,
            endpoints,
            throttle_time_ms,
        })
    }

    /// The results, partition by partition, in the order of the response.
    pub fn partitions(
        &self,
    ) -> impl Iterator<Item = (TopicRef<'a>, PartitionResponseRef<'a>)> + use<'a> {
        let mut partitions = self.partitions.clone();
        // `parse` has read the same bytes without an error.
        std::iter::from_fn(move || partitions.advance().ok().flatten())
    }

    /// Where the leaders named in [`PartitionResponseRef::current_leader`] are.
    pub fn node_endpoints(&self) -> impl Iterator<Item = NodeEndpointRef<'a>> + use<'a> {
        self.endpoints.iter(NodeEndpointRef::read)
    }
}

#[derive(Clone, Debug)]
struct Partitions<'a> {
    version: i16,
    reader: Reader<'a>,
    /// Topics not begun.
    topics_left: usize,
    /// Partitions not read of the topic begun last.
    partitions_left: usize,
    topic: TopicRef<'a>,
}

impl<'a> Partitions<'a> {
    fn advance(&mut self) -> Result<Option<(TopicRef<'a>, PartitionResponseRef<'a>)>> {
        while self.partitions_left == 0 {
            if self.topics_left == 0 {
                return Ok(None);
            }
            self.topics_left -= 1;
            self.topic = match self.version >= 13 {
                true => TopicRef::Id(self.reader.uuid()?),
                false => TopicRef::Name(self.reader.str()?),
            };
            self.partitions_left = self.reader.array_len(22)?;
            if self.partitions_left == 0 {
                self.reader.skip_tags()?;
            }
        }
        let partition = PartitionResponseRef::read(self.version, &mut self.reader)?;
        self.partitions_left -= 1;
        if self.partitions_left == 0 {
            self.reader.skip_tags()?;
        }
        Ok(Some((self.topic, partition)))
    }
}

impl<'a> PartitionResponseRef<'a> {
    pub(super) fn read(version: i16, r: &mut Reader<'a>) -> Result<Self> {
        let mut partition = PartitionResponseRef {
            index: r.i32()?,
            error_code: r.i16()?,
            base_offset: r.i64()?,
            log_append_time_ms: r.i64()?,
            log_start_offset: -1,
            record_errors: Elements::none(),
            error_message: None,
            current_leader: None,
        };
        if version >= 5 {
            partition.log_start_offset = r.i64()?;
        }
        if version >= 8 {
            partition.record_errors = Elements::read(r, 5, RecordErrorRef::read)?;
            partition.error_message = r.nullable_str()?;
        }
        r.tags(|tag, r| {
            if version >= 10 && tag == 0 {
                partition.current_leader = Some(read_current_leader(r)?);
            }
            Ok(())
        })?;
        Ok(partition)
    }

    /// The same with −1, which stands for what is not known, in place of numbers that mean nothing.
    pub fn without_nonsense(self) -> Self {
        PartitionResponseRef {
            base_offset: self.base_offset.max(-1),
            log_append_time_ms: self.log_append_time_ms.max(-1),
            log_start_offset: self.log_start_offset.max(-1),
            ..self
        }
    }

    /// The records at fault, where the broker says which.
    pub fn record_errors(&self) -> impl Iterator<Item = RecordErrorRef<'a>> + use<'a> {
        self.record_errors.iter(RecordErrorRef::read)
    }

    /// A copy that outlives the body.
    pub fn to_owned(&self) -> PartitionProduceResponse {
        PartitionProduceResponse {
            index: self.index,
            error_code: self.error_code,
            base_offset: self.base_offset,
            log_append_time_ms: self.log_append_time_ms,
            log_start_offset: self.log_start_offset,
            record_errors: self.record_errors().map(|e| e.to_owned()).collect(),
            error_message: self.error_message.map(str::to_owned),
            current_leader: self.current_leader,
        }
    }
}

fn read_current_leader(r: &mut Reader<'_>) -> Result<LeaderIdAndEpoch> {
    let leader = LeaderIdAndEpoch {
        leader_id: r.i32()?,
        leader_epoch: r.i32()?,
    };
    r.skip_tags()?;
    Ok(leader)
}

impl<'a> RecordErrorRef<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self> {
        let error = RecordErrorRef {
            batch_index: r.i32()?,
            message: r.nullable_str()?,
        };
        r.skip_tags()?;
        Ok(error)
    }

    /// A copy that outlives the body.
    pub fn to_owned(self) -> BatchIndexAndErrorMessage {
        BatchIndexAndErrorMessage {
            batch_index: self.batch_index,
            message: self.message.map(str::to_owned),
        }
    }
}

impl<'a> NodeEndpointRef<'a> {
    pub(super) fn read(r: &mut Reader<'a>) -> Result<Self> {
        let node = NodeEndpointRef {
            node_id: r.i32()?,
            host: r.str()?,
            port: r.i32()?,
            rack: r.nullable_str()?,
        };
        r.skip_tags()?;
        Ok(node)
    }

    /// A copy that outlives the body.
    pub fn to_owned(self) -> NodeEndpoint {
        NodeEndpoint {
            node_id: self.node_id,
            host: self.host.to_owned(),
            port: self.port,
            rack: self.rack.map(str::to_owned),
        }
    }
}

impl<'a> Elements<'a> {
    fn none() -> Self {
        Elements {
            reader: Reader::new(&[], false),
            left: 0,
        }
    }

    /// Passes over an array and checks each element, to read them again later.
    fn read<T>(
        r: &mut Reader<'a>,
        min_element_size: usize,
        element: fn(&mut Reader<'a>) -> Result<T>,
    ) -> Result<Self> {
        let left = r.array_len(min_element_size)?;
        let elements = Elements {
            reader: r.clone(),
            left,
        };
        for _ in 0..left {
            element(r)?;
        }
        Ok(elements)
    }

    fn iter<T>(
        &self,
        element: fn(&mut Reader<'a>) -> Result<T>,
    ) -> impl Iterator<Item = T> + use<'a, T> {
        let mut reader = self.reader.clone();
        (0..self.left).map_while(move |_| element(&mut reader).ok())
    }
}
