//! The one report of a user's batch, also when the batch is cut in parts on its way.

use std::sync::Arc;

use parking_lot::Mutex;

use super::callback::RecordCallback;
use super::entry::Outcome;
use super::hub::FinishedBatch;
use super::report::{Persistence, Report, ReportKind, flags};
use crate::error::ErrorCode;

/// A user's batch that was accepted.
#[derive(Debug)]
pub struct Whole {
    tag: u64,
    /// Hears of the outcome instead of the sink.
    callback: Option<RecordCallback>,
    known: Mutex<Known>,
}

/// What is known of its parts so far.
#[derive(Debug, Default)]
struct Known {
    /// Records whose outcome is known.
    records: usize,
    /// The first part's report.
    first: Option<Report>,
    /// The report of the first part that failed, and where that begins.
    failure: Option<(usize, Report)>,
    persistence: Option<Persistence>,
}

/// A whole batch or a part of one: the first records of the batch that it travels in.
#[derive(Debug)]
pub struct Share {
    whole: Arc<Whole>,
    /// Where it begins in the whole.
    start: usize,
    records: usize,
    /// Of the whole.
    total: usize,
}

impl Whole {
    pub fn new(tag: u64, callback: Option<RecordCallback>) -> Arc<Self> {
        Arc::new(Whole {
            tag,
            callback,
            known: Mutex::default(),
        })
    }

    pub fn tag(&self) -> u64 {
        self.tag
    }

    pub fn callback(&self) -> Option<RecordCallback> {
        self.callback
    }
}

impl Known {
    fn add(&mut self, start: usize, records: usize, part: Report) {
        self.records += records;
        let so_far = self.persistence.unwrap_or(part.persistence());
        self.persistence = Some(match so_far == part.persistence() {
            true => so_far,
            // Some of it stands in the log, or may.
            false => Persistence::Possibly,
        });
        if start == 0 {
            self.first = Some(part);
        }
        let is_earlier = self.failure.is_none_or(|(at, _)| start < at);
        if part.error != ErrorCode::OK && is_earlier {
            self.failure = Some((start, part));
        }
    }

    /// The report of the whole: that of its first part, unless one failed.
    fn report(&self, tag: u64, count: usize) -> Option<Report> {
        let part = self.failure.map(|(_, part)| part).or(self.first)?;
        let persistence = Outcome::persistence_flag(self.persistence?);
        Some(Report {
            kind: ReportKind::Batch,
            tag,
            count: count as u32,
            flags: (part.flags & !flags::PERSISTENCE_MASK) | persistence,
            ..part
        })
    }
}

impl Share {
    pub fn new(whole: Arc<Whole>, records: usize) -> Self {
        Share {
            whole,
            start: 0,
            records,
            total: records,
        }
    }

    /// The share of a batch that is cut in two at `at`: the second half's part of it, if any.
    pub fn split_off(&mut self, at: usize) -> Option<Share> {
        let rest = self.records.checked_sub(at).filter(|rest| *rest > 0)?;
        self.records = at;
        Some(Share {
            whole: self.whole.clone(),
            start: self.start + at,
            records: rest,
            total: self.total,
        })
    }

    /// Takes its records out of a finished batch. Gives the report of the whole, and its callback, once all parts
    /// are known.
    pub fn settle(self, batch: &mut FinishedBatch) -> Option<(Report, Option<RecordCallback>)> {
        let mut part = batch.outcome.report(0, batch.metas.first()?);
        let is_own = |index: u32| (index as usize) < self.records;
        if let Some(culprit) = batch.failures.first().filter(|first| is_own(first.index)) {
            part.error = culprit.error;
            part.flags = culprit.flags;
            part.detail = culprit.detail;
        }
        leave_out(batch, self.records);
        let mut known = self.whole.known.lock();
        known.add(self.start, self.records, part);
        if known.records < self.total {
            return None;
        }
        let report = known.report(self.whole.tag, self.total)?;
        Some((report, self.whole.callback))
    }
}

/// Leaves the first `records` out: those behind them are reported one by one.
fn leave_out(batch: &mut FinishedBatch, records: usize) {
    batch.metas.drain(..records.min(batch.metas.len()));
    if batch.outcome.base_offset >= 0 {
        batch.outcome.base_offset += records as i64;
    }
    let left = records as u32;
    batch.failures.retain(|failure| failure.index >= left);
    for failure in &mut batch.failures {
        failure.index -= left;
    }
    for (index, _) in &mut batch.callbacks {
        *index -= left;
    }
}

