//! One copy of each record, in order, with several batches in flight.

use std::collections::BTreeSet;
use std::time::Duration;

use kprod::error::ErrorCode;
use kprod::mock::{Fault, FaultKind, When};
use kprod::producer::Timeout;
use kprod::protocol::ApiKey;

use crate::support::{Bed, LONG, ok, until};

use super::{IDEMPOTENT, bed, deliver, epochs, produced, sequences};

#[test]
fn batches_carry_one_producer_id_and_consecutive_sequences() {
    let bed = Bed::new(1, &[IDEMPOTENT, ("linger.ms", "1000")]);
    bed.mock().create_topic("t", 1);
    for round in 0..3 {
        for tag in 0..5 {
            bed.send("t", round * 5 + tag);
        }
        bed.flush();
    }
    let batches = produced(bed.mock());
    let ids: BTreeSet<_> = batches
        .iter()
        .map(|b| (b.producer_id, b.producer_epoch))
        .collect();
    assert_eq!(ids.len(), 1);
    assert!(ids.iter().all(|(id, epoch)| *id >= 0 && *epoch == 0));
    assert_eq!(sequences(bed.mock(), 0), [0, 5, 10]);
    let acks: BTreeSet<_> = bed
        .mock()
        .requests(ApiKey::Produce)
        .iter()
        .map(|r| r.acks)
        .collect();
    assert_eq!(acks, BTreeSet::from([Some(-1)]));
}

#[test]
fn start_waits_for_the_producer_id_and_names_a_missing_permission() {
    let bed = bed(1, &[]);
    bed.mock().inject(
        Fault::on(ApiKey::InitProducerId)
            .error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS)
            .times(2),
    );
    bed.producer.start(Timeout::After(LONG)).unwrap();
    assert_eq!(bed.mock().requests(ApiKey::InitProducerId).len(), 3);

    let refused = self::bed(1, &[]);
    refused.mock().inject(
        Fault::on(ApiKey::InitProducerId)
            .error(ErrorCode::CLUSTER_AUTHORIZATION_FAILED)
            .forever(),
    );
    let error = refused.producer.start(Timeout::After(LONG)).unwrap_err();
    assert_eq!(error.code, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    let fatal = refused.producer.fatal_error().unwrap();
    assert_eq!(fatal.code, ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    assert!(
        error.message.contains("InitProducerId"),
        "{}",
        error.message
    );
}

#[test]
fn five_batches_are_in_flight_once_the_broker_has_answered_for_the_partition() {
    let bed = bed(1, &[("linger.ms", "0")]);
    deliver(&bed, 0..1);
    let before = produced(bed.mock()).len();
    bed.mock().with(|cluster| cluster.set_round_trip(1, LONG));
    for tag in 1..12 {
        bed.send("t", tag);
    }
    // The answers to these are a long time away.
    until("five requests have come", || {
        produced(bed.mock()).len() == before + 5
    });
    assert_eq!(bed.producer.metrics().requests_in_flight, 5);
    bed.mock()
        .with(|cluster| cluster.set_round_trip(1, Duration::ZERO));
    bed.mock().disconnect(1);
    bed.reports(11).iter().for_each(ok);
    assert_eq!(bed.log("t"), (0..12).collect::<Vec<_>>());
}

/// T1: a broker without state takes any batch as the first, so that a refused one before it would be lost.
#[test]
fn one_batch_is_in_flight_until_the_broker_has_answered() {
    let bed = bed(1, &[]);
    bed.producer.start(Timeout::After(LONG)).unwrap();
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .error(ErrorCode::NOT_ENOUGH_REPLICAS)
            .delay(Duration::from_millis(50)),
    );
    deliver(&bed, 0..20);
    assert_eq!(bed.log("t"), (0..20).collect::<Vec<_>>());
    assert_eq!(
        produced(bed.mock())[..2]
            .iter()
            .map(|b| b.base_sequence)
            .collect::<Vec<_>>(),
        [0, 0]
    );
}

