//! Fetch and ListOffsets.

use crate::oracle::{Peer, peers};
use crate::sample::{Gen, text};
use kafka_protocol::messages::{self as theirs, BrokerId, ProducerId, TopicName};
use kprod::protocol::fetch::*;
use kprod::protocol::list_offsets::*;

peers! {
    fetch_request: FetchRequest;
    fetch_response: FetchResponse;
    list_offsets_request: ListOffsetsRequest;
    list_offsets_response: ListOffsetsResponse;
}

impl Peer for FetchRequest {
    type Theirs = theirs::FetchRequest;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let topics = g.vec(|g| FetchTopic {
            topic: g.string(),
            partitions: g.vec(|g| sample_partition(g, version)),
        });
        let mut request = FetchRequest {
            replica_id: g.i32(),
            max_wait_ms: g.i32(),
            min_bytes: g.i32(),
            max_bytes: g.i32(),
            isolation_level: g.i8(),
            topics,
            ..Default::default()
        };
        if version >= 7 {
            request.session_id = g.i32();
            request.session_epoch = g.i32();
            request.forgotten_topics = g.vec(|g| ForgottenTopic {
                topic: g.string(),
                partitions: g.vec(Gen::i32),
            });
        }
        if version >= 11 {
            request.rack_id = g.string();
        }
        request
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        use theirs::fetch_request as t;
        let partition = |p: &FetchPartition| {
            t::FetchPartition::default()
                .with_partition(p.partition)
                .with_current_leader_epoch(p.current_leader_epoch)
                .with_fetch_offset(p.fetch_offset)
                .with_last_fetched_epoch(p.last_fetched_epoch)
                .with_log_start_offset(p.log_start_offset)
                .with_partition_max_bytes(p.partition_max_bytes)
        };
        let topic = |topic: &FetchTopic| {
            t::FetchTopic::default()
                .with_topic(TopicName(text(&topic.topic)))
                .with_partitions(topic.partitions.iter().map(partition).collect())
        };
        let forgotten = |topic: &ForgottenTopic| {
            t::ForgottenTopic::default()
                .with_topic(TopicName(text(&topic.topic)))
                .with_partitions(topic.partitions.clone())
        };
        Self::Theirs::default()
            .with_replica_id(BrokerId(self.replica_id))
            .with_max_wait_ms(self.max_wait_ms)
            .with_min_bytes(self.min_bytes)
            .with_max_bytes(self.max_bytes)
            .with_isolation_level(self.isolation_level)
            .with_session_id(self.session_id)
            .with_session_epoch(self.session_epoch)
            .with_topics(self.topics.iter().map(topic).collect())
            .with_forgotten_topics_data(self.forgotten_topics.iter().map(forgotten).collect())
            .with_rack_id(text(&self.rack_id))
    }
}

fn sample_partition(g: &mut Gen, version: i16) -> FetchPartition {
    let mut partition = FetchPartition {
        partition: g.i32(),
        fetch_offset: g.i64(),
        partition_max_bytes: g.i32(),
        ..Default::default()
    };
    if version >= 5 {
        partition.log_start_offset = g.i64();
    }
    if version >= 9 {
        partition.current_leader_epoch = g.i32();
    }
    if version >= 12 {
        partition.last_fetched_epoch = g.i32();
    }
    partition
}

impl Peer for FetchResponse {
    type Theirs = theirs::FetchResponse;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let topics = g.vec(|g| FetchableTopicResponse {
            topic: g.string(),
            partitions: g.vec(|g| sample_data(g, version)),
        });
        let mut response = FetchResponse {
            throttle_time_ms: g.i32(),
            topics,
            ..Default::default()
        };
        if version >= 7 {
            response.error_code = g.i16();
            response.session_id = g.i32();
        }
        response
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        let topic = |topic: &FetchableTopicResponse| {
            theirs::fetch_response::FetchableTopicResponse::default()
                .with_topic(TopicName(text(&topic.topic)))
                .with_partitions(topic.partitions.iter().map(their_data).collect())
        };
        Self::Theirs::default()
            .with_throttle_time_ms(self.throttle_time_ms)
            .with_error_code(self.error_code)
            .with_session_id(self.session_id)
            .with_responses(self.topics.iter().map(topic).collect())
    }
}

