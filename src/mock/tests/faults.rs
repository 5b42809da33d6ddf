//! Faults strike what they are meant for, as often as they are meant to.

use super::*;
use crate::error::ErrorCode;

const LEADER: ErrorCode = ErrorCode::NOT_LEADER_OR_FOLLOWER;
const TIMED_OUT: ErrorCode = ErrorCode::REQUEST_TIMED_OUT;

/// Produces "v" to each of two partitions of "t", both led by broker 1; their error codes.
fn send_two(cluster: &mut MockCluster) -> [i16; 2] {
    let request = two(cluster);
    let mut answer = ask(cluster, 1, 11, &request);
    let partitions = answer.topics.remove(0).partitions;
    [partitions[0].error_code, partitions[1].error_code]
}

fn two(cluster: &mut MockCluster) -> ProduceRequest {
    let mut request = produce(1, "t", 0, one(cluster, "v"));
    let mut second = request.topics[0].partitions[0].clone();
    second.index = 1;
    request.topics[0].partitions.push(second);
    request
}

fn two_partitions() -> MockCluster {
    let mut cluster = MockCluster::new(config(2));
    cluster.create_topic("t", &TopicConfig::new(2));
    cluster.set_leader("t", 1, 1);
    cluster
}

fn kept(cluster: &MockCluster) -> [i64; 2] {
    [cluster.end_offset("t", 0), cluster.end_offset("t", 1)]
}

#[test]
fn an_error_strikes_its_partition_so_many_times() {
    let mut cluster = two_partitions();
    cluster.inject(
        Fault::on(ApiKey::Produce)
            .partition("t", 1)
            .times(2)
            .error(LEADER),
    );
    cluster.inject(
        Fault::on(ApiKey::Produce)
            .partition("t", 1)
            .error(TIMED_OUT),
    );
    cluster.inject(
        Fault::on(ApiKey::Produce)
            .partition("other", 0)
            .error(TIMED_OUT),
    );
    assert_eq!(send_two(&mut cluster), [0, 6]);
    assert_eq!(send_two(&mut cluster), [0, 6]);
    assert_eq!(send_two(&mut cluster), [0, 7]);
    assert_eq!(send_two(&mut cluster), [0, 0]);
    assert_eq!(kept(&cluster), [4, 1]);
    assert_eq!(cluster.waiting_faults(), 1);
}

#[test]
fn an_error_may_follow_the_work() {
    let mut cluster = two_partitions();
    cluster.inject(Fault::on(ApiKey::Produce).error_after_work(TIMED_OUT));
    assert_eq!(send_two(&mut cluster), [7, 7]);
    assert_eq!(kept(&cluster), [1, 1]);
}

#[test]
fn an_error_may_name_records() {
    let mut cluster = two_partitions();
    cluster.inject(
        Fault::on(ApiKey::Produce)
            .topic("t")
            .kind(FaultKind::Error(InjectedError {
                code: ErrorCode::INVALID_RECORD,
                when: When::BeforeWork,
                message: Some("no".into()),
                records: vec![(0, Some("bad".into()))],
            })),
    );
    let answer = send(&mut cluster, 1, 0, Vec::new());
    assert_eq!(
        (answer.error_code, answer.error_message.as_deref()),
        (87, Some("no"))
    );
    assert_eq!(answer.record_errors[0].batch_index, 0);
    assert_eq!(answer.record_errors[0].message.as_deref(), Some("bad"));
}

#[test]
fn faults_know_their_broker_and_api() {
    let mut cluster = two_partitions();
    cluster.inject(Fault::on(ApiKey::Produce).broker(2).error(TIMED_OUT));
    cluster.inject(
        Fault::on(ApiKey::Metadata)
            .topic("t")
            .error(ErrorCode::LEADER_NOT_AVAILABLE),
    );
    assert_eq!(send_two(&mut cluster), [0, 0]);
    let request = metadata_request(&["t", "u"], true);
    let codes = |answer: MetadataResponse| {
        answer
            .topics
            .iter()
            .map(|t| t.error_code)
            .collect::<Vec<_>>()
    };
    assert_eq!(codes(ask(&mut cluster, 1, 9, &request)), [5, 0]);
    assert_eq!(codes(ask(&mut cluster, 1, 9, &request)), [0, 0]);
    cluster.clear_faults();
    assert_eq!(cluster.waiting_faults(), 0);
}

