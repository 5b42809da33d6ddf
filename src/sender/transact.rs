//! Transactions: the user's calls, and how a transaction opens, fails and ends.

use tokio::time::Instant;

use super::Engine;
use crate::accumulator::Gate;
use crate::completion::{Completer, Operation};
use crate::error::{Class, Error, ErrorCode};
use crate::network::RequestId;
use crate::transaction::{Call, Ending, Entry, Identity, Offsets, State, Step};

/// Sends outside of a transaction.
const OUTSIDE: Gate = Gate::Shut(ErrorCode::ILLEGAL_STATE);
/// Sends in a transaction that can only be aborted.
const DOOMED: Gate = Gate::Shut(ErrorCode::TRANSACTION_ABORTABLE);

impl Engine {
    pub(super) fn on_call(
        &mut self,
        call: Call,
        offsets: Option<Box<Offsets>>,
        operation: Operation,
        deadline: Instant,
    ) {
        let entry = self
            .transactor
            .enter(call, offsets.as_deref(), deadline, operation);
        if matches!(entry, Entry::New) {
            let result = self.begin_call(call, offsets);
            if let Some(result) = result {
                self.transactor.conclude(result);
            }
        }
        self.timers.at(deadline, super::Timer::Look);
    }

    /// Answers the call at once, or begins what it asks for.
    fn begin_call(
        &mut self,
        call: Call,
        offsets: Option<Box<Offsets>>,
    ) -> Option<Result<(), Error>> {
        let state = self.transactor.state().clone();
        match (call, state) {
            (Call::Begin, State::Idle) => {
                self.transactor.want_identity();
                None
            }
            (Call::SendOffsets, State::Open) => {
                let offsets = offsets.filter(|offsets| !offsets.offsets.is_empty());
                match offsets {
                    Some(offsets) => self.transactor.set_offsets(*offsets),
                    None => return Some(Ok(())),
                }
                None
            }
            (Call::Commit | Call::SendOffsets, State::Doomed(error)) => Some(Err(error)),
            (Call::Commit, State::Open) => {
                self.begin_ending(Ending::Commit);
                None
            }
            (Call::Abort, State::Open | State::Doomed(_)) => {
                self.begin_ending(Ending::Abort);
                None
            }
            (Call::Begin, _) => Some(Err(illegal(
                call,
                "a transaction is open: commit or abort it first",
            ))),
            (_, State::Idle) => Some(Err(illegal(
                call,
                "no transaction is open: begin one first",
            ))),
            (_, State::Ending(_)) => Some(Err(illegal(call, "the transaction is being ended"))),
        }
    }

    /// The producer ends before the call under way has.
    pub(super) fn dismiss_call(&mut self) {
        let Some(call) = self.transactor.call() else {
            return;
        };
        let outcome = match call {
            Call::Commit => "whether the transaction was committed is not known",
            Call::Begin | Call::SendOffsets | Call::Abort => {
                "what is open of the transaction will be aborted"
            }
        };
        let message = format!("the producer was closed before {call} had ended; {outcome}");
        self.transactor
            .conclude(Err(Error::new(ErrorCode::CLOSED, message)));
    }

    fn begin_ending(&mut self, ending: Ending) {
        self.accumulator.set_gate(OUTSIDE);
        self.transactor.begin_ending(ending);
        if ending == Ending::Abort {
            self.drop_undrained();
        }
        self.hasten(Instant::now());
    }

    /// Nothing lingers until all that was accepted has its outcome, the last of which wakes the engine, wherever it
    /// comes from.
    pub(super) fn hasten(&mut self, now: Instant) {
        let ready = self.accumulator.ready.clone();
        let wake = Completer::Call(Box::new(move || ready.wake()));
        self.accumulator.incomplete.flush(wake);
        self.all_due(now);
    }

    /// What has not been written cannot be committed any more.
    fn drop_undrained(&mut self) {
        self.dismiss_lines(ErrorCode::ABORTED);
        self.examine_all(Instant::now());
        let topics: Vec<_> = self.accumulator.topics.iter().cloned().collect();
        for topic in topics {
            topic.fail_parked(
                ErrorCode::ABORTED,
                "its transaction was aborted while its metadata was awaited",
            );
        }
    }

    /// What is to be done about identity and transaction in this turn.
    pub(super) fn pursue(&mut self, now: Instant) {
        if let Some(error) = self.pending_fatal.take() {
            return self.on_fatal(error.of_class(Class::Fatal));
        }
        if !self.transactor.is_idempotent() {
            return;
        }
        if let Some(error) = self.pending_doom.take() {
            self.doom(error);
        }
        if let Some(failure) = self.accumulator.hub.take_first_failure() {
            self.doom(failure);
        }
        if self.transactor.may_begin() {
            let next = self.transactor.number() + 1;
            if self.accumulator.set_gate(Gate::Open(next)) {
                self.transactor.begin();
            }
        }
        self.note_refused();
        // Behind what can be done at once, for who does not want to wait at all.
        let shared = &self.shared;
        self.transactor.expire_calls(now, |call| {
            let cause = match shared.hindrance(ErrorCode::TIMED_OUT) {
                Some(cause) => format!(": {}", cause.message),
                None => String::new(),
            };
            let text = format!("{call} timed out; it goes on: call it again for its result{cause}");
            Error::new(ErrorCode::TIMED_OUT, text)
        });
        let drained = self.accumulator.incomplete.is_empty() && self.lines.is_empty();
        if self.transactor.ends_alone(drained) {
            self.end(None);
        }
        match self.transactor.next_step(drained, now) {
            Some(step) => self.take_step(step, now),
            None => {
                if let Some(at) = self.transactor.waits_until().filter(|at| *at > now) {
                    self.look_at(at);
                }
            }
        }
    }

    /// The transaction can only be aborted.
    pub(super) fn doom(&mut self, error: Error) {
        if self.transactor.doom(error) {
            self.accumulator.set_gate(DOOMED);
            self.drop_undrained();
            self.transactor.answer_doomed();
        }
    }

    /// The transaction is over.
    pub(super) fn end(&mut self, next: Option<Identity>) {
        // What failed belonged to it.
        let _ = self.accumulator.hub.take_first_failure();
        self.transactor.ended(next);
    }

    /// Aborts what is open when the producer closes.
    pub(super) fn abort_for_close(&mut self) {
        if matches!(self.transactor.state(), State::Open | State::Doomed(_)) {
            self.transactor.begin_ending(Ending::Abort);
            self.drop_undrained();
        }
    }

    /// A request about identity or transaction that will not be answered.
    pub(super) fn on_step_lost(&mut self, id: RequestId, now: Instant) {
        if self.transactor.inquiry.ended(id).is_some() {
            return;
        }
        if let Some(step) = self.transactor.answered(id) {
            self.again(step, ErrorCode::NETWORK_EXCEPTION, true, now);
        }
    }

    pub(super) fn again(&mut self, step: Step, code: ErrorCode, elsewhere: bool, now: Instant) {
        if elsewhere {
            self.transactor.forget_coordinator(step);
        }
        self.transactor.again(step, code, now, &self.rng);
        if let Some(at) = self.transactor.waits_until() {
            self.look_at(at);
        }
    }
}

fn illegal(call: Call, why: &str) -> Error {
    Error::new(ErrorCode::ILLEGAL_STATE, format!("{call}: {why}"))
}
