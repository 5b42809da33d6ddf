//! Buffers of batches, kept to be used again: an allocator would give them back to the system and ask anew.

use parking_lot::Mutex;

use crate::sys::{NoMemory, spare_memory};

/// Smaller buffers are the allocator's business, larger ones are rare.
const KEPT_SIZES: std::ops::RangeInclusive<usize> = 4 * 1024..=160 * 1024;

#[derive(Debug)]
pub struct Pool {
    /// The most bytes that lie idle here.
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Pool {
    pub fn new(limit: usize) -> Self {
        Pool {
            limit,
            state: Mutex::default(),
        }
    }

    /// An empty buffer of at least `bytes`, and of not much more; an error where the system has no memory for it.
    pub fn take(&self, bytes: usize) -> Result<Vec<u8>, NoMemory> {
        if KEPT_SIZES.contains(&bytes) {
            let mut state = self.state.lock();
            // The last one returned is the one most likely to fit, and to be in the cache.
            let sizes = bytes..=bytes + bytes / 4 + 1024;
            let fits = |buffer: &mut Vec<u8>| sizes.contains(&buffer.capacity());
            if let Some(buffer) = state.buffers.pop_if(fits) {
                state.bytes -= buffer.capacity();
                return Ok(buffer);
            }
        }
        spare_memory()?;
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(bytes)?;
        Ok(buffer)
    }

    pub fn give_back(&self, mut buffer: Vec<u8>) {
        if !KEPT_SIZES.contains(&buffer.capacity()) {
            return;
        }
        buffer.clear();
        let mut state = self.state.lock();
        if state.bytes + buffer.capacity() <= self.limit {
            state.bytes += buffer.capacity();
            state.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint;

    #[test]
    fn a_buffer_comes_back_if_it_fits() {
        let pool = Pool::new(100_000);
        let mut buffer = pool.take(16_000).expect("memory");
        buffer.push(1);
        let address = buffer.as_ptr();
        pool.give_back(buffer);
        let larger = pool.take(64_000).expect("memory");
        assert_ne!(larger.as_ptr(), address);
        let again = pool.take(15_500).expect("memory");
        assert_eq!(again.as_ptr(), address);
        assert!(again.is_empty());
    }

    #[test]
    fn a_buffer_that_nobody_has_memory_for_is_an_error() {
        let pool = Pool::new(100_000);
        // Looked at, for an allocation that nobody looks at may be left out, and is then not refused.
        assert!(hint::black_box(pool.take(isize::MAX as usize)).is_err());
    }

    #[test]
    fn no_more_lies_idle_than_allowed() {
        let pool = Pool::new(20_000);
        pool.give_back(Vec::with_capacity(16_000));
        pool.give_back(Vec::with_capacity(16_000));
        assert_eq!(pool.state.lock().buffers.len(), 1);
    }
}
