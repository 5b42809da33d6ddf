//! The idempotent producer: every record once and in order, whatever a broker says or forgets.

mod anew;
mod doubt;
mod logs;
mod lost;
mod order;

use kprod::completion::Report;
use kprod::mock::{MockHandle, ProducedBatch};
use kprod::protocol::ApiKey;

use crate::support::{Bed, ok};

pub(super) const IDEMPOTENT: (&str, &str) = ("enable.idempotence", "true");

/// One record a batch, so that every record has a place of its own.
pub(super) fn bed(brokers: i32, settings: &[(&str, &str)]) -> Bed {
    let mut all = vec![IDEMPOTENT, ("batch.size", "0")];
    all.extend_from_slice(settings);
    let bed = Bed::new(brokers, &all);
    bed.mock().create_topic("t", 2);
    bed
}

pub(super) fn produced(mock: &MockHandle) -> Vec<ProducedBatch> {
    let requests = mock.requests(ApiKey::Produce);
    requests.into_iter().flat_map(|r| r.batches).collect()
}

/// Producer epochs in a partition's log, in order and each once.
pub(super) fn epochs(mock: &MockHandle, partition: i32) -> Vec<i16> {
    let batches = mock.with(|cluster| cluster.batches("t", partition));
    let mut epochs: Vec<i16> = batches.iter().map(|b| b.header.producer_epoch).collect();
    epochs.dedup();
    epochs
}

pub(super) fn sequences(mock: &MockHandle, partition: i32) -> Vec<i32> {
    let batches = mock.with(|cluster| cluster.batches("t", partition));
    batches.iter().map(|b| b.header.base_sequence).collect()
}

/// Sends `tags` to partition 0 and expects each delivered at the offset of its place.
pub(super) fn deliver(bed: &Bed, tags: std::ops::Range<u64>) -> Vec<Report> {
    tags.clone().for_each(|tag| bed.send("t", tag));
    let reports = bed.reports((tags.end - tags.start) as usize);
    reports.iter().for_each(ok);
    reports
}
