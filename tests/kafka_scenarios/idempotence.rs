//! Scenarios 29, 38, 39 and 56: one idempotent producer on one node, whose network or topic goes, or whose numbers end.

use std::sync::Arc;
use std::time::Duration;

use kprod::completion::Report;
use kprod::error::ErrorCode;
use kprod::producer::Environment;

use crate::bed::{Bed, LONG, all_ok, record_at};
use crate::detour::Detour;
use crate::ledger::Ledger;
use crate::pool::{Kind, Lease, alone, shared};
use crate::support::consumer::{Batch, Isolation};
use crate::support::wait_for;

const PARTITIONS: u32 = 2;
const IDEMPOTENT: (&str, &str) = ("enable.idempotence", "true");
/// Small batches of a producer that waits for no answer for long.
const IMPATIENT: [(&str, &str); 4] = [
    IDEMPOTENT,
    ("request.timeout.ms", "500"),
    ("batch.size", "1000"),
    ("linger.ms", "2"),
];
const REQUEST_TIMEOUT: Duration = Duration::from_millis(500);
/// Between two records of a paced sender.
const PACE: Duration = Duration::from_millis(5);

/// One sender's records to the partitions of a topic in turn.
struct Load<'a> {
    bed: &'a Bed,
    ledger: Ledger,
    topic: &'a str,
    accepted: Vec<u64>,
    reports: Vec<Report>,
    next: u32,
}

impl<'a> Load<'a> {
    fn new(bed: &'a Bed, topic: &'a str) -> Load<'a> {
        Load {
            bed,
            ledger: Ledger::new(),
            topic,
            accepted: Vec::new(),
            reports: Vec::new(),
            next: 0,
        }
    }

    fn try_send(&mut self) -> Result<(), ErrorCode> {
        let partition = self.next % PARTITIONS;
        let tag = Ledger::tag(partition, self.next / PARTITIONS);
        let value = self.ledger.value(tag, 100);
        let record = record_at(self.topic, partition as i32, &value, tag);
        self.next += 1;
        self.bed.producer.send(&record)?;
        self.accepted.push(tag);
        Ok(())
    }

    fn send(&mut self, count: u32) {
        for _ in 0..count {
            self.try_send().expect("the send is accepted");
        }
    }

    /// Sends all the while.
    fn send_for(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / PACE.as_millis() {
            self.send(1);
            std::thread::sleep(PACE);
        }
    }

    /// Waits for all reports that are owed, and gives those that came.
    fn settle(&mut self) -> Vec<Report> {
        let owed = self.accepted.len() - self.reports.len();
        let came = self.bed.reports(owed);
        self.reports.extend(&came);
        came
    }

    fn read(&self, cluster: &Lease) -> Vec<crate::support::consumer::Record> {
        let consumer = cluster.consumer(Isolation::ReadUncommitted);
        consumer.read_all(self.topic)
    }

    fn judge_clean(&self, cluster: &Lease) {
        let log = self.read(cluster);
        let accepted = self.accepted.iter().copied();
        self.ledger
            .judge(accepted, &self.reports, &log)
            .assert_clean();
        assert_eq!(self.bed.producer.metrics().data_losses, 0);
        self.bed.assert_at_rest();
    }
}

/// A topic, and the way to it that can be cut.
fn by_detour(kind: Kind, topic: &str) -> (Lease, Arc<Detour>) {
    let cluster = shared(kind);
    cluster.create_topic(topic, PARTITIONS as i32, &[]);
    let detour = Detour::before(&cluster, &[1]);
    (cluster, detour)
}

