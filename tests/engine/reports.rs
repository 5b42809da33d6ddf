//! How reports are read: poll, interrupts, the wake fd, which ones are wanted, events.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use kprod::completion::{Persistence, ReportKind};
use kprod::error::ErrorCode;
use kprod::mock::{BrokerState, Fault};
use kprod::producer::{Callbacks, Timeout};
use kprod::protocol::ApiKey;

use crate::support::{Bed, LONG, cluster, ok, producer, record, until};

#[test]
fn an_interrupt_ends_a_poll_that_waits_or_the_next_one() {
    let bed = Bed::new(1, &[]);
    bed.producer.poll_interrupt();
    assert_eq!(bed.producer.poll(1, Timeout::Configured, |_| {}), Ok(0));
    std::thread::scope(|scope| {
        let poller = scope.spawn(|| bed.producer.poll(1, Timeout::Configured, |_| {}));
        // Whether it waits already or not, it ends.
        bed.producer.poll_interrupt();
        assert_eq!(poller.join().unwrap(), Ok(0));
    });
    // One interrupt ends one poll.
    let began = Instant::now();
    let limit = Duration::from_millis(50);
    assert_eq!(bed.producer.poll(1, Timeout::After(limit), |_| {}), Ok(0));
    assert!(began.elapsed() >= limit);
}

#[test]
fn an_interrupt_does_not_cost_a_report() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 1);
    bed.send("t", 1);
    bed.flush();
    bed.producer.poll_interrupt();
    ok(&bed.report());
}

#[test]
fn a_poll_gives_no_more_than_asked_for() {
    let bed = Bed::new(1, &[("linger.ms", "600000")]);
    bed.mock().create_topic("t", 1);
    for tag in 0..10 {
        bed.send("t", tag);
    }
    bed.flush();
    let mut tags = Vec::new();
    for expected in [3, 3, 3, 1, 0] {
        let got = bed
            .producer
            .poll(3, Timeout::Now, |report| tags.push(report.tag));
        assert_eq!(got, Ok(expected));
    }
    assert_eq!(tags, (0..10).collect::<Vec<_>>());
}

/// How many bytes wait in the pipe.
fn drain(pipe: &mut File) -> usize {
    let mut total = 0;
    let mut buffer = [0; 64];
    loop {
        match pipe.read(&mut buffer) {
            Ok(0) => panic!("the pipe was closed"),
            Ok(n) => total += n,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return total;
            }
        }
    }
}

#[test]
fn the_wake_fd_gets_one_byte_for_each_turn_from_empty_to_not_empty() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 1);
    let mut pipe = File::from(bed.producer.wake_fd().unwrap());
    assert_eq!(drain(&mut pipe), 0);
    for round in 0..3 {
        for tag in 0..5 {
            bed.send("t", round * 10 + tag);
            bed.flush();
        }
        assert_eq!(drain(&mut pipe), 1, "round {round}");
        bed.reports(5);
    }
    assert_eq!(drain(&mut pipe), 0);
}

#[test]
fn the_wake_fd_tells_of_what_is_there_already_and_of_the_end() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 1);
    bed.send("t", 1);
    bed.flush();
    let mut pipe = File::from(bed.producer.wake_fd().unwrap());
    assert_eq!(drain(&mut pipe), 1);
    bed.reports(1);
    bed.close();
    assert!(drain(&mut pipe) >= 1, "the end makes no sound");
}

#[test]
fn only_failures_are_reported_where_only_they_are_wanted() {
    let bed = Bed::new(1, &[("kprod.delivery.reports", "errors")]);
    bed.mock().create_topic("t", 1);
    bed.send("t", 1);
    bed.flush();
    bed.mock()
        .inject(Fault::on(ApiKey::Produce).error(ErrorCode::INVALID_RECORD));
    bed.send("t", 2);
    bed.flush();
    bed.send("t", 3);
    bed.flush();
    let mut tags = Vec::new();
    let _ = bed
        .producer
        .poll(10, Timeout::Now, |report| tags.push(report.tag));
    assert_eq!(tags, [2]);
    // send_wait hears of its own record all the same.
    let waited = bed
        .producer
        .send_wait(&record("t", b"12345678", 4), Timeout::After(LONG));
    ok(&waited.unwrap());
    assert_eq!(bed.producer.metrics().records_delivered, 3);
}

#[test]
fn nothing_is_reported_where_nothing_is_wanted() {
    let bed = Bed::new(1, &[("kprod.delivery.reports", "none")]);
    bed.mock().create_topic("t", 1);
    bed.mock()
        .inject(Fault::on(ApiKey::Produce).error(ErrorCode::INVALID_RECORD));
    for tag in 0..5 {
        bed.send("t", tag);
        bed.flush();
    }
    assert_eq!(bed.producer.poll(10, Timeout::Now, |_| {}), Ok(0));
    let metrics = bed.producer.metrics();
    assert_eq!((metrics.records_delivered, metrics.records_failed), (4, 1));
    // Operations are no records.
    bed.producer.flush_async(9).unwrap();
    assert_eq!(bed.report().tag, 9);
    bed.settle();
}

