//! `kprod-cb`: the one thread on which user code is called, one call at a time.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use super::entry::Entry;
use super::report::Report;
use crate::sys;

/// The most reports that one delivery callback is given.
const MAX_REPORTS: usize = 1024;

thread_local! {
    static IN_CALLBACK: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is running user code for the library right now.
pub fn in_callback() -> bool {
    IN_CALLBACK.with(Cell::get)
}

/// Marks the thread while user code runs on it.
#[derive(Debug)]
pub struct CallbackScope {
    before: bool,
}

impl CallbackScope {
    pub fn enter() -> Self {
        CallbackScope {
            before: IN_CALLBACK.with(|flag| flag.replace(true)),
        }
    }
}

impl Drop for CallbackScope {
    fn drop(&mut self) {
        IN_CALLBACK.with(|flag| flag.set(self.before));
    }
}

/// A callback of one send: called once on `kprod-cb`, if and only if the send was accepted.
#[derive(Clone, Copy, Debug)]
pub struct RecordCallback {
    pub function: fn(context: u64, user: usize, report: &Report),
    /// Opaque to the engine (the C function pointer, kept by the boundary as an address).
    pub user: usize,
    pub context: u64,
}

pub type DeliveryCallback = Arc<dyn Fn(&[Report]) + Send + Sync>;

/// Work for the thread, done in the order in which it came.
pub enum Job {
    /// For the producer's delivery callback.
    Deliver(Entry),
    /// For the callbacks of single sends.
    Call(Vec<(RecordCallback, Report)>),
    /// User code of another kind, or a note that all before it has been done.
    Run(Box<dyn FnOnce() + Send>),
}

pub struct CallbackThread {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    /// Reports not yet handed over, kept beside the lock so that senders can look without it.
    unread: Arc<AtomicU64>,
    delivery: Option<DeliveryCallback>,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    stopping: bool,
    stopped: bool,
}

impl CallbackThread {
    pub fn new(delivery: Option<DeliveryCallback>, unread: Arc<AtomicU64>) -> Self {
        CallbackThread {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                changed: Condvar::new(),
                unread,
                delivery,
            }),
            thread: Mutex::new(None),
        }
    }

    pub fn delivers(&self) -> bool {
        self.shared.delivery.is_some()
    }

    /// Starts the thread unless it runs already.
    pub fn ensure_started(&self) -> io::Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_none() && !self.shared.state.lock().stopping {
            let shared = self.shared.clone();
            *thread = Some(sys::spawn_thread("kprod-cb", move || shared.run())?);
        }
        Ok(())
    }

    pub fn push(&self, jobs: impl IntoIterator<Item = Job>) {
        let mut state = self.shared.state.lock();
        for job in jobs {
            let reports = job.reports();
            self.shared.unread.fetch_add(reports, Ordering::Relaxed);
            state.jobs.push_back(job);
        }
        self.shared.changed.notify_all();
    }

    pub fn is_started(&self) -> bool {
        self.thread.lock().is_some()
    }

    /// Has the thread do this behind all that is due. False: it has ended, or was never there.
    pub fn push_last(&self, work: Box<dyn FnOnce() + Send>) -> bool {
        let started = self.is_started();
        let mut state = self.shared.state.lock();
        let takes = started && !state.stopped;
        if takes {
            state.jobs.push_back(Job::Run(work));
            self.shared.changed.notify_all();
        }
        takes
    }

    /// Lets the thread end once its work is done; after that no callback starts.
    pub fn stop(&self) {
        self.shared.state.lock().stopping = true;
        self.shared.changed.notify_all();
    }

    /// Whether the thread has ended (or never ran), waiting for it until the deadline.
    pub fn join_until(&self, deadline: Option<tokio::time::Instant>) -> bool {
        match self.thread.lock().as_ref() {
            None => return true,
            Some(own) if own.thread().id() == std::thread::current().id() => return false,
            Some(_) => {}
        }
        // Without that lock: a callback still running may ask for its thread, to send with a callback.
        let mut state = self.shared.state.lock();
        while !state.stopped {
            match deadline {
                None => self.shared.changed.wait(&mut state),
                Some(at) => {
                    let late = self.shared.changed.wait_until(&mut state, at.into_std());
                    if late.timed_out() && !state.stopped {
                        return false;
                    }
                }
            }
        }
        drop(state);
        if let Some(handle) = self.thread.lock().take() {
            // It has left its loop; a panic of its own was caught there.
            let _ = handle.join();
        }
        true
    }
}

impl Job {
    fn reports(&self) -> u64 {
        match self {
            Job::Deliver(entry) => entry.remaining() as u64,
            Job::Call(calls) => calls.len() as u64,
            Job::Run(_) => 0,
        }
    }
}

impl Shared {
    fn run(&self) {
        let mut reports = Vec::new();
        while let Some(job) = self.next() {
            match job {
                Job::Deliver(entry) => self.deliver(entry, &mut reports),
                Job::Call(calls) => {
                    for (callback, report) in &calls {
                        self.handed_over(1);
                        guarded(|| (callback.function)(callback.context, callback.user, report));
                    }
                }
                Job::Run(work) => guarded(work),
            }
        }
        let mut state = self.state.lock();
        state.stopped = true;
        self.changed.notify_all();
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.stopping {
                return None;
            }
            self.changed.wait(&mut state);
        }
    }

    fn deliver(&self, mut entry: Entry, reports: &mut Vec<Report>) {
        let Some(callback) = &self.delivery else {
            return self.handed_over(entry.remaining() as u64);
        };
        while entry.remaining() > 0 {
            reports.clear();
            entry.emit(MAX_REPORTS, &mut |report| reports.push(*report));
            self.handed_over(reports.len() as u64);
            guarded(|| callback(reports));
        }
    }

    /// Reports are in their callback's hands, which may send as many records again.
    fn handed_over(&self, reports: u64) {
        self.unread.fetch_sub(reports, Ordering::Relaxed);
    }
}

/// User code that unwinds loses its own call, not the thread.
fn guarded(call: impl FnOnce()) {
    let scope = CallbackScope::enter();
    let _ = catch_unwind(AssertUnwindSafe(call));
    drop(scope);
}

impl std::fmt::Debug for CallbackThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CallbackThread")
            .field("delivers", &self.delivers())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn a_callback_may_ask_for_its_thread_while_that_is_being_joined() {
        let callbacks = Arc::new(CallbackThread::new(None, Arc::default()));
        callbacks.ensure_started().unwrap();
        let own = callbacks.clone();
        let (stopped, wait) = std::sync::mpsc::channel();
        let ask = move || {
            wait.recv().unwrap();
            own.ensure_started().unwrap();
        };
        callbacks.push([Job::Run(Box::new(ask))]);
        callbacks.stop();
        stopped.send(()).unwrap();
        assert!(callbacks.join_until(Some(Instant::now() + Duration::from_secs(20))));
    }
}
