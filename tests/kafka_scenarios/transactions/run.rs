//! Transactions one behind the other whose records the verifier knows, and what must be visible of them.

use kprod::completion::Report;

use super::*;
use crate::ledger::Ledger;
use crate::support::consumer::Batch;

/// Each transaction sends to all partitions; its records' sources are these.
pub struct Run<'a> {
    bed: &'a Bed,
    topic: &'a str,
    partitions: u32,
    ledger: Ledger,
    next: u32,
    committed: Vec<u64>,
    reports: Vec<Report>,
    /// Where the first partition has the first record of each transaction, whatever became of it.
    begun: Vec<i64>,
}

impl<'a> Run<'a> {
    pub fn new(bed: &'a Bed, topic: &'a str, partitions: u32) -> Run<'a> {
        Run {
            bed,
            topic,
            partitions,
            ledger: Ledger::new(),
            next: 0,
            committed: Vec::new(),
            reports: Vec::new(),
            begun: Vec::new(),
        }
    }

    /// Begins a transaction and sends its records; the tags.
    pub fn begin(&mut self) -> Vec<u64> {
        begin(&self.bed.producer);
        let mut tags = Vec::new();
        for _ in 0..3 {
            for partition in 0..self.partitions {
                let tag = Ledger::tag(partition, self.next);
                let value = self.ledger.value(tag, 100);
                let record = record_at(self.topic, partition as i32, &value, tag);
                self.bed.send(&record);
                tags.push(tag);
            }
            self.next += 1;
        }
        tags
    }

    /// The commit of these has been reported as done.
    pub fn committed(&mut self, tags: Vec<u64>) {
        let reports = self.settle(&tags);
        all_ok(&reports);
        self.reports.extend(reports);
        self.committed.extend(tags);
    }

    /// Everything has its report when a transaction has ended.
    pub fn settle(&mut self, tags: &[u64]) -> Vec<Report> {
        let reports = self.bed.reports_now();
        assert_eq!(reports.len(), tags.len());
        let first = reports.iter().find(|report| report.partition == 0);
        self.begun.extend(first.map(|report| report.offset));
        reports
    }

    /// A whole transaction; each fourth is aborted.
    pub fn transaction(&mut self) {
        let aborted = self.next % 4 == 3;
        let tags = self.begin();
        if aborted {
            self.bed.flush();
            abort(&self.bed.producer);
            self.settle(&tags);
        } else {
            commit(&self.bed.producer);
            self.committed(tags);
        }
    }

    /// The transactions that have ended.
    pub fn count(&self) -> usize {
        self.begun.len()
    }

    /// Consumers of committed records see what was reported as committed, once, in order, and nothing else.
    pub fn judge(&self, cluster: &Lease) {
        let consumer = cluster.consumer(Isolation::ReadCommitted);
        // The last markers come behind the answer.
        consumer.read_count(self.topic, self.committed.len(), LONG);
        let log = consumer.read_all(self.topic);
        let accepted = self.committed.iter().copied();
        self.ledger
            .judge(accepted, &self.reports, &log)
            .assert_clean();
        assert_eq!(self.bed.producer.metrics().data_losses, 0);
        assert!(self.bed.producer.fatal_error().is_none());
    }

    /// The producer id and epoch of each transaction, on the only node of a cluster.
    pub fn identities(&self, cluster: &Lease) -> Vec<(i64, i16)> {
        let batches = cluster.batches(1, self.topic, 0);
        let holds =
            |batch: &&Batch, offset| (batch.base_offset..=batch.last_offset).contains(&offset);
        let identity = |offset: &i64| {
            let batch = batches.iter().find(|batch| holds(batch, *offset));
            let batch = batch.expect("the batch of a record that was reported");
            (batch.producer_id, batch.producer_epoch)
        };
        self.begun.iter().map(identity).collect()
    }
}
