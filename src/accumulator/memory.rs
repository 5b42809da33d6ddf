//! `buffer.memory`: what is reserved, who waits for it (first come, first served), and when there is room again.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;

use super::pool::Pool;
use crate::error::ErrorCode;
use crate::sys::NoMemory;

/// Waiters are woken when this part of the budget is free, and not for each buffer that comes back.
const WAKE_SHARE: u64 = 16;
/// How often a waiter looks whether there is room for it all the same: much may be held by one slow partition.
pub const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Nobody waits to hear of room.
const UNWATCHED: u64 = u64::MAX;

/// Idle buffers may take this part of the budget beside it.
const IDLE_SHARE: usize = 8;

/// The budget for everything that accepted records occupy.
pub struct Memory {
    total: u64,
    used: AtomicU64,
    /// Waiters in `queue`; while there are any, newcomers may not overtake them.
    waiting: AtomicUsize,
    queue: Mutex<VecDeque<Arc<Claim>>>,
    /// What is to fit when room is announced: the least that was refused since the last time, or `UNWATCHED`.
    watched: AtomicU64,
    on_room: Box<dyn Fn() + Send + Sync>,
    pool: Pool,
    /// Set once closed: why nobody waits any more.
    closed: OnceLock<ErrorCode>,
}

/// A place in the queue at which no thread sleeps. Given up when it is dropped.
pub struct Place {
    memory: Arc<Memory>,
    claim: Arc<Claim>,
}

/// One place in the queue.
struct Claim {
    bytes: u64,
    state: Mutex<ClaimState>,
    changed: Condvar,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ClaimState {
    Waiting,
    Granted,
    Closed,
}

/// Reserved bytes; what is left of them goes back when this is dropped.
pub struct Reservation {
    memory: Arc<Memory>,
    bytes: u64,
}

impl Memory {
    /// `on_room` is called (from whichever thread frees) when there is room after `watch`.
    pub fn new(total: usize, on_room: Box<dyn Fn() + Send + Sync>) -> Arc<Self> {
        Arc::new(Memory {
            total: total as u64,
            used: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
            watched: AtomicU64::new(UNWATCHED),
            on_room,
            pool: Pool::new(total / IDLE_SHARE),
            closed: OnceLock::new(),
        })
    }

