//! Sequences that end: what is given up, forgotten by the cluster, or used up.

use std::collections::BTreeSet;
use std::time::Duration;

use kprod::completion::{Persistence, TimestampType};
use kprod::error::ErrorCode;
use kprod::mock::{BrokerState, Fault, FaultKind, TopicConfig, When};
use kprod::producer::{Callbacks, Environment, Producer, Purge, Record, Timeout};
use kprod::protocol::ApiKey;
use kprod::record::TimestampType as TopicTime;

use crate::support::{Bed, LONG, cluster, config, log, ok, record, reports, until};

use super::{IDEMPOTENT, bed, deliver, epochs, produced, sequences};

/// T2: the epoch of the partition that needs one changes; a batch in doubt elsewhere keeps what it has.
#[test]
fn a_new_epoch_leaves_other_partitions_batches_in_doubt_alone() {
    let bed = bed(
        2,
        &[("request.timeout.ms", "30000"), ("retry.backoff.ms", "1")],
    );
    bed.mock().set_leader("t", 0, 1);
    bed.mock().set_leader("t", 1, 2);
    let send = |partition, tag: u64| {
        let value = tag.to_be_bytes();
        let sent = Record {
            partition: Some(partition),
            ..record("t", &value, tag)
        };
        bed.producer.send(&sent).unwrap();
    };
    send(0, 0);
    send(1, 100);
    bed.reports(2).iter().for_each(ok);
    // Partition 1's batch is written; its answer is on a connection that dies later.
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .partition("t", 1)
            .kind(FaultKind::Swallow(When::AfterWork)),
    );
    send(1, 101);
    until("it is written", || log(bed.mock(), "t", 1).len() == 2);
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .partition("t", 0)
            .error(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
    );
    send(0, 1);
    ok(&bed.report());
    assert_eq!(epochs(bed.mock(), 0), [0, 1]);
    bed.mock().disconnect(2);
    let second = bed.report();
    ok(&second);
    assert_eq!((second.tag, second.offset), (101, 1));
    assert_eq!(log(bed.mock(), "t", 1), [100, 101]);
    assert_eq!(epochs(bed.mock(), 1), [0]);
    // With nothing in doubt the partition takes the new epoch.
    send(1, 102);
    ok(&bed.report());
    assert_eq!(epochs(bed.mock(), 1), [0, 1]);
}

/// T3, T4: what may be in the log is given up, and nothing after it takes its place.
#[test]
fn an_expired_batch_in_doubt_ends_its_sequence() {
    let settings = [
        ("request.timeout.ms", "300"),
        ("delivery.timeout.ms", "400"),
        ("retry.backoff.ms", "1"),
        ("batch.size", "0"),
    ];
    for side in [When::AfterWork, When::BeforeWork] {
        let bed = bed(1, &settings);
        deliver(&bed, 0..2);
        bed.mock().inject(
            Fault::on(ApiKey::Produce)
                .kind(FaultKind::Swallow(side))
                .forever(),
        );
        bed.send("t", 2);
        let report = bed.report();
        assert_eq!(report.persistence(), Persistence::Possibly, "{report:?}");
        assert_ne!(report.error, ErrorCode::OK);
        bed.mock().clear_faults();
        deliver(&bed, 3..9);
        let expected: Vec<u64> = match side {
            When::AfterWork => (0..9).collect(),
            When::BeforeWork => (0..9).filter(|tag| *tag != 2).collect(),
        };
        assert_eq!(bed.log("t"), expected);
        assert_eq!(epochs(bed.mock(), 0), [0, 1]);
        assert_eq!(bed.producer.metrics().data_losses, 0);
    }
}

#[test]
fn without_a_delivery_timeout_nothing_expires() {
    let bed = bed(
        1,
        &[("request.timeout.ms", "50"), ("retry.backoff.ms", "1")],
    );
    deliver(&bed, 0..1);
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .error(ErrorCode::NOT_ENOUGH_REPLICAS)
            .forever(),
    );
    bed.send("t", 1);
    until("it is tried for longer than the timeout", || {
        produced(bed.mock()).len() > 20
    });
    let mut none = 0;
    let got = bed
        .producer
        .poll(1, Timeout::After(Duration::from_millis(200)), |_| none += 1);
    assert_eq!(got, Ok(0));
    bed.mock().clear_faults();
    ok(&bed.report());
}

