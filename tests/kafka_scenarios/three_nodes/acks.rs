//! Scenarios 26 and 27: what each kind of acks promises while brokers die and come back.

use std::time::{Duration, Instant};

use kprod::completion::{Persistence, Report};
use kprod::error::ErrorCode;
use kprod::producer::{Producer, Timeout};

use crate::bed::{Bed, LONG, all_ok, record, record_at};
use crate::ledger::Ledger;
use crate::pool::{Kind, Lease, alone, shared};
use crate::support::consumer::Isolation;
use crate::support::kafka::KafkaCluster;
use crate::support::wait_for;

#[test]
fn scenario_26_without_acks_records_arrive_and_a_restart_is_survived() {
    let cluster = alone(Kind::ThreeNodes);
    let topic = "scenario-26";
    // Its only replica goes down with the broker.
    cluster.admin().create_topic_at(topic, &[&[2]], &[]);
    cluster.wait_topic(topic, 1);
    let bed = Bed::new(&cluster.bootstrap(), &[("acks", "0")]);
    let ledger = Ledger::new();
    let tag = |n| Ledger::tag(0, n);
    let send = |n| bed.send(&record(topic, &ledger.value(tag(n), 32), tag(n)));
    let consumer = cluster.consumer(Isolation::ReadUncommitted);

    (0..100).for_each(send);
    let mut reports = bed.reports(100);
    // Known to be written before the broker dies, which would take what is on its way along.
    consumer.read_count(topic, 100, LONG);
    cluster.kill(2);
    cluster.restart(2);
    assert_eq!(cluster.leader(topic, 0), 2);
    wait_for_connection(&bed.producer, || {
        let n = reports.len() as u32;
        send(n);
        reports.extend(bed.reports(1));
        consumer.read_all(topic).len()
    });
    let before = reports.len() as u32;
    (before..before + 100).for_each(send);
    reports.extend(bed.reports(100));
    for report in &reports {
        assert_eq!(report.error, ErrorCode::OK, "{report:?}");
        assert_eq!(report.offset, -1);
        assert_eq!(report.persistence(), Persistence::Possibly);
    }
    let last = tag(before + 99);
    let read = wait_for("the last record to arrive", LONG, || {
        let read = consumer.read_all(topic);
        let wanted = ledger.value(last, 32);
        let arrived = read
            .last()
            .is_some_and(|record| record.value.as_ref() == Some(&wanted));
        arrived.then_some(read)
    });
    let judgement = ledger.judge((0..before + 100).map(tag), &reports, &read);
    // Only of those sent while the dead connection was not yet known to be dead may some be lost.
    let lost = judgement
        .lost
        .iter()
        .all(|lost| (tag(100)..tag(before)).contains(lost));
    assert!(lost, "{judgement}");
    let judgement = crate::ledger::Judgement {
        lost: Vec::new(),
        ..judgement
    };
    judgement.assert_clean();
}

/// Sends until something has arrived over a new connection.
fn wait_for_connection(producer: &Producer, mut send: impl FnMut() -> usize) {
    let before = producer.metrics().connections_opened;
    wait_for("a new connection to bring a record", LONG, || {
        let arrived = send();
        (arrived > 100 && producer.metrics().connections_opened > before).then_some(())
    });
}

#[test]
fn scenario_27_acknowledged_records_are_where_the_reports_say() {
    let cluster = shared(Kind::ThreeNodes);
    for acks in ["1", "all"] {
        let topic = &format!("scenario-27-acks-{acks}");
        cluster.create_topic(topic, 3, &[]);
        let bed = Bed::new(&cluster.bootstrap(), &[("acks", acks), ("linger.ms", "2")]);
        let ledger = Ledger::new();
        let mut accepted = Vec::new();
        for n in 0..3_000 {
            let (source, sequence) = (n % 3, n / 3);
            let tag = Ledger::tag(source, sequence);
            let value = ledger.value(tag, 40);
            bed.send(&record_at(topic, source as i32, &value, tag));
            accepted.push(tag);
        }
        let reports = bed.reports(accepted.len());
        all_ok(&reports);
        assert!(reports.iter().all(|report| report.offset >= 0));
        // The leader acknowledges before consumers may see it: that takes the followers.
        wait_for("the records to be replicated", LONG, || {
            let ends = cluster.admin().offsets(topic);
            let end: i64 = ends.iter().map(|of| of.end).sum();
            (end >= reports.len() as i64).then_some(())
        });
        let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
        ledger.judge(accepted, &reports, &read).assert_clean();
        bed.assert_at_rest();
    }
}

