//! Batches of the user's own where something goes wrong or ends: retries, splits, expiry, close, panics.

use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use kprod::completion::{Persistence, Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::mock::{Fault, TopicConfig};
use kprod::producer::{Callbacks, Producer, Purge, Timeout, TopicRef, UserBatch};
use kprod::protocol::ApiKey;

use crate::batches::{add, bed, filled, occupy, send};
use crate::support::{Bed, LONG, ok, producer, record, until};

#[test]
fn refusals_are_retried_and_the_order_stays() {
    let (bed, topic) = bed(&[("retry.backoff.ms", "5")]);
    bed.send("t", 0);
    bed.report();
    let refused = Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS);
    bed.mock().inject(refused.times(3));
    send(&bed, &filled(&bed.producer, 1..4), topic, 100);
    // Drained, though not delivered: the next one may queue.
    send(&bed, &filled(&bed.producer, 4..6), topic, 101);
    bed.send("t", 6);
    bed.flush();
    let reports = bed.reports(3);
    reports.iter().for_each(ok);
    let told: Vec<_> = reports.iter().map(|r| (r.tag, r.offset)).collect();
    assert_eq!(told, [(100, 1), (101, 4), (6, 6)]);
    assert_eq!(bed.log("t"), (0..7).collect::<Vec<_>>());
}

/// A partition that takes no batch above 1,000 bytes.
fn narrow(settings: &[(&str, &str)]) -> (Bed, u32) {
    let bed = Bed::new(1, settings);
    let config = TopicConfig::new(1).max_message_bytes(1_000);
    bed.mock()
        .with(|cluster| cluster.create_topic("t", &config));
    let topic = bed.producer.topic("t").unwrap();
    (bed, topic)
}

fn value(tag: u64, length: usize) -> Vec<u8> {
    let mut value = tag.to_be_bytes().to_vec();
    value.resize(length, 7);
    value
}

fn add_long(batch: &UserBatch, tag: u64, length: usize) {
    batch.append(&record("", &value(tag, length), 0)).unwrap();
}

#[test]
fn a_batch_that_is_split_has_one_report_and_those_added_to_it_their_own() {
    let (bed, topic) = narrow(&[("linger.ms", "600000")]);
    let batch = bed.producer.create_batch().unwrap();
    for tag in 0..30 {
        add_long(&batch, tag, 200);
    }
    send(&bed, &batch, topic, 100);
    for tag in 30..35 {
        let value = value(tag, 200);
        bed.producer.send(&record("t", &value, tag)).unwrap();
    }
    bed.flush();
    assert_eq!(bed.producer.metrics().reports_queued, 6);
    let reports = bed.reports(6);
    reports.iter().for_each(ok);
    assert!(bed.producer.metrics().batch_splits > 3);
    assert_eq!(reports[0].kind, ReportKind::Batch);
    assert_eq!((reports[0].tag, reports[0].offset), (100, 0));
    assert_eq!(reports[0].count, 30);
    for (report, tag) in reports[1..].iter().zip(30..) {
        assert_eq!((report.tag, report.offset), (tag, tag as i64));
    }
    assert_eq!(bed.log("t"), (0..35).collect::<Vec<_>>());
    bed.settle();
}

#[test]
fn a_split_batch_fails_as_a_whole_when_one_record_is_too_large() {
    let (bed, topic) = narrow(&[("linger.ms", "600000")]);
    let batch = bed.producer.create_batch().unwrap();
    for tag in 0..10 {
        add_long(&batch, tag, if tag == 6 { 2_000 } else { 100 });
    }
    batch.close().unwrap();
    send(&bed, &batch, topic, 100);
    bed.flush();
    let report = bed.report();
    assert_eq!(report.error, ErrorCode::MESSAGE_TOO_LARGE);
    assert_eq!((report.kind, report.count), (ReportKind::Batch, 10));
    assert_eq!(report.offset, -1);
    // The others are there.
    assert_eq!(report.persistence(), Persistence::Possibly);
    assert!(bed.detail(&report).contains("topic t partition 0"));
    assert_eq!(bed.log("t"), [0, 1, 2, 3, 4, 5, 7, 8, 9]);
    assert_eq!(bed.producer.metrics().reports_queued, 0);
    bed.settle();
}

