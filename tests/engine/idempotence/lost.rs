//! Connections that are cut and answers that are lost, in any number: what is there, and how often.

use std::time::Duration;

use kprod::completion::Persistence;
use kprod::error::ErrorCode;
use kprod::mock::{BrokerState, Fault, FaultKind, TopicConfig, When};
use kprod::producer::{Purge, Timeout};
use kprod::protocol::{ApiKey, VersionRange};

use crate::support::{Bed, LONG, ok, until};

use super::{IDEMPOTENT, bed, deliver, epochs};

const QUICK: [(&str, &str); 4] = [
    ("retry.backoff.ms", "1"),
    ("retry.backoff.max.ms", "10"),
    ("reconnect.backoff.ms", "1"),
    ("reconnect.backoff.max.ms", "10"),
];

/// The connection is cut right after a request, before or after the broker has taken it.
#[test]
fn a_cut_behind_a_request_costs_a_record_only_without_retries() {
    let plain: &[(&str, &str)] = &[("retries", "0"), ("linger.ms", "0")];
    let idempotent: &[(&str, &str)] = &[IDEMPOTENT, ("linger.ms", "0")];
    for (settings, retried) in [(idempotent, true), (plain, false)] {
        for side in [When::BeforeWork, When::AfterWork] {
            let bed = Bed::new(1, settings);
            bed.mock().create_topic("t", 1);
            deliver(&bed, 0..2);
            bed.mock()
                .inject(Fault::on(ApiKey::Produce).kind(FaultKind::Disconnect(side)));
            bed.send("t", 2);
            let report = bed.report();
            if retried {
                ok(&report);
            } else {
                assert_ne!(report.error, ErrorCode::OK);
                assert_eq!(report.persistence(), Persistence::Possibly);
            }
            deliver(&bed, 3..5);
            let there: Vec<u64> = match (retried, side) {
                (false, When::BeforeWork) => vec![0, 1, 3, 4],
                _ => (0..5).collect(),
            };
            assert_eq!(bed.log("t"), there, "retried: {retried}, {side:?}");
        }
    }
}

/// The answers to the first `count` batches in flight are lost with the broker's connections; those behind them are
/// sent before it is back.
#[test]
fn batches_in_doubt_go_first_when_the_broker_is_back() {
    for count in 1..=5 {
        let bed = bed(1, &QUICK);
        deliver(&bed, 0..5);
        bed.mock().with(|cluster| cluster.set_round_trip(1, LONG));
        (5..5 + count).for_each(|tag| bed.send("t", tag));
        until("they are written", || {
            bed.log("t").len() as u64 == 5 + count
        });
        bed.mock().set_broker_state(1, BrokerState::Crashed);
        (5 + count..10).for_each(|tag| bed.send("t", tag));
        // When they come again, the first one is refused, and those behind it therefore too.
        bed.mock().inject(
            Fault::on(ApiKey::Produce)
                .partition("t", 0)
                .error(ErrorCode::NOT_ENOUGH_REPLICAS)
                .delay(Duration::from_millis(50)),
        );
        bed.mock()
            .with(|cluster| cluster.set_round_trip(1, Duration::ZERO));
        bed.mock().set_broker_state(1, BrokerState::Up);
        bed.reports(5).iter().for_each(ok);
        assert_eq!(bed.log("t"), (0..10).collect::<Vec<_>>(), "{count}");
        assert_eq!(epochs(bed.mock(), 0), [0]);
        assert!(bed.producer.fatal_error().is_none());
    }
}

/// More answers are lost than the broker remembers batches.
#[test]
fn answers_are_lost_more_often_than_the_broker_remembers_batches() {
    for lost in [5, 8, 20] {
        let bed = bed(1, &QUICK);
        deliver(&bed, 0..1);
        bed.mock().inject(
            Fault::on(ApiKey::Produce)
                .kind(FaultKind::Disconnect(When::AfterWork))
                .times(lost),
        );
        let reports = deliver(&bed, 1..40);
        let offsets: Vec<i64> = reports.iter().map(|report| report.offset).collect();
        assert_eq!(offsets, (1..40).collect::<Vec<_>>());
        assert_eq!(bed.log("t"), (0..40).collect::<Vec<_>>());
        assert_eq!(epochs(bed.mock(), 0), [0]);
    }
}

