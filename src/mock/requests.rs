//! The record of the requests that the mock cluster was sent, for tests to ask about.

use crate::protocol::ApiKey;
use crate::protocol::produce::ProduceRequest;
use crate::record::reader::RawBatch;
use std::collections::VecDeque;
use std::time::Duration;

/// A request that could be read.
#[derive(Clone, Debug)]
pub struct RequestEntry {
    /// When it had come in whole, since the cluster's beginning.
    pub at: Duration,
    pub broker: i32,
    /// Numbered over all brokers, in the order in which they were accepted.
    pub connection: u64,
    pub api: ApiKey,
    pub version: i16,
    pub correlation_id: i32,
    pub client_id: Option<String>,
    /// The frame without its length.
    pub bytes: usize,
    /// Produce: what it asked to be acknowledged.
    pub acks: Option<i16>,
    /// Produce: what it carried.
    pub batches: Vec<ProducedBatch>,
    /// The topics that it names.
    pub topics: Vec<String>,
    /// The transactional id and the group that it names, or the keys whose coordinators it asks for.
    pub keys: Vec<String>,
    /// EndTxn: whether it commits.
    pub committed: Option<bool>,
}

/// A partition's part of a Produce request, as its header states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducedBatch {
    pub topic: String,
    pub partition: i32,
    pub bytes: usize,
    pub record_count: i32,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
}

/// What a Produce request carries. `topics` are its topics' names, which it need not state itself.
pub(super) fn produced_batches(request: &ProduceRequest, topics: &[String]) -> Vec<ProducedBatch> {
    let mut batches = Vec::new();
    for (data, topic) in request.topics.iter().zip(topics) {
        for partition in &data.partitions {
            let records = partition.records.clone().unwrap_or_default();
            let header = RawBatch::take(&mut &records[..])
                .map(|batch| batch.header)
                .unwrap_or_default();
            batches.push(ProducedBatch {
                topic: topic.clone(),
                partition: partition.index,
                bytes: records.len(),
                record_count: header.record_count,
                producer_id: header.producer_id,
                producer_epoch: header.producer_epoch,
                base_sequence: header.base_sequence,
            });
        }
    }
    batches
}

/// The newest requests.
#[derive(Debug)]
pub(super) struct RequestLog {
    kept: usize,
    entries: VecDeque<RequestEntry>,
    total: u64,
}

impl RequestLog {
    pub fn new(kept: usize) -> Self {
        RequestLog {
            kept,
            entries: VecDeque::new(),
            total: 0,
        }
    }

    pub fn push(&mut self, entry: RequestEntry) {
        self.total += 1;
        if self.kept == 0 {
            return;
        }
        if self.entries.len() == self.kept {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub fn entries(&self) -> impl DoubleEndedIterator<Item = &RequestEntry> {
        self.entries.iter()
    }

    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn clear(&mut self) {
        self.entries.clear();
    }
}
