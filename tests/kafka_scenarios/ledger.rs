//! The verifier: every record carries whose it is and its place, so that what was lost, doubled or moved shows.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use kprod::completion::{Persistence, Report};
use kprod::error::ErrorCode;

use crate::support::consumer;

const STAMP: usize = 16;

/// One run's records. A source is whatever sends in an order: a thread, or the sender of one partition.
pub struct Ledger {
    /// What its records' values begin with.
    pub run: u64,
}

/// Everything that is wrong, by tag (`Ledger::tag`) where not said otherwise.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Accepted, and never heard of again.
    pub unreported: Vec<u64>,
    pub reported_twice: Vec<u64>,
    /// A source's reports of a partition did not come in the order of its sends.
    pub reported_out_of_order: Vec<u64>,
    /// Reported as delivered, and not in the log.
    pub lost: Vec<u64>,
    /// Reported as not persisted, or never accepted, and in the log.
    pub unexpected: Vec<u64>,
    pub duplicated: Vec<u64>,
    /// In the log behind a later record of its source.
    pub reordered: Vec<u64>,
    /// Reported with another partition or offset than it has in the log.
    pub misplaced: Vec<u64>,
    /// Partition and offset of records that this run has not sent.
    pub foreign: Vec<(i32, i64)>,
}

impl Ledger {
    pub fn new() -> Ledger {
        Ledger {
            run: kprod::sys::Rng::from_os().next_u64(),
        }
    }

    /// A record's name, and its place among those of its source.
    pub fn tag(source: u32, sequence: u32) -> u64 {
        u64::from(source) << 32 | u64::from(sequence)
    }

    /// A value of at least 16 bytes that says which record it is.
    pub fn value(&self, tag: u64, length: usize) -> Vec<u8> {
        let mut value = vec![b'.'; length.max(STAMP)];
        value[..8].copy_from_slice(&self.run.to_be_bytes());
        value[8..STAMP].copy_from_slice(&tag.to_be_bytes());
        value
    }

    /// Which of this run's records the value is of.
    pub fn tag_of(&self, value: Option<&[u8]>) -> Option<u64> {
        let (run, rest) = value?.split_first_chunk()?;
        let (tag, _) = rest.split_first_chunk()?;
        (u64::from_be_bytes(*run) == self.run).then_some(u64::from_be_bytes(*tag))
    }

    /// Holds the tags of accepted records, their reports as they came, and the log against each other.
    pub fn judge(
        &self,
        accepted: impl IntoIterator<Item = u64>,
        reports: &[Report],
        log: &[consumer::Record],
    ) -> Judgement {
        let mut judgement = Judgement::default();
        let accepted: BTreeSet<u64> = accepted.into_iter().collect();
        let outcomes = judgement.take_reports(&accepted, reports);
        let places = judgement.take_log(self, log);
        for (&tag, report) in &outcomes {
            let found = places.get(&tag).map_or(&[][..], Vec::as_slice);
            if report.error == ErrorCode::OK {
                judgement.check_delivered(tag, report, found);
            } else if report.persistence() == Persistence::Not && !found.is_empty() {
                judgement.unexpected.push(tag);
            }
        }
        let unknown = places.keys().filter(|tag| !accepted.contains(tag));
        judgement.unexpected.extend(unknown);
        judgement
    }
}

impl Judgement {
    fn take_reports<'a>(
        &mut self,
        accepted: &BTreeSet<u64>,
        reports: &'a [Report],
    ) -> BTreeMap<u64, &'a Report> {
        let mut outcomes = BTreeMap::new();
        let mut last: HashMap<(i32, u32), u64> = HashMap::new();
        for report in reports {
            if outcomes.insert(report.tag, report).is_some() || !accepted.contains(&report.tag) {
                self.reported_twice.push(report.tag);
            }
            let place = (report.partition, source(report.tag));
            let before = last.insert(place, report.tag);
            if before.is_some_and(|before| before > report.tag) {
                self.reported_out_of_order.push(report.tag);
            }
        }
        let missing = accepted.iter().filter(|tag| !outcomes.contains_key(tag));
        self.unreported.extend(missing);
        outcomes
    }

    /// Where each record stands in the log, the first place first.
    fn take_log(
        &mut self,
        ledger: &Ledger,
        log: &[consumer::Record],
    ) -> BTreeMap<u64, Vec<(i32, i64)>> {
        let mut places: BTreeMap<u64, Vec<(i32, i64)>> = BTreeMap::new();
        let mut last: HashMap<(i32, u32), u64> = HashMap::new();
        for record in log {
            let place = (record.partition, record.offset);
            let Some(tag) = ledger.tag_of(record.value.as_deref()) else {
                self.foreign.push(place);
                continue;
            };
            let seen = places.entry(tag).or_default();
            seen.push(place);
            if seen.len() > 1 {
                self.duplicated.push(tag);
                continue;
            }
            let last = last.entry((record.partition, source(tag))).or_insert(tag);
            if *last > tag {
                self.reordered.push(tag);
            }
            *last = tag.max(*last);
        }
        places
    }

    fn check_delivered(&mut self, tag: u64, report: &Report, found: &[(i32, i64)]) {
        if found.is_empty() {
            self.lost.push(tag);
        } else if report.offset >= 0 && !found.contains(&(report.partition, report.offset)) {
            self.misplaced.push(tag);
        }
    }

    /// Each record once, in order, where its report says.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(*self == Judgement::default(), "{self}");
    }

    /// The same, but retries may have doubled records: what acks and no idempotence promise.
    #[track_caller]
    pub fn assert_at_least_once(self) {
        let judgement = Judgement {
            duplicated: Vec::new(),
            ..self
        };
        judgement.assert_clean();
    }
}

