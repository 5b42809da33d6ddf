//! News for the engine's thread: partitions to look at and commands, with no more wake-ups than needed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::partition::{News, Partition};

/// A list that any thread adds to and the engine's thread swaps out.
#[derive(Debug)]
pub struct Ready<C> {
    inbox: Mutex<Inbox<C>>,
    /// Nobody takes the inbox any more. Changed under its lock.
    ended: AtomicBool,
    /// When the engine wakes by itself, in nanoseconds since `epoch`; 0 while it is awake anyway.
    wakes_at: AtomicU64,
    epoch: Instant,
    notify: Notify,
}

/// What has come since the last look.
#[derive(Debug)]
pub struct Inbox<C> {
    pub partitions: Vec<Arc<Partition>>,
    pub commands: Vec<C>,
}

impl<C> Default for Ready<C> {
    fn default() -> Self {
        Ready {
            inbox: Mutex::new(Inbox::default()),
            ended: AtomicBool::new(false),
            wakes_at: AtomicU64::new(0),
            epoch: Instant::now(),
            notify: Notify::new(),
        }
    }
}

impl<C> Ready<C> {
    pub fn push(&self, partition: &Arc<Partition>, news: News) {
        let at = match news {
            News::None => return,
            News::DueNow => 0,
            News::DueAt(at) => self.nanos(at),
        };
        self.inbox.lock().partitions.push(partition.clone());
        if at < self.wakes_at.load(Ordering::SeqCst) {
            self.notify.notify_one();
        }
    }

    /// After the end the command is dropped, which answers it.
    pub fn command(&self, command: C) {
        let mut inbox = self.inbox.lock();
        if self.ended.load(Ordering::Relaxed) {
            drop(inbox);
            return drop(command);
        }
        inbox.commands.push(command);
        drop(inbox);
        self.notify.notify_one();
    }

    /// The engine has ended: drops what it has not taken, and what will come.
    pub fn end(&self) {
        let mut inbox = self.inbox.lock();
        self.ended.store(true, Ordering::Relaxed);
        let left = std::mem::take(&mut *inbox);
        drop(inbox);
        drop(left);
    }

    /// Has the engine look around.
    pub fn wake(&self) {
        self.notify.notify_one();
    }

    /// Swaps the news with the (empty) lists of `inbox`.
    pub fn take(&self, inbox: &mut Inbox<C>) {
        std::mem::swap(&mut *self.inbox.lock(), inbox);
    }

    /// The engine is about to sleep until then. False: there is news, do not.
    pub fn may_sleep(&self, until: Option<Instant>) -> bool {
        let at = until.map_or(u64::MAX, |until| self.nanos(until).max(1));
        self.wakes_at.store(at, Ordering::SeqCst);
        let inbox = self.inbox.lock();
        // What came before the store may have seen no need to wake anybody.
        inbox.partitions.is_empty() && inbox.commands.is_empty()
    }

    pub fn awake(&self) {
        self.wakes_at.store(0, Ordering::SeqCst);
    }

    pub async fn notified(&self) {
        self.notify.notified().await;
    }

    fn nanos(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.epoch).as_nanos();
        u64::try_from(since).unwrap_or(u64::MAX - 1)
    }
}

impl<C> Default for Inbox<C> {
    fn default() -> Self {
        Inbox {
            partitions: Vec::new(),
            commands: Vec::new(),
        }
    }
}
