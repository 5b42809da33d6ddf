//! The tests' own tools: real clusters, the Java helper, kcat and the fault proxy do what other tests rely on.

mod support;

use std::process::{Command, Stdio};
use std::time::Duration;

use support::admin::java_partitions;
use support::consumer::{Digest, Isolation, TimestampType, by_partition};
use support::kafka::{KafkaCluster, Options, Version};
use support::kcat::kcat;
use support::proxy::Proxy;
use support::wait_for;

const LIMIT: Duration = Duration::from_secs(60);

/// Writes lines to a topic through kcat, one record each, and reads them back through Java.
fn produce_and_read(version: Version) {
    let cluster = KafkaCluster::start(version, 1, Options::default());
    cluster.create_topic("greetings", 1, &[]);
    let lines = "first\nsecond with ümlaut\nthird\n";
    let produce = [
        "-P",
        "-t",
        "greetings",
        "-H",
        "trace=abc",
        "-H",
        "trace=def",
    ];
    kcat(&cluster.bootstrap(), &produce, lines.as_bytes());

    let records = cluster
        .consumer(Isolation::ReadUncommitted)
        .read_all("greetings");
    let values: Vec<_> = records.iter().map(|r| r.value.clone()).collect();
    let wanted: Vec<_> = lines.lines().map(|line| Some(line.into())).collect();
    assert_eq!(values, wanted);
    let offsets: Vec<_> = records.iter().map(|r| (r.partition, r.offset)).collect();
    assert_eq!(offsets, [(0, 0), (0, 1), (0, 2)]);
    for record in &records {
        assert_eq!(record.key, None);
        assert_eq!(record.timestamp_type, TimestampType::CreateTime);
        let header = |value: &str| ("trace".to_string(), Some(value.as_bytes().to_vec()));
        assert_eq!(record.headers, [header("abc"), header("def")]);
    }

    let batches = cluster.batches(1, "greetings", 0);
    assert!(batches.iter().all(|batch| batch.valid), "{batches:?}");
    assert_eq!(batches.iter().map(|batch| batch.count).sum::<i32>(), 3);
}

#[test]
fn one_node_keeps_what_kcat_sends() {
    produce_and_read(Version::V4_3_1);
}

#[test]
fn kafka_3_9_works_too() {
    produce_and_read(Version::V3_9_1);
}

#[test]
fn kafka_2_8_with_zookeeper_works_too() {
    produce_and_read(Version::V2_8_2);
}

