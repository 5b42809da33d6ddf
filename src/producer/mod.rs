//! The facade: a producer as its user sees it.

mod batches;
mod lifecycle;
mod metrics;
mod operations;
mod record;
mod send;
mod transactions;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::accumulator::Command;
use crate::completion::{Report, SendCallback, Waiter, in_callback};
use crate::error::{Error, ErrorCode};
use crate::mock::{MockHandle, MockServer};

pub use crate::accumulator::{BatchRecord, is_valid_topic_name};
pub use crate::completion::{DeliveryCallback, LogCallback, LogLevel, RecordCallback};
pub use crate::partitioner::{PartitionRequest, UserPartitioner};
use crate::sender::Shared;
pub use crate::transaction::{GroupMetadata, GroupOffset, Offsets};
pub use batches::UserBatch;
pub use lifecycle::Environment;
pub use metrics::Metrics;
pub use record::{Header, PlainRecord, Record, ShortField, ShortPayload, TopicRef};

use lifecycle::EngineThread;
use send::{Patience, SendOptions};

/// The limit of a blocking call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// Do not wait (0 in C).
    Now,
    /// The limit that the configuration gives (−1 in C).
    Configured,
    After(Duration),
}

/// What the user hands over beside the configuration.
#[derive(Clone, Default)]
pub struct Callbacks {
    /// Set: reports go here (called with arrays from `kprod-cb`) instead of `poll`.
    pub delivery: Option<DeliveryCallback>,
    pub log: Option<LogCallback>,
    pub partitioner: Option<UserPartitioner>,
}

/// Which records `purge` drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purge {
    pub queued: bool,
    pub in_flight: bool,
}

/// A Kafka producer. Shared between threads; every method takes `&self`.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    engine: EngineThread,
    /// The embedded cluster of `test.mock.num.brokers`; it ends after the engine.
    mock: Option<MockServer>,
}

impl Producer {
    /// Steers the embedded mock cluster, where `test.mock.num.brokers` asks for one.
    pub fn mock(&self) -> Option<&MockHandle> {
        self.mock.as_ref().map(MockServer::handle)
    }

    /// The handle of a topic: local, never blocks, valid until destroy.
    pub fn topic(&self, name: &str) -> Result<u32, ErrorCode> {
        self.shared.topic(name)
    }

    pub fn topic_name(&self, handle: u32) -> Option<&str> {
        let topic = self.shared.accumulator.topics.get(handle)?;
        Some(&topic.name)
    }

