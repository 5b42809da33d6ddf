//! Records in one flat buffer: for callers whose memory C must not hold pointers into.

use super::KPROD_TIMESTAMP_NOW;
use super::boundary::{Call, on_producer};
use super::handle::{ProducerHandle, kprod_producer_t};
use super::marshal::{self, Headers};
use super::send::{CLOCK_CHUNK, told};
use super::types::kprod_packed_t;
use crate::error::ErrorCode;
use crate::producer::{Header, PlainRecord, Producer, Record, ShortField, TopicRef};
use crate::sys;

/// Before each header's key and value stand their lengths.
const MIN_HEADER_SIZE: usize = 8;

/// Sends records that lie in one flat buffer, to any topics, without blocking: a prefix of them is accepted, each as by
/// kprod_try_send, and the first that is refused ends the call. At its offset a record has the bytes of its key, those
/// of its value, and for each header the length of its key (int32_t), the key, the length of its value (int32_t,
/// KPROD_NULL for none) and the value, all in the machine's byte order and without gaps. Records may share bytes.
///
/// @param producer    borrowed.
/// @param buffer      borrowed for the call; may be NULL when buffer_len is 0.
/// @param buffer_len  the length of buffer in bytes.
/// @param records     borrowed for the call; may be NULL when count is 0.
/// @param count       the number of records.
/// @param why         out, written whenever the result is not negative; may be NULL: 0 when all were accepted, else why
///                    the first that was not was refused: as kprod_try_send says it, or KPROD_ERR_INVALID_ARG when it
///                    does not lie within the buffer, its headers do not fill headers_len, or a length is below
///                    KPROD_NULL.
///
/// Returns: the number of records accepted, from the start of the array, 0 to count; or, with nothing accepted and
/// why untouched, KPROD_ERR_INVALID_ARG (NULL, a wrong handle), _FATAL, _FORKED, _INTERNAL.
/// Ownership: buffer and records are the caller's again on return.
/// Thread-safety: any thread; records that one thread sends to a partition keep their order.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; 0 with KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_send_packed(
    producer: *mut kprod_producer_t,
    buffer: *const u8,
    buffer_len: u64,
    records: *const kprod_packed_t,
    count: u64,
    why: *mut i32,
) -> i64 {
    // SAFETY: the header's contract.
    unsafe {
        let result = on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let buffer = marshal::array(buffer, buffer_len)?;
            let records = marshal::array(records, count)?;
            Ok(send_all(&handle.producer, buffer, records))
        });
        told(result, why)
    }
}

fn send_all(producer: &Producer, buffer: &[u8], records: &[kprod_packed_t]) -> (usize, ErrorCode) {
    let mut accepted = 0;
    for chunk in records.chunks(CLOCK_CHUNK) {
        let now = sys::unix_millis();
        for packed in chunk {
            match send_one(producer, buffer, packed, now) {
                Ok(()) => accepted += 1,
                Err(code) => return (accepted, code),
            }
        }
    }
    (accepted, ErrorCode::OK)
}

#[inline(always)]
fn send_one(
    producer: &Producer,
    buffer: &[u8],
    packed: &kprod_packed_t,
    now: i64,
) -> Result<(), ErrorCode> {
    let fields = Fields::of(buffer, packed)?;
    if (packed.header_count | packed.headers_len) == 0 {
        let plain = PlainRecord {
            topic: packed.topic,
            key: ShortField::nullable(fields.key),
            value: || Some(ShortField::nullable(fields.value)),
            partition: packed.partition,
            timestamp: match packed.timestamp_ms {
                KPROD_TIMESTAMP_NOW => now,
                given => given,
            },
            tag: packed.tag,
        };
        if producer.send_quickly(&plain) {
            return Ok(());
        }
    }
    send_any(producer, packed, &fields)
}

/// Apart, so that the short way needs no stack for it.
#[inline(never)]
fn send_any(
    producer: &Producer,
    packed: &kprod_packed_t,
    fields: &Fields<'_>,
) -> Result<(), ErrorCode> {
    if packed.timestamp_ms < KPROD_TIMESTAMP_NOW {
        return Err(ErrorCode::INVALID_TIMESTAMP_ARG);
    }
    let headers = headers(fields.headers, packed.header_count)?;
    producer.try_send(&Record {
        topic: TopicRef::Handle(packed.topic),
        key: fields.key,
        value: fields.value,
        headers: &headers,
        partition: (packed.partition >= 0).then_some(packed.partition),
        timestamp: (packed.timestamp_ms >= 0).then_some(packed.timestamp_ms),
        tag: packed.tag,
    })
}

/// A record's bytes in the buffer.
#[derive(Debug, PartialEq, Eq)]
struct Fields<'a> {
    key: Option<&'a [u8]>,
    value: Option<&'a [u8]>,
    headers: &'a [u8],
}

impl<'a> Fields<'a> {
    #[inline(always)]
    fn of(buffer: &'a [u8], packed: &kprod_packed_t) -> Result<Self, ErrorCode> {
        if packed.reserved != 0 || packed.partition < -1 {
            return Err(ErrorCode::INVALID_ARG);
        }
        let rest = buffer.get(packed.offset as usize..);
        let mut rest = rest.ok_or(ErrorCode::INVALID_ARG)?;
        let key = nullable(&mut rest, packed.key_len)?;
        let value = nullable(&mut rest, packed.value_len)?;
        let headers = rest.get(..packed.headers_len as usize);
        Ok(Fields {
            key,
            value,
            headers: headers.ok_or(ErrorCode::INVALID_ARG)?,
        })
    }
}

