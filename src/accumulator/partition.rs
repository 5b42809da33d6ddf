//! The queue of one partition: the open batch, the closed ones behind it in order, and the gate.
//!
//! Everything that decides whether and where a record goes happens under the queue's lock. User code,
//! compression and I/O never do.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use tokio::time::Instant;

use super::accepted::Accepted;
use super::batch::{BATCH_OVERHEAD, Batch, NoRoom, Raw, Sealed};
use super::memory::Reservation;
use super::seal::Unsealed;
use super::{Accumulator, Gate};
use crate::completion::{RecordMeta, SendCallback};
use crate::error::ErrorCode;
use crate::record::encode::{Payload, SLACK, ShortPayload};
use crate::sys::{BriefGuard, BriefMutex, NoMemory};

/// The first buffer of a batch in a queue that has not shown yet how much it needs.
const MIN_FIRST_BUFFER: usize = 2 * 1024;

/// One partition, shared by senders and the engine.
#[derive(Debug)]
pub struct Partition {
    /// Its number among all partitions of the producer.
    pub id: usize,
    pub topic: u32,
    pub index: i32,
    queue: BriefMutex<Queue>,
    /// The leader's node id, −1 while unknown: for the choice of a partition only.
    leader: AtomicI32,
    /// Batches queued or in flight: for the choice of a partition only.
    load: AtomicU32,
}

#[derive(Debug)]
pub struct Queue {
    pub(super) gate: Gate,
    pub(super) open: Option<Box<Batch>>,
    pub(super) closed: VecDeque<Box<Batch>>,
    known: Known,
    pub(super) next_number: u64,
    /// What the last batches held when they were closed, at most: how large the next one's first buffer should be.
    usual_size: usize,
    usual_records: usize,
    /// User batches among them.
    pub(super) users: usize,
    /// A caller was refused because of those, and wants to hear when they are gone.
    pub(super) watched: bool,
}

/// What the engine knows of the queue, so that a sender wakes it only for news.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Nothing is queued.
    Empty,
    /// An open batch lingers.
    Lingering,
    /// Something is to be sent at once.
    Due,
    /// It will look again by itself when the batch in flight is answered.
    Busy,
}

/// What the engine is to be told after an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    None,
    /// Look at the partition no later than this.
    DueAt(Instant),
    DueNow,
}

/// What a sender still has to do after an append, with the lock released.
#[derive(Debug)]
#[must_use]
pub struct Appended {
    pub news: News,
    /// The batch that this record found full: it is the sender's to seal.
    pub to_seal: Option<(u64, Raw)>,
    /// Bytes of a closed batch that its sticky lane is credited with.
    pub credit: Option<(u8, usize)>,
}

/// Why a record was not appended; nothing has changed.
#[derive(Debug)]
pub enum AppendError {
    Refused(ErrorCode),
    /// Reserve this much first.
    Memory {
        least: usize,
    },
    /// The sticky choice has moved on, and this partition has no open batch to finish.
    Moved,
}

impl From<NoMemory> for AppendError {
    /// The system refuses memory that the budget allows.
    fn from(error: NoMemory) -> Self {
        AppendError::Refused(error.into())
    }
}

/// One record and how it is to be appended.
#[derive(Debug)]
pub struct Append<'a> {
    pub payload: &'a Payload<'a>,
    pub meta: RecordMeta,
    pub callback: Option<SendCallback>,
    /// The sticky lane that chose this partition.
    pub lane: Option<u8>,
    /// Skip linger.
    pub urgent: bool,
    /// The transaction in which it was sent: it waits for its place in no other.
    pub transaction: u64,
    /// Of a topic that was parked: accepted long since, so the gate does not ask again.
    pub parked: Option<Accepted>,
    /// When that was: its linger and its time to live count from then.
    pub since: Option<Instant>,
}

/// What the engine finds at the head of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    Empty,
    /// Being compressed: news follows.
    Sealing,
    /// To be sent as soon as possible.
    Due,
    /// Open since then.
    Lingering(Instant),
}

impl Partition {
    pub fn new(id: usize, topic: u32, index: i32, gate: Gate) -> Arc<Self> {
        Arc::new(Partition {
            id,
            topic,
            index,
            queue: BriefMutex::new(Queue {
                gate,
                open: None,
                closed: VecDeque::new(),
                known: Known::Empty,
                next_number: 0,
                usual_size: 0,
                usual_records: 0,
                users: 0,
                watched: false,
            }),
            leader: AtomicI32::new(-1),
            load: AtomicU32::new(0),
        })
    }

