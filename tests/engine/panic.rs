//! A panic inside the library: nothing is left unreported, nobody waits for ever, the process lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kprod::completion::{Persistence, Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::mock::{Fault, MockServer};
use kprod::producer::{Callbacks, Environment, Producer, Timeout, TopicRef};
use kprod::protocol::ApiKey;

use crate::support::{LONG, cluster, config, ok, record, reports, until};

/// A producer whose engine panics in the turn after the switch is set.
fn fragile(server: &MockServer, settings: &[(&str, &str)]) -> (Producer, Arc<AtomicBool>) {
    let switch = Arc::new(AtomicBool::new(false));
    let seen = switch.clone();
    let environment = Environment {
        each_turn: Some(Box::new(move || {
            if seen.load(Ordering::SeqCst) {
                std::panic::resume_unwind(Box::new("a broken promise"));
            }
        })),
        ..Environment::real()
    };
    let config = config(server, settings).build().unwrap();
    let producer = Producer::create_in(environment, config, Callbacks::default()).unwrap();
    (producer, switch)
}

#[test]
fn after_a_panic_of_the_engine_every_record_is_reported_and_every_call_refused() {
    let server = cluster(1);
    server.handle().create_topic("t", 2);
    let settings = [("kprod.events", "true"), ("linger.ms", "0")];
    let (producer, switch) = fragile(&server, &settings);
    producer.send(&record("t", b"v", 1000)).unwrap();
    ok(&reports(&producer, 1)[0]);
    let hour = Duration::from_secs(3600);
    let held = Fault::on(ApiKey::Produce).delay(hour).forever();
    server.handle().inject(held);
    for partition in [0, 1] {
        let sent = kprod::producer::Record {
            partition: Some(partition),
            ..record("t", b"v", partition as u64)
        };
        producer.send(&sent).unwrap();
    }
    until("both are in flight", || {
        let requests = server.handle().requests(ApiKey::Produce);
        requests.iter().map(|r| r.batches.len()).sum::<usize>() == 3
    });
    for tag in 2..10 {
        producer.send(&record("t", b"v", tag)).unwrap();
    }
    let parked = Fault::on(ApiKey::Metadata).delay(hour).forever();
    server.handle().inject(parked);
    producer.try_send(&record("unknown", b"v", 10)).unwrap();
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| producer.flush(Timeout::After(LONG)));
        let count = scope
            .spawn(|| producer.partitions_for(TopicRef::Name("unknown"), Timeout::After(LONG)));
        let blocked = scope.spawn(|| producer.send(&record("unknown", b"v", 99)));
        switch.store(true, Ordering::SeqCst);
        until("the engine has ended", || {
            let _ = producer.try_send(&record("t", b"v", 77));
            producer.fatal_error().is_some()
        });
        // Those that had begun to wait are let go, those that come later are refused.
        let flushed = flush.join().unwrap();
        assert!(flushed.is_ok() || flushed.unwrap_err().code == ErrorCode::FATAL);
        assert!(count.join().unwrap().is_err());
        assert_eq!(blocked.join().unwrap(), Err(ErrorCode::FATAL));
    });
    let fatal = producer.fatal_error().unwrap();
    assert_eq!(fatal.code, ErrorCode::INTERNAL);
    assert!(
        fatal.message.contains("a broken promise"),
        "{}",
        fatal.message
    );
    let refused = producer.send(&record("t", b"v", 78));
    assert_eq!(refused, Err(ErrorCode::FATAL));
    producer.close(Timeout::After(LONG)).unwrap();
    let mut seen: Vec<Report> = Vec::new();
    while producer
        .poll(100, Timeout::After(LONG), |report| seen.push(*report))
        .is_ok()
    {}
    let events = seen.iter().filter(|r| r.kind == ReportKind::Event);
    assert_eq!(
        events.map(|r| r.error).collect::<Vec<_>>(),
        [ErrorCode::INTERNAL]
    );
    let mut tags: Vec<u64> = Vec::new();
    for report in seen.iter().filter(|r| r.kind == ReportKind::Record) {
        assert!(
            [ErrorCode::INTERNAL, ErrorCode::FATAL].contains(&report.error),
            "{report:?}"
        );
        let written = report.persistence();
        assert!(
            report.tag > 1 || written == Persistence::Possibly,
            "{report:?}"
        );
        tags.push(report.tag);
    }
    tags.retain(|tag| *tag != 77);
    tags.sort_unstable();
    assert_eq!(tags, (0..11).collect::<Vec<_>>());
    until("memory comes back", || {
        producer.metrics().buffer_available == crate::support::MEMORY
    });
}

#[test]
fn an_engine_that_panics_at_once_leaves_a_producer_that_can_be_closed() {
    let server = cluster(1);
    for _ in 0..10 {
        let (producer, switch) = fragile(&server, &[("max.block.ms", "60000")]);
        switch.store(true, Ordering::SeqCst);
        let sent = producer.try_send(&record("t", b"v", 1));
        let started = producer.start(Timeout::After(LONG)).unwrap_err();
        assert!(
            [ErrorCode::FATAL, ErrorCode::CLOSED].contains(&started.code),
            "{started:?}"
        );
        producer.close(Timeout::After(LONG)).unwrap();
        let mut records = 0;
        while producer
            .poll(10, Timeout::After(LONG), |report| {
                records += usize::from(report.kind == ReportKind::Record);
            })
            .is_ok()
        {}
        assert_eq!(records, usize::from(sent.is_ok()));
    }
}
