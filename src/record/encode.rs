//! One record into its place in a batch: small fields are gathered on the stack, key and value copied once.

use super::varint::{varint_size, write_varint};
use crate::sys::{APPEND_SLACK, ShortRecord, append_record};

/// One header. Keys may repeat and may be empty; a value may be null.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// What of a record goes into the batch as the caller gave it.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
}

/// A key or a value in the form in which most go the short way: the bytes, and the length as the wire has it.
#[derive(Clone, Copy, Debug)]
pub struct ShortField<'a> {
    bytes: &'a [u8],
    /// Zigzag-encoded.
    length: u32,
}

/// A record without headers.
#[derive(Clone, Copy, Debug)]
pub struct ShortPayload<'a> {
    pub key: ShortField<'a>,
    pub value: ShortField<'a>,
}

/// Room that `Staged::write` may use behind the record's own bytes.
pub const SLACK: usize = PIECE;
const _: () = assert!(SLACK >= APPEND_SLACK);

/// length 5, attributes 1, timestamp 10, offset 5, key length 5, value length 5, header count 5.
pub const MAX_OVERHEAD: usize = 36;

/// Copied whole, because a copy of a size known to the compiler beats one that is shorter.
const PIECE: usize = 32;
/// Where the length ends, which is known last and written backwards from here.
const LENGTH_END: usize = 5;

/// A record's small fields, encoded, and how long it all becomes.
#[derive(Debug)]
pub struct Staged {
    /// From `start`: length, attributes, timestamp, offset, key length; and the value's length where there is
    /// no key in between.
    head: [u8; LENGTH_END + PIECE],
    start: usize,
    head_end: usize,
    /// The value's length behind a key.
    middle: [u8; 5],
    middle_len: usize,
    /// The record's bytes in the batch.
    pub total: usize,
}

impl<'a> Payload<'a> {
    /// The most bytes that the record can take, whatever its timestamp and place.
    #[inline]
    pub fn upper_bound(&self) -> usize {
        let fields = self.key.map_or(0, <[u8]>::len) + self.value.map_or(0, <[u8]>::len);
        let headers = match self.headers {
            [] => 0,
            headers => headers_size(headers),
        };
        MAX_OVERHEAD + fields + headers
    }

    /// Encodes the small fields for a place in a batch.
    #[inline]
    pub fn stage(&self, timestamp_delta: i64, offset_delta: i32) -> Staged {
        let mut staged = Staged {
            head: [0; LENGTH_END + PIECE],
            start: 0,
            head_end: 0,
            middle: [0; 5],
            middle_len: 0,
            total: 0,
        };
        // Behind the length one byte of attributes, of which none is defined.
        let mut at = LENGTH_END + 1;
        at = put(&mut staged.head, at, zigzag(timestamp_delta));
        at = put(&mut staged.head, at, zigzag(i64::from(offset_delta)));
        at = put(&mut staged.head, at, zigzag(length(self.key)));
        let mut payload = 0;
        match self.key {
            None => at = put(&mut staged.head, at, zigzag(length(self.value))),
            Some(key) => {
                payload += key.len();
                staged.middle_len = write_varint(&mut staged.middle, length(self.value) as i32);
            }
        }
        payload += self.value.map_or(0, <[u8]>::len);
        let headers = match self.headers {
            [] => 1,
            headers => headers_size(headers),
        };
        let body = at - LENGTH_END + staged.middle_len + payload + headers;
        staged.head_end = at;
        staged.start = put_before(&mut staged.head, zigzag(body as i64));
        staged.total = body + LENGTH_END - staged.start;
        staged
    }
}

impl<'a> ShortField<'a> {
    const NULL_LENGTH: u32 = 1;

    pub const NULL: Self = ShortField {
        bytes: &[],
        length: Self::NULL_LENGTH,
    };

    #[inline(always)]
    pub fn new(bytes: &'a [u8]) -> Self {
        // A length that does not fit is turned into one that is too long to be short.
        let length = match bytes.len() {
            len if len < (u32::MAX / 2) as usize => (len as u32) << 1,
            _ => u32::MAX,
        };
        ShortField { bytes, length }
    }

    #[inline(always)]
    pub fn nullable(bytes: Option<&'a [u8]>) -> Self {
        bytes.map_or(ShortField::NULL, ShortField::new)
    }

    #[inline(always)]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        (self.length != Self::NULL_LENGTH).then_some(self.bytes)
    }

    #[inline(always)]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

impl ShortPayload<'_> {
    /// Appends the record if it is as short as nearly all are, surely has at most `limit` bytes, and `out` has room
    /// for it and `SLACK` without moving. Gives the number of its bytes.
    #[inline(always)]
    pub fn append(
        &self,
        out: &mut Vec<u8>,
        timestamp_delta: i64,
        offset_delta: usize,
        limit: usize,
    ) -> Option<usize> {
        let record = ShortRecord {
            timestamp_delta: zigzag(timestamp_delta),
            offset_delta: (offset_delta as u64) << 1,
            key_length: self.key.length,
            value_length: self.value.length,
            key: self.key.bytes,
            value: self.value.bytes,
        };
        append_record(out, record, limit)
    }
}

impl Staged {
    /// Appends the record. `out` has room for `total + SLACK` bytes, so that nothing moves.
    #[inline]
    pub fn write(&self, payload: &Payload<'_>, out: &mut Vec<u8>) {
        debug_assert!(out.capacity() - out.len() >= self.total + SLACK);
        let head_len = out.len() + self.head_end - self.start;
        if let Some(piece) = self.head[self.start..].first_chunk::<PIECE>() {
            out.extend_from_slice(piece);
        }
        out.truncate(head_len);
        if let Some(key) = payload.key {
            out.extend_from_slice(key);
            out.extend_from_slice(&self.middle[..self.middle_len]);
        }
        if let Some(value) = payload.value {
            out.extend_from_slice(value);
        }
        match payload.headers {
            [] => out.push(0),
            headers => write_headers(out, headers),
        }
    }
}

