//! Transactions of both versions: what coordinators and leaders allow, and what consumers then see.

use super::producer::*;
use super::*;
use crate::protocol::fetch::FetchPartitionData;
use crate::protocol::list_offsets::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};

#[test]
fn version_one_adds_what_it_writes_to_and_keeps_its_epoch() {
    let mut x = Producer::new(cluster(1));
    let first = (x.id, x.epoch);
    assert_eq!(x.add(3, "t"), OK);
    assert_eq!(x.add_group(3), OK);
    assert_eq!(x.produce(11, "a").error_code, OK);
    assert_eq!(x.commit_offset(4, -1, ""), OK);
    assert_eq!(x.state(), TransactionState::Ongoing);
    assert_eq!((x.committed().len(), x.offset()), (0, None));
    assert_eq!(x.cluster.last_stable_offset("t", 0), 0);
    let ended = x.end(4, true);
    assert_eq!((ended.error_code, ended.producer_id), (OK, -1));
    assert_eq!(x.end(4, true).error_code, OK, "a retry");
    assert_eq!(x.end(4, false).error_code, TXN_STATE);
    assert_eq!(x.state(), TransactionState::CompleteCommit);
    assert_eq!((x.committed(), x.offset()), (vec!["a".into()], Some(5)));

    assert_eq!(x.add(3, "t"), OK);
    assert_eq!(x.produce(11, "b").base_offset, 2);
    assert_eq!(x.end(4, false).error_code, OK);
    assert_eq!(
        (x.committed(), x.cluster.end_offset("t", 0)),
        (vec!["a".into()], 4)
    );
    assert_eq!((x.id, x.epoch), first);
    let batches = x.cluster.batches("t", 0);
    let markers: Vec<Option<bool>> = batches
        .iter()
        .map(|b| b.marker().map(|m| m.commit))
        .collect();
    assert_eq!(markers, [None, Some(true), None, Some(false)]);
    assert!(
        batches
            .iter()
            .all(|batch| batch.header.producer_epoch == first.1)
    );
}

#[test]
fn version_two_adds_by_itself_and_takes_a_new_epoch_each_time() {
    let mut x = Producer::new(cluster(1));
    let (id, epoch) = (x.id, x.epoch);
    for round in 0..3 {
        assert_eq!(x.epoch, epoch + round);
        assert_eq!(x.produce(12, &format!("{round}")).error_code, OK);
        assert_eq!(x.commit_offset(5, -1, ""), OK);
        let (old, answer) = (x.epoch, x.end(5, round != 1));
        assert_eq!((answer.producer_id, answer.producer_epoch), (id, old + 1));
        let again = x.end(5, round != 1);
        assert_eq!(again, answer, "a retry is recognised by its epoch");
        assert_eq!(x.end(5, round == 1).error_code, TXN_STATE);
        x.adopt(id, old + 1);
    }
    assert_eq!(x.committed(), ["0", "2"]);
    assert_eq!(x.offset(), Some(5));
    assert!(
        !x.cluster
            .requests()
            .any(|request| request.api == ApiKey::AddPartitionsToTxn)
    );
    assert_eq!(x.end(5, true).error_code, TXN_STATE, "nothing to commit");
    x.end_and_adopt(false);
    assert_eq!(x.epoch, epoch + 4);
}

/// Which code comes of a batch whose partition is not in the transaction.
#[test]
fn a_partition_that_was_not_added_is_refused_as_the_version_knows_it() {
    for (version, code) in [(9, TXN_STATE), (10, TXN_STATE), (11, ABORTABLE), (12, OK)] {
        let mut x = Producer::new(cluster(1));
        assert_eq!(
            x.produce(version, "a").error_code,
            code,
            "Produce v{version}"
        );
    }
    for (version, code) in [(3, TXN_STATE), (4, ABORTABLE), (5, OK)] {
        let mut x = Producer::new(cluster(1));
        assert_eq!(
            x.commit_offset(version, -1, ""),
            code,
            "TxnOffsetCommit v{version}"
        );
    }
    let mut old = Producer::new(MockCluster::new(ClusterConfig {
        version: KafkaVersion::V2_8,
        ..config(1)
    }));
    old.cluster.create_topic("t", &TopicConfig::new(1));
    assert_eq!(
        old.produce(9, "a").error_code,
        OK,
        "nobody asks the coordinator"
    );
}

