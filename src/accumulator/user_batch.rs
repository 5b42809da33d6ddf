//! A batch that a user fills: apart from all partitions until it is accepted by one.
//!
//! It is filled and offered under its own lock, and accepted under the partition's, like any record. Until then it
//! counts in no budget, and whatever refuses it leaves it as it was.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::accepted::Accepted;
use super::batch::{BATCH_OVERHEAD, Batch, NoRoom};
use super::command::Command;
use super::incomplete::Token;
use super::memory::{Memory, Place, Reservation};
use super::partition::{Appended, Partition, Queue};
use super::ready::Ready;
use super::topic::{Park, Parked, Topic};
use super::{Accumulator, Gate};
use crate::completion::{Completions, Persistence, RecordMeta, Whole};
use crate::error::ErrorCode;
use crate::record::HEADER_LEN;
use crate::record::encode::Payload;

/// A user's batch. It outlives its producer, if need be, and is of no use then.
#[derive(Debug)]
pub struct UserBatch {
    state: Mutex<State>,
    /// `batch.size`.
    limit: usize,
    /// The largest record, with the header of a batch of its own.
    max_record: usize,
    /// The budget of the producer that made it, and whose it will count in.
    memory: Arc<Memory>,
    ready: Arc<Ready<Command>>,
    hub: Arc<Completions>,
}

#[derive(Debug)]
enum State {
    /// To be filled and sent.
    Draft(Draft),
    /// An offer with this number is made, which the draft is not changed by.
    Offered(Draft, u64),
    /// It is the producer's now. What is left is what it was.
    Sent { size: usize, records: usize },
    /// Freed, or broken by a panic.
    Gone,
}

#[derive(Debug)]
struct Draft {
    batch: Box<Batch>,
    /// Counts the offers made of it.
    offers: u64,
}

/// What was added to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchRecord {
    pub timestamp: i64,
    /// Its place among the batch's records.
    pub offset: i64,
    /// Bytes that it takes in the batch.
    pub size: usize,
}

/// What stands in the way of an offer. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hurdle {
    /// The topic's partitions are not known.
    UnknownTopic,
    /// A user's batch before it waits in the partition.
    Occupied,
    Memory {
        bytes: usize,
    },
    Refused(ErrorCode),
    /// The batch was freed, or its caller has given up.
    Withdrawn,
}

/// Who offers a batch, and what for that means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offerer {
    /// A thread that may be blocked.
    Waits,
    /// A thread that may not: when the partition is occupied, it wants to hear when to try again.
    Tries,
    /// The engine, for those who wait.
    Engine,
}

/// A batch on its way to a partition. Dropped before it is accepted, it leaves the batch to its user.
#[derive(Debug)]
pub struct Offer {
    batch: Arc<UserBatch>,
    number: u64,
    pub topic: Arc<Topic>,
    pub partition: i32,
    whole: Arc<Whole>,
    hub: Arc<Completions>,
    /// Where it waits for memory.
    place: Option<Place>,
    /// It stands in the topic's line.
    in_line: bool,
    /// It was accepted with no records, and not reported: a close waits for that.
    owes_empty: Option<Token>,
    /// What the cluster had said of the topic when the offer was made.
    answers: u64,
}

impl Accumulator {
    /// A new batch. `max_record` is the size of the largest record that is sent.
    pub fn create_batch(&self, max_record: usize) -> Arc<UserBatch> {
        let own = Memory::unlimited().reserve_over(BATCH_OVERHEAD);
        let batch = Batch::new(0, Accepted::unbound(self.hub.clone()), own, None);
        Arc::new(UserBatch {
            state: Mutex::new(State::Draft(Draft { batch, offers: 0 })),
            limit: self.batch_size,
            max_record,
            memory: self.memory.clone(),
            ready: self.ready.clone(),
            hub: self.hub.clone(),
        })
    }

    pub fn owns(&self, batch: &UserBatch) -> bool {
        Arc::ptr_eq(&self.memory, &batch.memory)
    }