#[inline(always)]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Nearly all varints of a record have one byte or two.
#[inline(always)]
fn put(out: &mut [u8; LENGTH_END + PIECE], at: usize, value: u64) -> usize {
    if value < 0x80 {
        out[at] = value as u8;
        at + 1
    } else if value < 0x4000 {
        out[at] = value as u8 | 0x80;
        out[at + 1] = (value >> 7) as u8;
        at + 2
    } else {
        put_long(out, at, value)
    }
}

#[inline(never)]
fn put_long(out: &mut [u8; LENGTH_END + PIECE], mut at: usize, mut value: u64) -> usize {
    while value >= 0x80 {
        out[at] = value as u8 | 0x80;
        value >>= 7;
        at += 1;
    }
    out[at] = value as u8;
    at + 1
}

/// Writes the length so that it ends where the fields begin; gives its first byte's place.
#[inline(always)]
fn put_before(out: &mut [u8; LENGTH_END + PIECE], value: u64) -> usize {
    if value < 0x80 {
        out[LENGTH_END - 1] = value as u8;
        LENGTH_END - 1
    } else if value < 0x4000 {
        out[LENGTH_END - 2] = value as u8 | 0x80;
        out[LENGTH_END - 1] = (value >> 7) as u8;
        LENGTH_END - 2
    } else {
        put_long_before(out, value)
    }
}

#[inline(never)]
fn put_long_before(out: &mut [u8; LENGTH_END + PIECE], value: u64) -> usize {
    let bytes = (64 - value.leading_zeros() as usize).div_ceil(7);
    let start = LENGTH_END - bytes.min(LENGTH_END);
    put_long(out, start, value);
    start
}

#[inline(always)]
fn length(field: Option<&[u8]>) -> i64 {
    field.map_or(-1, |bytes| bytes.len() as i64)
}

fn field_size(field: Option<&[u8]>) -> usize {
    varint_size(length(field) as i32) + field.map_or(0, <[u8]>::len)
}

#[inline(never)]
fn headers_size(headers: &[Header<'_>]) -> usize {
    varint_size(headers.len() as i32)
        + headers
            .iter()
            .map(|header| field_size(Some(header.key)) + field_size(header.value))
            .sum::<usize>()
}

#[inline(never)]
fn write_headers(out: &mut Vec<u8>, headers: &[Header<'_>]) {
    put_varint(out, headers.len() as i32);
    for header in headers {
        put_varint(out, header.key.len() as i32);
        out.extend_from_slice(header.key);
        put_varint(out, length(header.value) as i32);
        out.extend_from_slice(header.value.unwrap_or_default());
    }
}

fn put_varint(out: &mut Vec<u8>, value: i32) {
    let mut staged = [0u8; 5];
    let len = write_varint(&mut staged, value);
    out.extend_from_slice(&staged[..len]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::varint::{read_varint, read_varlong};
    use proptest::prelude::*;

    fn field(input: &mut &[u8]) -> Option<Vec<u8>> {
        let len = usize::try_from(read_varint(input).unwrap()).ok()?;
        let (field, rest) = input.split_at(len);
        *input = rest;
        Some(field.to_vec())
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..9000)),
            value in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20_000)),
            headers in proptest::collection::vec(
                (proptest::collection::vec(any::<u8>(), 0..200),
                 proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200))), 0..5),
            delta in prop_oneof![any::<i64>(), -9_000..9_000i64],
            offset in prop_oneof![0..i32::MAX, 0..9_000i32],
        ) {
            let borrowed: Vec<Header<'_>> = headers
                .iter()
                .map(|(key, value)| Header { key, value: value.as_deref() })
                .collect();
            let payload = Payload {
                key: key.as_deref(),
                value: value.as_deref(),
                headers: &borrowed,
            };
            let staged = payload.stage(delta, offset);
            let mut out = Vec::with_capacity(staged.total + SLACK);
            staged.write(&payload, &mut out);
            prop_assert_eq!(out.len(), staged.total);
            let mut same = Vec::with_capacity(staged.total + SLACK);
            if headers.is_empty() {
                let short = ShortPayload {
                    key: ShortField::nullable(key.as_deref()),
                    value: ShortField::nullable(value.as_deref()),
                };
                prop_assert_eq!((short.key.bytes(), short.value.bytes()), (payload.key, payload.value));
                if let Some(total) = short.append(&mut same, delta, offset as usize, usize::MAX) {
                    prop_assert_eq!(&same, &out);
                    prop_assert_eq!(total, staged.total);
                }
            }
            prop_assert!(staged.total <= payload.upper_bound());

            let mut input = &out[..];
            let body = read_varint(&mut input).unwrap();
            prop_assert_eq!(body as usize, input.len());
            prop_assert_eq!(input[0], 0);
            input = &input[1..];
            prop_assert_eq!(read_varlong(&mut input).unwrap(), delta);
            prop_assert_eq!(read_varint(&mut input).unwrap(), offset);
            prop_assert_eq!(field(&mut input), key);
            prop_assert_eq!(field(&mut input), value);
            prop_assert_eq!(read_varint(&mut input).unwrap() as usize, headers.len());
            for (key, value) in headers {
                prop_assert_eq!(field(&mut input), Some(key));
                prop_assert_eq!(field(&mut input), value);
            }
            prop_assert!(input.is_empty());
        }
    }
}
