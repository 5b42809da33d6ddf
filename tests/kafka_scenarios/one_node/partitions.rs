//! Scenarios 16, 17 and 19: which partition a record goes to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use kprod::producer::{Callbacks, PartitionRequest, Record, Timeout, TopicRef};

use crate::bed::{Bed, LONG, all_ok, record, record_at};
use crate::pool::{Kind, alone, shared};
use crate::support::admin::java_partitions;
use crate::support::consumer::{Isolation, by_partition};
use crate::support::wait_for;

/// Keys of all lengths, the empty one, UTF-8 and bytes that are not.
fn keys() -> Vec<Vec<u8>> {
    let numbers = (0..9_000).map(|n| format!("key-{n}").into_bytes());
    let words = ["", "é", "日本語", "🦀", "Straße", "\0", "ключ"];
    let words = words.map(|word| word.as_bytes().to_vec());
    let lengths = (0..993).map(|n| (0..n % 67).map(|at| (n * 31 + at * 7) as u8).collect());
    numbers.chain(words).chain(lengths).collect()
}

#[test]
fn scenario_16_keys_go_where_java_sends_them() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-16";
    cluster.create_topic(topic, 7, &[]);
    let bed = Bed::new(&cluster.bootstrap(), &[("linger.ms", "5")]);
    let keys = keys();
    assert_eq!(keys.len(), 10_000);
    for (tag, key) in keys.iter().enumerate() {
        bed.send(&Record {
            key: Some(key),
            ..record(topic, b"v", tag as u64)
        });
    }
    let mut reports = bed.reports(keys.len());
    all_ok(&reports);
    reports.sort_by_key(|report| report.tag);
    let ours: Vec<i32> = reports.iter().map(|report| report.partition).collect();
    let borrowed: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    assert_eq!(ours, java_partitions(&borrowed, 7));

    // The consumer finds them there; a null key is not the empty one.
    bed.send(&record(topic, b"null", 10_000));
    bed.reports(1);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(read.len(), keys.len() + 1);
    for record in &read {
        match &record.key {
            None => assert_eq!(record.value.as_deref(), Some(&b"null"[..])),
            Some(key) => {
                let at = keys
                    .iter()
                    .position(|sent| sent == key)
                    .expect("a key of ours");
                assert_eq!(record.partition, ours[at], "{key:?}");
            }
        }
    }
}

#[test]
fn scenario_17_records_without_keys_spread_evenly_in_full_batches() {
    let cluster = alone(Kind::OneNode);
    let topic = "scenario-17";
    cluster.create_topic(topic, 6, &[]);
    let settings = [
        ("linger.ms", "50"),
        ("kprod.delivery.reports", "errors"),
        // Enough for all: where memory is short, batches go as they are rather than wait for more.
        ("buffer.memory", "536870912"),
    ];
    let bed = Bed::new(&cluster.bootstrap(), &settings);
    let known = bed
        .producer
        .partitions_for(TopicRef::Name(topic), Timeout::After(LONG));
    known.expect("the topic is there");
    // A broker that is ready at once takes batches that others' company makes due, full or not.
    cluster.pause(1);
    let total = 1_000_000;
    for tag in 0..total {
        bed.send(&record(
            topic,
            b"forty bytes of value, to fill the batches",
            tag,
        ));
    }
    cluster.resume(1);
    bed.flush();
    assert!(bed.reports_now().is_empty(), "none failed");
    let offsets = cluster.admin().offsets(topic);
    let counts: Vec<i64> = offsets.iter().map(|of| of.end - of.start).collect();
    assert_eq!(counts.iter().sum::<i64>(), total as i64);
    for count in &counts {
        let share = *count as f64 / total as f64;
        assert!((share - 1.0 / 6.0).abs() < 0.03, "{counts:?}");
    }
    let batches: Vec<_> = (0..6)
        .flat_map(|at| cluster.batches(1, topic, at))
        .collect();
    assert!(batches.iter().all(|batch| batch.valid));
    let full = batches.iter().filter(|batch| batch.size > 15_000).count();
    assert!(
        full * 10 > batches.len() * 8,
        "{full} of {} are full",
        batches.len()
    );
}

#[test]
fn scenario_19_new_partitions_are_used_and_accepted_records_stay_in_theirs() {
    let cluster = shared(Kind::OneNode);
    let topic = "scenario-19";
    cluster.create_topic(topic, 3, &[]);
    let asked = Arc::new(AtomicI32::new(0));
    let seen = asked.clone();
    let callbacks = Callbacks {
        partitioner: Some(Arc::new(move |request: &PartitionRequest<'_>| {
            seen.store(request.partition_count, Ordering::SeqCst);
            request.partition_count - 1
        })),
        ..Callbacks::default()
    };
    let settings = [
        ("metadata.max.age.ms", "500"),
        ("linger.ms", "3600000"),
        ("request.timeout.ms", "3600000"),
    ];
    let user = Bed::with(&cluster.bootstrap(), &settings, callbacks, None);
    let keyed = Bed::new(&cluster.bootstrap(), &settings);
    let keys: Vec<Vec<u8>> = (0..60_u32).map(|n| n.to_be_bytes().to_vec()).collect();
    let send_keyed = |value: &[u8]| {
        for (tag, key) in keys.iter().enumerate() {
            keyed.send(&Record {
                key: Some(key),
                ..record(topic, value, tag as u64)
            });
        }
    };
    user.send(&record(topic, b"user", 1));
    send_keyed(b"before");
    assert_eq!(asked.load(Ordering::SeqCst), 3);

    cluster.admin().create_partitions(topic, 6);
    cluster.wait_topic(topic, 6);
    for bed in [&user, &keyed] {
        let topic = TopicRef::Name(topic);
        wait_for("the new partitions to be known", LONG, || {
            let count = bed.producer.partitions_for(topic, Timeout::After(LONG));
            (count == Ok(6)).then_some(())
        });
    }
    user.send(&record(topic, b"user", 2));
    assert_eq!(asked.load(Ordering::SeqCst), 6);
    send_keyed(b"after");
    keyed.send(&record_at(topic, 5, b"explicit", 99));
    user.flush();
    keyed.flush();
    let partitions = |bed: &Bed| -> Vec<i32> {
        let mut reports = bed.reports_now();
        all_ok(&reports);
        reports.sort_by_key(|report| report.tag);
        reports.iter().map(|report| report.partition).collect()
    };
    assert_eq!(partitions(&user), [2, 5]);
    assert_eq!(partitions(&keyed).len(), 2 * keys.len() + 1);

    let borrowed: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let (old, new) = (java_partitions(&borrowed, 3), java_partitions(&borrowed, 6));
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(read.len(), 2 * keys.len() + 3);
    assert_eq!(by_partition(read.clone()).len(), 6);
    for record in read.iter().filter(|record| record.key.is_some()) {
        let at = keys
            .iter()
            .position(|key| Some(key) == record.key.as_ref())
            .unwrap();
        let expected = match record.value.as_deref() {
            Some(b"before") => old[at],
            _ => new[at],
        };
        assert_eq!(record.partition, expected);
    }
}
