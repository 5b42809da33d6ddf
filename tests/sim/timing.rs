//! When things happen: linger, one batch in flight, throttling, backoff, the ends of records' time.

use std::time::Duration;

use kprod::completion::Persistence;
use kprod::error::ErrorCode;
use kprod::mock::{BrokerState, Fault, FaultKind, When};
use kprod::producer::{Timeout, TopicRef};
use kprod::protocol::ApiKey;

use crate::stage::{Stage, at, is_at, ms, play, silent};

const FOREVER: u32 = u32::MAX;

#[test]
fn linger_counts_from_the_first_record_and_is_not_extended() {
    play(1, &[("linger.ms", "100")], |stage| async move {
        stage.topic("t", 1).await;
        let began = stage.now();
        for tag in 0..4 {
            stage.send("t", tag);
            stage.wait(ms(30)).await;
        }
        stage.reports(4).await;
        let requests = stage.produced();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].batches[0].record_count, 4);
        assert!(is_at(requests[0].at - began, 100));
    });
}

#[test]
fn linger_counts_while_the_topics_metadata_are_awaited() {
    play(1, &[("linger.ms", "1000")], |stage| async move {
        stage.topic("t", 1).await;
        let began = stage.now();
        stage.fault(Fault::on(ApiKey::Metadata).delay(ms(600)));
        stage.send("new", 0);
        stage.wait(ms(800)).await;
        stage.send("new", 1);
        let reports = stage.reports(2).await;
        assert!(is_at(reports[1].0 - began, 1000), "{reports:?}");
        assert_eq!(stage.produced()[0].batches[0].record_count, 2);
    });
}

#[test]
fn without_linger_the_first_record_goes_at_once_and_the_rest_when_it_is_answered() {
    play(1, &[], |stage| async move {
        stage.topic("t", 1).await;
        stage.mock.with(|cluster| cluster.set_round_trip(1, ms(50)));
        let began = stage.now();
        stage.send("t", 0);
        stage.wait(ms(10)).await;
        for tag in 1..5 {
            stage.send("t", tag);
            stage.wait(ms(5)).await;
        }
        stage.reports(5).await;
        let requests = stage.produced();
        assert_eq!(requests.len(), 2);
        assert!(is_at(requests[0].at - began, 0));
        assert_eq!(requests[1].batches[0].record_count, 4);
        assert!(is_at(requests[1].at - began, 50));
    });
}

#[test]
fn a_full_batch_goes_at_once_and_the_rest_lingers() {
    let settings = [("linger.ms", "5000"), ("batch.size", "1000")];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        let began = stage.now();
        for tag in 0..4 {
            let mut value = [0; 300];
            value[..8].copy_from_slice(&u64::to_be_bytes(tag));
            stage.send_to("t", Some(0), tag, &value);
        }
        let first = stage.reports(2).await;
        assert!(is_at(first[1].0 - began, 0));
        stage.wait(ms(4000)).await;
        assert_eq!(stage.produced().len(), 1, "the second batch is not full");
        let rest = stage.reports(2).await;
        assert!(is_at(rest[1].0 - began, 5000));
        assert_eq!(stage.log("t", 0), [0, 1, 2, 3]);
    });
}

#[test]
fn a_flush_ends_linger_and_leaves_that_of_later_records_alone() {
    play(1, &[("linger.ms", "5000")], |stage| async move {
        stage.topic("t", 1).await;
        let began = stage.now();
        stage.send("t", 0);
        stage.producer.flush_async(77).unwrap();
        let reports = stage.reports(2).await;
        assert_eq!(reports[0].1.tag, 0);
        assert_eq!(reports[1].1.tag, 77, "the flush after its record");
        assert!(is_at(reports[1].0 - began, 0));
        stage.send("t", 1);
        let later = stage.report().await;
        assert!(is_at(later.0 - began, 5000));
    });
}

#[test]
fn when_one_batch_is_due_all_of_the_broker_go_with_it() {
    play(1, &[("linger.ms", "100")], |stage| async move {
        stage.topic("t", 8).await;
        let began = stage.now();
        for partition in 0..8 {
            let tag = partition as u64;
            stage.send_to("t", Some(partition), tag, &tag.to_be_bytes());
            stage.wait(ms(10)).await;
        }
        let reports = stage.reports(8).await;
        assert!(is_at(reports[7].0 - began, 100));
        assert_eq!(stage.produced().len(), 1);
        assert_eq!(stage.produced()[0].batches.len(), 8);
    });
}

