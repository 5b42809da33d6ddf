//! The requests of transactions.

use crate::oracle::{Peer, peers};
use crate::sample::{Gen, optional_text, text};
use kafka_protocol::messages::{self as theirs, GroupId, ProducerId, TopicName, TransactionalId};
use kprod::protocol::add_offsets_to_txn::*;
use kprod::protocol::add_partitions_to_txn::*;
use kprod::protocol::end_txn::*;
use kprod::protocol::txn_offset_commit::*;

peers! {
    add_partitions_to_txn_request: AddPartitionsToTxnRequest;
    add_partitions_to_txn_response: AddPartitionsToTxnResponse;
    add_offsets_to_txn_request: AddOffsetsToTxnRequest;
    add_offsets_to_txn_response: AddOffsetsToTxnResponse;
    end_txn_request: EndTxnRequest;
    end_txn_response: EndTxnResponse;
    txn_offset_commit_request: TxnOffsetCommitRequest;
    txn_offset_commit_response: TxnOffsetCommitResponse;
}

impl Peer for AddPartitionsToTxnRequest {
    type Theirs = theirs::AddPartitionsToTxnRequest;

    fn sample(g: &mut Gen, _version: i16) -> Self {
        AddPartitionsToTxnRequest {
            transactional_id: g.string(),
            producer_id: g.i64(),
            producer_epoch: g.i16(),
            topics: g.vec(|g| AddPartitionsToTxnTopic {
                name: g.string(),
                partitions: g.vec(Gen::i32),
            }),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        let topic = |topic: &AddPartitionsToTxnTopic| {
            theirs::add_partitions_to_txn_request::AddPartitionsToTxnTopic::default()
                .with_name(TopicName(text(&topic.name)))
                .with_partitions(topic.partitions.clone())
        };
        Self::Theirs::default()
            .with_v3_and_below_transactional_id(TransactionalId(text(&self.transactional_id)))
            .with_v3_and_below_producer_id(ProducerId(self.producer_id))
            .with_v3_and_below_producer_epoch(self.producer_epoch)
            .with_v3_and_below_topics(self.topics.iter().map(topic).collect())
    }
}

impl Peer for AddPartitionsToTxnResponse {
    type Theirs = theirs::AddPartitionsToTxnResponse;

    fn sample(g: &mut Gen, _version: i16) -> Self {
        AddPartitionsToTxnResponse {
            throttle_time_ms: g.i32(),
            topics: g.vec(|g| AddPartitionsToTxnTopicResult {
                name: g.string(),
                partitions: g.vec(|g| AddPartitionsToTxnPartitionResult {
                    partition_index: g.i32(),
                    error_code: g.i16(),
                }),
            }),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        use theirs::add_partitions_to_txn_response as t;
        let partition = |p: &AddPartitionsToTxnPartitionResult| {
            t::AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(p.partition_index)
                .with_partition_error_code(p.error_code)
        };
        let topic = |topic: &AddPartitionsToTxnTopicResult| {
            t::AddPartitionsToTxnTopicResult::default()
                .with_name(TopicName(text(&topic.name)))
                .with_results_by_partition(topic.partitions.iter().map(partition).collect())
        };
        Self::Theirs::default()
            .with_throttle_time_ms(self.throttle_time_ms)
            .with_results_by_topic_v3_and_below(self.topics.iter().map(topic).collect())
    }
}

impl Peer for AddOffsetsToTxnRequest {
    type Theirs = theirs::AddOffsetsToTxnRequest;

    fn sample(g: &mut Gen, _version: i16) -> Self {
        AddOffsetsToTxnRequest {
            transactional_id: g.string(),
            producer_id: g.i64(),
            producer_epoch: g.i16(),
            group_id: g.string(),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        Self::Theirs::default()
            .with_transactional_id(TransactionalId(text(&self.transactional_id)))
            .with_producer_id(ProducerId(self.producer_id))
            .with_producer_epoch(self.producer_epoch)
            .with_group_id(GroupId(text(&self.group_id)))
    }
}

impl Peer for AddOffsetsToTxnResponse {
    type Theirs = theirs::AddOffsetsToTxnResponse;

    fn sample(g: &mut Gen, _version: i16) -> Self {
        AddOffsetsToTxnResponse {
            throttle_time_ms: g.i32(),
            error_code: g.i16(),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        Self::Theirs::default()
            .with_throttle_time_ms(self.throttle_time_ms)
            .with_error_code(self.error_code)
    }
}

impl Peer for EndTxnRequest {
    type Theirs = theirs::EndTxnRequest;

