//! Scenarios 1 and 2, the send path, which every supported broker is to pass.

use std::sync::{Arc, Mutex};

use kprod::completion::{Persistence, Report, TimestampType};
use kprod::producer::{Callbacks, Header, Record, TopicRef};

use crate::bed::{Bed, all_ok, ok, record, record_at};
use crate::ledger::Ledger;
use crate::pool::{Kind, shared};
use crate::support::consumer::{self, Isolation};
use crate::support::kafka::KafkaCluster;

#[test]
fn scenario_01_a_record_arrives_as_it_was_sent() {
    a_record_arrives_as_it_was_sent(&shared(Kind::OneNode));
}

#[test]
fn scenario_02_records_of_many_threads_arrive_once_and_in_order() {
    records_of_many_threads_arrive_once_and_in_order(&shared(Kind::OneNode), 12_500);
}

pub fn a_record_arrives_as_it_was_sent(cluster: &KafkaCluster) {
    let topic = "scenario-01";
    cluster.create_topic(topic, 3, &[]);
    let bed = Bed::new(&cluster.bootstrap(), &[]);
    let header = |key: &'static str, value| Header {
        key: key.as_bytes(),
        value,
    };
    let headers = [
        header("twice", None),
        header("twice", Some(&b"\x00\xff"[..])),
        header("größe", Some(&b""[..])),
    ];
    let full = Record {
        topic: TopicRef::Name(topic),
        key: Some(b"key \x00\xff"),
        value: Some("wärme\n\0".as_bytes()),
        headers: &headers,
        partition: Some(1),
        timestamp: Some(1_600_000_000_123),
        tag: 7,
    };
    let nulls = Record {
        key: None,
        value: None,
        headers: &[],
        ..full
    };
    let empties = Record {
        key: Some(b""),
        value: Some(b""),
        ..nulls
    };
    let sent = [full, nulls, empties];
    sent.iter().for_each(|record| bed.send(record));
    let reports = bed.reports(sent.len());
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    assert_eq!(read.len(), sent.len());
    for (at, report) in reports.iter().enumerate() {
        ok(report);
        assert_eq!((report.tag, report.partition), (7, 1));
        assert_eq!(report.offset, at as i64);
        assert_eq!(report.persistence(), Persistence::Persisted);
        assert_eq!(report.timestamp, 1_600_000_000_123);
        assert_eq!(report.timestamp_type, TimestampType::CreateTime);
        assert_eq!(report.log_start_offset, 0);
        assert_is(&read[at], &sent[at], report);
    }
    bed.assert_at_rest();
}

#[track_caller]
fn assert_is(read: &consumer::Record, sent: &Record<'_>, report: &Report) {
    assert_eq!(
        (read.partition, read.offset),
        (report.partition, report.offset)
    );
    assert_eq!(Some(read.timestamp), sent.timestamp);
    assert_eq!(read.timestamp_type, consumer::TimestampType::CreateTime);
    assert_eq!(read.key.as_deref(), sent.key);
    assert_eq!(read.value.as_deref(), sent.value);
    let headers = sent.headers.iter().map(|header| {
        let key = String::from_utf8(header.key.to_vec()).expect("UTF-8");
        (key, header.value.map(<[u8]>::to_vec))
    });
    assert_eq!(read.headers, headers.collect::<Vec<_>>());
}

pub fn records_of_many_threads_arrive_once_and_in_order(cluster: &KafkaCluster, each: u32) {
    let (topic, threads) = ("scenario-02", 8);
    cluster.create_topic(topic, 6, &[]);
    let reports: Arc<Mutex<Vec<Report>>> = Arc::default();
    let sink = reports.clone();
    let callbacks = Callbacks {
        delivery: Some(Arc::new(move |news: &[Report]| {
            sink.lock().expect("not poisoned").extend_from_slice(news);
        })),
        ..Callbacks::default()
    };
    let bed = Bed::with(&cluster.bootstrap(), &[("linger.ms", "5")], callbacks, None);
    let ledger = Ledger::new();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (bed, ledger) = (&bed, &ledger);
            scope.spawn(move || {
                for sequence in 0..each {
                    let tag = Ledger::tag(thread, sequence);
                    let value = ledger.value(tag, 40);
                    // Half go where the partitioner likes, half to a partition each.
                    match sequence % 2 {
                        0 => bed.send(&record(topic, &value, tag)),
                        _ => bed.send(&record_at(topic, thread as i32 % 6, &value, tag)),
                    }
                }
            });
        }
    });
    // In callback mode a flush has waited for the callbacks, too.
    bed.flush();
    let reports = reports.lock().expect("not poisoned");
    all_ok(&reports);
    let read = cluster.consumer(Isolation::ReadUncommitted).read_all(topic);
    let accepted = (0..threads).flat_map(|t| (0..each).map(move |n| Ledger::tag(t, n)));
    ledger.judge(accepted, &reports, &read).assert_clean();
    bed.assert_at_rest();
}