fn source(tag: u64) -> u32 {
    (tag >> 32) as u32
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lists = [
            ("unreported", &self.unreported),
            ("reported twice or never accepted", &self.reported_twice),
            ("reported out of order", &self.reported_out_of_order),
            ("lost", &self.lost),
            ("unexpectedly in the log", &self.unexpected),
            ("duplicated", &self.duplicated),
            ("reordered", &self.reordered),
            ("not where reported", &self.misplaced),
        ];
        for (name, tags) in lists.iter().filter(|(_, tags)| !tags.is_empty()) {
            let show = |tag: &u64| format!("{}/{}", tag >> 32, *tag as u32);
            let first: Vec<String> = tags.iter().take(5).map(show).collect();
            write!(
                f,
                "{} {name} (source/sequence {}…); ",
                tags.len(),
                first.join(" ")
            )?;
        }
        if let Some((partition, offset)) = self.foreign.first() {
            let count = self.foreign.len();
            write!(f, "{count} of another run, first at {partition}:{offset}; ")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kprod::completion::{ReportKind, TimestampType, flags};

    use super::*;

    fn delivered(tag: u64, offset: i64) -> Report {
        Report {
            kind: ReportKind::Record,
            tag,
            topic: 1,
            partition: 0,
            offset,
            timestamp: 0,
            timestamp_type: TimestampType::CreateTime,
            count: 1,
            error: ErrorCode::OK,
            flags: (Persistence::Persisted as u32) << flags::PERSISTENCE_SHIFT,
            detail: 0,
            log_start_offset: 0,
        }
    }

    fn failed(tag: u64, persistence: Persistence) -> Report {
        Report {
            error: ErrorCode::REQUEST_TIMED_OUT,
            flags: (persistence as u32) << flags::PERSISTENCE_SHIFT,
            ..delivered(tag, -1)
        }
    }

    fn log(ledger: &Ledger, tags: &[u64]) -> Vec<consumer::Record> {
        let record = |(offset, tag): (usize, &u64)| consumer::Record {
            partition: 0,
            offset: offset as i64,
            timestamp: 0,
            timestamp_type: consumer::TimestampType::CreateTime,
            key: None,
            value: Some(ledger.value(*tag, 20)),
            headers: Vec::new(),
        };
        tags.iter().enumerate().map(record).collect()
    }

    fn three_delivered() -> Vec<Report> {
        (0..3).map(|n| delivered(n, n as i64)).collect()
    }

    #[test]
    fn the_verifier_accepts_what_is_right() {
        let ledger = Ledger::new();
        let judgement = ledger.judge(0..3, &three_delivered(), &log(&ledger, &[0, 1, 2]));
        judgement.assert_clean();
        let unsure = [
            failed(0, Persistence::Possibly),
            failed(1, Persistence::Not),
        ];
        for written in [&[0][..], &[]] {
            let judgement = ledger.judge(0..2, &unsure, &log(&ledger, written));
            judgement.assert_clean();
        }
    }

    #[test]
    fn the_verifier_sees_what_is_wrong() {
        let ledger = Ledger::new();
        let judge =
            |reports: &[Report], tags: &[u64]| ledger.judge(0..3, reports, &log(&ledger, tags));
        let reports = three_delivered();
        assert_eq!(judge(&reports, &[0, 1]).lost, [2]);
        assert_eq!(judge(&reports, &[0, 1, 2, 1]).duplicated, [1]);
        let swapped = judge(&reports, &[0, 2, 1]);
        assert_eq!(swapped.reordered, [1]);
        assert_eq!(swapped.misplaced, [1, 2]);
        assert_eq!(judge(&reports, &[0, 1, 2, 7]).unexpected, [7]);
        assert_eq!(judge(&reports[..2], &[0, 1, 2]).unreported, [2]);
        let twice = [&reports[..], &reports[2..]].concat();
        assert_eq!(judge(&twice, &[0, 1, 2]).reported_twice, [2]);
        let disorder = [reports[1], reports[0], reports[2]];
        assert_eq!(judge(&disorder, &[0, 1, 2]).reported_out_of_order, [0]);
        let denied = [reports[0], reports[1], failed(2, Persistence::Not)];
        assert_eq!(judge(&denied, &[0, 1, 2]).unexpected, [2]);
        let others = ledger.judge(0..0, &[], &log(&Ledger::new(), &[0]));
        assert_eq!(others.foreign, [(0, 0)]);
        assert!(others.to_string().contains("another run"), "{others}");
    }
}