#[test]
fn a_purge_drops_a_queued_batch_with_one_report_and_lets_the_next_one_in() {
    let (bed, topic) = bed(&[]);
    occupy(&bed);
    send(&bed, &filled(&bed.producer, 0..3), topic, 1);
    let next = filled(&bed.producer, 3..5);
    let tried = bed.producer.try_send_batch(&next, topic, 0, 2);
    assert_eq!(tried, Err(ErrorCode::QUEUE_FULL));
    let purge = Purge {
        queued: true,
        in_flight: false,
    };
    bed.producer.purge(purge).unwrap();
    let mut told = bed.reports(2);
    told.sort_by_key(|report| report.kind as u32);
    assert_eq!(told[0].kind, ReportKind::Batch);
    assert_eq!(told[0].error, ErrorCode::PURGED_QUEUED);
    assert_eq!((told[0].tag, told[0].count), (1, 3));
    assert_eq!(told[0].persistence(), Persistence::Not);
    assert_eq!(told[1].kind, ReportKind::Writable);
    let tried = bed.producer.try_send_batch(&next, topic, 0, 2);
    assert_eq!(tried, Ok(()));
}

#[test]
fn it_expires_counted_from_its_acceptance() {
    let (bed, topic) = bed(&[("request.timeout.ms", "400")]);
    let batch = filled(&bed.producer, 0..3);
    bed.producer
        .partitions_for(TopicRef::Handle(topic), Timeout::After(LONG))
        .unwrap();
    bed.mock().with(|cluster| cluster.remove_leader("t", 0));
    bed.send("t", 50);
    // Older than the timeout when it is sent.
    assert_ne!(bed.report().error, ErrorCode::OK);
    let sent = std::time::Instant::now();
    send(&bed, &batch, topic, 1);
    let report = bed.report();
    assert!(sent.elapsed() >= Duration::from_millis(390));
    assert_eq!((report.kind, report.count), (ReportKind::Batch, 3));
    assert_ne!(report.error, ErrorCode::OK);
    assert_eq!(report.persistence(), Persistence::Not);
    bed.settle();
}

#[test]
fn a_close_gives_every_batch_one_answer_and_refuses_the_rest() {
    let (bed, topic) = bed(&[]);
    occupy(&bed);
    send(&bed, &filled(&bed.producer, 0..2), topic, 1);
    let waiting = filled(&bed.producer, 2..3);
    let sent = bed.producer.send_batch_async(&waiting, topic, 0, 2, 3);
    assert_eq!(sent, Ok(()));
    let blocked = filled(&bed.producer, 3..4);
    let limit = Timeout::After(LONG);
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| bed.producer.send_batch(&blocked, topic, 0, 4, limit));
        let soon = Timeout::After(Duration::from_millis(100));
        bed.producer.close(soon).unwrap();
        assert_eq!(blocked.join().unwrap(), Err(ErrorCode::CLOSED));
    });
    let mut told = bed.reports(3);
    told.sort_by_key(|report| report.tag);
    let told: Vec<_> = told.iter().map(|r| (r.kind, r.tag, r.error)).collect();
    let closed = ErrorCode::CLOSED;
    let expected = [
        (ReportKind::Batch, 1, closed),
        (ReportKind::Operation, 3, closed),
        (ReportKind::Record, 1_000_000, closed),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        bed.producer.send_batch(&blocked, topic, 0, 1, limit),
        Err(closed)
    );
    assert!(bed.producer.create_batch().is_err());
    assert_eq!(blocked.record_count(), Ok(1));
}

