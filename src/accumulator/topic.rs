//! A topic as senders see it: its partitions once they are known, the parked records until then.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex, MutexGuard, RwLock};
use tokio::time::Instant;

use super::Gate;
use super::accepted::Accepted;
use super::append_vec::AppendVec;
use super::batch::Batch;
use super::memory::Reservation;
use super::partition::Partition;
use crate::completion::Persistence;
use crate::error::{Error, ErrorCode};
use crate::partitioner::Lanes;
use crate::record::encode::{Header, Payload};
use crate::sys::{NoMemory, spare_memory};

/// One topic; its handle is its place in the producer's list.
#[derive(Debug)]
pub struct Topic {
    pub handle: u32,
    pub name: Arc<str>,
    pub lanes: Lanes,
    /// For `round_robin`.
    pub turn: AtomicU64,
    partitions: AppendVec<Arc<Partition>>,
    /// Published last: a count above 0 means that records go straight to partitions.
    count: AtomicI32,
    /// Partitions that have a leader, ascending.
    available: RwLock<Arc<[i32]>>,
    state: Mutex<State>,
    changed: Condvar,
    /// Milliseconds since the producer's creation.
    last_used: AtomicU64,
    /// Its metadata is asked for regularly.
    pub followed: AtomicBool,
    /// How many user batches wait to be accepted, by partition.
    lines: Mutex<BTreeMap<i32, usize>>,
}

#[derive(Debug)]
struct State {
    gate: Gate,
    parked: VecDeque<Parked>,
    /// What the cluster last said of the topic, if it was no partitions.
    error: Option<Error>,
    /// Counts what the cluster said, so that a waiter does not take an old answer for its own.
    answers: u64,
    moving: Option<Move>,
}

/// Parked records are on the move to their partitions.
#[derive(Clone, Copy, Debug)]
struct Move {
    /// How many partitions there are, as the cluster said last.
    count: i32,
    /// Slowly: a user's partitioner is asked. Who sends meanwhile asks it itself.
    decides: bool,
}

/// A record or a user's batch whose topic is not known yet, with everything it needs to move on.
#[derive(Debug)]
pub struct Parked {
    pub created: Instant,
    pub partition: Option<i32>,
    load: Load,
    pub reserved: Reservation,
}

#[derive(Debug)]
enum Load {
    Record {
        accepted: Accepted,
        record: Arc<OwnedRecord>,
    },
    Batch(Box<Batch>),
    /// It has moved on, or was reported.
    Gone,
}

/// What is parked, taken out.
#[derive(Debug)]
pub enum Unparked {
    Record(Accepted, Arc<OwnedRecord>),
    Batch(Box<Batch>),
}

/// A copy of a record.
#[derive(Debug)]
pub struct OwnedRecord {
    key: Option<Box<[u8]>>,
    value: Option<Box<[u8]>>,
    headers: Vec<OwnedHeader>,
}

type OwnedHeader = (Box<[u8]>, Option<Box<[u8]>>);

/// What became of a record that was to be parked.
#[derive(Debug)]
pub enum Park {
    /// It is parked; true if it is the first and the topic is to be asked for.
    Parked {
        first: bool,
    },
    /// The partitions are known by now: send again.
    Known,
    Refused(ErrorCode),
}

/// The parked records, held to add one.
#[derive(Debug)]
pub struct Lot<'a>(MutexGuard<'a, State>);

impl Lot<'_> {
    /// True if it is the first, and the topic is to be asked for.
    pub fn add(mut self, parked: Parked) -> bool {
        self.0.parked.push_back(parked);
        self.0.parked.len() == 1
    }
}

impl State {
    fn deciding(&self) -> Option<i32> {
        let moving = self.moving.filter(|moving| moving.decides);
        moving.map(|moving| moving.count)
    }
}

impl Topic {
    pub fn new(handle: u32, name: Arc<str>, gate: Gate) -> Arc<Self> {
        Arc::new(Topic {
            handle,
            name,
            lanes: Lanes::default(),
            turn: AtomicU64::new(0),
            partitions: AppendVec::new(),
            count: AtomicI32::new(0),
            available: RwLock::new(Arc::from([])),
            state: Mutex::new(State {
                gate,
                parked: VecDeque::new(),
                error: None,
                answers: 0,
                moving: None,
            }),
            changed: Condvar::new(),
            last_used: AtomicU64::new(0),
            followed: AtomicBool::new(false),
            lines: Mutex::default(),
        })
    }

