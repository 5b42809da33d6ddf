//! The requests about identity and transaction, and what their answers say.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::Engine;
use crate::error::{Class, Error, ErrorCode};
use crate::protocol::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use crate::protocol::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, AddPartitionsToTxnTopic,
};
use crate::protocol::end_txn::{EndTxnRequest, EndTxnResponse};
use crate::protocol::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse, KEY_TYPE_GROUP, KEY_TYPE_TRANSACTION,
};
use crate::protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::protocol::txn_offset_commit::{
    TxnOffsetCommitPartition, TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitTopic,
};
use crate::protocol::{ApiKey, Message, ProtocolError, VersionSet};
use crate::transaction::{Identity, Step};

/// What a broker said to a step.
#[derive(Debug)]
pub(super) struct Answer {
    pub throttle_ms: i32,
    pub code: ErrorCode,
    /// What the code is about, where the answer says so.
    pub about: String,
    pub said: Said,
}

/// What a good answer brings.
#[derive(Debug)]
pub(super) enum Said {
    Nothing,
    Coordinator {
        node: i32,
        host: String,
        port: i32,
    },
    Identity(Identity),
    /// With the identity of the next transaction, if the coordinator gave one.
    Ended(Option<Identity>),
}

impl Answer {
    fn of(throttle_ms: i32, code: i16, said: Said) -> Self {
        Answer {
            throttle_ms,
            code: ErrorCode::of_broker(code),
            about: String::new(),
            said,
        }
    }

    pub fn read(step: Step, version: i16, body: &Bytes) -> Result<Answer, ProtocolError> {
        Ok(match step {
            Step::FindCoordinator | Step::FindGroup => {
                let response = FindCoordinatorResponse::decode(version, body)?;
                let Some(found) = response.coordinators.into_iter().next() else {
                    let none = ErrorCode::COORDINATOR_NOT_AVAILABLE.0 as i16;
                    return Ok(Answer::of(response.throttle_time_ms, none, Said::Nothing));
                };
                let said = Said::Coordinator {
                    node: found.node_id,
                    host: found.host,
                    port: found.port,
                };
                Answer {
                    about: found.error_message.unwrap_or_default(),
                    ..Answer::of(response.throttle_time_ms, found.error_code, said)
                }
            }
            Step::InitProducerId => {
                let response = InitProducerIdResponse::decode(version, body)?;
                let said = Said::Identity(Identity {
                    id: response.producer_id,
                    epoch: response.producer_epoch,
                });
                Answer::of(response.throttle_time_ms, response.error_code, said)
            }
            Step::AddPartitions => {
                let response = AddPartitionsToTxnResponse::decode(version, body)?;
                let results = response.topics.iter().flat_map(|topic| {
                    let partitions = topic.partitions.iter();
                    partitions.map(|one| (&*topic.name, one.partition_index, one.error_code))
                });
                worst(response.throttle_time_ms, results)
            }
            Step::AddOffsets => {
                let response = AddOffsetsToTxnResponse::decode(version, body)?;
                Answer::of(
                    response.throttle_time_ms,
                    response.error_code,
                    Said::Nothing,
                )
            }
            Step::CommitOffsets => {
                let response = TxnOffsetCommitResponse::decode(version, body)?;
                let results = response.topics.iter().flat_map(|topic| {
                    let partitions = topic.partitions.iter();
                    partitions.map(|one| (&*topic.name, one.partition_index, one.error_code))
                });
                worst(response.throttle_time_ms, results)
            }
            Step::End { .. } => {
                let response = EndTxnResponse::decode(version, body)?;
                let next = (response.producer_id >= 0).then_some(Identity {
                    id: response.producer_id,
                    epoch: response.producer_epoch,
                });
                Answer::of(
                    response.throttle_time_ms,
                    response.error_code,
                    Said::Ended(next),
                )
            }
        })
    }
}

/// The partitions' errors as one: what is to be tried again counts only where nothing is worse. All partitions are
/// asked for again then, which changes nothing for those that are done.
fn worst<'a>(throttle_ms: i32, results: impl Iterator<Item = (&'a str, i32, i16)>) -> Answer {
    let mut answer = Answer::of(throttle_ms, 0, Said::Nothing);
    for (topic, partition, code) in results {
        let code = ErrorCode::of_broker(code);
        let rank = |code: ErrorCode| match code {
            ErrorCode::OK => 0,
            // The others were not tried for the sake of the one that is at fault.
            ErrorCode::OPERATION_NOT_ATTEMPTED => 1,
            code if code.is_retriable() => 2,
            _ => 3,
        };
        if rank(code) > rank(answer.code) {
            answer.code = code;
            answer.about = format!("topic {topic} partition {partition}");
        }
    }
    answer
}

