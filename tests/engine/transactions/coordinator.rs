//! Trouble with the coordinator: errors, moves, losses, and other protocols.

use std::time::Duration;

use kprod::error::{Class, ErrorCode};
use kprod::mock::{CoordinatorKind, Fault, FaultKind, When};
use kprod::protocol::ApiKey;

use crate::support::until;

use super::{BOTH, Stage, WAIT, another, offsets, send_to, stage};

/// Scenario 51, T32: the answer to the commit is lost; the commit is not.
#[test]
fn a_lost_answer_to_the_commit_does_not_change_its_outcome() {
    for version in BOTH {
        for side in [When::AfterWork, When::BeforeWork] {
            let stage = stage(version, &[("request.timeout.ms", "300")]);
            stage.begin();
            stage.send(0);
            stage
                .mock()
                .inject(Fault::on(ApiKey::EndTxn).kind(FaultKind::Swallow(side)));
            stage
                .mock()
                .inject(Fault::on(ApiKey::EndTxn).kind(FaultKind::Disconnect(side)));
            stage.commit();
            assert_eq!(stage.committed(), [0]);
            stage.transact(1);
            assert_eq!(stage.committed(), [0, 1]);
        }
    }
}
/// Scenario 50, T25.
#[test]
fn a_coordinator_that_moves_is_found_again() {
    for version in BOTH {
        let stage = stage(version, &[]);
        for round in 0..6u64 {
            stage.begin_with(round);
            stage.mock().with(|c| {
                let broker = 1 + (round % 3) as i32;
                c.move_coordinator(
                    CoordinatorKind::Transaction,
                    "me",
                    broker,
                    Duration::from_millis(20),
                );
            });
            stage.commit();
        }
        assert_eq!(stage.committed(), (0..6).collect::<Vec<_>>());
    }
}
#[test]
fn a_coordinator_that_dies_between_send_and_commit_is_replaced() {
    for version in BOTH {
        let stage = stage(version, &[("request.timeout.ms", "2000")]);
        stage.begin();
        // The partitions' leaders stay.
        let coordinator = stage
            .mock()
            .with(|c| c.coordinator(CoordinatorKind::Transaction, "me"))
            .unwrap();
        let other = 1 + coordinator % 3;
        for partition in 0..3 {
            stage.mock().set_leader("t", partition, other);
        }
        (0..3).for_each(|tag| stage.send(tag));
        stage.producer.flush(WAIT).unwrap();
        stage
            .mock()
            .set_broker_state(coordinator, kprod::mock::BrokerState::Down);
        stage.commit();
        assert_eq!(stage.committed(), [0, 1, 2]);
    }
}
/// Every step's request meets every retriable error and every loss.
#[test]
fn retriable_trouble_with_the_coordinator_is_tried_again() {
    let apis = [
        ApiKey::FindCoordinator,
        ApiKey::InitProducerId,
        ApiKey::AddPartitionsToTxn,
        ApiKey::AddOffsetsToTxn,
        ApiKey::TxnOffsetCommit,
        ApiKey::EndTxn,
    ];
    let codes = [
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::CONCURRENT_TRANSACTIONS,
    ];
    for version in BOTH {
        let stage = stage(version, &[("request.timeout.ms", "500")]);
        for (round, api) in apis.into_iter().enumerate() {
            for code in codes {
                stage.mock().inject(Fault::on(api).error(code));
            }
            stage
                .mock()
                .inject(Fault::on(api).kind(FaultKind::Disconnect(When::AfterWork)));
            stage.begin();
            stage.send(round as u64);
            stage
                .producer
                .send_offsets_to_transaction(offsets("g", -1, ""), WAIT)
                .unwrap();
            stage.commit();
            stage.mock().clear_faults();
        }
        assert_eq!(
            stage.committed(),
            (0..apis.len() as u64).collect::<Vec<_>>()
        );
    }
}
/// The error tables of the transactional requests.
#[test]
fn errors_of_the_coordinator_are_abortable_or_fatal_as_documented() {
    let table = [
        (
            ApiKey::AddOffsetsToTxn,
            ErrorCode::GROUP_AUTHORIZATION_FAILED,
            Class::Abortable,
        ),
        (
            ApiKey::TxnOffsetCommit,
            ErrorCode::GROUP_AUTHORIZATION_FAILED,
            Class::Abortable,
        ),
        (
            ApiKey::TxnOffsetCommit,
            ErrorCode::FENCED_INSTANCE_ID,
            Class::Abortable,
        ),
        (
            ApiKey::TxnOffsetCommit,
            ErrorCode::TRANSACTION_ABORTABLE,
            Class::Abortable,
        ),
        (
            ApiKey::TxnOffsetCommit,
            ErrorCode::PRODUCER_FENCED,
            Class::Fatal,
        ),
        (
            ApiKey::TxnOffsetCommit,
            ErrorCode::INVALID_PRODUCER_ID_MAPPING,
            Class::Fatal,
        ),
        (
            ApiKey::EndTxn,
            ErrorCode::TRANSACTION_ABORTABLE,
            Class::Abortable,
        ),
        (ApiKey::EndTxn, ErrorCode::INVALID_TXN_STATE, Class::Fatal),
        (
            ApiKey::EndTxn,
            ErrorCode::INVALID_PRODUCER_EPOCH,
            Class::Fatal,
        ),
        (
            ApiKey::EndTxn,
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
            Class::Fatal,
        ),
        (
            ApiKey::AddPartitionsToTxn,
            ErrorCode::TOPIC_AUTHORIZATION_FAILED,
            Class::Abortable,
        ),
        (
            ApiKey::AddPartitionsToTxn,
            ErrorCode::PRODUCER_FENCED,
            Class::Fatal,
        ),
        (
            ApiKey::AddPartitionsToTxn,
            ErrorCode::INVALID_TXN_STATE,
            Class::Fatal,
        ),
    ];
    for (api, code, class) in table {
        let stage = stage(1, &[]);
        stage.begin();
        stage.mock().inject(Fault::on(api).error(code));
        stage.send(0);
        let sent = stage
            .producer
            .send_offsets_to_transaction(offsets("g", -1, ""), WAIT);
        let error = match sent {
            Err(error) => error,
            Ok(()) => stage.producer.commit_transaction(WAIT).unwrap_err(),
        };
        assert_eq!((error.code, error.class), (code, class), "{api}: {error:?}");
        let next = stage.producer.abort_transaction(WAIT);
        match class {
            Class::Fatal => assert_eq!(next.unwrap_err().class, Class::Fatal, "{api} {code}"),
            _ => next.unwrap(),
        }
        assert_eq!(stage.committed(), [] as [u64; 0], "{api} {code}");
    }
}

