//! Many threads, many faults, real sockets: the same promises as in the simulation, with real races.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use kprod::completion::{Persistence, Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::mock::{BrokerState, Fault, FaultKind, When};
use kprod::producer::{Record, RecordCallback, Timeout, TopicRef};
use kprod::protocol::ApiKey;
use kprod::sys::Rng;

use crate::support::{Bed, LONG, log, record, until};

const THREADS: u64 = 4;
const EACH: u64 = 2000;
const TOPICS: [&str; 3] = ["a", "b", "made.when.asked.for"];
const MEMORY: u64 = 256 << 10;

static CALLED: Mutex<Vec<Report>> = Mutex::new(Vec::new());

fn called(_: u64, _: usize, report: &Report) {
    CALLED.lock().unwrap().push(*report);
}

fn trouble(rng: &Rng, bed: &Bed) {
    let broker = 1 + rng.below(3) as i32;
    let mock = bed.mock();
    let produce = || Fault::on(ApiKey::Produce).broker(broker);
    let side = [When::BeforeWork, When::AfterWork][rng.below(2) as usize];
    match rng.below(9) {
        0 => mock.inject(produce().error(ErrorCode::NOT_ENOUGH_REPLICAS).times(2)),
        1 => mock.inject(produce().kind(FaultKind::Disconnect(side))),
        2 => mock.inject(produce().kind(FaultKind::WrongCorrelationId)),
        3 => mock.inject(produce().throttle(std::time::Duration::from_millis(20))),
        4 => mock.inject(produce().error(ErrorCode::MESSAGE_TOO_LARGE)),
        5 => mock.disconnect(broker),
        6 => {
            // Not for longer: senders that wait for memory could bring no broker back.
            mock.set_broker_state(broker, BrokerState::Crashed);
            std::thread::yield_now();
            mock.set_broker_state(broker, BrokerState::Up);
        }
        7 => mock.inject(Fault::on(ApiKey::Metadata).kind(FaultKind::Disconnect(side))),
        _ => {
            let partition = rng.below(4) as i32;
            mock.set_leader(TOPICS[rng.below(3) as usize], partition, broker);
        }
    }
}

/// One thread's records; says how many were accepted.
fn send_all(bed: &Bed, thread: u64) -> u64 {
    let rng = Rng::from_seed(thread);
    let handles = TOPICS.map(|topic| bed.producer.topic(topic).unwrap());
    let mut accepted = 0;
    for n in 0..EACH {
        let tag = thread << 32 | n;
        let mut value = vec![3; 8 + rng.below(200) as usize];
        value[..8].copy_from_slice(&tag.to_be_bytes());
        let which = rng.below(3) as usize;
        let sent = Record {
            topic: match n % 2 {
                0 => TopicRef::Handle(handles[which]),
                _ => TopicRef::Name(TOPICS[which]),
            },
            partition: (n % 3 == 0).then(|| rng.below(4) as i32),
            ..record("", &value, tag)
        };
        let callback = RecordCallback {
            function: called,
            user: 0,
            context: 0,
        };
        let result = match n % 10 {
            0 => bed.producer.send_with_callback(&sent, callback),
            1..=4 => bed.producer.try_send(&sent),
            _ => bed.producer.send(&sent),
        };
        match result {
            Ok(()) => accepted += 1,
            Err(ErrorCode::QUEUE_FULL) => {}
            Err(other) => panic!("{other:?}"),
        }
        if n % 50 == 25 {
            trouble(&rng, bed);
        }
    }
    accepted
}

fn poll_all(bed: &Bed, done: &AtomicU64) -> Vec<Report> {
    let mut seen = Vec::new();
    while bed
        .producer
        .poll(500, Timeout::After(LONG), |report| seen.push(*report))
        .is_ok()
    {
        done.store(seen.len() as u64, Ordering::Relaxed);
    }
    seen
}

#[test]
fn no_record_is_lost_reported_twice_or_out_of_order_whatever_happens() {
    let settings = [
        ("buffer.memory", "262144"),
        ("batch.size", "2000"),
        ("linger.ms", "1"),
        ("compression.type", "lz4"),
        ("retry.backoff.ms", "5"),
        ("retry.backoff.max.ms", "20"),
        ("reconnect.backoff.ms", "5"),
        ("reconnect.backoff.max.ms", "20"),
    ];
    let bed = Bed::new(3, &settings);
    for topic in &TOPICS[..2] {
        bed.mock().create_topic(topic, 4);
    }
    let done = AtomicU64::new(0);
    let (accepted, mut seen) = std::thread::scope(|scope| {
        let poller = scope.spawn(|| poll_all(&bed, &done));
        let senders: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let bed = &bed;
                    move || send_all(bed, thread)
                })
            })
            .collect();
        let accepted: u64 = senders.into_iter().map(|s| s.join().unwrap()).sum();
        bed.mock().clear_faults();
        for broker in 1..=3 {
            bed.mock().set_broker_state(broker, BrokerState::Up);
        }
        bed.flush();
        until("memory comes back", || {
            bed.producer.metrics().buffer_available == MEMORY
        });
        bed.close();
        (accepted, poller.join().unwrap())
    });
    seen.retain(|report| report.kind == ReportKind::Record);
    let called = CALLED.lock().unwrap().clone();
    assert_eq!((seen.len() + called.len()) as u64, accepted);
    let tags: HashSet<u64> = seen.iter().chain(&called).map(|r| r.tag).collect();
    assert_eq!(tags.len() as u64, accepted, "a record was reported twice");
    for sink in [&seen, &called] {
        in_order(sink.iter().map(|r| (r.topic, r.partition, r.tag)));
    }
    for report in seen.iter().chain(&called) {
        let large = report.error == ErrorCode::MESSAGE_TOO_LARGE;
        let said = bed.producer.error_detail(report.detail);
        assert!(
            large || report.error == ErrorCode::OK,
            "{report:?}: {said:?}"
        );
    }
    check_logs(&bed, seen.iter().chain(&called));
}

/// Each thread's records of a partition come in the order of its sends.
fn in_order(places: impl Iterator<Item = (u32, i32, u64)>) {
    let mut newest = HashMap::new();
    for (topic, partition, tag) in places {
        let before = newest.insert((topic, partition, tag >> 32), tag);
        assert!(
            before.is_none_or(|before| before < tag),
            "{before:?}, then {tag}"
        );
    }
}

fn check_logs<'a>(bed: &Bed, reports: impl Iterator<Item = &'a Report>) {
    let mut by_place: HashMap<(u32, i32), Vec<&Report>> = HashMap::new();
    for report in reports {
        by_place
            .entry((report.topic, report.partition))
            .or_default()
            .push(report);
    }
    for ((topic, partition), reports) in by_place {
        let name = bed.producer.topic_name(topic).unwrap();
        let stored = log(bed.mock(), name, partition);
        for report in reports {
            match report.persistence() {
                Persistence::Persisted => {
                    assert_eq!(stored[report.offset as usize], report.tag, "{report:?}");
                }
                Persistence::Possibly => {}
                Persistence::Not => assert!(!stored.contains(&report.tag), "{report:?}"),
            }
        }
        let mut seen = HashSet::new();
        let firsts = stored.iter().filter(|tag| seen.insert(**tag));
        in_order(firsts.map(|tag| (topic, partition, *tag)));
    }
}