impl Engine {
    pub(super) fn encode_step(
        &self,
        step: Step,
        versions: &VersionSet,
    ) -> Result<(ApiKey, i16, Bytes), Error> {
        let second = self.transactor.is_second_protocol();
        let transactional_id = self.transactor.transactional_id().unwrap_or_default();
        let own = self.transactor.identity();
        let Identity { id, epoch } = own.unwrap_or(Identity { id: -1, epoch: -1 });
        match step {
            Step::FindCoordinator => encode(versions, i16::MAX, |_| FindCoordinatorRequest {
                key_type: KEY_TYPE_TRANSACTION,
                keys: vec![transactional_id.to_owned()],
            }),
            Step::FindGroup => encode(versions, i16::MAX, |_| FindCoordinatorRequest {
                key_type: KEY_TYPE_GROUP,
                keys: vec![self.group_id()],
            }),
            Step::InitProducerId => {
                let timeout = self.config.transaction_timeout.as_millis();
                let request = |_| InitProducerIdRequest {
                    transactional_id: self.transactor.transactional_id().map(str::to_owned),
                    transaction_timeout_ms: i32::try_from(timeout).unwrap_or(i32::MAX),
                    producer_id: id,
                    producer_epoch: epoch,
                };
                let encoded = encode(versions, i16::MAX, request)?;
                // An older broker would take the request for a new instance's, and this one for the old.
                if own.is_some() && encoded.1 < 3 {
                    return Err(Error::new(
                        ErrorCode::NOT_SUPPORTED,
                        "the producer must begin a new epoch after a failed transaction, which needs brokers of \
                         Kafka 2.5 or newer: create a new producer",
                    )
                    .of_class(Class::Fatal));
                }
                Ok(encoded)
            }
            Step::AddPartitions => encode(versions, 3, |_| AddPartitionsToTxnRequest {
                transactional_id: transactional_id.to_owned(),
                producer_id: id,
                producer_epoch: epoch,
                topics: self.topics_to_add(),
            }),
            Step::AddOffsets => encode(versions, i16::MAX, |_| AddOffsetsToTxnRequest {
                transactional_id: transactional_id.to_owned(),
                producer_id: id,
                producer_epoch: epoch,
                group_id: self.group_id(),
            }),
            Step::CommitOffsets => {
                let cap = if second { 5 } else { 4 };
                encode(versions, cap, |_| {
                    self.offset_commit(transactional_id, id, epoch)
                })
            }
            Step::End { commit } => {
                let cap = if second { 5 } else { 4 };
                encode(versions, cap, |_| EndTxnRequest {
                    transactional_id: transactional_id.to_owned(),
                    producer_id: id,
                    producer_epoch: epoch,
                    committed: commit,
                })
            }
        }
    }

    fn group_id(&self) -> String {
        let offsets = self.transactor.offsets();
        offsets.map_or_else(String::new, |offsets| offsets.group.group_id.clone())
    }

    fn topics_to_add(&self) -> Vec<AddPartitionsToTxnTopic> {
        let mut topics: BTreeMap<u32, Vec<i32>> = BTreeMap::new();
        for id in self.transactor.to_add() {
            let track = &self.tracks[id];
            let partitions = topics.entry(track.topic.handle).or_default();
            partitions.push(track.partition.index);
        }
        let named = topics.into_iter().filter_map(|(handle, partitions)| {
            let topic = self.accumulator.topics.get(handle)?;
            Some(AddPartitionsToTxnTopic {
                name: topic.name.to_string(),
                partitions,
            })
        });
        named.collect()
    }

    fn offset_commit(
        &self,
        transactional_id: &str,
        producer_id: i64,
        producer_epoch: i16,
    ) -> TxnOffsetCommitRequest {
        let Some(call) = self.transactor.offsets() else {
            return TxnOffsetCommitRequest::default();
        };
        let mut topics: BTreeMap<&str, Vec<TxnOffsetCommitPartition>> = BTreeMap::new();
        for offset in &call.offsets {
            let partitions = topics.entry(&offset.topic).or_default();
            partitions.push(TxnOffsetCommitPartition {
                partition_index: offset.partition,
                committed_offset: offset.offset,
                committed_leader_epoch: offset.leader_epoch,
                committed_metadata: Some(offset.metadata.clone().unwrap_or_default()),
            });
        }
        TxnOffsetCommitRequest {
            transactional_id: transactional_id.to_owned(),
            group_id: call.group.group_id.clone(),
            producer_id,
            producer_epoch,
            generation_id: call.group.generation_id,
            member_id: call.group.member_id.clone(),
            group_instance_id: call.group.group_instance_id.clone(),
            topics: topics
                .into_iter()
                .map(|(name, partitions)| TxnOffsetCommitTopic {
                    name: name.to_owned(),
                    partitions,
                })
                .collect(),
        }
    }
}

/// Encodes a request in the newest version that both sides have.
fn encode<M: Message>(
    versions: &VersionSet,
    cap: i16,
    request: impl FnOnce(i16) -> M,
) -> Result<(ApiKey, i16, Bytes), Error> {
    let Some(version) = versions.pick(M::API, cap) else {
        return Err(Error::new(
            ErrorCode::NOT_SUPPORTED,
            format!(
                "the broker has no {} in a version that this library speaks: idempotence and transactions need \
                 Kafka 0.11 or newer",
                M::API
            ),
        )
        .of_class(Class::Fatal));
    };
    let body = request(version).encode(version).map_err(|error| {
        Error::new(ErrorCode::INTERNAL, format!("cannot encode: {error}")).of_class(Class::Fatal)
    })?;
    Ok((M::API, version, body))
}