    pub fn lock(&self) -> BriefGuard<'_, Queue> {
        self.queue.lock()
    }

    pub fn try_lock(&self) -> Option<BriefGuard<'_, Queue>> {
        self.queue.try_lock()
    }

    pub fn leader(&self) -> i32 {
        self.leader.load(Ordering::Relaxed)
    }

    pub fn set_leader(&self, leader: i32) {
        self.leader.store(leader, Ordering::Relaxed);
    }

    pub fn load(&self) -> u32 {
        self.load.load(Ordering::Relaxed)
    }

    /// A batch has left the engine: it was reported.
    pub fn unload(&self) {
        self.load.fetch_sub(1, Ordering::Relaxed);
    }

    /// A batch came into being elsewhere: a part of a split one.
    pub fn add_load(&self) {
        self.load.fetch_add(1, Ordering::Relaxed);
    }

    /// Appends where that takes nothing but the lock and room in the open batch. False: nothing has changed, take
    /// the long way.
    #[inline(always)]
    pub fn try_push(
        &self,
        payload: &ShortPayload<'_>,
        meta: RecordMeta,
        batch_size: usize,
    ) -> bool {
        let Some(mut queue) = self.queue.try_lock() else {
            return false;
        };
        if !matches!(queue.gate, Gate::Open(_)) {
            return false;
        }
        match &mut queue.open {
            Some(open) => open.try_push(payload, meta, batch_size),
            None => false,
        }
    }

    /// Appends under the lock that the caller holds. `may_open` is asked before a new batch is opened.
    /// What `appended` says is to be done (`Accumulator::settle`) after the lock is released, also after
    /// an error.
    #[inline]
    pub fn append(
        &self,
        queue: &mut Queue,
        append: &mut Append<'_>,
        credit: &mut Option<Reservation>,
        accumulator: &Accumulator,
        may_open: impl FnOnce() -> bool,
        appended: &mut Appended,
    ) -> Result<(), AppendError> {
        match (queue.gate, &append.parked) {
            (Gate::Open(now), None) if now != append.transaction => {
                return Err(AppendError::Refused(ErrorCode::ILLEGAL_STATE));
            }
            (Gate::Open(_), _) | (Gate::Shut(_), Some(_)) => {}
            (Gate::Shut(reason), None) | (Gate::Ended(reason), _) => {
                return Err(AppendError::Refused(reason));
            }
        }
        let added = match &mut queue.open {
            Some(open) => open.add(append, accumulator.batch_size),
            None => Err(NoRoom::BatchFull),
        };
        match added {
            Ok(()) => {}
            Err(NoRoom::Memory { wanted, least }) => {
                self.append_growing(queue, append, credit, accumulator, (wanted, least))?;
            }
            Err(NoRoom::BatchFull) if may_open() => {
                self.append_opening(queue, append, credit, accumulator, appended)?;
            }
            Err(NoRoom::BatchFull) => {
                // The full batch goes all the same; the record goes to the lane's new partition.
                self.close_open(queue, accumulator, appended);
                return Err(AppendError::Moved);
            }
        }
        if append.urgent {
            self.close_open(queue, accumulator, appended);
        }
        Ok(())
    }

    /// The open batch has room but its buffers have not.
    fn append_growing(
        &self,
        queue: &mut Queue,
        append: &mut Append<'_>,
        credit: &mut Option<Reservation>,
        accumulator: &Accumulator,
        mut needed: (usize, usize),
    ) -> Result<(), AppendError> {
        while let Some(open) = &mut queue.open {
            let (wanted, least) = needed;
            let Some(reserved) = accumulator.reserve(wanted, least, credit) else {
                return Err(AppendError::Memory { least });
            };
            open.grow(reserved, least)?;
            match open.add(append, accumulator.batch_size) {
                Ok(()) => return Ok(()),
                Err(NoRoom::Memory { wanted, least }) => needed = (wanted, least),
                Err(NoRoom::BatchFull) => break,
            }
        }
        Err(AppendError::Refused(ErrorCode::INTERNAL))
    }

    /// There is no open batch, or it is full: this record begins the next.
    fn append_opening(
        &self,
        queue: &mut Queue,
        append: &mut Append<'_>,
        credit: &mut Option<Reservation>,
        accumulator: &Accumulator,
        appended: &mut Appended,
    ) -> Result<(), AppendError> {
        let mut batch = self.new_batch(queue, append, credit, accumulator)?;
        if batch.add(append, accumulator.batch_size).is_err() {
            return Err(AppendError::Refused(ErrorCode::INTERNAL));
        }
        self.close_open(queue, accumulator, appended);
        self.load.fetch_add(1, Ordering::Relaxed);
        appended.news = appended.news.or(queue.opened(batch.created, accumulator));
        let is_full = batch.size() >= accumulator.batch_size;
        queue.open = Some(batch);
        if is_full {
            self.close_open(queue, accumulator, appended);
        }
        Ok(())
    }

    fn new_batch(
        &self,
        queue: &mut Queue,
        append: &mut Append<'_>,
        credit: &mut Option<Reservation>,
        accumulator: &Accumulator,
    ) -> Result<Box<Batch>, AppendError> {
        // All that the first record needs is reserved before anything changes.
        let least = BATCH_OVERHEAD + append.payload.upper_bound() + 512;
        let usual = size_class(queue.usual_size, accumulator.batch_size);
        let records = queue.usual_records + queue.usual_records / 16;
        let wanted = BATCH_OVERHEAD
            + (usual + usual / 16 + SLACK).max(MIN_FIRST_BUFFER)
            + records * size_of::<RecordMeta>();
        let Some(mut reserved) = accumulator.reserve(wanted.max(least), least, credit) else {
            return Err(AppendError::Memory { least });
        };
        let own = reserved.split(BATCH_OVERHEAD);
        let accepted = Accepted::new(
            self.topic,
            self.index,
            accumulator.incomplete.token(),
            accumulator.hub.clone(),
        );
        let mut batch = Batch::new(queue.next_number, accepted, own, append.lane);
        batch.created = append.since.unwrap_or(batch.created);
        batch.grow_for(reserved, least - BATCH_OVERHEAD, records)?;
        queue.next_number += 1;
        Ok(batch)
    }

    pub(super) fn close_open(
        &self,
        queue: &mut Queue,
        accumulator: &Accumulator,
        appended: &mut Appended,
    ) {
        let Some(batch) = queue.close_open(appended) else {
            return;
        };
        // A second one that the same append closes is left for the draining side to seal.
        if accumulator.seals_early() && appended.to_seal.is_none() {
            let number = batch.number;
            appended.to_seal = batch.claim_seal().map(|raw| (number, raw));
        }
        if appended.to_seal.is_none() {
            appended.news = appended.news.or(queue.due());
        }
    }

    /// A sealed batch takes its place, unless it is gone meanwhile. Gives the news.
    pub fn finish_seal(&self, number: u64, sealed: Result<Sealed, Unsealed>) -> News {
        let mut queue = self.queue.lock();
        let Some(position) = queue.closed.iter().position(|batch| batch.number == number) else {
            return News::None;
        };
        match sealed {
            Ok(sealed) => queue.closed[position].finish_seal(sealed),
            Err(Unsealed { code, detail }) => {
                if let Some(batch) = queue.closed.remove(position) {
                    queue.note_gone(&batch);
                    self.unload();
                    batch
                        .accepted
                        .fail(code, crate::completion::Persistence::Not, detail);
                }
            }
        }
        queue.due()
    }

    /// What is at the head, and notes that the engine has seen it.
    pub fn look(&self) -> Head {
        let mut queue = self.queue.lock();
        let head = queue.head();
        queue.known = match head {
            Head::Empty => Known::Empty,
            Head::Sealing | Head::Lingering(_) => Known::Lingering,
            Head::Due => Known::Due,
        };
        head
    }

    /// Notes that the engine looks again by itself.
    pub fn set_busy(&self) {
        self.queue.lock().known = Known::Busy;
    }

    /// Takes the head if it is ready and fits, closing an open batch. The second value is the credit due
    /// to a sticky lane.
    pub fn take(&self, max_size: usize) -> (Option<Box<Batch>>, Option<(u8, usize)>) {
        let mut queue = self.queue.lock();
        let mut appended = Appended::nothing();
        if queue.closed.is_empty() {
            match &queue.open {
                Some(open) if open.wire_size() <= max_size => {}
                _ => return (None, None),
            }
            queue.close_open(&mut appended);
        }
        let fits = queue
            .closed
            .front()
            .is_some_and(|head| !head.is_sealing() && head.wire_size() <= max_size);
        let batch = if fits { queue.closed.pop_front() } else { None };
        if let Some(batch) = &batch {
            queue.note_gone(batch);
        }
        (batch, appended.credit)
    }

    /// Whether something is queued that is not being sealed.
    pub fn has_ready(&self) -> bool {
        matches!(self.queue.lock().head(), Head::Due | Head::Lingering(_))
    }

    /// When the oldest queued batch began.
    pub fn oldest(&self) -> Option<Instant> {
        let queue = self.queue.lock();
        let oldest = queue.closed.front().or(queue.open.as_ref());
        oldest.map(|batch| batch.created)
    }

    /// Takes all batches from the head that began before `before`, in order.
    pub fn take_older(&self, before: Instant) -> Vec<Box<Batch>> {
        let mut queue = self.queue.lock();
        let mut taken = Vec::new();
        while queue
            .closed
            .front()
            .is_some_and(|head| head.created <= before)
        {
            taken.extend(queue.closed.pop_front());
        }
        if queue.closed.is_empty()
            && queue
                .open
                .as_ref()
                .is_some_and(|open| open.created <= before)
        {
            taken.extend(queue.open.take());
        }
        taken.iter().for_each(|batch| queue.note_gone(batch));
        taken
    }

    /// Takes everything that is queued.
    pub fn take_all(&self) -> Vec<Box<Batch>> {
        let mut queue = self.queue.lock();
        let mut taken: Vec<_> = queue.closed.drain(..).collect();
        taken.extend(queue.open.take());
        taken.iter().for_each(|batch| queue.note_gone(batch));
        taken
    }

    /// From now on records are accepted here, or not; what is queued stays.
    pub fn set_gate(&self, gate: Gate) {
        let mut queue = self.queue.lock();
        if !matches!(queue.gate, Gate::Ended(_)) {
            queue.gate = gate;
        }
    }

    /// From now on nothing gets in, and what is queued is the caller's to report.
    pub fn end(&self, reason: ErrorCode) -> Vec<Box<Batch>> {
        self.queue.lock().gate = Gate::Ended(reason);
        self.take_all()
    }
}

