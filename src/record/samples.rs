//! Batches for tests, written plainly and apart from the encoder that they help to judge.

use super::compression::{Codec, CompressContext, compress};
use super::header::{Attributes, BatchHeader, frame};
use super::varint::{MAX_VARLONG, write_varlong};
use bytes::Bytes;

/// A header's key and value.
pub type Header = (String, Option<Vec<u8>>);

/// A record.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<Header>,
}

/// Appends a varint.
pub fn put(out: &mut Vec<u8>, value: i64) {
    let mut buffer = [0; MAX_VARLONG];
    let len = write_varlong(&mut buffer, value);
    out.extend_from_slice(&buffer[..len]);
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put(out, -1),
        Some(bytes) => {
            put(out, bytes.len() as i64);
            out.extend_from_slice(bytes);
        }
    }
}

/// The records section of a batch.
pub fn section(samples: &[Sample]) -> Vec<u8> {
    let mut out = Vec::new();
    for (delta, sample) in samples.iter().enumerate() {
        let mut body = vec![0];
        put(&mut body, sample.timestamp - samples[0].timestamp);
        put(&mut body, delta as i64);
        put_nullable(&mut body, sample.key.as_deref());
        put_nullable(&mut body, sample.value.as_deref());
        put(&mut body, sample.headers.len() as i64);
        for (key, value) in &sample.headers {
            put_nullable(&mut body, Some(key.as_bytes()));
            put_nullable(&mut body, value.as_deref());
        }
        put(&mut out, body.len() as i64);
        out.extend_from_slice(&body);
    }
    out
}

/// The header that belongs to the records.
pub fn header(samples: &[Sample], codec: Codec) -> BatchHeader {
    BatchHeader {
        attributes: Attributes::new(codec, false),
        last_offset_delta: samples.len() as i32 - 1,
        base_timestamp: samples[0].timestamp,
        max_timestamp: samples.iter().map(|s| s.timestamp).max().expect("a sample"),
        record_count: samples.len() as i32,
        ..BatchHeader::default()
    }
}

/// A batch of a header, whose length and checksum are computed, and a records section.
pub fn join(header: &BatchHeader, section: &[u8]) -> Vec<u8> {
    let section = Bytes::copy_from_slice(section);
    let mut out = frame(header, std::slice::from_ref(&section)).to_vec();
    out.extend_from_slice(&section);
    out
}

/// The records as a batch, compressed where that makes it smaller.
pub fn batch(samples: &[Sample], codec: Codec) -> Vec<u8> {
    let raw = section(samples);
    let mut ctx = CompressContext::default();
    match compress(codec, None, &[&raw], raw.len(), &mut ctx).expect("compresses") {
        Some(packed) => join(&header(samples, codec), &packed),
        None => join(&header(samples, Codec::None), &raw),
    }
}
