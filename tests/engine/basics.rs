//! Records in, reports out.

use kprod::completion::{Persistence, ReportKind, TimestampType};
use kprod::error::ErrorCode;
use kprod::producer::{Header, Record, Timeout, TopicRef};

use crate::support::{Bed, LONG, ok, record};

#[test]
fn a_record_arrives_as_it_was_sent_and_is_reported() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 3);
    let headers = [
        Header {
            key: b"a",
            value: None,
        },
        Header {
            key: b"a",
            value: Some(b"2"),
        },
    ];
    let sent = Record {
        topic: TopicRef::Name("t"),
        key: Some(b""),
        value: Some(b"hello"),
        headers: &headers,
        partition: Some(2),
        timestamp: Some(123_123_123),
        tag: 77,
    };
    bed.producer.send(&sent).unwrap();
    let report = bed.reports(1)[0];
    ok(&report);
    assert_eq!(report.kind, ReportKind::Record);
    assert_eq!((report.tag, report.partition, report.offset), (77, 2, 0));
    assert_eq!(report.timestamp, 123_123_123);
    assert_eq!(report.timestamp_type, TimestampType::CreateTime);
    assert_eq!(report.persistence(), Persistence::Persisted);
    assert_eq!(bed.producer.topic_name(report.topic), Some("t"));
    let stored = &bed.mock().records("t", 2)[0];
    assert_eq!(stored.key.as_deref(), Some(&b""[..]));
    assert_eq!(stored.value.as_deref(), Some(&b"hello"[..]));
    assert_eq!(stored.timestamp, 123_123_123);
    assert_eq!(stored.headers.len(), 2);
    bed.producer.close(Timeout::After(LONG)).unwrap();
}

#[test]
fn many_records_of_many_threads_are_each_reported_once_and_in_order() {
    let bed = Bed::new(3, &[("linger.ms", "1")]);
    bed.mock().create_topic("t", 6);
    let (threads, each) = (8u64, 5_000u64);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let producer = &bed.producer;
            scope.spawn(move || {
                for n in 0..each {
                    let tag = thread << 32 | n;
                    let value = tag.to_be_bytes();
                    producer.send(&record("t", &value, tag)).unwrap();
                }
            });
        }
    });
    let reports = bed.reports((threads * each) as usize);
    let mut seen: Vec<u64> = reports.iter().map(|report| report.tag).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len() as u64, threads * each);
    reports.iter().for_each(ok);
    for partition in 0..6 {
        let offsets: Vec<i64> = reports
            .iter()
            .filter(|report| report.partition == partition)
            .map(|report| report.offset)
            .collect();
        assert!(offsets.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        // Each thread's records stand in the log in the order of its sends.
        let mut last = std::collections::HashMap::new();
        for stored in bed.mock().records("t", partition) {
            let value: [u8; 8] = stored.value.as_deref().unwrap().try_into().unwrap();
            let tag = u64::from_be_bytes(value);
            let before = last.insert(tag >> 32, tag & 0xffff_ffff);
            assert!(before.is_none_or(|before| before < tag & 0xffff_ffff));
        }
    }
    bed.producer.close(Timeout::After(LONG)).unwrap();
}

#[test]
fn try_send_parks_a_record_of_an_unknown_topic() {
    let bed = Bed::new(1, &[]);
    for tag in 0..10 {
        bed.producer.try_send(&record("new", b"v", tag)).unwrap();
    }
    let reports = bed.reports(10);
    reports.iter().for_each(ok);
    let tags: Vec<u64> = reports.iter().map(|report| report.tag).collect();
    assert_eq!(tags, (0..10).collect::<Vec<_>>());
}

#[test]
fn an_unknown_partition_of_a_known_topic_is_refused_at_once() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 2);
    let count = bed
        .producer
        .partitions_for(TopicRef::Name("t"), Timeout::After(LONG));
    assert_eq!(count, Ok(2));
    let sent = Record {
        partition: Some(2),
        ..record("t", b"v", 1)
    };
    assert_eq!(bed.producer.send(&sent), Err(ErrorCode::UNKNOWN_PARTITION));
}

#[test]
fn send_wait_gives_the_records_metadata_and_skips_linger() {
    let bed = Bed::new(1, &[("linger.ms", "60000")]);
    bed.mock().create_topic("t", 1);
    let report = bed
        .producer
        .send_wait(&record("t", b"v", 5), Timeout::After(LONG))
        .unwrap();
    ok(&report);
    assert_eq!((report.tag, report.offset), (5, 0));
}

#[test]
fn flush_and_close_end_linger() {
    let bed = Bed::new(1, &[("linger.ms", "60000")]);
    bed.mock().create_topic("t", 1);
    bed.producer.send(&record("t", b"v", 1)).unwrap();
    bed.producer.flush(Timeout::After(LONG)).unwrap();
    ok(&bed.reports(1)[0]);
    bed.producer.send(&record("t", b"v", 2)).unwrap();
    bed.producer.close(Timeout::After(LONG)).unwrap();
    ok(&bed.reports(1)[0]);
    let closed = bed.producer.poll(1, Timeout::Now, |_| {});
    assert_eq!(closed, Err(ErrorCode::CLOSED));
    assert_eq!(
        bed.producer.send(&record("t", b"v", 3)),
        Err(ErrorCode::CLOSED)
    );
}

#[test]
fn acks_0_reports_once_the_socket_took_the_bytes() {
    let bed = Bed::new(1, &[("acks", "0")]);
    bed.mock().create_topic("t", 1);
    bed.producer.send(&record("t", b"v", 1)).unwrap();
    let report = bed.reports(1)[0];
    ok(&report);
    assert_eq!(report.offset, -1);
    assert_eq!(report.persistence(), Persistence::Possibly);
    bed.mock()
        .wait_for(LONG, |cluster| {
            (cluster.end_offset("t", 0) == 1).then_some(())
        })
        .unwrap();
}

/// What counts is what the record takes, not what so many headers could take.
#[test]
fn many_small_headers_are_no_large_record() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 1);
    let nothing = Header {
        key: b"",
        value: None,
    };
    let headers = vec![nothing; 500_000];
    let sent = Record {
        headers: &headers,
        ..record("t", b"v", 1)
    };
    bed.producer.send(&sent).unwrap();
    ok(&bed.report());
    let larger = vec![nothing; 530_000];
    let sent = Record {
        headers: &larger,
        ..sent
    };
    assert_eq!(bed.producer.send(&sent), Err(ErrorCode::RECORD_TOO_LARGE));
}
