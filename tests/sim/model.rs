//! What was accepted, what was reported, and whether the two and the log fit together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

use kprod::completion::{Persistence, Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::mock::StoredRecord;

use super::plan::{Ending, Plan, Weather};

struct Sent {
    topic: u32,
    partition: Option<i32>,
    /// When it was known to be accepted, counted.
    at: u64,
    /// By an asynchronous send, whose answer tells of it later: its place among the others is not known.
    offered: bool,
}

/// A user's batch, by the tags of its records, and where it is to go.
#[derive(Clone, Debug)]
pub struct Draft {
    pub number: u64,
    pub tags: Range<u64>,
    pub topic: u32,
    pub partition: i32,
}

/// Tags of batches' reports and of the answers to asynchronous sends, above those of all else.
pub const BATCH: u64 = 1 << 41;
pub const OFFER: u64 = 1 << 42;

#[derive(Default)]
pub struct Model {
    accepted: BTreeMap<u64, Sent>,
    acceptances: u64,
    reported: BTreeMap<u64, Report>,
    /// The tags in the order of their reports.
    order: Vec<u64>,
    /// When the last one reported was accepted, for direct and asynchronous sends.
    newest: HashMap<(u32, i32, bool), u64>,
    /// Batches without a report, by its tag.
    batches: BTreeMap<u64, Draft>,
    /// Asynchronous sends without an answer, by its tag.
    offers: BTreeMap<u64, Draft>,
    /// Records of batches that were not accepted: they may be nowhere.
    drafts: BTreeSet<u64>,
    /// Records behind the first of a batch, whose offsets nobody is told.
    inner: BTreeSet<u64>,
    pub queue_full: u64,
    writable: u64,
    /// A WRITABLE entry is still owed.
    owed: bool,
    /// Flushes under way and the acceptances that are to be reported first.
    flushes: BTreeMap<u64, u64>,
    next_tag: u64,
}

impl Model {
    pub fn next_tag(&self) -> u64 {
        self.next_tag
    }

    pub fn accept(&mut self, topic: u32, partition: Option<i32>) {
        let tag = self.next_tag;
        self.next_tag += 1;
        self.take_in(tag, topic, partition, false);
    }

    fn take_in(&mut self, tag: u64, topic: u32, partition: Option<i32>, offered: bool) {
        self.acceptances += 1;
        let sent = Sent {
            topic,
            partition,
            at: self.acceptances,
            offered,
        };
        self.accepted.insert(tag, sent);
    }

    /// A record was added to a batch.
    pub fn draft(&mut self) {
        self.drafts.insert(self.next_tag);
        self.next_tag += 1;
    }

    pub fn accept_batch(&mut self, draft: Draft, offered: bool) {
        for tag in draft.tags.clone() {
            assert!(self.drafts.remove(&tag));
            self.take_in(tag, draft.topic, Some(draft.partition), offered);
        }
        self.batches.insert(BATCH + draft.number, draft);
    }

    pub fn offer_batch(&mut self, draft: Draft) {
        self.offers.insert(OFFER + draft.number, draft);
    }

    pub fn on_queue_full(&mut self) {
        self.queue_full += 1;
        self.owed = true;
    }

    /// The flush's tag lies above those of all records.
    pub fn on_flush(&mut self, tag: u64) {
        self.flushes.insert(tag, self.acceptances);
    }

    pub fn outstanding(&self) -> usize {
        self.accepted.len() - self.reported.len() + self.batches.len() + self.offers.len()
    }

    pub fn open_flushes(&self) -> usize {
        self.flushes.len()
    }

    pub fn on_report(&mut self, report: &Report) {
        match report.kind {
            ReportKind::Record => self.on_record(report),
            ReportKind::Operation if report.tag >= OFFER => self.on_answered(report),
            ReportKind::Operation => self.on_flushed(report),
            ReportKind::Writable => {
                self.writable += 1;
                self.owed = false;
                assert!(self.writable <= self.queue_full, "a WRITABLE too many");
            }
            ReportKind::Batch => self.on_batch(report),
            ReportKind::Event => {}
        }
    }

    fn on_answered(&mut self, report: &Report) {
        let draft = self.offers.remove(&report.tag).expect("an offer");
        if report.error == ErrorCode::OK {
            self.accept_batch(draft, true);
        }
    }

    /// It stands for all records of the batch.
    fn on_batch(&mut self, report: &Report) {
        let batch = self.batches.remove(&report.tag);
        let batch = batch.unwrap_or_else(|| panic!("never accepted: {report:?}"));
        assert_eq!(report.count as usize, batch.tags.clone().count());
        let place = (report.topic, report.partition);
        assert_eq!(place, (batch.topic, batch.partition), "{report:?}");
        for tag in batch.tags.clone() {
            if tag > batch.tags.start {
                self.inner.insert(tag);
            }
            self.on_record(&Report { tag, ..*report });
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
        self.order.push(report.tag);
        if report.partition >= 0 {
            let line = (report.topic, report.partition, sent.offered);
            let newest = self.newest.insert(line, sent.at);
            assert!(
                newest.is_none_or(|newest| newest < sent.at),
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
            .iter()
            .find(|(tag, sent)| sent.at <= before && !self.reported.contains_key(tag));
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
                        plan.acks == "0" || report.error != ErrorCode::OK,
                        "{report:?}"
                    );
                }
                Persistence::Persisted => {
                    assert_eq!(report.error, ErrorCode::OK);
                    let is_inner = self.inner.contains(tag);
                    // Where a batch stands that the broker does not remember, nobody knows.
                    let unknown = plan.idempotent && report.offset == -1;
                    let is_it = |offset| is_inner || unknown || offset == report.offset;
                    let at = copies.iter().find(|(_, offset)| is_it(*offset));
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

    /// The first copies of delivered records stand in the order of their reports, which is that of acceptance.
    fn check_order(&self, logs: &HashMap<(u32, i32), Vec<StoredRecord>>) {
        let places = self.order.iter().enumerate();
        let places: HashMap<u64, usize> = places.map(|(at, tag)| (*tag, at)).collect();
        for (place, records) in logs {
            let mut seen = std::collections::HashSet::new();
            let mut newest = None;
            for record in records {
                let tag = tag_of(record);
                assert!(!self.drafts.contains(&tag), "{tag} was never accepted");
                let delivered = self.reported.get(&tag).is_some_and(|report| {
                    report.error == ErrorCode::OK && report.persistence() == Persistence::Persisted
                });
                if delivered && seen.insert(tag) {
                    let at = places.get(&tag);
                    assert!(
                        newest < at,
                        "{place:?}: {tag} at {} behind {newest:?}",
                        record.offset
                    );
                    newest = at;
                }
            }
        }
    }
}

fn tag_of(record: &StoredRecord) -> u64 {
    let value = record.value.as_deref().expect("a value");
    u64::from_be_bytes(*value.first_chunk().expect("a tag"))
}
