//! The engine's side of a partition: who leads it, what is in flight, what is to be tried again.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use crate::accumulator::{Batch, Partition, Topic};
use crate::network::{Backoff, RequestId};

/// A batch in a request that has not been answered.
#[derive(Debug)]
pub struct Flight {
    pub request: RequestId,
    pub batch: Box<Batch>,
}

#[derive(Debug)]
pub struct Track {
    pub topic: Arc<Topic>,
    pub partition: Arc<Partition>,
    /// −1 while unknown.
    pub leader: i32,
    /// Never goes back for the same topic id (KIP-320).
    pub leader_epoch: i32,
    pub in_flight: VecDeque<Flight>,
    /// Before everything in the partition's queue, in order.
    pub retry: VecDeque<Box<Batch>>,
    pub backoff: Backoff,
    /// Nothing is sent before that.
    pub not_before: Option<Instant>,
    /// The broker whose list it stands in.
    pub listed_on: Option<i32>,
    pub expiry_armed: bool,
    /// A newer leader is known while the old one owes an answer: since when.
    pub superseded_since: Option<Instant>,
}

impl Track {
    pub fn new(topic: Arc<Topic>, partition: Arc<Partition>, backoff: Backoff) -> Self {
        Track {
            topic,
            partition,
            leader: -1,
            leader_epoch: -1,
            in_flight: VecDeque::new(),
            retry: VecDeque::new(),
            backoff,
            not_before: None,
            listed_on: None,
            expiry_armed: false,
            superseded_since: None,
        }
    }

    /// Puts batches back before all others, keeping the order in which they were accepted.
    pub fn put_back(&mut self, batch: Box<Batch>) {
        let at = self
            .retry
            .partition_point(|other| (other.number, other.first) < (batch.number, batch.first));
        self.retry.insert(at, batch);
    }

    /// Takes the batch out of the flight that the request stands for.
    pub fn land(&mut self, request: RequestId) -> Option<Box<Batch>> {
        let at = self
            .in_flight
            .iter()
            .position(|flight| flight.request == request)?;
        let flight = self.in_flight.remove(at)?;
        if self.in_flight.is_empty() {
            // Nothing of the old leader's is left to be taken back.
            self.superseded_since = None;
        }
        Some(flight.batch)
    }
}
