//! Transactions on real brokers beyond the numbered scenarios: what other clients' tests show on theirs
//! (docs/testing-peers.md).

use kprod::error::{Class, ErrorCode};
use kprod::producer::{GroupMetadata, GroupOffset, Offsets, Timeout};

use crate::bed::{Bed, LONG, all_ok, record_at};
use crate::pool::{Kind, Lease, shared};
use crate::support::consumer::Isolation;
use crate::support::wait_for;

const WAIT: Timeout = Timeout::After(LONG);

struct Stage {
    cluster: Lease,
    topic: String,
}

impl Stage {
    fn new(kind: Kind, name: &str) -> Stage {
        let cluster = shared(kind);
        let topic = format!("transactions-more-{name}");
        cluster.create_topic(&topic, 1, &[]);
        Stage { cluster, topic }
    }

    fn bed(&self, settings: &[(&str, &str)]) -> Bed {
        let mut all = vec![("transactional.id", &*self.topic)];
        all.extend_from_slice(settings);
        Bed::new(&self.cluster.bootstrap(), &all)
    }

    /// A transaction with these records, or what becomes of it.
    fn transact(&self, bed: &Bed, tags: std::ops::Range<u64>, commit: bool) {
        bed.producer.begin_transaction(WAIT).expect("begun");
        let count = tags.end - tags.start;
        for tag in tags {
            bed.send(&record_at(&self.topic, 0, tag.to_string().as_bytes(), tag));
        }
        bed.flush();
        all_ok(&bed.reports(count as usize));
        match commit {
            true => bed.producer.commit_transaction(WAIT).expect("committed"),
            false => bed.producer.abort_transaction(WAIT).expect("aborted"),
        }
    }

    #[track_caller]
    fn expect_committed(&self, expected: &[u64]) {
        wait_for("the committed records", LONG, || {
            let consumer = self.cluster.consumer(Isolation::ReadCommitted);
            let read = consumer.read_all(&self.topic);
            let tags: Vec<u64> = read
                .iter()
                .map(|record| {
                    let value = record.value.as_deref().expect("a value");
                    let text = std::str::from_utf8(value).expect("digits");
                    text.parse().expect("a number")
                })
                .collect();
            (tags == expected).then_some(())
        });
    }

    fn producer_ids(&self) -> Vec<i64> {
        let batches = self.cluster.batches(1, &self.topic, 0);
        let mut ids: Vec<i64> = batches
            .iter()
            .filter(|batch| !batch.control)
            .map(|batch| batch.producer_id)
            .collect();
        ids.dedup();
        ids
    }
}

/// Every codec, committed and aborted, and one instance after the other: all under one producer id.
fn instances_share_an_id(kind: Kind) {
    let stage = Stage::new(kind, "codecs");
    let mut expected = Vec::new();
    for (round, codec) in ["none", "gzip", "snappy", "lz4", "zstd"]
        .into_iter()
        .enumerate()
    {
        let bed = stage.bed(&[("compression.type", codec), ("linger.ms", "5")]);
        let first = round as u64 * 100;
        stage.transact(&bed, first..first + 50, true);
        stage.transact(&bed, first + 50..first + 80, false);
        expected.extend(first..first + 50);
    }
    stage.expect_committed(&expected);
    assert_eq!(stage.producer_ids().len(), 1);
}

#[test]
fn instances_share_an_id_kafka_4_3() {
    instances_share_an_id(Kind::OneNode);
}

#[test]
fn instances_share_an_id_kafka_3_9() {
    instances_share_an_id(Kind::Kafka3);
}

/// Transactions of nothing, or of nothing but offsets, ended in both ways.
fn transactions_without_records(kind: Kind) {
    let stage = Stage::new(kind, "without");
    let bed = stage.bed(&[]);
    for round in 0..8i64 {
        bed.producer.begin_transaction(WAIT).expect("begun");
        if round % 2 == 0 {
            let offsets = Offsets {
                group: GroupMetadata {
                    group_id: "group-without".into(),
                    generation_id: -1,
                    member_id: "".into(),
                    group_instance_id: None,
                },
                offsets: vec![GroupOffset {
                    topic: stage.topic.clone(),
                    partition: 0,
                    offset: round,
                    leader_epoch: -1,
                    metadata: None,
                }],
            };
            let sent = bed.producer.send_offsets_to_transaction(offsets, WAIT);
            sent.expect("sent");
        }
        match round % 4 < 2 {
            true => bed.producer.commit_transaction(WAIT).expect("committed"),
            false => bed.producer.abort_transaction(WAIT).expect("aborted"),
        }
    }
    stage.transact(&bed, 0..10, true);
    stage.expect_committed(&(0..10).collect::<Vec<_>>());
}

#[test]
fn transactions_without_records_kafka_4_3() {
    transactions_without_records(Kind::OneNode);
}

#[test]
fn transactions_without_records_kafka_3_9() {
    transactions_without_records(Kind::Kafka3);
}

/// The older of two instances, which sends when it has been fenced or only then hears of it.
fn a_fenced_instance_writes_nothing(kind: Kind) {
    let stage = Stage::new(kind, "fenced");
    let old = stage.bed(&[]);
    old.producer.begin_transaction(WAIT).expect("begun");
    let send = |tag: u64| {
        let value = tag.to_string();
        old.producer
            .send(&record_at(&stage.topic, 0, value.as_bytes(), tag))
    };
    send(0).expect("accepted");
    old.flush();
    all_ok(&old.reports(1));
    let new = stage.bed(&[]);
    stage.transact(&new, 1..10, true);
    if send(99).is_ok() {
        old.flush();
        assert_ne!(old.reports(1)[0].error, ErrorCode::OK);
    }
    old.producer.commit_transaction(WAIT).expect_err("fenced");
    let error = old.producer.abort_transaction(WAIT).expect_err("fenced");
    assert_eq!(error.class, Class::Fatal, "{error:?}");
    stage.transact(&new, 10..20, true);
    stage.expect_committed(&(1..20).collect::<Vec<_>>());
}

#[test]
fn a_fenced_instance_writes_nothing_kafka_4_3() {
    a_fenced_instance_writes_nothing(Kind::OneNode);
}

#[test]
fn a_fenced_instance_writes_nothing_kafka_3_9() {
    a_fenced_instance_writes_nothing(Kind::Kafka3);
}

/// The records of earlier transactions are deleted, and with them what the broker may know of the producer.
fn records_are_deleted_between_transactions(kind: Kind) {
    let stage = Stage::new(kind, "deleted");
    let bed = stage.bed(&[]);
    for round in 0..3u64 {
        let first = round * 10;
        stage.transact(&bed, first..first + 10, true);
        stage.expect_committed(&(first..first + 10).collect::<Vec<_>>());
        let end = stage.cluster.admin().offsets(&stage.topic)[0].end;
        stage.cluster.admin().delete_records(&stage.topic, 0, end);
    }
    assert_eq!(bed.producer.metrics().data_losses, 0);
    assert!(bed.producer.fatal_error().is_none());
}

#[test]
fn records_are_deleted_between_transactions_kafka_4_3() {
    records_are_deleted_between_transactions(Kind::OneNode);
}

#[test]
fn records_are_deleted_between_transactions_kafka_3_9() {
    records_are_deleted_between_transactions(Kind::Kafka3);
}