    /// Moves a parked batch into its partition: it was accepted long since.
    pub(super) fn move_batch(&self, topic: &Arc<Topic>, count: i32, batch: Box<Batch>) {
        let index = batch.accepted.partition;
        let Some(partition) = topic.partition(index).filter(|_| index < count) else {
            let (accepted, _) = batch.into_parts();
            return accepted.fail_saying(ErrorCode::UNKNOWN_PARTITION, Persistence::Not, || {
                format!(
                    "topic {} has no partition {index}: it has {count}",
                    topic.name
                )
            });
        };
        let mut appended = Appended::nothing();
        let mut queue = partition.lock();
        if let Gate::Ended(reason) = queue.gate {
            drop(queue);
            let (accepted, _) = batch.into_parts();
            return accepted.fail_saying(reason, Persistence::Not, || reason.to_string());
        }
        partition.enqueue(&mut queue, batch, self, &mut appended);
        drop(queue);
        self.settle(topic, partition, appended, false);
    }
}

impl UserBatch {
    /// Adds a record. BATCH_FULL closes the batch; the first record is always taken.
    pub fn append(&self, payload: &Payload<'_>, timestamp: i64) -> Result<BatchRecord, ErrorCode> {
        let mut state = self.state.lock();
        let draft = match &mut *state {
            State::Draft(draft) if !draft.batch.closed => draft,
            _ => return Err(ErrorCode::ILLEGAL_STATE),
        };
        if payload.upper_bound() + HEADER_LEN > self.max_record {
            return Err(ErrorCode::RECORD_TOO_LARGE);
        }
        let offset = draft.batch.record_count() as i64;
        let before = draft.batch.size();
        // A record's tag is nobody's: the batch has one.
        let meta = RecordMeta { tag: 0, timestamp };
        while let Err((no_room, _)) = draft.batch.try_append(payload, meta, None, self.limit) {
            if !self.grow(&mut draft.batch, no_room)? {
                draft.batch.closed = true;
                return Err(ErrorCode::BATCH_FULL);
            }
        }
        Ok(BatchRecord {
            timestamp,
            offset,
            size: draft.batch.size() - before,
        })
    }

    /// Makes room for a record; false if the batch is full, or all of `buffer.memory` could not hold more.
    fn grow(&self, batch: &mut Batch, no_room: NoRoom) -> Result<bool, ErrorCode> {
        let NoRoom::Memory { wanted, least } = no_room else {
            return Ok(false);
        };
        let left = (self.memory.total() as usize).saturating_sub(batch.footprint());
        if least > left && batch.record_count() > 0 {
            return Ok(false);
        }
        let more = wanted.min(left).max(least);
        batch.grow(Memory::unlimited().reserve_over(more), least)?;
        Ok(true)
    }

    /// Takes no more records.
    pub fn close(&self) -> Result<(), ErrorCode> {
        match &mut *self.state.lock() {
            State::Draft(draft) => draft.batch.closed = true,
            State::Sent { .. } => {}
            State::Offered(..) | State::Gone => return Err(ErrorCode::ILLEGAL_STATE),
        }
        Ok(())
    }

    /// Its bytes, as they are before compression, and its records; of a sent one, what they were.
    pub fn extent(&self) -> Result<(usize, usize), ErrorCode> {
        match &*self.state.lock() {
            State::Draft(draft) | State::Offered(draft, _) => {
                Ok((draft.batch.size(), draft.batch.record_count()))
            }
            State::Sent { size, records } => Ok((*size, *records)),
            State::Gone => Err(ErrorCode::ILLEGAL_STATE),
        }
    }

    /// Nobody fills or sends it any more. An offer that waits is withdrawn.
    pub fn discard(&self) {
        let before = std::mem::replace(&mut *self.state.lock(), State::Gone);
        if matches!(before, State::Offered(..)) {
            self.ready.command(Command::BatchFreed);
        }
    }

    /// Begins to offer it to a partition.
    pub fn offer(
        self: &Arc<Self>,
        topic: &Arc<Topic>,
        partition: i32,
        whole: Arc<Whole>,
    ) -> Result<Offer, ErrorCode> {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Gone) {
            State::Draft(mut draft) => {
                draft.offers += 1;
                let number = draft.offers;
                *state = State::Offered(draft, number);
                Ok(Offer {
                    batch: self.clone(),
                    number,
                    topic: topic.clone(),
                    partition,
                    whole,
                    hub: self.hub.clone(),
                    place: None,
                    in_line: false,
                    owes_empty: None,
                    answers: topic.answers(),
                })
            }
            other => {
                *state = other;
                Err(ErrorCode::ILLEGAL_STATE)
            }
        }
    }

    /// Ends the waiting of an offer, whose batch is the user's again. False: it was accepted meanwhile.
    pub fn withdraw(&self, number: u64) -> bool {
        let mut state = self.state.lock();
        match std::mem::replace(&mut *state, State::Gone) {
            State::Offered(draft, offered) if offered == number => {
                *state = State::Draft(draft);
                true
            }
            other => {
                let sent = matches!(other, State::Sent { .. });
                *state = other;
                !sent
            }
        }
    }
}

