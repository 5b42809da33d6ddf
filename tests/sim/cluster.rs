//! Who leads what, and how the producer hears of it: hints, moves, silence, lost and new brokers.

use kprod::completion::Persistence;
use kprod::error::ErrorCode;
use kprod::mock::{BrokerState, ClusterConfig, Fault, FaultKind, When};
use kprod::protocol::ApiKey;

use crate::stage::{at, is_at, ms, play, play_on, silent};

#[test]
fn a_leader_hint_is_followed_at_once_without_metadata() {
    play(2, &[], |stage| async move {
        stage.topic("t", 2).await;
        // Partition 0 is broker 1's.
        stage.fault(silent(ApiKey::Metadata).forever());
        stage.mock.set_leader("t", 0, 2);
        let began = stage.now();
        stage.send("t", 0);
        let (came, report) = stage.report().await;
        assert_eq!(report.error, ErrorCode::OK);
        assert!(is_at(came - began, 0));
        let brokers: Vec<i32> = stage.produced().iter().map(|r| r.broker).collect();
        assert_eq!(brokers, [1, 2]);
    });
}

#[test]
fn a_hint_may_name_a_broker_that_was_unknown() {
    play(2, &[], |stage| async move {
        stage.mock.set_broker_state(2, BrokerState::Down);
        stage.topic("t", 1).await;
        stage.fault(silent(ApiKey::Metadata).forever());
        stage.mock.set_broker_state(2, BrokerState::Up);
        stage.mock.set_leader("t", 0, 2);
        let began = stage.now();
        stage.send("t", 0);
        let (came, report) = stage.report().await;
        assert_eq!(report.error, ErrorCode::OK);
        assert!(is_at(came - began, 0));
    });
}

#[test]
fn an_older_leader_epoch_is_not_believed() {
    let settings = [("metadata.max.age.ms", "100")];
    play(3, &settings, |stage| async move {
        stage.topic("t", 1).await;
        for broker in 1..=3 {
            stage
                .mock
                .with(|cluster| cluster.set_stale_metadata(broker, true));
        }
        stage.mock.set_leader("t", 0, 2);
        for tag in 0..10 {
            stage.send("t", tag);
            stage.wait(ms(110)).await;
        }
        let reports = stage.reports(10).await;
        assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
        assert!(stage.requests(ApiKey::Metadata).len() >= 5);
        let brokers: Vec<i32> = stage.produced().iter().map(|r| r.broker).collect();
        let first_asked = brokers.iter().filter(|broker| **broker == 1).count();
        assert_eq!(first_asked, 1, "{brokers:?}");
        assert_eq!(stage.log("t", 0), (0..10).collect::<Vec<_>>());
    });
}

#[test]
fn a_silent_leader_is_left_for_its_successor_long_before_the_timeout() {
    play(2, &[], |stage| async move {
        stage.topic("t", 2).await;
        stage.fault(
            Fault::on(ApiKey::Produce)
                .broker(1)
                .kind(FaultKind::Swallow(When::BeforeWork))
                .forever(),
        );
        stage.send("t", 0);
        stage.wait(ms(50)).await;
        stage.send("t", 1);
        stage.send("t", 2);
        stage.mock.set_leader("t", 0, 2);
        let began = stage.now();
        let reports = stage.reports(3).await;
        let (came, _) = reports[2];
        assert!(at(came - began) < 3000, "{came:?}");
        for (tag, (_, report)) in reports.iter().enumerate() {
            assert_eq!((report.error, report.tag), (ErrorCode::OK, tag as u64));
        }
        assert_eq!(stage.log("t", 0), [0, 1, 2]);
    });
}