    /// A budget without a limit that keeps no buffers: for what is not accepted yet.
    pub fn unlimited() -> Arc<Self> {
        Arc::new(Memory {
            total: u64::MAX,
            used: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
            watched: AtomicU64::new(UNWATCHED),
            on_room: Box::new(|| {}),
            pool: Pool::new(0),
            closed: OnceLock::new(),
        })
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn available(&self) -> u64 {
        self.total.saturating_sub(self.used.load(Ordering::SeqCst))
    }

    /// Whether a thread waits for memory: then every open batch is due.
    pub fn is_exhausted(&self) -> bool {
        self.waiting.load(Ordering::SeqCst) > 0
    }

    /// Whether what lingers stands in somebody's way: a thread's, or one's who waits to hear of room.
    pub fn is_short(&self) -> bool {
        self.is_exhausted() || self.is_watched()
    }

    fn is_watched(&self) -> bool {
        self.watched.load(Ordering::SeqCst) != UNWATCHED
    }

    /// Reserves at once, or not at all.
    pub fn try_reserve(self: &Arc<Self>, bytes: usize) -> Option<Reservation> {
        if self.is_exhausted() {
            return None;
        }
        self.take(bytes as u64)
            .then(|| self.reservation(bytes as u64))
    }

    /// Reserves what is wanted, or half of what is free, or the least: a budget that is given out by the least makes
    /// many small buffers.
    pub fn try_reserve_some(self: &Arc<Self>, wanted: usize, least: usize) -> Option<Reservation> {
        let half = || (self.available() / 2) as usize;
        self.try_reserve(wanted)
            .or_else(|| self.try_reserve(half().clamp(least, wanted)))
            .or_else(|| self.try_reserve(least))
    }

    /// Reserves beyond the budget if need be: for bytes that take the place of others already counted.
    pub fn reserve_over(self: &Arc<Self>, bytes: usize) -> Reservation {
        self.used.fetch_add(bytes as u64, Ordering::SeqCst);
        self.reservation(bytes as u64)
    }

    /// Waits for its turn until the deadline.
    pub fn reserve_until(
        self: &Arc<Self>,
        bytes: usize,
        deadline: Option<Instant>,
        on_wait: impl FnOnce(),
    ) -> Result<Reservation, ErrorCode> {
        let claim = self.line_up(bytes);
        let mut state = claim.state.lock();
        if *state == ClaimState::Waiting {
            drop(state);
            on_wait();
            state = claim.state.lock();
        }
        while *state == ClaimState::Waiting {
            if self.closed.get().is_some() {
                *state = ClaimState::Closed;
                break;
            }
            let look = Instant::now() + LOOK_EVERY;
            let until = deadline.map_or(look, |at| at.min(look));
            let timed_out = claim.changed.wait_until(&mut state, until.into_std());
            if timed_out.timed_out() && *state == ClaimState::Waiting {
                if deadline == Some(until) {
                    break;
                }
                drop(state);
                self.serve();
                state = claim.state.lock();
            }
        }
        let settled = *state;
        drop(state);
        match settled {
            ClaimState::Granted => Ok(self.reservation(claim.bytes)),
            ClaimState::Closed => {
                self.withdraw(&claim);
                Err(self.closed.get().copied().unwrap_or(ErrorCode::CLOSED))
            }
            // A grant may still have come between the time-out and this.
            ClaimState::Waiting if self.withdraw(&claim) => Err(ErrorCode::TIMED_OUT),
            ClaimState::Waiting => Ok(self.reservation(claim.bytes)),
        }
    }

    fn line_up(&self, bytes: usize) -> Arc<Claim> {
        let claim = Arc::new(Claim {
            bytes: bytes as u64,
            state: Mutex::new(ClaimState::Waiting),
            changed: Condvar::new(),
        });
        let mut queue = self.queue.lock();
        queue.push_back(claim.clone());
        self.waiting.store(queue.len(), Ordering::SeqCst);
        self.grant(&mut queue);
        drop(queue);
        self.check_room();
        claim
    }

    /// Queues without waiting: look at the place again every few milliseconds.
    pub fn place_in_line(self: &Arc<Self>, bytes: usize) -> Place {
        Place {
            memory: self.clone(),
            claim: self.line_up(bytes),
        }
    }

    /// Asks for one call of `on_room` when a quarter is free and these bytes, that were refused, would not be again;
    /// at once if it is so already. More than there is counts as all of it, so that the call always comes. True if
    /// nobody has asked since the last one.
    pub fn watch(&self, bytes: usize) -> bool {
        let bytes = (bytes as u64).min(self.total);
        let before = self.watched.fetch_min(bytes, Ordering::SeqCst);
        self.check_room();
        before == UNWATCHED
    }

    /// Wakes all waiters with `reason`, now and in future. The first reason stays.
    pub fn close(&self, reason: ErrorCode) {
        let _ = self.closed.set(reason);
        let mut queue = self.queue.lock();
        for claim in queue.drain(..) {
            *claim.state.lock() = ClaimState::Closed;
            claim.changed.notify_one();
        }
        self.waiting.store(0, Ordering::SeqCst);
    }

    fn reservation(self: &Arc<Self>, bytes: u64) -> Reservation {
        Reservation {
            memory: self.clone(),
            bytes,
        }
    }

    /// Never takes more than there is, not even for a moment in which another would be refused.
    fn take(&self, bytes: u64) -> bool {
        let sum = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.total);
        self.used
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, sum)
            .is_ok()
    }

    fn release(&self, bytes: u64) {
        if bytes == 0 {
            return;
        }
        self.used.fetch_sub(bytes, Ordering::SeqCst);
        let enough = self.available() >= self.total / WAKE_SHARE;
        if enough && self.waiting.load(Ordering::SeqCst) > 0 {
            self.grant(&mut self.queue.lock());
        }
        self.check_room();
    }