/// Whose offsets were refused, and what is missing.
#[test]
fn refused_offsets_are_told_with_their_group_and_the_permission() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin();
        stage.mock().inject(
            Fault::on(ApiKey::TxnOffsetCommit).error(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        );
        let sent = stage
            .producer
            .send_offsets_to_transaction(offsets("g", -1, ""), WAIT);
        let said = sent.unwrap_err().message;
        for part in ["consumer group g ", "topic t partition 0", "operation Read"] {
            assert!(said.contains(part), "{said}");
        }
        stage.abort();
    }
}

/// A record's time is its transaction's where that is shorter, and the report says which it was.
#[test]
fn a_record_that_expires_with_its_transaction_names_its_limit() {
    let settings = [
        ("transaction.timeout.ms", "300"),
        ("request.timeout.ms", "60000"),
        ("delivery.timeout.ms", "120000"),
    ];
    let stage = stage(2, &settings);
    stage.begin_with(0);
    stage.reports(1);
    stage
        .mock()
        .inject(Fault::on(ApiKey::Produce).kind(FaultKind::Swallow(When::BeforeWork)));
    stage.send(3);
    assert_eq!(stage.reports(1)[0].error, ErrorCode::DELIVERY_TIMED_OUT);
    let error = stage.producer.commit_transaction(WAIT).unwrap_err();
    assert!(
        error.message.contains("transaction.timeout.ms (300 ms)"),
        "{}",
        error.message
    );
}

