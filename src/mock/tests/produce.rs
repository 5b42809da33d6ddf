//! What the brokers accept, keep and refuse, and what consumers get.

use super::*;
use crate::protocol::fetch::{FetchPartition, FetchRequest, FetchTopic};
use crate::protocol::init_producer_id::InitProducerIdRequest;
use crate::protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use crate::record::reader::batches;
use crate::record::samples::{header, join, section};
use crate::record::{Attributes, BatchHeader};

#[test]
fn records_are_kept_as_they_came_in_every_codec_and_version() {
    let mut cluster = cluster(1);
    let now = recent(&cluster);
    let mut samples: Vec<Sample> = (0..50).map(|i| value("some text ", now + i % 3)).collect();
    samples[1] = Sample {
        timestamp: now - 9,
        key: Some(Vec::new()),
        value: None,
        headers: vec![("h".into(), None), ("h".into(), Some(b"2".to_vec()))],
    };
    let id = cluster.topic_id("t").expect("a topic");
    let mut end = 0;
    for version in 3..=13 {
        for codec in Codec::ALL
            .into_iter()
            .filter(|&c| c != Codec::Zstd || version >= 7)
        {
            let mut request = produce(-1, "t", 0, batch(&samples, codec));
            if version >= 13 {
                request.topics[0].topic_id = id;
                request.topics[0].name = String::new();
            }
            let answer = only_partition(ask(&mut cluster, 1, version, &request));
            assert_eq!(answer.error_code, 0, "{codec:?} v{version}: {answer:?}");
            assert_eq!(answer.base_offset, end);
            assert_eq!(answer.log_append_time_ms, -1);
            let kept = cluster.records("t", 0);
            for (sample, record) in samples.iter().zip(&kept[end as usize..]) {
                assert_eq!(record.offset, end);
                assert_eq!(record.timestamp, sample.timestamp);
                assert_eq!(record.timestamp_type, TimestampType::CreateTime);
                assert_eq!(record.key.as_deref(), sample.key.as_deref());
                assert_eq!(record.value.as_deref(), sample.value.as_deref());
                assert_eq!(record.headers.len(), sample.headers.len());
                end += 1;
            }
        }
    }
    assert_eq!(cluster.end_offset("t", 0), end);
}

#[test]
fn what_a_broker_refuses_is_refused() {
    let mut cluster = cluster(2);
    let (now, good) = (recent(&cluster), one(&cluster, "good"));
    let future = [value("a", now), value("b", now + 3_700_000)];
    let mut damaged = good.clone();
    *damaged.last_mut().expect("bytes") ^= 1;
    let samples = [value("x", now)];
    let wrong_count = BatchHeader {
        record_count: 2,
        last_offset_delta: 1,
        ..header(&samples, Codec::None)
    };
    let control = BatchHeader {
        attributes: Attributes(0x20),
        ..header(&samples, Codec::None)
    };
    let big = batch(&[value(&"v".repeat(1_100_000), now)], Codec::None);
    let table: Vec<(Vec<u8>, i16, &str)> = vec![
        (damaged, 2, "checksum"),
        (good[..good.len() - 1].to_vec(), 2, "left"),
        (Vec::new(), 2, "0 bytes left"),
        ([good.clone(), good.clone()].concat(), 87, "only batch"),
        (join(&wrong_count, &section(&samples)), 87, "2 records"),
        (join(&control, &section(&samples)), 87, "control"),
        (big, 10, "max.message.bytes"),
        (batch(&future, Codec::None), 32, "future"),
    ];
    for (records, code, says) in table {
        let answer = send(&mut cluster, 1, 0, records);
        let message = answer.error_message.clone().unwrap_or_default();
        assert_eq!(answer.error_code, code, "{message}");
        assert!(message.contains(says), "{message}");
        assert_eq!(answer.base_offset, -1);
        if code == 32 {
            let at_fault: Vec<i32> = answer.record_errors.iter().map(|e| e.batch_index).collect();
            assert_eq!(at_fault, [1]);
        }
    }
    let no_such = send(&mut cluster, 1, 9, good.clone());
    assert_eq!(no_such.error_code, 3);
    let acks = only_partition(ask(&mut cluster, 1, 11, &produce(2, "t", 0, good.clone())));
    assert_eq!(acks.error_code, 21);
    let zstd = batch(&vec![value("zzzzzz", now); 99], Codec::Zstd);
    let old = only_partition(ask(&mut cluster, 1, 6, &produce(1, "t", 0, zstd)));
    assert_eq!(old.error_code, 76);
    assert!(cluster.records("t", 0).is_empty());
}

