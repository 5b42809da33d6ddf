//! Metadata, versions, brokers that come and go.

use super::*;
use crate::protocol::VersionRange;
use crate::protocol::VersionSet;
use crate::protocol::metadata::MetadataTopic;
use proptest::prelude::*;

fn metadata(cluster: &mut MockCluster, version: i16, topics: &[&str]) -> MetadataResponse {
    ask(cluster, 1, version, &metadata_request(topics, true))
}

fn topic(cluster: &mut MockCluster, name: &str) -> MetadataTopic {
    metadata(cluster, 12, &[name]).topics.remove(0)
}

#[test]
fn every_version_tells_brokers_topics_and_leaders() {
    let mut cluster = cluster(3);
    cluster.set_leader("t", 1, 3);
    for version in 1..=13 {
        let answer = metadata(&mut cluster, version, &["t"]);
        assert_eq!(answer.brokers.len(), 3);
        assert_eq!(
            (&*answer.brokers[1].host, answer.brokers[1].port),
            ("10.0.0.2", 9092)
        );
        let topic = &answer.topics[0];
        let leaders: Vec<i32> = topic.partitions.iter().map(|p| p.leader_id).collect();
        assert_eq!((topic.error_code, leaders), (0, vec![1, 3, 3]));
        let epoch = if version >= 7 { 1 } else { -1 };
        assert_eq!(topic.partitions[1].leader_epoch, epoch);
        assert_eq!(topic.topic_id.is_zero(), version < 10);
    }
}

#[test]
fn topics_are_created_when_that_is_allowed() {
    let mut cluster = MockCluster::new(ClusterConfig {
        auto_create_delay: millis(100),
        default_partitions: 2,
        ..config(1)
    });
    let ask_for = |cluster: &mut MockCluster, create| {
        let request = metadata_request(&["new"], create);
        ask(cluster, 1, 12, &request).topics.remove(0)
    };
    assert_eq!(ask_for(&mut cluster, false).error_code, 3);
    assert_eq!(ask_for(&mut cluster, true).error_code, 5, "not there yet");
    let request = metadata_request(&["new"], false);
    let actions = cluster.handle(1, 1, NOW + millis(100), frame_of(&request, 12, 1));
    let [Action::Send { bytes, .. }] = &actions[..] else {
        panic!("{actions:?}");
    };
    let made = response::<MetadataRequest>(12, 1, bytes).topics.remove(0);
    assert_eq!((made.error_code, made.partitions.len()), (0, 2));

    for name in ["", ".", "..", "a b", "ä", &"x".repeat(250)] {
        assert_eq!(topic(&mut cluster, name).error_code, 17, "{name:?}");
    }
    let mut closed = MockCluster::new(ClusterConfig {
        auto_create_topics: false,
        ..config(1)
    });
    assert_eq!(topic(&mut closed, "new").error_code, 3);
}

#[test]
fn topics_are_found_by_id() {
    let mut cluster = cluster(1);
    let by_id = |id| MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            topic_id: id,
            name: None,
        }]),
        ..MetadataRequest::default()
    };
    let id = cluster.topic_id("t").expect("a topic");
    let found = ask(&mut cluster, 1, 12, &by_id(id)).topics.remove(0);
    assert_eq!((found.error_code, found.name.as_deref()), (0, Some("t")));
    let unknown = ask(&mut cluster, 1, 12, &by_id(Uuid([9; 16])))
        .topics
        .remove(0);
    assert_eq!(
        (unknown.error_code, unknown.name, unknown.topic_id),
        (100, None, Uuid([9; 16]))
    );
}

#[test]
fn a_broker_that_is_down_leads_nothing_and_one_that_crashed_seems_to() {
    let mut cluster = cluster(2);
    cluster.set_broker_state(2, BrokerState::Crashed);
    assert_eq!(topic(&mut cluster, "t").partitions[1].leader_id, 2);
    cluster.set_broker_state(2, BrokerState::Down);
    let answer = metadata(&mut cluster, 12, &["t"]);
    assert_eq!(answer.brokers.len(), 1);
    let partition = &answer.topics[0].partitions[1];
    assert_eq!((partition.error_code, partition.leader_id), (5, -1));
    let dead = act(&mut cluster, 2, 12, &metadata_request(&["t"], true));
    assert_eq!(dead, [Action::Close { at: NOW }]);
    cluster.set_broker_state(2, BrokerState::Up);
    assert_eq!(topic(&mut cluster, "t").partitions[1].leader_id, 2);
    cluster.remove_leader("t", 1);
    let partition = topic(&mut cluster, "t").partitions.remove(1);
    assert_eq!(
        (
            partition.error_code,
            partition.leader_id,
            partition.leader_epoch
        ),
        (5, -1, 1)
    );
}

