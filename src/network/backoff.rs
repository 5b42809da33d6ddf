//! Exponential backoff with jitter (KIP-580).

use std::time::Duration;

use crate::sys::Rng;

const SPREAD: f64 = 0.2;

/// Doubles from `initial` to `max` with every failure; each wait is spread by ±20 % and never above `max`.
#[derive(Clone, Debug)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    failures: u32,
}

impl Backoff {
    pub fn new(initial: Duration, max: Duration) -> Self {
        Backoff {
            initial,
            max: max.max(initial),
            failures: 0,
        }
    }

    /// The wait after one more failure.
    pub fn next(&mut self, rng: &Rng) -> Duration {
        // Beyond 2^30 the term only saturates.
        let term = self
            .initial
            .saturating_mul(1 << self.failures.min(30))
            .min(self.max);
        self.failures = self.failures.saturating_add(1);
        let jittered = Duration::try_from_secs_f64(term.as_secs_f64() * rng.jitter(SPREAD));
        jittered.unwrap_or(self.max).min(self.max)
    }

    /// How many failures since the last reset.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Begins anew after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn doubles_within_the_jitter_up_to_the_maximum() {
        for seed in 0..200 {
            let rng = Rng::from_seed(seed);
            let mut backoff = Backoff::new(millis(50), millis(1_000));
            for base in [50, 100, 200, 400, 800, 1_000, 1_000] {
                let wait = backoff.next(&rng);
                assert!(
                    wait >= millis(base * 8 / 10) && wait <= millis((base * 12 / 10).min(1_000)),
                    "{base}: {wait:?}"
                );
            }
        }
    }

    #[test]
    fn begins_anew_after_a_success() {
        let rng = Rng::from_seed(1);
        let mut backoff = Backoff::new(millis(50), millis(1_000));
        for _ in 0..5 {
            backoff.next(&rng);
        }
        assert_eq!(backoff.failures(), 5);
        backoff.reset();
        assert!(backoff.next(&rng) <= millis(60));
    }

    #[test]
    fn never_overflows() {
        let rng = Rng::from_seed(1);
        let mut backoff = Backoff::new(Duration::MAX, Duration::MAX);
        (0..100).for_each(|_| assert!(backoff.next(&rng) > millis(0)));
        let mut none = Backoff::new(Duration::ZERO, Duration::ZERO);
        assert_eq!(none.next(&rng), Duration::ZERO);
    }
}
