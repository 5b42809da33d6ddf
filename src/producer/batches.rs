//! Batches that a user fills, and how they are sent.

use std::sync::Arc;

use tokio::time::Instant;

use super::record::{Record, TopicRef};
use super::{Producer, RecordCallback, Timeout};
use crate::accumulator::{self, BatchRecord, Command, Hurdle, Offer, Offerer};
use crate::completion::{Completer, Operation, Waiter, Whole, in_callback};
use crate::error::ErrorCode;
use crate::record::encode::Payload;
use crate::sender::Shared;
use crate::sys;

/// A batch under way to being filled, closed, sent. One thread at a time uses it.
#[derive(Debug)]
pub struct UserBatch {
    inner: Arc<accumulator::UserBatch>,
}

/// Where a batch goes, and whose word stands for it.
struct Target {
    partition: i32,
    tag: u64,
    callback: Option<RecordCallback>,
}

impl UserBatch {
    /// Adds a record, of which topic, partition and tag are ignored. BATCH_FULL: there is no room, and the batch is
    /// closed. The first record is always taken, up to `max.request.size`.
    pub fn append(&self, record: &Record<'_>) -> Result<BatchRecord, ErrorCode> {
        let timestamp = match record.timestamp {
            None => sys::unix_millis(),
            Some(given) if given >= 0 => given,
            Some(_) => return Err(ErrorCode::INVALID_TIMESTAMP_ARG),
        };
        let payload = Payload {
            key: record.key,
            value: record.value,
            headers: record.headers,
        };
        self.inner.append(&payload, timestamp)
    }

    /// Takes no more records, neither here nor, once sent, from `send`.
    pub fn close(&self) -> Result<(), ErrorCode> {
        self.inner.close()
    }

    /// Bytes with the header, before compression.
    pub fn size(&self) -> Result<usize, ErrorCode> {
        self.inner.extent().map(|(size, _)| size)
    }

    pub fn record_count(&self) -> Result<usize, ErrorCode> {
        self.inner.extent().map(|(_, records)| records)
    }

    /// For good: a send that waits is given up.
    pub fn discard(&self) {
        self.inner.discard();
    }
}

impl Drop for UserBatch {
    fn drop(&mut self) {
        self.discard();
    }
}

impl Producer {
    /// An empty batch of up to `batch.size` bytes. Touches neither the network nor `buffer.memory`.
    pub fn create_batch(&self) -> Result<UserBatch, ErrorCode> {
        self.shared.refusal()?;
        Ok(UserBatch {
            inner: self.shared.accumulator.create_batch(self.shared.max_record),
        })
    }

    /// Waits for metadata, for the user's batch before it in the partition, and for memory (in a callback: like
    /// `try_send_batch`). `Ok`: accepted, a BATCH report with the tag follows. `Err`: the batch is as it was.
    pub fn send_batch(
        &self,
        batch: &UserBatch,
        topic: u32,
        partition: i32,
        tag: u64,
        timeout: Timeout,
    ) -> Result<(), ErrorCode> {
        let target = Target {
            partition,
            tag,
            callback: None,
        };
        self.send_batch_until(batch, topic, target, timeout)
    }

    /// As `send_batch`; the report goes to the callback.
    pub fn send_batch_with_callback(
        &self,
        batch: &UserBatch,
        topic: u32,
        partition: i32,
        timeout: Timeout,
        callback: RecordCallback,
    ) -> Result<(), ErrorCode> {
        let started = self.shared.hub.ensure_callback_thread();
        started.map_err(|_| ErrorCode::THREAD)?;
        let target = Target {
            partition,
            tag: 0,
            callback: Some(callback),
        };
        self.send_batch_until(batch, topic, target, timeout)
    }

    fn send_batch_until(
        &self,
        batch: &UserBatch,
        topic: u32,
        target: Target,
        timeout: Timeout,
    ) -> Result<(), ErrorCode> {
        let deadline = self.deadline(timeout);
        let offer = self.shared.offer(batch, topic, target)?;
        match in_callback() {
            true => self.shared.accept_or_refuse(offer),
            false => self.shared.accept_until(batch, offer, deadline),
        }
    }

