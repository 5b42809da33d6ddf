//! Randomness: a seeded generator for jitter and choices, and the kernel's bytes for secrets.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// SplitMix64 over one atomic counter: shared by reference, reproducible from its seed, not for secrets.
#[derive(Debug)]
pub struct Rng {
    state: AtomicU64,
}

impl Rng {
    pub fn from_seed(seed: u64) -> Self {
        Rng {
            state: AtomicU64::new(seed),
        }
    }

    /// Seeded by the kernel, or by the clock where the kernel refuses.
    pub fn from_os() -> Self {
        let mut seed = [0u8; 8];
        match fill_random(&mut seed) {
            Ok(()) => Rng::from_seed(u64::from_ne_bytes(seed)),
            Err(_) => Rng::from_seed(super::unix_millis() as u64 ^ (&raw const seed as u64)),
        }
    }

    /// A generator of its own for another part or thread, which then shares nothing with this one.
    pub fn split(&self) -> Rng {
        Rng::from_seed(self.next_u64())
    }

    pub fn next_u64(&self) -> u64 {
        let step = self.state.fetch_add(GOLDEN_GAMMA, Ordering::Relaxed);
        let mut z = step.wrapping_add(GOLDEN_GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from `0..bound`; 0 for a bound of 0.
    pub fn below(&self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// Evenly from `0.0..1.0`.
    pub fn unit(&self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Evenly from `1 - spread` to `1 + spread`: the factor of a jitter.
    pub fn jitter(&self, spread: f64) -> f64 {
        1.0 + spread * (2.0 * self.unit() - 1.0)
    }

    pub fn shuffle<T>(&self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// Fills `bytes` from the kernel's generator, fit for nonces.
pub fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        // SAFETY: the pointer and length describe `rest`, which is ours to write.
        let n = unsafe { libc::getrandom(rest.as_mut_ptr().cast(), rest.len(), 0) };
        match usize::try_from(n) {
            Ok(n) => rest = &mut rest[n..],
            Err(_) => {
                let error = io::Error::last_os_error();
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_published_sequence_of_seed_1234567() {
        let rng = Rng::from_seed(1_234_567);
        let first: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(
            first,
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423
            ]
        );
    }

    #[test]
    fn bounds_hold() {
        let rng = Rng::from_seed(7);
        assert_eq!(rng.below(0), 0);
        let mut seen = [false; 5];
        for _ in 0..1_000 {
            seen[rng.below(5) as usize] = true;
            assert!((0.8..=1.2).contains(&rng.jitter(0.2)));
        }
        assert_eq!(seen, [true; 5]);
    }

    #[test]
    fn a_shuffle_keeps_all_items_and_moves_some() {
        let mut items: Vec<u32> = (0..100).collect();
        Rng::from_seed(1).shuffle(&mut items);
        assert!(items.windows(2).any(|pair| pair[0] > pair[1]));
        items.sort_unstable();
        assert!(items.into_iter().eq(0..100));
    }

    #[test]
    fn the_kernel_gives_other_bytes_each_time() {
        let (mut one, mut other) = ([0u8; 32], [0u8; 32]);
        fill_random(&mut one).unwrap();
        fill_random(&mut other).unwrap();
        assert_ne!(one, other);
    }
}
