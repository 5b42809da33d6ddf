//! Scenario 28: a network that is gone for longer than the request timeout.

use std::time::{Duration, Instant};

use kprod::completion::Persistence;
use kprod::error::ErrorCode;

use crate::bed::{Bed, LONG, all_ok, ok, record, record_at};
use crate::detour::Detour;
use crate::ledger::Ledger;
use crate::pool::{Kind, shared};
use crate::support::consumer::Isolation;
use crate::support::wait_for;

const TIMEOUT: Duration = Duration::from_secs(2);

#[test]
fn scenario_28_a_cut_network_is_an_error_in_time_and_no_lie() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-28";
    cluster.create_topic(topic, 1, &[]);
    let detour = Detour::before(&cluster, &[1]);
    let proxy = detour.proxy(cluster.address(1));
    let settings = [("request.timeout.ms", "2000"), ("max.block.ms", "2000")];
    let bed = Bed::through(detour.clone(), &cluster.bootstrap(), &settings);
    let ledger = Ledger::new();
    let tag = |n| Ledger::tag(0, n);
    let send = |n| bed.send(&record(topic, &ledger.value(tag(n), 32), tag(n)));
    send(0);
    let mut reports = bed.reports(1);

    // The broker keeps the first and nobody hears of it; the others never leave.
    proxy.drop_answers();
    let start = Instant::now();
    let answered = proxy.answer_bytes();
    send(1);
    wait_for("the broker's answer to be lost", TIMEOUT, || {
        (proxy.answer_bytes() > answered).then_some(())
    });
    proxy.stall();
    (2..5).for_each(send);
    reports.extend(bed.reports(4));
    let took = start.elapsed();
    assert!(
        took >= TIMEOUT && took < 2 * TIMEOUT + TIMEOUT / 2,
        "{took:?}"
    );
    ok(&reports[0]);
    let fates: Vec<_> = reports[1..]
        .iter()
        .map(|r| (r.error, r.persistence()))
        .collect();
    assert_eq!(
        fates[0],
        (ErrorCode::REQUEST_TIMED_OUT, Persistence::Possibly)
    );
    for (error, persistence) in &fates[1..] {
        assert!(error.is_retriable(), "{error:?}");
        assert_eq!(*persistence, Persistence::Not);
    }

    proxy.heal();
    (5..10).for_each(send);
    let later = bed.reports(5);
    later.iter().for_each(ok);
    reports.extend(later);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    ledger
        .judge((0..10).map(tag), &reports, &read)
        .assert_clean();
    // The one that may have been written was.
    assert_eq!(read.len(), 7);
    bed.assert_at_rest();
}

#[test]
fn scenario_28_with_time_to_deliver_the_cut_costs_nothing_but_duplicates() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-28-retried";
    cluster.create_topic(topic, 2, &[]);
    let detour = Detour::before(&cluster, &[1]);
    let proxy = detour.proxy(cluster.address(1));
    let settings = [
        ("request.timeout.ms", "1000"),
        ("delivery.timeout.ms", "120000"),
        ("batch.size", "500"),
    ];
    let bed = Bed::through(detour.clone(), &cluster.bootstrap(), &settings);
    let ledger = Ledger::new();
    let send = |n: u32| {
        let tag = Ledger::tag(n % 2, n / 2);
        bed.send(&record_at(topic, n as i32 % 2, &ledger.value(tag, 32), tag));
        tag
    };
    let mut accepted: Vec<u64> = (0..200).map(send).collect();
    let mut reports = bed.reports(200);
    // First the answers get lost, then everything, then the connections.
    proxy.drop_answers();
    accepted.extend((200..400).map(send));
    wait_for("a request to be sent again", LONG, || {
        (bed.producer.metrics().batch_retries >= 2).then_some(())
    });
    proxy.refuse();
    accepted.extend((400..600).map(send));
    proxy.heal();
    reports.extend(bed.reports(400));
    all_ok(&reports);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    let judgement = ledger.judge(accepted, &reports, &read);
    assert!(
        !judgement.duplicated.is_empty(),
        "what was written was sent again"
    );
    judgement.assert_at_least_once();
    bed.assert_at_rest();
}
