//! Batches of the user's own that wait: for the one before them, for metadata, for memory; and those who cannot wait.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use kprod::completion::{Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::mock::Fault;
use kprod::producer::{Callbacks, PartitionRequest, Record, Timeout, TopicRef, UserBatch};
use kprod::protocol::ApiKey;

use crate::batches::{HOUR, add, bed, filled, occupy, send};
use crate::support::{Bed, LONG, cluster, log, ok, producer, record, reports, until};

#[test]
fn a_second_batch_waits_until_the_first_is_drained_and_a_timeout_leaves_it_to_be_sent_again() {
    let (bed, topic) = bed(&[]);
    occupy(&bed);
    send(&bed, &filled(&bed.producer, 0..2), topic, 1);
    let second = filled(&bed.producer, 2..4);
    let limit = Duration::from_millis(50);
    for timeout in [Timeout::Now, Timeout::After(limit)] {
        let began = Instant::now();
        let sent = bed.producer.send_batch(&second, topic, 0, 2, timeout);
        assert_eq!(sent, Err(ErrorCode::TIMED_OUT));
        assert_eq!(began.elapsed() >= limit, timeout != Timeout::Now);
    }
    // It is as it was.
    add(&second, 4).unwrap();
    assert_eq!(second.record_count(), Ok(3));
    // Another partition is free.
    let other = filled(&bed.producer, 0..1);
    let sent = bed.producer.send_batch(&other, topic, 1, 3, Timeout::Now);
    assert_eq!(sent, Ok(()));
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| send(&bed, &second, topic, 2));
        bed.mock().clear_faults();
        bed.mock().disconnect(1);
        blocked.join().unwrap();
    });
    bed.flush();
    let mut tags: Vec<u64> = bed.reports(4).iter().map(|report| report.tag).collect();
    tags.retain(|tag| *tag != 3);
    assert_eq!(tags, [1_000_000, 1, 2]);
    let mut log = bed.log("t");
    log.dedup();
    assert_eq!(log, [1_000_000, 0, 1, 2, 3, 4]);
    bed.settle();
}

#[test]
fn a_batch_that_timed_out_is_never_sent_by_itself() {
    let (bed, topic) = bed(&[]);
    occupy(&bed);
    send(&bed, &filled(&bed.producer, 0..1), topic, 1);
    let second = filled(&bed.producer, 100..102);
    let soon = Timeout::After(Duration::from_millis(5));
    let sent = bed.producer.send_batch(&second, topic, 0, 2, soon);
    assert_eq!(sent, Err(ErrorCode::TIMED_OUT));
    bed.mock().clear_faults();
    bed.mock().disconnect(1);
    bed.flush();
    bed.reports(2).iter().for_each(ok);
    send(&bed, &filled(&bed.producer, 5..6), topic, 3);
    ok(&bed.report());
    assert!(!bed.log("t").contains(&100));
    assert_eq!(second.record_count(), Ok(2));
}

#[test]
fn a_try_is_refused_while_one_is_queued_and_told_when_it_may_be_tried_again() {
    let (bed, topic) = bed(&[]);
    occupy(&bed);
    send(&bed, &filled(&bed.producer, 0..1), topic, 1);
    let second = filled(&bed.producer, 1..2);
    for _ in 0..3 {
        let tried = bed.producer.try_send_batch(&second, topic, 0, 2);
        assert_eq!(tried, Err(ErrorCode::QUEUE_FULL));
    }
    assert_eq!(bed.producer.metrics().reports_queued, 0);
    bed.mock().clear_faults();
    bed.mock().disconnect(1);
    let told = bed.reports(3);
    let writable: Vec<&Report> = told
        .iter()
        .filter(|report| report.kind == ReportKind::Writable)
        .collect();
    assert_eq!(writable.len(), 1, "{told:?}");
    let tried = bed.producer.try_send_batch(&second, topic, 0, 2);
    assert_eq!(tried, Ok(()));
    bed.flush();
    let report = bed.report();
    ok(&report);
    assert_eq!((report.kind, report.tag), (ReportKind::Batch, 2));
    assert_eq!(bed.producer.metrics().reports_queued, 0);
}

