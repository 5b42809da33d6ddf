//! What the facade and the engine share beside the accumulator.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

use tokio::time::Instant;

use super::hindrance::Hindrance;
use crate::accumulator::Accumulator;
use crate::completion::{Completions, Logger};
use crate::config::ProducerConfig;
use crate::error::{Error, ErrorCode};
use crate::record::HEADER_LEN;
use crate::record::encode::MAX_OVERHEAD;

/// What a batch of one record takes of `buffer.memory` beside the record.
const RECORD_COSTS: usize = 1024;

/// One per producer.
#[derive(Debug)]
pub struct Shared {
    pub config: Arc<ProducerConfig>,
    pub accumulator: Arc<Accumulator>,
    pub hub: Arc<Completions>,
    pub log: Logger,
    pub counters: Counters,
    /// The largest record, with the header of a batch of its own.
    pub max_record: usize,
    /// Key and value together that are surely no larger.
    pub quick_size: usize,
    lifecycle: AtomicU8,
    fatal: OnceLock<Error>,
    /// The cluster has answered.
    started: AtomicBool,
    pub(super) hindrance: Hindrance,
    born: Instant,
}

/// How far a producer is in its life; it only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lifecycle {
    Running = 0,
    Closing = 1,
    /// The engine has ended; reports may still be read.
    Ended = 2,
}

/// What happened so far.
#[derive(Debug, Default)]
pub struct Counters {
    pub batches_sent: AtomicU64,
    pub batch_retries: AtomicU64,
    pub batch_splits: AtomicU64,
    pub produce_requests: AtomicU64,
    pub bytes_sent: AtomicU64,
    pub throttle_ms: AtomicU64,
    pub metadata_requests: AtomicU64,
    pub connections_opened: AtomicU64,
    pub sequences_begun: AtomicU64,
    pub data_losses: AtomicU64,
    /// A gauge.
    pub requests_in_flight: AtomicU64,
}

impl Shared {
    pub fn new(
        config: Arc<ProducerConfig>,
        accumulator: Arc<Accumulator>,
        hub: Arc<Completions>,
        log: Logger,
    ) -> Arc<Self> {
        let memory = config.buffer_memory.saturating_sub(RECORD_COSTS);
        let max_record = config.max_request_size.min(memory);
        Arc::new(Shared {
            max_record,
            quick_size: max_record.saturating_sub(HEADER_LEN + MAX_OVERHEAD),
            config,
            accumulator,
            hub,
            log,
            counters: Counters::default(),
            lifecycle: AtomicU8::new(Lifecycle::Running as u8),
            fatal: OnceLock::new(),
            started: AtomicBool::new(false),
            hindrance: Hindrance::default(),
            born: Instant::now(),
        })
    }

    #[inline]
    pub fn lifecycle(&self) -> Lifecycle {
        match self.lifecycle.load(Ordering::Acquire) {
            0 => Lifecycle::Running,
            1 => Lifecycle::Closing,
            _ => Lifecycle::Ended,
        }
    }

    pub fn advance(&self, to: Lifecycle) {
        self.lifecycle.fetch_max(to as u8, Ordering::AcqRel);
    }

    pub fn is_started(&self) -> bool {
        self.started.load(Ordering::Acquire)
    }

    pub fn note_started(&self) {
        self.started.store(true, Ordering::Release);
    }

    /// What ended the producer, if anything did.
    pub fn fatal(&self) -> Option<&Error> {
        self.fatal.get()
    }

    /// From now on every call is refused. What was accepted is still to be reported by the caller.
    pub fn fail(&self, error: Error) {
        let first = self.fatal.set(error.clone()).is_ok();
        self.shut_everything(ErrorCode::FATAL);
        if first {
            self.hub.event(&error);
        }
    }

    /// Milliseconds since the producer's creation.
    pub fn age_ms(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }

    /// Shuts all gates and wakes everybody who waits to be let through.
    pub fn shut_everything(&self, reason: ErrorCode) {
        let reason = match self.fatal.get() {
            Some(_) => ErrorCode::FATAL,
            None => reason,
        };
        self.accumulator.shut(reason);
        self.accumulator.memory.close(reason);
    }

    /// Why a call is refused now, if it is.
    pub fn refusal(&self) -> Result<(), ErrorCode> {
        if self.fatal.get().is_some() {
            return Err(ErrorCode::FATAL);
        }
        match self.lifecycle() {
            Lifecycle::Running => Ok(()),
            Lifecycle::Closing | Lifecycle::Ended => Err(ErrorCode::CLOSED),
        }
    }
}
