//! Record batches from anywhere: the reader, past the checksum too.

use bytes::Bytes;
use kprod::record::reader::RawBatch;
use kprod::record::{Attributes, BatchHeader, Codec, CompressContext, HEADER_LEN, compress, frame};

use crate::Target;

const LIMIT: usize = 1 << 16;
/// The bytes as they are.
const RAW: u8 = 0;

/// An input is a mode and a batch. Unless the mode is [`RAW`], the harness compresses the records with the codec of
/// that number less one, and puts right the length, the magic number and the checksum.
pub const TARGET: Target = Target {
    name: "batches",
    run: |input| match input {
        [RAW, batch @ ..] => read(batch),
        [mode, batch @ ..] => {
            if let Some(codec) = Codec::from_id(mode - 1)
                && let Some((header, section)) = batch.split_first_chunk()
            {
                read(&mended(codec, header, section));
            }
        }
        [] => {}
    },
    seeds: || {
        let modes = || 0..=Codec::ALL.len() as u8;
        let with = |batch: Vec<u8>| modes().map(move |mode| [&[mode], &batch[..]].concat());
        with(batch(ONE_HEADER))
            .chain(with(batch(MANY_HEADERS)))
            .collect()
    },
};

const ONE_HEADER: [u8; 4] = [2, 2, b'h', 1];
/// Some hundred thousand are announced, and none is there.
const MANY_HEADERS: [u8; 4] = [0xfe, 0xff, 0x7f, 0];

/// Two records, each with a key, a value and these headers.
fn batch(headers: [u8; 4]) -> Vec<u8> {
    let record = |delta: u8| {
        let fields = [24, 0, 0, 2 * delta, 2, b'k', 4, b'v', b'v'];
        [&fields[..], &headers].concat()
    };
    let section = Bytes::from([record(0), record(1)].concat());
    let header = BatchHeader {
        last_offset_delta: 1,
        base_timestamp: 1,
        max_timestamp: 1,
        record_count: 2,
        ..BatchHeader::default()
    };
    let header = frame(&header, std::slice::from_ref(&section));
    [&header[..], &section].concat()
}

fn mended(codec: Codec, header: &[u8; HEADER_LEN], section: &[u8]) -> Vec<u8> {
    let mut context = CompressContext::default();
    let packed = compress(codec, None, &[section], section.len(), &mut context);
    let packed = packed.expect("it compresses");
    let mut header = BatchHeader::read(header);
    header.magic = BatchHeader::default().magic;
    if packed.is_some() {
        header.attributes = Attributes::new(codec, header.attributes.is_transactional());
    }
    let section = Bytes::from(packed.unwrap_or_else(|| section.to_vec()));
    let header = frame(&header, std::slice::from_ref(&section));
    [&header[..], &section].concat()
}

fn read(mut bytes: &[u8]) {
    while let Ok(raw) = RawBatch::take(&mut bytes) {
        let Ok(batch) = raw.open(LIMIT) else { continue };
        assert!(batch.section().len() <= LIMIT);
        let records = batch.records().count();
        if let Ok(largest) = batch.validate() {
            assert_eq!(records, batch.header.record_count as usize);
            assert_eq!(largest, batch.header.max_timestamp);
        }
    }
}