impl Queue {
    fn head(&self) -> Head {
        match (self.closed.front(), &self.open) {
            (Some(head), _) if head.is_sealing() => Head::Sealing,
            (Some(_), _) => Head::Due,
            (None, Some(open)) => Head::Lingering(open.created),
            (None, None) => Head::Empty,
        }
    }

    fn close_open(&mut self, appended: &mut Appended) -> Option<&mut Box<Batch>> {
        let batch = self.open.take()?;
        self.usual_size = usual(self.usual_size, batch.size());
        self.usual_records = usual(self.usual_records, batch.record_count());
        if let Some(lane) = batch.lane {
            let before = appended.credit.map_or(0, |(_, bytes)| bytes);
            appended.credit = Some((lane, before + batch.size()));
        }
        self.closed.push_back(batch);
        self.closed.back_mut()
    }

    pub(super) fn opened(&mut self, created: Instant, accumulator: &Accumulator) -> News {
        if self.known != Known::Empty {
            return News::None;
        }
        self.known = Known::Lingering;
        // The engine does not let it linger then, and may have no reason of its own to look.
        match accumulator.memory.is_short() {
            true => News::DueAt(created),
            false => News::DueAt(created + accumulator.linger),
        }
    }

    fn due(&mut self) -> News {
        match self.known {
            Known::Empty | Known::Lingering => {
                self.known = Known::Due;
                News::DueNow
            }
            Known::Due | Known::Busy => News::None,
        }
    }
}