    /// Never blocks: QUEUE_FULL when a user's batch before it waits in the partition, or for want of memory. A batch
    /// to a topic that is not known is parked.
    pub fn try_send_batch(
        &self,
        batch: &UserBatch,
        topic: u32,
        partition: i32,
        tag: u64,
    ) -> Result<(), ErrorCode> {
        let target = Target {
            partition,
            tag,
            callback: None,
        };
        let offer = self.shared.offer(batch, topic, target)?;
        self.shared.accept_or_refuse(offer)
    }

    /// The acceptance comes as an OPERATION entry with `op_tag`, within `max.block.ms`.
    pub fn send_batch_async(
        &self,
        batch: &UserBatch,
        topic: u32,
        partition: i32,
        tag: u64,
        op_tag: u64,
    ) -> Result<(), ErrorCode> {
        let target = Target {
            partition,
            tag,
            callback: None,
        };
        let deadline = self.deadline(Timeout::Configured);
        let offer = self.shared.offer(batch, topic, target)?;
        self.shared
            .leave_to_engine(offer, Completer::Tag(op_tag), deadline);
        Ok(())
    }
}

impl Shared {
    fn offer(&self, batch: &UserBatch, topic: u32, target: Target) -> Result<Offer, ErrorCode> {
        self.refusal()?;
        let topic = self.resolve(TopicRef::Handle(topic))?;
        if target.partition < 0 || !self.accumulator.owns(&batch.inner) {
            return Err(ErrorCode::INVALID_ARG);
        }
        if self.hub.is_overloaded() {
            return Err(ErrorCode::REPORT_QUEUE_FULL);
        }
        let whole = Whole::new(target.tag, target.callback);
        let offer = batch.inner.offer(topic, target.partition, whole)?;
        self.follow(topic);
        topic.touch(self.age_ms());
        Ok(offer)
    }

    fn accept_or_refuse(&self, mut offer: Offer) -> Result<(), ErrorCode> {
        loop {
            let hurdle = match offer.accept(&self.accumulator, Offerer::Tries) {
                Ok(()) => return Ok(()),
                Err(Hurdle::UnknownTopic) => match offer.park(&self.accumulator) {
                    Ok(Some(first)) => {
                        if first {
                            self.want(&offer.topic);
                        }
                        return Ok(());
                    }
                    // It is known by now.
                    Ok(None) => continue,
                    Err(hurdle) => hurdle,
                },
                Err(hurdle) => hurdle,
            };
            return Err(match hurdle {
                Hurdle::Memory { bytes } => self.queue_full(bytes),
                Hurdle::Occupied | Hurdle::UnknownTopic => ErrorCode::QUEUE_FULL,
                Hurdle::Refused(code) => code,
                Hurdle::Withdrawn => ErrorCode::ILLEGAL_STATE,
            });
        }
    }

    fn accept_until(
        &self,
        batch: &UserBatch,
        mut offer: Offer,
        deadline: Instant,
    ) -> Result<(), ErrorCode> {
        match offer.accept(&self.accumulator, Offerer::Waits) {
            Ok(()) => return Ok(()),
            Err(Hurdle::Refused(code)) => return Err(code),
            Err(Hurdle::Withdrawn) => return Err(ErrorCode::ILLEGAL_STATE),
            Err(Hurdle::UnknownTopic | Hurdle::Occupied | Hurdle::Memory { .. }) => {}
        }
        let number = offer.number();
        let waiter = Waiter::new();
        self.leave_to_engine(offer, Completer::Thread(waiter.clone()), deadline);
        match waiter.wait(Some(deadline)) {
            Some(answer) => answer.map(drop).map_err(|error| error.code),
            None if batch.inner.withdraw(number) => Err(ErrorCode::TIMED_OUT),
            None => Ok(()),
        }
    }

    fn leave_to_engine(&self, mut offer: Offer, completer: Completer, deadline: Instant) {
        offer.line_up();
        self.accumulator.ready.command(Command::SendBatch {
            offer: Box::new(offer),
            operation: Operation::new(completer, self.hub.clone()),
            deadline,
        });
    }
}
