//! Scenarios 21, 22 and 23: what is larger than the broker allows.

use std::time::{Duration, Instant};

use kprod::completion::Persistence;
use kprod::error::ErrorCode;

use crate::bed::{Bed, all_ok, noise, ok, record};
use crate::ledger::Ledger;
use crate::pool::{Kind, shared};
use crate::support::consumer::{Digest, Isolation};

#[test]
fn scenario_21_noise_that_no_codec_makes_small_enough_ends_in_an_error() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-21";
    cluster.create_topic(topic, 1, &[("max.message.bytes", "1000000")]);
    let settings = [
        ("compression.type", "zstd"),
        ("max.request.size", "4000000"),
        ("batch.size", "3500000"),
        ("linger.ms", "300"),
    ];
    let bed = Bed::new(&cluster.bootstrap(), &settings);
    // Together too large for a batch: apart they fit, but for the one that is too large by itself.
    let values = [
        noise(600_000),
        noise(600_001),
        noise(1_000_000),
        noise(600_002),
    ];
    let start = Instant::now();
    for (tag, value) in values.iter().enumerate() {
        bed.send(&record(topic, value, tag as u64));
    }
    let reports = bed.reports(values.len());
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
    for report in &reports {
        match report.tag {
            2 => assert_eq!(report.error, ErrorCode::MESSAGE_TOO_LARGE),
            _ => ok(report),
        }
    }
    assert!(bed.producer.metrics().batch_splits > 0);
    let consumer = cluster.consumer(Isolation::ReadUncommitted);
    let read: Vec<_> = consumer
        .read_digests(topic)
        .iter()
        .map(|r| r.value)
        .collect();
    let expected = [0, 1, 3].map(|at: usize| Some(Digest::of(&values[at])));
    assert_eq!(read, expected);
    bed.assert_at_rest();
}

#[test]
fn scenario_22_a_batch_too_large_for_the_topic_is_split() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-22";
    cluster.create_topic(topic, 1, &[("max.message.bytes", "100000")]);
    let settings = [
        ("batch.size", "900000"),
        ("linger.ms", "3600000"),
        ("request.timeout.ms", "3600000"),
    ];
    let bed = Bed::new(&cluster.bootstrap(), &settings);
    let ledger = Ledger::new();
    let tag = |n| Ledger::tag(0, n);
    (0..50).for_each(|n| bed.send(&record(topic, &ledger.value(tag(n), 10_000), tag(n))));
    // It waits for the pieces as well.
    bed.flush();
    let reports = bed.reports_now();
    assert_eq!(reports.len(), 50);
    all_ok(&reports);
    assert!(bed.producer.metrics().batch_splits > 0);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    ledger
        .judge((0..50).map(tag), &reports, &read)
        .assert_clean();
    bed.assert_at_rest();
}

#[test]
fn scenario_23_a_record_too_large_for_the_broker_fails_alone() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-23";
    cluster.create_topic(topic, 1, &[("max.message.bytes", "50000")]);
    let settings = [
        ("batch.size", "900000"),
        ("linger.ms", "3600000"),
        ("request.timeout.ms", "3600000"),
    ];
    let bed = Bed::new(&cluster.bootstrap(), &settings);
    let ledger = Ledger::new();
    let tag = |n| Ledger::tag(0, n);
    let size = |n| if n == 10 { 80_000 } else { 1_000 };
    (0..20).for_each(|n| bed.send(&record(topic, &ledger.value(tag(n), size(n)), tag(n))));
    bed.flush();
    let reports = bed.reports_now();
    assert_eq!(reports.len(), 20);
    for report in &reports {
        if report.tag != tag(10) {
            ok(report);
            continue;
        }
        assert_eq!(report.error, ErrorCode::MESSAGE_TOO_LARGE);
        assert_eq!(report.persistence(), Persistence::Not);
        assert!(bed.message(report).contains(topic));
    }
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(read.len(), 19);
    ledger
        .judge((0..20).map(tag), &reports, &read)
        .assert_clean();
    bed.assert_at_rest();
}
