//! Which partition a record goes to, and what a user's own partitioner may do wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kprod::error::ErrorCode;
use kprod::mock::{Fault, MockServer};
use kprod::partitioner::murmur2;
use kprod::producer::{Callbacks, Header, PartitionRequest, Producer, Record, Timeout, TopicRef};
use kprod::protocol::ApiKey;

use crate::support::{Bed, LONG, cluster, ok, producer, record, reports};

fn server() -> MockServer {
    let server = cluster(2);
    server.handle().create_topic("t", 4);
    server
}

pub fn own(act: impl Fn(&PartitionRequest<'_>) -> i32 + Send + Sync + 'static) -> Callbacks {
    Callbacks {
        partitioner: Some(Arc::new(act)),
        ..Callbacks::default()
    }
}

pub fn know(producer: &Producer, topic: &str) {
    producer
        .partitions_for(TopicRef::Name(topic), Timeout::After(LONG))
        .unwrap();
}

#[test]
fn keys_go_where_javas_producer_puts_them_and_an_empty_key_is_a_key() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 7);
    let keys: Vec<String> = (0..200)
        .map(|n| "k".repeat(n % 30) + &n.to_string())
        .collect();
    let keys = keys.iter().map(String::as_bytes).chain([&b""[..]]);
    for (tag, key) in keys.clone().enumerate() {
        let sent = Record {
            key: Some(key),
            ..record("t", b"v", tag as u64)
        };
        bed.producer.send(&sent).unwrap();
    }
    let mut seen = bed.reports(201);
    seen.sort_by_key(|report| report.tag);
    for (report, key) in seen.iter().zip(keys) {
        let expected = (murmur2(key) & 0x7fff_ffff) % 7;
        assert_eq!(report.partition, expected as i32, "{key:?}");
    }
}

fn spread(settings: &[(&str, &str)], key: Option<&[u8]>, count: u64) -> BTreeMap<i32, u64> {
    let bed = Bed::new(2, settings);
    bed.mock().create_topic("t", 4);
    know(&bed.producer, "t");
    let value = [0; 100];
    for tag in 0..count {
        let sent = Record {
            key,
            ..record("t", &value, tag)
        };
        bed.producer.send(&sent).unwrap();
    }
    let mut spread = BTreeMap::new();
    for report in bed.reports(count as usize) {
        ok(&report);
        *spread.entry(report.partition).or_default() += 1;
    }
    spread
}

#[test]
fn every_kind_of_partitioner_does_what_its_name_says() {
    let kind = |name| [("partitioner", name), ("linger.ms", "1")];
    let round = spread(&kind("round_robin"), None, 400);
    assert!(round.values().all(|count| *count == 100), "{round:?}");
    for name in [
        "random",
        "consistent_random",
        "murmur2_random",
        "fnv1a_random",
    ] {
        let random = spread(&kind(name), None, 1000);
        assert_eq!(random.len(), 4, "{name}: {random:?}");
        assert!(
            random.values().all(|count| *count > 150),
            "{name}: {random:?}"
        );
    }
    for name in ["consistent", "murmur2", "fnv1a"] {
        assert_eq!(spread(&kind(name), None, 50).len(), 1, "{name}, null key");
    }
    for name in [
        "default",
        "consistent",
        "consistent_random",
        "murmur2",
        "murmur2_random",
        "fnv1a",
        "fnv1a_random",
    ] {
        assert_eq!(spread(&kind(name), Some(b"key"), 50).len(), 1, "{name}");
    }
    assert_eq!(spread(&kind("random"), Some(b"key"), 1000).len(), 4);
}

#[test]
fn round_robin_passes_over_partitions_without_a_leader() {
    let bed = Bed::new(2, &[("partitioner", "round_robin")]);
    bed.mock().create_topic("t", 4);
    bed.mock().with(|cluster| {
        cluster.remove_leader("t", 1);
        cluster.remove_leader("t", 2);
    });
    know(&bed.producer, "t");
    for tag in 0..40 {
        let sent = Record {
            key: (tag % 2 == 0).then_some(&b"key"[..]),
            ..record("t", b"v", tag)
        };
        bed.producer.send(&sent).unwrap();
    }
    let mut counts = [0; 4];
    for report in bed.reports(40) {
        ok(&report);
        counts[report.partition as usize] += 1;
    }
    assert_eq!(counts, [20, 0, 0, 20]);
}

