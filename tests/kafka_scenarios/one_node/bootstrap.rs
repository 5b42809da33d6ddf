//! Scenarios 4 and 6: finding the cluster behind dead addresses, and before it is there.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use kprod::error::ErrorCode;
use kprod::producer::Timeout;

use crate::bed::{Bed, LONG, all_ok, ok, record};
use crate::detour::Detour;
use crate::pool::{Kind, alone, shared};
use crate::support::consumer::Isolation;
use crate::support::ports::Port;

/// Takes connections and never says a word.
fn mute() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

const SETUP: (&str, &str) = ("socket.connection.setup.timeout.ms", "1000");

#[test]
fn scenario_04_one_bootstrap_server_alive_is_enough() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-04-servers";
    cluster.create_topic(topic, 1, &[]);
    let closed = Port::claim();
    let (_listener, mute) = mute();
    let alive = cluster.bootstrap();
    let servers = format!("{},{mute},{alive}", closed.address());
    // The order is shuffled, so some of these begin with each.
    for run in 0..6 {
        let start = Instant::now();
        let bed = Bed::new(&servers, &[SETUP]);
        bed.producer.start(Timeout::After(LONG)).expect("one lives");
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
        bed.send(&record(topic, b"v", run));
        ok(&bed.reports(1)[0]);
    }
}

#[test]
fn scenario_04_all_addresses_of_a_name_are_tried() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-04-addresses";
    cluster.create_topic(topic, 1, &[]);
    let closed = Port::claim();
    let (_listener, mute) = mute();
    for dead in [closed.address(), mute] {
        let addresses = [dead, cluster.address(1)];
        let names = Detour::naming("brokers.test", &addresses);
        let start = Instant::now();
        let bed = Bed::through(names, "brokers.test:9092", &[SETUP]);
        bed.producer.start(Timeout::After(LONG)).expect("one lives");
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{:?}",
            start.elapsed()
        );
        bed.send(&record(topic, b"v", 1));
        ok(&bed.reports(1)[0]);
    }
}

#[test]
fn scenario_06_a_cluster_that_comes_up_in_time_gets_the_record() {
    let cluster = alone(Kind::OneNode);
    let topic = "scenario-06";
    cluster.create_topic(topic, 1, &[]);
    let bootstrap = cluster.bootstrap();
    cluster.kill(1);
    let bed = Bed::new(
        &bootstrap,
        &[("max.block.ms", "60000"), ("request.timeout.ms", "60000")],
    );
    std::thread::scope(|scope| {
        // One waits for the metadata, one is parked.
        let blocked = scope.spawn(|| bed.producer.send(&record(topic, b"blocked", 1)));
        bed.producer
            .try_send(&record("scenario-06-new", b"parked", 2))
            .unwrap();
        assert!(bed.reports_now().is_empty());
        cluster.restart(1);
        assert_eq!(blocked.join().expect("no panic"), Ok(()));
    });
    all_ok(&bed.reports(2));
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(read.len(), 1);
}

#[test]
fn scenario_06_a_cluster_that_never_comes_is_an_error_in_time() {
    let nobody = Port::claim();
    let settings = [("max.block.ms", "1000"), ("request.timeout.ms", "1000")];
    let bed = Bed::new(&nobody.address().to_string(), &settings);
    let limit = Duration::from_secs(3);

    let start = Instant::now();
    let error = bed.producer.start(Timeout::Configured).unwrap_err();
    assert!(
        error.message.contains(&nobody.number().to_string()),
        "{error}"
    );
    assert!(error.code.is_retriable(), "{error:?}");
    assert!(start.elapsed() < limit, "{:?}", start.elapsed());

    let start = Instant::now();
    let refused = bed.producer.send(&record("scenario-06-never", b"v", 1));
    assert_eq!(refused, Err(ErrorCode::TIMED_OUT));
    assert!(start.elapsed() >= Duration::from_secs(1) && start.elapsed() < limit);

    let start = Instant::now();
    bed.producer
        .try_send(&record("scenario-06-never", b"v", 2))
        .unwrap();
    let report = bed.reports(1)[0];
    assert!(start.elapsed() < limit, "{:?}", start.elapsed());
    assert!(report.error.is_retriable(), "{report:?}");
    let message = bed.message(&report);
    assert!(message.contains(&nobody.number().to_string()), "{message}");
    bed.assert_at_rest();

    bed.producer
        .try_send(&record("scenario-06-never", b"v", 3))
        .unwrap();
    let start = Instant::now();
    drop(bed);
    assert!(
        start.elapsed() < limit,
        "destroy took {:?}",
        start.elapsed()
    );
}