#[test]
fn limits_are_the_topics_own() {
    let mut cluster = cluster(1);
    let small = TopicConfig::new(1).max_message_bytes(100);
    cluster.create_topic("small", &small);
    let records = batch(&[value(&"v".repeat(50), recent(&cluster))], Codec::None);
    let answer = ask(&mut cluster, 1, 8, &produce(1, "small", 0, records.clone()));
    assert_eq!(only_partition(answer).error_code, 10);
    let answer = ask(&mut cluster, 1, 8, &produce(1, "t", 0, records));
    assert_eq!(only_partition(answer).error_code, 0);
}

#[test]
fn log_append_time_is_the_brokers() {
    let mut cluster = cluster(1);
    let config = TopicConfig::new(1).timestamp_type(TimestampType::LogAppendTime);
    cluster.create_topic("appended", &config);
    let now = recent(&cluster);
    // A timestamp from the future does not matter here.
    let records = batch(&[value("a", 1), value("b", now + 10_000_000)], Codec::None);
    let answer = only_partition(ask(&mut cluster, 1, 9, &produce(1, "appended", 0, records)));
    let wall = cluster.wall_millis(NOW);
    assert_eq!((answer.error_code, answer.log_append_time_ms), (0, wall));
    for record in cluster.records("appended", 0) {
        assert_eq!(record.timestamp, wall);
        assert_eq!(record.timestamp_type, TimestampType::LogAppendTime);
    }
}

#[test]
fn acks_zero_answers_nothing_and_closes_on_an_error() {
    let mut cluster = cluster(2);
    let records = one(&cluster, "v");
    assert_eq!(
        act(&mut cluster, 1, 11, &produce(0, "t", 0, records.clone())),
        []
    );
    assert_eq!(values(&cluster, "t", 0), ["v"]);
    let refused = act(&mut cluster, 2, 11, &produce(0, "t", 0, records));
    assert_eq!(refused, [Action::Close { at: NOW }]);
    assert_eq!(values(&cluster, "t", 0), ["v"]);
}

#[test]
fn a_retry_of_an_idempotent_batch_is_recognised() {
    let mut cluster = cluster(1);
    let now = recent(&cluster);
    let request = InitProducerIdRequest::default();
    let first = ask(&mut cluster, 1, 4, &request).producer_id;
    let second = ask(&mut cluster, 1, 4, &request);
    assert_eq!((second.error_code, second.producer_epoch), (0, 0));
    assert_ne!(first, second.producer_id);

    let samples = [value("a", now), value("b", now + 2)];
    let with_sequence = |base_sequence| {
        let header = BatchHeader {
            producer_id: first,
            producer_epoch: 0,
            base_sequence,
            ..header(&samples, Codec::None)
        };
        join(&header, &section(&samples))
    };
    let appended = send(&mut cluster, 1, 0, with_sequence(0));
    assert_eq!((appended.base_offset, appended.log_append_time_ms), (0, -1));
    assert_eq!(send(&mut cluster, 1, 0, with_sequence(2)).base_offset, 2);
    let again = send(&mut cluster, 1, 0, with_sequence(0));
    // As Kafka answers it, on a CreateTime topic too.
    assert_eq!(
        (
            again.error_code,
            again.base_offset,
            again.log_append_time_ms
        ),
        (0, 0, now + 2)
    );
    assert_eq!(send(&mut cluster, 1, 0, with_sequence(6)).error_code, 45);
    assert_eq!(cluster.end_offset("t", 0), 4);
    cluster.forget_producers("t", 0);
    assert_eq!(send(&mut cluster, 1, 0, with_sequence(6)).error_code, 0);
}