#[test]
fn round_robin_uses_all_partitions_where_none_has_a_leader() {
    let bed = Bed::new(2, &[("partitioner", "round_robin")]);
    bed.mock().create_topic("t", 4);
    bed.mock()
        .with(|cluster| (0..4).for_each(|partition| cluster.remove_leader("t", partition)));
    know(&bed.producer, "t");
    for tag in 0..40 {
        bed.producer.send(&record("t", b"v", tag)).unwrap();
    }
    (0..4).for_each(|partition| bed.mock().set_leader("t", partition, 1));
    let mut counts = [0; 4];
    for report in bed.reports(40) {
        ok(&report);
        counts[report.partition as usize] += 1;
    }
    assert_eq!(counts, [10; 4]);
}

#[test]
fn records_without_a_key_fill_batches_and_use_all_partitions_evenly() {
    let bed = Bed::new(2, &[("batch.size", "2000"), ("linger.ms", "50")]);
    bed.mock().create_topic("t", 4);
    know(&bed.producer, "t");
    let value = [0; 100];
    let count = 20_000;
    for tag in 0..count {
        bed.producer.send(&record("t", &value, tag)).unwrap();
    }
    let mut counts = [0u64; 4];
    for report in bed.reports(count as usize) {
        counts[report.partition as usize] += 1;
    }
    for own in counts {
        assert!((count / 8..count / 2).contains(&own), "{counts:?}");
    }
    let batches: usize = (0..4)
        .map(|partition| {
            bed.mock()
                .with(|cluster| cluster.batches("t", partition).len())
        })
        .sum();
    // A batch of 2,000 bytes holds 18 such records.
    assert!(batches < 20_000 / 18 * 3 / 2, "{batches} batches");
}

#[test]
fn keys_may_be_ignored() {
    let settings = [
        ("partitioner.ignore.keys", "true"),
        ("batch.size", "500"),
        ("linger.ms", "5"),
    ];
    assert_eq!(spread(&settings, Some(b"key"), 1000).len(), 4);
}

#[test]
fn a_users_partitioner_is_told_what_it_needs() {
    let server = server();
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let into = told.clone();
    let callbacks = own(move |request| {
        let said = format!(
            "{} {} {:?} {:?} {} {:?}",
            request.topic,
            request.topic_handle,
            request.key,
            request.value,
            request.partition_count,
            request.available
        );
        into.lock().unwrap().push(said);
        3
    });
    let producer = producer(&server, &[], callbacks);
    know(&producer, "t");
    let sent = Record {
        key: Some(b"k"),
        value: None,
        ..record("t", b"", 1)
    };
    producer.send(&sent).unwrap();
    // An explicit partition is not its business.
    let explicit = Record {
        partition: Some(1),
        ..sent
    };
    producer.send(&explicit).unwrap();
    let seen: Vec<i32> = reports(&producer, 2).iter().map(|r| r.partition).collect();
    assert!(seen == [3, 1] || seen == [1, 3], "{seen:?}");
    let handle = producer.topic("t").unwrap();
    let expected = format!("t {handle} Some([107]) None 4 [0, 1, 2, 3]");
    assert_eq!(*told.lock().unwrap(), [expected]);
}

#[test]
fn a_bad_answer_or_a_panic_refuses_the_record_at_once() {
    let server = server();
    let answer = Arc::new(AtomicI32::new(0));
    let given = answer.clone();
    let callbacks = own(move |_| match given.load(Ordering::SeqCst) {
        i32::MIN => std::panic::resume_unwind(Box::new("a user's mistake")),
        partition => partition,
    });
    let producer = producer(&server, &[], callbacks);
    know(&producer, "t");
    for bad in [-1, 4, i32::MAX, i32::MIN] {
        answer.store(bad, Ordering::SeqCst);
        let sent = producer.send(&record("t", b"v", 1));
        assert_eq!(sent, Err(ErrorCode::PARTITIONER), "{bad}");
    }
    answer.store(2, Ordering::SeqCst);
    producer.send(&record("t", b"v", 2)).unwrap();
    let report = reports(&producer, 1)[0];
    ok(&report);
    assert_eq!((report.tag, report.partition), (2, 2));
    producer.close(Timeout::After(LONG)).unwrap();
    assert_eq!(producer.metrics().buffer_available, crate::support::MEMORY);
}

