//! One result for one caller: a thread that is parked for it, or an OPERATION entry with its tag.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;

/// A place for one value that one thread waits for.
#[derive(Debug)]
pub struct Waiter<T> {
    slot: Mutex<Slot<T>>,
    filled: Condvar,
}

#[derive(Debug)]
enum Slot<T> {
    Empty,
    Filled(T),
    /// The waiting thread took its value or has given up.
    Gone,
}

impl<T> Waiter<T> {
    pub fn new() -> Arc<Self> {
        Arc::new(Waiter {
            slot: Mutex::new(Slot::Empty),
            filled: Condvar::new(),
        })
    }

    /// Gives the value back when nobody waits any more (or a value is there already).
    pub fn fill(&self, value: T) -> Result<(), T> {
        let mut slot = self.slot.lock();
        match *slot {
            Slot::Empty => {
                *slot = Slot::Filled(value);
                self.filled.notify_one();
                Ok(())
            }
            Slot::Filled(_) | Slot::Gone => Err(value),
        }
    }

    /// Waits until the value is there or the deadline passes (`None`: no deadline). After a `None`
    /// answer a later `fill` fails, so that a value is never lost between the two.
    pub fn wait(&self, deadline: Option<Instant>) -> Option<T> {
        let mut slot = self.slot.lock();
        loop {
            match std::mem::replace(&mut *slot, Slot::Gone) {
                Slot::Filled(value) => return Some(value),
                Slot::Gone => return None,
                Slot::Empty => {}
            }
            *slot = Slot::Empty;
            match deadline {
                None => self.filled.wait(&mut slot),
                Some(at) => {
                    if self.filled.wait_until(&mut slot, at.into_std()).timed_out()
                        && matches!(*slot, Slot::Empty)
                    {
                        *slot = Slot::Gone;
                        return None;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_value_is_handed_over_once() {
        let waiter = Waiter::new();
        let other = waiter.clone();
        let thread = std::thread::spawn(move || other.wait(None));
        assert_eq!(waiter.fill(7), Ok(()));
        assert_eq!(thread.join().unwrap(), Some(7));
        assert_eq!(waiter.fill(8), Err(8));
    }

    #[test]
    fn a_value_after_the_deadline_goes_back() {
        let waiter: Arc<Waiter<i32>> = Waiter::new();
        let past = Instant::now() + Duration::from_millis(1);
        assert_eq!(waiter.wait(Some(past)), None);
        assert_eq!(waiter.fill(8), Err(8));
    }
}