    /// 0 while the topic is not known (or its parked records are on the move).
    #[inline]
    pub fn partition_count(&self) -> i32 {
        self.count.load(Ordering::Acquire)
    }

    #[inline]
    pub fn partition(&self, index: i32) -> Option<&Arc<Partition>> {
        self.partition_at(usize::try_from(index).ok()?)
    }

    #[inline]
    pub fn partition_at(&self, index: usize) -> Option<&Arc<Partition>> {
        self.partitions.get(index)
    }

    /// All partitions that ever were known.
    pub fn partitions(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.partitions.iter()
    }

    /// Called by the engine alone, in ascending order of the index.
    pub fn add_partition(&self, partition: Arc<Partition>) {
        self.partitions.push(partition);
    }

    pub fn known_partitions(&self) -> usize {
        self.partitions.len()
    }

    pub fn available(&self) -> Arc<[i32]> {
        self.available.read().clone()
    }

    /// The partition whose turn it is among those that have a leader, if any has.
    pub fn available_in_turn(&self, turn: u64) -> Option<i32> {
        let available = self.available.read();
        let at = turn.checked_rem(available.len() as u64)?;
        available.get(at as usize).copied()
    }

    pub fn set_available(&self, partitions: Vec<i32>) {
        let changed = **self.available.read() != *partitions;
        if changed {
            *self.available.write() = partitions.into();
        }
    }

    pub fn touch(&self, now_ms: u64) {
        self.last_used.store(now_ms, Ordering::Relaxed);
    }

    pub fn last_used(&self) -> u64 {
        self.last_used.load(Ordering::Relaxed)
    }

    /// Accepts records from now on, or refuses them; those that are parked stay.
    pub fn set_gate(&self, gate: Gate) {
        self.state.lock().gate = gate;
        self.changed.notify_all();
    }

    pub fn gate(&self) -> Gate {
        self.state.lock().gate
    }

    /// Counts what the cluster has said of the topic.
    pub fn answers(&self) -> u64 {
        self.state.lock().answers
    }

    /// A user's batch to the partition waits to be accepted: no later one may overtake it.
    pub fn line_up(&self, partition: i32) {
        *self.lines.lock().entry(partition).or_default() += 1;
    }

    pub fn leave_line(&self, partition: i32) {
        let mut lines = self.lines.lock();
        if let Some(waiting) = lines.get_mut(&partition) {
            *waiting -= 1;
            if *waiting == 0 {
                lines.remove(&partition);
            }
        }
    }

    pub fn has_line(&self, partition: i32) -> bool {
        self.lines.lock().contains_key(&partition)
    }

    /// What the cluster last said of the topic, if that was an error.
    pub fn error(&self) -> Option<Error> {
        self.state.lock().error.clone()
    }

    /// Notes an error of the topic and wakes those who wait for it, so that they can look at it.
    pub fn set_error(&self, error: Option<Error>) {
        let mut state = self.state.lock();
        state.error = error;
        state.answers += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// Parks a record unless the partitions are known.
    pub fn park(&self, transaction: u64, record: impl FnOnce() -> Parked) -> Park {
        match self.lot(Some(transaction)) {
            Ok(lot) => Park::Parked {
                first: lot.add(record()),
            },
            Err(park) => park,
        }
    }

    /// Where to park, unless the partitions are known or nothing is accepted, of this transaction if any.
    pub fn lot(&self, transaction: Option<u64>) -> Result<Lot<'_>, Park> {
        let state = self.state.lock();
        match state.gate {
            Gate::Shut(reason) | Gate::Ended(reason) => return Err(Park::Refused(reason)),
            Gate::Open(now) if transaction.is_some_and(|own| own != now) => {
                return Err(Park::Refused(ErrorCode::ILLEGAL_STATE));
            }
            Gate::Open(_) => {}
        }
        if self.partition_count() > 0 {
            return Err(Park::Known);
        }
        Ok(Lot(state))
    }

    /// How many partitions there are to choose from, if the parked records are on the move with a user's partitioner.
    pub fn deciding(&self) -> Option<i32> {
        self.state.lock().deciding()
    }

    /// Waits until the partitions are known, or records are parked with their partition chosen; answers the error that
    /// says they will not be. `ask` has the cluster asked.
    pub fn wait_known(
        &self,
        deadline: Option<Instant>,
        ask: impl FnOnce(),
    ) -> Result<(), ErrorCode> {
        self.wait(deadline, |state| state.deciding().is_some(), ask)
    }