#[test]
fn a_batch_outlives_its_producer() {
    let (bed, topic) = bed(&[]);
    occupy(&bed);
    send(&bed, &filled(&bed.producer, 0..2), topic, 1);
    let waiting = filled(&bed.producer, 2..3);
    let sent = bed.producer.send_batch_async(&waiting, topic, 0, 2, 3);
    assert_eq!(sent, Ok(()));
    let unsent = filled(&bed.producer, 3..4);
    drop(bed);
    add(&unsent, 5).unwrap();
    assert_eq!(unsent.record_count(), Ok(2));
    add(&waiting, 6).unwrap();
}

#[test]
fn after_a_panic_of_the_engine_every_batch_has_its_report() {
    let (bed, topic) = bed(&[]);
    occupy(&bed);
    send(&bed, &filled(&bed.producer, 0..2), topic, 1);
    let waiting = filled(&bed.producer, 2..3);
    let sent = bed.producer.send_batch_async(&waiting, topic, 0, 2, 3);
    assert_eq!(sent, Ok(()));
    let limit = Timeout::After(LONG);
    let batch = filled(&bed.producer, 3..4);
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| bed.producer.send_batch(&batch, topic, 0, 4, limit));
        bed.producer.crash();
        assert!(blocked.join().unwrap().is_err());
    });
    let mut told = bed.reports(3);
    told.sort_by_key(|report| report.tag);
    let kinds: Vec<_> = told.iter().map(|r| (r.kind, r.tag)).collect();
    let expected = [
        (ReportKind::Batch, 1),
        (ReportKind::Operation, 3),
        (ReportKind::Record, 1_000_000),
    ];
    assert_eq!(kinds, expected);
    assert!(told.iter().all(|report| report.error != ErrorCode::OK));
    // It is the user's again.
    assert_eq!(waiting.record_count(), Ok(1));
}

#[test]
fn in_a_callback_it_does_not_wait() {
    type Answers = Arc<Mutex<Vec<Result<(), ErrorCode>>>>;
    let (bed, _) = bed(&[]);
    let answers = Answers::default();
    let into = answers.clone();
    let inner: Arc<OnceLock<Weak<Producer>>> = Arc::default();
    let cell = inner.clone();
    let batches = Arc::new(Mutex::new(Vec::new()));
    let seen: Arc<Mutex<Vec<Report>>> = Arc::default();
    let (own, kept) = (seen.clone(), batches.clone());
    let callbacks = Callbacks {
        delivery: Some(Arc::new(move |reports: &[Report]| {
            let first = own.lock().unwrap().is_empty();
            own.lock().unwrap().extend_from_slice(reports);
            let Some(producer) = cell.get().and_then(Weak::upgrade) else {
                return;
            };
            if !first {
                return;
            }
            let topic = producer.topic("t").unwrap();
            for tag in [1, 2] {
                let batch = filled(&producer, 0..2);
                let limit = Timeout::Configured;
                let sent = producer.send_batch(&batch, topic, 0, tag, limit);
                into.lock().unwrap().push(sent);
                kept.lock().unwrap().push(batch);
            }
        })),
        ..Callbacks::default()
    };
    let settings = [("linger.ms", "600000")];
    let producer = Arc::new(producer(&bed.server, &settings, callbacks));
    inner.set(Arc::downgrade(&producer)).unwrap();
    producer.send(&record("t", b"12345678", 9)).unwrap();
    producer.flush(Timeout::After(LONG)).unwrap();
    until("the callback has sent", || {
        answers.lock().unwrap().len() == 2
    });
    assert_eq!(
        *answers.lock().unwrap(),
        [Ok(()), Err(ErrorCode::QUEUE_FULL)]
    );
    producer.flush(Timeout::After(LONG)).unwrap();
    let seen = seen.lock().unwrap();
    let batch = seen.iter().filter(|r| r.kind == ReportKind::Batch);
    assert_eq!(batch.count(), 1);
}