#[test]
fn a_batch_that_lingers_goes_when_another_waits_for_it() {
    for manner in ["blocking", "async", "try"] {
        let (bed, topic) = bed(&[("linger.ms", "600000")]);
        send(&bed, &filled(&bed.producer, 0..2), topic, 1);
        let second = filled(&bed.producer, 2..4);
        match manner {
            "blocking" => send(&bed, &second, topic, 2),
            "async" => {
                let sent = bed.producer.send_batch_async(&second, topic, 0, 2, 3);
                assert_eq!(sent, Ok(()));
            }
            _ => {
                let tried = bed.producer.try_send_batch(&second, topic, 0, 2);
                assert_eq!(tried, Err(ErrorCode::QUEUE_FULL));
                let told = bed.report();
                assert_eq!(told.kind, ReportKind::Writable);
            }
        }
        while bed.report().kind != ReportKind::Batch {}
    }
}

#[test]
fn async_sends_are_accepted_in_order_and_answered_before_their_reports() {
    let (bed, topic) = bed(&[]);
    let batches: Vec<UserBatch> = (0..20)
        .map(|n| filled(&bed.producer, 3 * n..3 * n + 3))
        .collect();
    for (n, batch) in batches.iter().enumerate() {
        let tag = n as u64;
        let sent = bed
            .producer
            .send_batch_async(batch, topic, 0, tag, 100 + tag);
        assert_eq!(sent, Ok(()));
        let again = bed.producer.send_batch_async(batch, topic, 0, 1, 1);
        assert_eq!(again, Err(ErrorCode::ILLEGAL_STATE));
    }
    let told = bed.reports(40);
    told.iter().for_each(ok);
    let of = |kind| {
        let told = told.iter().filter(move |report| report.kind == kind);
        told.map(|report| report.tag).collect::<Vec<_>>()
    };
    assert_eq!(of(ReportKind::Operation), (100..120).collect::<Vec<_>>());
    assert_eq!(of(ReportKind::Batch), (0..20).collect::<Vec<_>>());
    for n in 0..20 {
        let place = |kind, tag| told.iter().position(|r| (r.kind, r.tag) == (kind, tag));
        assert!(place(ReportKind::Operation, 100 + n) < place(ReportKind::Batch, n));
    }
    assert_eq!(bed.log("t"), (0..60).collect::<Vec<_>>());
    bed.settle();
    // So is an empty one.
    let empty = bed.producer.create_batch().unwrap();
    let sent = bed.producer.send_batch_async(&empty, topic, 0, 1, 2);
    assert_eq!(sent, Ok(()));
    let kinds: Vec<_> = bed.reports(2).iter().map(|r| r.kind).collect();
    assert_eq!(kinds, [ReportKind::Operation, ReportKind::Batch]);
}

#[test]
fn freeing_a_batch_cancels_its_async_send() {
    let (bed, topic) = bed(&[]);
    occupy(&bed);
    send(&bed, &filled(&bed.producer, 0..1), topic, 1);
    let first = filled(&bed.producer, 100..101);
    let second = filled(&bed.producer, 1..2);
    let third = filled(&bed.producer, 200..201);
    let sends = [(&first, 2), (&second, 3), (&third, 4)];
    for (batch, tag) in sends {
        let sent = bed
            .producer
            .send_batch_async(batch, topic, 0, tag, 10 + tag);
        assert_eq!(sent, Ok(()));
    }
    drop((first, third));
    let mut told = bed.reports(2);
    told.sort_by_key(|report| report.tag);
    let answers: Vec<_> = told.iter().map(|r| (r.kind, r.tag, r.error)).collect();
    let purged = ErrorCode::PURGED_QUEUED;
    let expected = [
        (ReportKind::Operation, 12, purged),
        (ReportKind::Operation, 14, purged),
    ];
    assert_eq!(answers, expected);
    bed.mock().clear_faults();
    bed.mock().disconnect(1);
    bed.reports(4).iter().for_each(ok);
    let mut log = bed.log("t");
    log.dedup();
    assert_eq!(log, [1_000_000, 0, 1]);
}