impl State {
    fn offered(&self, number: u64) -> Option<&Draft> {
        match self {
            State::Offered(draft, offered) if *offered == number => Some(draft),
            _ => None,
        }
    }

    /// Takes out what was offered under this number: it is accepted.
    fn send(&mut self, number: u64) -> Option<Draft> {
        let draft = self.offered(number)?;
        let sent = State::Sent {
            size: draft.batch.size(),
            records: draft.batch.record_count(),
        };
        match std::mem::replace(self, sent) {
            State::Offered(draft, _) => Some(draft),
            _ => None,
        }
    }
}

impl Offer {
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Takes its place before later offers to the same partition.
    pub fn line_up(&mut self) {
        self.topic.line_up(self.partition);
        self.in_line = true;
    }

    /// Whether its user has given up.
    pub fn is_withdrawn(&self) -> bool {
        self.batch.state.lock().offered(self.number).is_none()
    }

    /// What the cluster has said of the topic since the offer was made, if that rules it out.
    pub fn topic_refusal(&self) -> Option<ErrorCode> {
        let error = self.topic.error()?;
        let is_new = self.topic.answers() > self.answers;
        (is_new && !error.code.is_retriable()).then_some(error.code)
    }

    /// Has the partition accept the batch.
    pub fn accept(&mut self, accumulator: &Accumulator, offerer: Offerer) -> Result<(), Hurdle> {
        let (user, topic) = (self.batch.clone(), self.topic.clone());
        let mut state = user.state.lock();
        let draft = state.offered(self.number).ok_or(Hurdle::Withdrawn)?;
        if draft.batch.record_count() == 0 {
            return self.accept_empty(&mut state, accumulator, offerer);
        }
        let bytes = draft.batch.footprint();
        let partition = self.find(&topic)?.ok_or(Hurdle::UnknownTopic)?;
        let mut queue = partition.lock();
        offerer.check(queue.gate)?;
        let mut appended = Appended::nothing();
        let is_free = queue.users == 0 && (self.in_line || !topic.has_line(self.partition));
        let accepted = match is_free {
            true => {
                let paid = self.pay(bytes, offerer).ok_or(Hurdle::Memory { bytes })?;
                let draft = state.send(self.number).ok_or(Hurdle::Withdrawn)?;
                let batch = self.bind(draft, paid, accumulator);
                partition.enqueue(&mut queue, batch, accumulator, &mut appended);
                Ok(())
            }
            false => {
                if offerer == Offerer::Tries {
                    queue.watched = true;
                    accumulator.hub.want_writable();
                }
                partition.hurry(&mut queue, accumulator, &mut appended);
                Err(Hurdle::Occupied)
            }
        };
        drop((queue, state));
        accumulator.settle(&topic, partition, appended, offerer == Offerer::Waits);
        accepted
    }

    /// There is nothing to send: its outcome is known at once, and told when the offer is dropped.
    fn accept_empty(
        &mut self,
        state: &mut State,
        accumulator: &Accumulator,
        offerer: Offerer,
    ) -> Result<(), Hurdle> {
        // Taken before the look at the gate: a close that shuts it later waits for the report.
        let token = accumulator.incomplete.token();
        offerer.check(match self.find(&self.topic)? {
            Some(partition) => partition.lock().gate,
            None => self.topic.gate(),
        })?;
        state.send(self.number).ok_or(Hurdle::Withdrawn)?;
        self.owes_empty = Some(token);
        Ok(())
    }