#[test]
fn what_was_lost_may_be_sent_again_and_what_was_deleted_is_remembered() {
    let mut cluster = cluster(1);
    let samples = [value("a", recent(&cluster))];
    let with_sequence = |base_sequence| {
        let header = BatchHeader {
            producer_id: 7,
            producer_epoch: 0,
            base_sequence,
            ..header(&samples, Codec::None)
        };
        join(&header, &section(&samples))
    };
    for sequence in 0..4 {
        assert_eq!(
            send(&mut cluster, 1, 0, with_sequence(sequence)).error_code,
            0
        );
    }
    cluster.lose_records("t", 0, 2);
    assert_eq!(cluster.leader("t", 0), Some((1, 1)));
    let lost = send(&mut cluster, 1, 0, with_sequence(4));
    assert_eq!((lost.error_code, lost.log_start_offset), (45, 0));
    assert_eq!(send(&mut cluster, 1, 0, with_sequence(2)).base_offset, 2);

    cluster.delete_records("t", 0);
    let gap = send(&mut cluster, 1, 0, with_sequence(9));
    assert_eq!((gap.error_code, gap.log_start_offset), (45, 3));
    assert_eq!(send(&mut cluster, 1, 0, with_sequence(3)).base_offset, 3);

    cluster.set_version(1, KafkaVersion::V2_1);
    cluster.forget_producers("t", 0);
    let forgotten = only_partition(ask(
        &mut cluster,
        1,
        7,
        &produce(1, "t", 0, with_sequence(4)),
    ));
    assert_eq!((forgotten.error_code, forgotten.log_start_offset), (59, 3));
}

#[test]
fn producer_ids_are_new_whatever_is_asked_for() {
    let mut cluster = cluster(1);
    let bump = |id, epoch| InitProducerIdRequest {
        producer_id: id,
        producer_epoch: epoch,
        ..InitProducerIdRequest::default()
    };
    let bumped = ask(&mut cluster, 1, 4, &bump(1000, 3));
    assert_eq!((bumped.error_code, bumped.producer_epoch), (0, 0));
    assert_eq!(ask(&mut cluster, 1, 4, &bump(1000, -1)).error_code, 42);
    cluster.set_next_producer_epoch(32_766);
    let epochs = [0; 2].map(|_| ask(&mut cluster, 1, 4, &bump(-1, -1)).producer_epoch);
    assert_eq!(epochs, [32_766, 0]);
}

#[test]
fn who_does_not_lead_says_who_does() {
    let mut cluster = cluster(3);
    cluster.set_endpoint(3, "third", 33);
    cluster.set_leader("t", 0, 3);
    let request = produce(1, "t", 0, one(&cluster, "v"));
    let answer = ask(&mut cluster, 1, 10, &request);
    let [endpoint] = &answer.node_endpoints[..] else {
        panic!("{answer:?}");
    };
    assert_eq!(
        (endpoint.node_id, &*endpoint.host, endpoint.port),
        (3, "third", 33)
    );
    let partition = only_partition(answer);
    let hint = partition.current_leader.expect("a hint");
    assert_eq!(partition.error_code, 6);
    assert_eq!((hint.leader_id, hint.leader_epoch), (3, 1));
    let older = only_partition(ask(&mut cluster, 1, 9, &request));
    assert_eq!((older.error_code, older.current_leader), (6, None));
    assert_eq!(
        only_partition(ask(&mut cluster, 3, 10, &request)).error_code,
        0
    );
    let batch = &cluster.batches("t", 0)[0];
    assert_eq!(batch.header.partition_leader_epoch, 1);
}

#[test]
fn a_deleted_topics_id_is_unknown_for_ever() {
    let mut cluster = cluster(1);
    let old = cluster.topic_id("t").expect("a topic");
    let mut request = produce(1, "", 0, one(&cluster, "v"));
    request.topics[0].topic_id = old;
    assert!(cluster.delete_topic("t"));
    cluster.create_topic("t", &TopicConfig::new(1));
    assert_eq!(
        only_partition(ask(&mut cluster, 1, 13, &request)).error_code,
        100
    );
    request.topics[0].topic_id = cluster.topic_id("t").expect("a topic");
    assert_eq!(
        only_partition(ask(&mut cluster, 1, 13, &request)).error_code,
        0
    );
}

