//! The transaction coordinators of the mock cluster: InitProducerId, AddPartitionsToTxn, AddOffsetsToTxn, EndTxn, and
//! what they do when its time has come.

use super::cluster::{BrokerState, MockCluster};
use super::coordinators::CoordinatorKind;
use super::log::Marker;
use super::producers::ProducerRules;
use super::serve::Call;
use super::transaction::{Begun, Ended, Identity, Transaction, TransactionState};
use super::wire;
use crate::error::ErrorCode;
use crate::protocol::add_offsets_to_txn::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use crate::protocol::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult,
};
use crate::protocol::end_txn::{EndTxnRequest, EndTxnResponse};
use crate::protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use std::collections::BTreeSet;
use std::time::Duration;

/// The feature whose level is the version of transactions.
const FEATURE: &str = "transaction.version";
/// The level with which each transaction has an epoch of its own (KIP-890).
const EPOCH_PER_TRANSACTION: i16 = 2;
/// The first version of EndTxn that ends transactions in that way.
const END_BUMPS_FROM: i16 = 5;
/// How soon a marker is tried again whose partition has no leader.
const MARKER_RETRY: Duration = Duration::from_millis(20);

/// What is in a transaction.
#[derive(Clone, Copy)]
pub(super) enum Subject<'a> {
    Partition(&'a str, i32),
    Group(&'a str),
}

impl MockCluster {
    // What tests see and do.

    /// A transactional id as its coordinator knows it.
    pub fn transaction(&self, transactional_id: &str) -> Option<&Transaction> {
        self.transactions.get(transactional_id)
    }

    /// Puts a transactional id into another epoch, to come near the last one.
    pub fn set_transaction_epoch(&mut self, transactional_id: &str, epoch: i16) {
        if let Some(transaction) = self.transactions.get_mut(transactional_id) {
            transaction.producer_epoch = epoch;
        }
    }

    /// Aborts an ongoing transaction now, as when its time is over.
    pub fn time_out_transaction(&mut self, transactional_id: &str) {
        let now = self.now;
        let ongoing = |t: &Transaction| t.state == TransactionState::Ongoing;
        if self.transaction(transactional_id).is_some_and(ongoing) {
            self.fence(transactional_id, now);
            self.advance(now);
        }
    }

    /// How long the markers of a transaction take from its end on.
    pub fn set_marker_delay(&mut self, delay: Duration) {
        self.config.marker_delay = delay;
    }

    // Time.

    /// Lets everything happen that is due at `now`.
    pub fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
        while let Some((at, id)) = self.first_due().filter(|&(at, _)| at <= now) {
            let id = id.to_owned();
            match self.transactions.get(&id).map(|t| t.state) {
                Some(TransactionState::Ongoing) => self.fence(&id, at),
                _ => self.write_markers(&id, now),
            }
        }
    }

    /// When something is to happen without a request.
    pub fn next_due(&self) -> Option<Duration> {
        self.first_due().map(|(at, _)| at)
    }

    fn first_due(&self) -> Option<(Duration, &str)> {
        let due = |(id, t): (&'_ String, &Transaction)| t.due().map(|at| (at, id.to_owned()));
        let first = self.transactions.iter().filter_map(due).min();
        let (at, id) = first?;
        self.transactions
            .get_key_value(&id)
            .map(|(id, _)| (at, id.as_str()))
    }

    fn fence(&mut self, transactional_id: &str, now: Duration) {
        let bumps = self.bumps_epochs(transactional_id);
        let completes = now + self.config.marker_delay;
        let next_id = &mut self.next_producer_id;
        if let Some(transaction) = self.transactions.get_mut(transactional_id) {
            transaction.fence(bumps, || take_id(next_id));
            transaction.complete_at(completes);
        }
    }

    /// Whether the coordinator bumps epochs where no client says so.
    fn bumps_epochs(&self, transactional_id: &str) -> bool {
        let coordinator = self.coordinator(CoordinatorKind::Transaction, transactional_id);
        let offer = coordinator.and_then(|id| self.offer(id));
        offer.is_some_and(|offer| offer.feature(FEATURE) >= EPOCH_PER_TRANSACTION)
    }

    /// Writes the markers for which there are leaders, and completes the transaction with the last.
    fn write_markers(&mut self, transactional_id: &str, now: Duration) {
        let Some(ended) = self.transactions.get(transactional_id).cloned() else {
            return;
        };
        let marker = Marker {
            producer_id: ended.producer_id,
            producer_epoch: ended.producer_epoch,
            commit: ended.state == TransactionState::PrepareCommit,
        };
        let mut left = BTreeSet::new();
        for (topic, partition) in ended.partitions {
            if !self.write_marker(&topic, partition, &marker, now) {
                left.insert((topic, partition));
            }
        }
        for group in &ended.groups {
            let group = self.groups.entry(group.clone()).or_default();
            group.end_transaction(marker.producer_id, marker.producer_epoch, marker.commit);
        }
        if let Some(transaction) = self.transactions.get_mut(transactional_id) {
            transaction.partitions = left;
            match transaction.partitions.is_empty() {
                true => transaction.complete(),
                false => transaction.complete_at(now + MARKER_RETRY),
            }
        }
    }

    /// `false` while the partition has no leader that could write it. A partition that is gone needs none.
    fn write_marker(&mut self, topic: &str, index: i32, marker: &Marker, now: Duration) -> bool {
        let wall_millis = self.wall_millis(now);
        let brokers = &self.brokers;
        let topic = self.topics.get_mut(topic);
        let Some((topic, rules)) = topic.map(|topic| {
            let rules = topic.rules(wall_millis, ProducerRules::default());
            (topic, rules)
        }) else {
            return true;
        };
        let Some(partition) = topic.partition_mut(index) else {
            return true;
        };
        let leader = brokers.get(&partition.leader);
        let is_led = leader.is_some_and(|leader| leader.state == BrokerState::Up);
        if is_led {
            let leader_epoch = partition.leader_epoch;
            partition
                .log
                .append_marker(marker, leader_epoch, rules.wall_millis);
        }
        is_led
    }

    // Requests.

    pub(super) fn init_producer_id(
        &mut self,
        call: &Call<'_>,
        request: &InitProducerIdRequest,
    ) -> InitProducerIdResponse {
        let outcome = self.around_errors(call, |cluster| {
            if (request.producer_id == -1) != (request.producer_epoch == -1) {
                return Err(ErrorCode::INVALID_REQUEST);
            }
            match request.transactional_id.as_deref() {
                // Whoever names no transactional id gets a new id, whatever id and epoch it had.
                None => Ok((
                    take_id(&mut cluster.next_producer_id),
                    std::mem::take(&mut cluster.next_producer_epoch),
                )),
                Some(id) => cluster.init_transactional(call, id, request),
            }
        });
        let mut response = InitProducerIdResponse {
            throttle_time_ms: call.throttle_ms,
            ..InitProducerIdResponse::default()
        };
        match outcome {
            Ok((producer_id, epoch)) => {
                response.producer_id = producer_id;
                response.producer_epoch = epoch;
            }
            Err(code) => response.error_code = wire(fenced_before(4, call.version, code)),
        }
        response
    }

    fn init_transactional(
        &mut self,
        call: &Call<'_>,
        id: &str,
        request: &InitProducerIdRequest,
    ) -> Result<Identity, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let timeout = u64::try_from(request.transaction_timeout_ms).unwrap_or(0);
        let timeout = Duration::from_millis(timeout);
        if timeout.is_zero() || timeout > self.config.max_transaction_timeout {
            return Err(ErrorCode::INVALID_TRANSACTION_TIMEOUT);
        }
        self.check_coordinator(call, CoordinatorKind::Transaction, id)?;
        let next_id = &mut self.next_producer_id;
        let transaction = self
            .transactions
            .entry(id.to_owned())
            .or_insert_with(|| Transaction::new(take_id(next_id)));
        let expected = (request.producer_id, request.producer_epoch);
        let expected = Some(expected).filter(|&(id, _)| id != -1);
        match transaction.init(expected, timeout, || take_id(next_id))? {
            Begun::Ready => Ok((transaction.producer_id, transaction.producer_epoch)),
            Begun::Fence => {
                self.fence(id, call.now);
                Err(ErrorCode::CONCURRENT_TRANSACTIONS)
            }
        }
    }

    pub(super) fn add_partitions_to_txn(
        &mut self,
        call: &Call<'_>,
        request: &AddPartitionsToTxnRequest,
    ) -> AddPartitionsToTxnResponse {
        let outcome = self.around_errors(call, |cluster| {
            let asked = request.topics.iter().flat_map(|topic| {
                let partitions = topic.partitions.iter();
                partitions.map(|&partition| (topic.name.clone(), partition))
            });
            let asked: BTreeSet<(String, i32)> = asked.collect();
            let refused = |(topic, partition): &(String, i32)| {
                cluster.refused_partition(call, topic, *partition).is_some()
            };
            if asked.iter().any(refused) {
                return Err(ErrorCode::OPERATION_NOT_ATTEMPTED);
            }
            let id = &request.transactional_id;
            let identity = (request.producer_id, request.producer_epoch);
            cluster.add_to_transaction(call, id, identity, &asked, None)
        });
        let code = outcome.err().unwrap_or(ErrorCode::OK);
        let result = |topic: &AddPartitionsToTxnTopic, partition_index: i32| {
            let own = self.refused_partition(call, &topic.name, partition_index);
            AddPartitionsToTxnPartitionResult {
                partition_index,
                error_code: wire(own.unwrap_or(fenced_before(2, call.version, code))),
            }
        };
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter();
            AddPartitionsToTxnTopicResult {
                name: topic.name.clone(),
                partitions: partitions.map(|&index| result(topic, index)).collect(),
            }
        });
        AddPartitionsToTxnResponse {
            throttle_time_ms: call.throttle_ms,
            topics: topics.collect(),
        }
    }

    /// Why a partition keeps the whole request from being done.
    fn refused_partition(&self, call: &Call<'_>, topic: &str, index: i32) -> Option<ErrorCode> {
        if let Some(error) = call.errors.of_partition(topic, index) {
            return Some(error.code).filter(|_| call.errors.error().is_none());
        }
        let topic = self.topics.get(topic);
        let partition = topic.and_then(|topic| topic.partition(index));
        match partition {
            None => Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
            Some(_) => None,
        }
    }

    pub(super) fn add_offsets_to_txn(
        &mut self,
        call: &Call<'_>,
        request: &AddOffsetsToTxnRequest,
    ) -> AddOffsetsToTxnResponse {
        let outcome = self.around_errors(call, |cluster| {
            let id = &request.transactional_id;
            let identity = (request.producer_id, request.producer_epoch);
            let group = Some(&*request.group_id);
            cluster.add_to_transaction(call, id, identity, &BTreeSet::new(), group)
        });
        let code = outcome.err().unwrap_or(ErrorCode::OK);
        AddOffsetsToTxnResponse {
            throttle_time_ms: call.throttle_ms,
            error_code: wire(fenced_before(2, call.version, code)),
        }
    }

    fn add_to_transaction(
        &mut self,
        call: &Call<'_>,
        id: &str,
        identity: Identity,
        partitions: &BTreeSet<(String, i32)>,
        group: Option<&str>,
    ) -> Result<(), ErrorCode> {
        let transaction = self.coordinated(call, id)?;
        transaction.add(identity, partitions, group, call.now)
    }

    /// The transactional id, if this broker coordinates it.
    fn coordinated(&mut self, call: &Call<'_>, id: &str) -> Result<&mut Transaction, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        self.check_coordinator(call, CoordinatorKind::Transaction, id)?;
        let known = self.transactions.get_mut(id);
        known.ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)
    }

    pub(super) fn end_txn(&mut self, call: &Call<'_>, request: &EndTxnRequest) -> EndTxnResponse {
        let bumps = call.version >= END_BUMPS_FROM;
        let outcome = self.around_errors(call, |cluster| {
            let (id, commit) = (&request.transactional_id, request.committed);
            let identity = (request.producer_id, request.producer_epoch);
            let completes = call.now + cluster.config.marker_delay;
            cluster.coordinated(call, id)?;
            let next_id = &mut cluster.next_producer_id;
            let known = cluster.transactions.get_mut(id);
            let transaction = known.ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
            let ended = match bumps {
                true => transaction.end_and_bump(identity, commit, || take_id(next_id)),
                false => transaction.end(identity, commit),
            };
            if ended? == Ended::Now {
                transaction.complete_at(completes);
            }
            Ok(transaction.next_identity())
        });
        let mut response = EndTxnResponse {
            throttle_time_ms: call.throttle_ms,
            ..EndTxnResponse::default()
        };
        match outcome {
            Ok((producer_id, epoch)) if bumps => {
                response.producer_id = producer_id;
                response.producer_epoch = epoch;
            }
            Ok(_) => {}
            Err(code) => response.error_code = wire(fenced_before(2, call.version, code)),
        }
        response
    }

    /// What a transaction's coordinator answers another broker, which asks whether something is in the transaction
    /// or wants it to be.
    pub(super) fn confirm(
        &mut self,
        call: &Call<'_>,
        id: &str,
        identity: Identity,
        subject: Subject<'_>,
        adds: bool,
    ) -> Result<(), ErrorCode> {
        self.reach_coordinator(id, call.now)?;
        let known = self.transactions.get_mut(id);
        let transaction = known.ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        match (adds, subject) {
            (true, Subject::Partition(topic, index)) => {
                let partitions = BTreeSet::from([(topic.to_owned(), index)]);
                transaction.add(identity, &partitions, None, call.now)
            }
            (true, Subject::Group(group)) => {
                transaction.add(identity, &BTreeSet::new(), Some(group), call.now)
            }
            (false, Subject::Partition(topic, index)) => {
                let partition = (topic.to_owned(), index);
                transaction.verify(identity, |t| t.partitions.contains(&partition))
            }
            (false, Subject::Group(group)) => {
                transaction.verify(identity, |t| t.groups.contains(group))
            }
        }
    }

    /// Does the work of a request, unless an injected error stands before it or takes its answer's place.
    pub(super) fn around_errors<T>(
        &mut self,
        call: &Call<'_>,
        work: impl FnOnce(&mut Self) -> Result<T, ErrorCode>,
    ) -> Result<T, ErrorCode> {
        if let Some(code) = call.errors.before_work() {
            return Err(code);
        }
        let outcome = work(self);
        call.errors.after_work().map_or(outcome, Err)
    }
}

fn take_id(next: &mut i64) -> i64 {
    *next += 1;
    *next - 1
}

/// Clients before `version` know a fenced producer by another code.
fn fenced_before(version: i16, asked: i16, code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::PRODUCER_FENCED if asked < version => ErrorCode::INVALID_PRODUCER_EPOCH,
        code => code,
    }
}
