//! Compressing closed batches: on the thread that filled them, or on `kprod-seal` for those who may not wait.

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

/// Contexts that are kept for the next batch; more threads than that seldom compress at once.
const KEPT_CONTEXTS: usize = 16;

/// Why a batch could not be compressed, and the number of its message.
#[derive(Clone, Copy, Debug)]
pub struct Unsealed {
    pub code: ErrorCode,
    pub detail: u64,
}

/// Compresses on whatever thread calls. Its contexts are the producer's and not the threads', which outlive it.
pub struct Sealer {
    compression: Compression,
    idle: Mutex<Vec<CompressContext>>,
}

impl Sealer {
    pub fn new(compression: Compression) -> Self {
        Sealer {
            compression,
            idle: Mutex::default(),
        }
    }

    pub fn compresses(&self) -> bool {
        self.compression.codec != CompressionType::None
    }

    pub fn seal(&self, raw: Raw, hub: &Completions) -> Result<Sealed, Unsealed> {
        if !self.compresses() {
            return Ok(raw.freeze());
        }
        let mut context = self.idle.lock().pop().unwrap_or_default();
        let run = || raw.compress(&self.compression, &mut context);
        let failure = match catch_unwind(AssertUnwindSafe(run)) {
            Ok(Ok(sealed)) => {
                let mut idle = self.idle.lock();
                if idle.len() < KEPT_CONTEXTS {
                    idle.push(context);
                }
                return Ok(sealed);
            }
            // A context that failed is not used again.
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the codec panicked".to_owned(),
        };
        let (code, failure) = match sys::room_for_more() {
            Ok(()) => (ErrorCode::COMPRESSION, failure),
            Err(none) => (none.into(), "there is no memory for it".to_owned()),
        };
        let codec = self.compression.codec;
        let message = format!("cannot compress a batch with {codec:?}: {failure}");
        let detail = hub.detail(code, message);
        Err(Unsealed { code, detail })
    }
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
pub struct SealThread {
    sealer: Arc<Sealer>,
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
    pub fn new(sealer: Arc<Sealer>) -> Arc<Self> {
        Arc::new(SealThread {
            sealer,
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
            let sealed = self.sealer.seal(job.raw, &job.hub);
            let news = job.partition.finish_seal(job.number, sealed);
            job.ready.push(&job.partition, news);
        }
    }
}