#[cfg(test)]
mod tests {
    use super::super::entry::{RecordFailure, RecordMeta};
    use super::*;

    fn finished(records: usize, base_offset: i64, error: ErrorCode) -> FinishedBatch {
        let persistence = match error {
            ErrorCode::OK => Persistence::Persisted,
            _ => Persistence::Not,
        };
        FinishedBatch {
            outcome: Outcome {
                topic: 1,
                partition: 2,
                base_offset,
                log_append_time: None,
                log_start_offset: 0,
                error,
                flags: Outcome::persistence_flag(persistence),
                detail: 0,
            },
            metas: (0..records as u64)
                .map(|tag| RecordMeta {
                    tag,
                    timestamp: 100 + tag as i64,
                })
                .collect(),
            failures: Vec::new(),
            callbacks: Vec::new(),
            share: None,
        }
    }

    #[test]
    fn one_report_for_the_batch_and_the_rest_for_those_behind_it() {
        let share = Share::new(Whole::new(9, None), 3);
        let mut batch = finished(5, 40, ErrorCode::OK);
        let (report, _) = share.settle(&mut batch).unwrap();
        assert_eq!((report.kind, report.tag), (ReportKind::Batch, 9));
        assert_eq!((report.offset, report.count), (40, 3));
        assert_eq!(report.timestamp, 100);
        assert_eq!(batch.metas.len(), 2);
        assert_eq!(batch.metas[0].tag, 3);
        assert_eq!(batch.outcome.base_offset, 43);
    }

    #[test]
    fn parts_are_reported_together_by_the_last_in_any_order() {
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            let mut first = Share::new(Whole::new(9, None), 6);
            let mut second = first.split_off(2).unwrap();
            let third = second.split_off(2).unwrap();
            let mut shares = [Some(first), Some(second), Some(third)];
            let mut reports = Vec::new();
            for at in order {
                let mut batch = finished(2, 10 + 2 * at as i64, ErrorCode::OK);
                reports.push(shares[at].take().unwrap().settle(&mut batch));
            }
            assert!(reports[0].is_none() && reports[1].is_none());
            let (report, _) = reports[2].unwrap();
            assert_eq!((report.offset, report.count), (10, 6));
            assert_eq!(report.persistence(), Persistence::Persisted);
        }
    }

    #[test]
    fn it_fails_if_any_part_fails_and_says_that_some_may_be_there() {
        let mut first = Share::new(Whole::new(9, None), 4);
        let second = first.split_off(2).unwrap();
        assert!(first.settle(&mut finished(2, 7, ErrorCode::OK)).is_none());
        let mut failed = finished(2, -1, ErrorCode::MESSAGE_TOO_LARGE);
        let (report, _) = second.settle(&mut failed).unwrap();
        assert_eq!(report.error, ErrorCode::MESSAGE_TOO_LARGE);
        assert_eq!((report.offset, report.count), (-1, 4));
        assert_eq!(report.persistence(), Persistence::Possibly);
    }

    #[test]
    fn a_half_without_records_of_the_batch_has_no_share() {
        let mut share = Share::new(Whole::new(9, None), 2);
        assert!(share.split_off(2).is_none());
        assert!(share.split_off(5).is_none());
        assert!(share.settle(&mut finished(5, 0, ErrorCode::OK)).is_some());
    }

    #[test]
    fn a_culprit_among_the_batch_s_records_is_the_batch_s_error() {
        for (index, error) in [
            (1, ErrorCode::INVALID_RECORD),
            (3, ErrorCode::RECORD_NEIGHBOUR),
        ] {
            let share = Share::new(Whole::new(9, None), 3);
            let mut batch = finished(4, -1, ErrorCode::RECORD_NEIGHBOUR);
            batch.failures.push(RecordFailure {
                index,
                error: ErrorCode::INVALID_RECORD,
                flags: 0,
                detail: 5,
            });
            assert_eq!(share.settle(&mut batch).unwrap().0.error, error);
            let left: Vec<u32> = batch.failures.iter().map(|f| f.index).collect();
            assert_eq!(left, if index == 3 { vec![0] } else { vec![] });
        }
    }
}
