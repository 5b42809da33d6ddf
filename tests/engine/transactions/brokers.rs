//! Brokers that go, come and change their parts in the middle of a transaction.

use std::time::Duration;

use kprod::error::{Class, ErrorCode};
use kprod::mock::{BrokerState, CoordinatorKind, Fault};
use kprod::protocol::ApiKey;

use crate::support::{LONG, ok, until};

use super::{BOTH, Stage, WAIT, offsets, stage};

const QUICK: [(&str, &str); 2] = [
    ("request.timeout.ms", "2000"),
    ("metadata.max.age.ms", "100"),
];

/// Transactions at broker 1, the group at 2, the records at 3.
fn apart(version: i16, settings: &[(&str, &str)]) -> Stage {
    let stage = stage(version, settings);
    stage.mock().with(|c| {
        c.move_coordinator(CoordinatorKind::Transaction, "me", 1, Duration::ZERO);
        c.move_coordinator(CoordinatorKind::Group, "g", 2, Duration::ZERO);
        (0..3).for_each(|partition| c.set_leader("t", partition, 3));
    });
    stage
}

/// Either goes down while records wait for it, and comes back.
#[test]
fn a_broker_that_is_away_for_a_while_costs_the_transaction_nothing() {
    for version in BOTH {
        for away in [1, 3] {
            let stage = apart(version, &QUICK);
            stage.begin_with(0);
            ok(&stage.reports(1)[0]);
            stage.mock().set_broker_state(away, BrokerState::Crashed);
            (1..10).for_each(|tag| stage.send(tag));
            std::thread::scope(|scope| {
                let commit = scope.spawn(|| stage.commit());
                let asked = stage.count(ApiKey::Metadata);
                until("the broker was away for some time", || {
                    stage.count(ApiKey::Metadata) > asked + 2
                });
                stage.mock().set_broker_state(away, BrokerState::Up);
                commit.join().unwrap();
            });
            stage.reports(9).iter().for_each(ok);
            assert_eq!(stage.committed(), (0..10).collect::<Vec<_>>());
        }
    }
}

/// The coordinator is another one when offsets are announced.
#[test]
fn offsets_find_a_coordinator_that_has_moved() {
    for version in BOTH {
        let stage = apart(version, &[]);
        for round in 0..5u64 {
            stage.begin_with(round);
            let next = 1 + (round as i32 + 1) % 3;
            stage.mock().with(|c| {
                c.move_coordinator(CoordinatorKind::Transaction, "me", next, Duration::ZERO);
            });
            let sent = stage
                .producer
                .send_offsets_to_transaction(offsets("g", -1, ""), WAIT);
            sent.unwrap();
            stage.commit();
        }
        assert_eq!(stage.committed(), [0, 1, 2, 3, 4]);
    }
}

/// The group's coordinator cannot be reached when offsets are for it: it comes back, or another takes over.
#[test]
fn offsets_wait_for_a_group_coordinator_that_is_away() {
    for version in BOTH {
        for another in [false, true] {
            let stage = apart(version, &QUICK);
            stage.mock().set_broker_state(2, BrokerState::Crashed);
            stage.begin_with(0);
            std::thread::scope(|scope| {
                let sent = scope.spawn(|| {
                    stage
                        .producer
                        .send_offsets_to_transaction(offsets("g", -1, ""), WAIT)
                });
                until("the coordinator is known", || {
                    stage.mock().requests(ApiKey::FindCoordinator).len() > 1
                });
                match another {
                    true => stage.mock().with(|c| {
                        c.move_coordinator(CoordinatorKind::Group, "g", 3, Duration::ZERO)
                    }),
                    false => stage.mock().set_broker_state(2, BrokerState::Up),
                }
                sent.join().unwrap().unwrap();
            });
            stage.commit();
            assert_eq!(stage.committed(), [0]);
            let committed = || {
                stage
                    .mock()
                    .with(|c| c.committed_offset("g", "t", 0).is_some())
            };
            until("the offset is there", committed);
        }
    }
}

/// The only broker goes, a record's time runs out meanwhile, and when it is back nobody is the coordinator yet.
#[test]
fn a_coordinator_that_nobody_is_for_a_moment_ends_nothing() {
    for version in BOTH {
        let settings = [
            ("request.timeout.ms", "300"),
            ("delivery.timeout.ms", "400"),
        ];
        let stage = stage(version, &settings);
        stage.begin_with(0);
        ok(&stage.reports(1)[0]);
        (1..=3).for_each(|broker| stage.mock().set_broker_state(broker, BrokerState::Crashed));
        stage.send(3);
        let failed = stage.reports(1)[0];
        assert_ne!(failed.error, ErrorCode::OK);
        let nobody = Fault::on(ApiKey::FindCoordinator);
        stage
            .mock()
            .inject(nobody.error(ErrorCode::COORDINATOR_NOT_AVAILABLE).times(3));
        (1..=3).for_each(|broker| stage.mock().set_broker_state(broker, BrokerState::Up));
        let commit = stage.producer.commit_transaction(WAIT).unwrap_err();
        assert_eq!(commit.class, Class::Abortable, "{commit:?}");
        stage.abort();
        stage.transact(6);
        assert_eq!(stage.committed(), [6]);
    }
}

