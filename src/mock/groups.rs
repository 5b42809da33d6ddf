//! Consumer groups as far as transactions need them: members to be checked, and offsets.

use super::cluster::MockCluster;
use super::coordinators::CoordinatorKind;
use super::fault::When;
use super::producers::Producers;
use super::serve::Call;
use super::transactions::Subject;
use super::versions::KafkaVersion;
use super::wire;
use crate::error::ErrorCode;
use crate::protocol::txn_offset_commit::{
    TxnOffsetCommitPartition, TxnOffsetCommitPartitionResult, TxnOffsetCommitRequest,
    TxnOffsetCommitResponse, TxnOffsetCommitTopic, TxnOffsetCommitTopicResult,
};
use std::collections::BTreeMap;

/// `offset.metadata.max.bytes`.
const MAX_METADATA: usize = 4096;
/// The first version of TxnOffsetCommit whose clients know that a coordinator may be loading.
const LOADING_FROM: i16 = 2;
/// The first version of TxnOffsetCommit whose clients know TRANSACTION_ABORTABLE.
const ABORTABLE_FROM: i16 = 4;
/// The first version of TxnOffsetCommit that adds the group to the transaction.
const ADDS_FROM: i16 = 5;

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    pub id: String,
    pub instance_id: Option<String>,
}

/// An offset that a group has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: Option<String>,
}

type Offsets = BTreeMap<(String, i32), CommittedOffset>;

/// Who is in a group that exists.
#[derive(Debug, Default)]
struct Membership {
    generation: i32,
    members: Vec<GroupMember>,
}

/// What a broker keeps under a group's name.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// `None` before anything was committed, while transactions may have ended for it.
    membership: Option<Membership>,
    committed: Offsets,
    /// By producer id: what the end of its transaction decides.
    pending: BTreeMap<i64, Offsets>,
    producers: Producers,
}

impl Group {
    /// Ends a producer's transaction for the group.
    pub fn end_transaction(&mut self, producer_id: i64, epoch: i16, commit: bool) {
        self.producers.end_transaction(producer_id, epoch);
        let pending = self.pending.remove(&producer_id).unwrap_or_default();
        if commit {
            self.committed.extend(pending);
        }
    }
}

impl Membership {
    fn judge(
        &self,
        request: &TxnOffsetCommitRequest,
        release: KafkaVersion,
    ) -> Result<(), ErrorCode> {
        let instance = request.group_instance_id.as_deref();
        let anonymous =
            request.generation_id < 0 && request.member_id.is_empty() && instance.is_none();
        let is_free =
            request.generation_id < 0 && self.members.is_empty() && release >= KafkaVersion::V3_9;
        if anonymous || is_free {
            return Ok(());
        }
        if let Some(instance) = instance {
            let held = |member: &&GroupMember| member.instance_id.as_deref() == Some(instance);
            match self.members.iter().find(held) {
                None => return Err(ErrorCode::UNKNOWN_MEMBER_ID),
                Some(holder) if holder.id != request.member_id => {
                    return Err(ErrorCode::FENCED_INSTANCE_ID);
                }
                Some(_) => {}
            }
        }
        if !self.members.iter().any(|m| m.id == request.member_id) {
            return Err(ErrorCode::UNKNOWN_MEMBER_ID);
        }
        match request.generation_id == self.generation {
            true => Ok(()),
            false => Err(ErrorCode::ILLEGAL_GENERATION),
        }
    }
}

impl MockCluster {
    /// Makes a group what it should be in the eyes of its coordinator.
    pub fn set_group(&mut self, name: &str, generation: i32, members: &[GroupMember]) {
        let group = self.groups.entry(name.to_owned()).or_default();
        group.membership = Some(Membership {
            generation,
            members: members.to_vec(),
        });
    }

