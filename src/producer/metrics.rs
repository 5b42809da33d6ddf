//! Numbers about a producer, for its user's monitoring.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sender::Shared;

/// Counters since creation and gauges of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    pub records_delivered: u64,
    pub records_failed: u64,
    pub batches_sent: u64,
    pub batch_retries: u64,
    pub batch_splits: u64,
    pub produce_requests: u64,
    /// Record batches' bytes handed to connections, headers included, retries too.
    pub bytes_sent: u64,
    /// For how long brokers asked us to be silent, in sum.
    pub throttle_ms: u64,
    pub metadata_requests: u64,
    pub connections_opened: u64,
    /// Times that a partition began a sequence under another producer id or epoch.
    pub sequences_begun: u64,
    /// Times that acknowledged records were found to be lost by the cluster.
    pub data_losses: u64,
    /// Gauge: bytes of `buffer.memory` that are free.
    pub buffer_available: u64,
    /// Gauge: reports that nobody has read yet.
    pub reports_queued: u64,
    /// Gauge: Produce requests without an answer.
    pub requests_in_flight: u64,
}

impl Metrics {
    pub fn of(shared: &Shared) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &shared.counters;
        Metrics {
            records_delivered: read(&shared.hub.fates.delivered),
            records_failed: read(&shared.hub.fates.failed),
            batches_sent: read(&counters.batches_sent),
            batch_retries: read(&counters.batch_retries),
            batch_splits: read(&counters.batch_splits),
            produce_requests: read(&counters.produce_requests),
            bytes_sent: read(&counters.bytes_sent),
            throttle_ms: read(&counters.throttle_ms),
            metadata_requests: read(&counters.metadata_requests),
            connections_opened: read(&counters.connections_opened),
            sequences_begun: read(&counters.sequences_begun),
            data_losses: read(&counters.data_losses),
            buffer_available: shared.accumulator.memory.available(),
            reports_queued: shared.hub.unread(),
            requests_in_flight: read(&counters.requests_in_flight),
        }
    }
}