#[test]
fn a_purge_of_what_is_in_flight_ends_the_sequence_and_nothing_is_there_twice() {
    let bed = bed(1, &[]);
    deliver(&bed, 0..2);
    bed.mock()
        .with(|cluster| cluster.set_round_trip(1, Duration::from_millis(300)));
    for tag in 2..10 {
        bed.send("t", tag);
    }
    until("some are in flight", || bed.log("t").len() > 2);
    bed.producer
        .purge(Purge {
            queued: true,
            in_flight: true,
        })
        .unwrap();
    let purged = bed.reports(8);
    assert!(
        purged
            .iter()
            .any(|r| r.error == ErrorCode::PURGED_IN_FLIGHT)
    );
    bed.mock()
        .with(|cluster| cluster.set_round_trip(1, Duration::ZERO));
    deliver(&bed, 10..20);
    let there = bed.log("t");
    let once: BTreeSet<u64> = there.iter().copied().collect();
    assert_eq!(once.len(), there.len(), "{there:?}");
    assert!(there.is_sorted(), "{there:?}");
    assert_eq!(epochs(bed.mock(), 0), [0, 1]);
}

/// With the one that would show whether another is in the log, that one is purged too.
#[test]
fn a_purge_of_what_is_in_flight_takes_what_waits_to_be_judged_by_it() {
    let bed = bed(1, &[("retry.backoff.ms", "1")]);
    deliver(&bed, 0..2);
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .kind(FaultKind::Swallow(When::AfterWork))
            .times(3),
    );
    for tag in 2..5 {
        bed.send("t", tag);
    }
    until("they are written", || bed.log("t").len() == 5);
    bed.mock().with(|cluster| cluster.restore_producers("t", 0));
    let before = produced(bed.mock()).len();
    bed.mock().inject(Fault::on(ApiKey::Produce));
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .kind(FaultKind::Swallow(When::AfterWork))
            .forever(),
    );
    bed.mock().disconnect(1);
    until("the second is asked for", || {
        produced(bed.mock()).len() == before + 2
    });
    let in_flight = Purge {
        queued: false,
        in_flight: true,
    };
    bed.producer.purge(in_flight).unwrap();
    for (tag, report) in (2..4).zip(bed.reports(2)) {
        assert_eq!(
            (report.tag, report.error),
            (tag, ErrorCode::PURGED_IN_FLIGHT)
        );
        assert_eq!(report.persistence(), Persistence::Possibly);
    }
    bed.mock().clear_faults();
    bed.mock().disconnect(1);
    ok(&bed.report());
    deliver(&bed, 5..8);
    assert_eq!(bed.log("t"), (0..8).collect::<Vec<_>>());
}

