//! Scenarios 3 and 5: topics and partitions that are there, or not.

use std::time::{Duration, Instant};

use kprod::completion::Persistence;
use kprod::error::ErrorCode;
use kprod::producer::{Timeout, TopicRef};

use crate::bed::{Bed, LONG, ok, record, record_at};
use crate::pool::{Kind, shared};
use crate::support::consumer::Isolation;

#[test]
fn scenario_03_the_first_send_creates_the_topic() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-03-created";
    let bed = Bed::new(&cluster.bootstrap(), &[]);
    bed.send(&record(topic, b"first", 1));
    ok(&bed.reports(1)[0]);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(read[0].value.as_deref(), Some(&b"first"[..]));
    assert_eq!(read.len(), 1);
}

#[test]
fn scenario_03_a_missing_topic_is_named_within_the_request_timeout() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-03-missing";
    let settings = [
        ("allow.auto.create.topics", "false"),
        ("request.timeout.ms", "2000"),
        ("max.block.ms", "2000"),
    ];
    let bed = Bed::new(&cluster.bootstrap(), &settings);

    let start = Instant::now();
    let refused = bed.producer.send(&record(topic, b"blocking", 1));
    assert_eq!(refused, Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );

    let start = Instant::now();
    bed.producer.try_send(&record(topic, b"parked", 2)).unwrap();
    assert!(bed.memory_taken() > 0);
    let report = bed.reports(1)[0];
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(report.tag, 2);
    assert_eq!(report.error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    assert_eq!(report.persistence(), Persistence::Not);
    let message = bed.message(&report);
    assert!(message.contains(topic), "{message}");
    bed.assert_at_rest();

    // Neither comes to light when the topic is made after all.
    cluster.create_topic(topic, 1, &[]);
    bed.send(&record(topic, b"later", 3));
    ok(&bed.reports(1)[0]);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].value.as_deref(), Some(&b"later"[..]));
}

#[test]
fn scenario_05_a_partition_that_does_not_exist_is_an_error_at_once() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-05";
    cluster.create_topic(topic, 4, &[]);
    let bed = Bed::new(&cluster.bootstrap(), &[]);
    let count = |topic| {
        let limit = Timeout::After(Duration::from_secs(2));
        bed.producer.partitions_for(TopicRef::Name(topic), limit)
    };
    assert_eq!(count(topic), Ok(4));
    for partition in [4, i32::MAX, -1, i32::MIN] {
        let start = Instant::now();
        let refused = bed.producer.send(&record_at(topic, partition, b"v", 1));
        assert_eq!(refused, Err(ErrorCode::UNKNOWN_PARTITION), "{partition}");
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    bed.send(&record_at(topic, 3, b"v", 2));
    ok(&bed.reports(1)[0]);

    // Of a topic not yet known, it is a failed report.
    let fresh = Bed::new(&cluster.bootstrap(), &[]);
    let parked = fresh.producer.try_send(&record_at(topic, 4, b"v", 3));
    assert_eq!(parked, Ok(()));
    let report = fresh.reports(1)[0];
    assert_eq!(report.error, ErrorCode::UNKNOWN_PARTITION);
    fresh.assert_at_rest();

    let error = fresh
        .producer
        .partitions_for(TopicRef::Name("no/such topic"), Timeout::After(LONG))
        .unwrap_err();
    assert_eq!(error.code, ErrorCode::INVALID_TOPIC_EXCEPTION);
}
