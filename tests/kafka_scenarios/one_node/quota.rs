//! Scenario 30: a broker that asks for patience gets it.

use std::time::{Duration, Instant};

use crate::bed::{Bed, all_ok, record};
use crate::ledger::Ledger;
use crate::pool::{Kind, alone};
use crate::support::consumer::Isolation;

#[test]
fn scenario_30_a_quota_slows_the_producer_down_and_fails_nothing() {
    let cluster = alone(Kind::OneNode);
    let topic = "scenario-30";
    cluster.create_topic(topic, 1, &[]);
    let client = "scenario-30-client";
    let rate = 100_000;
    cluster.admin().producer_quota(Some(client), Some(rate));
    let bed = Bed::new(&cluster.bootstrap(), &[("client.id", client)]);
    let ledger = Ledger::new();
    let tag = |n| Ledger::tag(0, n);
    let start = Instant::now();
    (0..800).for_each(|n| bed.send(&record(topic, &ledger.value(tag(n), 1_000), tag(n))));
    let reports = bed.reports(800);
    let took = start.elapsed();
    cluster.admin().producer_quota(Some(client), None);
    all_ok(&reports);
    // 800 KB at 100 KB/s; the broker forgives the first window, and measures in windows of a second.
    assert!(took > Duration::from_secs(4), "{took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    let metrics = bed.producer.metrics();
    assert!(metrics.throttle_ms > 0, "{metrics:?}");
    assert_eq!(metrics.batch_retries, 0, "{metrics:?}");
    assert_eq!(metrics.connections_opened, bed_connections(), "{metrics:?}");
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    ledger
        .judge((0..800).map(tag), &reports, &read)
        .assert_clean();
    bed.assert_at_rest();
}

/// One for bootstrap, one to the node: none was given up for being slow.
fn bed_connections() -> u64 {
    2
}