    /// Waits until the partitions are known and what was parked has moved on.
    pub fn wait_published(&self, deadline: Option<Instant>) -> Result<(), ErrorCode> {
        self.wait(deadline, |_| false, || {})
    }

    fn wait(
        &self,
        deadline: Option<Instant>,
        is_enough: impl Fn(&State) -> bool,
        ask: impl FnOnce(),
    ) -> Result<(), ErrorCode> {
        let mut state = self.state.lock();
        let answers_before = state.answers;
        ask();
        loop {
            if self.partition_count() > 0 || is_enough(&state) {
                return Ok(());
            }
            if let Gate::Shut(reason) | Gate::Ended(reason) = state.gate {
                return Err(reason);
            }
            if let Some(error) = &state.error
                && state.answers > answers_before
                && !error.code.is_retriable()
            {
                return Err(error.code);
            }
            let timed_out = match deadline {
                None => {
                    self.changed.wait(&mut state);
                    false
                }
                Some(at) => self
                    .changed
                    .wait_until(&mut state, at.into_std())
                    .timed_out(),
            };
            if timed_out && self.partition_count() == 0 {
                let error = state.error.as_ref();
                return Err(error.map_or(ErrorCode::TIMED_OUT, |error| error.code));
            }
        }
    }

    /// Makes `count` partitions usable. The caller moves parked records first, see `begin_move`.
    fn publish(&self, count: i32) {
        self.count.store(count, Ordering::Release);
        self.changed.notify_all();
    }

    /// The topic was made anew with this many partitions: the others are no choice any more.
    pub fn shrink(&self, count: i32) {
        let mut state = self.state.lock();
        if let Some(moving) = &mut state.moving {
            moving.count = count;
        } else if count < self.partition_count() {
            self.publish(count);
        }
    }

    /// Claims the moving of parked records to so many partitions; false while another does it, who is told of them.
    /// `decides`: a user's partitioner is asked.
    pub fn begin_move(&self, count: i32, decides: bool) -> bool {
        let mut state = self.state.lock();
        if let Some(moving) = &mut state.moving {
            // An answer that leaves some out is not believed to have removed them.
            moving.count = moving.count.max(count);
            return false;
        }
        state.moving = Some(Move { count, decides });
        self.changed.notify_all();
        true
    }

    /// The parked records to move; when there are none, the partitions are published under the same lock, so
    /// that no record overtakes.
    pub fn next_to_move(&self, count: i32) -> VecDeque<Parked> {
        let mut state = self.state.lock();
        if state.parked.is_empty() {
            self.end_move(&mut state, count);
        }
        std::mem::take(&mut state.parked)
    }

    /// Moves the rest while senders wait, because they would go on for ever if they were faster. `move_one` runs
    /// under the topic's lock.
    pub fn move_rest(&self, count: i32, mut move_one: impl FnMut(Parked)) {
        let mut state = self.state.lock();
        while let Some(parked) = state.parked.pop_front() {
            move_one(parked);
        }
        self.end_move(&mut state, count);
    }

    /// Moves those whose partition is chosen, up to the first that needs a choice. `None`: that were all, and the
    /// partitions are published. `move_one` runs under the topic's lock: what is parked is there to be taken out until
    /// it has its place.
    pub fn move_decided(
        &self,
        count: i32,
        mut move_one: impl FnMut(Parked),
    ) -> Option<Arc<OwnedRecord>> {
        let mut state = self.state.lock();
        loop {
            match state.parked.front().map(Parked::undecided) {
                Some(Some(record)) => return Some(record),
                Some(None) => state.parked.pop_front().into_iter().for_each(&mut move_one),
                None => {
                    self.end_move(&mut state, count);
                    return None;
                }
            }
        }
    }

    /// Moves the first of the parked ones, unless it is not this record any more.
    pub fn move_first(&self, record: &Arc<OwnedRecord>, move_one: impl FnOnce(Parked)) {
        let mut state = self.state.lock();
        let is_it = |first: &mut Parked| {
            let undecided = first.undecided();
            undecided.is_some_and(|first| Arc::ptr_eq(&first, record))
        };
        if let Some(parked) = state.parked.pop_front_if(is_it) {
            move_one(parked);
        }
    }

    fn end_move(&self, state: &mut State, count: i32) {
        state.error = None;
        let moved = state.moving.take();
        self.publish(moved.map_or(count, |moved| moved.count));
    }