/// Scenario 29: nothing expires, however long the network is gone, and everything is there once when it is back.
pub fn a_long_cut_costs_nothing(kind: Kind) {
    let topic = "scenario-29";
    let (cluster, detour) = by_detour(kind, topic);
    let proxy = detour.proxy(cluster.address(1));
    let bed = Bed::through(detour.clone(), &cluster.bootstrap(), &IMPATIENT);
    let mut load = Load::new(&bed, topic);
    load.send(200);
    all_ok(&load.settle());

    // The broker writes and is not heard, is not reached, is not there: each for longer than a request may take.
    proxy.drop_answers();
    load.send_for(2 * REQUEST_TIMEOUT);
    wait_for("a request to be sent again", LONG, || {
        (bed.producer.metrics().batch_retries > 0).then_some(())
    });
    proxy.refuse();
    load.send_for(3 * REQUEST_TIMEOUT);
    let early = bed.reports_now();
    assert!(early.is_empty(), "{early:?}");
    proxy.heal();
    load.send(200);
    all_ok(&load.settle());
    load.judge_clean(&cluster);
}

/// Scenario 29: with a time to deliver, what is late fails; what follows is delivered, and nothing is there twice.
pub fn what_is_late_fails_and_what_follows_is_delivered(kind: Kind) {
    let topic = "scenario-29-late";
    let (cluster, detour) = by_detour(kind, topic);
    let proxy = detour.proxy(cluster.address(1));
    let limits = [("delivery.timeout.ms", "1000"), ("max.block.ms", "60000")];
    let settings = [&IMPATIENT[..], &limits].concat();
    let bed = Bed::through(detour.clone(), &cluster.bootstrap(), &settings);
    let mut load = Load::new(&bed, topic);
    for written in [true, false] {
        wait_for("a record to be delivered", LONG, || {
            load.send(2);
            let came = load.settle();
            came.iter()
                .any(|report| report.error == ErrorCode::OK)
                .then_some(())
        });
        match written {
            true => proxy.drop_answers(),
            false => proxy.stall(),
        }
        load.send_for(4 * REQUEST_TIMEOUT);
        wait_for("what is late to fail", LONG, || {
            let came = bed.reports_now();
            load.reports.extend(&came);
            let failed = |report: &Report| report.error != ErrorCode::OK;
            came.iter().any(failed).then_some(())
        });
        proxy.heal();
        load.send(50);
        load.settle();
    }
    for partition in 0..PARTITIONS as i32 {
        wait_for("both partitions to go on", LONG, || {
            load.send(2);
            let came = load.settle();
            let good = |r: &Report| r.error == ErrorCode::OK && r.partition == partition;
            came.iter().any(good).then_some(())
        });
    }
    load.judge_clean(&cluster);
}

/// Scenario 38: records deleted and the producer forgotten by the broker are no reason to fail.
pub fn a_forgotten_producer_goes_on(kind: Kind) {
    let cluster = alone(kind);
    let topic = "scenario-38";
    cluster.create_topic(topic, PARTITIONS as i32, &[]);
    let bed = Bed::new(&cluster.bootstrap(), &[IDEMPOTENT]);
    let mut load = Load::new(&bed, topic);
    load.send(100);
    all_ok(&load.settle());
    let mut log = load.read(&cluster);
    let admin = cluster.admin();
    // One partition loses its records, too.
    admin.delete_records(topic, 0, 50);
    admin.alter_broker(None, &[("producer.id.expiration.ms", "500")]);
    for partition in 0..PARTITIONS as i32 {
        wait_for("the broker to forget the producer", LONG, || {
            (admin.producers(topic, partition) == 0).then_some(())
        });
    }
    admin.alter_broker(None, &[("producer.id.expiration.ms", "")]);
    load.send(100);
    all_ok(&load.settle());
    log.extend(load.read(&cluster).into_iter().filter(|r| r.offset >= 50));
    let accepted = load.accepted.iter().copied();
    let judgement = load.ledger.judge(accepted, &load.reports, &log);
    judgement.assert_clean();
    assert_eq!(bed.producer.metrics().data_losses, 0);
}

