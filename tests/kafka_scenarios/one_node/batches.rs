//! Scenarios 11, 12 and the first half of 13: batches that the user has filled.

use kprod::completion::{Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::producer::{Timeout, UserBatch};

use crate::bed::{Bed, LONG, ok, record, record_at, text};
use crate::pool::{Kind, shared};
use crate::support::consumer::Isolation;

fn send(bed: &Bed, batch: &UserBatch, topic: &str, tag: u64) {
    let handle = bed.producer.topic(topic).unwrap();
    let sent = bed
        .producer
        .send_batch(batch, handle, 0, tag, Timeout::After(LONG));
    assert_eq!(sent, Ok(()));
}

/// The next report, which is of a batch.
fn batch_report(bed: &Bed) -> Report {
    let mut seen = Vec::new();
    bed.producer
        .poll(1, Timeout::After(LONG), |report| seen.push(*report))
        .unwrap();
    assert_eq!(seen[0].kind, ReportKind::Batch);
    seen[0]
}

#[test]
fn scenario_11_a_batch_filled_until_full_stands_in_the_log_as_it_is() {
    let cluster = shared(Kind::OneNode);
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let topic = &format!("scenario-11-{codec}");
        cluster.create_topic(topic, 1, &[]);
        let bed = Bed::new(&cluster.bootstrap(), &[("compression.type", codec)]);
        bed.send(&record(topic, b"before", 1));
        bed.reports(1).iter().for_each(ok);
        let batch = bed.producer.create_batch().unwrap();
        let mut sent = Vec::new();
        loop {
            let value = format!("value {}", sent.len());
            match batch.append(&record("", value.as_bytes(), 0)) {
                Ok(added) => assert_eq!(added.offset, sent.len() as i64),
                Err(ErrorCode::BATCH_FULL) => break,
                Err(other) => panic!("{other}"),
            }
            sent.push(value);
        }
        send(&bed, &batch, topic, 2);
        let report = batch_report(&bed);
        ok(&report);
        assert_eq!((report.tag, report.offset), (2, 1));
        assert_eq!(report.count as usize, sent.len());
        let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
        let values = read.iter().filter_map(|r| r.value.as_deref());
        let expected: Vec<&[u8]> = std::iter::once(&b"before"[..])
            .chain(sent.iter().map(String::as_bytes))
            .collect();
        assert!(values.eq(expected), "{codec}");
        let counts: Vec<_> = cluster
            .batches(1, topic, 0)
            .iter()
            .map(|b| b.count)
            .collect();
        assert_eq!(counts, [1, report.count as i32], "{codec}");
        bed.assert_at_rest();
    }
}

#[test]
fn scenario_11_a_batch_left_open_is_added_to_by_sends_and_a_closed_one_is_not() {
    let cluster = shared(Kind::OneNode);
    for (closed, expected) in [(false, vec![4]), (true, vec![2, 2])] {
        let topic = &format!("scenario-11-closed-{closed}");
        cluster.create_topic(topic, 1, &[]);
        let settings = [("linger.ms", "3600000"), ("request.timeout.ms", "3600000")];
        let bed = Bed::new(&cluster.bootstrap(), &settings);
        let batch = bed.producer.create_batch().unwrap();
        for value in [b"0", b"1"] {
            batch.append(&record("", value, 0)).unwrap();
        }
        if closed {
            batch.close().unwrap();
        }
        send(&bed, &batch, topic, 7);
        bed.send(&record_at(topic, 0, b"2", 2));
        bed.send(&record_at(topic, 0, b"3", 3));
        bed.flush();
        let report = batch_report(&bed);
        ok(&report);
        assert_eq!((report.tag, report.offset, report.count), (7, 0, 2));
        let own = bed.reports(2);
        own.iter().for_each(ok);
        let told: Vec<_> = own.iter().map(|r| (r.tag, r.offset)).collect();
        assert_eq!(told, [(2, 2), (3, 3)]);
        let batches = cluster.batches(1, topic, 0);
        let counts: Vec<_> = batches.iter().map(|b| b.count).collect();
        assert_eq!(counts, expected);
    }
}

#[test]
fn scenario_11_batches_to_a_partition_go_one_behind_the_other() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-11-many";
    cluster.create_topic(topic, 1, &[]);
    let bed = Bed::new(&cluster.bootstrap(), &[]);
    for tag in 0..50u64 {
        let batch = bed.producer.create_batch().unwrap();
        for n in 0..10 {
            let value = (tag * 10 + n).to_string();
            batch.append(&record("", value.as_bytes(), 0)).unwrap();
        }
        send(&bed, &batch, topic, tag);
    }
    for tag in 0..50 {
        let report = batch_report(&bed);
        ok(&report);
        assert_eq!((report.tag, report.offset), (tag, tag as i64 * 10));
    }
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    let values = read.iter().map(|r| r.value.clone().unwrap_or_default());
    assert!(values.eq((0..500).map(|n| n.to_string().into_bytes())));
}

#[test]
fn scenario_12_an_empty_batch_succeeds_and_leaves_nothing_in_the_log() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-12";
    cluster.create_topic(topic, 1, &[]);
    let bed = Bed::new(&cluster.bootstrap(), &[]);
    send(&bed, &bed.producer.create_batch().unwrap(), topic, 5);
    let report = batch_report(&bed);
    ok(&report);
    assert_eq!((report.tag, report.count, report.offset), (5, 0, -1));
    assert_eq!(bed.producer.metrics().produce_requests, 0);
    bed.send(&record(topic, b"first", 6));
    assert_eq!(bed.reports(1)[0].offset, 0);
}

#[test]
fn scenario_13_the_first_record_of_a_batch_may_be_larger_than_a_batch() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-13-batch";
    cluster.create_topic(topic, 1, &[]);
    let bed = Bed::new(&cluster.bootstrap(), &[("batch.size", "1000")]);
    let batch = bed.producer.create_batch().unwrap();
    let large = text(50_000);
    batch.append(&record("", &large, 0)).unwrap();
    let second = batch.append(&record("", b"v", 0));
    assert_eq!(second, Err(ErrorCode::BATCH_FULL));
    send(&bed, &batch, topic, 1);
    ok(&batch_report(&bed));
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].value.as_deref(), Some(&large[..]));
}
