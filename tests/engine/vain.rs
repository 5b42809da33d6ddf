//! What those are told who wait in vain, and that it is true.

use std::time::Duration;

use kprod::error::{Error, ErrorCode};
use kprod::mock::Fault;
use kprod::producer::Timeout;
use kprod::protocol::ApiKey;

use crate::batches::{filled, send};
use crate::support::{Bed, LONG, ok, record, until};

const A_WHILE: Timeout = Timeout::After(Duration::from_millis(700));
const REFUSED: [&str; 2] = ["topic t partition 0", "NOT_ENOUGH_REPLICAS"];

/// Records are refused without end, each time after so many milliseconds.
fn refusing(delay: u64) -> Bed {
    refusing_every(delay, "50")
}

fn refusing_every(delay: u64, backoff: &str) -> Bed {
    let settings = [
        ("enable.idempotence", "true"),
        ("acks", "all"),
        ("retry.backoff.ms", backoff),
        ("retry.backoff.max.ms", backoff),
    ];
    let bed = Bed::new(1, &settings);
    bed.mock().create_topic("t", 1);
    let refusal = Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS);
    let refusal = refusal.delay(Duration::from_millis(delay));
    bed.mock().inject(refusal.forever());
    bed
}

fn names(error: &Error, words: &[&str]) {
    for word in words {
        assert!(error.message.contains(word), "{error:?}");
    }
}

#[test]
fn a_flush_says_what_refuses_the_records() {
    for delay in [0, 300] {
        let bed = refusing(delay);
        bed.send("t", 1);
        assert!(bed.producer.flush(A_WHILE).is_err());
        for _ in 0..3 {
            let late = bed.producer.flush(A_WHILE).unwrap_err();
            assert_eq!(late.code, ErrorCode::TIMED_OUT);
            names(&late, &REFUSED);
            let cause = bed.producer.cluster_error().unwrap();
            names(&cause, &REFUSED);
            assert!(!cause.message.contains("has not answered"), "{cause:?}");
        }
    }
}

#[test]
fn who_waits_for_a_record_can_ask_what_refuses_it() {
    let bed = refusing(0);
    let value = record("t", b"v", 1);
    let waited = bed.producer.send_wait(&value, A_WHILE);
    assert_eq!(waited.unwrap_err(), ErrorCode::STILL_PENDING);
    names(&bed.producer.cluster_error().unwrap(), &REFUSED);
}

/// Nor does the engine have anything to do meanwhile.
#[test]
fn who_waits_for_a_record_behind_one_that_is_refused_can_ask_what_refuses_that() {
    let bed = refusing_every(0, "600000");
    bed.send("t", 1);
    for tag in 2..4 {
        let value = record("t", b"v", tag);
        let waited = bed.producer.send_wait(&value, A_WHILE);
        assert_eq!(waited.unwrap_err(), ErrorCode::STILL_PENDING);
        names(&bed.producer.cluster_error().unwrap(), &REFUSED);
        until("nobody is told", || bed.producer.cluster_error().is_none());
    }
}

#[test]
fn who_waits_to_send_a_batch_can_ask_what_refuses_those_before() {
    let bed = refusing(0);
    let topic = bed.producer.topic("t").unwrap();
    // One is refused, one is the next, and a third has no place.
    let [first, second, third] = [0, 2, 4].map(|tag| filled(&bed.producer, tag..tag + 2));
    send(&bed, &first, topic, 1);
    send(&bed, &second, topic, 2);
    let waited = bed.producer.send_batch(&third, topic, 0, 3, A_WHILE);
    assert_eq!(waited, Err(ErrorCode::TIMED_OUT));
    names(&bed.producer.cluster_error().unwrap(), &REFUSED);
}

#[test]
fn a_broker_that_is_slow_to_refuse_is_told_as_silent_until_it_has_answered() {
    let bed = refusing(1500);
    bed.send("t", 1);
    let retries = |count| {
        until("it answers", || {
            bed.producer.metrics().batch_retries == count
        })
    };
    retries(1);
    let limit = Timeout::After(Duration::from_millis(1400));
    let late = bed.producer.flush(limit).unwrap_err();
    names(&late, &REFUSED);
    names(&late, &["has not answered Produce after", "before that"]);
    retries(2);
    let cause = bed.producer.cluster_error().unwrap();
    names(&cause, &REFUSED);
    assert!(!cause.message.contains("has not answered"), "{cause:?}");
}

#[test]
fn parked_records_are_told_of_until_they_are_not_parked() {
    let bed = Bed::new(1, &[("retry.backoff.ms", "20")]);
    bed.producer.start(Timeout::After(LONG)).unwrap();
    let unknown = Fault::on(ApiKey::Metadata).error(ErrorCode::LEADER_NOT_AVAILABLE);
    bed.mock().inject(unknown.forever());
    let sent = bed.producer.try_send(&record("new", b"v", 1));
    assert_eq!(sent, Ok(()));
    let late = bed.producer.flush(A_WHILE).unwrap_err();
    names(&late, &["topic new", "LEADER_NOT_AVAILABLE"]);
    bed.mock().clear_faults();
    ok(&bed.report());
    assert_eq!(bed.producer.cluster_error(), None);
}

#[test]
fn nothing_is_told_of_what_is_over() {
    let bed = refusing(0);
    bed.send("t", 1);
    assert!(bed.producer.flush(A_WHILE).is_err());
    assert!(bed.producer.cluster_error().is_some());
    bed.mock().clear_faults();
    bed.producer.flush(Timeout::After(LONG)).unwrap();
    assert_eq!(bed.producer.cluster_error(), None);
    ok(&bed.report());

    // Answers take long, and come.
    let slow = Fault::on(ApiKey::Produce).delay(Duration::from_millis(800));
    bed.mock().inject(slow.forever());
    bed.send("t", 2);
    let late = bed
        .producer
        .flush(Timeout::After(Duration::from_millis(500)));
    names(&late.unwrap_err(), &["has not answered Produce after"]);
    bed.producer.flush(Timeout::After(LONG)).unwrap();
    assert_eq!(bed.producer.cluster_error(), None);
}
