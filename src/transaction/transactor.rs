//! What is to be asked of the brokers next, one request at a time.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::calls::{Call, Calls, Entry};
use super::identity::Identity;
use super::inquiry::Inquiry;
use super::offsets::Offsets;
use super::state::{Ending, State};
use super::step::{Destination, Refused, Step};
use super::verdict::may_be_done;
use crate::completion::Operation;
use crate::error::{Class, Error, ErrorCode};
use crate::network::{Backoff, RequestId};
use crate::sys::Rng;

/// How soon a coordinator that is still ending the last transaction is asked again, at first.
const CONCURRENT_BACKOFF: Duration = Duration::from_millis(20);

/// What the producer is to the brokers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Nobody in particular.
    Plain,
    Idempotent,
    Transactional(String),
}

/// The protocol of a transaction (KIP-890).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    /// Partitions and groups are announced to the coordinator first.
    V1,
    /// Brokers announce them; each end brings a new epoch.
    V2,
}

/// The state of identity and transaction, owned by the engine.
#[derive(Debug)]
pub struct Transactor {
    kind: Kind,
    identity: Option<Identity>,
    wants_identity: bool,
    /// The coordinator is to give the next epoch (KIP-360).
    wants_bump: bool,
    /// The epoch has seen transactions of the first protocol.
    used_v1: bool,
    state: State,
    protocol: Protocol,
    /// The finalized feature `transaction.version` and the epoch of the answer that said so.
    feature: (i64, i16),
    /// Counts transactions.
    number: u64,
    /// The coordinator knows of the transaction, or may.
    started: bool,
    /// An announcement had no answer, and its repetition no success yet.
    in_doubt: bool,
    /// The commit was asked for, and no answer says that it was not done.
    commit_in_doubt: bool,
    to_add: BTreeSet<usize>,
    adding: Vec<usize>,
    offsets: Option<Offsets>,
    offsets_added: bool,
    coordinator: Option<i32>,
    group_coordinator: Option<i32>,
    outstanding: Option<(RequestId, Step)>,
    pub inquiry: Inquiry,
    not_before: Option<Instant>,
    /// What is tried in vain.
    refused: Option<Refused>,
    backoff: Backoff,
    concurrent: Backoff,
    calls: Calls,
}

impl Transactor {
    pub fn new(
        idempotent: bool,
        transactional_id: Option<&str>,
        backoff: (Duration, Duration),
    ) -> Self {
        let kind = match (transactional_id, idempotent) {
            (Some(id), _) => Kind::Transactional(id.to_owned()),
            (None, true) => Kind::Idempotent,
            (None, false) => Kind::Plain,
        };
        Transactor {
            kind,
            identity: None,
            wants_identity: false,
            wants_bump: false,
            used_v1: false,
            state: State::Idle,
            protocol: Protocol::V1,
            feature: (-1, 0),
            number: 0,
            started: false,
            in_doubt: false,
            commit_in_doubt: false,
            to_add: BTreeSet::new(),
            adding: Vec::new(),
            offsets: None,
            offsets_added: false,
            coordinator: None,
            group_coordinator: None,
            outstanding: None,
            inquiry: Inquiry::default(),
            not_before: None,
            refused: None,
            backoff: Backoff::new(backoff.0, backoff.1),
            concurrent: Backoff::new(CONCURRENT_BACKOFF.min(backoff.1), backoff.1),
            calls: Calls::default(),
        }
    }

    /// Whether batches carry a producer id.
    pub fn is_idempotent(&self) -> bool {
        self.kind != Kind::Plain
    }

    pub fn transactional_id(&self) -> Option<&str> {
        match &self.kind {
            Kind::Transactional(id) => Some(id),
            Kind::Plain | Kind::Idempotent => None,
        }
    }

