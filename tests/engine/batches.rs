//! Batches of the user's own: how they are filled, accepted one at a time, and added to by sends.

use std::time::Duration;

use kprod::completion::{Persistence, Report, ReportKind, TimestampType};
use kprod::error::ErrorCode;
use kprod::mock::Fault;
use kprod::producer::{
    Callbacks, Header, Producer, Record, RecordCallback, Timeout, TopicRef, UserBatch,
};
use kprod::protocol::ApiKey;

use crate::support::{Bed, LONG, log, ok, producer, record, until};

pub const HOUR: Duration = Duration::from_secs(3600);

pub fn bed(settings: &[(&str, &str)]) -> (Bed, u32) {
    let bed = Bed::new(1, settings);
    bed.mock().create_topic("t", 3);
    let topic = bed.producer.topic("t").unwrap();
    (bed, topic)
}

/// Adds a record whose value is its tag.
pub fn add(batch: &UserBatch, tag: u64) -> Result<usize, ErrorCode> {
    let value = tag.to_be_bytes();
    let added = batch.append(&record("", &value, 0))?;
    Ok(added.size)
}

pub fn filled(producer: &Producer, tags: std::ops::Range<u64>) -> UserBatch {
    let batch = producer.create_batch().unwrap();
    for tag in tags {
        add(&batch, tag).unwrap();
    }
    batch
}

pub fn send(bed: &Bed, batch: &UserBatch, topic: u32, tag: u64) {
    let sent = bed
        .producer
        .send_batch(batch, topic, 0, tag, Timeout::After(LONG));
    assert_eq!(sent, Ok(()));
}

/// Nothing is answered any more, and a record is on its way to partition 0.
pub fn occupy(bed: &Bed) {
    bed.producer
        .partitions_for(TopicRef::Name("t"), Timeout::After(LONG))
        .unwrap();
    bed.mock()
        .inject(Fault::on(ApiKey::Produce).delay(HOUR).forever());
    bed.send("t", 1_000_000);
    until("it is on its way", || {
        !bed.mock().requests(ApiKey::Produce).is_empty()
    });
}

