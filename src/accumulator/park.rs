//! Records of topics not yet known: how they are parked, and how they move on in order.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::choose::Choice;
use super::memory::Reservation;
use super::partition::{Append, AppendError, Appended};
use super::topic::{OwnedRecord, Park, Parked, Topic, Unparked};
use super::{Accepted, Accumulator};
use crate::completion::Persistence;
use crate::error::ErrorCode;
use crate::record::encode::Payload;

/// What a parked record counts in `buffer.memory` beside its bytes.
const PARKED_OVERHEAD: usize = size_of::<Parked>() + 64;
const PARKED_HEADER: usize = 48;
/// How often parked records are moved while senders may add others, before those have to wait.
const PATIENT_ROUNDS: usize = 3;
/// How long a user's partitioner is asked about parked records before callbacks that are due have their turn.
const SLICE: Duration = Duration::from_millis(1);

impl Accumulator {
    /// What a record counts in `buffer.memory` while it is parked: what it takes, or all that there is.
    pub fn parked_size(&self, payload: &Payload<'_>) -> usize {
        let headers = PARKED_HEADER * payload.headers.len();
        let size = PARKED_OVERHEAD + payload.upper_bound() + headers;
        size.min(usize::try_from(self.memory.total()).unwrap_or(usize::MAX))
    }

    /// Parks a record; `None` when the topic is known by now. Never blocks.
    pub fn park(
        &self,
        topic: &Arc<Topic>,
        append: &mut Append<'_>,
        partition: Option<i32>,
    ) -> Result<Option<bool>, ErrorCode> {
        let payload = append.payload;
        let Some(reserved) = self.memory.try_reserve(self.parked_size(payload)) else {
            return Err(ErrorCode::QUEUE_FULL);
        };
        let record = OwnedRecord::copy_of(payload)?;
        let parked = topic.park(append.transaction, || {
            let token = self.incomplete.token();
            let index = partition.unwrap_or(-1);
            let mut accepted = Accepted::new(topic.handle, index, token, self.hub.clone());
            accepted.push(append.meta, append.callback.take());
            Parked::record(record, partition, accepted, reserved)
        });
        match parked {
            Park::Parked { first } => Ok(Some(first)),
            Park::Known => Ok(None),
            Park::Refused(reason) => Err(reason),
        }
    }

    /// Moves the parked records of a topic that has `count` partitions now, in order, and then lets senders
    /// through. A user's partitioner is asked about them on `kprod-cb`.
    pub fn unpark(self: &Arc<Self>, topic: &Arc<Topic>, count: i32) {
        let asks = self.user_partitioner.is_some();
        if !topic.begin_move(count, asks) {
            return;
        }
        if !asks {
            return self.move_parked(topic, count);
        }
        let move_one = |parked: Parked| self.move_one(topic, count, parked, None);
        if topic.move_decided(count, move_one).is_none() || self.decide_later(topic, count).is_ok()
        {
            return;
        }
        while topic.move_decided(count, move_one).is_some() {
            topic.fail_parked(
                ErrorCode::THREAD,
                "no thread for the partitioner could be started",
            );
        }
    }

    fn decide_later(self: &Arc<Self>, topic: &Arc<Topic>, count: i32) -> io::Result<()> {
        let (own, deciding) = (self.clone(), topic.clone());
        let work = Box::new(move || {
            if !own.decide_some(&deciding, count) {
                // Behind what has come meanwhile. The thread that this is need not be started.
                let _ = own.decide_later(&deciding, count);
            }
            // The engine may wait for the partitions too.
            own.ready.wake();
        });
        self.hub.run_on_callback_thread(work)
    }

    /// Moves records for a slice of time, asking the user's partitioner. True: that were all.
    fn decide_some(&self, topic: &Arc<Topic>, count: i32) -> bool {
        let began = Instant::now();
        loop {
            // There may be more or fewer by now.
            let count = topic.deciding().unwrap_or(count);
            let move_decided = |parked| self.move_one(topic, count, parked, None);
            let Some(record) = topic.move_decided(count, move_decided) else {
                return true;
            };
            let headers = record.headers();
            let payload = record.payload(&headers);
            // Without the lock, for it is user code and may take long.
            let chosen = self.choose(topic, count, &payload);
            topic.move_first(&record, |parked| {
                self.move_one(topic, count, parked, Some(chosen));
            });
            if began.elapsed() >= SLICE {
                return false;
            }
        }
    }

    fn move_parked(self: &Arc<Self>, topic: &Arc<Topic>, count: i32) {
        let move_one = |parked: Parked| self.move_one(topic, count, parked, None);
        for _ in 0..PATIENT_ROUNDS {
            let records = topic.next_to_move(count);
            if records.is_empty() {
                return;
            }
            records.into_iter().for_each(move_one);
        }
        topic.move_rest(count, move_one);
    }

    /// `chosen`: its partition, if it had none and was asked for.
    fn move_one(
        &self,
        topic: &Arc<Topic>,
        count: i32,
        mut parked: Parked,
        chosen: Option<Result<Choice, ErrorCode>>,
    ) {
        // Its own reservation pays for its place in a batch, and what rounding adds.
        let bytes = parked.reserved.bytes();
        let paid = parked.reserved.split(bytes);
        let (accepted, record) = match parked.take() {
            Some(Unparked::Record(accepted, record)) => (accepted, record),
            Some(Unparked::Batch(batch)) => return self.move_batch(topic, count, batch),
            None => return,
        };
        let headers = record.headers();
        let payload = record.payload(&headers);
        let choice = match parked.partition {
            Some(partition) if (0..count).contains(&partition) => Ok(Choice::fixed(partition)),
            Some(_) => Err(ErrorCode::UNKNOWN_PARTITION),
            None => chosen.unwrap_or_else(|| self.choose(topic, count, &payload)),
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
            transaction: 0,
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