/// A topic whose leader has lost the other two of its replicas, of which it needs one. Returns the reports of the
/// probes that told that the leader knows it, from source `PROBES`.
fn without_replicas(cluster: &KafkaCluster, topic: &str, ledger: &Ledger) -> Vec<Report> {
    let needs = [("min.insync.replicas", "2")];
    let admin = cluster.admin();
    admin.create_topic_at(topic, &[&[1, 2, 3]], &needs);
    cluster.wait_topic(topic, 1);
    cluster.kill(2);
    cluster.kill(3);
    wait_for("the other replicas to be out of sync", LONG, || {
        (admin.describe(topic)[0].isr == [1]).then_some(())
    });
    // The cluster's metadata tells it a moment before the leader acts on it.
    let settings = [("acks", "all"), ("retries", "0")];
    let bed = Bed::new(&cluster.bootstrap(), &settings);
    let mut reports = Vec::new();
    wait_for("the leader to refuse a record", LONG, || {
        let tag = Ledger::tag(PROBES, reports.len() as u32);
        let value = ledger.value(tag, 32);
        let sent = record(topic, &value, tag);
        let report = bed.producer.send_wait(&sent, Timeout::Configured);
        let report = report.expect("accepted");
        reports.push(report);
        (report.error == ErrorCode::NOT_ENOUGH_REPLICAS).then_some(())
    });
    reports
}

const PROBES: u32 = 9;

/// What became of the probes and of the records after them.
fn judge(
    cluster: &KafkaCluster,
    topic: &str,
    ledger: &Ledger,
    sent: impl Iterator<Item = u64>,
    probes: Vec<Report>,
    reports: Vec<Report>,
) {
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    let accepted: Vec<u64> = sent.chain(probes.iter().map(|probe| probe.tag)).collect();
    let reports = [probes, reports].concat();
    ledger.judge(accepted, &reports, &read).assert_clean();
}

fn bring_back(cluster: &Lease) {
    cluster.start_again(2);
    cluster.restart(3);
}

#[test]
fn scenario_27_missing_replicas_are_the_error_when_the_time_is_over() {
    let cluster = alone(Kind::ThreeNodes);
    let topic = "scenario-27-missing";
    let ledger = Ledger::new();
    let probes = without_replicas(&cluster, topic, &ledger);
    let expiry = Duration::from_secs(2);
    let settings = [("acks", "all"), ("request.timeout.ms", "2000")];
    let bed = Bed::new(&cluster.bootstrap(), &settings);
    let tag = |n| Ledger::tag(0, n);
    let start = Instant::now();
    (0..10).for_each(|n| bed.send(&record(topic, &ledger.value(tag(n), 32), tag(n))));
    let reports = bed.reports(10);
    let took = start.elapsed();
    assert!(took >= expiry && took < 2 * expiry + expiry / 2, "{took:?}");
    for report in &reports {
        assert_eq!(report.error, ErrorCode::NOT_ENOUGH_REPLICAS);
        assert_eq!(report.persistence(), Persistence::Not);
    }
    let message = bed.message(&reports[0]);
    assert!(message.contains(topic), "{message}");
    bring_back(&cluster);
    judge(&cluster, topic, &ledger, (0..10).map(tag), probes, reports);
    bed.assert_at_rest();
}

#[test]
fn scenario_27_replicas_that_return_in_time_get_each_record_once() {
    let cluster = alone(Kind::ThreeNodes);
    let topic = "scenario-27-returned";
    let ledger = Ledger::new();
    let probes = without_replicas(&cluster, topic, &ledger);
    let settings = [("acks", "all"), ("delivery.timeout.ms", "120000")];
    let bed = Bed::new(&cluster.bootstrap(), &settings);
    let tag = |n| Ledger::tag(0, n);
    (0..100).for_each(|n| bed.send(&record(topic, &ledger.value(tag(n), 500), tag(n))));
    wait_for("a first retry", LONG, || {
        (bed.producer.metrics().batch_retries > 0).then_some(())
    });
    assert!(bed.reports_now().is_empty());
    bring_back(&cluster);
    let reports = bed.reports(100);
    all_ok(&reports);
    judge(&cluster, topic, &ledger, (0..100).map(tag), probes, reports);
    bed.assert_at_rest();
}