#[test]
fn it_is_filled_until_full_and_its_offset_is_that_of_its_first_record() {
    let (bed, topic) = bed(&[("batch.size", "1000")]);
    bed.send("t", 7);
    bed.report();
    let batch = bed.producer.create_batch().unwrap();
    assert_eq!((batch.size(), batch.record_count()), (Ok(61), Ok(0)));
    let mut size = 61;
    let mut count = 0;
    loop {
        let value = [count as u8; 8];
        let timestamp = 1_000_000 + count;
        let sent = Record {
            timestamp: Some(timestamp),
            ..record("", &value, 0)
        };
        match batch.append(&sent) {
            Ok(added) => {
                size += added.size;
                assert_eq!((added.offset, added.timestamp), (count, timestamp));
                assert_eq!(batch.size(), Ok(size));
                count += 1;
            }
            Err(ErrorCode::BATCH_FULL) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(size <= 1000 && size > 950, "{size}");
    assert_eq!(add(&batch, 0), Err(ErrorCode::ILLEGAL_STATE));
    assert_eq!(batch.record_count(), Ok(count as usize));
    send(&bed, &batch, topic, 42);
    let report = bed.report();
    ok(&report);
    assert_eq!((report.kind, report.tag), (ReportKind::Batch, 42));
    assert_eq!((report.topic, report.partition), (topic, 0));
    assert_eq!((report.offset, report.count), (1, count as u32));
    assert_eq!(report.timestamp, 1_000_000);
    assert_eq!(report.timestamp_type, TimestampType::CreateTime);
    assert_eq!(report.persistence(), Persistence::Persisted);
    let stored = bed.mock().records("t", 0);
    assert_eq!(stored.len() as i64, 1 + count);
    assert_eq!(stored[1].timestamp, 1_000_000);
    // Inert, and yet it tells what it was.
    assert_eq!(batch.record_count(), Ok(count as usize));
    assert_eq!(batch.size(), Ok(size));
    assert_eq!(batch.close(), Ok(()));
    let again = bed
        .producer
        .send_batch(&batch, topic, 0, 1, Timeout::Configured);
    assert_eq!(again, Err(ErrorCode::ILLEGAL_STATE));
    bed.settle();
}

#[test]
fn the_first_record_is_taken_above_batch_size_and_refused_above_max_request_size() {
    let settings = [("batch.size", "100"), ("max.request.size", "5000")];
    let (bed, topic) = bed(&settings);
    let batch = bed.producer.create_batch().unwrap();
    let refused = batch.append(&record("", &[1; 5000], 0));
    assert_eq!(refused, Err(ErrorCode::RECORD_TOO_LARGE));
    assert_eq!(batch.size(), Ok(61));
    batch.append(&record("", &[1; 4000], 0)).unwrap();
    assert_eq!(add(&batch, 1), Err(ErrorCode::BATCH_FULL));
    send(&bed, &batch, topic, 1);
    ok(&bed.report());
    assert_eq!(bed.mock().records("t", 0).len(), 1);
}

#[test]
fn keys_headers_and_nulls_arrive_with_every_codec() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let (bed, topic) = bed(&[("compression.type", codec)]);
        let batch = bed.producer.create_batch().unwrap();
        let headers = [Header {
            key: b"h",
            value: None,
        }];
        let value = [7u8; 500];
        for n in 0..20 {
            let sent = Record {
                key: (n % 2 == 0).then_some(b"key"),
                value: (n % 3 != 0).then_some(&value),
                headers: &headers,
                ..record("", b"", 0)
            };
            batch.append(&sent).unwrap();
        }
        batch.close().unwrap();
        send(&bed, &batch, topic, 1);
        ok(&bed.report());
        let stored = bed.mock().records("t", 0);
        assert_eq!(stored.len(), 20, "{codec}");
        for (n, stored) in stored.iter().enumerate() {
            assert_eq!(stored.key.is_some(), n % 2 == 0);
            assert_eq!(stored.value.is_some(), n % 3 != 0);
            assert_eq!(stored.headers.len(), 1);
        }
        bed.settle();
    }
}

#[test]
fn an_open_batch_is_added_to_by_sends_and_a_closed_one_is_not() {
    for closed in [false, true] {
        let (bed, topic) = bed(&[("linger.ms", "600000")]);
        bed.send("t", 0);
        let batch = filled(&bed.producer, 1..4);
        if closed {
            batch.close().unwrap();
        }
        send(&bed, &batch, topic, 42);
        bed.send("t", 4);
        bed.send("t", 5);
        bed.flush();
        let reports = bed.reports(4);
        reports.iter().for_each(ok);
        let told: Vec<_> = reports.iter().map(|r| (r.kind, r.tag, r.offset)).collect();
        let expected = [
            (ReportKind::Record, 0, 0),
            (ReportKind::Batch, 42, 1),
            (ReportKind::Record, 4, 4),
            (ReportKind::Record, 5, 5),
        ];
        assert_eq!(told, expected);
        assert_eq!(reports[1].count, 3);
        assert_eq!(bed.log("t"), (0..6).collect::<Vec<_>>());
        let sent = bed.producer.metrics().batches_sent;
        assert_eq!(sent, if closed { 3 } else { 2 });
        bed.settle();
    }
}

#[test]
fn an_empty_batch_succeeds_without_a_request_and_nothing_waits_for_it() {
    let (bed, topic) = bed(&[]);
    occupy(&bed);
    send(&bed, &filled(&bed.producer, 0..1), topic, 1);
    let unknown = bed.producer.topic("unknown").unwrap();
    for (place, tag) in [(topic, 2), (unknown, 3)] {
        let empty = bed.producer.create_batch().unwrap();
        let sent = bed.producer.try_send_batch(&empty, place, 0, tag);
        assert_eq!(sent, Ok(()));
        let report = bed.report();
        ok(&report);
        assert_eq!((report.kind, report.tag), (ReportKind::Batch, tag));
        assert_eq!((report.topic, report.partition), (place, 0));
        assert_eq!((report.count, report.offset), (0, -1));
        let again = bed.producer.try_send_batch(&empty, place, 0, tag);
        assert_eq!(again, Err(ErrorCode::ILLEGAL_STATE));
    }
    assert_eq!(bed.mock().requests(ApiKey::Produce).len(), 1);
}