#[test]
fn partitions_are_added_and_old_ones_stay() {
    let mut cluster = cluster(2);
    let records = one(&cluster, "v");
    send(&mut cluster, 1, 0, records);
    cluster.grow_topic("t", 5);
    assert_eq!(topic(&mut cluster, "t").partitions.len(), 5);
    assert_eq!(values(&cluster, "t", 0), ["v"]);
    cluster.grow_topic("t", 1);
    assert_eq!(cluster.partition_count("t"), 5);
}

#[test]
fn versions_are_negotiated_as_with_the_release_imitated() {
    let offer = |cluster: &mut MockCluster, version| {
        let request = ApiVersionsRequest {
            client_software_name: "kprod".into(),
            client_software_version: "1".into(),
        };
        ask(cluster, 1, version, &request)
    };
    let mut cluster = cluster(1);
    let set = VersionSet::new(&offer(&mut cluster, 4));
    assert_eq!(set.pick(ApiKey::Produce, i16::MAX), Some(13));
    assert_eq!(set.pick(ApiKey::AddPartitionsToTxn, i16::MAX), Some(3));
    assert_eq!(set.pick(ApiKey::EndTxn, i16::MAX), Some(5));
    assert_eq!(set.feature("transaction.version"), 2);
    cluster.set_feature("transaction.version", 0);
    let lowered = VersionSet::new(&offer(&mut cluster, 4));
    assert_eq!(lowered.feature("transaction.version"), 0);
    assert!(lowered.features_epoch() > set.features_epoch());

    cluster.set_version(1, KafkaVersion::V2_1);
    let unknown = offer(&mut cluster, 4);
    assert_eq!(unknown.error_code, 35);
    assert_eq!(
        (unknown.api_keys[0].api_key, unknown.api_keys[0].max_version),
        (18, 2)
    );
    let set = VersionSet::new(&offer(&mut cluster, 2));
    assert_eq!(set.pick(ApiKey::Produce, i16::MAX), Some(7));
    assert_eq!(set.pick(ApiKey::Metadata, i16::MAX), Some(7));
    let newer = act(&mut cluster, 1, 12, &metadata_request(&["t"], true));
    assert_eq!(newer, [Action::Close { at: NOW }]);

    cluster.set_api_versions(1, ApiKey::Metadata, Some(VersionRange { min: 4, max: 4 }));
    cluster.set_api_versions(1, ApiKey::InitProducerId, None);
    let set = VersionSet::new(&offer(&mut cluster, 0));
    assert_eq!(set.pick(ApiKey::Metadata, i16::MAX), Some(4));
    assert_eq!(set.pick(ApiKey::InitProducerId, i16::MAX), None);
}

#[test]
fn what_is_not_a_request_closes_the_connection() {
    let mut cluster = cluster(1);
    let close = [Action::Close { at: NOW }];
    let whole = frame_of(&metadata_request(&["t"], true), 12, 1);
    for cut in 0..whole.len() - 1 {
        assert_eq!(
            cluster.handle(1, 1, NOW, whole.slice(..cut)),
            close,
            "cut at {cut}"
        );
    }
    let http = Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n");
    assert_eq!(cluster.handle(1, 1, NOW, http), close);
    assert_eq!(cluster.handle(99, 1, NOW, whole), close);
}

proptest! {
    #[test]
    fn damaged_requests_never_panic(at: usize, to: u8, cut: usize, version in 3i16..=13) {
        let mut cluster = cluster(1);
        let records = one(&cluster, "v");
        for frame in [
            frame_of(&produce(1, "t", 0, records.clone()), version, 1),
            frame_of(&metadata_request(&["t", "u"], true), version, 1),
        ] {
            let mut frame = frame.to_vec();
            let at = at % frame.len();
            frame[at] = to;
            frame.truncate(frame.len() - cut % 3 * (cut % frame.len() / 2));
            cluster.handle(1, 1, NOW, Bytes::from(frame));
        }
    }
}