#[test]
fn a_fenced_producer_hears_it_by_the_code_its_version_knows() {
    let fenced = |version: i16, from: i16| if version < from { OLD_EPOCH } else { FENCED };
    for version in 0..=5 {
        let mut x = Producer::new(cluster(1));
        let next = x.init(4, -1, -1);
        assert_eq!((next.producer_id, next.producer_epoch), (x.id, x.epoch + 1));
        // In version 5 an epoch that is one behind is a retry or an error of its own; in Empty it is fenced.
        assert_eq!(x.end(version, false).error_code, fenced(version, 2));
        assert_eq!(x.add_group(version.min(4)), fenced(version, 2));
        assert_eq!(x.add(version.min(3), "t"), fenced(version.min(3), 2));
        assert_eq!(x.produce(12, "a").error_code, OLD_EPOCH);
        assert_eq!(x.commit_offset(5, -1, ""), OLD_EPOCH);
        let bump = x.init(version.max(3), x.id, x.epoch);
        assert_eq!(bump.error_code, fenced(version.max(3), 4));
        x.id += 7;
        assert_eq!(x.end(version, false).error_code, MAPPING);
        assert_eq!(x.add(version.min(3), "t"), MAPPING);
        assert_eq!(x.produce(12, "a").error_code, MAPPING);
    }
}

#[test]
fn a_new_instance_aborts_what_the_old_one_left() {
    for (feature, produce, end) in [(1, 11, 4), (2, 12, 5)] {
        let mut x = Producer::new(cluster(1));
        x.cluster.set_feature("transaction.version", feature);
        x.cluster.set_marker_delay(millis(50));
        assert_eq!(x.add(3, "t"), OK);
        assert_eq!(x.produce(produce, "a").error_code, OK);
        for _ in 0..2 {
            assert_eq!(x.init(4, -1, -1).error_code, CONCURRENT);
        }
        assert_eq!(x.state(), TransactionState::PrepareAbort);
        assert_eq!(x.cluster.next_due(), Some(NOW + millis(50)));
        x.at += millis(50);
        let next = x.init(4, -1, -1);
        assert_eq!((next.error_code, next.producer_id), (OK, x.id));
        assert_eq!(next.producer_epoch, x.epoch + 2);
        assert_eq!(x.end(end, true).error_code, FENCED);
        assert_eq!(x.produce(produce, "b").error_code, OLD_EPOCH);
        assert_eq!(x.cluster.batches("t", 0).len(), 2);
        assert!(x.committed().is_empty());
    }
}

#[test]
fn while_markers_are_written_the_next_transaction_waits() {
    let mut x = Producer::new(cluster(1));
    x.cluster.set_marker_delay(millis(20));
    assert_eq!(x.produce(12, "a").error_code, OK);
    let ended = x.end(5, true);
    assert_eq!(x.end(5, true).error_code, CONCURRENT, "the retry too");
    x.adopt(ended.producer_id, ended.producer_epoch);
    assert_eq!(x.state(), TransactionState::PrepareCommit);
    assert_eq!(x.produce(12, "b").error_code, CONCURRENT);
    assert_eq!(x.produce(11, "b").error_code, 19, "as old clients retry it");
    assert_eq!(x.commit_offset(5, -1, ""), CONCURRENT);
    assert_eq!(x.add(3, "t"), CONCURRENT);
    assert!(x.committed().is_empty());
    x.at += millis(20);
    assert_eq!(x.produce(12, "b").error_code, OK);
    assert_eq!(x.committed(), ["a"]);
}

#[test]
fn markers_wait_for_leaders() {
    let mut cluster = cluster(2);
    cluster.move_coordinator(CoordinatorKind::Transaction, "x", 1, Duration::ZERO);
    let mut x = Producer::new(cluster);
    assert_eq!(x.produce(12, "a").error_code, OK);
    x.cluster.remove_leader("t", 0);
    x.end_and_adopt(true);
    assert_eq!(x.state(), TransactionState::PrepareCommit);
    x.cluster.set_leader("t", 0, 1);
    x.cluster.advance(NOW + millis(500));
    assert_eq!(x.state(), TransactionState::CompleteCommit);
    assert_eq!(x.committed(), ["a"]);
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    for (feature, produce, end, retry) in [(1, 11, 4, FENCED), (2, 12, 5, OK)] {
        let mut x = Producer::new(cluster(1));
        x.cluster.set_feature("transaction.version", feature);
        assert_eq!(x.add(3, "t"), OK);
        assert_eq!(x.produce(produce, "a").error_code, OK);
        assert_eq!(x.cluster.next_due(), Some(NOW + millis(10_000)));
        x.at += millis(10_001);
        assert_eq!(x.produce(produce, "b").error_code, OLD_EPOCH);
        assert_eq!(x.state(), TransactionState::CompleteAbort);
        assert_eq!(x.cluster.last_stable_offset("t", 0), 2);
        let committed = x.end(end, true).error_code;
        assert_eq!(committed, if feature == 1 { FENCED } else { TXN_STATE });
        assert_eq!(x.end(end, false).error_code, retry);
        let bumped = x.init(4, x.id, x.epoch);
        let (code, epoch) = if feature == 1 {
            (FENCED, -1)
        } else {
            (OK, x.epoch + 1)
        };
        assert_eq!((bumped.error_code, bumped.producer_epoch), (code, epoch));
    }
}