#[test]
fn null_and_empty_are_told_apart() {
    let cluster = KafkaCluster::start(Version::V4_3_1, 1, Options::default());
    cluster.create_topic("nulls", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let produce = ["-P", "-t", "nulls", "-K:", "-Z"];
    kcat(&cluster.bootstrap(), &produce, b"key:\nother:value\n");
    kcat(&cluster.bootstrap(), &["-P", "-t", "nulls", "-K:"], b":\n");

    let records = cluster.consumer(Isolation::ReadCommitted).read_all("nulls");
    assert_eq!(records[0].key.as_deref(), Some(b"key".as_slice()));
    assert_eq!(records[0].value, None);
    assert_eq!(records[2].value.as_deref(), Some(b"".as_slice()));
    for record in &records {
        assert_eq!(record.timestamp_type, TimestampType::LogAppendTime);
    }
    let digests = cluster
        .consumer(Isolation::ReadCommitted)
        .read_digests("nulls");
    assert_eq!(digests[1].value, Some(Digest::of(b"value")));
    assert_eq!(digests[0].value, None);
}

#[test]
fn administration_does_as_told() {
    let cluster = KafkaCluster::start(Version::V4_3_1, 1, Options::default());
    let admin = cluster.admin();
    cluster.create_topic("grows", 2, &[]);
    admin.create_partitions("grows", 5);
    cluster.wait_topic("grows", 5);
    let input: String = (0..10).map(|n| format!("{n}\n")).collect();
    kcat(
        &cluster.bootstrap(),
        &["-P", "-t", "grows", "-p", "3"],
        input.as_bytes(),
    );
    admin.delete_records("grows", 3, 4);
    let offsets = &admin.offsets("grows")[3];
    assert_eq!((offsets.start, offsets.end), (4, 10));

    admin.alter_topic("grows", &[("max.message.bytes", "1000")]);
    admin.producer_quota(Some("somebody"), Some(100_000));
    admin.producer_quota(Some("somebody"), None);
    assert_eq!(admin.leader("grows", 3), Some(1));
    assert_eq!(admin.quorum_leader(), 1);
    admin.delete_topic("grows");
    assert_eq!(admin.describe("grows"), []);
}

#[test]
fn java_names_the_partition_of_a_key() {
    // What Java's own test of its murmur2 expects of "21" is -973932308; 0x7fffffff & that, modulo 7, is 5.
    let expected = (-973_932_308_i32 & 0x7fff_ffff) % 7;
    assert_eq!(java_partitions(&[b"21", b""], 7)[0], expected);
}

#[test]
fn another_node_leads_when_the_leader_dies() {
    let cluster = KafkaCluster::start(Version::V4_3_1, 3, Options::default());
    cluster.create_topic("survivor", 1, &[]);
    let produce = ["-P", "-t", "survivor", "-X", "acks=all"];
    kcat(&cluster.bootstrap(), &produce, b"before\n");

    let old = cluster.leader("survivor", 0);
    cluster.kill(old);
    let new = cluster.leader("survivor", 0);
    assert_ne!(new, old);
    kcat(&cluster.bootstrap(), &produce, b"meanwhile\n");

    cluster.restart(old);
    cluster.admin().move_leader("survivor", 0, old);
    assert_eq!(cluster.leader("survivor", 0), old);

    let follower = if old == 1 { 2 } else { 1 };
    cluster.stop(follower);
    cluster.restart(follower);
    let records = cluster
        .consumer(Isolation::ReadUncommitted)
        .read_count("survivor", 2, LIMIT);
    let values: Vec<_> = records.into_iter().filter_map(|r| r.value).collect();
    assert_eq!(values, [b"before".to_vec(), b"meanwhile".to_vec()]);
}

#[test]
fn the_last_broker_misses_its_replicas() {
    let cluster = KafkaCluster::start(Version::V4_3_1, 3, Options::one_controller());
    cluster
        .admin()
        .create_topic_at("lonely", &[&[1, 2, 3]], &[("min.insync.replicas", "2")]);
    cluster.kill(2);
    cluster.kill(3);
    wait_for("the other replicas to be out of sync", LIMIT, || {
        (cluster.admin().describe("lonely")[0].isr == [1]).then_some(())
    });
    cluster.start_again(2);
    cluster.restart(3);
    wait_for("the replicas to be in sync", LIMIT, || {
        (cluster.admin().describe("lonely")[0].isr.len() == 3).then_some(())
    });
}

#[test]
fn a_broker_can_move_and_pause() {
    let cluster = KafkaCluster::start(Version::V4_3_1, 1, Options::default());
    let old = cluster.address(1);
    let entrance = Proxy::start(old);
    cluster.restart_elsewhere(1);
    assert_ne!(cluster.address(1), old);
    entrance.set_target(cluster.address(1));
    let list = ["-L", "-m", "10"];
    let seen = kcat(&entrance.address().to_string(), &list, b"");
    let seen = String::from_utf8_lossy(&seen).into_owned();
    assert!(seen.contains(&cluster.address(1).to_string()), "{seen}");

    cluster.pause(1);
    let mut kcat = Command::new("kcat")
        .args(["-b", &cluster.bootstrap(), "-L", "-m", "1"])
        .stderr(Stdio::null())
        .spawn()
        .expect("kcat runs");
    assert!(!kcat.wait().expect("kcat ends").success());
    cluster.resume(1);
    cluster.wait_ready();
}

#[test]
fn clients_pass_through_the_proxy_and_feel_its_faults() {
    let cluster = KafkaCluster::start(Version::V4_3_1, 1, Options::proxied());
    cluster.create_topic("far-away", 1, &[]);
    let proxy = cluster.proxy(1);
    let produce = ["-P", "-t", "far-away"];
    kcat(&cluster.bootstrap(), &produce, b"through\n");
    assert!(proxy.request_bytes() > 0 && proxy.answer_bytes() > 0);

    proxy.refuse();
    assert!(std::net::TcpStream::connect(proxy.address()).is_err());
    proxy.heal();
    kcat(&cluster.bootstrap(), &produce, b"again\n");

    let records = cluster
        .consumer(Isolation::ReadUncommitted)
        .read_all("far-away");
    let values: Vec<_> = by_partition(records)
        .remove(&0)
        .into_iter()
        .flatten()
        .filter_map(|r| r.value)
        .collect();
    assert_eq!(values, [b"through".to_vec(), b"again".to_vec()]);
}
