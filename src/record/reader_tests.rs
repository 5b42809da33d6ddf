//! Whole batches against kafka-protocol, aiokafka's checksums and hostile bytes.

use super::*;
use crate::record::header::Attributes;
use crate::record::samples::{Header, Sample, batch, header, join, put, section};
use bytes::BytesMut;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records as oracle;
use proptest::prelude::*;

fn open(bytes: &[u8]) -> Result<Batch, BatchError> {
    let batch = RawBatch::take(&mut &bytes[..])?.open(1 << 20)?;
    batch.validate()?;
    Ok(batch)
}

fn assert_same(records: &Batch, samples: &[Sample]) {
    let records: Result<Vec<_>, _> = records.records().collect();
    let records = records.expect("all records are right");
    assert_eq!(records.len(), samples.len());
    for (record, sample) in records.iter().zip(samples) {
        assert_eq!(record.timestamp, sample.timestamp);
        assert_eq!(record.key, sample.key.as_deref());
        assert_eq!(record.value, sample.value.as_deref());
        let headers: Vec<Header> = record
            .headers
            .iter()
            .map(|h| {
                let key = String::from_utf8(h.key.to_vec()).expect("UTF-8");
                (key, h.value.map(<[u8]>::to_vec))
            })
            .collect();
        assert_eq!(headers, sample.headers);
    }
}

fn varied() -> Vec<Sample> {
    let header = |key: &str, value: Option<&[u8]>| (key.to_owned(), value.map(<[u8]>::to_vec));
    let mut samples: Vec<Sample> = (0..200)
        .map(|i| Sample {
            timestamp: 1_700_000_000_000 + (i * 37) % 100,
            key: Some(format!("key {i}").into_bytes()),
            value: Some(b"value ".repeat(i as usize)),
            headers: vec![header("a", Some(b"1")), header("b", Some(b""))],
        })
        .collect();
    samples[3] = Sample {
        timestamp: 1_699_999_999_999,
        key: None,
        value: None,
        headers: vec![header("null", None), header("", Some(b"empty key"))],
    };
    samples[4].key = Some(Vec::new());
    samples[4].value = Some(Vec::new());
    samples
}

#[test]
fn the_oracle_reads_our_batches_in_every_codec() {
    let samples = varied();
    for codec in Codec::ALL {
        let mut bytes = Bytes::from(batch(&samples, codec));
        // kafka-protocol is built without codecs; theirs would be the same crates as ours.
        let unpack = |packed: &mut Bytes, codec: oracle::Compression| {
            let codec = Codec::from_id(codec as u8).expect("a known codec");
            Ok(Bytes::from(decompress(codec, packed, 1 << 24)?))
        };
        let set =
            oracle::RecordBatchDecoder::decode_with_custom_compression(&mut bytes, Some(unpack))
                .expect("the oracle reads it");
        assert_eq!(set.records.len(), samples.len(), "{codec:?}");
        for (index, (record, sample)) in set.records.iter().zip(&samples).enumerate() {
            assert_eq!(record.offset, index as i64);
            assert_eq!(record.timestamp, sample.timestamp);
            assert_eq!(record.key.as_deref(), sample.key.as_deref());
            assert_eq!(record.value.as_deref(), sample.value.as_deref());
            let headers: Vec<Header> = record
                .headers
                .iter()
                .map(|(key, value)| (key.to_string(), value.as_ref().map(|v| v.to_vec())))
                .collect();
            assert_eq!(headers, sample.headers);
        }
    }
}