#[test]
fn no_request_is_larger_than_max_request_size() {
    let settings = [
        ("linger.ms", "100"),
        ("max.request.size", "4000"),
        ("batch.size", "1500"),
    ];
    play(1, &settings, |stage| async move {
        stage.topic("t", 10).await;
        for partition in 0..10 {
            stage.send_to("t", Some(partition), partition as u64, &[1; 1200]);
        }
        stage.reports(10).await;
        let requests = stage.produced();
        assert_eq!(requests.len(), 4, "three batches fit into one request");
        assert!(requests.iter().all(|request| request.bytes <= 4000));
    });
}

#[test]
fn a_broker_that_asked_for_silence_is_named_where_it_holds_things_up() {
    let settings = [("request.timeout.ms", "1000"), ("max.block.ms", "1500")];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        stage.fault(Fault::on(ApiKey::Produce).throttle(ms(3000)));
        stage.send("t", 0);
        stage.report().await;
        stage.send("t", 1);
        let new = stage.producer.topic("new").unwrap();
        let asked = TopicRef::Handle(new);
        stage.producer.partitions_for_async(asked, 7).unwrap();
        stage.wait(ms(500)).await;
        let told = stage.producer.cluster_error().unwrap();
        assert_eq!(told.code, ErrorCode::TIMED_OUT);
        let silence = |for_how_long| {
            format!("10.0.0.1:9092 asked for silence for {for_how_long} more (throttle_time_ms)")
        };
        assert_eq!(told.message, silence("2.5s"));
        let reports = stage.reports(2).await;
        assert_eq!(reports[0].1.error, ErrorCode::DELIVERY_TIMED_OUT);
        let said = stage.detail(&reports[0].1);
        assert!(said.contains(&silence("2.0s")), "{said}");
        assert_eq!((reports[1].1.tag, reports[1].1.error), (7, told.code));
        let said = stage.detail(&reports[1].1);
        assert!(said.contains(&silence("1.5s")), "{said}");
        stage.wait(ms(1600)).await;
        assert_eq!(stage.producer.cluster_error(), None);
    });
}

#[test]
fn a_throttled_broker_gets_nothing_for_as_long_and_nothing_fails_of_it() {
    let settings = [("request.timeout.ms", "5000")];
    play(1, &settings, |stage| async move {
        stage.topic("t", 2).await;
        stage.fault(Fault::on(ApiKey::Produce).throttle(ms(1500)));
        let began = stage.now();
        stage.send("t", 0);
        stage.report().await;
        stage.send("t", 1);
        stage.send_to("t", Some(1), 2, b"12345678");
        let reports = stage.reports(2).await;
        assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
        let requests = stage.produced();
        assert_eq!(requests.len(), 2);
        assert!(is_at(requests[1].at - began, 1500));
        assert_eq!(stage.producer.metrics().throttle_ms, 1500);
    });
}

#[test]
fn retries_wait_twice_as_long_each_time_up_to_the_limit() {
    let settings = [("retry.backoff.ms", "100"), ("retry.backoff.max.ms", "400")];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        let refused = Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS);
        stage.fault(refused.times(5));
        stage.send("t", 0);
        assert_eq!(stage.report().await.1.error, ErrorCode::OK);
        let times: Vec<_> = stage.produced().iter().map(|r| r.at).collect();
        let waits: Vec<u64> = times.windows(2).map(|pair| at(pair[1] - pair[0])).collect();
        for (wait, middle) in waits.iter().zip([100, 200, 400, 400, 400]) {
            let most = (middle + middle / 5).min(400);
            assert!((middle * 4 / 5..=most).contains(wait), "{waits:?}");
        }
        assert_eq!(stage.producer.metrics().batch_retries, 5);
    });
}

#[test]
fn a_success_ends_the_backoff() {
    play(1, &[("retry.backoff.ms", "100")], |stage| async move {
        stage.topic("t", 1).await;
        for tag in 0..3 {
            stage.fault(Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS));
            let began = stage.now();
            stage.send("t", tag);
            let (came, _) = stage.report().await;
            assert!(at(came - began) <= 121, "{came:?} after {began:?}");
        }
    });
}

#[test]
fn without_an_answer_a_record_fails_after_the_request_timeout_as_possibly_written() {
    let settings = [("request.timeout.ms", "2000")];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        stage.fault(silent(ApiKey::Produce));
        let began = stage.now();
        stage.send("t", 0);
        // Behind the one in flight, and sent when that is given up.
        stage.wait(ms(1500)).await;
        stage.send("t", 1);
        let (came, report) = stage.report().await;
        assert_eq!(report.error, ErrorCode::REQUEST_TIMED_OUT);
        assert_eq!(report.persistence(), Persistence::Possibly);
        assert!(is_at(came - began, 2000));
        let said = stage.detail(&report);
        for part in [
            "topic t",
            "partition 0",
            "broker 1",
            "REQUEST_TIMED_OUT",
            "did not answer",
        ] {
            assert!(said.contains(part), "{said}");
        }
        assert_eq!(stage.report().await.1.error, ErrorCode::OK);
        assert_eq!(stage.log("t", 0), [0, 1]);
    });
}