/// Scenario 39: behind the largest sequence number comes 0, between batches and within one, and with answers lost.
pub fn sequences_go_on_at_0_behind_the_largest(kind: Kind) {
    const FIRST: i32 = i32::MAX - 9;
    let cluster = shared(kind);
    let topic = "scenario-39";
    cluster.create_topic(topic, PARTITIONS as i32, &[]);
    let detour = Detour::before(&cluster, &[1]);
    let proxy = detour.proxy(cluster.address(1));
    let environment = Environment {
        first_sequence: FIRST,
        transport: detour.clone(),
        ..Environment::real()
    };
    let settings = [
        IDEMPOTENT,
        ("request.timeout.ms", "1000"),
        ("linger.ms", "20"),
    ];
    let bed = Bed::within(environment, &cluster.bootstrap(), &settings);
    let mut load = Load::new(&bed, topic);
    load.send(2);
    all_ok(&load.settle());
    // The broker has these, and the producer has to ask again.
    let answered = proxy.answer_bytes();
    proxy.drop_answers();
    load.send(40);
    wait_for("an answer to be lost", LONG, || {
        (proxy.answer_bytes() > answered).then_some(())
    });
    proxy.cut();
    proxy.heal();
    all_ok(&load.settle());
    load.send(40);
    all_ok(&load.settle());
    load.judge_clean(&cluster);
    for partition in 0..PARTITIONS as i32 {
        let batches = cluster.batches(1, topic, partition);
        let mut next = FIRST;
        for batch in &batches {
            assert_eq!((batch.base_sequence, batch.producer_epoch), (next, 0));
            next = next.wrapping_add(batch.count) & i32::MAX;
        }
        let wraps = |batch: &Batch| batch.base_sequence.checked_add(batch.count).is_none();
        assert!(batches.iter().any(wraps), "{batches:?}");
    }
}

/// Scenario 56: the topic is deleted and made again while records are sent.
pub fn a_topic_is_made_again_under_load(kind: Kind) {
    let cluster = shared(kind);
    let topic = "scenario-56";
    cluster.create_topic(topic, PARTITIONS as i32, &[]);
    let settings = [
        IDEMPOTENT,
        ("allow.auto.create.topics", "false"),
        ("batch.size", "1000"),
        ("linger.ms", "2"),
    ];
    let bed = Bed::new(&cluster.bootstrap(), &settings);
    let mut load = Load::new(&bed, topic);
    let delivered = |load: &mut Load<'_>, more: u64| {
        let until = bed.producer.metrics().records_delivered + more;
        wait_for("records to be delivered", LONG, || {
            // While there is no topic, sends may be refused.
            let _ = load.try_send();
            (bed.producer.metrics().records_delivered >= until).then_some(())
        });
    };
    load.send(500);
    delivered(&mut load, 500);
    std::thread::scope(|scope| {
        let made_again = scope.spawn(|| {
            cluster.admin().delete_topic(topic);
            cluster.create_topic(topic, PARTITIONS as i32, &[]);
        });
        while !made_again.is_finished() {
            let _ = load.try_send();
            std::thread::sleep(PACE);
        }
        made_again.join().expect("made again");
    });
    let before = load.accepted.len();
    load.send(200);
    delivered(&mut load, 200);
    load.settle();

    let log = load.read(&cluster);
    let accepted = load.accepted.iter().copied();
    let mut judgement = load.ledger.judge(accepted, &load.reports, &log);
    // What the old topic had is gone with it; nothing else is, and nothing of it stands between the new one's.
    let gone = std::mem::take(&mut judgement.lost);
    judgement.assert_clean();
    let late: Vec<u64> = load.accepted[before..].to_vec();
    assert!(late.iter().all(|tag| !gone.contains(tag)));
    assert!(
        load.reports[load.reports.len() - 200..]
            .iter()
            .all(|report| report.error == ErrorCode::OK)
    );
    for partition in 0..PARTITIONS {
        let of = |tag: &&u64| **tag >> 32 == u64::from(partition);
        let last_gone = gone.iter().filter(of).max();
        let first = cluster.batches(1, topic, partition as i32).remove(0);
        let record = log
            .iter()
            .find(|r| (r.partition, r.offset) == (partition as i32, first.base_offset))
            .expect("the first record");
        let tag = load.ledger.tag_of(record.value.as_deref());
        assert!(last_gone < tag.as_ref(), "{last_gone:?} {tag:?}");
        // A batch that the old one refused while it went is in doubt, and keeps its number.
        assert!(first.base_sequence >= 0);
    }
}
