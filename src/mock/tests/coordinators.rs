//! Coordinators: where they are, whom they refuse, and what groups commit.

use super::producer::*;
use super::*;
use crate::error::ErrorCode;
use crate::protocol::add_partitions_to_txn::{AddPartitionsToTxnRequest, AddPartitionsToTxnTopic};
use crate::protocol::find_coordinator::FindCoordinatorRequest;
use crate::protocol::init_producer_id::InitProducerIdRequest;

#[test]
fn what_cannot_be_initialised_is_refused() {
    let mut x = Producer::new(cluster(2).on_coordinator(1));
    for timeout in [0, 900_001, -5] {
        let request = InitProducerIdRequest {
            transactional_id: Some("x".into()),
            transaction_timeout_ms: timeout,
            ..InitProducerIdRequest::default()
        };
        assert_eq!(x.ask(4, &request).error_code, 50);
    }
    x.cluster
        .move_coordinator(CoordinatorKind::Transaction, "x", 2, millis(30));
    assert_eq!(x.init(4, -1, -1).error_code, 16);
    assert_eq!(x.end(5, true).error_code, 16);
    assert_eq!(x.add(3, "t"), 16);
    x.cluster
        .move_coordinator(CoordinatorKind::Transaction, "x", 1, millis(30));
    assert_eq!(x.init(4, -1, -1).error_code, 14);
    assert_eq!(
        x.produce(12, "a").error_code,
        19,
        "the leader cannot ask it yet"
    );
    x.at += millis(30);
    assert_eq!(x.init(4, -1, -1).error_code, OK);
}

impl MockCluster {
    fn on_coordinator(mut self, broker: i32) -> Self {
        for (kind, key) in [
            (CoordinatorKind::Transaction, "x"),
            (CoordinatorKind::Group, "g"),
        ] {
            self.move_coordinator(kind, key, broker, Duration::ZERO);
        }
        self
    }
}

#[test]
fn one_partition_that_is_refused_keeps_all_from_being_added() {
    let mut x = Producer::new(cluster(1));
    let mut request = AddPartitionsToTxnRequest {
        transactional_id: "x".into(),
        producer_id: x.id,
        producer_epoch: x.epoch,
        topics: vec![AddPartitionsToTxnTopic {
            name: "t".into(),
            partitions: vec![0, 9],
        }],
    };
    let codes = |x: &mut Producer, request: &AddPartitionsToTxnRequest| -> Vec<i16> {
        let answer = x.ask(3, request);
        answer.topics[0]
            .partitions
            .iter()
            .map(|p| p.error_code)
            .collect()
    };
    assert_eq!(codes(&mut x, &request), [55, 3]);
    x.cluster.grow_topic("t", 10);
    let denied = Fault::on(ApiKey::AddPartitionsToTxn).partition("t", 9);
    x.cluster
        .inject(denied.error(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    assert_eq!(codes(&mut x, &request), [55, 29]);
    assert_eq!(x.state(), TransactionState::Empty);
    assert_eq!(codes(&mut x, &request), [0, 0]);
    request.transactional_id = "unknown".into();
    assert_eq!(codes(&mut x, &request), [MAPPING, MAPPING]);
    assert_eq!(
        x.cluster.transaction("x").expect("known").partitions.len(),
        2
    );
}

#[test]
fn a_groups_members_are_checked() {
    let mut x = Producer::new(cluster(1));
    assert_eq!(x.commit_offset(5, 3, "m"), 22, "no such group");
    assert_eq!(x.commit_offset(5, -1, ""), OK);
    let member = |id: &str, instance: Option<&str>| GroupMember {
        id: id.into(),
        instance_id: instance.map(str::to_owned),
    };
    x.cluster
        .set_group("g", 3, &[member("m", None), member("s", Some("i"))]);
    let table = [
        (3, "m", None, OK),
        (3, "s", Some("i"), OK),
        (-1, "", None, OK),
        (2, "m", None, 22),
        (3, "gone", None, 25),
        (3, "m", Some("j"), 25),
        (3, "m", Some("i"), 82),
    ];
    for (generation, id, instance, code) in table {
        assert_eq!(
            x.commit_offset_as(5, generation, id, instance),
            code,
            "{id}"
        );
    }
    assert_eq!(x.offset(), None);
    x.end_and_adopt(false);
    assert_eq!(x.offset(), None, "an abort drops them");
    assert_eq!(x.commit_offset(5, 3, "m"), OK);
    x.end_and_adopt(true);
    assert_eq!(x.offset(), Some(5));
}

#[test]
fn coordinators_are_found_where_they_are() {
    let mut cluster = cluster(3);
    let find = |cluster: &mut MockCluster, version, kind, keys: &[&str]| {
        let request = FindCoordinatorRequest {
            key_type: kind,
            keys: keys.iter().map(|&key| key.to_owned()).collect(),
        };
        ask(cluster, 2, version, &request).coordinators
    };
    // "x" is 120 in Java, partition 20 of 50.
    for version in 0..=6 {
        let found = &find(&mut cluster, version, i8::from(version > 0), &["x"])[0];
        assert_eq!((found.error_code, found.node_id, found.port), (OK, 3, 9092));
    }
    cluster.move_coordinator(CoordinatorKind::Transaction, "x", 1, Duration::ZERO);
    let found = find(&mut cluster, 4, 1, &["x", "y"]);
    let nodes: Vec<(&str, i32)> = found.iter().map(|c| (&*c.key, c.node_id)).collect();
    assert_eq!(nodes, [("x", 1), ("y", 1)]);
    cluster.set_broker_state(1, BrokerState::Crashed);
    assert_eq!(find(&mut cluster, 4, 1, &["x"])[0].node_id, 1);
    cluster.set_broker_state(1, BrokerState::Down);
    assert_eq!(
        find(&mut cluster, 4, 1, &["x"])[0].node_id,
        2,
        "the next takes over"
    );
    let fault = Fault::on(ApiKey::FindCoordinator).key("x");
    cluster.inject(fault.error(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
    assert_eq!(find(&mut cluster, 4, 1, &["y"])[0].error_code, OK);
    assert_eq!(find(&mut cluster, 4, 1, &["x"])[0].error_code, 53);
    assert_eq!(find(&mut cluster, 4, 9, &["x"])[0].error_code, 42);
}

#[test]
fn faults_strike_before_or_after_the_work() {
    let mut x = Producer::new(cluster(1));
    let code = ErrorCode::COORDINATOR_LOAD_IN_PROGRESS;
    assert_eq!(x.produce(12, "a").error_code, OK);
    x.cluster.inject(Fault::on(ApiKey::EndTxn).error(code));
    assert_eq!(x.end(5, true).error_code, 14);
    assert_eq!(x.state(), TransactionState::Ongoing);
    x.cluster
        .inject(Fault::on(ApiKey::EndTxn).error_after_work(code));
    assert_eq!(x.end(5, true).error_code, 14);
    assert_eq!(x.state(), TransactionState::CompleteCommit);
    let fault = Fault::on(ApiKey::TxnOffsetCommit).key("g");
    x.cluster
        .inject(fault.error(ErrorCode::GROUP_AUTHORIZATION_FAILED));
    assert_eq!(x.commit_offset(5, -1, ""), 30);
    let ends: Vec<_> = x
        .cluster
        .requests()
        .filter_map(|r| r.committed.map(|c| (r.keys.clone(), c)))
        .collect();
    assert_eq!(ends, vec![(vec!["x".to_owned()], true); 2]);
}