#[test]
fn other_apis_answer_errors_too() {
    let mut cluster = two_partitions();
    let api_versions = ApiVersionsRequest {
        client_software_name: "n".into(),
        client_software_version: "v".into(),
    };
    cluster.inject(Fault::on(ApiKey::ApiVersions).error(ErrorCode::UNSUPPORTED_VERSION));
    assert_eq!(ask(&mut cluster, 1, 3, &api_versions).error_code, 35);
    cluster.inject(Fault::on(ApiKey::Metadata).error(ErrorCode::REBOOTSTRAP_REQUIRED));
    let request = metadata_request(&[], true);
    assert_eq!(ask(&mut cluster, 1, 13, &request).error_code, 129);
    let request = crate::protocol::init_producer_id::InitProducerIdRequest::default();
    cluster
        .inject(Fault::on(ApiKey::InitProducerId).error(ErrorCode::CLUSTER_AUTHORIZATION_FAILED));
    assert_eq!(ask(&mut cluster, 1, 4, &request).error_code, 31);
}

#[test]
fn answers_are_delayed_and_throttled() {
    let mut cluster = two_partitions();
    cluster.set_round_trip(1, millis(3));
    cluster.inject(
        Fault::on(ApiKey::Produce)
            .delay(millis(40))
            .throttle(millis(700)),
    );
    let request = two(&mut cluster);
    let (answer, at) = ask_at(&mut cluster, 1, 9, &request);
    assert_eq!((answer.throttle_time_ms, at), (700, NOW + millis(43)));
    let (answer, at) = ask_at(&mut cluster, 1, 9, &request);
    assert_eq!((answer.throttle_time_ms, at), (0, NOW + millis(3)));
}

#[test]
fn silence_and_disconnects_come_before_or_after_the_work() {
    let close = vec![Action::Close { at: NOW }];
    for (when, worked) in [(When::BeforeWork, 0), (When::AfterWork, 1)] {
        let mut cluster = two_partitions();
        let request = two(&mut cluster);
        cluster.inject(Fault::on(ApiKey::Produce).kind(FaultKind::Swallow(when)));
        assert_eq!(act(&mut cluster, 1, 9, &request), []);
        assert_eq!(kept(&cluster), [worked; 2]);
        cluster.inject(Fault::on(ApiKey::Produce).kind(FaultKind::Disconnect(when)));
        assert_eq!(act(&mut cluster, 1, 9, &request), close);
        assert_eq!(kept(&cluster), [2 * worked; 2]);
    }
}

#[test]
fn answers_are_damaged_as_told() {
    let mut cluster = two_partitions();
    let request = two(&mut cluster);
    let whole = match &act(&mut cluster, 1, 9, &request)[..] {
        [Action::Send { bytes, .. }] => bytes.clone(),
        other => panic!("{other:?}"),
    };
    let mut damage = |kind| {
        cluster.inject(Fault::on(ApiKey::Produce).kind(kind));
        let actions = act(&mut cluster, 1, 9, &request);
        let Some(Action::Send { bytes, .. }) = actions.first() else {
            panic!("{actions:?}");
        };
        (bytes.clone(), actions.len())
    };
    let garbage = Bytes::from_static(b"HTTP/1.1 400 Bad Request\r\n");
    assert_eq!(damage(FaultKind::Garbage(garbage.clone())), (garbage, 1));
    let (bytes, _) = damage(FaultKind::Truncate(3));
    assert_eq!(bytes[..4], [0, 0, 0, 7]);
    assert_eq!(bytes[4..], whole[4..11]);
    assert_eq!(damage(FaultKind::CutFrame(6)), (whole.slice(..6), 2));
    assert_eq!(damage(FaultKind::WrongCorrelationId).0[4..8], [0, 0, 0, 78]);
    assert_eq!(damage(FaultKind::HostileLength(-1)).0[..4], [255; 4]);
    assert_eq!(
        damage(FaultKind::HostileLength(i32::MAX)).0[..4],
        [127, 255, 255, 255]
    );
}
