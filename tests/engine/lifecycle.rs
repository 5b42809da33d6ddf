//! Flush, purge, close and drop.

use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use kprod::completion::{Persistence, Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::mock::{BrokerState, Fault, MockServer};
use kprod::producer::{Callbacks, Producer, Purge, Record, Timeout, TopicRef};
use kprod::protocol::ApiKey;

use crate::support::{Bed, LONG, cluster, ok, producer, record, until};

const HOUR: Duration = Duration::from_secs(3600);

fn bed(settings: &[(&str, &str)]) -> Bed {
    let bed = Bed::new(1, settings);
    bed.mock().create_topic("t", 2);
    bed.producer
        .partitions_for(TopicRef::Name("t"), Timeout::After(LONG))
        .unwrap();
    bed
}

/// One record in flight whose answer does not come, two behind it, one parked.
fn stuck(bed: &Bed) {
    bed.mock()
        .inject(Fault::on(ApiKey::Produce).delay(HOUR).forever());
    bed.send("t", 0);
    until("the first is in flight", || {
        !bed.mock().requests(ApiKey::Produce).is_empty()
    });
    bed.send("t", 1);
    bed.send("t", 2);
    bed.mock()
        .inject(Fault::on(ApiKey::Metadata).delay(HOUR).forever());
    bed.producer.try_send(&record("unknown", b"v", 3)).unwrap();
}

#[test]
fn purge_queued_drops_what_was_not_sent() {
    let bed = bed(&[]);
    stuck(&bed);
    let what = Purge {
        queued: true,
        in_flight: false,
    };
    bed.producer.purge(what).unwrap();
    let mut reports = bed.reports(3);
    reports.sort_by_key(|report| report.tag);
    for (report, tag) in reports.iter().zip(1..) {
        assert_eq!((report.tag, report.error), (tag, ErrorCode::PURGED_QUEUED));
        assert_eq!(report.persistence(), Persistence::Not);
    }
    bed.mock().clear_faults();
    bed.mock().disconnect(1);
    let first = bed.report();
    ok(&first);
    assert_eq!(first.tag, 0);
    bed.send("t", 9);
    ok(&bed.report());
    assert_eq!(bed.log("t").last(), Some(&9));
    bed.settle();
}

#[test]
fn purge_in_flight_drops_what_may_have_been_written() {
    let bed = bed(&[]);
    stuck(&bed);
    let what = Purge {
        queued: false,
        in_flight: true,
    };
    bed.producer.purge(what).unwrap();
    let report = bed.report();
    assert_eq!((report.tag, report.error), (0, ErrorCode::PURGED_IN_FLIGHT));
    assert_eq!(report.persistence(), Persistence::Possibly);
    bed.mock().clear_faults();
    bed.mock().disconnect(1);
    let mut rest = bed.reports(3);
    rest.iter().for_each(ok);
    rest.retain(|report| report.partition == 0 && report.tag < 3);
    assert_eq!(rest.len(), 2);
    bed.settle();
}

#[test]
fn purge_of_all_and_of_nothing() {
    let bed = bed(&[]);
    let nothing = Purge {
        queued: false,
        in_flight: false,
    };
    assert_eq!(bed.producer.purge(nothing), Err(ErrorCode::INVALID_ARG));
    stuck(&bed);
    let all = Purge {
        queued: true,
        in_flight: true,
    };
    bed.producer.purge(all).unwrap();
    assert_eq!(bed.producer.metrics().reports_queued, 4);
    bed.flush();
    bed.reports(4);
    bed.producer.purge(all).unwrap();
    let none = bed.producer.poll(1, Timeout::Now, |_| {});
    assert_eq!(none, Ok(0));
}

#[test]
fn flush_does_not_fail_for_failed_records_and_not_wait_for_later_ones() {
    let bed = bed(&[]);
    bed.mock()
        .inject(Fault::on(ApiKey::Produce).error(ErrorCode::INVALID_RECORD));
    bed.send("t", 0);
    bed.flush();
    assert_eq!(bed.report().error, ErrorCode::INVALID_RECORD);
    bed.flush();
    bed.producer.flush(Timeout::Now).unwrap();
}

#[test]
fn flush_times_out_and_everything_stays_as_it_was() {
    let bed = bed(&[]);
    stuck(&bed);
    let began = Instant::now();
    let late = bed
        .producer
        .flush(Timeout::After(Duration::from_millis(100)))
        .unwrap_err();
    assert_eq!(late.code, ErrorCode::TIMED_OUT);
    assert!(began.elapsed() >= Duration::from_millis(100));
    let now = bed.producer.flush(Timeout::Now).unwrap_err();
    assert_eq!(now.code, ErrorCode::TIMED_OUT);
    bed.producer.flush_async(55).unwrap();
    bed.mock().clear_faults();
    bed.mock().disconnect(1);
    let reports = bed.reports(5);
    assert_eq!(reports[4].kind, ReportKind::Operation, "{reports:?}");
    assert_eq!((reports[4].tag, reports[4].error), (55, ErrorCode::OK));
    reports[..4].iter().for_each(ok);
}

#[test]
fn close_now_reports_everything() {
    let bed = bed(&[]);
    stuck(&bed);
    bed.producer.close(Timeout::Now).unwrap();
    let mut reports = bed.reports(4);
    reports.sort_by_key(|report| report.tag);
    for report in &reports {
        assert_eq!(report.error, ErrorCode::CLOSED);
    }
    let written: Vec<_> = reports.iter().map(Report::persistence).collect();
    assert_eq!(written[0], Persistence::Possibly);
    assert_eq!(written[1..], [Persistence::Not; 3]);
    let end = bed.producer.poll(1, Timeout::After(LONG), |_| {});
    assert_eq!(end, Err(ErrorCode::CLOSED));
    assert_eq!(
        bed.producer.metrics().buffer_available,
        crate::support::MEMORY
    );
}

/// A call that is refused is told the code's text; a record that was accepted is told otherwise.
#[test]
fn what_a_close_gives_up_is_not_said_to_have_been_refused() {
    let bed = bed(&[]);
    stuck(&bed);
    bed.mock()
        .inject(Fault::on(ApiKey::Metadata).delay(HOUR).forever());
    bed.producer.try_send(&record("new", b"v", 9)).unwrap();
    bed.producer.close(Timeout::Now).unwrap();
    for report in bed.reports(5) {
        assert_eq!(report.error, ErrorCode::CLOSED);
        let said = bed.detail(&report);
        let why = "the producer was closed before the record's outcome was known";
        assert!(said.contains(why), "{said}");
        assert!(!said.contains(ErrorCode::CLOSED.text()), "{said}");
    }
}

#[test]
fn a_purge_needs_the_engine_alone_and_so_no_time_for_the_cluster() {
    let bed = bed(&[("max.block.ms", "0")]);
    stuck(&bed);
    let all = Purge {
        queued: true,
        in_flight: true,
    };
    bed.producer.purge(all).unwrap();
    assert_eq!(bed.producer.metrics().reports_queued, 4);
}

#[test]
fn close_waits_for_what_can_be_delivered() {
    let bed = bed(&[("linger.ms", "600000")]);
    for tag in 0..100 {
        bed.send("t", tag);
    }
    bed.producer.try_send(&record("new", b"v", 100)).unwrap();
    bed.close();
    bed.reports(101).iter().for_each(ok);
    assert_eq!(bed.log("t").len(), 100);
}

#[test]
fn everything_is_refused_after_close() {
    let bed = bed(&[]);
    bed.close();
    let closed = ErrorCode::CLOSED;
    let sent = record("t", b"v", 1);
    assert_eq!(bed.producer.send(&sent), Err(closed));
    assert_eq!(bed.producer.try_send(&sent), Err(closed));
    assert_eq!(bed.producer.try_send(&record("x", b"v", 1)), Err(closed));
    let wait = bed.producer.send_wait(&sent, Timeout::After(LONG));
    assert_eq!(wait.unwrap_err(), closed);
    let flush = bed.producer.flush(Timeout::After(LONG));
    assert_eq!(flush.unwrap_err().code, closed);
    let start = bed.producer.start(Timeout::After(LONG));
    assert_eq!(start.unwrap_err().code, closed);
    let known = bed
        .producer
        .partitions_for(TopicRef::Name("t"), Timeout::After(LONG));
    assert_eq!(known.unwrap_err().code, closed);
    assert_eq!(bed.producer.start_async(1), Err(closed));
    assert_eq!(bed.producer.flush_async(1), Err(closed));
    bed.close();
}

#[test]
fn an_asynchronous_close_tells_and_may_be_followed_by_another() {
    let bed = bed(&[]);
    bed.send("t", 1);
    bed.producer.close_async(42).unwrap();
    let reports = bed.reports(2);
    ok(&reports[0]);
    assert_eq!(reports[1].kind, ReportKind::Operation);
    assert_eq!((reports[1].tag, reports[1].error), (42, ErrorCode::OK));
    let began = Instant::now();
    bed.close();
    assert!(
        began.elapsed() < Duration::from_secs(4),
        "it was closed before"
    );
    let end = bed.producer.poll(1, Timeout::After(LONG), |_| {});
    assert_eq!(end, Err(ErrorCode::CLOSED));
}

/// An entry for each call that answered 0, and no 0 without one.
#[test]
fn only_the_first_close_can_be_asynchronous() {
    let bed = bed(&[]);
    bed.send("t", 1);
    bed.producer.close_async(1).unwrap();
    assert_eq!(bed.producer.close_async(2), Err(ErrorCode::CLOSED));
    bed.close();
    assert_eq!(bed.producer.close_async(3), Err(ErrorCode::CLOSED));
    let reports = bed.reports(2);
    assert_eq!(
        (reports[1].kind, reports[1].tag),
        (ReportKind::Operation, 1)
    );
    let end = bed.producer.poll(1, Timeout::After(LONG), |_| {});
    assert_eq!(end, Err(ErrorCode::CLOSED));
}

/// A producer that reports its one record to `callback`, and the cluster that it goes to.
fn reporting_to(callback: impl Fn() + Send + Sync + 'static) -> (MockServer, Producer) {
    let callbacks = Callbacks {
        delivery: Some(Arc::new(move |_: &[Report]| callback())),
        ..Callbacks::default()
    };
    let server = cluster(1);
    server.handle().create_topic("t", 1);
    let producer = producer(&server, &[], callbacks);
    producer.send(&record("t", b"v", 1)).unwrap();
    (server, producer)
}

/// A callback that takes its time holds up those who wait for it, for as long as each of them wants to wait.
#[test]
fn a_close_does_not_wait_for_another_thread_that_closes() {
    let (entered, wait_entered) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let callback = move || {
        entered.send(()).unwrap();
        gate.lock().unwrap().recv().unwrap();
    };
    let (_server, producer) = reporting_to(callback);
    wait_entered.recv_timeout(LONG).unwrap();
    std::thread::scope(|scope| {
        let patient = scope.spawn(|| producer.close(Timeout::After(LONG)));
        until("the first close has begun", || {
            let known = producer.partitions_for(TopicRef::Name("t"), Timeout::Now);
            known.is_err_and(|error| error.code == ErrorCode::CLOSED)
        });
        // Neither would come back before the callback.
        assert_eq!(producer.close_async(7), Err(ErrorCode::CLOSED));
        let late = producer.close(Timeout::Now).unwrap_err();
        assert_eq!(late.code, ErrorCode::TIMED_OUT);
        open.send(()).unwrap();
        patient.join().unwrap().unwrap();
    });
}

#[test]
fn closes_from_many_threads_all_succeed() {
    let bed = bed(&[]);
    for tag in 0..50 {
        bed.send("t", tag);
    }
    let began = Instant::now();
    std::thread::scope(|scope| {
        let closers: Vec<_> = (0..4).map(|_| scope.spawn(|| bed.close())).collect();
        for closer in closers {
            closer.join().unwrap();
        }
    });
    assert!(began.elapsed() < Duration::from_secs(4));
    bed.reports(50).iter().for_each(ok);
}

#[test]
fn a_poll_that_waits_hears_of_the_close() {
    let bed = bed(&[]);
    std::thread::scope(|scope| {
        let poller = scope.spawn(|| bed.producer.poll(1, Timeout::Configured, |_| {}));
        bed.close();
        assert_eq!(poller.join().unwrap(), Err(ErrorCode::CLOSED));
    });
}

#[test]
fn a_dropped_producer_leaves_quickly_even_with_records_and_a_dead_cluster() {
    let bed = bed(&[]);
    stuck(&bed);
    bed.mock().set_broker_state(1, BrokerState::Crashed);
    let began = Instant::now();
    drop(bed);
    assert!(began.elapsed() < Duration::from_secs(4));
}

#[test]
fn sends_that_race_with_close_are_either_refused_or_reported() {
    for _ in 0..20 {
        let bed = bed(&[]);
        let accepted: u64 = std::thread::scope(|scope| {
            let senders: Vec<_> = (0..3u64)
                .map(|thread| {
                    let producer = &bed.producer;
                    scope.spawn(move || {
                        let mut accepted = 0;
                        for tag in 0..u64::MAX {
                            let topic = ["t", "new"][tag as usize % 2];
                            let sent = Record {
                                partition: Some(thread as i32 % 2),
                                ..record(topic, b"v", tag)
                            };
                            match producer.try_send(&sent) {
                                Ok(()) => accepted += 1,
                                Err(ErrorCode::QUEUE_FULL) => {}
                                Err(_) => break,
                            }
                        }
                        accepted
                    })
                })
                .collect();
            let limit = Timeout::After(Duration::from_millis(30));
            bed.producer.close(limit).unwrap();
            senders
                .into_iter()
                .map(|sender| sender.join().unwrap())
                .sum()
        });
        let mut records = 0;
        while bed
            .producer
            .poll(1000, Timeout::After(LONG), |report| {
                records += u64::from(report.kind == ReportKind::Record);
            })
            .is_ok()
        {}
        assert_eq!(records, accepted);
    }
}

/// What waits for its repetition has been on its way, and may be in the log.
#[test]
fn purged_between_two_attempts_it_is_not_said_to_have_stayed_here() {
    for idempotent in ["false", "true"] {
        let bed = bed(&[
            ("enable.idempotence", idempotent),
            ("retry.backoff.ms", "60000"),
            ("retry.backoff.max.ms", "60000"),
            ("request.timeout.ms", "300000"),
        ]);
        let fault = Fault::on(ApiKey::Produce).error_after_work(ErrorCode::REQUEST_TIMED_OUT);
        bed.mock().inject(fault);
        bed.send("t", 1);
        until("the first attempt has failed", || {
            bed.producer.metrics().batch_retries > 0
        });
        let queued = Purge {
            queued: true,
            in_flight: false,
        };
        bed.producer.purge(queued).unwrap();
        let report = bed.report();
        assert_eq!(report.error, ErrorCode::PURGED_IN_FLIGHT);
        assert_eq!(report.persistence(), Persistence::Possibly);
    }
}

/// Two batches, of which the older has failed and waits for its repetition while the younger is on its way.
fn overtaken() -> Bed {
    let bed = bed(&[
        ("enable.idempotence", "true"),
        ("retry.backoff.ms", "60000"),
        ("retry.backoff.max.ms", "60000"),
        ("request.timeout.ms", "300000"),
    ]);
    bed.send("t", 0);
    ok(&bed.report());
    let refused = Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS);
    // Late enough for the other to be on its way by then; if it is not, it is younger all the same.
    bed.mock().inject(refused.delay(Duration::from_secs(1)));
    bed.mock()
        .inject(Fault::on(ApiKey::Produce).delay(HOUR).forever());
    let sent = |count| bed.mock().requests(ApiKey::Produce).len() == count;
    bed.send("t", 1);
    until("the first is on its way", || sent(2));
    bed.send("t", 2);
    until("the first has failed", || {
        bed.producer.metrics().batch_retries > 0
    });
    bed
}