    /// When the oldest parked record came.
    pub fn oldest_parked(&self) -> Option<Instant> {
        let state = self.state.lock();
        state.parked.front().map(|parked| parked.created)
    }

    /// Fails all parked records.
    pub fn fail_parked(&self, code: ErrorCode, message: &str) {
        let taken = self.state.lock().parked.drain(..).collect();
        self.fail_taken(taken, code, message);
    }

    /// Fails records that were parked.
    pub fn fail_taken(&self, taken: Vec<Parked>, code: ErrorCode, message: &str) {
        for mut parked in taken {
            if let Some(accepted) = parked.take_accepted() {
                // Who reads the report finds the memory free.
                drop(parked);
                accepted.fail_saying(code, Persistence::Not, || {
                    format!("topic {}: {message}", self.name)
                });
            }
        }
    }

    /// Takes the first of the parked records if it came up to `before`, and nothing before it in its partition is
    /// without an outcome.
    pub fn take_expired(&self, before: Instant) -> Option<Parked> {
        let is_busy = |index: i32| self.partition(index).is_some_and(|own| own.load() > 0);
        self.state
            .lock()
            .parked
            .pop_front_if(|first| first.created <= before && !first.partition.is_some_and(is_busy))
    }

    /// Takes all that is parked, and what waits in the partitions' queues before it: `queued` gets that, by partition.
    pub fn take_waiting(&self, mut queued: impl FnMut(usize, Vec<Box<Batch>>)) -> Vec<Parked> {
        // Under one lock, so that nothing moves on in between.
        let mut state = self.state.lock();
        for partition in self.partitions() {
            queued(partition.id, partition.take_all());
        }
        state.parked.drain(..).collect()
    }
}

impl Parked {
    pub fn record(
        record: OwnedRecord,
        partition: Option<i32>,
        accepted: Accepted,
        reserved: Reservation,
    ) -> Self {
        Parked {
            created: Instant::now(),
            partition,
            load: Load::Record {
                accepted,
                record: Arc::new(record),
            },
            reserved,
        }
    }

    /// A batch that counts in the budget already; `nothing` is what parking takes beside.
    pub fn batch(batch: Box<Batch>, nothing: Reservation) -> Self {
        Parked {
            created: batch.created,
            partition: Some(batch.accepted.partition),
            load: Load::Batch(batch),
            reserved: nothing,
        }
    }

    /// The record, if its partition is still to be chosen.
    fn undecided(&self) -> Option<Arc<OwnedRecord>> {
        match &self.load {
            Load::Record { record, .. } if self.partition.is_none() => Some(record.clone()),
            _ => None,
        }
    }

    /// What is to move on.
    pub fn take(&mut self) -> Option<Unparked> {
        match std::mem::replace(&mut self.load, Load::Gone) {
            Load::Record { accepted, record } => Some(Unparked::Record(accepted, record)),
            Load::Batch(batch) => Some(Unparked::Batch(batch)),
            Load::Gone => None,
        }
    }

    /// The debt of its reports, to be paid by the caller.
    pub fn take_accepted(&mut self) -> Option<Accepted> {
        match self.take()? {
            Unparked::Record(accepted, _) => Some(accepted),
            Unparked::Batch(batch) => Some(batch.into_parts().0),
        }
    }
}

fn copy_of(bytes: &[u8]) -> Result<Box<[u8]>, NoMemory> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(bytes.len())?;
    copy.extend_from_slice(bytes);
    Ok(copy.into_boxed_slice())
}

impl OwnedRecord {
    /// A copy; an error where the system has no memory for it.
    pub fn copy_of(payload: &Payload<'_>) -> Result<Self, NoMemory> {
        spare_memory()?;
        let mut headers = Vec::new();
        headers.try_reserve_exact(payload.headers.len())?;
        for header in payload.headers {
            headers.push((copy_of(header.key)?, header.value.map(copy_of).transpose()?));
        }
        Ok(OwnedRecord {
            key: payload.key.map(copy_of).transpose()?,
            value: payload.value.map(copy_of).transpose()?,
            headers,
        })
    }

    /// As it was given; `headers` are its own.
    pub fn payload<'a>(&'a self, headers: &'a [Header<'a>]) -> Payload<'a> {
        Payload {
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
        }
    }

    pub fn headers(&self) -> Vec<Header<'_>> {
        self.headers
            .iter()
            .map(|(key, value)| Header {
                key,
                value: value.as_deref(),
            })
            .collect()
    }
}
