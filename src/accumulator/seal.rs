//! Compressing closed batches: on the thread that filled them, or on `kprod-seal` for those who may not wait.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use super::batch::{Raw, Sealed};
use super::command::Command;
use super::partition::Partition;
use super::ready::Ready;
use crate::completion::Completions;
use crate::config::{Compression, CompressionType};
use crate::error::ErrorCode;
use crate::record::CompressContext;
use crate::sys;

/// Larger batches are not compressed by a caller who asked not to be blocked.
pub const INLINE_LIMIT: usize = 64 * 1024;

thread_local! {
    static CONTEXT: RefCell<CompressContext> = RefCell::default();
}

/// Compresses; the error is the number of its message.
pub fn seal(raw: Raw, compression: &Compression, hub: &Completions) -> Result<Sealed, u64> {
    if compression.codec == CompressionType::None {
        return Ok(raw.freeze());
    }
    let run = || CONTEXT.with(|context| raw.compress(compression, &mut context.borrow_mut()));
    let failure = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(sealed)) => return Ok(sealed),
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the codec panicked".to_owned(),
    };
    // A context that failed is not used again.
    CONTEXT.with(|context| {
        drop(
            context
                .try_borrow_mut()
                .map(|mut c| *c = CompressContext::default()),
        )
    });
    let message = format!(
        "cannot compress a batch with {:?}: {failure}",
        compression.codec
    );
    Err(hub.detail(ErrorCode::COMPRESSION, message))
}

/// A closed batch to be sealed away from its senders.
#[derive(Debug)]
pub struct Job {
    pub partition: Arc<Partition>,
    pub number: u64,
    pub raw: Raw,
    pub hub: Arc<Completions>,
    pub ready: Arc<Ready<Command>>,
}

/// `kprod-seal`, started when first needed.
#[derive(Debug)]
pub struct SealThread {
    compression: Compression,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    stopping: bool,
    thread: Option<JoinHandle<()>>,
}

impl SealThread {
    pub fn new(compression: Compression) -> Arc<Self> {
        Arc::new(SealThread {
            compression,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    pub fn ensure_started(self: &Arc<Self>) -> io::Result<()> {
        let mut state = self.state.lock();
        if state.stopping {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if state.thread.is_none() {
            let own = self.clone();
            state.thread = Some(sys::spawn_thread("kprod-seal", move || own.run())?);
        }
        Ok(())
    }

    pub fn push(&self, job: Job) {
        self.state.lock().jobs.push_back(job);
        self.changed.notify_one();
    }

    /// Finishes what is queued, then ends the thread.
    pub fn stop(&self) {
        let thread = {
            let mut state = self.state.lock();
            state.stopping = true;
            state.thread.take()
        };
        self.changed.notify_one();
        if let Some(thread) = thread {
            // A panic inside was caught where it happened.
            let _ = thread.join();
        }
    }

    fn run(&self) {
        loop {
            let job = {
                let mut state = self.state.lock();
                loop {
                    if let Some(job) = state.jobs.pop_front() {
                        break job;
                    }
                    if state.stopping {
                        return;
                    }
                    self.changed.wait(&mut state);
                }
            };
            let sealed = seal(job.raw, &self.compression, &job.hub);
            let news = job.partition.finish_seal(job.number, sealed);
            job.ready.push(&job.partition, news);
        }
    }
}