/// The broker has written the first batch and says that it is not on enough replicas; then it answers as for one that
/// it has already, or the next batches succeed.
#[test]
fn a_batch_that_was_written_and_refused_succeeds_in_the_end() {
    for again in [None, Some(ErrorCode::DUPLICATE_SEQUENCE_NUMBER)] {
        let bed = bed(1, &[("retry.backoff.ms", "1")]);
        bed.mock().inject(
            Fault::on(ApiKey::Produce)
                .partition("t", 0)
                .error_after_work(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND),
        );
        if let Some(code) = again {
            let duplicate = Fault::on(ApiKey::Produce).partition("t", 0);
            bed.mock().inject(duplicate.error(code));
        }
        deliver(&bed, 0..5);
        assert_eq!(bed.log("t"), (0..5).collect::<Vec<_>>());
        assert_eq!(epochs(bed.mock(), 0), [0]);
    }
}

/// A leader that stops to be one while it waits for its followers refuses what it has written.
#[test]
fn a_refusal_of_a_leader_that_is_none_any_more_says_nothing_of_what_it_wrote() {
    let codes = [
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::KAFKA_STORAGE_ERROR,
    ];
    for code in codes {
        let bed = bed(
            1,
            &[
                ("retry.backoff.ms", "1500"),
                ("retry.backoff.max.ms", "1500"),
            ],
        );
        deliver(&bed, 0..1);
        let written = Fault::on(ApiKey::Produce).error_after_work(code);
        bed.mock().inject(written);
        bed.send("t", 1);
        until("it waits to be sent again", || {
            bed.producer.metrics().batch_retries == 1
        });
        let queued = Purge {
            queued: true,
            in_flight: false,
        };
        bed.producer.purge(queued).unwrap();
        let report = bed.report();
        assert_eq!(report.error, ErrorCode::PURGED_IN_FLIGHT, "{code}");
        assert_eq!(report.persistence(), Persistence::Possibly, "{code}");
        // Its place in the sequence is taken.
        bed.send("t", 2);
        let report = bed.report();
        ok(&report);
        assert_eq!(report.offset, 2, "{code}");
        assert_eq!(bed.log("t"), [0, 1, 2], "{code}");
    }
}

/// Nor is what may be in the log as a whole written again in parts.
#[test]
fn what_was_refused_by_a_leader_that_is_none_any_more_is_not_split() {
    let settings = [
        IDEMPOTENT,
        ("linger.ms", "600000"),
        ("retry.backoff.ms", "1"),
    ];
    let bed = Bed::new(1, &settings);
    bed.mock().create_topic("t", 1);
    let on = || Fault::on(ApiKey::Produce);
    bed.mock()
        .inject(on().error_after_work(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    bed.mock().inject(on().error(ErrorCode::MESSAGE_TOO_LARGE));
    (0..3).for_each(|tag| bed.send("t", tag));
    bed.producer.flush(Timeout::After(LONG)).unwrap();
    for report in bed.reports(3) {
        assert_eq!(report.error, ErrorCode::MESSAGE_TOO_LARGE);
        assert_eq!(report.persistence(), Persistence::Possibly);
    }
    assert_eq!(bed.log("t"), [0, 1, 2]);
}

/// Several are in flight when the log forgets the producer: it refuses the first, and takes the second as the first.
#[test]
fn a_batch_that_was_overtaken_in_a_log_without_state_fails_and_is_not_told_as_delivered() {
    for (made_anew, by_name) in [(true, true), (false, true), (false, false)] {
        let bed = bed(1, &[("kprod.events", "true")]);
        let max = if by_name { 12 } else { 13 };
        let versions = VersionRange { min: 3, max };
        bed.mock()
            .with(|cluster| cluster.set_api_versions(1, ApiKey::Produce, Some(versions)));
        deliver(&bed, 0..5);
        bed.mock().with(|cluster| {
            if made_anew {
                cluster.delete_topic("t");
                cluster.create_topic("t", &TopicConfig::new(2));
            } else {
                cluster.forget_producers("t", 0);
            }
            cluster.set_round_trip(1, Duration::from_millis(50));
            cluster.inject(Fault::on(ApiKey::Produce).error(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        });
        (5..8).for_each(|tag| bed.send("t", tag));
        let reports = bed.reports(3);
        let told: Vec<_> = reports
            .iter()
            .map(|report| (report.tag, report.error))
            .collect();
        let refused = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
        assert_eq!(told, [(5, refused), (6, ErrorCode::OK), (7, ErrorCode::OK)]);
        // A log that has offsets before the second's may have the first there.
        let persistence = match made_anew {
            true => Persistence::Not,
            false => Persistence::Possibly,
        };
        assert_eq!(reports[0].persistence(), persistence);
        assert!(bed.detail(&reports[0]).contains("has taken one behind it"));
        deliver(&bed, 8..10);
        let log = bed.log("t");
        assert_eq!(log[log.len() - 4..], [6, 7, 8, 9]);
        assert!(!log.contains(&5));
        assert_eq!(bed.producer.metrics().data_losses, 0);
    }
}
