//! Brokers old and new, and clusters of both.

use std::time::Duration;

use kprod::mock::{ClusterConfig, Fault, KafkaVersion, MockServer};
use kprod::producer::{Callbacks, Record, Timeout, TopicRef};
use kprod::protocol::{ApiKey, VersionRange};

use crate::support::{log, ok, producer, record, reports, until};

fn server(brokers: i32, version: KafkaVersion) -> MockServer {
    let server = MockServer::start(ClusterConfig {
        brokers,
        version,
        ..ClusterConfig::default()
    })
    .unwrap();
    server.handle().create_topic("t", brokers);
    server
}

/// Sends ten records to each of `partitions` and says which versions of Produce were used.
fn versions_used(server: &MockServer, partitions: i32) -> Vec<i16> {
    let settings = [("compression.type", "zstd"), ("retry.backoff.ms", "5")];
    let producer = producer(server, &settings, Callbacks::default());
    for tag in 0..10u64 {
        for partition in 0..partitions {
            let value = tag.to_be_bytes();
            let sent = Record {
                partition: Some(partition),
                ..record("t", &value, tag)
            };
            producer.send(&sent).unwrap();
        }
    }
    let count = partitions as usize * 10;
    reports(&producer, count).iter().for_each(ok);
    for partition in 0..partitions {
        let stored = log(server.handle(), "t", partition);
        assert_eq!(stored, (0..10).collect::<Vec<_>>());
    }
    let requests = server.handle().requests(ApiKey::Produce);
    let mut versions: Vec<i16> = requests.iter().map(|request| request.version).collect();
    versions.sort_unstable();
    versions.dedup();
    versions
}

#[test]
fn the_newest_version_that_a_broker_offers_is_spoken() {
    for (version, produce) in [
        (KafkaVersion::V2_1, 7),
        (KafkaVersion::V2_8, 9),
        (KafkaVersion::V3_9, 11),
        (KafkaVersion::V4_3, 13),
    ] {
        let server = server(1, version);
        assert_eq!(versions_used(&server, 1), [produce], "{version:?}");
    }
}

#[test]
fn a_cluster_in_the_middle_of_an_upgrade_is_spoken_to_broker_by_broker() {
    let server = server(3, KafkaVersion::V2_8);
    server.handle().with(|cluster| {
        cluster.set_version(2, KafkaVersion::V4_3);
        cluster.set_version(3, KafkaVersion::V2_1);
    });
    let used = versions_used(&server, 3);
    assert!(used.contains(&7) && used.contains(&9), "{used:?}");
}

#[test]
fn a_broker_that_offers_ids_in_produce_but_gave_none_is_sent_names() {
    let server = server(1, KafkaVersion::V4_3);
    let without_ids = VersionRange { min: 0, max: 9 };
    server
        .handle()
        .with(|cluster| cluster.set_api_versions(1, ApiKey::Metadata, Some(without_ids)));
    assert_eq!(versions_used(&server, 1), [12]);
}

#[test]
fn many_topics_and_partitions_share_a_request() {
    for version in [KafkaVersion::V2_1, KafkaVersion::V4_3] {
        let server = server(1, version);
        for name in ["a", "b", "c"] {
            server.handle().create_topic(name, 4);
        }
        server.handle().create_topic("first", 1);
        let settings = [
            ("linger.ms", "600000"),
            ("max.in.flight.requests.per.connection", "1"),
        ];
        let producer = producer(&server, &settings, Callbacks::default());
        for name in ["a", "b", "c"] {
            producer
                .partitions_for(TopicRef::Name(name), Timeout::Configured)
                .unwrap();
        }
        // All are due when this one is answered.
        let first = Fault::on(ApiKey::Produce).delay(Duration::from_millis(500));
        server.handle().inject(first);
        producer.send(&record("first", b"12345678", 48)).unwrap();
        producer.flush_async(0).unwrap();
        until("the first is sent", || {
            server.handle().requests(ApiKey::Produce).len() == 1
        });
        for tag in 0..48u64 {
            let value = tag.to_be_bytes();
            let sent = Record {
                partition: Some((tag % 4) as i32),
                ..record(["c", "a", "b"][tag as usize % 3], &value, tag)
            };
            producer.send(&sent).unwrap();
        }
        producer.flush(Timeout::Configured).unwrap();
        reports(&producer, 50).iter().for_each(ok);
        let requests = server.handle().requests(ApiKey::Produce);
        assert_eq!(requests.len(), 2, "{version:?}");
        assert_eq!(requests[1].batches.len(), 12);
    }
}