    fn sample(g: &mut Gen, _version: i16) -> Self {
        EndTxnRequest {
            transactional_id: g.string(),
            producer_id: g.i64(),
            producer_epoch: g.i16(),
            committed: g.bool(),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        Self::Theirs::default()
            .with_transactional_id(TransactionalId(text(&self.transactional_id)))
            .with_producer_id(ProducerId(self.producer_id))
            .with_producer_epoch(self.producer_epoch)
            .with_committed(self.committed)
    }
}

impl Peer for EndTxnResponse {
    type Theirs = theirs::EndTxnResponse;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let mut response = EndTxnResponse {
            throttle_time_ms: g.i32(),
            error_code: g.i16(),
            ..Default::default()
        };
        if version >= 5 {
            response.producer_id = g.i64();
            response.producer_epoch = g.i16();
        }
        response
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        Self::Theirs::default()
            .with_throttle_time_ms(self.throttle_time_ms)
            .with_error_code(self.error_code)
            .with_producer_id(ProducerId(self.producer_id))
            .with_producer_epoch(self.producer_epoch)
    }
}

impl Peer for TxnOffsetCommitRequest {
    type Theirs = theirs::TxnOffsetCommitRequest;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let topics = g.vec(|g| TxnOffsetCommitTopic {
            name: g.string(),
            partitions: g.vec(|g| TxnOffsetCommitPartition {
                partition_index: g.i32(),
                committed_offset: g.i64(),
                committed_leader_epoch: if version >= 2 { g.i32() } else { -1 },
                committed_metadata: g.option(Gen::string),
            }),
        });
        let mut request = TxnOffsetCommitRequest {
            transactional_id: g.string(),
            group_id: g.string(),
            producer_id: g.i64(),
            producer_epoch: g.i16(),
            topics,
            ..Default::default()
        };
        if version >= 3 {
            request.generation_id = g.i32();
            request.member_id = g.string();
            request.group_instance_id = g.option(Gen::string);
        }
        request
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        use theirs::txn_offset_commit_request as t;
        let partition = |p: &TxnOffsetCommitPartition| {
            t::TxnOffsetCommitRequestPartition::default()
                .with_partition_index(p.partition_index)
                .with_committed_offset(p.committed_offset)
                .with_committed_leader_epoch(p.committed_leader_epoch)
                .with_committed_metadata(optional_text(&p.committed_metadata))
        };
        let topic = |topic: &TxnOffsetCommitTopic| {
            t::TxnOffsetCommitRequestTopic::default()
                .with_name(TopicName(text(&topic.name)))
                .with_partitions(topic.partitions.iter().map(partition).collect())
        };
        Self::Theirs::default()
            .with_transactional_id(TransactionalId(text(&self.transactional_id)))
            .with_group_id(GroupId(text(&self.group_id)))
            .with_producer_id(ProducerId(self.producer_id))
            .with_producer_epoch(self.producer_epoch)
            .with_generation_id(self.generation_id)
            .with_member_id(text(&self.member_id))
            .with_group_instance_id(optional_text(&self.group_instance_id))
            .with_topics(self.topics.iter().map(topic).collect())
    }
}

impl Peer for TxnOffsetCommitResponse {
    type Theirs = theirs::TxnOffsetCommitResponse;

    fn sample(g: &mut Gen, _version: i16) -> Self {
        TxnOffsetCommitResponse {
            throttle_time_ms: g.i32(),
            topics: g.vec(|g| TxnOffsetCommitTopicResult {
                name: g.string(),
                partitions: g.vec(|g| TxnOffsetCommitPartitionResult {
                    partition_index: g.i32(),
                    error_code: g.i16(),
                }),
            }),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        use theirs::txn_offset_commit_response as t;
        let partition = |p: &TxnOffsetCommitPartitionResult| {
            t::TxnOffsetCommitResponsePartition::default()
                .with_partition_index(p.partition_index)
                .with_error_code(p.error_code)
        };
        let topic = |topic: &TxnOffsetCommitTopicResult| {
            t::TxnOffsetCommitResponseTopic::default()
                .with_name(TopicName(text(&topic.name)))
                .with_partitions(topic.partitions.iter().map(partition).collect())
        };
        Self::Theirs::default()
            .with_throttle_time_ms(self.throttle_time_ms)
            .with_topics(self.topics.iter().map(topic).collect())
    }
}