impl Appended {
    pub fn nothing() -> Self {
        Appended {
            news: News::None,
            to_seal: None,
            credit: None,
        }
    }

    #[inline]
    pub fn is_nothing(&self) -> bool {
        self.news == News::None && self.to_seal.is_none() && self.credit.is_none()
    }
}

/// The most that is to be expected after `last`: a few small ones do not make the next one grow step by step.
fn usual(before: usize, last: usize) -> usize {
    last.max(before - before / 8)
}

/// `usual` rounded up to `largest` or a half, a quarter … of it: buffers of few sizes fit again.
fn size_class(usual: usize, largest: usize) -> usize {
    let mut class = largest;
    while class / 2 >= usual.max(1) {
        class /= 2;
    }
    class
}

impl News {
    /// The more urgent of two.
    pub(super) fn or(self, other: News) -> News {
        match (self, other) {
            (News::DueNow, _) | (_, News::DueNow) => News::DueNow,
            (News::DueAt(a), News::DueAt(b)) => News::DueAt(a.min(b)),
            (News::None, news) | (news, News::None) => news,
        }
    }
}

impl Batch {
    #[inline]
    fn add(&mut self, append: &mut Append<'_>, batch_size: usize) -> Result<(), NoRoom> {
        if append.parked.is_some() {
            return self.add_parked(append, batch_size);
        }
        match self.try_append(
            append.payload,
            append.meta,
            append.callback.take(),
            batch_size,
        ) {
            Ok(()) => Ok(()),
            Err((no_room, callback)) => {
                append.callback = callback;
                Err(no_room)
            }
        }
    }

    /// A parked record brings its own debt: it is taken over in place of a new one.
    #[cold]
    fn add_parked(&mut self, append: &mut Append<'_>, batch_size: usize) -> Result<(), NoRoom> {
        let Some(parked) = append.parked.take() else {
            return Ok(());
        };
        match self.try_append(append.payload, append.meta, None, batch_size) {
            Ok(()) => {
                self.accepted.replace_last(parked);
                Ok(())
            }
            Err((no_room, _)) => {
                append.parked = Some(parked);
                Err(no_room)
            }
        }
    }
}