/// T9: the same after the leader moved.
#[test]
fn after_a_move_of_the_leader_one_batch_goes_first() {
    let bed = bed(2, &[]);
    bed.mock().set_leader("t", 0, 1);
    deliver(&bed, 0..3);
    bed.mock()
        .with(|cluster| cluster.set_round_trip(1, Duration::from_millis(30)));
    for tag in 3..8 {
        bed.send("t", tag);
    }
    bed.mock().set_leader("t", 0, 2);
    bed.mock()
        .with(|cluster| cluster.set_round_trip(2, Duration::from_millis(30)));
    for tag in 8..20 {
        bed.send("t", tag);
    }
    bed.reports(17).iter().for_each(ok);
    assert_eq!(bed.log("t"), (0..20).collect::<Vec<_>>());
}

#[test]
fn a_refused_batch_and_those_behind_it_are_sent_again_in_order() {
    let bed = bed(1, &[("retry.backoff.ms", "1")]);
    deliver(&bed, 0..1);
    for round in 0..10u64 {
        bed.mock().inject(
            Fault::on(ApiKey::Produce)
                .error(ErrorCode::NOT_ENOUGH_REPLICAS)
                .times(1 + (round % 3) as u32),
        );
        deliver(&bed, 1 + round * 20..1 + (round + 1) * 20);
    }
    assert_eq!(bed.log("t"), (0..201).collect::<Vec<_>>());
    assert_eq!(epochs(bed.mock(), 0), [0]);
}

/// Scenarios 33 and 35: the broker has written what no answer came for.
#[test]
fn lost_answers_lead_to_no_second_copy_and_the_first_ones_offset() {
    let bed = bed(
        1,
        &[("request.timeout.ms", "200"), ("retry.backoff.ms", "1")],
    );
    deliver(&bed, 0..2);
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .kind(FaultKind::Swallow(When::AfterWork))
            .times(3),
    );
    let reports = deliver(&bed, 2..30);
    for report in &reports {
        assert_eq!(report.offset, report.tag as i64);
    }
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .kind(FaultKind::Disconnect(When::AfterWork))
            .times(4),
    );
    deliver(&bed, 30..60);
    assert_eq!(bed.log("t"), (0..60).collect::<Vec<_>>());
}

/// The first of five has its answer lost, the others get theirs.
#[test]
fn a_delivered_batch_behind_one_in_doubt_is_reported_after_it() {
    let bed = bed(1, &[("retry.backoff.ms", "1")]);
    deliver(&bed, 0..1);
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .partition("t", 0)
            .error_after_work(ErrorCode::REQUEST_TIMED_OUT),
    );
    let reports = deliver(&bed, 1..6);
    let tags: Vec<u64> = reports.iter().map(|report| report.tag).collect();
    assert_eq!(tags, [1, 2, 3, 4, 5]);
    assert_eq!(bed.log("t"), (0..6).collect::<Vec<_>>());
}

/// T5: the bytes of an attempt are those of the next, whatever has come meanwhile.
#[test]
fn a_batch_is_the_same_at_each_attempt() {
    let bed = Bed::new(
        1,
        &[IDEMPOTENT, ("linger.ms", "0"), ("compression.type", "zstd")],
    );
    bed.mock().create_topic("t", 1);
    bed.mock().inject(
        Fault::on(ApiKey::Produce)
            .error(ErrorCode::NOT_ENOUGH_REPLICAS)
            .times(3),
    );
    for tag in 0..50 {
        bed.send("t", tag);
    }
    bed.reports(50).iter().for_each(ok);
    let batches = produced(bed.mock());
    let first = batches[0].clone();
    assert!(batches[1..4].iter().all(|b| *b == first), "{batches:?}");
    assert_eq!(bed.log("t"), (0..50).collect::<Vec<_>>());
}

/// The second of two ends the producer, while the first is to be tried again.
#[test]
fn a_fatal_answer_does_not_let_its_batch_overtake() {
    let bed = bed(1, &[("retry.backoff.ms", "1000")]);
    deliver(&bed, 0..2);
    bed.mock().with(|cluster| {
        cluster.set_round_trip(1, Duration::from_millis(50));
        cluster.inject(Fault::on(ApiKey::Produce).error(ErrorCode::NOT_LEADER_OR_FOLLOWER));
        cluster.inject(Fault::on(ApiKey::Produce).error(ErrorCode::CLUSTER_AUTHORIZATION_FAILED));
    });
    bed.send("t", 2);
    bed.send("t", 3);
    let told: Vec<_> = bed.reports(2).iter().map(|r| (r.tag, r.error)).collect();
    assert_eq!(told, [(2, ErrorCode::FATAL), (3, ErrorCode::FATAL)]);
    bed.close();
}
