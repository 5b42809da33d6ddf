//! One transactional id as its coordinator keeps it, and which steps its state allows.

use crate::error::ErrorCode;
use std::collections::BTreeSet;
use std::time::Duration;

/// No producer holds this epoch: it is left for fencing the last one.
const LAST_USABLE_EPOCH: i16 = i16::MAX - 1;

/// Where a transaction stands. A broker's PrepareEpochFence has no place here: it lasts for no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionState {
    Empty,
    Ongoing,
    PrepareCommit,
    PrepareAbort,
    CompleteCommit,
    CompleteAbort,
}

/// What the coordinator knows of a transactional id.
#[derive(Clone, Debug)]
pub struct Transaction {
    pub producer_id: i64,
    /// −1 before the first producer.
    pub producer_epoch: i16,
    pub state: TransactionState,
    /// The partitions in the transaction whose markers are not written yet.
    pub partitions: BTreeSet<(String, i32)>,
    /// The groups whose offsets are in it.
    pub groups: BTreeSet<String>,
    pub timeout: Duration,
    /// The id before the last change of state.
    previous_producer_id: i64,
    /// The id from the completion on, when this one's epochs are used up.
    next_producer_id: Option<i64>,
    last_epoch: i16,
    began: Duration,
    /// When the markers are to be written.
    completes: Duration,
}

/// What InitProducerId leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begun {
    Ready,
    /// The transaction before it is to be aborted first.
    Fence,
}

/// What EndTxn leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Markers are to be written.
    Now,
    /// It was a retry of what is done.
    Before,
}

/// A producer id and an epoch.
pub(super) type Identity = (i64, i16);

fn is_exhausted(epoch: i16) -> bool {
    epoch >= LAST_USABLE_EPOCH
}

impl Transaction {
    pub(super) fn new(producer_id: i64) -> Self {
        Transaction {
            producer_id,
            producer_epoch: -1,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            groups: BTreeSet::new(),
            timeout: Duration::ZERO,
            previous_producer_id: -1,
            next_producer_id: None,
            last_epoch: -1,
            began: Duration::ZERO,
            completes: Duration::ZERO,
        }
    }

    fn is_completing(&self) -> bool {
        let state = self.state;
        matches!(
            state,
            TransactionState::PrepareCommit | TransactionState::PrepareAbort
        )
    }

    fn enter(&mut self, state: TransactionState) {
        self.previous_producer_id = self.producer_id;
        self.state = state;
    }

