//! The wall clock. Monotonic time is `tokio::time::Instant`, so that a paused runtime pauses it.

use std::mem::MaybeUninit;

/// Milliseconds since 1970, as Kafka's timestamps count them. Negative before that.
#[inline]
pub fn unix_millis() -> i64 {
    // Not through SystemTime, whose arithmetic costs more than the reading.
    let mut now = MaybeUninit::<libc::timespec>::uninit();
    // SAFETY: the pointer is to a timespec of our own. With this clock and pointer the call cannot fail, so it is
    // filled in.
    let now = unsafe {
        libc::clock_gettime(libc::CLOCK_REALTIME, now.as_mut_ptr());
        now.assume_init()
    };
    now.tv_sec * 1_000 + i64::from(now.tv_nsec as u32) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_milliseconds_of_this_century() {
        let year_2020 = 1_577_836_800_000;
        let year_2100 = 4_102_444_800_000;
        assert!((year_2020..year_2100).contains(&unix_millis()));
    }
}