#[test]
fn an_async_send_that_is_not_accepted_in_time_gives_the_batch_back() {
    let (bed, topic) = bed(&[("max.block.ms", "100")]);
    occupy(&bed);
    send(&bed, &filled(&bed.producer, 0..1), topic, 1);
    let late = filled(&bed.producer, 1..2);
    let sent = bed.producer.send_batch_async(&late, topic, 0, 2, 3);
    assert_eq!(sent, Ok(()));
    assert_eq!(add(&late, 2), Err(ErrorCode::ILLEGAL_STATE));
    let answer = bed.report();
    assert_eq!((answer.kind, answer.tag), (ReportKind::Operation, 3));
    assert_eq!(answer.error, ErrorCode::TIMED_OUT);
    add(&late, 2).unwrap();
    bed.mock().clear_faults();
    bed.mock().disconnect(1);
    send(&bed, &late, topic, 4);
    bed.reports(3).iter().for_each(ok);
}

#[test]
fn a_topic_that_is_not_known_is_waited_for_and_tries_are_parked_in_order() {
    let bed = Bed::new(1, &[("retry.backoff.ms", "10")]);
    bed.mock().create_topic("t", 2);
    let held = Fault::on(ApiKey::Metadata).error(ErrorCode::LEADER_NOT_AVAILABLE);
    bed.mock().inject(held.forever());
    let topic = bed.producer.topic("t").unwrap();
    let value = |tag: u64| tag.to_be_bytes();
    let try_send = |tag| {
        let value = value(tag);
        let sent = Record {
            partition: Some(0),
            ..record("t", &value, tag)
        };
        assert_eq!(bed.producer.try_send(&sent), Ok(()));
    };
    let try_batch = |tags: std::ops::Range<u64>, tag| {
        let batch = filled(&bed.producer, tags);
        let sent = bed.producer.try_send_batch(&batch, topic, 0, tag);
        assert_eq!(sent, Ok(()));
    };
    try_send(0);
    try_batch(1..4, 100);
    try_send(4);
    try_batch(5..7, 101);
    try_batch(7..8, 102);
    try_send(8);
    let beyond = filled(&bed.producer, 0..1);
    let sent = bed.producer.try_send_batch(&beyond, topic, 9, 103);
    assert_eq!(sent, Ok(()));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let batch = filled(&bed.producer, 20..22);
            bed.producer
                .send_batch(&batch, topic, 1, 104, Timeout::After(LONG))
        });
        bed.mock().clear_faults();
        assert_eq!(waits.join().unwrap(), Ok(()));
    });
    bed.flush();
    let reports = bed.reports(8);
    let tags: Vec<u64> = reports
        .iter()
        .filter(|report| report.partition == 0)
        .map(|report| report.tag)
        .collect();
    assert_eq!(tags, [0, 100, 4, 101, 102, 8]);
    let failed = reports.iter().find(|report| report.tag == 103).unwrap();
    assert_eq!(failed.error, ErrorCode::UNKNOWN_PARTITION);
    assert_eq!((failed.kind, failed.count), (ReportKind::Batch, 1));
    assert_eq!(bed.log("t"), (0..9).collect::<Vec<_>>());
    assert_eq!(log(bed.mock(), "t", 1), [20, 21]);
    bed.settle();
}

#[test]
fn a_topic_that_there_is_not_is_refused_with_the_clusters_word() {
    let bed = Bed::new(1, &[("allow.auto.create.topics", "false")]);
    let topic = bed.producer.topic("missing").unwrap();
    let batch = filled(&bed.producer, 0..3);
    let soon = Timeout::After(Duration::from_millis(300));
    let sent = bed.producer.send_batch(&batch, topic, 0, 1, soon);
    let allowed = [
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        // The thread's own clock was first.
        ErrorCode::TIMED_OUT,
    ];
    assert!(allowed.contains(&sent.unwrap_err()), "{sent:?}");
    assert_eq!(batch.record_count(), Ok(3));
    bed.settle();
}

