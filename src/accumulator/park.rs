//! Records of topics not yet known: how they are parked, and how they move on in order.

use std::sync::Arc;

use super::choose::Choice;
use super::memory::Reservation;
use super::partition::{Append, AppendError, Appended};
use super::topic::{OwnedRecord, Park, Parked, Topic, Unparked};
use super::{Accepted, Accumulator};
use crate::completion::{Persistence, RecordMeta, SendCallback};
use crate::error::ErrorCode;
use crate::record::encode::Payload;

/// What a parked record counts in `buffer.memory` beside its bytes.
const PARKED_OVERHEAD: usize = size_of::<Parked>() + 64;
const PARKED_HEADER: usize = 48;
/// How often parked records are moved while senders may add others, before those have to wait.
const PATIENT_ROUNDS: usize = 3;

/// What a record counts in `buffer.memory` while it is parked.
pub fn parked_size(payload: &Payload<'_>) -> usize {
    PARKED_OVERHEAD + payload.upper_bound() + PARKED_HEADER * payload.headers.len()
}

impl Accumulator {
    /// Parks a record; `None` when the topic is known by now. Never blocks.
    pub fn park(
        &self,
        topic: &Arc<Topic>,
        payload: &Payload<'_>,
        partition: Option<i32>,
        meta: RecordMeta,
        callback: &mut Option<SendCallback>,
    ) -> Result<Option<bool>, ErrorCode> {
        let Some(reserved) = self.memory.try_reserve(parked_size(payload)) else {
            return Err(ErrorCode::QUEUE_FULL);
        };
        let record = OwnedRecord::copy_of(payload)?;
        let parked = topic.park(|| {
            let token = self.incomplete.token();
            let index = partition.unwrap_or(-1);
            let mut accepted = Accepted::new(topic.handle, index, token, self.hub.clone());
            accepted.push(meta, callback.take());
            Parked::record(record, partition, accepted, reserved)
        });
        match parked {
            Park::Parked { first } => Ok(Some(first)),
            Park::Known => Ok(None),
            Park::Refused(reason) => Err(reason),
        }
    }

    /// Moves the parked records of a topic that has `count` partitions now, in order, and then lets senders
    /// through. With a user's partitioner that is done on `kprod-cb`.
    pub fn unpark(self: &Arc<Self>, topic: &Arc<Topic>, count: i32) {
        if !topic.begin_move() {
            return;
        }
        if self.user_partitioner.is_none() || topic.oldest_parked().is_none() {
            return self.move_parked(topic, count);
        }
        let (own, moving) = (self.clone(), topic.clone());
        let work = Box::new(move || {
            own.move_parked(&moving, count);
            // The engine may wait for the partitions too.
            own.ready.wake();
        });
        if self.hub.run_on_callback_thread(work).is_err() {
            topic.fail_parked(
                ErrorCode::THREAD,
                "no thread for the partitioner could be started",
            );
            self.move_parked(topic, count);
        }
    }

    fn move_parked(self: &Arc<Self>, topic: &Arc<Topic>, count: i32) {
        for round in 0.. {
            if round == PATIENT_ROUNDS && self.user_partitioner.is_none() {
                return topic.move_rest(count, |parked| self.move_one(topic, count, parked));
            }
            let records = topic.next_to_move(count);
            if records.is_empty() {
                return;
            }
            for parked in records {
                self.move_one(topic, count, parked);
            }
        }
    }

    fn move_one(&self, topic: &Arc<Topic>, count: i32, mut parked: Parked) {
        // Its own reservation pays for its place in a batch, and what rounding adds.
        let bytes = parked.reserved.bytes();
        let paid = parked.reserved.split(bytes);
        let (accepted, record) = match parked.take() {
            Some(Unparked::Record(accepted, record)) => (accepted, record),
            Some(Unparked::Batch(batch)) => return self.move_batch(topic, count, batch),
            None => return,
        };
        let headers = record.headers();
        let payload = Payload {
            key: record.key(),
            value: record.value(),
            headers: &headers,
        };
        let choice = match parked.partition {
            Some(partition) if (0..count).contains(&partition) => Ok(Choice {
                partition,
                lane: None,
            }),
            Some(_) => Err(ErrorCode::UNKNOWN_PARTITION),
            None => self.choose(topic, count, &payload),
        };
        let found = choice.and_then(|choice| {
            let partition = topic.partition(choice.partition);
            Ok((choice, partition.ok_or(ErrorCode::UNKNOWN_PARTITION)?))
        });
        let (choice, partition) = match found {
            Ok(found) => found,
            Err(code) => {
                let message = match code {
                    ErrorCode::UNKNOWN_PARTITION => format!(
                        "topic {} has no partition {}: it has {count}",
                        topic.name,
                        parked.partition.unwrap_or(-1)
                    ),
                    _ => format!("the partitioner gave no partition of topic {}", topic.name),
                };
                drop((paid, parked, record));
                return accepted.fail_saying(code, Persistence::Not, || message);
            }
        };
        let Some(meta) = accepted.metas().first().copied() else {
            return;
        };
        let mut append = Append {
            payload: &payload,
            meta,
            callback: None,
            lane: choice.lane,
            urgent: false,
            parked: Some(accepted),
            since: Some(parked.created),
        };
        let mut credit: Option<Reservation> = Some(paid);
        loop {
            let mut appended = Appended::nothing();
            let result = partition.append(
                &mut partition.lock(),
                &mut append,
                &mut credit,
                self,
                || true,
                &mut appended,
            );
            self.settle(topic, partition, appended, false);
            match result {
                Ok(()) => return,
                // The bytes were accepted long ago: they go on, over the budget by the rounding if need be.
                Err(AppendError::Memory { least }) => {
                    let held = credit.as_ref().map_or(0, Reservation::bytes);
                    let more = self.memory.reserve_over(least.saturating_sub(held));
                    match &mut credit {
                        Some(credit) => credit.merge(more),
                        None => credit = Some(more),
                    }
                }
                Err(AppendError::Moved) => {}
                Err(AppendError::Refused(code)) => {
                    if let Some(accepted) = append.parked.take() {
                        accepted.fail_saying(code, Persistence::Not, || {
                            format!("topic {}: {}", topic.name, code.text_for_accepted())
                        });
                    }
                    return;
                }
            }
        }
    }
}