/// However long the attempts to reach the old leader have been spaced by then.
#[test]
fn the_successor_of_a_dead_leader_is_heard_of_within_a_moment() {
    for elected in [2_500, 4_100, 7_700] {
        play(3, &[("enable.idempotence", "true")], |stage| async move {
            stage.topic("t", 3).await;
            stage.mock.set_broker_state(1, BrokerState::Crashed);
            stage.send("t", 0);
            stage.wait(ms(elected)).await;
            stage.mock.set_leader("t", 0, 2);
            let began = stage.now();
            let (came, report) = stage.report().await;
            assert_eq!(report.error, ErrorCode::OK);
            let late = at(came - began);
            assert!(late < 350, "{late} ms after the election at {elected}");
        });
    }
}

#[test]
fn an_old_leader_that_answers_in_time_is_believed_and_nothing_is_sent_twice() {
    let settings = [("metadata.max.age.ms", "100")];
    play(2, &settings, |stage| async move {
        stage.topic("t", 1).await;
        for broker in [1, 2] {
            stage
                .mock
                .with(|cluster| cluster.set_round_trip(broker, ms(900)));
        }
        stage.send("t", 0);
        stage.wait(ms(1)).await;
        stage.mock.set_leader("t", 0, 2);
        for tag in 1..8 {
            stage.send("t", tag);
            stage.wait(ms(250)).await;
        }
        let reports = stage.reports(8).await;
        assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
        assert_eq!(stage.log("t", 0), (0..8).collect::<Vec<_>>());
    });
}

#[test]
fn a_late_answer_of_a_left_leader_is_for_nobody() {
    play(2, &[], |stage| async move {
        stage.topic("t", 1).await;
        // It wrote the record and says so much too late.
        stage.fault(Fault::on(ApiKey::Produce).broker(1).delay(ms(6000)));
        stage.send("t", 0);
        stage.wait(ms(10)).await;
        stage.mock.set_leader("t", 0, 2);
        let (_, report) = stage.report().await;
        assert_eq!(report.error, ErrorCode::OK);
        assert_eq!(report.persistence(), Persistence::Persisted);
        // The mock has one log for all leaders, so the second copy stands behind the first.
        assert_eq!(stage.log("t", 0), [0, 0]);
        stage.wait(ms(8000)).await;
        assert_eq!(stage.reported(), 0, "reported again");
        stage.send("t", 1);
        assert_eq!(stage.report().await.1.error, ErrorCode::OK);
    });
}

#[test]
fn a_partition_without_a_leader_waits_for_one_and_does_not_hold_the_others() {
    let settings = [("request.timeout.ms", "20000")];
    play(2, &settings, |stage| async move {
        stage.topic("t", 2).await;
        stage.mock.with(|cluster| cluster.remove_leader("t", 0));
        let began = stage.now();
        stage.send("t", 0);
        stage.send_to("t", Some(1), 100, b"12345678");
        let (came, report) = stage.report().await;
        assert_eq!(report.tag, 100);
        assert!(is_at(came - began, 0));
        stage.wait(ms(5000)).await;
        stage.send("t", 1);
        assert_eq!(stage.reported(), 0);
        let asked = stage.requests(ApiKey::Metadata).len();
        assert!((4..30).contains(&asked), "asked {asked} times in 5 s");
        stage.mock.set_leader("t", 0, 2);
        let led = stage.now();
        let reports = stage.reports(2).await;
        assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
        assert!(at(reports[1].0 - led) <= 1300, "{reports:?}");
        assert_eq!(stage.log("t", 0), [0, 1]);
    });
}

#[test]
fn a_leaderless_partitions_records_expire_with_a_reason() {
    let settings = [("request.timeout.ms", "3000")];
    play(2, &settings, |stage| async move {
        stage.topic("t", 1).await;
        stage.mock.with(|cluster| cluster.remove_leader("t", 0));
        stage.send("t", 0);
        let (_, report) = stage.report().await;
        assert_eq!(report.persistence(), Persistence::Not);
        let allowed = [
            ErrorCode::LEADER_NOT_AVAILABLE,
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ];
        assert!(allowed.contains(&report.error), "{report:?}");
        let said = stage.detail(&report);
        assert!(said.contains("topic t partition 0"), "{said}");
    });
}