#[test]
fn parked_records_meet_the_users_partitioner_later_in_order_and_on_the_callback_thread() {
    let server = cluster(1);
    let threads: Arc<Mutex<Vec<String>>> = Arc::default();
    let into = threads.clone();
    let callbacks = own(move |request| {
        let name = std::thread::current().name().unwrap_or("").to_owned();
        into.lock().unwrap().push(name);
        match request.value {
            Some(b"panic") => std::panic::resume_unwind(Box::new("a user's mistake")),
            Some(b"bad") => -7,
            _ => 0,
        }
    });
    let producer = producer(&server, &[], callbacks);
    for (tag, value) in [&b"a"[..], b"bad", b"b", b"panic", b"c"].iter().enumerate() {
        producer
            .try_send(&record("new", value, tag as u64))
            .unwrap();
    }
    let missing = Record {
        partition: Some(77),
        ..record("new", b"nowhere", 5)
    };
    producer.try_send(&missing).unwrap();
    let mut seen = reports(&producer, 6);
    let delivered: Vec<u64> = seen
        .iter()
        .filter(|report| report.error == ErrorCode::OK)
        .map(|report| report.tag)
        .collect();
    assert_eq!(delivered, [0, 2, 4]);
    seen.sort_by_key(|report| report.tag);
    for failed in [1, 3] {
        assert_eq!(seen[failed].error, ErrorCode::PARTITIONER);
        let said = producer.error_detail(seen[failed].detail).unwrap().message;
        assert!(said.contains("topic new"), "{said}");
    }
    assert_eq!(seen[5].error, ErrorCode::UNKNOWN_PARTITION);
    assert_eq!(seen[5].partition, 77);
    let said = producer.error_detail(seen[5].detail).unwrap().message;
    assert!(said.contains("no partition 77: it has 4"), "{said}");
    assert_eq!(*threads.lock().unwrap(), vec!["kprod-cb"; 5]);
    producer.close(Timeout::After(LONG)).unwrap();
    assert_eq!(producer.metrics().buffer_available, crate::support::MEMORY);
}

#[test]
fn a_partitioner_that_calls_the_library_back_does_not_hang() {
    let server = server();
    let reach: Arc<std::sync::OnceLock<std::sync::Weak<Producer>>> = Arc::default();
    let own_way = reach.clone();
    let refused = Arc::new(AtomicUsize::new(0));
    let counted = refused.clone();
    let callbacks = own(move |request| {
        if let Some(producer) = reach.get().and_then(std::sync::Weak::upgrade) {
            let flush = producer.flush(Timeout::After(LONG));
            if flush.is_err_and(|error| error.code == ErrorCode::IN_CALLBACK) {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            if request.value == Some(b"outer") {
                let inner = Record {
                    partition: Some(0),
                    ..record("t", b"inner", 2)
                };
                producer.send(&inner).unwrap();
            }
        }
        0
    });
    let producer = Arc::new(producer(&server, &[], callbacks));
    own_way.set(Arc::downgrade(&producer)).unwrap();
    know(&producer, "t");
    producer.send(&record("t", b"outer", 1)).unwrap();
    let tags: Vec<u64> = reports(&producer, 2).iter().map(|r| r.tag).collect();
    assert_eq!(tags, [2, 1]);
    assert_eq!(refused.load(Ordering::SeqCst), 1);
}

/// Also where its record has to wait for memory.
#[test]
fn a_partitioner_is_asked_once_for_a_record() {
    let server = server();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let callbacks = own(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        0
    });
    let settings = [("buffer.memory", "65536"), ("batch.size", "4096")];
    let producer = producer(&server, &settings, callbacks);
    know(&producer, "t");
    let slow = Fault::on(ApiKey::Produce).delay(Duration::from_millis(5));
    server.handle().inject(slow.forever());
    for tag in 0..100 {
        producer.send(&record("t", &[7; 3000], tag)).unwrap();
    }
    reports(&producer, 100).iter().for_each(ok);
    assert_eq!(asked.load(Ordering::SeqCst), 100);
}

/// What it takes beside its bytes while it is parked may be more than there is.
#[test]
fn a_record_of_many_headers_is_parked_in_little_memory() {
    let bed = Bed::new(1, &[("buffer.memory", "65536")]);
    let nothing = Header {
        key: b"",
        value: None,
    };
    let headers = vec![nothing; 3000];
    let sent = Record {
        headers: &headers,
        ..record("new", b"v", 0)
    };
    bed.producer.try_send(&sent).unwrap();
    ok(&bed.report());
}