#[test]
fn arguments_that_are_wrong_change_nothing() {
    let (bed, topic) = bed(&[]);
    let other = producer(&bed.server, &[], Callbacks::default());
    let batch = filled(&bed.producer, 0..2);
    let foreign = other.topic("t").unwrap();
    let now = Timeout::After(LONG);
    let wrong = [
        other.send_batch(&batch, foreign, 0, 1, now),
        other.try_send_batch(&batch, foreign, 0, 1),
        other.send_batch_async(&batch, foreign, 0, 1, 1),
        bed.producer.send_batch(&batch, topic, -1, 1, now),
    ];
    assert_eq!(wrong, [Err(ErrorCode::INVALID_ARG); 4]);
    let beyond = bed.producer.send_batch(&batch, topic, 3, 1, now);
    assert_eq!(beyond, Err(ErrorCode::UNKNOWN_PARTITION));
    let unknown = bed.producer.send_batch(&batch, 99, 0, 1, now);
    assert_eq!(unknown, Err(ErrorCode::UNKNOWN_TOPIC_HANDLE));
    let negative = Record {
        timestamp: Some(-5),
        ..record("", b"v", 0)
    };
    let refused = batch.append(&negative);
    assert_eq!(refused, Err(ErrorCode::INVALID_TIMESTAMP_ARG));
    assert_eq!(batch.record_count(), Ok(2));
    send(&bed, &batch, topic, 1);
    ok(&bed.report());
}

#[test]
fn batches_are_filled_and_sent_by_many_threads_at_once() {
    let (bed, topic) = bed(&[]);
    std::thread::scope(|scope| {
        for thread in 0..6u64 {
            let bed = &bed;
            scope.spawn(move || {
                for n in 0..20 {
                    let first = thread * 1000 + n * 10;
                    let batch = filled(&bed.producer, first..first + 10);
                    let partition = (thread % 3) as i32;
                    let sent = bed.producer.send_batch(
                        &batch,
                        topic,
                        partition,
                        first,
                        Timeout::After(LONG),
                    );
                    assert_eq!(sent, Ok(()));
                }
            });
        }
    });
    bed.flush();
    for report in bed.reports(120) {
        ok(&report);
        assert_eq!(report.count, 10);
        let log = log(bed.mock(), "t", report.partition);
        let at = report.offset as usize;
        let expected: Vec<u64> = (report.tag..report.tag + 10).collect();
        assert_eq!(&log[at..at + 10], expected);
    }
    bed.settle();
}

static CALLED: std::sync::Mutex<Vec<(u64, Report)>> = std::sync::Mutex::new(Vec::new());

#[test]
fn a_batch_s_own_callback_is_called_instead_of_the_sink() {
    fn note(context: u64, _: usize, report: &Report) {
        CALLED.lock().unwrap().push((context, *report));
    }
    let (bed, topic) = bed(&[]);
    for (context, tags) in [(1, 0..4), (2, 4..4), (3, 4..5)] {
        let batch = filled(&bed.producer, tags);
        let callback = RecordCallback {
            function: note,
            user: 0,
            context,
        };
        let sent =
            bed.producer
                .send_batch_with_callback(&batch, topic, 0, Timeout::After(LONG), callback);
        assert_eq!(sent, Ok(()));
        bed.flush();
    }
    bed.close();
    let called = CALLED.lock().unwrap();
    let told: Vec<_> = called
        .iter()
        .map(|(c, r)| (*c, r.count, r.offset))
        .collect();
    assert_eq!(told, [(1, 4, 0), (2, 0, -1), (3, 1, 4)]);
    assert!(called.iter().all(|(_, r)| r.kind == ReportKind::Batch));
    assert_eq!(bed.producer.metrics().reports_queued, 0);
}