#[test]
fn what_is_dropped_together_is_reported_in_its_order() {
    let bed = overtaken();
    let all = Purge {
        queued: true,
        in_flight: true,
    };
    bed.send("t", 3);
    bed.producer.purge(all).unwrap();
    let tags = bed.reports(3).iter().map(|report| report.tag).collect();
    let in_order: Vec<u64> = vec![1, 2, 3];
    assert_eq!((tags, bed.log("t")), (in_order.clone(), vec![0]));

    let bed = overtaken();
    bed.send("t", 3);
    bed.producer.close(Timeout::Now).unwrap();
    let tags: Vec<u64> = bed.reports(3).iter().map(|report| report.tag).collect();
    assert_eq!(tags, in_order);
}

/// Nothing of the host's is called once its producer is destroyed.
#[test]
fn a_dropped_producer_waits_for_the_callback_that_runs() {
    let (entered, wait_entered) = mpsc::channel();
    let ended = Arc::new(Mutex::new(false));
    let end = ended.clone();
    let callback = move || {
        entered.send(()).unwrap();
        // Longer than a destroy takes without it.
        std::thread::sleep(Duration::from_secs(6));
        *end.lock().unwrap() = true;
    };
    let (_server, producer) = reporting_to(callback);
    wait_entered.recv_timeout(LONG).unwrap();
    drop(producer);
    assert!(*ended.lock().unwrap());
}
