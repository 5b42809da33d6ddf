//! Compressed bytes from anywhere, within a limit of memory; and compression there and back.

use kprod::record::{Codec, CompressContext, CompressionError, compress, decompress};

use crate::Target;

/// What is decompressed may have this size.
const LIMIT: usize = 1 << 16;

/// An input is a codec's number, where its top bit says which way, and the bytes.
pub const TARGET: Target = Target {
    name: "codecs",
    run: |input| {
        if let Some((first, bytes)) = input.split_first()
            && let Some(codec) = Codec::from_id(first & 0x7f)
        {
            match first & 0x80 {
                0 => inflate(codec, bytes),
                _ => there_and_back(codec, bytes),
            }
        }
    },
    seeds: || Codec::ALL.into_iter().flat_map(seeds).collect(),
};

fn seeds(codec: Codec) -> Vec<Vec<u8>> {
    let text = b"partition, offset, timestamp; ".repeat(20);
    let mut seeds = vec![[&[codec.id() | 0x80], &text[..]].concat()];
    if let Some(packed) = packed(codec, &text) {
        seeds.push([&[codec.id()], &packed[..]].concat());
        if codec == Codec::Snappy {
            let xerial = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
            let length = (packed.len() as u32).to_be_bytes();
            seeds.push([&[codec.id()], &xerial[..], &length, &packed].concat());
        }
    }
    seeds
}

fn packed(codec: Codec, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut context = CompressContext::default();
    // In two pieces, as a batch has them.
    let (left, right) = bytes.split_at(bytes.len() / 2);
    compress(codec, None, &[left, right], bytes.len(), &mut context).expect("it compresses")
}

fn inflate(codec: Codec, bytes: &[u8]) {
    match decompress(codec, bytes, LIMIT) {
        Ok(inflated) => assert!(inflated.len() <= LIMIT),
        Err(CompressionError::TooLarge { limit, .. }) => assert_eq!(limit, LIMIT),
        Err(_) => {}
    }
}

fn there_and_back(codec: Codec, bytes: &[u8]) {
    if let Some(packed) = packed(codec, bytes) {
        assert!(packed.len() < bytes.len());
        assert_eq!(
            decompress(codec, &packed, bytes.len()).as_deref(),
            Ok(bytes)
        );
    }
}