fn sample_data(g: &mut Gen, version: i16) -> FetchPartitionData {
    let mut data = FetchPartitionData {
        partition_index: g.i32(),
        error_code: g.i16(),
        high_watermark: g.i64(),
        last_stable_offset: g.i64(),
        aborted_transactions: g.option(|g| {
            g.vec(|g| AbortedTransaction {
                producer_id: g.i64(),
                first_offset: g.i64(),
            })
        }),
        records: g.option(|g| g.bytes().into()),
        ..Default::default()
    };
    if version >= 5 {
        data.log_start_offset = g.i64();
    }
    if version >= 11 {
        data.preferred_read_replica = g.i32();
    }
    data
}

fn their_data(data: &FetchPartitionData) -> theirs::fetch_response::PartitionData {
    use theirs::fetch_response as t;
    let aborted = |aborted: &AbortedTransaction| {
        t::AbortedTransaction::default()
            .with_producer_id(ProducerId(aborted.producer_id))
            .with_first_offset(aborted.first_offset)
    };
    t::PartitionData::default()
        .with_partition_index(data.partition_index)
        .with_error_code(data.error_code)
        .with_high_watermark(data.high_watermark)
        .with_last_stable_offset(data.last_stable_offset)
        .with_log_start_offset(data.log_start_offset)
        .with_aborted_transactions(
            data.aborted_transactions
                .as_ref()
                .map(|a| a.iter().map(aborted).collect()),
        )
        .with_preferred_read_replica(BrokerId(data.preferred_read_replica))
        .with_records(data.records.clone())
}

impl Peer for ListOffsetsRequest {
    type Theirs = theirs::ListOffsetsRequest;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let topics = g.vec(|g| ListOffsetsTopic {
            name: g.string(),
            partitions: g.vec(|g| {
                let (partition_index, timestamp) = (g.i32(), g.i64());
                let current_leader_epoch = if version >= 4 { g.i32() } else { -1 };
                ListOffsetsPartition {
                    partition_index,
                    current_leader_epoch,
                    timestamp,
                }
            }),
        });
        let isolation_level = if version >= 2 { g.i8() } else { 0 };
        ListOffsetsRequest {
            replica_id: g.i32(),
            isolation_level,
            topics,
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        use theirs::list_offsets_request as t;
        let partition = |p: &ListOffsetsPartition| {
            t::ListOffsetsPartition::default()
                .with_partition_index(p.partition_index)
                .with_current_leader_epoch(p.current_leader_epoch)
                .with_timestamp(p.timestamp)
        };
        let topic = |topic: &ListOffsetsTopic| {
            t::ListOffsetsTopic::default()
                .with_name(TopicName(text(&topic.name)))
                .with_partitions(topic.partitions.iter().map(partition).collect())
        };
        Self::Theirs::default()
            .with_replica_id(BrokerId(self.replica_id))
            .with_isolation_level(self.isolation_level)
            .with_topics(self.topics.iter().map(topic).collect())
    }
}

impl Peer for ListOffsetsResponse {
    type Theirs = theirs::ListOffsetsResponse;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let topics = g.vec(|g| ListOffsetsTopicResponse {
            name: g.string(),
            partitions: g.vec(|g| ListOffsetsPartitionResponse {
                partition_index: g.i32(),
                error_code: g.i16(),
                timestamp: g.i64(),
                offset: g.i64(),
                leader_epoch: if version >= 4 { g.i32() } else { -1 },
            }),
        });
        let throttle_time_ms = if version >= 2 { g.i32() } else { 0 };
        ListOffsetsResponse {
            throttle_time_ms,
            topics,
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        use theirs::list_offsets_response as t;
        let partition = |p: &ListOffsetsPartitionResponse| {
            t::ListOffsetsPartitionResponse::default()
                .with_partition_index(p.partition_index)
                .with_error_code(p.error_code)
                .with_timestamp(p.timestamp)
                .with_offset(p.offset)
                .with_leader_epoch(p.leader_epoch)
        };
        let topic = |topic: &ListOffsetsTopicResponse| {
            t::ListOffsetsTopicResponse::default()
                .with_name(TopicName(text(&topic.name)))
                .with_partitions(topic.partitions.iter().map(partition).collect())
        };
        Self::Theirs::default()
            .with_throttle_time_ms(self.throttle_time_ms)
            .with_topics(self.topics.iter().map(topic).collect())
    }
}
