//! Every codec, with retries and all shapes of records: what was sent is what is stored.

use kprod::error::ErrorCode;
use kprod::mock::{Fault, TopicConfig};
use kprod::producer::{Header, Record};
use kprod::protocol::ApiKey;
use kprod::record::{Codec, TimestampType};
use kprod::sys::Rng;

use crate::support::{Bed, ok, record};

const CODECS: [(&str, Codec); 5] = [
    ("none", Codec::None),
    ("gzip", Codec::Gzip),
    ("snappy", Codec::Snappy),
    ("lz4", Codec::Lz4),
    ("zstd", Codec::Zstd),
];

fn text(rng: &Rng, longest: u64) -> Vec<u8> {
    let words = [&b"kafka "[..], b"producer ", b"batch ", b"\0\xff"];
    let mut text = Vec::new();
    let length = rng.below(longest) as usize;
    while text.len() < length {
        text.extend_from_slice(words[rng.below(4) as usize]);
    }
    text
}

#[test]
fn what_was_sent_is_what_is_stored_after_retries_too() {
    for (name, codec) in CODECS {
        let settings = [
            ("compression.type", name),
            ("linger.ms", "5"),
            ("retry.backoff.ms", "5"),
        ];
        let bed = Bed::new(1, &settings);
        bed.mock().create_topic("t", 1);
        let refused = Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS);
        bed.mock().inject(refused.times(3));
        let rng = Rng::from_seed(11);
        let mut sent = Vec::new();
        for tag in 0..600u64 {
            let key = (tag % 5 != 0).then(|| text(&rng, 40));
            let value =
                (tag % 7 != 0).then(|| text(&rng, if tag % 50 == 1 { 70_000 } else { 300 }));
            let headers: Vec<(Vec<u8>, Option<Vec<u8>>)> = (0..tag % 4)
                .map(|n| (text(&rng, 9), (n % 2 == 0).then(|| text(&rng, 20))))
                .collect();
            let borrowed: Vec<Header<'_>> = headers
                .iter()
                .map(|(key, value)| Header {
                    key,
                    value: value.as_deref(),
                })
                .collect();
            let timestamp = 1_700_000_000_000 - (tag as i64 % 13) * 1_000_000;
            bed.producer
                .send(&Record {
                    key: key.as_deref(),
                    value: value.as_deref(),
                    headers: &borrowed,
                    timestamp: Some(timestamp),
                    ..record("t", b"", tag)
                })
                .unwrap();
            sent.push((key, value, headers, timestamp));
        }
        let reports = bed.reports(600);
        reports.iter().for_each(ok);
        let stored = bed.mock().records("t", 0);
        assert_eq!(stored.len(), 600, "{name}");
        for ((stored, sent), report) in stored.iter().zip(&sent).zip(&reports) {
            let (key, value, headers, timestamp) = sent;
            assert_eq!(stored.key.as_deref(), key.as_deref());
            assert_eq!(stored.value.as_deref(), value.as_deref());
            assert_eq!(stored.timestamp, *timestamp);
            let found: Vec<(Vec<u8>, Option<Vec<u8>>)> = stored
                .headers
                .iter()
                .map(|(key, value)| (key.to_vec(), value.as_ref().map(|value| value.to_vec())))
                .collect();
            assert_eq!(&found, headers);
            assert_eq!(
                (report.offset, report.timestamp),
                (stored.offset, *timestamp)
            );
        }
        let batches = bed.mock().with(|cluster| cluster.batches("t", 0));
        let used = |batch: &kprod::mock::StoredBatch| batch.header.attributes.codec();
        assert!(
            batches.iter().any(|batch| used(batch) == Ok(codec)),
            "{name}"
        );
        bed.settle();
        bed.close();
    }
}

#[test]
fn what_compression_makes_larger_goes_uncompressed() {
    for (name, _) in CODECS {
        let bed = Bed::new(1, &[("compression.type", name)]);
        bed.mock().create_topic("t", 1);
        let rng = Rng::from_seed(3);
        let mut noise = vec![0; 2000];
        noise.fill_with(|| rng.next_u64() as u8);
        bed.producer.send(&record("t", &noise, 1)).unwrap();
        ok(&bed.report());
        let batches = bed.mock().with(|cluster| cluster.batches("t", 0));
        assert_eq!(
            batches[0].header.attributes.codec(),
            Ok(Codec::None),
            "{name}"
        );
        assert_eq!(
            bed.mock().records("t", 0)[0].value.as_deref(),
            Some(&noise[..])
        );
    }
}

#[test]
fn large_batches_of_try_send_are_compressed_elsewhere_and_stay_in_order() {
    let settings = [
        ("compression.type", "gzip"),
        ("batch.size", "200000"),
        ("linger.ms", "2"),
    ];
    let bed = Bed::new(1, &settings);
    bed.mock().create_topic("t", 1);
    bed.send("t", 0);
    bed.report();
    for tag in 1..2000u64 {
        let mut value = vec![b'x'; 1000];
        value[..8].copy_from_slice(&tag.to_be_bytes());
        let sent = bed.producer.try_send(&record("t", &value, tag));
        assert_eq!(sent, Ok(()));
    }
    bed.flush();
    let reports = bed.reports(1999);
    reports.iter().for_each(ok);
    assert_eq!(bed.log("t"), (0..2000).collect::<Vec<_>>());
    bed.settle();
    bed.close();
}

#[test]
fn a_topic_with_the_brokers_time_gives_it_to_all_records() {
    let bed = Bed::new(1, &[("linger.ms", "600000")]);
    let config = TopicConfig::new(1).timestamp_type(TimestampType::LogAppendTime);
    bed.mock()
        .with(|cluster| cluster.create_topic("t", &config));
    for tag in 0..10 {
        let sent = Record {
            timestamp: Some(1000 + tag as i64),
            ..record("t", b"v", tag)
        };
        bed.producer.send(&sent).unwrap();
    }
    bed.flush();
    let stored = bed.mock().records("t", 0);
    for (report, stored) in bed.reports(10).iter().zip(stored) {
        ok(report);
        let kind = kprod::completion::TimestampType::LogAppendTime;
        assert_eq!(report.timestamp_type, kind);
        assert_eq!(report.timestamp, stored.timestamp);
        assert!(report.timestamp > 1_000_000);
    }
}

#[test]
fn a_timestamp_that_the_broker_refuses_fails_its_record_and_a_negative_one_is_refused_at_once() {
    let bed = Bed::new(1, &[]);
    bed.mock().create_topic("t", 1);
    let negative = Record {
        timestamp: Some(-1),
        ..record("t", b"v", 1)
    };
    let refused = bed.producer.send(&negative);
    assert_eq!(refused, Err(ErrorCode::INVALID_TIMESTAMP_ARG));
    let tomorrow = Record {
        timestamp: Some(kprod::sys::unix_millis() + 86_400_000),
        ..record("t", b"v", 2)
    };
    bed.producer.send(&tomorrow).unwrap();
    assert_eq!(bed.report().error, ErrorCode::INVALID_TIMESTAMP);
    for timestamp in [0, i64::MAX] {
        let sent = Record {
            timestamp: Some(timestamp),
            ..record("t", b"v", 3)
        };
        bed.producer.send(&sent).unwrap();
        bed.report();
    }
    bed.settle();
}
