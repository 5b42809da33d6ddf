//! Scenarios 13, 14 and 15: memory is bounded, and a send that is refused was never accepted.

use std::time::{Duration, Instant};

use kprod::completion::ReportKind;
use kprod::error::ErrorCode;
use kprod::producer::{Timeout, TopicRef};

use crate::bed::{Bed, LONG, all_ok, ok, record};
use crate::ledger::Ledger;
use crate::pool::{Kind, Lease, alone, shared};
use crate::support::consumer::Isolation;

#[test]
fn scenario_13_a_record_beyond_the_request_size_is_refused_and_holds_nothing() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-13";
    cluster.create_topic(topic, 1, &[]);
    let bed = Bed::new(&cluster.bootstrap(), &[("max.request.size", "100000")]);
    let large = vec![b'x'; 100_001];
    for _ in 0..1_000 {
        let refused = bed.producer.send(&record(topic, &large, 1));
        assert_eq!(refused, Err(ErrorCode::RECORD_TOO_LARGE));
        let refused = bed.producer.try_send(&record(topic, &large, 1));
        assert_eq!(refused, Err(ErrorCode::RECORD_TOO_LARGE));
    }
    assert_eq!(bed.memory_taken(), 0);
    bed.send(&record(topic, &large[..99_000], 2));
    ok(&bed.reports(1)[0]);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(read.len(), 1);
    bed.assert_at_rest();
}

const BUDGET: u64 = 256 * 1024;
const MAX_BLOCK: Duration = Duration::from_millis(1_000);
const SIZE: usize = 1_000;

/// A producer with little memory whose cluster is silent, and whose memory is full.
struct Full {
    cluster: Lease,
    bed: Bed,
    ledger: Ledger,
    topic: &'static str,
    accepted: Vec<u64>,
}

impl Full {
    fn new(topic: &'static str) -> Full {
        let cluster = alone(Kind::OneNode);
        cluster.create_topic(topic, 3, &[]);
        let budget = BUDGET.to_string();
        let settings = [
            ("buffer.memory", budget.as_str()),
            ("max.block.ms", "1000"),
            ("request.timeout.ms", "120000"),
        ];
        let bed = Bed::new(&cluster.bootstrap(), &settings);
        let limit = Timeout::After(LONG);
        bed.producer
            .partitions_for(TopicRef::Name(topic), limit)
            .expect("it is there");
        cluster.pause(1);
        let mut full = Full {
            cluster,
            bed,
            ledger: Ledger::new(),
            topic,
            accepted: Vec::new(),
        };
        full.fill();
        full
    }

    fn next(&self) -> u64 {
        Ledger::tag(0, self.accepted.len() as u32)
    }

    fn fill(&mut self) {
        loop {
            let tag = self.next();
            let value = self.ledger.value(tag, SIZE);
            match self.bed.producer.try_send(&record(self.topic, &value, tag)) {
                Ok(()) => self.accepted.push(tag),
                Err(code) => {
                    assert_eq!(code, ErrorCode::QUEUE_FULL);
                    break;
                }
            }
            assert!(self.bed.memory_taken() <= BUDGET);
        }
        let bytes = (self.accepted.len() * SIZE) as u64;
        assert!(bytes > BUDGET / 2, "full with {bytes} bytes of values");
    }

    #[track_caller]
    fn judge(&self, mut reports: Vec<kprod::completion::Report>) {
        reports.extend(self.bed.reports(self.accepted.len() - reports.len()));
        all_ok(&reports);
        let consumer = self.cluster.consumer(Isolation::ReadUncommitted);
        let read = consumer.read_all(self.topic);
        let judgement = self
            .ledger
            .judge(self.accepted.iter().copied(), &reports, &read);
        judgement.assert_clean();
        self.bed.assert_at_rest();
    }
}

#[test]
fn scenario_14_a_full_producer_refuses_or_waits_and_goes_on() {
    let mut full = Full::new("scenario-14");
    let tag = full.next();
    let value = full.ledger.value(tag, SIZE);
    let sent = record(full.topic, &value, tag);

    let start = Instant::now();
    assert_eq!(
        full.bed.producer.try_send(&sent),
        Err(ErrorCode::QUEUE_FULL)
    );
    assert!(
        start.elapsed() < Duration::from_millis(200),
        "{:?}",
        start.elapsed()
    );

    let start = Instant::now();
    assert_eq!(full.bed.producer.send(&sent), Err(ErrorCode::TIMED_OUT));
    let waited = start.elapsed();
    assert!(
        waited >= MAX_BLOCK && waited < MAX_BLOCK * 3 / 2,
        "{waited:?}"
    );

    full.cluster.resume(1);
    // After a refusal exactly one entry tells that there is room again.
    let (mut writable, mut reports) = (0, Vec::new());
    while writable == 0 {
        let polled = full
            .bed
            .producer
            .poll(16, Timeout::After(LONG), |report| match report.kind {
                ReportKind::Writable => writable += 1,
                _ => reports.push(*report),
            });
        assert!(
            polled.is_ok_and(|count| count > 0),
            "no WRITABLE entry came"
        );
    }
    assert_eq!(writable, 1);
    assert_eq!(full.bed.producer.try_send(&sent), Ok(()));
    full.accepted.push(tag);
    full.judge(reports);
}

#[test]
fn scenario_15_a_send_that_timed_out_never_appears_and_an_accepted_one_does() {
    let mut full = Full::new("scenario-15");
    let tag = full.next();
    let value = full.ledger.value(tag, SIZE);
    let sent = record(full.topic, &value, tag);
    assert_eq!(full.bed.producer.send(&sent), Err(ErrorCode::TIMED_OUT));
    let short = Timeout::After(Duration::from_millis(200));
    assert_eq!(
        full.bed.producer.send_wait(&sent, short),
        Err(ErrorCode::TIMED_OUT)
    );

    // A result that nobody waits for any more takes nothing back.
    let patient = Bed::new(
        &full.cluster.bootstrap(),
        &[("request.timeout.ms", "120000")],
    );
    full.cluster.resume(1);
    let limit = Timeout::After(LONG);
    patient
        .producer
        .partitions_for(TopicRef::Name(full.topic), limit)
        .expect("it is there");
    let reports = full.bed.reports(full.accepted.len());
    full.cluster.pause(1);
    let waited = patient.producer.send_wait(&sent, short);
    assert_eq!(waited, Err(ErrorCode::STILL_PENDING));
    full.cluster.resume(1);
    let late = patient.reports(1)[0];
    ok(&late);
    assert_eq!(late.tag, tag);

    let consumer = full.cluster.consumer(Isolation::ReadUncommitted);
    let read = consumer.read_all(full.topic);
    full.accepted.push(tag);
    let reports: Vec<_> = reports.into_iter().chain([late]).collect();
    let judgement = full
        .ledger
        .judge(full.accepted.iter().copied(), &reports, &read);
    judgement.assert_clean();
    full.bed.assert_at_rest();
    patient.assert_at_rest();
}
