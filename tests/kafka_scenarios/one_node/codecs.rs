//! Scenario 20, which every supported broker is to pass, and 25: the codecs.

use kprod::error::ErrorCode;

use crate::bed::{Bed, all_ok, config, noise, record_at, text};
use crate::pool::{Kind, shared};
use crate::support::consumer::{Digest, Isolation};
use crate::support::kafka::KafkaCluster;
use crate::support::kcat::kcat;

const CODECS: [&str; 5] = ["none", "gzip", "snappy", "lz4", "zstd"];
const SIZES: [usize; 7] = [1, 100, 1_000, 10_000, 64 * 1024, 300_000, 900_000];

#[test]
fn scenario_20_consumers_read_what_every_codec_wrote() {
    every_codec_is_read(&shared(Kind::OneNode));
}

/// By Java's consumer and by librdkafka; the batches on disk are sound.
pub fn every_codec_is_read(cluster: &KafkaCluster) {
    for codec in CODECS {
        let topic = &format!("scenario-20-{codec}");
        cluster.create_topic(topic, 1, &[]);
        let values = values();
        let settings = [("compression.type", codec), ("linger.ms", "20")];
        let bed = Bed::new(&cluster.bootstrap(), &settings);
        for (tag, value) in values.iter().enumerate() {
            bed.send(&record_at(topic, 0, value, tag as u64));
        }
        let reports = bed.reports(values.len());
        all_ok(&reports);
        let offsets: Vec<i64> = reports.iter().map(|report| report.offset).collect();
        assert_eq!(offsets, (0..values.len() as i64).collect::<Vec<_>>());

        java_reads(cluster, topic, &values);
        librdkafka_reads(cluster, topic, &values);
        let batches = cluster.batches(1, topic, 0);
        assert!(
            batches.iter().all(|batch| batch.valid),
            "{codec}: {batches:?}"
        );
        let used = |name: &str| batches.iter().any(|batch| batch.compression == name);
        assert!(used(codec), "{codec} was not used: {batches:?}");
        // One byte, or noise, only grows.
        assert!(used("none"), "{codec} made batches larger: {batches:?}");
        bed.assert_at_rest();
    }
}

/// Each size of both kinds by itself, then small ones to share batches.
fn values() -> Vec<Vec<u8>> {
    let large = SIZES.iter().flat_map(|size| [text(*size), noise(*size)]);
    let small = (0..300).map(|n| text(20 + n));
    large.chain(small).collect()
}

#[track_caller]
fn java_reads(cluster: &KafkaCluster, topic: &str, values: &[Vec<u8>]) {
    let consumer = cluster.consumer(Isolation::ReadUncommitted);
    let read: Vec<_> = consumer
        .read_digests(topic)
        .iter()
        .map(|r| r.value)
        .collect();
    let sent: Vec<_> = values.iter().map(|value| Some(Digest::of(value))).collect();
    assert_eq!(read, sent, "{topic} read by Java");
}

#[track_caller]
fn librdkafka_reads(cluster: &KafkaCluster, topic: &str, values: &[Vec<u8>]) {
    let arguments = [
        "-C",
        "-t",
        topic,
        "-p",
        "0",
        "-o",
        "beginning",
        "-e",
        "-q",
        "-f",
        "%s",
    ];
    let more = [
        "-X",
        "check.crcs=true",
        "-X",
        "fetch.message.max.bytes=4000000",
    ];
    let read = kcat(
        &cluster.direct_bootstrap(),
        &[&arguments[..], &more].concat(),
        b"",
    );
    assert!(read == values.concat(), "{topic} read by librdkafka");
}

#[test]
fn scenario_25_a_level_that_a_codec_does_not_have_is_an_error_at_create() {
    for (name, value) in [
        ("compression.lz4.level", "17"),
        ("compression.gzip.level", "10"),
        ("compression.zstd.level", "23"),
        ("compression.type", "brotli"),
    ] {
        let mut config = config("127.0.0.1:9092", &[]);
        let error = config
            .set(name, value)
            .err()
            .or_else(|| config.build().err());
        let error = error.expect("it is refused");
        assert_eq!(error.code, ErrorCode::INVALID_CONFIG);
        assert!(error.message.contains(name), "{error}");
        assert!(error.message.contains(value), "{error}");
    }
}