/// A record whose time runs out before it is ever sent must not be missing in a transaction that is committed.
#[test]
fn a_record_that_expires_unsent_makes_the_commit_fail() {
    for version in BOTH {
        let settings = [
            ("request.timeout.ms", "300"),
            ("delivery.timeout.ms", "400"),
            ("metadata.max.age.ms", "100"),
        ];
        for wait in [false, true] {
            let stage = apart(version, &settings);
            stage.begin();
            (0..3).for_each(|tag| stage.send(tag));
            stage.producer.flush(WAIT).unwrap();
            stage.reports(3).iter().for_each(ok);
            stage.mock().with(|c| c.remove_leader("t", 0));
            let asked = stage.count(ApiKey::Metadata);
            until("that is known", || {
                stage.count(ApiKey::Metadata) > asked + 1
            });
            stage.send(3);
            if wait {
                assert_ne!(stage.reports(1)[0].error, ErrorCode::OK);
            }
            let error = stage.producer.commit_transaction(WAIT).unwrap_err();
            assert_eq!(error.class, Class::Abortable, "{error:?}");
            if !wait {
                assert_ne!(stage.reports(1)[0].error, ErrorCode::OK);
            }
            stage.mock().set_leader("t", 0, 3);
            stage.abort();
            stage.begin();
            (0..3).for_each(|tag| stage.send(6 + tag));
            stage.commit();
            assert_eq!(stage.committed(), [6, 7, 8]);
        }
    }
}

/// Partitions that join one after the other, while the coordinator is slow to let the first ones in.
#[test]
fn partitions_that_join_while_others_are_being_added_are_added_too() {
    for version in BOTH {
        let stage = apart(version, &[("linger.ms", "0")]);
        stage.begin();
        let slow = Fault::on(ApiKey::AddPartitionsToTxn).delay(Duration::from_millis(50));
        stage.mock().inject(slow.times(2));
        for tag in 0..3 {
            let asked = stage.count(ApiKey::AddPartitionsToTxn);
            stage.send(tag);
            if version == 1 && tag < 2 {
                until("it is asked for", || {
                    stage.count(ApiKey::AddPartitionsToTxn) > asked
                });
            }
        }
        stage.commit();
        stage.reports(3).iter().for_each(ok);
        assert_eq!(stage.committed(), [0, 1, 2]);
    }
}

/// A topic that is missing from an answer between two transactions keeps its sequence, or records would be taken for
/// ones that are written already.
#[test]
fn a_topic_that_was_gone_between_transactions_loses_nothing() {
    for version in BOTH {
        let stage = stage(
            version,
            &[
                ("metadata.max.age.ms", "30"),
                ("batch.size", "0"),
                ("linger.ms", "0"),
            ],
        );
        stage.begin();
        (0..15).for_each(|tag| stage.send(tag));
        stage.commit();
        stage.reports(15).iter().for_each(ok);
        let gone = Fault::on(ApiKey::Metadata).topic("t");
        stage
            .mock()
            .inject(gone.error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION).times(4));
        until("the answers were given", || {
            stage.mock().with(|c| c.waiting_faults()) == 0
        });
        stage.begin();
        (15..30).for_each(|tag| stage.send(tag));
        stage.commit();
        stage.reports(15).iter().for_each(ok);
        assert_eq!(stage.committed(), (0..30).collect::<Vec<_>>());
    }
}

/// Every request of a transaction is slower than its timeout for a while.
#[test]
fn a_transaction_outlives_requests_that_time_out() {
    for version in BOTH {
        let stage = stage(version, &[("request.timeout.ms", "200")]);
        stage.begin_with(0);
        ok(&stage.reports(1)[0]);
        (1..=3).for_each(|broker| stage.mock().with(|c| c.set_round_trip(broker, LONG)));
        std::thread::scope(|scope| {
            let sent = scope.spawn(|| {
                stage
                    .producer
                    .send_offsets_to_transaction(offsets("g", -1, ""), WAIT)
            });
            // That costs the connection.
            let connected = stage.count(ApiKey::ApiVersions);
            until("a request was given up", || {
                stage.count(ApiKey::ApiVersions) > connected
            });
            (1..=3).for_each(|broker| {
                stage
                    .mock()
                    .with(|c| c.set_round_trip(broker, Duration::ZERO))
            });
            // Those on their way would come half a minute late.
            (1..=3).for_each(|broker| stage.mock().disconnect(broker));
            sent.join().unwrap().unwrap();
        });
        stage.commit();
        assert_eq!(stage.committed(), [0]);
    }
}