    /// After each change of what is used and of who waits. In one order with `watch`: one of the two sees the other.
    fn check_room(&self) {
        let wanted = self.watched.load(Ordering::SeqCst);
        if wanted == UNWATCHED {
            return;
        }
        let free = self.available();
        // A try is refused while others wait, however much is free.
        let fits = free >= wanted && free >= self.total.div_ceil(4) && !self.is_exhausted();
        if fits && self.watched.swap(UNWATCHED, Ordering::SeqCst) != UNWATCHED {
            (self.on_room)();
        }
    }

    /// Looks whether those who wait can be served.
    fn serve(&self) {
        self.grant(&mut self.queue.lock());
        self.check_room();
    }

    fn grant(&self, queue: &mut VecDeque<Arc<Claim>>) {
        while let Some(first) = queue.front() {
            if !self.take(first.bytes) {
                break;
            }
            if let Some(claim) = queue.pop_front() {
                *claim.state.lock() = ClaimState::Granted;
                claim.changed.notify_one();
            }
        }
        self.waiting.store(queue.len(), Ordering::SeqCst);
    }

    /// Takes a claim out of the queue; false if it was granted meanwhile.
    fn withdraw(&self, claim: &Arc<Claim>) -> bool {
        let mut queue = self.queue.lock();
        if *claim.state.lock() == ClaimState::Granted {
            return false;
        }
        queue.retain(|other| !Arc::ptr_eq(other, claim));
        self.grant(&mut queue);
        drop(queue);
        self.check_room();
        true
    }
}

impl Place {
    /// The memory, once it is this place's turn.
    pub fn take(&mut self) -> Option<Reservation> {
        self.memory.serve();
        let mut state = self.claim.state.lock();
        if *state != ClaimState::Granted {
            return None;
        }
        *state = ClaimState::Closed;
        Some(self.memory.reservation(self.claim.bytes))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.memory.withdraw(&self.claim) {
            drop(self.memory.reservation(self.claim.bytes));
        }
    }
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Place({})", self.claim.bytes)
    }
}

impl Reservation {
    pub fn bytes(&self) -> usize {
        self.bytes as usize
    }

    /// Splits `bytes` off, or as much as there is.
    pub fn split(&mut self, bytes: usize) -> Reservation {
        let bytes = (bytes as u64).min(self.bytes);
        self.bytes -= bytes;
        self.memory.reservation(bytes)
    }

    /// An empty buffer of this size, if the system has memory for it.
    pub fn buffer(&self) -> Result<Vec<u8>, NoMemory> {
        self.memory.pool.take(self.bytes())
    }

    /// Keeps a buffer for others.
    pub fn give_back(&self, buffer: Vec<u8>) {
        self.memory.pool.give_back(buffer);
    }