    /// The offset that a group has committed of a partition.
    pub fn committed_offset(
        &self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Option<&CommittedOffset> {
        let committed = &self.groups.get(group)?.committed;
        committed.get(&(topic.to_owned(), partition))
    }

    pub(super) fn txn_offset_commit(
        &mut self,
        call: &Call<'_>,
        request: &TxnOffsetCommitRequest,
    ) -> TxnOffsetCommitResponse {
        let is_there = |cluster: &MockCluster, topic: &str, partition| {
            let topic = cluster.topics.get(topic);
            topic.is_some_and(|topic| topic.partition(partition).is_some())
        };
        let outcome = self.around_errors(call, |cluster| cluster.commit_offsets(call, request));
        let result = |topic: &TxnOffsetCommitTopic, asked: &TxnOffsetCommitPartition| {
            let index = asked.partition_index;
            let code = match (call.errors.of_partition(&topic.name, index), outcome) {
                (Some(error), _) => error.code,
                (None, _) if !is_there(self, &topic.name, index) => {
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                }
                (None, Err(code)) => code,
                (None, Ok(())) if is_too_long(asked) => ErrorCode::OFFSET_METADATA_TOO_LARGE,
                (None, Ok(())) => ErrorCode::OK,
            };
            TxnOffsetCommitPartitionResult {
                partition_index: index,
                error_code: wire(code),
            }
        };
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter();
            TxnOffsetCommitTopicResult {
                name: topic.name.clone(),
                partitions: partitions.map(|asked| result(topic, asked)).collect(),
            }
        });
        TxnOffsetCommitResponse {
            throttle_time_ms: call.throttle_ms,
            topics: topics.collect(),
        }
    }

    fn commit_offsets(
        &mut self,
        call: &Call<'_>,
        request: &TxnOffsetCommitRequest,
    ) -> Result<(), ErrorCode> {
        let name = &request.group_id;
        if name.is_empty() {
            return Err(ErrorCode::INVALID_GROUP_ID);
        }
        let loaded = self.check_coordinator(call, CoordinatorKind::Group, name);
        loaded.map_err(|code| match code {
            ErrorCode::COORDINATOR_LOAD_IN_PROGRESS if call.version < LOADING_FROM => {
                ErrorCode::COORDINATOR_NOT_AVAILABLE
            }
            code => code,
        })?;
        let identity = (request.producer_id, request.producer_epoch);
        self.verify_group(call, request)?;
        let release = self.release(call.broker);
        let group = self.groups.entry(name.clone()).or_default();
        if group.membership.is_none() && request.generation_id >= 0 {
            return Err(ErrorCode::ILLEGAL_GENERATION);
        }
        // Who is no member makes the group by committing to it, even if it is then refused.
        let membership = group.membership.get_or_insert_default();
        membership.judge(request, release)?;
        let mut offsets = Offsets::new();
        for topic in &request.topics {
            let accepted = topic.partitions.iter().filter(|asked| {
                let known = self.topics.get(&topic.name);
                let refused = call.errors.of_partition(&topic.name, asked.partition_index);
                known.is_some_and(|known| known.partition(asked.partition_index).is_some())
                    && refused.is_none_or(|error| error.when == When::AfterWork)
                    && !is_too_long(asked)
            });
            for asked in accepted {
                let offset = CommittedOffset {
                    offset: asked.committed_offset,
                    leader_epoch: asked.committed_leader_epoch,
                    metadata: asked.committed_metadata.clone(),
                };
                offsets.insert((topic.name.clone(), asked.partition_index), offset);
            }
        }
        if !offsets.is_empty() {
            let group = self.groups.entry(name.clone()).or_default();
            group.producers.open(identity.0, identity.1);
            group.pending.entry(identity.0).or_default().extend(offsets);
        }
        Ok(())
    }

    /// Lets the transaction's coordinator confirm, or add, the group.
    fn verify_group(
        &mut self,
        call: &Call<'_>,
        request: &TxnOffsetCommitRequest,
    ) -> Result<(), ErrorCode> {
        let identity = (request.producer_id, request.producer_epoch);
        let group = self.groups.get(&request.group_id);
        if let Some(group) = group {
            let judged = group.producers.judge_epoch(identity.0, identity.1);
            judged.map_err(|refusal| refusal.code)?;
        }
        let ongoing = group.is_some_and(|g| g.producers.is_ongoing(identity.0, identity.1));
        if ongoing || self.release(call.broker) < KafkaVersion::V3_9 {
            return Ok(());
        }
        let subject = Subject::Group(&request.group_id);
        let adds = call.version >= ADDS_FROM;
        let verified = self.confirm(call, &request.transactional_id, identity, subject, adds);
        verified.map_err(|code| match code {
            ErrorCode::PRODUCER_FENCED => ErrorCode::INVALID_PRODUCER_EPOCH,
            ErrorCode::TRANSACTION_ABORTABLE if call.version < ABORTABLE_FROM => {
                ErrorCode::INVALID_TXN_STATE
            }
            ErrorCode::NETWORK_EXCEPTION => ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            code => code,
        })
    }
}

fn is_too_long(asked: &TxnOffsetCommitPartition) -> bool {
    let metadata = asked.committed_metadata.as_deref();
    metadata.is_some_and(|metadata| metadata.len() > MAX_METADATA)
}