    pub fn is_transactional(&self) -> bool {
        self.transactional_id().is_some()
    }

    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Has the identity asked for; true if there is one.
    pub fn want_identity(&mut self) -> bool {
        self.wants_identity |= self.identity.is_none();
        self.identity.is_some() && !self.wants_bump
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn is_aborting(&self) -> bool {
        matches!(self.state, State::Doomed(_) | State::Ending(Ending::Abort))
    }

    pub fn is_ending(&self) -> bool {
        matches!(self.state, State::Ending(_))
    }

    /// Whether a transaction is still to be ended.
    pub fn is_unsettled(&self) -> bool {
        self.state != State::Idle
    }

    /// Whether Produce requests announce their partitions themselves.
    pub fn is_second_protocol(&self) -> bool {
        self.protocol == Protocol::V2
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    /// What a broker said of the cluster's features; the newest word counts.
    pub fn learn_feature(&mut self, epoch: i64, level: i16) {
        if epoch >= self.feature.0 {
            self.feature = (epoch, level);
        }
    }

    /// Another identity than `old` for a partition whose sequence has ended. `None`: there is none yet.
    pub fn renew(&mut self, old: Option<Identity>) -> Option<Identity> {
        let current = self.identity?;
        if old != Some(current) {
            return Some(current);
        }
        if self.is_transactional() {
            // Only the coordinator gives another, and only between transactions.
            self.wants_bump = true;
            return None;
        }
        self.identity = current.bumped();
        self.wants_identity = self.identity.is_none();
        self.identity
    }

    /// A place in a sequence was given up: the next transaction begins with new sequences.
    pub fn note_broken(&mut self) {
        if self.is_transactional() && self.protocol == Protocol::V1 {
            self.wants_bump = true;
        }
    }

    /// A batch of the transaction is on its way.
    pub fn note_started(&mut self) {
        self.started |= self.is_transactional();
    }

    /// The partition's first batch of the transaction is due: announces it where that is needed. False: it has to
    /// wait. `joined` is the number of the transaction that the partition joined last.
    pub fn join(&mut self, partition: usize, joined: &mut u64) -> bool {
        if !self.is_transactional() || *joined == self.number {
            return true;
        }
        if self.protocol == Protocol::V2 {
            *joined = self.number;
            return true;
        }
        if !self.adding.contains(&partition) {
            self.to_add.insert(partition);
        }
        false
    }

    // ---- the user's calls

    pub fn enter(
        &mut self,
        call: Call,
        offsets: Option<&Offsets>,
        deadline: Instant,
        operation: Operation,
    ) -> Entry {
        self.calls.enter(call, offsets, deadline, operation)
    }

    pub fn conclude(&mut self, result: Result<(), Error>) {
        self.calls.conclude(result);
    }

    pub fn call(&self) -> Option<Call> {
        self.calls.current()
    }

    /// Answers a call that is out of time.
    pub fn expire_calls(&mut self, now: Instant, error: impl Fn(Call) -> Error) {
        self.calls.expire(now, error);
    }

    /// The step that is tried in vain, if one is.
    pub fn refused(&self) -> Option<Refused> {
        self.refused
    }

    pub fn set_offsets(&mut self, offsets: Offsets) {
        self.offsets = Some(offsets);
        self.offsets_added = false;
        self.group_coordinator = None;
    }

    /// Whether a transaction can be begun now, with the protocol that the cluster has. A begin that nobody waits for
    /// any more is forgotten: nobody would know of the open transaction.
    pub fn may_begin(&mut self) -> bool {
        if self.calls.current() != Some(Call::Begin) || self.state != State::Idle {
            return false;
        }
        if !self.calls.is_awaited() {
            self.calls.forget();
            return false;
        }
        let second = self.feature.1 >= 2;
        // An epoch that was used by the first protocol is not used by the second (KAFKA-18227).
        self.wants_bump |= second && self.used_v1 && self.identity.is_some();
        if !self.want_identity() {
            return false;
        }
        self.protocol = match second {
            true => Protocol::V2,
            false => Protocol::V1,
        };
        true
    }

    /// The transaction is open.
    pub fn begin(&mut self) {
        self.state = State::Open;
        self.number += 1;
        self.started = false;
        self.used_v1 |= self.protocol == Protocol::V1;
        self.conclude(Ok(()));
    }

    /// Something of the transaction failed; true if that is news, for `answer_doomed` to tell when nothing is accepted
    /// any more.
    pub fn doom(&mut self, error: Error) -> bool {
        match self.state {
            // What may have been committed is not to be taken for what can be sent again.
            State::Ending(Ending::Commit) if self.may_be_committed() => return false,
            State::Open | State::Ending(Ending::Commit) => {}
            State::Idle | State::Doomed(_) | State::Ending(Ending::Abort) => return false,
        }
        let message = format!("the transaction can only be aborted: {}", error.message);
        let error = Error::new(error.code, message).of_class(Class::Abortable);
        self.state = State::Doomed(error);
        self.drop_announcements();
        true
    }

    /// Whether the coordinator may have carried out the commit.
    fn may_be_committed(&self) -> bool {
        let asked = matches!(self.outstanding, Some((_, Step::End { commit: true })));
        asked || self.commit_in_doubt
    }

    /// Answers the call that a failed transaction cannot fulfil.
    pub fn answer_doomed(&mut self) {
        if let State::Doomed(error) = &self.state
            && matches!(self.call(), Some(Call::Commit | Call::SendOffsets))
        {
            let error = error.clone();
            self.conclude(Err(error));
        }
    }

    pub fn begin_ending(&mut self, ending: Ending) {
        self.state = State::Ending(ending);
        if ending == Ending::Abort {
            self.drop_announcements();
        }
    }

    /// Nothing joins the transaction any more. But what may have joined it already has to be known before its end is
    /// asked for, which a coordinator that knows of no transaction refuses.
    fn drop_announcements(&mut self) {
        if !self.in_doubt {
            self.to_add.clear();
            // Those that are being announced are needed to ask again, if there is no answer.
            if !matches!(self.outstanding, Some((_, Step::AddOffsets))) {
                self.offsets = None;
            }
        }
    }

    // ---- steps

    /// What to ask now. `drained`: every record that was accepted has its outcome.
    pub fn next_step(&self, drained: bool, now: Instant) -> Option<Step> {
        if self.outstanding.is_some() || self.not_before.is_some_and(|at| at > now) {
            return None;
        }
        let wanted = self.wanted(drained)?;
        let of_coordinator =
            self.is_transactional() && !matches!(wanted, Step::FindGroup | Step::CommitOffsets);
        Some(match of_coordinator && self.coordinator.is_none() {
            true => Step::FindCoordinator,
            false => wanted,
        })
    }

    fn wanted(&self, drained: bool) -> Option<Step> {
        if self.wants_identity && self.identity.is_none() {
            return Some(Step::InitProducerId);
        }
        let between = self.state == State::Idle;
        if self.wants_bump && between && self.call() == Some(Call::Begin) {
            return Some(Step::InitProducerId);
        }
        if !self.to_add.is_empty() {
            return Some(Step::AddPartitions);
        }
        if self.offsets.is_some() {
            return Some(
                match (self.protocol, self.offsets_added, self.group_coordinator) {
                    (Protocol::V1, false, _) => Step::AddOffsets,
                    (_, _, None) => Step::FindGroup,
                    _ => Step::CommitOffsets,
                },
            );
        }
        match self.state {
            State::Ending(ending) if drained && self.started => Some(Step::End {
                commit: ending == Ending::Commit,
            }),
            _ => None,
        }
    }

    /// Whether the transaction ends without anybody being asked: the coordinator knows nothing of it.
    pub fn ends_alone(&self, drained: bool) -> bool {
        matches!(self.state, State::Ending(_))
            && drained
            && !self.started
            && self.outstanding.is_none()
            && self.to_add.is_empty()
            && self.offsets.is_none()
    }

    pub fn destination(&self, step: Step) -> Destination {
        let node = match step {
            Step::FindCoordinator | Step::FindGroup => None,
            Step::InitProducerId if !self.is_transactional() => None,
            Step::CommitOffsets => self.group_coordinator,
            _ => self.coordinator,
        };
        node.map_or(Destination::Any, Destination::Node)
    }

    /// When to look again, if a backoff is what is waited for.
    pub fn waits_until(&self) -> Option<Instant> {
        self.not_before
    }

    pub fn asked(&mut self, id: RequestId, step: Step) {
        self.outstanding = Some((id, step));
        match step {
            Step::AddPartitions => {
                self.adding = std::mem::take(&mut self.to_add).into_iter().collect();
            }
            // It joins the group to the transaction, and may be refused after that; the coordinator ends what has not
            // begun as well.
            Step::CommitOffsets if self.protocol == Protocol::V2 => self.started = true,
            _ => {}
        }
    }

    /// The step that the request stands for.
    pub fn outstanding(&self, id: RequestId) -> Option<Step> {
        let (outstanding, step) = self.outstanding?;
        (outstanding == id).then_some(step)
    }

    /// The step that the request stands for, which is over with this.
    pub fn answered(&mut self, id: RequestId) -> Option<Step> {
        let step = self.outstanding(id)?;
        self.outstanding = None;
        Some(step)
    }

    /// The step that waits for its answer.
    pub fn pending(&self) -> Option<(RequestId, Step)> {
        self.outstanding
    }

    /// How to learn whether the step would go to another broker by now. `None`: any broker can be asked instead of the
    /// one that was.
    pub fn inquiry_about(&self, step: Step) -> Option<Step> {
        match (self.destination(step), step) {
            (Destination::Any, _) => None,
            (Destination::Node(_), Step::CommitOffsets) => Some(Step::FindGroup),
            (Destination::Node(_), _) => Some(Step::FindCoordinator),
        }
    }

    /// The outstanding step is to be made again at once, with the coordinator that the inquiry found. What was asked
    /// of the other may have been done.
    pub fn redirect(&mut self, inquiry: Step, node: i32, now: Instant, rng: &Rng) {
        let Some((_, step)) = self.outstanding.take() else {
            return;
        };
        self.again(step, ErrorCode::NETWORK_EXCEPTION, now, rng);
        self.found(inquiry, node);
    }

    /// Partitions to announce next.
    pub fn to_add(&self) -> impl Iterator<Item = usize> {
        self.to_add.iter().copied()
    }

    pub fn offsets(&self) -> Option<&Offsets> {
        self.offsets.as_ref()
    }

    /// The step is to be made again, later. `lost`: there was no answer, so it may have been done.
    pub fn again(&mut self, step: Step, code: ErrorCode, now: Instant, rng: &Rng) {
        let lost = code == ErrorCode::NETWORK_EXCEPTION;
        match step {
            // That a repetition was refused says nothing of the attempt that had no answer.
            Step::AddPartitions if lost || self.in_doubt || !self.is_aborting() => {
                self.to_add.extend(self.adding.drain(..));
                self.in_doubt |= lost;
            }
            Step::AddPartitions => self.adding.clear(),
            Step::AddOffsets if lost || self.in_doubt || !self.is_aborting() => {
                self.in_doubt |= lost && self.offsets.is_some();
            }
            Step::AddOffsets => self.offsets = None,
            Step::End { commit: true } => self.commit_in_doubt |= may_be_done(code),
            _ => {}
        }
        let wait = match code {
            ErrorCode::CONCURRENT_TRANSACTIONS => self.concurrent.next(rng),
            _ => self.backoff.next(rng),
        };
        self.not_before = Some(now + wait);
        let since = self.refused.map_or(now, |before| before.since);
        self.refused = Some(Refused { step, code, since });
    }

    /// The step failed, and with it the transaction.
    pub fn step_failed(&mut self, step: Step) {
        self.settled();
        match step {
            Step::AddPartitions => self.adding.clear(),
            Step::AddOffsets if self.is_aborting() => self.offsets = None,
            _ => {}
        }
    }

    /// The coordinator that the step would go to is not where it was.
    pub fn forget_coordinator(&mut self, step: Step) {
        match step {
            Step::CommitOffsets | Step::FindGroup => self.group_coordinator = None,
            _ => self.coordinator = None,
        }
    }

    /// Nothing that was announced is in doubt any more.
    fn settled(&mut self) {
        self.succeeded();
        self.refused = None;
        self.in_doubt = false;
        self.commit_in_doubt = false;
    }

    fn succeeded(&mut self) {
        self.backoff.reset();
        self.concurrent.reset();
        self.not_before = None;
    }

    pub fn found(&mut self, step: Step, node: i32) {
        // Whether an announcement arrived is no clearer for knowing whom to ask.
        self.succeeded();
        let of_finding = |refused: &mut Refused| refused.step == step;
        self.refused.take_if(of_finding);
        match step {
            Step::FindGroup => self.group_coordinator = Some(node),
            _ => self.coordinator = Some(node),
        }
    }

    pub fn initialised(&mut self, identity: Identity) {
        self.settled();
        self.identity = Some(identity);
        self.wants_identity = false;
        self.wants_bump = false;
        self.used_v1 = false;
    }

    /// The identity was refused, or nobody could be asked: who begins a transaction has to ask again.
    pub fn not_initialised(&mut self, error: Error) {
        self.wants_identity &= !self.is_transactional();
        if self.call() == Some(Call::Begin) {
            self.conclude(Err(error));
        }
    }

    /// Partitions that may send now.
    pub fn added(&mut self) -> Vec<usize> {
        self.settled();
        self.started = true;
        std::mem::take(&mut self.adding)
    }

    pub fn added_offsets(&mut self) {
        self.settled();
        self.started = true;
        self.offsets_added = true;
        if self.is_aborting() {
            self.offsets = None;
        }
    }

    pub fn committed_offsets(&mut self) {
        self.settled();
        self.started = true;
        // An abort may have taken over meanwhile.
        if self.offsets.take().is_some() {
            self.conclude(Ok(()));
        }
    }

    /// The transaction has ended; the coordinator may have given the identity for the next.
    pub fn ended(&mut self, next: Option<Identity>) {
        self.settled();
        if let Some(identity) = next {
            self.identity = Some(identity);
            self.wants_bump = false;
            self.used_v1 = false;
        } else if self.protocol == Protocol::V2 && self.started {
            // A coordinator of the first protocol has ended it.
            self.wants_bump = true;
        }
        self.state = State::Idle;
        self.started = false;
        self.to_add.clear();
        self.offsets = None;
        self.conclude(Ok(()));
    }
}