#[test]
fn send_wait_that_gives_up_leaves_the_report_to_the_sink() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 1);
    bed.send("t", 0);
    bed.reports(1);
    let slow = Duration::from_millis(400);
    bed.mock().inject(Fault::on(ApiKey::Produce).delay(slow));
    let limit = Timeout::After(Duration::from_millis(50));
    let early = bed.producer.send_wait(&record("t", b"12345678", 7), limit);
    assert_eq!(early.unwrap_err(), ErrorCode::STILL_PENDING);
    let report = bed.report();
    ok(&report);
    assert_eq!(report.tag, 7);
    // And without a limit the outcome is waited for, even if it is a failure.
    bed.mock()
        .inject(Fault::on(ApiKey::Produce).error(ErrorCode::INVALID_RECORD));
    let failed = bed
        .producer
        .send_wait(&record("t", b"12345678", 8), Timeout::Configured)
        .unwrap();
    assert_eq!(failed.error, ErrorCode::INVALID_RECORD);
    assert!(bed.detail(&failed).contains("topic t"));
    assert_eq!(bed.producer.poll(1, Timeout::Now, |_| {}), Ok(0));
}

#[test]
fn events_tell_of_a_cluster_that_is_gone_once() {
    let bed = Bed::new(
        2,
        &[("kprod.events", "true"), ("reconnect.backoff.ms", "5")],
    );
    bed.mock().create_topic("t", 2);
    bed.send("t", 0);
    bed.reports(1);
    for broker in [1, 2] {
        bed.mock().set_broker_state(broker, BrokerState::Crashed);
    }
    bed.send("t", 1);
    let event = bed.report();
    assert_eq!(event.kind, ReportKind::Event);
    assert_eq!(event.error, ErrorCode::NO_BROKERS);
    let said = bed.detail(&event);
    assert!(said.contains("127.0.0.1"), "{said}");
    assert!(bed.producer.cluster_error().is_some());
    for broker in [1, 2] {
        bed.mock().set_broker_state(broker, BrokerState::Up);
    }
    let report = bed.report();
    assert_eq!((report.kind, report.tag), (ReportKind::Record, 1));
    ok(&report);
}

#[test]
fn a_record_whose_leader_cannot_be_reached_is_reported_with_the_reason() {
    let server = cluster(3);
    let (sender, warnings) = mpsc::channel();
    let callbacks = Callbacks {
        log: Some(Arc::new(move |_, line: &str| {
            let _ = sender.send(line.to_owned());
        })),
        ..Callbacks::default()
    };
    // The leader is tried once.
    let settings = [
        ("request.timeout.ms", "2000"),
        ("reconnect.backoff.ms", "60000"),
        ("reconnect.backoff.max.ms", "60000"),
    ];
    let producer = producer(&server, &settings, callbacks);
    let bed = Bed { server, producer };
    for (topic, leader) in [("t", 2), ("u", 3)] {
        bed.mock().create_topic(topic, 1);
        bed.mock().set_leader(topic, 0, leader);
    }
    bed.mock().set_broker_state(2, BrokerState::Crashed);
    bed.send("t", 0);
    let refused = |line: &String| line.to_lowercase().contains("refused");
    until("the leader is tried", || {
        warnings.try_iter().any(|line| refused(&line))
    });
    // That another broker is reached later takes nothing from it.
    bed.send("u", 1);
    ok(&bed.report());
    let report = bed.report();
    assert_eq!(report.error, ErrorCode::DELIVERY_TIMED_OUT);
    let said = bed.detail(&report);
    assert!(said.contains("after 0 attempts"), "{said}");
    assert!(said.to_lowercase().contains("refused"), "{said}");
}

/// The time that a batch lingers is not the time that it has for being sent.
#[test]
fn a_batch_may_linger_for_longer_than_a_request_may_take() {
    let settings = [("linger.ms", "400"), ("request.timeout.ms", "200")];
    let bed = Bed::new(1, &settings);
    bed.mock().create_topic("t", 1);
    bed.send("t", 0);
    ok(&bed.report());
}

#[test]
fn acks_0_survives_cuts_and_reports_what_it_cannot_know_as_possible() {
    let bed = Bed::new(1, &[("acks", "0"), ("reconnect.backoff.ms", "5")]);
    bed.mock().create_topic("t", 1);
    for round in 0..5 {
        for tag in 0..20 {
            bed.send("t", round * 100 + tag);
        }
        bed.mock().disconnect(1);
    }
    bed.send("t", 9999);
    for report in bed.reports(101) {
        ok(&report);
        assert_eq!(report.offset, -1);
        assert_eq!(report.persistence(), Persistence::Possibly);
    }
    until("the last record arrives", || {
        bed.log("t").last() == Some(&9999)
    });
    let log = bed.log("t");
    assert!(log.windows(2).all(|pair| pair[0] < pair[1]), "{log:?}");
    bed.settle();
}

#[test]
fn acks_0_notices_the_brokers_refusal_by_the_cut() {
    let bed = Bed::new(2, &[("acks", "0"), ("reconnect.backoff.ms", "5")]);
    bed.mock().create_topic("t", 1);
    bed.send("t", 0);
    bed.reports(1);
    // The old leader hangs up on what it does not lead; nothing else tells of the new one.
    bed.mock().set_leader("t", 0, 2);
    let mut tag = 1;
    until("records reach the new leader", || {
        bed.send("t", tag);
        tag += 1;
        bed.reports(1);
        bed.log("t").len() > 1
    });
}
