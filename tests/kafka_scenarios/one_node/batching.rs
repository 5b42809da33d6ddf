//! Scenarios 8, 9 and 10: when a record goes, and with whom.

use std::time::{Duration, Instant};

use kprod::producer::{Timeout, TopicRef};

use crate::bed::{Bed, LONG, all_ok, ok, record, text};
use crate::detour::Detour;
use crate::ledger::Ledger;
use crate::pool::{Kind, alone, shared};
use crate::support::consumer::Isolation;
use crate::support::wait_for;

#[test]
fn scenario_08_without_linger_a_record_goes_at_once() {
    let cluster = alone(Kind::OneNode);
    let topic = "scenario-08";
    cluster.create_topic(topic, 1, &[]);
    let bed = Bed::new(&cluster.bootstrap(), &[]);
    let mut times: Vec<Duration> = (0..200)
        .map(|tag| {
            let start = Instant::now();
            let sent = record(topic, b"v", tag);
            let report = bed.producer.send_wait(&sent, Timeout::After(LONG));
            ok(&report.expect("accepted"));
            start.elapsed()
        })
        .collect();
    times.sort();
    // A few milliseconds, and room for a machine that has other work.
    assert!(times[100] < Duration::from_millis(20), "{:?}", times[100]);
}

#[test]
fn scenario_08_after_an_idle_time_the_next_record_goes_at_once_too() {
    let cluster = alone(Kind::OneNode);
    let topic = "scenario-08-idle";
    cluster.create_topic(topic, 1, &[]);
    let detour = Detour::before(&cluster, &[1]);
    let settings = [("connections.max.idle.ms", "500")];
    let bed = Bed::through(detour.clone(), &cluster.bootstrap(), &settings);
    for tag in 0..3 {
        bed.send(&record(topic, b"v", tag));
        ok(&bed.reports(1)[0]);
        wait_for("the idle connections to be closed", LONG, || {
            (detour.proxy(cluster.address(1)).connections() == 0).then_some(())
        });
    }
    let start = Instant::now();
    bed.send(&record(topic, b"v", 3));
    ok(&bed.reports(1)[0]);
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(bed.producer.metrics().batch_retries, 0);
}

#[test]
fn scenario_09_records_within_linger_make_one_batch() {
    let cluster = alone(Kind::OneNode);
    let topic = "scenario-09";
    cluster.create_topic(topic, 1, &[]);
    let linger = Duration::from_millis(500);
    let bed = Bed::new(&cluster.bootstrap(), &[("linger.ms", "500")]);
    bed.producer.start(Timeout::After(LONG)).unwrap();
    bed.producer
        .partitions_for(TopicRef::Name(topic), Timeout::After(LONG))
        .unwrap();
    let start = Instant::now();
    (0..50).for_each(|tag| bed.send(&record(topic, b"v", tag)));
    let reports = bed.reports(50);
    all_ok(&reports);
    assert!(start.elapsed() >= linger, "{:?}", start.elapsed());
    let batches = cluster.batches(1, topic, 0);
    let counts: Vec<_> = batches.iter().map(|batch| batch.count).collect();
    assert_eq!(counts, [50]);
    assert_eq!(bed.producer.metrics().batches_sent, 1);
}

#[test]
fn scenario_09_more_records_do_not_extend_linger() {
    let cluster = alone(Kind::OneNode);
    let topic = "scenario-09-stream";
    cluster.create_topic(topic, 1, &[]);
    let bed = Bed::new(&cluster.bootstrap(), &[("linger.ms", "200")]);
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < Duration::from_secs(2) {
        bed.send(&record(topic, b"v", sent));
        sent += 1;
        // The pace of a slow sender.
        std::thread::sleep(Duration::from_millis(20));
    }
    all_ok(&bed.reports(sent as usize));
    let batches = cluster.batches(1, topic, 0);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert!(
        (3..=11).contains(&batches.len()),
        "{} batches",
        batches.len()
    );
    for batch in &batches {
        let times = || {
            let of_batch = batch.base_offset..=batch.last_offset;
            read.iter()
                .filter(move |r| of_batch.contains(&r.offset))
                .map(|r| r.timestamp)
        };
        let span = times().max().unwrap() - times().min().unwrap();
        // Linger, and time for a busy machine to act; extended by each record it would be all of the two seconds.
        assert!(span < 1_000, "{span} ms in {batch:?}");
    }
}

#[test]
fn scenario_10_a_full_batch_and_a_flush_do_not_wait_for_linger() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-10";
    cluster.create_topic(topic, 1, &[]);
    let settings = [("linger.ms", "3600000"), ("request.timeout.ms", "3600000")];
    let bed = Bed::new(&cluster.bootstrap(), &settings);
    let ledger = Ledger::new();
    let tag = |n| Ledger::tag(0, n);
    // 16 KiB hold 15 records of this size; the 16th closes the batch.
    (0..16).for_each(|n| bed.send(&record(topic, &ledger.value(tag(n), 1_050), tag(n))));
    let mut reports = bed.reports(15);
    assert!(bed.reports_now().is_empty(), "the last still lingers");
    bed.flush();
    reports.extend(bed.reports_now());
    assert_eq!(reports.len(), 16);
    all_ok(&reports);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    ledger
        .judge((0..16).map(tag), &reports, &read)
        .assert_clean();
    let counts: Vec<_> = cluster
        .batches(1, topic, 0)
        .iter()
        .map(|b| b.count)
        .collect();
    assert_eq!(counts, [15, 1]);

    // Larger than what a batch may be: it goes alone, and the one before it goes too.
    bed.send(&record(topic, b"small", 20));
    bed.send(&record(topic, &text(30_000), 21));
    let reports = bed.reports(2);
    assert_eq!(reports.iter().map(|r| r.tag).collect::<Vec<_>>(), [20, 21]);
    all_ok(&reports);
}

#[test]
fn scenario_10_an_urgent_record_takes_the_full_batch_before_it_along() {
    let cluster = shared(Kind::OneNode);
    for codec in ["none", "lz4"] {
        let topic = &format!("scenario-10-urgent-{codec}");
        cluster.create_topic(topic, 1, &[]);
        let settings = [
            ("linger.ms", "3600000"),
            ("request.timeout.ms", "3600000"),
            ("compression.type", codec),
        ];
        let bed = Bed::new(&cluster.bootstrap(), &settings);
        bed.send(&record(topic, &text(15_000), 1));
        for size in [2_000, 15_000, 40_000] {
            let value = text(size);
            let urgent = record(topic, &value, 2);
            let report = bed.producer.send_wait(&urgent, Timeout::After(LONG));
            ok(&report.expect("it does not wait for linger"));
            bed.send(&record(topic, &text(15_000), 1));
        }
        all_ok(&bed.reports(3));
        bed.flush();
        all_ok(&bed.reports(1));
        let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
        let sizes: Vec<_> = read
            .iter()
            .map(|r| r.value.as_ref().map_or(0, Vec::len))
            .collect();
        assert_eq!(
            sizes,
            [15_000, 2_000, 15_000, 15_000, 15_000, 40_000, 15_000]
        );
    }
}
