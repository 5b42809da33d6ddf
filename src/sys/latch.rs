//! A thread waits until another one has got somewhere.

use parking_lot::{Condvar, Mutex};
use tokio::time::Instant;

/// Opens once and stays open.
#[derive(Debug, Default)]
pub struct Latch {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Latch {
    pub fn open(&self) {
        *self.open.lock() = true;
        self.opened.notify_all();
    }

    /// Whether it is open, having waited for that until the deadline (`None`: no deadline).
    pub fn wait(&self, deadline: Option<Instant>) -> bool {
        let mut open = self.open.lock();
        match deadline {
            None => self.opened.wait_while(&mut open, |open| !*open),
            Some(at) => {
                let at = at.into_std();
                self.opened.wait_while_until(&mut open, |open| !*open, at);
            }
        }
        *open
    }
}