    pub fn merge(&mut self, mut other: Reservation) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.memory.release(self.bytes);
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory")
            .field("total", &self.total)
            .field("available", &self.available())
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reservation({})", self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(total: usize) -> Arc<Memory> {
        Memory::new(total, Box::new(|| {}))
    }

    /// Memory that counts how often it announces room.
    fn counting(total: usize) -> (Arc<Memory>, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let seen = calls.clone();
        let on_room = move || {
            seen.fetch_add(1, Ordering::SeqCst);
        };
        (Memory::new(total, Box::new(on_room)), calls)
    }

    #[test]
    fn a_reservation_returns_what_it_took() {
        let memory = memory(100);
        let mut first = memory.try_reserve(60).unwrap();
        assert!(memory.try_reserve(41).is_none());
        let part = first.split(50);
        drop(first);
        assert_eq!(memory.available(), 50);
        drop(part);
        assert_eq!(memory.available(), 100);
    }

    /// One who asks for too much takes nothing from others meanwhile.
    #[test]
    fn a_refusal_refuses_nobody_else() {
        const ROUNDS: usize = 200_000;
        let memory = memory(100);
        let held = memory.try_reserve(50);
        let asking = AtomicUsize::new(1);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while asking.load(Ordering::Relaxed) > 0 {
                    assert!(memory.try_reserve(60).is_none());
                }
            });
            let refused = (0..ROUNDS).filter(|_| memory.try_reserve(50).is_none());
            let refused = refused.count();
            asking.store(0, Ordering::Relaxed);
            assert_eq!(refused, 0);
        });
        drop(held);
    }

    #[test]
    fn what_is_left_is_given_out_in_halves() {
        let memory = memory(100);
        let sizes = [60, 60, 60, 60].map(|wanted| memory.try_reserve_some(wanted, 8));
        let sizes = sizes
            .each_ref()
            .map(|got| got.as_ref().map(Reservation::bytes));
        assert_eq!(sizes, [Some(60), Some(20), Some(10), Some(8)]);
    }

    #[test]
    fn waiters_are_served_in_order_and_not_overtaken() {
        let memory = memory(100);
        let all = memory.try_reserve(100).unwrap();
        let (told, order) = std::sync::mpsc::channel();
        let (entered, queued) = std::sync::mpsc::channel();
        let mut threads = Vec::new();
        for name in 0..3 {
            let (memory, told, entered) = (memory.clone(), told.clone(), entered.clone());
            threads.push(std::thread::spawn(move || {
                let got = memory.reserve_until(80, None, || entered.send(()).unwrap());
                told.send(name).unwrap();
                drop(got.unwrap());
            }));
            queued.recv().unwrap();
        }
        let mut all = all;
        drop(all.split(10));
        assert!(memory.try_reserve(1).is_none(), "a newcomer overtook");
        drop(all);
        let seen: Vec<i32> = order.iter().take(3).collect();
        assert_eq!(seen, [0, 1, 2]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(memory.available(), 100);
        assert!(!memory.is_exhausted());
    }

    #[test]
    fn a_waiter_gives_up_at_its_deadline_and_at_close() {
        let memory = memory(10);
        let all = memory.try_reserve(10).unwrap();
        let soon = Instant::now() + Duration::from_millis(5);
        let late = memory.reserve_until(1, Some(soon), || {});
        assert_eq!(late.map(|_| ()).unwrap_err(), ErrorCode::TIMED_OUT);
        assert!(!memory.is_exhausted());
        memory.close(ErrorCode::CLOSED);
        let closed = memory.reserve_until(1, None, || {});
        assert_eq!(closed.map(|_| ()).unwrap_err(), ErrorCode::CLOSED);
        drop(all);
        assert_eq!(memory.available(), 10);
    }

    #[test]
    fn a_place_in_line_is_served_in_turn_and_given_up_when_dropped() {
        let memory = memory(100);
        let mut all = memory.try_reserve(100).unwrap();
        let mut first = memory.place_in_line(60);
        let second = memory.place_in_line(30);
        assert!(memory.is_exhausted());
        drop(all.split(50));
        assert!(first.take().is_none(), "the budget is exceeded");
        drop(all);
        let taken = first.take().unwrap();
        assert_eq!(taken.bytes(), 60);
        assert!(first.take().is_none(), "taken twice");
        drop(first);
        // Granted and never taken: it goes back.
        assert_eq!(memory.available(), 10);
        drop(second);
        assert_eq!(memory.available(), 40);
        let never = memory.place_in_line(50);
        assert!(memory.is_exhausted());
        drop(never);
        assert!(!memory.is_exhausted());
        drop(taken);
        assert_eq!(memory.available(), 100);
    }

    #[test]
    fn room_is_announced_once_when_a_quarter_is_free() {
        let (memory, calls) = counting(100);
        let mut all = memory.try_reserve(100).unwrap();
        memory.watch(1);
        drop(all.split(24));
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        drop(all.split(1));
        drop(all);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        memory.watch(1);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn room_is_announced_when_the_least_that_was_refused_fits() {
        let (memory, calls) = counting(100);
        let mut all = memory.try_reserve(100).unwrap();
        memory.watch(60);
        memory.watch(40);
        memory.watch(50);
        drop(all.split(39));
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        drop(all.split(1));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        // More than there is.
        memory.watch(1000);
        drop(all.split(59));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        drop(all);
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn room_is_not_announced_while_others_wait_for_it() {
        let (memory, calls) = counting(100);
        let all = memory.try_reserve(50).unwrap();
        let waiter = memory.place_in_line(60);
        memory.watch(10);
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        drop(waiter);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        let waiter = memory.place_in_line(60);
        memory.watch(10);
        drop(all);
        assert_eq!(calls.load(Ordering::SeqCst), 2, "it has been granted");
        drop(waiter);
    }
}