#[test]
fn a_broker_that_is_gone_and_back_gets_everything_in_order() {
    for state in [BrokerState::Crashed, BrokerState::Down] {
        play(1, &[], |stage| async move {
            stage.topic("t", 1).await;
            stage.send("t", 0);
            stage.report().await;
            stage.mock.set_broker_state(1, state);
            for tag in 1..6 {
                stage.send("t", tag);
                stage.wait(ms(1000)).await;
            }
            assert_eq!(stage.reported(), 0);
            stage.mock.set_broker_state(1, BrokerState::Up);
            let back = stage.now();
            let reports = stage.reports(5).await;
            assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
            assert!(at(reports[4].0 - back) <= 1300, "{reports:?}");
            assert_eq!(stage.log("t", 0), (0..6).collect::<Vec<_>>());
        });
    }
}

#[test]
fn when_all_brokers_are_replaced_it_starts_over_from_the_bootstrap_name() {
    play(3, &[], |stage| async move {
        stage.topic("t", 3).await;
        stage.mock.with(|cluster| {
            for broker in 1..=3 {
                cluster.set_endpoint(broker, &format!("10.7.0.{broker}"), 9099);
                cluster.disconnect(broker);
            }
        });
        for tag in 0..5 {
            stage.send("t", tag);
            stage.wait(ms(500)).await;
        }
        assert_eq!(
            stage.reported(),
            0,
            "the name still leads to the old address"
        );
        // The new broker's port is another: only the name's own port can be reached through it.
        stage
            .mock
            .with(|cluster| cluster.set_endpoint(2, "10.7.0.2", 9092));
        stage.names.set("kafka", "10.7.0.2");
        let renamed = stage.now();
        let reports = stage.reports(5).await;
        assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
        assert!(at(reports[4].0 - renamed) < 3000, "{reports:?}");
        assert_eq!(stage.log("t", 0), (0..5).collect::<Vec<_>>());
    });
}

#[test]
fn without_recovery_it_keeps_to_the_brokers_that_it_knows() {
    let settings = [
        ("metadata.recovery.strategy", "none"),
        ("request.timeout.ms", "5000"),
    ];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        stage.mock.with(|cluster| {
            cluster.set_endpoint(1, "10.7.0.1", 9092);
            cluster.disconnect(1);
        });
        stage.names.set("kafka", "10.7.0.1");
        stage.send("t", 0);
        let (_, report) = stage.report().await;
        assert_ne!(report.error, ErrorCode::OK);
        let said = stage.detail(&report);
        assert!(said.contains("10.0.0.1:9092"), "{said}");
    });
}

#[test]
fn a_broker_may_ask_to_start_over() {
    play(2, &[("metadata.max.age.ms", "200")], |stage| async move {
        stage.topic("t", 1).await;
        stage.fault(Fault::on(ApiKey::Metadata).error(ErrorCode::REBOOTSTRAP_REQUIRED));
        stage.wait(ms(2000)).await;
        stage.send("t", 0);
        assert_eq!(stage.report().await.1.error, ErrorCode::OK);
        assert!(stage.requests(ApiKey::Metadata).len() >= 2);
    });
}

#[test]
fn a_moved_address_is_learned_from_metadata() {
    let settings = [("metadata.max.age.ms", "100")];
    play(2, &settings, |stage| async move {
        stage.topic("t", 2).await;
        stage.mock.with(|cluster| {
            cluster.set_endpoint(1, "10.0.7.7", 1234);
            cluster.disconnect(1);
        });
        for tag in 0..5 {
            stage.send("t", tag);
            stage.wait(ms(100)).await;
        }
        let reports = stage.reports(5).await;
        assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
        assert_eq!(stage.log("t", 0), (0..5).collect::<Vec<_>>());
    });
}