/// A refused record alone costs no epoch: its place is free again.
#[test]
fn a_record_that_is_refused_for_good_gives_its_place_back() {
    let bed = bed(1, &[]);
    deliver(&bed, 0..2);
    for _ in 0..3 {
        bed.mock()
            .inject(Fault::on(ApiKey::Produce).error(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
        bed.send("t", 99);
        assert_eq!(bed.report().error, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    }
    deliver(&bed, 2..4);
    assert_eq!(sequences(bed.mock(), 0), [0, 1, 2, 3]);
    assert_eq!(epochs(bed.mock(), 0), [0]);
}

#[test]
fn a_refused_record_in_the_middle_costs_an_epoch_and_nothing_else() {
    let bed = bed(1, &[]);
    deliver(&bed, 0..2);
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .error(ErrorCode::INVALID_RECORD)
            .delay(Duration::from_millis(100)),
    );
    for tag in 2..12 {
        bed.send("t", tag);
    }
    let reports = bed.reports(10);
    let tags: Vec<u64> = reports.iter().map(|r| r.tag).collect();
    assert_eq!(tags, (2..12).collect::<Vec<_>>());
    assert_eq!(reports[0].error, ErrorCode::INVALID_RECORD);
    reports[1..].iter().for_each(ok);
    let expected: Vec<u64> = (0..12).filter(|tag| *tag != 2).collect();
    assert_eq!(bed.log("t"), expected);
    assert_eq!(bed.producer.metrics().data_losses, 0);
}

/// Brokers of old say UNKNOWN_PRODUCER_ID.
#[test]
fn an_unknown_producer_id_is_a_loss_only_if_the_log_should_have_the_records() {
    for lost in [false, true] {
        let bed = bed(1, &[("retry.backoff.ms", "1")]);
        deliver(&bed, 0..5);
        if !lost {
            bed.mock().with(|cluster| cluster.delete_records("t", 0));
        }
        bed.mock().inject(
            Fault::on(ApiKey::Produce)
                .partition("t", 0)
                .error(ErrorCode::UNKNOWN_PRODUCER_ID),
        );
        bed.send("t", 5);
        ok(&bed.report());
        assert_eq!(bed.producer.metrics().data_losses, u64::from(lost));
        assert_eq!(epochs(bed.mock(), 0).last(), Some(&1));
    }
}

fn producer_at(
    first_sequence: i32,
    settings: &[(&str, &str)],
) -> (kprod::mock::MockServer, Producer) {
    let server = cluster(1);
    server.handle().create_topic("t", 2);
    let environment = Environment {
        first_sequence,
        ..Environment::real()
    };
    let mut all = vec![IDEMPOTENT, ("batch.size", "0"), ("retry.backoff.ms", "1")];
    all.extend_from_slice(settings);
    let config = config(&server, &all).build().unwrap();
    let producer = Producer::create_in(environment, config, Callbacks::default()).unwrap();
    (server, producer)
}

/// T11, scenario 39.
#[test]
fn sequences_go_on_at_0_behind_the_largest() {
    let (server, producer) = producer_at(i32::MAX - 9, &[]);
    let mock = server.handle();
    for tag in 0..100u64 {
        if tag % 10 == 5 {
            mock.inject(Fault::on(ApiKey::Produce).kind(FaultKind::Disconnect(When::AfterWork)));
        }
        let value = tag.to_be_bytes();
        producer
            .send(&Record {
                partition: Some(0),
                ..record("t", &value, tag)
            })
            .unwrap();
    }
    reports(&producer, 100).iter().for_each(ok);
    assert_eq!(log(mock, "t", 0), (0..100).collect::<Vec<_>>());
    assert!(sequences(mock, 0).contains(&0));
    assert_eq!(epochs(mock, 0), [0]);
}

/// T12, scenario 40.
#[test]
fn when_epochs_are_used_up_another_producer_id_is_asked_for() {
    let bed = bed(1, &[("retry.backoff.ms", "1")]);
    bed.mock()
        .with(|cluster| cluster.set_next_producer_epoch(i16::MAX - 1));
    deliver(&bed, 0..2);
    for round in 0..3u64 {
        bed.mock().inject(
            Fault::on(ApiKey::Produce)
                .partition("t", 0)
                .error(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        );
        // Alone, for what others in flight show is waited for.
        deliver(&bed, 2 + round * 3..3 + round * 3);
        deliver(&bed, 3 + round * 3..5 + round * 3);
    }
    assert_eq!(bed.log("t"), (0..11).collect::<Vec<_>>());
    assert_eq!(bed.mock().requests(ApiKey::InitProducerId).len(), 2);
    let ids: BTreeSet<i64> = produced(bed.mock()).iter().map(|b| b.producer_id).collect();
    assert_eq!(ids.len(), 2);
}

/// T6: a topic that is missing from an answer for a moment keeps its sequence.
#[test]
fn a_topic_missing_for_a_moment_keeps_its_sequence() {
    let bed = bed(
        1,
        &[("metadata.max.age.ms", "30"), ("retry.backoff.ms", "1")],
    );
    deliver(&bed, 0..3);
    for _ in 0..4 {
        bed.mock().inject(
            Fault::on(ApiKey::Metadata)
                .topic("t")
                .error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        );
    }
    until("the answers were given", || {
        bed.mock().with(|c| c.waiting_faults()) == 0
    });
    deliver(&bed, 3..6);
    assert_eq!(sequences(bed.mock(), 0), [0, 1, 2, 3, 4, 5]);
}

/// T14.
#[test]
fn a_duplicate_whose_metadata_is_gone_is_a_success_without_offset_and_timestamp() {
    let bed = Bed::new(1, &[IDEMPOTENT, ("linger.ms", "50")]);
    bed.mock().create_topic("t", 1);
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .partition("t", 0)
            .error_after_work(ErrorCode::DUPLICATE_SEQUENCE_NUMBER),
    );
    for tag in 0..3 {
        bed.send("t", tag);
    }
    for report in bed.reports(3) {
        ok(&report);
        assert_eq!((report.offset, report.timestamp), (-1, -1));
        assert_eq!(report.timestamp_type, TimestampType::None);
        assert_eq!(report.persistence(), Persistence::Persisted);
    }
}

/// T55: a broker answers a batch that comes again with a time, whatever the topic has.
#[test]
fn a_record_that_was_sent_twice_keeps_its_own_timestamp() {
    let bed = bed(1, &[("retry.backoff.ms", "1")]);
    let send = |tag: u64| {
        let value = tag.to_be_bytes();
        let sent = Record {
            partition: Some(0),
            timestamp: Some(1_700_000_000_000 + tag as i64),
            ..record("t", &value, tag)
        };
        bed.producer.send(&sent).unwrap();
        bed.report()
    };
    for tag in 0..6 {
        if tag % 2 == 0 {
            bed.mock()
                .inject(Fault::on(ApiKey::Produce).kind(FaultKind::Disconnect(When::AfterWork)));
        }
        let report = send(tag);
        ok(&report);
        assert_eq!(
            report.timestamp,
            1_700_000_000_000 + tag as i64,
            "{report:?}"
        );
        assert_eq!(report.timestamp_type, TimestampType::CreateTime);
    }
}

#[test]
fn a_topic_with_the_brokers_times_keeps_them_for_records_that_were_sent_twice() {
    let bed = Bed::new(1, &[IDEMPOTENT, ("retry.backoff.ms", "1")]);
    let topic = TopicConfig::new(1).timestamp_type(TopicTime::LogAppendTime);
    bed.mock().with(|cluster| cluster.create_topic("t", &topic));
    deliver(&bed, 0..1);
    bed.mock()
        .inject(Fault::on(ApiKey::Produce).kind(FaultKind::Disconnect(When::AfterWork)));
    let report = deliver(&bed, 1..2)[0];
    assert_eq!(report.timestamp_type, TimestampType::LogAppendTime);
}

/// A leader that is stopped does not hold its partitions: the new one gets them at once.
#[test]
fn a_stopped_leader_is_not_waited_for() {
    let bed = bed(
        2,
        &[
            ("request.timeout.ms", "30000"),
            ("metadata.max.age.ms", "100"),
        ],
    );
    bed.mock().set_leader("t", 0, 1);
    deliver(&bed, 0..3);
    bed.mock().with(|cluster| cluster.set_round_trip(1, LONG));
    for tag in 3..8 {
        bed.send("t", tag);
    }
    until("the old leader has them", || bed.log("t").len() > 3);
    bed.mock().set_leader("t", 0, 2);
    let began = std::time::Instant::now();
    bed.reports(5).iter().for_each(ok);
    assert!(began.elapsed() < Duration::from_secs(15));
    assert_eq!(bed.log("t"), (0..8).collect::<Vec<_>>());
}

/// A batch that is too large is cut into parts that share its place.
#[test]
fn the_parts_of_a_split_batch_follow_one_another() {
    let bed = Bed::new(
        1,
        &[IDEMPOTENT, ("linger.ms", "10000"), ("batch.size", "2000")],
    );
    let topic = TopicConfig::new(1).max_message_bytes(700);
    bed.mock().with(|cluster| cluster.create_topic("t", &topic));
    let value = [7u8; 150];
    for tag in 0..40u64 {
        let mut value = value;
        value[..8].copy_from_slice(&tag.to_be_bytes());
        bed.producer.send(&record("t", &value, tag)).unwrap();
    }
    bed.flush();
    bed.reports(40).iter().for_each(ok);
    assert_eq!(bed.log("t"), (0..40).collect::<Vec<_>>());
    assert_eq!(epochs(bed.mock(), 0), [0]);
    assert!(bed.producer.metrics().batch_splits > 0);
}

#[test]
fn a_broker_that_is_killed_again_and_again_gets_everything_once() {
    let bed = bed(
        2,
        &[
            ("retry.backoff.ms", "1"),
            ("reconnect.backoff.ms", "1"),
            ("metadata.max.age.ms", "100"),
        ],
    );
    let mut sent = 0;
    for round in 0..8 {
        let broker = 1 + round % 2;
        for _ in 0..20 {
            bed.send("t", sent);
            sent += 1;
        }
        bed.mock().set_broker_state(broker, BrokerState::Crashed);
        bed.mock().set_leader("t", 0, 3 - broker);
        for _ in 0..20 {
            bed.send("t", sent);
            sent += 1;
        }
        bed.mock().set_broker_state(broker, BrokerState::Up);
    }
    bed.reports(sent as usize).iter().for_each(ok);
    assert_eq!(bed.log("t"), (0..sent).collect::<Vec<_>>());
}