#[test]
fn what_is_in_flight_is_looked_at_when_it_is_answered_so_at_most_twice_the_timeout() {
    let settings = [("request.timeout.ms", "2000"), ("retry.backoff.ms", "1")];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        stage.fault(
            Fault::on(ApiKey::Produce)
                .delay(ms(1999))
                .error(ErrorCode::NOT_ENOUGH_REPLICAS)
                .times(FOREVER),
        );
        let began = stage.now();
        stage.send("t", 0);
        stage.wait(ms(100)).await;
        stage.send("t", 1);
        let reports = stage.reports(2).await;
        for (came, report) in &reports {
            assert_eq!(report.error, ErrorCode::NOT_ENOUGH_REPLICAS);
            assert_eq!(report.persistence(), Persistence::Not);
            assert!(at(*came - began) <= 4100, "{came:?}");
        }
        assert!(reports[0].1.tag < reports[1].1.tag);
    });
}

#[test]
fn a_record_that_was_never_sent_expires_on_time_as_not_written() {
    let settings = [("request.timeout.ms", "2000")];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        stage.mock.set_broker_state(1, BrokerState::Crashed);
        stage.wait(ms(500)).await;
        let began = stage.now();
        stage.send("t", 0);
        stage.wait(ms(700)).await;
        stage.send("t", 1);
        let reports = stage.reports(2).await;
        for (_, report) in &reports {
            assert_eq!(report.error, ErrorCode::DELIVERY_TIMED_OUT);
            assert_eq!(report.persistence(), Persistence::Not);
            let said = stage.detail(report);
            assert!(said.contains("10.0.0.1:9092: connection refused"), "{said}");
        }
        assert!(is_at(reports[0].0 - began, 2000));
    });
}

#[test]
fn after_failed_attempts_the_last_error_is_reported() {
    let settings = [("request.timeout.ms", "2000")];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        stage.fault(Fault::on(ApiKey::Produce).error(ErrorCode::KAFKA_STORAGE_ERROR));
        let refused = Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS);
        stage.fault(refused.forever());
        let began = stage.now();
        stage.send("t", 0);
        let (came, report) = stage.report().await;
        assert_eq!(report.error, ErrorCode::NOT_ENOUGH_REPLICAS);
        assert_eq!(report.persistence(), Persistence::Not);
        assert!(is_at(came - began, 2000));
        let said = stage.detail(&report);
        assert!(said.contains("NOT_ENOUGH_REPLICAS after"), "{said}");
    });
}

#[test]
fn with_a_delivery_timeout_that_alone_counts() {
    let settings = [
        ("request.timeout.ms", "1000"),
        ("delivery.timeout.ms", "5000"),
    ];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        let refused = Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS);
        stage.fault(refused.forever());
        let began = stage.now();
        stage.send("t", 0);
        let (came, report) = stage.report().await;
        assert_eq!(report.error, ErrorCode::NOT_ENOUGH_REPLICAS);
        assert!(is_at(came - began, 5000));
    });
}

#[test]
fn the_delivery_timeout_does_not_wait_for_an_answer() {
    let settings = [
        ("request.timeout.ms", "1000"),
        ("delivery.timeout.ms", "1300"),
    ];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        stage.fault(silent(ApiKey::Produce).times(2));
        let began = stage.now();
        stage.send("t", 0);
        stage.wait(ms(1250)).await;
        stage.send("t", 1);
        let (came, report) = stage.report().await;
        assert!(is_at(came - began, 1300));
        assert_eq!(report.error, ErrorCode::REQUEST_TIMED_OUT);
        assert_eq!(report.persistence(), Persistence::Possibly);
        assert_eq!(stage.report().await.1.error, ErrorCode::OK);
        assert_eq!(stage.log("t", 0).last(), Some(&1));
    });
}

#[test]
fn no_more_retries_than_allowed() {
    let settings = [("retries", "2")];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        let refused = Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS);
        stage.fault(refused.forever());
        stage.send("t", 0);
        let (_, report) = stage.report().await;
        assert_eq!(report.error, ErrorCode::NOT_ENOUGH_REPLICAS);
        assert_eq!(stage.produced().len(), 3);
    });
}

