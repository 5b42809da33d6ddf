//! Transactions as their user sees them: calls that wait for the engine, and their asynchronous twins.

use super::operations::{ENGINE_GRACE, plain};
use super::{Producer, Timeout};
use crate::accumulator::Command;
use crate::completion::{Completer, Operation, Waiter, in_callback};
use crate::error::{Error, ErrorCode};
use crate::transaction::{Call, Offsets};

impl Producer {
    /// Opens a transaction; the first one also makes the producer known to the cluster, which fences its predecessor.
    pub fn begin_transaction(&self, timeout: Timeout) -> Result<(), Error> {
        self.transact(Call::Begin, None, timeout)
    }

    pub fn begin_transaction_async(&self, tag: u64) -> Result<(), Error> {
        self.transact_async(Call::Begin, None, tag)
    }

    /// Waits for the outcomes of the transaction's records and commits it.
    pub fn commit_transaction(&self, timeout: Timeout) -> Result<(), Error> {
        self.transact(Call::Commit, None, timeout)
    }

    pub fn commit_transaction_async(&self, tag: u64) -> Result<(), Error> {
        self.transact_async(Call::Commit, None, tag)
    }

    /// Drops what was not sent, waits for the outcomes of the rest, and aborts the transaction.
    pub fn abort_transaction(&self, timeout: Timeout) -> Result<(), Error> {
        self.transact(Call::Abort, None, timeout)
    }

    pub fn abort_transaction_async(&self, tag: u64) -> Result<(), Error> {
        self.transact_async(Call::Abort, None, tag)
    }

    /// Makes a consumer group's offsets part of the transaction.
    pub fn send_offsets_to_transaction(
        &self,
        offsets: Offsets,
        timeout: Timeout,
    ) -> Result<(), Error> {
        self.transact(Call::SendOffsets, Some(offsets), timeout)
    }

    pub fn send_offsets_to_transaction_async(
        &self,
        offsets: Offsets,
        tag: u64,
    ) -> Result<(), Error> {
        self.transact_async(Call::SendOffsets, Some(offsets), tag)
    }

    fn transact(
        &self,
        call: Call,
        offsets: Option<Offsets>,
        timeout: Timeout,
    ) -> Result<(), Error> {
        if in_callback() {
            return Err(plain(ErrorCode::IN_CALLBACK));
        }
        self.may_transact(call)?;
        let waiter = Waiter::new();
        let deadline = self.command(call, offsets, Completer::Thread(waiter.clone()), timeout);
        match waiter.wait(Some(deadline + ENGINE_GRACE)) {
            Some(result) => result.map(drop),
            None => Err(Error::new(
                ErrorCode::TIMED_OUT,
                format!("{call} timed out: the producer does not answer"),
            )),
        }
    }

    fn transact_async(&self, call: Call, offsets: Option<Offsets>, tag: u64) -> Result<(), Error> {
        self.may_transact(call)?;
        self.command(call, offsets, Completer::Tag(tag), Timeout::Configured);
        Ok(())
    }

    fn command(
        &self,
        call: Call,
        offsets: Option<Offsets>,
        completer: Completer,
        timeout: Timeout,
    ) -> tokio::time::Instant {
        let deadline = self.deadline(timeout);
        let operation = Operation::new(completer, self.shared.hub.clone());
        self.shared.accumulator.ready.command(Command::Transaction {
            call,
            offsets: offsets.map(Box::new),
            operation,
            deadline,
        });
        deadline
    }

    fn may_transact(&self, call: Call) -> Result<(), Error> {
        if self.shared.config.transactional_id.is_none() {
            return Err(Error::new(
                ErrorCode::ILLEGAL_STATE,
                format!("{call}: the producer has no transactional.id"),
            ));
        }
        // What ended the producer tells more than that it has ended.
        if let Some(fatal) = self.shared.fatal() {
            return Err(fatal.clone());
        }
        self.shared.refusal().map_err(plain)
    }
}
