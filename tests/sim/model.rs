//! What was accepted, what was reported, and whether the two and the log fit together.

use std::collections::{BTreeMap, HashMap};

use kprod::completion::{Persistence, Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::mock::StoredRecord;

use super::plan::{Ending, Plan, Weather};

struct Sent {
    topic: u32,
    partition: Option<i32>,
}

/// Tags count up with acceptance.
#[derive(Default)]
pub struct Model {
    accepted: BTreeMap<u64, Sent>,
    reported: BTreeMap<u64, Report>,
    newest: HashMap<(u32, i32), u64>,
    pub queue_full: u64,
    writable: u64,
    /// A WRITABLE entry is still owed.
    owed: bool,
    /// Flushes under way and the tags before which all is to be reported first.
    flushes: BTreeMap<u64, u64>,
    next_tag: u64,
}

impl Model {
    pub fn next_tag(&self) -> u64 {
        self.next_tag
    }

    pub fn accept(&mut self, topic: u32, partition: Option<i32>) {
        self.accepted
            .insert(self.next_tag, Sent { topic, partition });
        self.next_tag += 1;
    }

    pub fn on_queue_full(&mut self) {
        self.queue_full += 1;
        self.owed = true;
    }

    /// The flush's tag lies above those of all records.
    pub fn on_flush(&mut self, tag: u64) {
        self.flushes.insert(tag, self.next_tag);
    }

    pub fn outstanding(&self) -> usize {
        self.accepted.len() - self.reported.len()
    }

    pub fn open_flushes(&self) -> usize {
        self.flushes.len()
    }

    pub fn on_report(&mut self, report: &Report) {
        match report.kind {
            ReportKind::Record => self.on_record(report),
            ReportKind::Operation => self.on_flushed(report),
            ReportKind::Writable => {
                self.writable += 1;
                self.owed = false;
                assert!(self.writable <= self.queue_full, "a WRITABLE too many");
            }
            ReportKind::Event | ReportKind::Batch => {}
        }
    }

    fn on_record(&mut self, report: &Report) {
        let sent = self.accepted.get(&report.tag);
        let sent = sent.unwrap_or_else(|| panic!("never accepted: {report:?}"));
        let before = self.reported.insert(report.tag, *report);
        assert_eq!(before, None, "reported again: {report:?}");
        assert_eq!(report.topic, sent.topic, "{report:?}");
        assert!(
            sent.partition.is_none_or(|p| p == report.partition),
            "{report:?}"
        );
        assert_ne!(
            report.error,
            ErrorCode::INTERNAL,
            "the engine panicked or lost a batch"
        );
        if report.partition >= 0 {
            let place = (report.topic, report.partition);
            let newest = self.newest.insert(place, report.tag);
            assert!(
                newest.is_none_or(|newest| newest < report.tag),
                "{report:?} came after {newest:?}"
            );
        }
    }

    fn on_flushed(&mut self, report: &Report) {
        let before = self
            .flushes
            .remove(&report.tag)
            .expect("a flush that began");
        let missing = self
            .accepted
            .range(..before)
            .find(|(tag, _)| !self.reported.contains_key(tag));
        let closed = report.error == ErrorCode::CLOSED || report.error == ErrorCode::FATAL;
        assert!(
            closed || missing.is_none(),
            "flushed before {:?}",
            missing.map(|m| m.0)
        );
    }

    /// What must hold at the end whatever happened to the logs.
    pub fn check_end(&self, plan: &Plan) {
        assert_eq!(self.outstanding(), 0);
        let ended = plan.fatal || matches!(plan.ending, Ending::CloseDead(_));
        assert!(ended || !self.owed, "no WRITABLE after the last QUEUE_FULL");
    }

    /// What must stand in the logs, by topic and partition, once everything is reported.
    pub fn check_logs(&self, plan: &Plan, logs: &HashMap<(u32, i32), Vec<StoredRecord>>) {
        let places = |tag: u64| {
            let found = logs.iter().flat_map(move |(place, records)| {
                let copies = records.iter().filter(move |record| tag_of(record) == tag);
                copies.map(move |record| (*place, record.offset))
            });
            found.collect::<Vec<_>>()
        };
        for (tag, report) in &self.reported {
            let copies = places(*tag);
            let own = (report.topic, report.partition);
            assert!(
                copies.iter().all(|(place, _)| *place == own),
                "{report:?}: {copies:?}"
            );
            match report.persistence() {
                Persistence::Not => assert!(copies.is_empty(), "{report:?}: {copies:?}"),
                Persistence::Possibly => {
                    assert!(
                        plan.acks_none || report.error != ErrorCode::OK,
                        "{report:?}"
                    );
                }
                Persistence::Persisted => {
                    assert_eq!(report.error, ErrorCode::OK);
                    let at = copies.iter().find(|(_, offset)| *offset == report.offset);
                    assert!(at.is_some(), "{report:?}: {copies:?}");
                }
            }
            if plan.idempotent || plan.weather != Weather::Storm {
                assert!(copies.len() <= 1, "{report:?}: {copies:?}");
            }
            if plan.weather == Weather::Calm {
                assert_eq!(report.error, ErrorCode::OK, "{report:?}");
            }
            if plan.weather == Weather::Refusals {
                let expected = [ErrorCode::OK, ErrorCode::MESSAGE_TOO_LARGE];
                assert!(expected.contains(&report.error), "{report:?}");
            }
        }
        self.check_order(logs);
    }

    /// The first copies of delivered records stand in the order of acceptance.
    fn check_order(&self, logs: &HashMap<(u32, i32), Vec<StoredRecord>>) {
        for (place, records) in logs {
            let mut seen = std::collections::HashSet::new();
            let mut newest = None;
            for record in records {
                let tag = tag_of(record);
                let delivered = self.reported.get(&tag).is_some_and(|report| {
                    report.error == ErrorCode::OK && report.persistence() == Persistence::Persisted
                });
                if delivered && seen.insert(tag) {
                    assert!(
                        newest < Some(tag),
                        "{place:?}: {tag} at {} behind {newest:?}",
                        record.offset
                    );
                    newest = Some(tag);
                }
            }
        }
    }
}

fn tag_of(record: &StoredRecord) -> u64 {
    let value = record.value.as_deref().expect("a value");
    u64::from_be_bytes(*value.first_chunk().expect("a tag"))
}