#[test]
fn epochs_are_bumped_retried_and_used_up() {
    let mut x = Producer::new(cluster(1));
    let bumped = x.init(4, x.id, x.epoch);
    assert_eq!(
        (bumped.producer_id, bumped.producer_epoch),
        (x.id, x.epoch + 1)
    );
    assert_eq!(x.init(4, x.id, x.epoch), bumped, "a retry");
    assert_eq!(x.init(4, x.id, -1).error_code, 42);
    assert_eq!(x.init(4, x.id + 1, 0).error_code, FENCED);

    x.cluster.set_transaction_epoch("x", 32_765);
    x.adopt(x.id, 32_765);
    let old = x.id;
    x.end_and_adopt(false);
    assert_eq!((x.id, x.epoch), (old, 32_766));
    assert_eq!(x.produce(12, "a").error_code, OK);
    let rotated = x.end(5, true);
    assert_ne!(rotated.producer_id, old);
    assert_eq!(rotated.producer_epoch, 0);
    assert_eq!(x.end(5, true), rotated, "a retry");
    x.adopt(rotated.producer_id, 0);
    assert_eq!(x.produce(12, "b").error_code, OK);
    x.end_and_adopt(true);
    assert_eq!(x.committed(), ["a", "b"]);
    let markers: Vec<i16> = x
        .cluster
        .batches("t", 0)
        .iter()
        .filter_map(StoredBatch::marker)
        .map(|m| m.producer_epoch)
        .collect();
    assert_eq!(markers, [32_767, 1]);

    x.cluster.set_transaction_epoch("x", 32_766);
    let next = x.init(4, x.id, 32_766);
    assert_eq!((next.error_code, next.producer_epoch), (OK, 0));
    assert_ne!(next.producer_id, x.id);
    assert_eq!(x.init(4, x.id, 32_766), next, "a retry");
}

#[test]
fn consumers_skip_what_is_aborted_and_wait_for_what_is_open() {
    let mut x = Producer::new(cluster(1));
    assert_eq!(x.produce(12, "aborted").error_code, OK);
    x.end_and_adopt(false);
    assert_eq!(x.produce(12, "kept").error_code, OK);
    x.end_and_adopt(true);
    assert_eq!(x.produce(12, "open").error_code, OK);
    let batches = |data: &FetchPartitionData| {
        let records = data.records.clone().unwrap_or_default();
        crate::record::reader::batches(&records).count()
    };
    let all = x.fetch(0);
    assert_eq!((batches(&all), all.aborted_transactions.clone()), (5, None));
    let committed = x.fetch(1);
    assert_eq!(batches(&committed), 4);
    assert_eq!(
        (committed.high_watermark, committed.last_stable_offset),
        (5, 4)
    );
    let aborted = committed.aborted_transactions.expect("a list");
    assert_eq!(aborted.len(), 1);
    assert_eq!((aborted[0].producer_id, aborted[0].first_offset), (x.id, 0));
    let mut end = |isolation_level| {
        let request = ListOffsetsRequest {
            isolation_level,
            topics: vec![ListOffsetsTopic {
                name: "t".into(),
                partitions: vec![ListOffsetsPartition::default()],
            }],
            ..ListOffsetsRequest::default()
        };
        x.ask(5, &request).topics[0].partitions[0].offset
    };
    assert_eq!((end(0), end(1)), (5, 4));
    assert_eq!(x.committed(), ["kept"]);
}

#[test]
fn sequences_begin_anew_after_a_marker_of_version_two() {
    let mut x = Producer::new(cluster(1));
    x.sequence = 3;
    assert_eq!(
        x.produce(12, "a").error_code,
        45,
        "without state it begins with 0"
    );
    x.sequence = 0;
    assert_eq!(x.produce(12, "a").error_code, OK);
    assert_eq!(x.produce(12, "b").error_code, OK);
    let ended = x.end(5, true);
    (x.id, x.epoch) = (ended.producer_id, ended.producer_epoch);
    assert_eq!(x.produce(12, "c").error_code, 45);
    x.sequence = 0;
    assert_eq!(x.produce(12, "c").error_code, OK);
}

#[test]
fn a_batch_that_failed_to_be_verified_is_not_overtaken() {
    let mut x = Producer::new(cluster(1));
    assert_eq!(x.add(3, "t"), OK);
    x.cluster
        .move_coordinator(CoordinatorKind::Transaction, "x", 1, millis(10));
    assert_eq!(x.produce(11, "a").error_code, 19);
    x.at += millis(10);
    x.sequence = 1;
    assert_eq!(x.produce(11, "b").error_code, 45);
    x.sequence = 0;
    assert_eq!(x.produce(11, "a").error_code, OK);
    assert_eq!(x.produce(11, "b").error_code, OK);
}