#[test]
fn requests_are_remembered_with_what_they_carried() {
    let mut cluster = cluster(1);
    let records = one(&cluster, "v");
    send(&mut cluster, 1, 0, records.clone());
    let entry = cluster.requests().last().expect("an entry").clone();
    assert_eq!(
        (entry.api, entry.version, entry.broker),
        (ApiKey::Produce, 11, 1)
    );
    assert_eq!(
        (entry.at, entry.acks, entry.correlation_id),
        (NOW, Some(1), 77)
    );
    assert_eq!(entry.client_id.as_deref(), Some("tests"));
    assert_eq!(entry.topics, ["t"]);
    assert_eq!(entry.batches.len(), 1);
    assert_eq!(
        (entry.batches[0].bytes, entry.batches[0].record_count),
        (records.len(), 1)
    );

    let mut few = MockCluster::new(ClusterConfig {
        kept_requests: 2,
        ..config(1)
    });
    for _ in 0..5 {
        ask(&mut few, 1, 4, &metadata_request(&[], false));
    }
    assert_eq!((few.requests().count(), few.request_count()), (2, 5));
}

fn fetch(cluster: &mut MockCluster, offset: i64, max_bytes: i32) -> (i16, Vec<i64>) {
    let request = FetchRequest {
        max_wait_ms: 500,
        topics: vec![FetchTopic {
            topic: "t".into(),
            partitions: vec![FetchPartition {
                fetch_offset: offset,
                partition_max_bytes: max_bytes,
                ..FetchPartition::default()
            }],
        }],
        ..FetchRequest::default()
    };
    let (mut answer, at) = ask_at(cluster, 1, 11, &request);
    let partition = answer.topics.remove(0).partitions.remove(0);
    let records = partition.records.unwrap_or_default();
    let offsets: Vec<i64> = batches(&records)
        .map(|batch| batch.expect("a batch").header.base_offset)
        .collect();
    assert_eq!(at > NOW, partition.error_code == 0 && offsets.is_empty());
    (partition.error_code, offsets)
}

fn list_offset(cluster: &mut MockCluster, timestamp: i64) -> i64 {
    let request = ListOffsetsRequest {
        topics: vec![ListOffsetsTopic {
            name: "t".into(),
            partitions: vec![ListOffsetsPartition {
                timestamp,
                ..ListOffsetsPartition::default()
            }],
        }],
        ..ListOffsetsRequest::default()
    };
    let mut answer = ask(cluster, 1, 5, &request);
    answer.topics.remove(0).partitions.remove(0).offset
}

#[test]
fn a_log_is_read_from_any_offset() {
    let mut cluster = cluster(1);
    let now = recent(&cluster) - 1000;
    let mut size = 0;
    for at in 0..5 {
        let records = batch(
            &[value("a", now + at * 10), value("b", now + at * 10 + 1)],
            Codec::None,
        );
        size = records.len() as i32;
        send(&mut cluster, 1, 0, records);
    }
    assert_eq!(fetch(&mut cluster, 0, i32::MAX), (0, vec![0, 2, 4, 6, 8]));
    assert_eq!(fetch(&mut cluster, 3, size * 2), (0, vec![2, 4]));
    assert_eq!(
        fetch(&mut cluster, 9, 1),
        (0, vec![8]),
        "one batch at least"
    );
    assert_eq!(fetch(&mut cluster, 10, i32::MAX), (0, vec![]));
    assert_eq!(fetch(&mut cluster, 11, i32::MAX), (1, vec![]));

    assert_eq!(list_offset(&mut cluster, -1), 10);
    assert_eq!(list_offset(&mut cluster, -2), 0);
    assert_eq!(list_offset(&mut cluster, now + 20), 4);
    assert_eq!(list_offset(&mut cluster, now + 21), 5);
    assert_eq!(list_offset(&mut cluster, now + 1000), -1);

    cluster.delete_records("t", 0);
    assert_eq!(list_offset(&mut cluster, -2), 10);
    assert_eq!(fetch(&mut cluster, 0, i32::MAX), (1, vec![]));
}

#[test]
fn the_oldest_batches_go_when_a_log_is_full() {
    let mut cluster = MockCluster::new(ClusterConfig {
        retention_bytes: 250,
        ..config(1)
    });
    cluster.create_topic("t", &TopicConfig::new(1));
    for i in 0..10 {
        let records = one(&cluster, &format!("{i}"));
        assert_eq!(send(&mut cluster, 1, 0, records).base_offset, i);
    }
    assert_eq!(values(&cluster, "t", 0), ["7", "8", "9"]);
    assert_eq!(cluster.start_offset("t", 0), 7);
}
