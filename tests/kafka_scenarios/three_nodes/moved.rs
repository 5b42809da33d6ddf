//! Scenario 7: every broker is replaced, and only the bootstrap address stays.

use crate::bed::{Bed, all_ok, record};
use crate::ledger::Ledger;
use crate::pool::{Kind, alone};
use crate::support::consumer::Isolation;
use crate::support::proxy::Proxy;

#[test]
fn scenario_07_brokers_at_new_addresses_are_found_through_the_old_bootstrap() {
    let cluster = alone(Kind::ThreeNodes);
    let topic = "scenario-07";
    cluster.create_topic(topic, 6, &[]);
    let entrance = Proxy::start(cluster.address(1));
    let bed = Bed::new(&entrance.address().to_string(), &[("acks", "all")]);
    let ledger = Ledger::new();
    let send = |sequence| {
        let tag = Ledger::tag(0, sequence);
        bed.send(&record(topic, &ledger.value(tag, 32), tag));
    };
    (0..100).for_each(send);
    let mut reports = bed.reports(100);

    let nodes = [1, 2, 3];
    let old = nodes.map(|node| cluster.address(node));
    // All at once, so that nobody is left to tell of a new address.
    nodes[1..].iter().for_each(|node| cluster.kill(*node));
    nodes
        .iter()
        .for_each(|node| cluster.restart_elsewhere(*node));
    cluster.wait_topic(topic, 6);
    assert!(
        nodes
            .iter()
            .all(|node| !old.contains(&cluster.address(*node)))
    );
    // The bootstrap address is dead, too, while these are sent.
    (100..200).for_each(send);
    entrance.set_target(cluster.address(1));
    reports.extend(bed.reports(100));
    (200..300).for_each(send);
    reports.extend(bed.reports(100));

    all_ok(&reports);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    let accepted = (0..300).map(|n| Ledger::tag(0, n));
    ledger.judge(accepted, &reports, &read).assert_clean();
    bed.assert_at_rest();
}
