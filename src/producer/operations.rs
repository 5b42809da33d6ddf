//! Calls that wait for the engine, and their asynchronous twins.

use std::time::Duration;

use tokio::time::Instant;

use super::record::TopicRef;
use super::{Producer, Purge, Timeout, later};
use crate::accumulator::Command;
use crate::completion::{Completer, Operation, Waiter, in_callback};
use crate::error::{Error, ErrorCode};

/// How much longer than its deadline a call that the engine answers in any case waits for that: only an engine that
/// hangs needs longer.
pub(super) const ENGINE_GRACE: Duration = Duration::from_secs(5);

impl Producer {
    /// Waits for bootstrap and authentication. Optional: the first send does it within its own deadline.
    pub fn start(&self, timeout: Timeout) -> Result<(), Error> {
        if self.shared.is_started() && self.shared.refusal().is_ok() && !in_callback() {
            return Ok(());
        }
        let deadline = self.deadline(timeout);
        let start = |operation| Command::Start {
            operation,
            deadline,
        };
        self.blocking(deadline, "kprod_start", start).map(drop)
    }

    pub fn start_async(&self, tag: u64) -> Result<(), ErrorCode> {
        self.tagged(tag, |operation, deadline| Command::Start {
            operation,
            deadline,
        })
    }

    /// The number of partitions of a topic.
    pub fn partitions_for(&self, topic: TopicRef<'_>, timeout: Timeout) -> Result<i32, Error> {
        let topic = self.shared.resolve(topic).map_err(plain)?.clone();
        let known = topic.partition_count();
        if known > 0 {
            self.shared.refusal().map_err(plain)?;
            return Ok(known);
        }
        let asked = topic.clone();
        let deadline = self.deadline(timeout);
        let count = self.blocking(deadline, "kprod_partitions_for", |operation| {
            Command::PartitionsFor {
                topic: asked,
                operation,
                deadline,
            }
        });
        // What the cluster said of the topic tells more than that the time is up.
        count
            .map(|count| count as i32)
            .map_err(|error| match (error.code, topic.error()) {
                (ErrorCode::TIMED_OUT, Some(said)) => said,
                _ => error,
            })
    }

    pub fn partitions_for_async(&self, topic: TopicRef<'_>, tag: u64) -> Result<(), ErrorCode> {
        let topic = self.shared.resolve(topic)?.clone();
        self.tagged(tag, |operation, deadline| Command::PartitionsFor {
            topic,
            operation,
            deadline,
        })
    }

    /// Waits until the outcomes of all records accepted before are queued (in callback modes: until their
    /// callbacks have returned). Failed records are no failure of the flush.
    pub fn flush(&self, timeout: Timeout) -> Result<(), Error> {
        if in_callback() {
            return Err(plain(ErrorCode::IN_CALLBACK));
        }
        self.shared.refusal().map_err(plain)?;
        let waiter = Waiter::new();
        self.begin_flush(Completer::Thread(waiter.clone()));
        match waiter.wait(Some(self.deadline(timeout))) {
            Some(result) => result.map(drop),
            None => {
                let unfinished = "records are still without an outcome";
                let why = match self.shared.hindrance(ErrorCode::TIMED_OUT) {
                    Some(hindrance) => &format!("{unfinished}: {}", hindrance.message),
                    None => unfinished,
                };
                Err(timed_out("kprod_flush", why))
            }
        }
    }

    pub fn flush_async(&self, tag: u64) -> Result<(), ErrorCode> {
        self.shared.refusal()?;
        self.begin_flush(Completer::Tag(tag));
        Ok(())
    }

    fn begin_flush(&self, completer: Completer) {
        let accumulator = &self.shared.accumulator;
        if !accumulator.incomplete.flush(completer) {
            accumulator.ready.command(Command::Flush);
        }
    }

    /// Reports what it drops with PURGED_QUEUED or PURGED_IN_FLIGHT before it returns.
    pub fn purge(&self, what: Purge) -> Result<(), ErrorCode> {
        if in_callback() {
            return Err(ErrorCode::IN_CALLBACK);
        }
        if !what.queued && !what.in_flight {
            return Err(ErrorCode::INVALID_ARG);
        }
        // However little max.block.ms leaves for the cluster: a purge needs none, only the engine's turn.
        let deadline = self.deadline(Timeout::Configured) + ENGINE_GRACE;
        let done = self.blocking(deadline, "kprod_purge", |operation| Command::Purge {
            queued: what.queued,
            in_flight: what.in_flight,
            operation,
        });
        done.map(drop).map_err(|error| error.code)
    }

    fn blocking(
        &self,
        deadline: Instant,
        call: &str,
        command: impl FnOnce(Operation) -> Command,
    ) -> Result<u32, Error> {
        if in_callback() {
            return Err(plain(ErrorCode::IN_CALLBACK));
        }
        self.shared.refusal().map_err(plain)?;
        let waiter = Waiter::new();
        let operation = Operation::new(Completer::Thread(waiter.clone()), self.shared.hub.clone());
        self.shared.accumulator.ready.command(command(operation));
        match waiter.wait(Some(deadline)) {
            Some(result) => result,
            None => Err(self.timed_out(call)),
        }
    }

    fn tagged(
        &self,
        tag: u64,
        command: impl FnOnce(Operation, Instant) -> Command,
    ) -> Result<(), ErrorCode> {
        self.shared.refusal()?;
        let operation = Operation::new(Completer::Tag(tag), self.shared.hub.clone());
        let deadline = self.deadline(Timeout::Configured);
        self.shared
            .accumulator
            .ready
            .command(command(operation, deadline));
        Ok(())
    }

    pub(super) fn deadline(&self, timeout: Timeout) -> Instant {
        match timeout {
            Timeout::Now => Instant::now(),
            Timeout::Configured => later(self.shared.config.max_block),
            Timeout::After(limit) => later(limit),
        }
    }

    /// The error of a call whose time is up, with what is known of the reason.
    fn timed_out(&self, call: &str) -> Error {
        match self.shared.hindrance(ErrorCode::TIMED_OUT) {
            Some(hindrance) => Error::new(
                hindrance.code,
                format!("{call} timed out: {}", hindrance.message),
            ),
            None => timed_out(call, "the cluster has not answered"),
        }
    }
}

fn timed_out(call: &str, why: &str) -> Error {
    Error::new(ErrorCode::TIMED_OUT, format!("{call} timed out: {why}"))
}

/// An error that needs no more words than its code has.
pub(super) fn plain(code: ErrorCode) -> Error {
    Error::new(code, code.text())
}