#[test]
fn a_topic_that_is_forbidden_is_refused_at_once() {
    let (bed, topic) = bed(&[]);
    let denied = Fault::on(ApiKey::Metadata).error(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    bed.mock().inject(denied.forever());
    let batch = filled(&bed.producer, 0..3);
    let sent = bed
        .producer
        .send_batch(&batch, topic, 0, 1, Timeout::After(LONG));
    assert_eq!(sent, Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    bed.mock().clear_faults();
    send(&bed, &batch, topic, 1);
    ok(&bed.report());
}

#[test]
fn it_waits_for_records_that_a_user_s_partitioner_is_asked_about_and_no_longer() {
    let server = cluster(1);
    server.handle().create_topic("t", 1);
    let held = Fault::on(ApiKey::Metadata).error(ErrorCode::LEADER_NOT_AVAILABLE);
    server.handle().inject(held.forever());
    let (let_go, go) = mpsc::channel::<()>();
    let go = Mutex::new(go);
    let callbacks = Callbacks {
        partitioner: Some(Arc::new(move |_: &PartitionRequest<'_>| {
            go.lock().unwrap().recv().unwrap();
            0
        })),
        ..Callbacks::default()
    };
    let producer = producer(&server, &[("retry.backoff.ms", "5")], callbacks);
    let topic = producer.topic("t").unwrap();
    producer.try_send(&record("t", b"parked..", 1)).unwrap();
    let batch = filled(&producer, 0..2);
    let sent = producer.send_batch_async(&batch, topic, 0, 2, 3);
    assert_eq!(sent, Ok(()));
    server.handle().clear_faults();
    let_go.send(()).unwrap();
    let told = reports(&producer, 3);
    told.iter().for_each(ok);
    assert_eq!(server.handle().records("t", 0).len(), 3);
}

#[test]
fn its_bytes_count_in_the_memory_from_its_acceptance_on() {
    const TOTAL: u64 = 64 << 10;
    let settings = [("buffer.memory", "65536"), ("batch.size", "60000")];
    let (bed, topic) = bed(&settings);
    let free = || bed.producer.metrics().buffer_available;
    let fill = || {
        let batch = bed.producer.create_batch().unwrap();
        while batch.append(&record("", &[1; 500], 0)).is_ok() {}
        batch
    };
    let (first, second, third) = (fill(), fill(), fill());
    assert_eq!(free(), TOTAL);
    // However large batch.size is, what is accepted fits into the budget.
    assert!(first.size().unwrap() > 30_000, "{:?}", first.size());
    bed.producer
        .partitions_for(TopicRef::Handle(topic), Timeout::After(LONG))
        .unwrap();
    bed.mock()
        .inject(Fault::on(ApiKey::Produce).delay(HOUR).forever());
    send(&bed, &first, topic, 1);
    let taken = TOTAL - free();
    assert!(taken as usize >= first.size().unwrap(), "{taken}");
    let tried = bed.producer.try_send_batch(&second, topic, 1, 2);
    assert_eq!(tried, Err(ErrorCode::QUEUE_FULL));
    let soon = Timeout::After(Duration::from_millis(20));
    let waited = bed.producer.send_batch(&second, topic, 1, 2, soon);
    assert_eq!(waited, Err(ErrorCode::TIMED_OUT));
    let sent = bed.producer.send_batch_async(&third, topic, 2, 3, 4);
    assert_eq!(sent, Ok(()));
    let limit = Timeout::After(LONG);
    std::thread::scope(|scope| {
        let blocked = scope.spawn(|| bed.producer.send_batch(&second, topic, 1, 2, limit));
        bed.mock().clear_faults();
        bed.mock().disconnect(1);
        assert_eq!(blocked.join().unwrap(), Ok(()));
    });
    let told = bed.reports(5);
    told.iter().for_each(ok);
    let batches = told.iter().filter(|r| r.kind == ReportKind::Batch).count();
    assert_eq!(batches, 3);
    until("all of it comes back", || free() == TOTAL);
}
