//! Scenario 41: a partition's sequence breaks while a batch of another may be in the log, or not.

use kprod::protocol::produce::ProduceResponse;

use crate::bed::{Bed, LONG, all_ok, ok, record_at};
use crate::detour::Detour;
use crate::ledger::Ledger;
use crate::pool::{Kind, Lease, shared};
use crate::support::consumer::Isolation;
use crate::support::peer::{Peer, batch, produce};
use crate::support::wait_for;

const TOPIC: &str = "scenario-41";

/// Two records in the producer's next place: the broker has another state from now on than the producer thinks.
fn take_place(cluster: &Lease, partition: i32, leader: i32) {
    let last = cluster.batches(leader, TOPIC, partition);
    let last = last.last().expect("the producer's batch");
    let next = last.base_sequence + last.count;
    let records = batch(last.producer_id, last.producer_epoch, next, 2, false);
    let request = produce(TOPIC, partition, records, None);
    let answer: ProduceResponse = Peer::connect(cluster.address(leader)).ask(8, &request);
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
}

#[test]
fn scenario_41_a_batch_in_doubt_is_not_written_twice_when_another_partition_begins_anew() {
    let cluster = shared(Kind::ThreeNodes);
    let admin = cluster.admin();
    admin.create_topic_at(TOPIC, &[&[1, 2, 3], &[2, 3, 1]], &[]);
    cluster.wait_topic(TOPIC, 2);
    let detour = Detour::before(&cluster, &[1]);
    let proxy = detour.proxy(cluster.address(1));
    let settings = [
        ("enable.idempotence", "true"),
        ("request.timeout.ms", "60000"),
    ];
    let bed = Bed::through(detour.clone(), &cluster.bootstrap(), &settings);
    let ledger = Ledger::new();
    let mut accepted = Vec::new();
    let mut send = |partition: u32, sequence: u32| {
        let tag = Ledger::tag(partition, sequence);
        let value = ledger.value(tag, 50);
        bed.send(&record_at(TOPIC, partition as i32, &value, tag));
        accepted.push(tag);
    };
    send(0, 0);
    send(1, 0);
    let mut reports = bed.reports(2);

    // The first partition's leader writes it and is not heard.
    let end = || {
        let ends = cluster.admin().offsets(TOPIC);
        ends[0].end
    };
    proxy.drop_answers();
    send(0, 1);
    wait_for("the record to be written", LONG, || {
        (end() == 2).then_some(())
    });
    take_place(&cluster, 1, 2);
    send(1, 1);
    let second = bed.reports(1);
    ok(&second[0]);
    assert_eq!(second[0].tag, Ledger::tag(1, 1));
    reports.extend(second);
    proxy.cut();
    proxy.heal();
    let doubtful = bed.reports(1);
    assert_eq!(
        (doubtful[0].tag, doubtful[0].offset),
        (Ledger::tag(0, 1), 1)
    );
    reports.extend(doubtful);
    for sequence in 2..10 {
        send(0, sequence);
        send(1, sequence);
    }
    reports.extend(bed.reports(16));
    all_ok(&reports);

    let log = cluster.consumer(Isolation::ReadUncommitted).read_all(TOPIC);
    let mut judgement = ledger.judge(accepted, &reports, &log);
    // Those that took the place.
    assert_eq!(std::mem::take(&mut judgement.foreign), [(1, 1), (1, 2)]);
    judgement.assert_clean();
    // Each partition has begun anew, the first one when nothing of it was in doubt.
    for (leader, partition, old) in [(1, 0, 2), (2, 1, 3)] {
        let batches = cluster.batches(leader, TOPIC, partition);
        let under_first: i32 = batches
            .iter()
            .filter(|batch| batch.producer_epoch == 0)
            .map(|batch| batch.count)
            .sum();
        assert_eq!(under_first, old);
        assert_eq!(batches.last().map(|batch| batch.producer_epoch), Some(1));
    }
}
