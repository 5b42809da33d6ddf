//! Sticky choices for records without a key (KIP-794): stay until a batch's worth of bytes has gone, then
//! move on, with weights by queue length.
//!
//! There is no counter per record: bytes are credited when a batch closes. Threads share a lane until they
//! get in each other's way; then each moves to one of its own.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};

use crate::sys::Rng;

const LANES: usize = 8;

thread_local! {
    static LANE: Cell<u8> = const { Cell::new(0) };
}
static NEXT_LANE: AtomicUsize = AtomicUsize::new(0);

/// The sticky choices of one topic.
#[derive(Debug)]
pub struct Lanes {
    lanes: [Lane; LANES],
    /// Some thread has left the first lane: each is to look which one is its own.
    parted: AtomicBool,
}

#[derive(Debug)]
#[repr(align(64))]
struct Lane {
    /// −1 before the first choice.
    current: AtomicI32,
    credited: AtomicUsize,
}

/// Not inlined, lest the address of the thread's storage be computed where it is not needed.
#[inline(never)]
fn own_lane() -> u8 {
    LANE.with(Cell::get)
}

impl Default for Lanes {
    fn default() -> Self {
        Lanes {
            lanes: std::array::from_fn(|_| Lane {
                current: AtomicI32::new(-1),
                credited: AtomicUsize::new(0),
            }),
            parted: AtomicBool::new(false),
        }
    }
}

impl Lanes {
    /// The lane of this thread. All share the first until two get in each other's way, which saves most programs
    /// a look at thread-local storage.
    #[inline]
    pub fn own(&self) -> u8 {
        if self.parted.load(Ordering::Relaxed) {
            own_lane()
        } else {
            0
        }
    }

    /// Gives this thread a lane that it shares with fewer others.
    #[cold]
    pub fn part(&self) -> u8 {
        self.parted.store(true, Ordering::Relaxed);
        let lane = 1 + (NEXT_LANE.fetch_add(1, Ordering::Relaxed) % (LANES - 1)) as u8;
        LANE.with(|own| own.set(lane));
        lane
    }

    #[inline]
    pub fn current(&self, lane: u8) -> i32 {
        self.lane(lane).current.load(Ordering::Relaxed)
    }

    /// Counts the bytes of a closed batch of `partition`, and moves on when they are enough.
    pub fn credit(
        &self,
        lane: u8,
        partition: i32,
        bytes: usize,
        batch_size: usize,
        choose: impl FnOnce() -> i32,
    ) {
        let lane = self.lane(lane);
        if lane.current.load(Ordering::Relaxed) != partition {
            return;
        }
        let credited = lane.credited.fetch_add(bytes, Ordering::Relaxed) + bytes;
        // A batch is full when the next record does not fit, which is a little before its last byte.
        if credited + batch_size / 8 >= batch_size {
            lane.credited.store(0, Ordering::Relaxed);
            lane.current.store(choose(), Ordering::Relaxed);
        }
    }

    /// Moves on at once, from a partition that cannot or should not be used.
    pub fn switch(&self, lane: u8, from: i32, to: i32) {
        let lane = self.lane(lane);
        let moved = lane
            .current
            .compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
        if moved.is_ok() {
            lane.credited.store(0, Ordering::Relaxed);
        }
    }

    fn lane(&self, lane: u8) -> &Lane {
        &self.lanes[lane as usize % LANES]
    }
}

/// A partition and how many batches are queued for it.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub partition: i32,
    pub queued: u32,
}

/// Chooses among partitions: evenly, or adaptively with weights of (longest queue + 1 − own queue).
pub fn choose(loads: &[Load], adaptive: bool, rng: &Rng) -> Option<i32> {
    let longest = loads.iter().map(|load| load.queued).max()?;
    let shortest = loads.iter().map(|load| load.queued).min()?;
    if !adaptive || longest == shortest {
        let at = rng.below(loads.len() as u64) as usize;
        return Some(loads[at].partition);
    }
    let weight = |load: &Load| u64::from(longest + 1 - load.queued);
    let total: u64 = loads.iter().map(weight).sum();
    let mut at = rng.below(total);
    for load in loads {
        match at.checked_sub(weight(load)) {
            Some(rest) => at = rest,
            None => return Some(load.partition),
        }
    }
    loads.last().map(|load| load.partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_until_a_batch_of_bytes_is_credited() {
        let lanes = Lanes::default();
        lanes.switch(0, -1, 3);
        lanes.credit(0, 3, 500, 1000, || 5);
        assert_eq!(lanes.current(0), 3);
        lanes.credit(0, 2, 5000, 1000, || 5);
        assert_eq!(
            lanes.current(0),
            3,
            "another partition's bytes do not count"
        );
        lanes.credit(0, 3, 500, 1000, || 5);
        assert_eq!(lanes.current(0), 5);
        assert_eq!(lanes.current(1), -1);
    }

    #[test]
    fn equal_queues_are_chosen_evenly_and_long_ones_rarely() {
        let rng = Rng::from_seed(3);
        let count = |loads: &[Load], partition| {
            (0..10_000)
                .filter(|_| choose(loads, true, &rng) == Some(partition))
                .count()
        };
        let load = |partition, queued| Load { partition, queued };
        let even = [load(0, 2), load(1, 2)];
        assert!((4_700..5_300).contains(&count(&even, 0)));
        // Weights 1 and 9.
        let uneven = [load(0, 8), load(1, 0)];
        assert!((800..1_200).contains(&count(&uneven, 0)));
        assert_eq!(choose(&[], true, &rng), None);
    }
}