#[test]
fn we_read_the_oracles_batches() {
    let samples = varied();
    let records: Vec<oracle::Record> = samples
        .iter()
        .enumerate()
        .map(|(index, sample)| oracle::Record {
            transactional: false,
            control: false,
            partition_leader_epoch: -1,
            producer_id: 77,
            producer_epoch: 3,
            timestamp_type: oracle::TimestampType::Creation,
            offset: index as i64,
            sequence: 10 + index as i32,
            timestamp: sample.timestamp,
            key: sample.key.clone().map(Bytes::from),
            value: sample.value.clone().map(Bytes::from),
            headers: sample
                .headers
                .iter()
                .map(|(k, v)| (StrBytes::from_string(k.clone()), v.clone().map(Bytes::from)))
                .collect(),
            delete_horizon: false,
        })
        .collect();
    let mut bytes = BytesMut::new();
    let options = oracle::RecordEncodeOptions {
        version: 2,
        compression: oracle::Compression::None,
    };
    oracle::RecordBatchEncoder::encode(&mut bytes, &records, &options).expect("the oracle writes");
    let batch = open(&bytes).expect("we read it");
    assert_eq!(batch.header.producer_id, 77);
    assert_eq!(batch.header.producer_epoch, 3);
    assert_eq!(batch.header.base_sequence, 10);
    assert_same(&batch, &samples);
}

#[test]
fn every_codec_is_read_back() {
    let samples = varied();
    for codec in Codec::ALL {
        let bytes = batch(&samples, codec);
        let raw = RawBatch::take(&mut &bytes[..]).expect("a batch");
        assert_eq!(raw.codec(), Ok(codec));
        assert_same(&open(&bytes).expect("it is right"), &samples);
    }
}

#[test]
fn checksums_are_aiokafkas() {
    // Ten records as in aiokafka's test_read_write_serde_v2.
    let samples: Vec<Sample> = (0..10)
        .map(|i| Sample {
            timestamp: 9_999_999 + i,
            key: Some(b"test".to_vec()),
            value: Some(b"Super".to_vec()),
            headers: vec![
                ("header1".into(), Some(b"aaa".to_vec())),
                ("header2".into(), Some(b"bbb".to_vec())),
            ],
        })
        .collect();
    let header = BatchHeader {
        attributes: Attributes::new(Codec::None, true),
        producer_id: 123_456,
        producer_epoch: 123,
        base_sequence: 9999,
        ..header(&samples, Codec::None)
    };
    let bytes = join(&header, &section(&samples));
    let read = RawBatch::take(&mut &bytes[..]).expect("a batch").header;
    assert_eq!(read.crc, 3_950_153_926);
    assert!(read.attributes.is_transactional());
}

#[test]
fn a_section_of_several_batches_is_walked() {
    let samples = varied();
    let mut blob = batch(&samples, Codec::Lz4);
    blob.extend_from_slice(&batch(&samples[..1], Codec::None));
    let counts: Vec<i32> = batches(&blob)
        .map(|batch| batch.expect("a batch").header.record_count)
        .collect();
    assert_eq!(counts, [200, 1]);
    blob.truncate(blob.len() - 1);
    let last = batches(&blob).nth(1).expect("a second item");
    assert!(matches!(last, Err(BatchError::Truncated { .. })));
    assert_eq!(batches(&blob).count(), 2);
}

