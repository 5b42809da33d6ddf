//! Things to look at later. A timer only says "look": what it finds may have changed meanwhile.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tokio::time::Instant;

/// What is to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// A partition whose backoff ends.
    Partition(usize),
    /// A partition whose oldest batch may have expired.
    Expiry(usize),
    /// A partition whose new leader is known and whose old one still owes an answer.
    Detach(usize),
    /// A topic whose logs may have lost records.
    Suspicion(u32),
    /// A broker to connect to, or one that is no longer to be spared.
    Broker(i32),
    /// A topic whose oldest parked record may have expired.
    Parked(u32),
    /// Metadata, operations with deadlines, and whatever else asks for a look around.
    Look,
}

#[derive(Debug, Default)]
pub struct Timers {
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
}

impl Timers {
    pub fn at(&mut self, at: Instant, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    pub fn pop_due(&mut self, now: Instant) -> Option<Timer> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_earliest_comes_first_and_only_when_due() {
        let now = Instant::now();
        let mut timers = Timers::default();
        timers.at(now + Duration::from_secs(2), Timer::Look);
        timers.at(now + Duration::from_secs(1), Timer::Broker(1));
        assert_eq!(timers.pop_due(now), None);
        let later = now + Duration::from_secs(3);
        assert_eq!(timers.pop_due(later), Some(Timer::Broker(1)));
        assert_eq!(timers.pop_due(later), Some(Timer::Look));
        assert_eq!(timers.pop_due(later), None);
    }
}
