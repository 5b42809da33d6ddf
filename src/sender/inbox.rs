//! News and commands from the senders' threads.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{Engine, Timer};
use crate::accumulator::{Command, Inbox, Topic};
use crate::completion::Completer;
use crate::error::{Error, ErrorCode};

impl Engine {
    pub(super) fn take_inbox(&mut self, inbox: &mut Inbox<Command>) {
        self.accumulator.ready.take(inbox);
        let now = Instant::now();
        // What was appended before a command is what the command is about.
        for partition in inbox.partitions.drain(..) {
            self.examine(partition.id, now);
        }
        for command in inbox.commands.drain(..) {
            self.on_command(command, now);
        }
    }

    fn on_command(&mut self, command: Command, now: Instant) {
        match command {
            Command::Start {
                operation,
                deadline,
            } => {
                if !self.metadata.is_known() {
                    self.metadata.want_cluster();
                }
                if self.transactor.is_idempotent() {
                    self.transactor.want_identity();
                }
                self.timers.at(deadline, Timer::Look);
                self.starts.push((deadline, operation));
                self.answer_starts();
            }
            Command::Want(topic) => self.on_want(&topic, now),
            Command::PartitionsFor {
                topic,
                operation,
                deadline,
            } => {
                let count = topic.partition_count();
                if count > 0 {
                    return operation.complete(Ok(count as u32));
                }
                self.on_want(&topic, now);
                self.timers.at(deadline, Timer::Look);
                self.counts.push((topic.handle, deadline, operation));
            }
            Command::MakeRoom | Command::Flush => self.all_due(now),
            Command::Purge {
                queued,
                in_flight,
                operation,
            } => {
                self.purge(queued, in_flight, now);
                // Its reports stand in the queue before the caller hears of it.
                self.report();
                operation.complete(Ok(0));
            }
            Command::Transaction {
                call,
                offsets,
                operation,
                deadline,
            } => self.on_call(call, offsets, operation, deadline),
            Command::SendBatch {
                offer,
                operation,
                deadline,
            } => self.on_send_batch(offer, operation, deadline, now),
            Command::BatchFreed => self.sweep_lines(),
            Command::Close { deadline } => self.on_close(deadline, now),
            Command::Crash => panic!("crashed on purpose"),
        }
    }

    pub(super) fn on_want(&mut self, topic: &Arc<Topic>, now: Instant) {
        topic.followed.store(true, Ordering::Relaxed);
        self.metadata
            .want_until(topic.handle, now + self.config.max_block);
        if topic.oldest_parked().is_some() {
            self.check_parked(topic.handle, now);
        }
    }

    fn on_close(&mut self, deadline: Instant, now: Instant) {
        let deadline = self.closing.map_or(deadline, |before| before.min(deadline));
        if self.closing.is_none() {
            let ready = self.accumulator.ready.clone();
            let wake = Completer::Call(Box::new(move || ready.wake()));
            self.accumulator.incomplete.flush(wake);
            self.abort_for_close();
        }
        self.closing = Some(deadline);
        self.timers.at(deadline, Timer::Look);
        self.all_due(now);
    }

    /// Nothing lingers any more.
    pub(super) fn all_due(&mut self, now: Instant) {
        for broker in self.brokers.values_mut() {
            if !broker.list.is_empty() {
                broker.make_due(now);
            }
        }
    }

    /// Answers operations whose time is up.
    pub(super) fn check_operations(&mut self, now: Instant) {
        let late = |(deadline, _): &mut (Instant, _)| *deadline <= now;
        let starts: Vec<_> = self.starts.extract_if(.., late).collect();
        for (_, operation) in starts {
            let wanted = match self.metadata.is_known() {
                false => "the cluster",
                true => "a producer id",
            };
            operation.complete(Err(self.no_answer(wanted)));
        }
        let late = |(_, deadline, _): &mut (u32, Instant, _)| *deadline <= now;
        let counts: Vec<_> = self.counts.extract_if(.., late).collect();
        for (handle, _, operation) in counts {
            let topic = self.accumulator.topics.get(handle);
            let said = topic.and_then(|topic| topic.error());
            let error = said.unwrap_or_else(|| self.no_answer("the topic's metadata"));
            operation.complete(Err(error));
        }
    }

    pub(super) fn no_answer(&self, what: &str) -> Error {
        match self.shared.hindrance(ErrorCode::TIMED_OUT) {
            Some(hindrance) => Error::new(
                hindrance.code,
                format!("timed out waiting for {what}: {}", hindrance.message),
            ),
            None => Error::new(
                ErrorCode::TIMED_OUT,
                format!("timed out waiting for {what}"),
            ),
        }
    }
}