/// Takes so many bytes off the front; −1 is null.
#[inline(always)]
fn nullable<'a>(rest: &mut &'a [u8], length: i32) -> Result<Option<&'a [u8]>, ErrorCode> {
    match usize::try_from(length) {
        Ok(length) => {
            let (taken, after) = rest
                .split_at_checked(length)
                .ok_or(ErrorCode::INVALID_ARG)?;
            *rest = after;
            Ok(Some(taken))
        }
        Err(_) if length == -1 => Ok(None),
        Err(_) => Err(ErrorCode::INVALID_ARG),
    }
}

/// Exactly so many headers, which fill their bytes.
fn headers(mut rest: &[u8], count: u32) -> Result<Headers<'_>, ErrorCode> {
    let count = count as usize;
    if count > rest.len() / MIN_HEADER_SIZE {
        return Err(ErrorCode::INVALID_ARG);
    }
    let mut headers = Headers::new();
    headers
        .try_reserve(count)
        .map_err(|_| ErrorCode::OUT_OF_MEMORY)?;
    for _ in 0..count {
        let length = length(&mut rest)?;
        let key = nullable(&mut rest, length)?.ok_or(ErrorCode::INVALID_ARG)?;
        let length = self::length(&mut rest)?;
        let value = nullable(&mut rest, length)?;
        headers.push(Header { key, value });
    }
    match rest.is_empty() {
        true => Ok(headers),
        false => Err(ErrorCode::INVALID_ARG),
    }
}

fn length(rest: &mut &[u8]) -> Result<i32, ErrorCode> {
    let (bytes, after) = rest.split_first_chunk().ok_or(ErrorCode::INVALID_ARG)?;
    *rest = after;
    Ok(i32::from_ne_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: kprod_packed_t = kprod_packed_t {
        tag: 1,
        timestamp_ms: -1,
        topic: 1,
        partition: -1,
        offset: 0,
        key_len: -1,
        value_len: -1,
        headers_len: 0,
        header_count: 0,
        reserved: 0,
    };

    fn refused(buffer: &[u8], packed: kprod_packed_t) {
        assert_eq!(Fields::of(buffer, &packed), Err(ErrorCode::INVALID_ARG));
    }

    #[test]
    fn fields_lie_one_behind_the_other() {
        let packed = kprod_packed_t {
            offset: 1,
            key_len: 3,
            value_len: 5,
            headers_len: 2,
            ..PLAIN
        };
        let fields = Fields::of(b"_keyvalueHH_", &packed).unwrap();
        assert_eq!(fields.key, Some(&b"key"[..]));
        assert_eq!(fields.value, Some(&b"value"[..]));
        assert_eq!(fields.headers, b"HH");
        let nothing = Fields::of(&[], &PLAIN).unwrap();
        assert_eq!((nothing.key, nothing.value), (None, None));
        let empty = kprod_packed_t {
            key_len: 0,
            offset: 3,
            ..PLAIN
        };
        assert_eq!(Fields::of(b"abc", &empty).unwrap().key, Some(&[][..]));
    }

    #[test]
    fn what_is_not_in_the_buffer_is_refused() {
        let buffer = b"0123456789";
        let with = |change: fn(&mut kprod_packed_t)| {
            let mut packed = PLAIN;
            change(&mut packed);
            refused(buffer, packed);
        };
        with(|p| p.offset = 11);
        with(|p| p.offset = u32::MAX);
        with(|p| p.key_len = 11);
        with(|p| p.key_len = -2);
        with(|p| p.key_len = i32::MIN);
        with(|p| p.value_len = i32::MAX);
        with(|p| (p.key_len, p.value_len) = (6, 5));
        with(|p| p.headers_len = u32::MAX);
        with(|p| (p.value_len, p.headers_len) = (10, 1));
        with(|p| p.reserved = 1);
        with(|p| p.partition = -2);
    }

    fn header(key: &[u8], value: Option<&[u8]>) -> Vec<u8> {
        let mut bytes = (key.len() as i32).to_ne_bytes().to_vec();
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&value.map_or(-1, |v| v.len() as i32).to_ne_bytes());
        bytes.extend_from_slice(value.unwrap_or_default());
        bytes
    }

    #[test]
    fn headers_fill_their_bytes() {
        let bytes = [header(b"a", None), header(b"", Some(b"xyz"))].concat();
        let read = headers(&bytes, 2).unwrap();
        assert_eq!((read[0].key, read[0].value), (&b"a"[..], None));
        assert_eq!((read[1].key, read[1].value), (&[][..], Some(&b"xyz"[..])));
        for count in [0, 1, 3, u32::MAX] {
            assert!(headers(&bytes, count).is_err(), "{count}");
        }
        for end in 0..bytes.len() {
            assert!(headers(&bytes[..end], 2).is_err(), "{end}");
        }
        let mut null_key = header(b"", None);
        null_key[..4].copy_from_slice(&(-1i32).to_ne_bytes());
        assert!(headers(&null_key, 1).is_err());
    }

    proptest! {
        #[test]
        fn no_descriptor_reads_elsewhere(
            buffer in prop::collection::vec(any::<u8>(), 0..64),
            offset in 0u32..80,
            key_len in -3i32..40,
            value_len in -3i32..40,
            headers_len in 0u32..40,
            header_count in 0u32..4,
        ) {
            let packed = kprod_packed_t { offset, key_len, value_len, headers_len, header_count, ..PLAIN };
            if let Ok(fields) = Fields::of(&buffer, &packed) {
                let bytes = buffer.as_ptr_range();
                for part in [fields.key, fields.value, Some(fields.headers)].into_iter().flatten() {
                    let part = part.as_ptr_range();
                    prop_assert!(bytes.start <= part.start && part.end <= bytes.end);
                }
                prop_assert_eq!(fields.headers.len(), headers_len as usize);
                let _ = headers(fields.headers, header_count);
            }
        }
    }
}
