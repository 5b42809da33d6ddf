//! A producer with a transactional id, step by step.

use super::*;
use crate::protocol::add_offsets_to_txn::AddOffsetsToTxnRequest;
use crate::protocol::add_partitions_to_txn::{AddPartitionsToTxnRequest, AddPartitionsToTxnTopic};
use crate::protocol::end_txn::{EndTxnRequest, EndTxnResponse};
use crate::protocol::fetch::{FetchPartition, FetchPartitionData, FetchRequest, FetchTopic};
use crate::protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::protocol::txn_offset_commit::{
    TxnOffsetCommitPartition, TxnOffsetCommitRequest, TxnOffsetCommitTopic,
};
use crate::record::samples::{header, join, section};
use crate::record::{Attributes, BatchHeader};

pub const OK: i16 = 0;
pub const FENCED: i16 = 90;
pub const OLD_EPOCH: i16 = 47;
pub const TXN_STATE: i16 = 48;
pub const MAPPING: i16 = 49;
pub const CONCURRENT: i16 = 51;
pub const ABORTABLE: i16 = 120;

/// A producer with transactional id "x" on a cluster of one broker.
pub struct Producer {
    pub cluster: MockCluster,
    pub at: Duration,
    pub id: i64,
    pub epoch: i16,
    pub sequence: i32,
}

impl Producer {
    pub fn new(cluster: MockCluster) -> Self {
        let mut producer = Producer {
            cluster,
            at: NOW,
            id: -1,
            epoch: -1,
            sequence: 0,
        };
        let begun = producer.init(4, -1, -1);
        assert_eq!(begun.error_code, OK);
        producer.adopt(begun.producer_id, begun.producer_epoch);
        producer
    }

    pub fn adopt(&mut self, id: i64, epoch: i16) {
        (self.id, self.epoch, self.sequence) = (id, epoch, 0);
    }

    pub fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let frame = frame_of(request, version, 77);
        let actions = self.cluster.handle(1, 1, self.at, frame);
        let [Action::Send { bytes, .. }] = &actions[..] else {
            panic!("no single answer: {actions:?}");
        };
        response::<R>(version, 77, bytes)
    }

    pub fn init(&mut self, version: i16, id: i64, epoch: i16) -> InitProducerIdResponse {
        let request = InitProducerIdRequest {
            transactional_id: Some("x".into()),
            transaction_timeout_ms: 10_000,
            producer_id: id,
            producer_epoch: epoch,
        };
        self.ask(version, &request)
    }

    pub fn add(&mut self, version: i16, topic: &str) -> i16 {
        let request = AddPartitionsToTxnRequest {
            transactional_id: "x".into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            topics: vec![AddPartitionsToTxnTopic {
                name: topic.into(),
                partitions: vec![0],
            }],
        };
        self.ask(version, &request).topics[0].partitions[0].error_code
    }

    pub fn add_group(&mut self, version: i16) -> i16 {
        let request = AddOffsetsToTxnRequest {
            transactional_id: "x".into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            group_id: "g".into(),
        };
        self.ask(version, &request).error_code
    }

    /// Produces one record to partition 0 of "t"; the sequence moves on if it is accepted.
    pub fn produce(&mut self, version: i16, text: &str) -> PartitionProduceResponse {
        let samples = [value(text, self.cluster.wall_millis(self.at))];
        let header = BatchHeader {
            attributes: Attributes::new(Codec::None, true),
            producer_id: self.id,
            producer_epoch: self.epoch,
            base_sequence: self.sequence,
            ..header(&samples, Codec::None)
        };
        let mut request = produce(-1, "t", 0, join(&header, &section(&samples)));
        request.transactional_id = Some("x".into());
        let answer = only_partition(self.ask(version, &request));
        self.sequence += i32::from(answer.error_code == OK);
        answer
    }

    pub fn commit_offset(&mut self, version: i16, generation: i32, member: &str) -> i16 {
        self.commit_offset_as(version, generation, member, None)
    }

    pub fn commit_offset_as(
        &mut self,
        version: i16,
        generation: i32,
        member: &str,
        instance: Option<&str>,
    ) -> i16 {
        let request = TxnOffsetCommitRequest {
            transactional_id: "x".into(),
            group_id: "g".into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            generation_id: generation,
            member_id: member.into(),
            group_instance_id: instance.map(str::to_owned),
            topics: vec![TxnOffsetCommitTopic {
                name: "t".into(),
                partitions: vec![TxnOffsetCommitPartition {
                    committed_offset: 5,
                    ..TxnOffsetCommitPartition::default()
                }],
            }],
        };
        self.ask(version, &request).topics[0].partitions[0].error_code
    }

    pub fn end(&mut self, version: i16, committed: bool) -> EndTxnResponse {
        let request = EndTxnRequest {
            transactional_id: "x".into(),
            producer_id: self.id,
            producer_epoch: self.epoch,
            committed,
        };
        self.ask(version, &request)
    }

    /// Ends in version 5 and takes over what the answer says.
    pub fn end_and_adopt(&mut self, committed: bool) {
        let ended = self.end(5, committed);
        assert_eq!(ended.error_code, OK);
        self.adopt(ended.producer_id, ended.producer_epoch);
    }

    pub fn state(&self) -> TransactionState {
        self.cluster.transaction("x").expect("a transaction").state
    }

    pub fn committed(&self) -> Vec<String> {
        let records = self.cluster.committed_records("t", 0).into_iter();
        let text = |record: StoredRecord| record.value.unwrap_or_default().to_vec();
        records
            .map(|record| String::from_utf8(text(record)).expect("UTF-8"))
            .collect()
    }

    pub fn offset(&self) -> Option<i64> {
        let committed = self.cluster.committed_offset("g", "t", 0);
        committed.map(|committed| committed.offset)
    }

    pub fn fetch(&mut self, isolation_level: i8) -> FetchPartitionData {
        let request = FetchRequest {
            isolation_level,
            topics: vec![FetchTopic {
                topic: "t".into(),
                partitions: vec![FetchPartition {
                    partition_max_bytes: i32::MAX,
                    ..FetchPartition::default()
                }],
            }],
            ..FetchRequest::default()
        };
        self.ask(11, &request).topics.remove(0).partitions.remove(0)
    }
}