    /// Takes a record of the simple form where nothing stands in its way. False: nothing has changed, send it as any
    /// other.
    #[inline(always)]
    pub fn send_quickly<'a>(
        &self,
        record: &PlainRecord<'a, impl Fn() -> Option<ShortField<'a>>>,
    ) -> bool {
        self.shared.send_quickly(record)
    }

    /// Waits for space and metadata up to `max.block.ms` (in a callback: like `try_send`).
    pub fn send(&self, record: &Record<'_>) -> Result<(), ErrorCode> {
        self.send_plain(record, Patience::Configured)
    }

    /// Never blocks: parks a record of an unknown topic, or answers QUEUE_FULL.
    pub fn try_send(&self, record: &Record<'_>) -> Result<(), ErrorCode> {
        self.send_plain(record, Patience::None)
    }

    fn send_plain(&self, record: &Record<'_>, patience: Patience) -> Result<(), ErrorCode> {
        if PlainRecord::of(record).is_some_and(|plain| self.send_quickly(&plain)) {
            return Ok(());
        }
        let options = SendOptions {
            patience,
            callback: None,
            urgent: false,
        };
        self.shared.send(record, options)
    }

    /// As `send`; the report goes to the callback instead of the producer's sink.
    pub fn send_with_callback(
        &self,
        record: &Record<'_>,
        callback: RecordCallback,
    ) -> Result<(), ErrorCode> {
        let started = self.shared.hub.ensure_callback_thread();
        started.map_err(|_| ErrorCode::THREAD)?;
        let options = SendOptions {
            patience: Patience::Configured,
            callback: Some(SendCallback::User(callback)),
            urgent: false,
        };
        self.shared.send(record, options)
    }

    /// Sends without linger and waits for the outcome. `Err` before acceptance: never sent. `Ok` is the
    /// record's report (which may carry an error); `STILL_PENDING`: accepted, the report goes to the sink.
    pub fn send_wait(&self, record: &Record<'_>, timeout: Timeout) -> Result<Report, ErrorCode> {
        if in_callback() {
            return Err(ErrorCode::IN_CALLBACK);
        }
        let config = &self.shared.config;
        let deadline = match timeout {
            // Acceptance, the batch's time, and one request in flight when that is over.
            Timeout::Configured => {
                let delivery = config.delivery_timeout.unwrap_or(config.own_time_to_live());
                later(
                    config
                        .max_block
                        .saturating_add(delivery)
                        .saturating_add(config.request_timeout),
                )
            }
            Timeout::Now => Instant::now(),
            Timeout::After(limit) => later(limit),
        };
        let waiter = Waiter::new();
        let options = SendOptions {
            patience: Patience::Until(deadline.min(later(config.max_block))),
            callback: Some(SendCallback::Thread(waiter.clone())),
            urgent: true,
        };
        let _awaiting = self.shared.await_outcome();
        self.shared.send(record, options)?;
        // To look what keeps those before it, for it may have nothing else to do.
        self.shared.accumulator.ready.wake();
        waiter.wait(Some(deadline)).ok_or(ErrorCode::STILL_PENDING)
    }

    /// Gives up to `max` reports to `emit`; waits for the first up to the timeout (`Configured`: as long as
    /// it takes). CLOSED once closed and drained.
    pub fn poll(
        &self,
        max: usize,
        timeout: Timeout,
        emit: impl FnMut(&Report),
    ) -> Result<usize, ErrorCode> {
        if !self.shared.hub.is_polled() {
            return Err(ErrorCode::ILLEGAL_STATE);
        }
        if in_callback() && timeout != Timeout::Now {
            return Err(ErrorCode::IN_CALLBACK);
        }
        let deadline = match timeout {
            Timeout::Now => Some(Instant::now()),
            Timeout::Configured => None,
            Timeout::After(limit) => Some(later(limit)),
        };
        self.shared.hub.poll(max, deadline, emit)
    }

    /// Ends a blocked `poll` (or the next one) with 0 reports.
    pub fn poll_interrupt(&self) {
        self.shared.hub.interrupt();
    }

    /// The read end of a pipe that gets one byte whenever the report queue turns non-empty. The caller owns it.
    pub fn wake_fd(&self) -> Result<OwnedFd, ErrorCode> {
        if !self.shared.hub.is_polled() {
            return Err(ErrorCode::ILLEGAL_STATE);
        }
        self.shared.hub.wake_fd().map_err(|_| ErrorCode::THREAD)
    }

    /// The message of a report's `detail`, until 1,024 later failures.
    pub fn error_detail(&self, detail: u64) -> Option<Error> {
        self.shared.hub.error_detail(detail)
    }

    /// Why the cluster cannot be reached or used, or what is being waited for; none when all is well.
    pub fn cluster_error(&self) -> Option<Error> {
        self.shared.hindrance(ErrorCode::TIMED_OUT)
    }

    /// What ended the producer, if anything did.
    pub fn fatal_error(&self) -> Option<Error> {
        self.shared.fatal().cloned()
    }

    /// Makes the engine panic, so that a test can see what its program does then.
    pub fn crash(&self) {
        self.shared.accumulator.ready.command(Command::Crash);
    }

    /// Ends the producer for good: for the boundary, where a panic was caught.
    pub fn poison(&self, error: Error) {
        self.shared.fail(error);
    }

    pub fn metrics(&self) -> Metrics {
        Metrics::of(&self.shared)
    }
}

/// `limit` from now, without overflow.
fn later(limit: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(limit)
        .unwrap_or_else(|| now + Duration::from_secs(86_400 * 365 * 30))
}
