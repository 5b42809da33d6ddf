//! Packs of records: whatever the descriptors say of the buffer, what is accepted is reported once, and nothing beyond
//! the buffer is read.

use std::sync::atomic::Ordering;

use kprod::ffi::{kprod_packed_t, kprod_send_packed};

use crate::Target;
use crate::records::{Producer, RECORDS_AT_MOST};

/// An input is the number of descriptors, the descriptors of [`WIDTH`] bytes each, and the buffer.
pub const TARGET: Target = Target {
    name: "packs",
    run: |input| {
        let Some((count, rest)) = input.split_first() else {
            return;
        };
        let count = usize::from(*count).min(RECORDS_AT_MOST);
        let (described, buffer) = rest.split_at(rest.len().min(count * WIDTH));
        let records: Box<[kprod_packed_t]> = described
            .chunks_exact(WIDTH)
            .map(|bytes| descriptor(bytes.try_into().expect("exact chunks")))
            .collect();
        // Of exactly that length, so that a byte more is a sanitizer's report.
        let buffer: Box<[u8]> = buffer.into();
        let producer = Producer::get();
        let mut why = 0;
        // SAFETY: both arrays are as long as is said.
        let accepted = unsafe {
            kprod_send_packed(
                producer.handle,
                buffer.as_ptr(),
                buffer.len() as u64,
                records.as_ptr(),
                records.len() as u64,
                &mut why,
            )
        };
        let accepted = usize::try_from(accepted).expect("the call itself is right");
        assert_eq!(accepted == records.len(), why == 0);
        let tags = records[..accepted].iter().map(|record| record.tag);
        producer.expect_reports(tags.collect());
    },
    seeds: || {
        let plain = [0, 0, 0, 3, 2, 0, 0, 0, 1];
        let headed = [0, 0, 5, 1, NULL, 13, 1, 0, 1];
        let header = [1, 0, 0, 0, b'h', 4, 0, 0, 0, b'w', b'h', b'a', b't'];
        vec![
            [&[1][..], &plain, b"keyv!"].concat(),
            [&[2][..], &plain, &headed, b"keyv!k", &header].concat(),
        ]
    },
};

const WIDTH: usize = 9;
const NULL: u8 = 255;

/// A small number as it is, and from 240 on those at which sums go over.
fn size(byte: u8) -> u32 {
    match byte {
        NULL => u32::MAX,
        254 => i32::MIN as u32,
        253 => i32::MAX as u32,
        252 => u32::MAX - 1,
        240..252 => u32::MAX - 8 * u32::from(byte - 239),
        small => small.into(),
    }
}

fn descriptor(bytes: [u8; WIDTH]) -> kprod_packed_t {
    let [
        topic,
        partition,
        offset,
        key,
        value,
        headers,
        count,
        reserved,
        timestamp,
    ] = bytes;
    let producer = Producer::get();
    kprod_packed_t {
        tag: producer.next_tag.fetch_add(1, Ordering::Relaxed),
        timestamp_ms: match timestamp {
            NULL => i64::MIN,
            254 => i64::MAX,
            other => i64::from(other) - 2,
        },
        topic: match topic {
            0 => producer.topic,
            other => size(other),
        },
        partition: size(partition).cast_signed(),
        offset: size(offset),
        key_len: size(key).cast_signed(),
        value_len: size(value).cast_signed(),
        headers_len: size(headers),
        header_count: size(count),
        reserved: u32::from(reserved == NULL),
    }
}