    /// Its partition; `None` while the topic's are not known.
    fn find<'t>(&self, topic: &'t Topic) -> Result<Option<&'t Arc<Partition>>, Hurdle> {
        let count = topic.partition_count();
        match topic.partition(self.partition) {
            _ if count == 0 => Ok(None),
            Some(partition) if self.partition < count => Ok(Some(partition)),
            _ => Err(Hurdle::Refused(ErrorCode::UNKNOWN_PARTITION)),
        }
    }

    /// Parks the batch until the topic is known: true if it is the first and the topic is to be asked for. `None`:
    /// it is known by now.
    pub fn park(&mut self, accumulator: &Accumulator) -> Result<Option<bool>, Hurdle> {
        let (user, topic) = (self.batch.clone(), self.topic.clone());
        let mut state = user.state.lock();
        let draft = state.offered(self.number).ok_or(Hurdle::Withdrawn)?;
        let bytes = draft.batch.footprint();
        let paid = self.pay(bytes, Offerer::Tries);
        let mut paid = paid.ok_or(Hurdle::Memory { bytes })?;
        let lot = match topic.lot(None) {
            Ok(lot) => lot,
            Err(Park::Refused(reason)) => return Err(Hurdle::Refused(reason)),
            Err(Park::Known | Park::Parked { .. }) => return Ok(None),
        };
        let draft = state.send(self.number).ok_or(Hurdle::Withdrawn)?;
        let nothing = paid.split(0);
        let batch = self.bind(draft, paid, accumulator);
        Ok(Some(lot.add(Parked::batch(batch, nothing))))
    }

    /// Memory for the batch. In line for it, one stays there until it is one's turn.
    fn pay(&mut self, bytes: usize, offerer: Offerer) -> Option<Reservation> {
        let memory = &self.batch.memory;
        match offerer {
            Offerer::Waits | Offerer::Tries => memory.try_reserve(bytes),
            Offerer::Engine => {
                let place = &mut self.place;
                let paid = place
                    .get_or_insert_with(|| memory.place_in_line(bytes))
                    .take();
                if paid.is_some() {
                    *place = None;
                }
                paid
            }
        }
    }

    fn bind(&self, draft: Draft, paid: Reservation, accumulator: &Accumulator) -> Box<Batch> {
        let mut batch = draft.batch;
        batch.charge(paid);
        batch.created = Instant::now();
        let token = accumulator.incomplete.token();
        let whole = self.whole.clone();
        batch
            .accepted
            .bind(self.topic.handle, self.partition, token, whole);
        batch
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.batch.withdraw(self.number);
        if let Some(token) = self.owes_empty.take() {
            self.hub
                .finish_empty(&self.whole, self.topic.handle, self.partition);
            drop(token);
        }
        if self.in_line {
            self.topic.leave_line(self.partition);
            if let Some(partition) = self.topic.partition(self.partition) {
                partition.lock().announce_room(&self.hub);
            }
        }
    }
}

impl Offerer {
    fn check(self, gate: Gate) -> Result<(), Hurdle> {
        match (gate, self) {
            // What is in the engine's lines got there before the gate was shut.
            (Gate::Open(_), _) | (Gate::Shut(_), Offerer::Engine) => Ok(()),
            (Gate::Shut(reason) | Gate::Ended(reason), _) => Err(Hurdle::Refused(reason)),
        }
    }
}

impl Partition {
    /// Another batch waits for the user's one: if that is still open, it lingers no longer.
    fn hurry(&self, queue: &mut Queue, accumulator: &Accumulator, appended: &mut Appended) {
        if queue
            .open
            .as_ref()
            .is_some_and(|open| open.accepted.is_users())
        {
            self.close_open(queue, accumulator, appended);
        }
    }

    /// Queues a user's batch behind all others. Left open, it is the open batch from now on.
    fn enqueue(
        &self,
        queue: &mut Queue,
        mut batch: Box<Batch>,
        accumulator: &Accumulator,
        appended: &mut Appended,
    ) {
        self.close_open(queue, accumulator, appended);
        batch.number = queue.next_number;
        queue.next_number += 1;
        queue.users += 1;
        self.add_load();
        let is_closed = batch.closed || batch.size() >= accumulator.batch_size;
        appended.news = appended.news.or(queue.opened(batch.created, accumulator));
        queue.open = Some(batch);
        if is_closed {
            self.close_open(queue, accumulator, appended);
        }
    }
}

impl Queue {
    /// A batch has left the queue. The next user's batch may come when the last one has.
    pub(super) fn note_gone(&mut self, batch: &Batch) {
        if batch.accepted.is_users() {
            self.users = self.users.saturating_sub(1);
            self.announce_room(batch.accepted.hub());
        }
    }

    /// Gives the WRITABLE entry to a caller who was refused because of a user's batch, if there is none any more.
    fn announce_room(&mut self, hub: &Completions) {
        if self.users == 0 && std::mem::take(&mut self.watched) {
            hub.writable();
        }
    }
}
