//! What stands in a report queue: a batch's outcome, expanded only when it is read, or a single report.

use super::report::{Persistence, Report, ReportKind, TimestampType, flags};
use crate::error::ErrorCode;

/// What is kept of a record until it is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordMeta {
    pub tag: u64,
    pub timestamp: i64,
}

/// What became of a batch, or of a record on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub topic: u32,
    pub partition: i32,
    /// The first record's offset; −1 when unknown.
    pub base_offset: i64,
    /// The broker's own time, where the topic asks for it.
    pub log_append_time: Option<i64>,
    pub log_start_offset: i64,
    pub error: ErrorCode,
    pub flags: u32,
    pub detail: u64,
}

impl Outcome {
    pub fn persistence_flag(persistence: Persistence) -> u32 {
        (persistence as u32) << flags::PERSISTENCE_SHIFT
    }

    /// The broker has the batch and has forgotten where.
    #[inline]
    fn is_known_by_repetition(&self) -> bool {
        let persisted = Outcome::persistence_flag(Persistence::Persisted);
        self.base_offset < 0 && self.flags & persisted != 0
    }

    /// The report of the record `index` places behind the first.
    #[inline]
    pub(super) fn report(&self, index: usize, meta: &RecordMeta) -> Report {
        let succeeded = self.error == ErrorCode::OK;
        let (timestamp, timestamp_type) = match self.log_append_time {
            _ if !succeeded || self.is_known_by_repetition() => (-1, TimestampType::None),
            Some(time) => (time, TimestampType::LogAppendTime),
            None => (meta.timestamp, TimestampType::CreateTime),
        };
        Report {
            kind: ReportKind::Record,
            tag: meta.tag,
            topic: self.topic,
            partition: self.partition,
            offset: if succeeded && self.base_offset >= 0 {
                self.base_offset + index as i64
            } else {
                -1
            },
            timestamp,
            timestamp_type,
            count: 1,
            error: self.error,
            flags: self.flags,
            detail: self.detail,
            log_start_offset: self.log_start_offset,
        }
    }
}

/// A record whose outcome differs from its batch's (KIP-467).
#[derive(Clone, Copy, Debug)]
pub struct RecordFailure {
    pub index: u32,
    pub error: ErrorCode,
    pub flags: u32,
    pub detail: u64,
}

/// The outcome of all records of a batch that report to the same place.
#[derive(Debug)]
pub struct BatchEntry {
    pub outcome: Outcome,
    pub metas: Vec<RecordMeta>,
    /// Sorted by index; empty but for record-level errors.
    pub failures: Vec<RecordFailure>,
    /// Sorted indices of records that report elsewhere.
    pub elsewhere: Vec<u32>,
    next: usize,
}

impl BatchEntry {
    pub fn new(
        outcome: Outcome,
        metas: Vec<RecordMeta>,
        failures: Vec<RecordFailure>,
        elsewhere: Vec<u32>,
    ) -> Self {
        BatchEntry {
            outcome,
            metas,
            failures,
            elsewhere,
            next: 0,
        }
    }

    pub fn report(&self, index: usize) -> Report {
        let mut report = self.outcome.report(index, &self.metas[index]);
        if let Ok(found) = self
            .failures
            .binary_search_by_key(&(index as u32), |failure| failure.index)
        {
            let failure = &self.failures[found];
            report.error = failure.error;
            report.flags = failure.flags;
            report.detail = failure.detail;
        }
        report
    }

    fn emit(&mut self, max: usize, emit: &mut impl FnMut(&Report)) -> usize {
        if self.failures.is_empty() && self.elsewhere.is_empty() {
            let end = self.metas.len().min(self.next + max);
            let metas = &self.metas[self.next..end];
            if let Some(first) = metas.first() {
                // They differ in tag, offset and time of their own.
                let mut report = self.outcome.report(self.next, first);
                let own_time = report.timestamp_type == TimestampType::CreateTime;
                let step = i64::from(report.offset >= 0);
                for meta in metas {
                    report.tag = meta.tag;
                    if own_time {
                        report.timestamp = meta.timestamp;
                    }
                    emit(&report);
                    report.offset += step;
                }
            }
            let count = end - self.next;
            self.next = end;
            return count;
        }
        let mut count = 0;
        while self.next < self.metas.len() && count < max {
            if self.elsewhere.binary_search(&(self.next as u32)).is_err() {
                emit(&self.report(self.next));
                count += 1;
            }
            self.next += 1;
        }
        count
    }

    fn remaining(&self) -> usize {
        let behind = self
            .elsewhere
            .partition_point(|index| (*index as usize) < self.next);
        self.metas.len() - self.next - (self.elsewhere.len() - behind)
    }
}

/// One place in a report queue.
#[derive(Debug)]
pub enum Entry {
    Batch(BatchEntry),
    Single(Option<Box<Report>>),
}

impl Entry {
    pub fn single(report: Report) -> Self {
        Entry::Single(Some(Box::new(report)))
    }

    /// Gives up to `max` reports to `emit` and says how many.
    pub fn emit(&mut self, max: usize, emit: &mut impl FnMut(&Report)) -> usize {
        match self {
            Entry::Batch(batch) => batch.emit(max, emit),
            Entry::Single(report) => match report.take() {
                Some(report) if max > 0 => {
                    emit(&report);
                    1
                }
                kept => {
                    *report = kept;
                    0
                }
            },
        }
    }

    /// The emptied list of a batch, if it is worth keeping.
    pub fn into_metas(self) -> Option<Vec<RecordMeta>> {
        match self {
            Entry::Batch(mut batch) if batch.metas.capacity() <= super::queue::LONGEST_SPARE => {
                batch.metas.clear();
                Some(std::mem::take(&mut batch.metas))
            }
            Entry::Batch(_) | Entry::Single(_) => None,
        }
    }

    pub fn remaining(&self) -> usize {
        match self {
            Entry::Batch(batch) => batch.remaining(),
            Entry::Single(report) => usize::from(report.is_some()),
        }
    }
}

/// A report that is about no record.
pub fn notice(
    kind: ReportKind,
    tag: u64,
    error: ErrorCode,
    error_flags: u32,
    detail: u64,
) -> Report {
    Report {
        kind,
        tag,
        topic: 0,
        partition: -1,
        offset: -1,
        timestamp: -1,
        timestamp_type: TimestampType::None,
        count: 0,
        error,
        flags: error_flags,
        detail,
        log_start_offset: -1,
    }
}
