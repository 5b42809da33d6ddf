//! Fetch and ListOffsets: enough that a foreign consumer can read a whole log.

use super::cluster::MockCluster;
use super::log::PartitionLog;
use super::serve::{Answer, Call};
use super::topic::Partition;
use super::wire;
use crate::error::ErrorCode;
use crate::protocol::fetch::{
    FetchPartition, FetchPartitionData, FetchRequest, FetchResponse, FetchableTopicResponse,
};
use crate::protocol::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};
use crate::protocol::{self, Message};
use bytes::Bytes;
use std::time::Duration;

/// A fetch that finds nothing is held back no longer than this: what comes in meanwhile is found by the next.
const MAX_HOLD: Duration = Duration::from_millis(50);
/// ListOffsets: the end of the log, and its start.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// The isolation level of consumers that skip aborted transactions.
const READ_COMMITTED: i8 = 1;

/// Up to where a consumer may read.
fn visible_end(log: &PartitionLog, isolation_level: i8) -> i64 {
    match isolation_level {
        READ_COMMITTED => log.last_stable_offset(),
        _ => log.end_offset(),
    }
}

impl MockCluster {
    pub(super) fn fetch(
        &self,
        call: &Call<'_>,
        request: &FetchRequest,
    ) -> protocol::Result<Answer> {
        let mut room = request.max_bytes.max(0) as usize;
        let mut topics = Vec::with_capacity(request.topics.len());
        for topic in &request.topics {
            let fetch = |asked| self.fetch_partition(call, request, &topic.topic, asked, &mut room);
            topics.push(FetchableTopicResponse {
                topic: topic.topic.clone(),
                partitions: topic.partitions.iter().map(fetch).collect(),
            });
        }
        let found = |p: &FetchPartitionData| {
            p.error_code != 0
                || p.records
                    .as_ref()
                    .is_some_and(|records| !records.is_empty())
        };
        let nothing = !topics.iter().flat_map(|topic| &topic.partitions).any(found);
        let body = FetchResponse {
            throttle_time_ms: call.throttle_ms,
            topics,
            ..FetchResponse::default()
        }
        .encode(call.version)?;
        if nothing {
            let wait = Duration::from_millis(request.max_wait_ms.max(0) as u64);
            return Ok(Answer::Later(body, wait.min(MAX_HOLD)));
        }
        Ok(Answer::Body(body))
    }

    fn fetch_partition(
        &self,
        call: &Call<'_>,
        request: &FetchRequest,
        topic: &str,
        asked: &FetchPartition,
        room: &mut usize,
    ) -> FetchPartitionData {
        let mut data = FetchPartitionData {
            partition_index: asked.partition,
            records: Some(Bytes::new()),
            ..FetchPartitionData::default()
        };
        let found = self.led_partition(call, topic, asked.partition, asked.current_leader_epoch);
        let partition = match found {
            Ok(partition) => partition,
            Err(code) => {
                data.error_code = code;
                return data;
            }
        };
        let log = &partition.log;
        data.high_watermark = log.end_offset();
        data.last_stable_offset = log.last_stable_offset();
        data.log_start_offset = log.start_offset();
        let end = visible_end(log, request.isolation_level);
        if request.isolation_level == READ_COMMITTED {
            data.aborted_transactions = Some(log.aborted(asked.fetch_offset, end));
        }
        if !(log.start_offset()..=log.end_offset()).contains(&asked.fetch_offset) {
            data.error_code = wire(ErrorCode::OFFSET_OUT_OF_RANGE);
        } else if *room > 0 && asked.fetch_offset < end {
            let limit = (asked.partition_max_bytes.max(0) as usize).min(*room);
            let records = log.read(asked.fetch_offset, end, limit);
            *room = room.saturating_sub(records.len());
            data.records = Some(records);
        }
        data
    }

    /// The partition, if this broker leads it in an epoch that the client knows; else the error to answer.
    fn led_partition(
        &self,
        call: &Call<'_>,
        topic: &str,
        index: i32,
        known_epoch: i32,
    ) -> Result<&Partition, i16> {
        if let Some(error) = call.errors.of_partition(topic, index) {
            return Err(wire(error.code));
        }
        let partition = self
            .topics
            .get(topic)
            .and_then(|topic| topic.partition(index));
        let Some(partition) = partition else {
            return Err(wire(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
        };
        if partition.leader != call.broker {
            return Err(wire(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        }
        match known_epoch {
            -1 => Ok(partition),
            epoch if epoch < partition.leader_epoch => Err(wire(ErrorCode::FENCED_LEADER_EPOCH)),
            epoch if epoch > partition.leader_epoch => Err(wire(ErrorCode::UNKNOWN_LEADER_EPOCH)),
            _ => Ok(partition),
        }
    }

    pub(super) fn list_offsets(
        &self,
        call: &Call<'_>,
        request: &ListOffsetsRequest,
    ) -> ListOffsetsResponse {
        let topics = request.topics.iter().map(|topic| {
            let list = |asked| self.list_partition(call, request, &topic.name, asked);
            ListOffsetsTopicResponse {
                name: topic.name.clone(),
                partitions: topic.partitions.iter().map(list).collect(),
            }
        });
        ListOffsetsResponse {
            throttle_time_ms: call.throttle_ms,
            topics: topics.collect(),
        }
    }

    fn list_partition(
        &self,
        call: &Call<'_>,
        request: &ListOffsetsRequest,
        topic: &str,
        asked: &ListOffsetsPartition,
    ) -> ListOffsetsPartitionResponse {
        let mut response = ListOffsetsPartitionResponse {
            partition_index: asked.partition_index,
            ..ListOffsetsPartitionResponse::default()
        };
        let epoch = asked.current_leader_epoch;
        match self.led_partition(call, topic, asked.partition_index, epoch) {
            Err(code) => response.error_code = code,
            Ok(partition) => {
                let log = &partition.log;
                let end = visible_end(log, request.isolation_level);
                let (offset, timestamp) = match asked.timestamp {
                    LATEST => (end, -1),
                    EARLIEST => (log.start_offset(), -1),
                    timestamp => log
                        .find_timestamp(timestamp)
                        .filter(|&(offset, _)| offset < end)
                        .unwrap_or((-1, -1)),
                };
                response.offset = offset;
                response.timestamp = timestamp;
                response.leader_epoch = partition.leader_epoch;
            }
        }
        response
    }
}