/// T28.
#[test]
fn an_abort_that_can_only_be_aborted_is_fatal() {
    let stage = stage(2, &[]);
    stage.begin_with(0);
    stage
        .mock()
        .inject(Fault::on(ApiKey::EndTxn).error(ErrorCode::TRANSACTION_ABORTABLE));
    let error = stage.producer.abort_transaction(WAIT).unwrap_err();
    assert_eq!(error.class, Class::Fatal);
}
#[test]
fn a_missing_permission_shows_at_the_start_and_may_be_given() {
    let stage = stage(2, &[]);
    stage.mock().inject(
        Fault::on(ApiKey::InitProducerId)
            .error(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
            .times(2),
    );
    let start = stage.producer.start(WAIT).unwrap_err();
    assert_eq!(start.code, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    assert!(
        start.message.contains("transactional.id me"),
        "{}",
        start.message
    );
    let begin = stage.producer.begin_transaction(WAIT).unwrap_err();
    assert_eq!(begin.code, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    stage.transact(0);
}
#[test]
fn a_transaction_timeout_above_the_brokers_limit_shows_at_the_start() {
    let stage = stage(2, &[("transaction.timeout.ms", "2000000000")]);
    let error = stage.producer.start(WAIT).unwrap_err();
    assert_eq!(
        (error.code, error.class),
        (ErrorCode::INVALID_TRANSACTION_TIMEOUT, Class::Fatal)
    );
}
/// Scenario 49.
#[test]
fn a_transaction_that_the_coordinator_timed_out_is_over() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin_with(0);
        stage.mock().with(|c| c.time_out_transaction("me"));
        let error = stage.producer.commit_transaction(WAIT).unwrap_err();
        assert_ne!(error.class, Class::Retriable, "{error:?}");
        assert_eq!(stage.committed(), [] as [u64; 0]);
        // A fenced one is replaced, as the documentation says.
        let producer = another(&stage.server, &[]);
        producer.begin_transaction(WAIT).unwrap();
        send_to(&producer, 0, 1).unwrap();
        producer.commit_transaction(WAIT).unwrap();
        assert_eq!(stage.committed(), [1]);
    }
}
/// Scenario 53, T31.
#[test]
fn the_protocol_may_change_while_the_producer_runs() {
    for (from, to) in [(1, 2), (2, 1)] {
        let stage = stage(from, &[]);
        let mut tag = 0;
        let mut round = |stage: &Stage| {
            stage.transact(tag);
            tag += 1;
        };
        (0..3).for_each(|_| round(&stage));
        stage.begin();
        stage.send(1000);
        stage
            .mock()
            .with(|c| c.set_feature("transaction.version", to));
        (1..=3).for_each(|broker| stage.mock().disconnect(broker));
        stage.commit();
        (0..5).for_each(|_| round(&stage));
        let mut expected: Vec<u64> = (0..8).collect();
        expected.push(1000);
        assert_eq!(stage.committed(), expected);
        assert!(stage.producer.fatal_error().is_none());
    }
}
/// Scenario 53 on connections that stay: the feature is asked for again at the age of metadata.
#[test]
fn the_protocol_is_followed_over_connections_that_stay() {
    for (from, to) in [(1, 2), (2, 1), (2, 0)] {
        let stage = stage(from, &[("metadata.max.age.ms", "20")]);
        stage.transact(0);
        let connections = stage.producer.metrics().connections_opened;
        stage
            .mock()
            .with(|c| c.set_feature("transaction.version", to));
        let asked = stage.count(ApiKey::ApiVersions);
        // The second question after it is only put when the first has been answered.
        until("the feature is asked for", || {
            stage.count(ApiKey::ApiVersions) >= asked + 2
        });
        let announced = stage.count(ApiKey::AddPartitionsToTxn);
        stage.transact(3);
        let announces = stage.count(ApiKey::AddPartitionsToTxn) > announced;
        assert_eq!(announces, to < 2, "from {from} to {to}");
        assert_eq!(stage.committed(), [0, 3]);
        assert_eq!(stage.producer.metrics().connections_opened, connections);
    }
}
/// The markers of the last transaction are still being written.
#[test]
fn the_next_transaction_waits_for_the_end_of_the_last() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage
            .mock()
            .with(|c| c.set_marker_delay(Duration::from_millis(60)));
        for tag in 0..5 {
            stage.transact(tag);
        }
        until("all are visible", || stage.committed() == [0, 1, 2, 3, 4]);
    }
}
/// T12: the coordinator gives another id when the epochs of this one are used up.
#[test]
fn epochs_that_are_used_up_bring_another_producer_id() {
    let stage = stage(2, &[]);
    stage.begin();
    stage.commit();
    stage
        .mock()
        .with(|c| c.set_transaction_epoch("me", i16::MAX - 4));
    let producer = another(&stage.server, &[]);
    let ids = || {
        stage
            .mock()
            .with(|c| c.transaction("me").unwrap().producer_id)
    };
    let first = ids();
    for tag in 0..6 {
        producer.begin_transaction(WAIT).unwrap();
        send_to(&producer, 0, tag).unwrap();
        producer.commit_transaction(WAIT).unwrap();
    }
    assert_ne!(ids(), first);
    assert_eq!(stage.committed(), [0, 1, 2, 3, 4, 5]);
}
