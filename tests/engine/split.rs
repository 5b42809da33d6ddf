//! Batches that are too large for the broker: cut in two until they fit (KIP-126).

use std::sync::Mutex;

use kprod::completion::{Persistence, Report};
use kprod::error::ErrorCode;
use kprod::mock::TopicConfig;
use kprod::producer::{Record, RecordCallback, Timeout};

use crate::support::{Bed, LONG, log, ok, record};

fn bed(limit: usize, settings: &[(&str, &str)]) -> Bed {
    let bed = Bed::new(1, settings);
    let config = TopicConfig::new(1).max_message_bytes(limit);
    bed.mock()
        .with(|cluster| cluster.create_topic("t", &config));
    bed
}

/// A value that no codec makes much smaller.
fn noise(tag: u64, length: usize) -> Vec<u8> {
    let rng = kprod::sys::Rng::from_seed(tag);
    let mut value = tag.to_be_bytes().to_vec();
    value.resize_with(length.max(8), || rng.next_u64() as u8);
    value
}

#[test]
fn a_batch_that_is_too_large_is_split_and_delivered_whole_once_and_in_order() {
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let bed = bed(
            2_000,
            &[("linger.ms", "10000"), ("compression.type", codec)],
        );
        for tag in 0..50 {
            let value = noise(tag, 200);
            bed.producer.send(&record("t", &value, tag)).unwrap();
        }
        // It waits for all the parts.
        bed.flush();
        assert_eq!(bed.producer.metrics().reports_queued, 50, "{codec}");
        let reports = bed.reports(50);
        for (tag, report) in reports.iter().enumerate() {
            ok(report);
            assert_eq!((report.tag, report.offset), (tag as u64, tag as i64));
        }
        assert_eq!(bed.log("t"), (0..50).collect::<Vec<_>>(), "{codec}");
        assert!(bed.producer.metrics().batch_splits >= 7, "{codec}");
        bed.settle();
        bed.close();
    }
}

#[test]
fn records_of_a_split_batch_keep_keys_headers_timestamps_and_nulls() {
    let bed = bed(1_500, &[("linger.ms", "10000")]);
    let pad = noise(1, 400);
    for tag in 0..8u64 {
        let headers = [
            kprod::producer::Header {
                key: b"h",
                value: None,
            },
            kprod::producer::Header {
                key: b"h",
                value: Some(b"again"),
            },
        ];
        let sent = Record {
            key: (tag % 2 == 0).then_some(b"key"),
            value: (tag % 3 != 0).then_some(&pad),
            headers: &headers,
            timestamp: Some(1_000_000 - tag as i64 * 1000),
            ..record("t", b"", tag)
        };
        bed.producer.send(&sent).unwrap();
    }
    bed.flush();
    bed.reports(8).iter().for_each(ok);
    assert!(bed.producer.metrics().batch_splits > 0);
    for (tag, stored) in bed.mock().records("t", 0).iter().enumerate() {
        assert_eq!(stored.key.is_some(), tag % 2 == 0);
        assert_eq!(stored.value.as_deref(), (tag % 3 != 0).then_some(&pad[..]));
        assert_eq!(stored.timestamp, 1_000_000 - tag as i64 * 1000);
        assert_eq!(stored.headers.len(), 2);
        assert_eq!(stored.headers[0].1, None);
        assert_eq!(stored.headers[1].1.as_deref(), Some(&b"again"[..]));
    }
}

#[test]
fn a_record_that_is_too_large_by_itself_fails_alone() {
    let bed = bed(2_000, &[("linger.ms", "10000")]);
    for tag in 0..10 {
        let value = noise(tag, if tag == 4 { 3_000 } else { 100 });
        bed.producer.send(&record("t", &value, tag)).unwrap();
    }
    bed.flush();
    for report in bed.reports(10) {
        match report.tag {
            4 => {
                assert_eq!(report.error, ErrorCode::MESSAGE_TOO_LARGE);
                assert_eq!(report.persistence(), Persistence::Not);
                let said = bed.detail(&report);
                assert!(said.contains("topic t partition 0"), "{said}");
            }
            _ => ok(&report),
        }
    }
    assert_eq!(bed.log("t"), [0, 1, 2, 3, 5, 6, 7, 8, 9]);
    bed.settle();
}

#[test]
fn records_behind_a_split_batch_stay_behind_it() {
    let settings = [("batch.size", "4000"), ("retry.backoff.ms", "5")];
    let bed = bed(1_000, &settings);
    for tag in 0..200 {
        let value = noise(tag, 300);
        bed.producer.send(&record("t", &value, tag)).unwrap();
    }
    bed.reports(200).iter().for_each(ok);
    assert_eq!(bed.log("t"), (0..200).collect::<Vec<_>>());
    bed.settle();
}

#[test]
fn each_records_callback_is_called_once_for_its_own_record() {
    static CALLS: Mutex<Vec<(u64, Report)>> = Mutex::new(Vec::new());
    fn note(context: u64, _: usize, report: &Report) {
        CALLS.lock().unwrap().push((context, *report));
    }
    let bed = bed(1_000, &[("linger.ms", "10000")]);
    for tag in 0..30 {
        let value = noise(tag, 200);
        let callback = RecordCallback {
            function: note,
            user: 0,
            context: 1000 + tag,
        };
        match tag % 3 {
            0 => bed.producer.send(&record("t", &value, tag)).unwrap(),
            _ => bed
                .producer
                .send_with_callback(&record("t", &value, tag), callback)
                .unwrap(),
        }
    }
    bed.producer.flush(Timeout::After(LONG)).unwrap();
    let calls = CALLS.lock().unwrap();
    let tags: Vec<u64> = calls.iter().map(|(_, report)| report.tag).collect();
    let expected: Vec<u64> = (0..30).filter(|tag| tag % 3 != 0).collect();
    assert_eq!(tags, expected);
    for (context, report) in calls.iter() {
        ok(report);
        assert_eq!(*context, 1000 + report.tag);
        assert_eq!(report.offset, report.tag as i64);
    }
    let polled = bed.reports(10);
    assert!(polled.iter().all(|report| report.tag % 3 == 0));
    assert_eq!(log(bed.mock(), "t", 0).len(), 30);
}