    /// InitProducerId. `expected` is what the producer believes to be (KIP-360).
    pub(super) fn init(
        &mut self,
        expected: Option<Identity>,
        timeout: Duration,
        mut new_id: impl FnMut() -> i64,
    ) -> Result<Begun, ErrorCode> {
        if self.is_completing() {
            return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
        }
        let is_ours = |(id, epoch): Identity| {
            self.producer_epoch == -1
                || id == self.producer_id
                || (id == self.previous_producer_id && is_exhausted(epoch))
        };
        if !expected.is_none_or(is_ours) {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        if self.state == TransactionState::Ongoing {
            return Ok(Begun::Fence);
        }
        let current = self.producer_epoch;
        let is_current = expected.is_none_or(|(_, epoch)| epoch == current);
        let next = match (is_exhausted(current), expected) {
            (true, _) if is_current => (new_id(), 0, expected.map_or(-1, |_| current)),
            (true, _) => return Err(ErrorCode::UNKNOWN_SERVER_ERROR),
            (false, None) => (self.producer_id, current + 1, -1),
            (false, Some((_, epoch))) if current == -1 || epoch == current => {
                (self.producer_id, current + 1, current)
            }
            // A retry of what was done already.
            (false, Some((_, epoch))) if epoch == self.last_epoch => {
                (self.producer_id, current, self.last_epoch)
            }
            (false, Some(_)) => return Err(ErrorCode::PRODUCER_FENCED),
        };
        self.enter(TransactionState::Empty);
        (self.producer_id, self.producer_epoch, self.last_epoch) = next;
        self.timeout = timeout;
        Ok(Begun::Ready)
    }

    /// Adds partitions or groups, which begins the transaction.
    pub(super) fn add(
        &mut self,
        (id, epoch): Identity,
        partitions: &BTreeSet<(String, i32)>,
        group: Option<&str>,
        now: Duration,
    ) -> Result<(), ErrorCode> {
        // First, since the producer may know the id that comes with the completion.
        if self.is_completing() {
            return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
        }
        self.identify((id, epoch))?;
        if self.state != TransactionState::Ongoing {
            self.began = now;
            self.partitions.clear();
            self.groups.clear();
        }
        self.enter(TransactionState::Ongoing);
        self.partitions.extend(partitions.iter().cloned());
        self.groups.extend(group.map(str::to_owned));
        Ok(())
    }

    fn identify(&self, (id, epoch): Identity) -> Result<(), ErrorCode> {
        if id != self.producer_id {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        if epoch != self.producer_epoch {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        Ok(())
    }

    /// What the coordinator answers a broker that asks whether a partition or group is in the transaction.
    pub(super) fn verify(
        &self,
        identity: Identity,
        contains: impl FnOnce(&Transaction) -> bool,
    ) -> Result<(), ErrorCode> {
        self.identify(identity)?;
        if self.is_completing() {
            return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
        }
        match self.state == TransactionState::Ongoing && contains(self) {
            true => Ok(()),
            false => Err(ErrorCode::TRANSACTION_ABORTABLE),
        }
    }

    /// EndTxn before version 5: the epoch stays.
    pub(super) fn end(&mut self, identity: Identity, commit: bool) -> Result<Ended, ErrorCode> {
        self.identify(identity)?;
        if self.is_completing() {
            return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
        }
        match (self.state, commit) {
            (TransactionState::Ongoing, _) => {
                self.prepare(commit);
                Ok(Ended::Now)
            }
            (TransactionState::CompleteCommit, true) | (TransactionState::CompleteAbort, false) => {
                Ok(Ended::Before)
            }
            _ => Err(ErrorCode::INVALID_TXN_STATE),
        }
    }

    /// EndTxn of version 5 (KIP-890): the epoch moves on, and the old one marks a retry.
    pub(super) fn end_and_bump(
        &mut self,
        (id, epoch): Identity,
        commit: bool,
        new_id: impl FnMut() -> i64,
    ) -> Result<Ended, ErrorCode> {
        use TransactionState::{CompleteAbort, CompleteCommit, Empty, Ongoing};
        if self.is_completing() {
            return Err(ErrorCode::CONCURRENT_TRANSACTIONS);
        }
        let after_overflow = self.previous_producer_id == id
            && epoch == LAST_USABLE_EPOCH
            && self.producer_epoch == 0;
        let after_bump = i32::from(self.producer_epoch) == i32::from(epoch) + 1;
        if id != self.producer_id && !after_overflow {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        let is_done = matches!(self.state, CompleteCommit | CompleteAbort);
        let is_retry = is_done && (after_bump || after_overflow);
        if epoch != self.producer_epoch && !is_retry {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        match (self.state, commit, is_retry) {
            (CompleteCommit, true, true) | (CompleteAbort, false, true) => Ok(Ended::Before),
            (Ongoing, _, _) | (Empty | CompleteCommit | CompleteAbort, false, false) => {
                self.prepare_bumped(commit, new_id);
                Ok(Ended::Now)
            }
            _ => Err(ErrorCode::INVALID_TXN_STATE),
        }
    }

    fn prepare(&mut self, commit: bool) {
        self.enter(match commit {
            true => TransactionState::PrepareCommit,
            false => TransactionState::PrepareAbort,
        });
    }

    fn prepare_bumped(&mut self, commit: bool, mut new_id: impl FnMut() -> i64) {
        if self.state != TransactionState::Ongoing {
            self.partitions.clear();
            self.groups.clear();
        }
        self.next_producer_id = is_exhausted(self.producer_epoch).then(&mut new_id);
        self.last_epoch = self.producer_epoch;
        self.producer_epoch = self.producer_epoch.saturating_add(1);
        self.prepare(commit);
    }

    /// Aborts an ongoing transaction over its producer's head: its epoch is over.
    pub(super) fn fence(&mut self, bumps_epoch: bool, new_id: impl FnMut() -> i64) {
        if bumps_epoch {
            return self.prepare_bumped(false, new_id);
        }
        self.producer_epoch = self.producer_epoch.saturating_add(1);
        self.last_epoch = -1;
        self.prepare(false);
    }

    pub(super) fn complete_at(&mut self, at: Duration) {
        self.completes = at;
    }

    /// When the transaction has something to do by itself: its time is over, or its markers are to be written.
    pub(super) fn due(&self) -> Option<Duration> {
        match self.state {
            TransactionState::Ongoing => Some(self.began + self.timeout),
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                Some(self.completes)
            }
            _ => None,
        }
    }

    /// All markers are written.
    pub(super) fn complete(&mut self) {
        self.enter(match self.state {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            _ => TransactionState::CompleteAbort,
        });
        self.partitions.clear();
        self.groups.clear();
        if let Some(next) = self.next_producer_id.take() {
            self.producer_id = next;
            self.producer_epoch = 0;
        }
    }

    /// The id and epoch of the producer's next transaction.
    pub(super) fn next_identity(&self) -> Identity {
        match self.next_producer_id {
            Some(next) => (next, 0),
            None => (self.producer_id, self.producer_epoch),
        }
    }
}