#[test]
fn each_wrong_claim_is_named() {
    let samples = &varied()[..3];
    let raw = section(samples);
    let right = header(samples, Codec::None);
    let refused =
        |header: BatchHeader, section: &[u8]| open(&join(&header, section)).expect_err("refused");

    let wrong_count = BatchHeader {
        record_count: 4,
        ..right
    };
    assert!(matches!(
        refused(wrong_count, &raw),
        BatchError::Count { count: 4, .. }
    ));
    let empty = BatchHeader {
        record_count: 0,
        last_offset_delta: -1,
        ..right
    };
    assert!(matches!(
        refused(empty, &[]),
        BatchError::Count { count: 0, .. }
    ));
    let many = BatchHeader {
        record_count: i32::MAX,
        last_offset_delta: i32::MAX - 1,
        ..right
    };
    assert!(matches!(
        refused(many, &raw),
        BatchError::TooFewBytes { .. }
    ));
    let fewer = BatchHeader {
        record_count: 2,
        last_offset_delta: 1,
        ..right
    };
    assert!(matches!(refused(fewer, &raw), BatchError::Trailing(_)));
    let magic = BatchHeader { magic: 1, ..right };
    assert_eq!(refused(magic, &raw), BatchError::Magic(1));
    let codec = BatchHeader {
        attributes: Attributes(5),
        ..right
    };
    assert_eq!(refused(codec, &raw), BatchError::UnknownCodec(5));
    let packed = BatchHeader {
        attributes: Attributes(4),
        ..right
    };
    assert!(matches!(refused(packed, &raw), BatchError::Compression(_)));
    let late = BatchHeader {
        max_timestamp: 1,
        ..right
    };
    assert!(matches!(
        refused(late, &raw),
        BatchError::MaxTimestamp { stated: 1, .. }
    ));
    let producer = BatchHeader {
        producer_id: 5,
        ..right
    };
    assert_eq!(refused(producer, &raw), BatchError::Sequence(-1));
    let overflow = BatchHeader {
        base_timestamp: i64::MAX,
        ..right
    };
    assert!(matches!(
        refused(overflow, &raw),
        BatchError::Record {
            error: RecordError::Timestamp,
            ..
        }
    ));

    let swapped = [&section(&samples[..1])[..], &section(&samples[..1])[..]].concat();
    let two = BatchHeader {
        record_count: 2,
        last_offset_delta: 1,
        ..right
    };
    assert_eq!(
        refused(two, &swapped),
        BatchError::OffsetDelta { index: 1, found: 0 }
    );

    let mut damaged = join(&right, &raw);
    damaged[70] ^= 1;
    assert!(matches!(open(&damaged), Err(BatchError::Checksum { .. })));
    for (length, error) in [(48, true), (-1, true), (i32::MIN, true)] {
        damaged[8..12].copy_from_slice(&i32::to_be_bytes(length));
        assert_eq!(open(&damaged).is_err(), error);
    }
}

#[test]
fn hostile_lengths_inside_a_record_are_errors() {
    let header = BatchHeader {
        last_offset_delta: 0,
        record_count: 1,
        base_timestamp: 0,
        max_timestamp: 0,
        ..BatchHeader::default()
    };
    // length, attributes, timestamp delta, offset delta, then: key, value, headers.
    for tail in [
        vec![0xfe, 0xff, 0xff, 0xff, 0x0f, 1, 0],
        vec![1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0],
        vec![1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f],
        vec![3, 1, 0, 0],
        vec![1, 1, 1, 0],
        vec![1, 1, 2, 1, 1],
        vec![1, 1, 0, 0],
    ] {
        let mut raw = Vec::new();
        put(&mut raw, 3 + tail.len() as i64);
        raw.extend_from_slice(&[0, 0, 0]);
        raw.extend_from_slice(&tail);
        let error = open(&join(&header, &raw)).expect_err("refused");
        assert!(
            matches!(error, BatchError::Record { index: 0, .. }),
            "{error}"
        );
    }
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..50));
    let headers = proptest::collection::vec((".{0,8}", bytes()), 0..4);
    (-5_000i64..5_000, bytes(), bytes(), headers).prop_map(|(timestamp, key, value, headers)| {
        Sample {
            timestamp,
            key,
            value,
            headers,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_batch_round_trips(samples in proptest::collection::vec(any_sample(), 1..30), codec in 0u8..5) {
        let codec = Codec::from_id(codec).expect("a codec");
        assert_same(&open(&batch(&samples, codec)).expect("it is right"), &samples);
    }

    #[test]
    fn damage_never_panics(at: usize, to: u8, cut: usize, codec in 0u8..5) {
        let codec = Codec::from_id(codec).expect("a codec");
        let mut bytes = batch(&varied(), codec);
        let at = at % bytes.len();
        bytes[at] = to;
        // With a right checksum the damage reaches the records.
        let crc = crc32c::crc32c(&bytes[CRC_START..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        let _ = open(&bytes);
        bytes.truncate(cut % bytes.len());
        prop_assert!(open(&bytes).is_err());
    }
}
