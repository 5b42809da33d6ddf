//! The wall clock. Monotonic time is `tokio::time::Instant`, so that a paused runtime pauses it.

use std::mem::MaybeUninit;

/// Milliseconds since 1970, as Kafka's timestamps count them. Negative before that.
///
/// A step of the clock is seen with the next millisecond at the latest.
#[inline]
pub fn unix_millis() -> i64 {
    #[cfg(target_arch = "x86_64")]
    {
        cached::unix_millis()
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        Time::now().millis()
    }
}

/// Time since 1970.
#[derive(Clone, Copy, Debug)]
struct Time {
    seconds: i64,
    nanos: u32,
}

impl Time {
    #[inline]
    fn now() -> Time {
        // Not through SystemTime, whose arithmetic costs more than the reading.
        let mut now = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: the pointer is to a timespec of our own. With this clock and pointer the call cannot fail, so it is
        // filled in.
        let now = unsafe {
            libc::clock_gettime(libc::CLOCK_REALTIME, now.as_mut_ptr());
            now.assume_init()
        };
        Time {
            seconds: now.tv_sec,
            nanos: now.tv_nsec as u32,
        }
    }

    #[inline]
    fn millis(self) -> i64 {
        self.seconds * 1_000 + i64::from(self.nanos / 1_000_000)
    }

    /// Nanoseconds to the next millisecond: at least 1.
    #[cfg(target_arch = "x86_64")]
    fn left(self) -> u32 {
        1_000_000 - self.nanos % 1_000_000
    }
}

/// Reading the clock takes a sixth of a send, and a thread in a hurry sends thousands of records in a millisecond. The
/// processor's counter, which costs a fraction of it, tells whether the millisecond can have ended.
#[cfg(target_arch = "x86_64")]
mod cached {
    use super::Time;
    use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

    /// Nanoseconds that one tick of the counter takes at most. It counts at the processor's nominal frequency, which is
    /// above 1 GHz, or little below it where power is short.
    const SLOWEST_TICK: u64 = 2;
    /// `Reading::since` while another thread writes the reading: no count of a processor comes near it.
    const BEING_WRITTEN: u64 = 1 << 63;

    #[inline]
    pub fn unix_millis() -> i64 {
        static LAST: Reading = Reading::new();
        // SAFETY: each x86-64 has the instruction. It is not ordered with the loads around it: a count from a little
        // earlier only has the clock read once more.
        let ticks = unsafe { core::arch::x86_64::_rdtsc() };
        match LAST.at(ticks) {
            Some(millis) => millis,
            None => LAST.renew(ticks, Time::now),
        }
    }

    /// A reading of the clock and how long its millisecond lasts. All threads share it.
    #[derive(Debug)]
    pub(super) struct Reading {
        /// The counter just before the reading. As it never shows the same twice, it is also what tells readers that
        /// the other fields belong to it.
        since: AtomicU64,
        /// Ticks that end before the millisecond does.
        lasts: AtomicU64,
        millis: AtomicI64,
    }

    impl Reading {
        pub const fn new() -> Self {
            Reading {
                since: AtomicU64::new(0),
                lasts: AtomicU64::new(0),
                millis: AtomicI64::new(0),
            }
        }

        /// The millisecond, where it lasts at this count.
        #[inline]
        pub fn at(&self, ticks: u64) -> Option<i64> {
            let since = self.since.load(Ordering::Acquire);
            let lasts = self.lasts.load(Ordering::Relaxed);
            let millis = self.millis.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            // A count from before `since` comes out large.
            (ticks.wrapping_sub(since) < lasts && self.since.load(Ordering::Relaxed) == since)
                .then_some(millis)
        }

        /// Reads the clock, with the count from before.
        #[cold]
        #[inline(never)]
        pub fn renew(&self, ticks: u64, clock: impl FnOnce() -> Time) -> i64 {
            let now = clock();
            let since = self.since.load(Ordering::Relaxed);
            let won = since != BEING_WRITTEN
                && self
                    .since
                    .compare_exchange(since, BEING_WRITTEN, Ordering::Acquire, Ordering::Relaxed)
                    .is_ok();
            if won {
                fence(Ordering::Release);
                let lasts = u64::from(now.left()) / SLOWEST_TICK;
                self.lasts.store(lasts, Ordering::Relaxed);
                self.millis.store(now.millis(), Ordering::Relaxed);
                self.since.store(ticks, Ordering::Release);
            }
            now.millis()
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn time(millis: i64, nanos: u32) -> Time {
            Time {
                seconds: millis / 1_000,
                nanos: (millis % 1_000) as u32 * 1_000_000 + nanos,
            }
        }

        #[test]
        fn a_reading_holds_until_its_millisecond_may_end() {
            let reading = Reading::new();
            assert_eq!(reading.at(5), None, "before the first");
            assert_eq!(reading.renew(1_000, || time(7_001, 600_000)), 7_001);
            assert_eq!(reading.at(1_000), Some(7_001));
            // 400,000 ns are left: 200,000 ticks of the slowest counter.
            assert_eq!(reading.at(200_999), Some(7_001));
            assert_eq!(reading.at(201_000), None);
            assert_eq!(reading.at(999), None, "a counter that is behind");
            assert_eq!(reading.renew(201_000, || time(7_002, 999_999)), 7_002);
            assert_eq!(reading.at(201_000), None, "nothing is left of it");
        }

        #[test]
        fn nobody_sees_a_reading_that_is_being_written() {
            let reading = Reading::new();
            reading.renew(1_000, || time(7_001, 0));
            reading.since.store(BEING_WRITTEN, Ordering::Relaxed);
            assert_eq!(reading.at(1_000), None);
            assert_eq!(reading.renew(2_000, || time(7_002, 0)), 7_002);
            assert_eq!(reading.since.load(Ordering::Relaxed), BEING_WRITTEN);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;
    use std::time::{Duration, Instant};

    #[test]
    fn counts_milliseconds_of_this_century() {
        let year_2020 = 1_577_836_800_000;
        let year_2100 = 4_102_444_800_000;
        assert!((year_2020..year_2100).contains(&unix_millis()));
    }

    #[test]
    fn is_the_systems_clock_in_each_thread() {
        let look = || {
            let end = Instant::now() + Duration::from_millis(20);
            while Instant::now() < end {
                let (before, told, after) = (Time::now(), unix_millis(), Time::now());
                assert!((before.millis()..=after.millis()).contains(&told));
            }
        };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(look);
            }
        });
    }
}