#[test]
fn metadata_are_asked_for_topics_in_use_and_idle_ones_dropped() {
    let settings = [
        ("metadata.max.age.ms", "1000"),
        ("metadata.max.idle.ms", "5000"),
    ];
    play(1, &settings, |stage| async move {
        stage.topic("idle", 1).await;
        stage.topic("used", 1).await;
        stage.mock.create_topic("foreign", 1);
        for tag in 0..10 {
            stage.send("used", tag);
            stage.wait(ms(1000)).await;
        }
        stage.reports(10).await;
        let asked = stage.requests(ApiKey::Metadata);
        assert!((7..=12).contains(&asked.len()), "{}", asked.len());
        let names = |topic: &str| {
            let asked = asked.iter();
            asked
                .filter(|r| r.topics.iter().any(|t| t == topic))
                .count()
        };
        assert_eq!(names("foreign"), 0);
        assert_eq!(names("used"), asked.len());
        assert!((3..=6).contains(&names("idle")), "{}", names("idle"));
        // It is followed again as soon as it is used again.
        stage.mock.with(|cluster| cluster.clear_requests());
        stage.send("idle", 99);
        stage.wait(ms(2000)).await;
        let asked = stage.requests(ApiKey::Metadata);
        assert!(asked.iter().any(|r| r.topics.iter().any(|t| t == "idle")));
    });
}

#[test]
fn a_producer_without_topics_asks_nothing_by_age() {
    play(1, &[("metadata.max.age.ms", "100")], |stage| async move {
        stage.producer.start_async(1).unwrap();
        assert_eq!(stage.report().await.1.error, ErrorCode::OK);
        stage.wait(ms(5000)).await;
        assert_eq!(stage.requests(ApiKey::Metadata).len(), 1);
    });
}

#[test]
fn a_growing_topics_new_partitions_are_used_within_the_metadata_age() {
    let settings = [
        ("metadata.max.age.ms", "500"),
        ("partitioner", "round_robin"),
    ];
    play(2, &settings, |stage| async move {
        stage.topic("t", 2).await;
        assert_eq!(
            stage.try_send_to("t", Some(4), 0, b"12345678"),
            Err(ErrorCode::UNKNOWN_PARTITION)
        );
        stage.mock.with(|cluster| cluster.grow_topic("t", 5));
        stage.wait(ms(600)).await;
        for tag in 0..10 {
            stage.send_to("t", None, tag, b"12345678");
        }
        let reports = stage.reports(10).await;
        let used = |p| reports.iter().filter(|(_, r)| r.partition == p).count();
        assert!((0..5).all(|partition| used(partition) == 2), "{reports:?}");
    });
}

#[test]
fn a_topic_made_anew_gets_records_again_under_its_new_id() {
    let settings = [
        ("request.timeout.ms", "20000"),
        ("allow.auto.create.topics", "false"),
    ];
    play(2, &settings, |stage| async move {
        stage.topic("t", 2).await;
        for _ in 0..5 {
            stage.mock.set_leader("t", 0, 1);
        }
        stage.send("t", 0);
        stage.report().await;
        stage.mock.with(|cluster| cluster.delete_topic("t"));
        stage.send("t", 1);
        stage.wait(ms(3000)).await;
        assert_eq!(stage.reported(), 0, "it is waited for");
        stage.mock.create_topic("t", 2);
        stage.send("t", 2);
        let reports = stage.reports(2).await;
        for (_, report) in &reports {
            assert_eq!(report.error, ErrorCode::OK, "{report:?}");
        }
        // Its leader epochs began again, far below those of its predecessor.
        assert_eq!(stage.log("t", 0), [1, 2]);
        stage.mock.set_leader("t", 0, 2);
        stage.send("t", 3);
        assert_eq!(stage.report().await.1.error, ErrorCode::OK);
    });
}

