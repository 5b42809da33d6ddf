//! A lock for critical sections of some instructions, on the way of every record.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{hint, thread};

use parking_lot::lock_api::{GuardSend, Mutex, MutexGuard, RawMutex};

/// What `parking_lot::Mutex` is, but for its waiters: they look again instead of being woken, so that giving the lock
/// back is a plain store. A locked instruction there would wait until all that was written under the lock has reached
/// the cache, which is most of what appending a record costs.
pub type BriefMutex<T> = Mutex<RawBrief, T>;
pub type BriefGuard<'a, T> = MutexGuard<'a, RawBrief, T>;

/// Looks in a row while the holder is likely to be running.
const SPINS: u32 = 64;
/// Times that the processor is given up before the holder is taken to be stopped for longer.
const YIELDS: u32 = 16;
const PAUSE: Duration = Duration::from_micros(50);

#[derive(Debug)]
pub struct RawBrief(AtomicBool);

impl RawBrief {
    #[allow(clippy::disallowed_methods)] // The event is that the holder runs again, and stores what this reads.
    #[cold]
    #[inline(never)]
    fn lock_contended(&self) {
        let mut looks = 0;
        loop {
            match looks {
                0..SPINS => hint::spin_loop(),
                n if n < SPINS + YIELDS => thread::yield_now(),
                _ => thread::sleep(PAUSE),
            }
            looks += 1;
            if self.try_lock() {
                return;
            }
        }
    }
}

// SAFETY: the one that changes the flag from false to true has the lock until it stores false.
unsafe impl RawMutex for RawBrief {
    type GuardMarker = GuardSend;

    #[allow(clippy::declare_interior_mutable_const)] // lock_api's way to make one.
    const INIT: Self = RawBrief(AtomicBool::new(false));

    #[inline]
    fn lock(&self) {
        if !self.try_lock() {
            self.lock_contended();
        }
    }

    #[inline]
    fn try_lock(&self) -> bool {
        !self.0.load(Ordering::Relaxed) && !self.0.swap(true, Ordering::Acquire)
    }

    #[inline]
    unsafe fn unlock(&self) {
        self.0.store(false, Ordering::Release);
    }

    #[inline]
    fn is_locked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn one_at_a_time() {
        const THREADS: usize = 4;
        const ROUNDS: usize = 20_000;
        let sum = BriefMutex::new((0_usize, 0_usize));
        let begin = Barrier::new(THREADS);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    begin.wait();
                    for _ in 0..ROUNDS {
                        let mut sum = sum.lock();
                        let (first, second) = *sum;
                        assert_eq!(first, second);
                        sum.0 = hint::black_box(first + 1);
                        sum.1 = hint::black_box(second + 1);
                    }
                });
            }
        });
        assert_eq!(*sum.lock(), (THREADS * ROUNDS, THREADS * ROUNDS));
    }

    /// Far longer than a waiter spins and yields.
    #[test]
    fn a_holder_that_is_stopped_is_waited_for() {
        let lock = BriefMutex::new(0);
        let held = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut value = lock.lock();
                held.wait();
                thread::sleep(Duration::from_millis(20));
                *value = 1;
            });
            held.wait();
            assert!(lock.try_lock().is_none());
            assert_eq!(*lock.lock(), 1);
        });
        assert!(lock.try_lock().is_some());
    }
}
