//! A list that only grows and is read without a lock: look-ups stand on the way of every record.

use std::sync::OnceLock;

use parking_lot::Mutex;

/// Entries of the first level, which needs no further look-up; each other level holds twice as many as the one before.
const FIRST: usize = 32;
/// Enough for every `i32`.
const LEVELS: usize = 28;

#[derive(Debug)]
pub struct AppendVec<T> {
    first: [OnceLock<T>; FIRST],
    /// Those behind the first, at their places among all.
    levels: [OnceLock<Box<[OnceLock<T>]>>; LEVELS],
    len: Mutex<usize>,
}

impl<T> AppendVec<T> {
    pub fn new() -> Self {
        AppendVec {
            first: [const { OnceLock::new() }; FIRST],
            levels: [const { OnceLock::new() }; LEVELS],
            len: Mutex::new(0),
        }
    }

    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        match self.first.get(index) {
            Some(slot) => slot.get(),
            None => self.get_behind(index),
        }
    }

    #[inline(never)]
    fn get_behind(&self, index: usize) -> Option<&T> {
        let (level, at) = place(index);
        self.levels.get(level)?.get()?.get(at)?.get()
    }

    /// Adds an entry and gives its index.
    pub fn push(&self, value: T) -> usize {
        let mut len = self.len.lock();
        let (level, at) = place(*len);
        if let Some(slot) = self.first.get(*len) {
            let _ = slot.set(value);
            *len += 1;
        } else if let Some(level_slots) = self.levels.get(level) {
            let slots =
                level_slots.get_or_init(|| (0..FIRST << level).map(|_| OnceLock::new()).collect());
            // The slot is this push's alone: the length says that nobody has filled it.
            let _ = slots[at].set(value);
            *len += 1;
        }
        *len - 1
    }

    pub fn len(&self) -> usize {
        *self.len.lock()
    }

    /// Those that are there now.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).map_while(|index| self.get(index))
    }
}

impl<T> Default for AppendVec<T> {
    fn default() -> Self {
        AppendVec::new()
    }
}

/// Level and place in it.
#[inline]
fn place(index: usize) -> (usize, usize) {
    let shifted = index.saturating_add(FIRST);
    let level = (shifted / FIRST).ilog2() as usize;
    (level, shifted - (FIRST << level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stay_where_they_were_put() {
        let list = AppendVec::new();
        assert_eq!(list.get(0), None);
        for n in 0..10_000 {
            assert_eq!(list.push(n), n);
        }
        assert!((0..10_000).all(|n| list.get(n) == Some(&n)));
        assert_eq!(list.get(10_000), None);
        assert_eq!(list.get(usize::MAX), None);
        assert_eq!(list.len(), 10_000);
        assert!(list.iter().copied().eq(0..10_000));
    }
}