#[test]
fn a_topic_made_anew_with_fewer_partitions_fails_what_was_meant_for_the_others() {
    let settings = [
        ("request.timeout.ms", "5000"),
        ("metadata.max.age.ms", "300"),
    ];
    play(2, &settings, |stage| async move {
        stage.topic("t", 4).await;
        stage.mock.with(|cluster| cluster.remove_leader("t", 3));
        for partition in 0..4 {
            let tag = partition as u64;
            stage.send_to("t", Some(partition), tag, &tag.to_be_bytes());
        }
        stage.reports(3).await;
        stage.mock.with(|cluster| cluster.delete_topic("t"));
        stage.mock.create_topic("t", 2);
        stage.mock.with(|cluster| cluster.clear_requests());
        let (_, report) = stage.report().await;
        assert_eq!(report.tag, 3);
        assert_ne!(report.error, ErrorCode::OK);
        assert_eq!(report.persistence(), Persistence::Not);
        let asked = stage.requests(ApiKey::Metadata).len();
        assert!(asked < 40, "asked {asked} times in 5 s");
        stage.send("t", 9);
        assert_eq!(stage.report().await.1.error, ErrorCode::OK);
    });
}

#[test]
fn a_deleted_topics_records_fail_with_what_the_cluster_said() {
    let settings = [
        ("request.timeout.ms", "2000"),
        ("allow.auto.create.topics", "false"),
    ];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        stage.mock.with(|cluster| cluster.delete_topic("t"));
        stage.send("t", 0);
        let (_, report) = stage.report().await;
        let said = [
            ErrorCode::UNKNOWN_TOPIC_ID,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ];
        assert!(said.contains(&report.error), "{report:?}");
        assert_eq!(report.persistence(), Persistence::Not);
    });
}

#[test]
fn an_unknown_topics_parked_records_fail_with_the_clusters_word() {
    let settings = [
        ("request.timeout.ms", "2000"),
        ("allow.auto.create.topics", "false"),
    ];
    play(1, &settings, |stage| async move {
        stage.send_to("none", None, 5, b"12345678");
        let (came, report) = stage.report().await;
        assert_eq!(report.error, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        assert_eq!(report.persistence(), Persistence::Not);
        assert_eq!((report.tag, report.partition), (5, -1));
        assert!(is_at(came, 2000));
        let said = stage.detail(&report);
        assert!(said.contains("topic none"), "{said}");
        let total = 32 << 20;
        assert_eq!(stage.producer.metrics().buffer_available, total);
    });
}

#[test]
fn a_topic_that_takes_its_time_to_be_made_is_waited_for() {
    let cluster = ClusterConfig {
        auto_create_delay: ms(3000),
        ..ClusterConfig::default()
    };
    play_on(cluster, &[], |stage| async move {
        for tag in 0..5 {
            stage.send_to("new", Some(0), tag, &tag.to_be_bytes());
        }
        let reports = stage.reports(5).await;
        assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
        assert!((3000..4300).contains(&at(reports[4].0)), "{reports:?}");
        assert_eq!(stage.log("new", 0), [0, 1, 2, 3, 4]);
    });
}

#[test]
fn idle_connections_are_closed_and_the_next_record_goes_at_once() {
    let settings = [("connections.max.idle.ms", "1000")];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        let connected = stage.producer.metrics().connections_opened;
        stage.wait(ms(60_000)).await;
        let began = stage.now();
        stage.send("t", 0);
        let (came, report) = stage.report().await;
        assert_eq!(report.error, ErrorCode::OK);
        assert!(is_at(came - began, 0));
        let metrics = stage.producer.metrics();
        assert_eq!(metrics.connections_opened, connected + 1);
        assert_eq!(metrics.batch_retries, 0);
    });
}

#[test]
fn a_cut_connection_is_replaced_at_once() {
    play(1, &[], |stage| async move {
        stage.topic("t", 1).await;
        stage.mock.disconnect(1);
        let began = stage.now();
        stage.send("t", 0);
        let (came, report) = stage.report().await;
        assert_eq!(report.error, ErrorCode::OK);
        assert!(at(came - began) <= 200, "{came:?}");
    });
}