#[test]
fn a_close_on_a_dead_cluster_ends_in_time_with_every_record_reported() {
    let settings = [("allow.auto.create.topics", "false")];
    play(2, &settings, |stage| async move {
        stage.topic("t", 2).await;
        stage.fault(silent(ApiKey::Produce).forever());
        stage.send("t", 0);
        stage.wait(ms(10)).await;
        stage.send("t", 1);
        stage.send_to("unknown", None, 2, b"12345678");
        let began = stage.now();
        stage.producer.close(Timeout::After(ms(700))).unwrap();
        let reports = stage.reports(3).await;
        assert!(is_at(reports[2].0 - began, 700));
        for (_, report) in &reports {
            assert_eq!(report.error, ErrorCode::CLOSED, "{report:?}");
            let persistence = match report.tag {
                0 => Persistence::Possibly,
                _ => Persistence::Not,
            };
            assert_eq!(report.persistence(), persistence, "{report:?}");
        }
    });
}

/// On a long way to the broker an idempotent partition keeps five batches on their way, and in order.
#[test]
fn five_idempotent_batches_fill_a_long_way() {
    let settings = [
        ("enable.idempotence", "true"),
        ("batch.size", "16000"),
        ("linger.ms", "5"),
    ];
    play(1, &settings, |stage| async move {
        stage.topic("t", 1).await;
        stage.mock.with(|cluster| cluster.set_round_trip(1, ms(50)));
        let began = stage.now();
        for tag in 0..100_000 {
            stage.send("t", tag);
        }
        let reports = stage.reports(100_000).await;
        let took = stage.now() - began;
        assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
        let requests = stage.produced();
        let largest = requests.iter().map(|r| r.batches[0].record_count).max();
        assert!((900..1100).contains(&largest.unwrap()), "{largest:?}");
        // Each was on its way for 50 ms: so many were at a time.
        let depth = requests.len() as f64 * 0.050 / took.as_secs_f64();
        assert!(depth > 4.5, "{depth:.2}");
        assert_eq!(stage.log("t", 0), (0..100_000).collect::<Vec<_>>());
    });
}

/// All that was on its way comes back at once. With the connection that is opened anew at once it goes again at once.
#[test]
fn a_lost_connection_costs_no_backoff_of_retries() {
    let settings = [("enable.idempotence", "true"), ("retry.backoff.ms", "2000")];
    play(1, &settings, |stage| async move {
        let began = five_on_their_way(&stage, None).await;
        stage.mock.disconnect(1);
        let reports = stage.reports(5).await;
        assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
        let took = at(reports[4].0 - began);
        assert!(took < 500, "{took} ms");
        assert_eq!(stage.log("t", 0), (0..=5).collect::<Vec<_>>());
    });
}

/// Five that come back with an error are one reason to wait, and not five, each twice as long as the last.
#[test]
fn batches_that_are_refused_together_wait_once() {
    let settings = [("enable.idempotence", "true"), ("retry.backoff.ms", "100")];
    play(1, &settings, |stage| async move {
        let refused = Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS);
        let began = five_on_their_way(&stage, Some(refused.times(5))).await;
        let reports = stage.reports(5).await;
        assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
        let took = at(reports[4].0 - began);
        assert!(took < 500, "{took} ms");
        assert_eq!(stage.log("t", 0), (0..=5).collect::<Vec<_>>());
    });
}

/// When the last of them was sent; 50 ms from their answers.
async fn five_on_their_way(stage: &Stage, fault: Option<Fault>) -> Duration {
    stage.topic("t", 1).await;
    stage.mock.with(|cluster| cluster.set_round_trip(1, ms(50)));
    stage.send("t", 0);
    stage.report().await;
    stage.mock.with(|cluster| cluster.clear_requests());
    if let Some(fault) = fault {
        stage.fault(fault);
    }
    for tag in 1..=5 {
        stage.send("t", tag);
        stage.wait(ms(3)).await;
    }
    assert_eq!(stage.produced().len(), 5, "five are on their way");
    stage.now()
}

/// A broker that answers about metadata and ends the connection on every Produce is not stormed.
#[test]
fn a_connection_that_every_batch_ends_is_opened_less_and_less_often() {
    for idempotent in ["false", "true"] {
        let settings = [("enable.idempotence", idempotent), ("linger.ms", "0")];
        play(1, &settings, |stage| async move {
            stage.topic("t", 1).await;
            let cut = FaultKind::Disconnect(When::BeforeWork);
            stage.fault(Fault::on(ApiKey::Produce).kind(cut).forever());
            stage.send("t", 0);
            stage.wait(ms(5000)).await;
            let attempts = stage.produced().len();
            assert!((5..=20).contains(&attempts), "{attempts} attempts");
            stage.mock.clear_faults();
            let (_, report) = stage.report().await;
            assert_eq!(report.error, ErrorCode::OK);
        });
    }
}
