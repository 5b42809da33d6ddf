//! C's structs to the engine's and back. Nothing is allocated for a record without headers.

use std::slice;
use std::str;

use smallvec::SmallVec;

use super::KPROD_TIMESTAMP_NOW;
use super::types::{kprod_delivery_t, kprod_header_t, kprod_metrics_t, kprod_record_t};
use crate::completion::Report;
use crate::error::ErrorCode;
use crate::producer::{Header, Metrics, PlainRecord, Record, ShortField, TopicRef};

/// Lengths are 32-bit on the wire.
const MAX_LENGTH: i64 = i32::MAX as i64;
/// What is longer costs so much to copy that the long way does not matter.
const MAX_SHORT: i64 = 8 * 1024;
/// An encoded header takes at least the lengths of its key and its value.
const MIN_HEADER_SIZE: u64 = 2;

pub(super) type Headers<'a> = SmallVec<[Header<'a>; 8]>;

/// A caller's array.
///
/// # Safety
/// `count` elements at `first` are readable while `'a` lasts, if both are as they may be.
pub(super) unsafe fn array<'a, T>(first: *const T, count: u64) -> Result<&'a [T], ErrorCode> {
    let most = isize::MAX as u64 / size_of::<T>() as u64;
    match count {
        0 => Ok(&[]),
        _ if count > most || first.is_null() || !first.is_aligned() => Err(ErrorCode::INVALID_ARG),
        // SAFETY: as the caller promises; the size fits in an isize.
        _ => Ok(unsafe { slice::from_raw_parts(first, count as usize) }),
    }
}

/// A key or a value: −1 is null.
///
/// # Safety
/// `length` bytes at `pointer` are readable while `'a` lasts, if both are as they may be.
#[inline(always)]
pub(super) unsafe fn nullable<'a>(
    pointer: *const u8,
    length: i64,
) -> Result<Option<&'a [u8]>, ErrorCode> {
    match length {
        1..=MAX_LENGTH if !pointer.is_null() => {
            // SAFETY: as the caller promises; the length fits in an isize.
            Ok(Some(unsafe {
                slice::from_raw_parts(pointer, length as usize)
            }))
        }
        0 => Ok(Some(&[])),
        -1 => Ok(None),
        _ => Err(bad_length(length)),
    }
}

#[cold]
fn bad_length(length: i64) -> ErrorCode {
    if length > MAX_LENGTH {
        ErrorCode::RECORD_TOO_LARGE
    } else {
        ErrorCode::INVALID_ARG
    }
}

/// Bytes that must be there, if only none.
///
/// # Safety
/// As for `nullable`.
unsafe fn required<'a>(pointer: *const u8, length: i64) -> Result<&'a [u8], ErrorCode> {
    // SAFETY: as the caller promises.
    unsafe { nullable(pointer, length) }?.ok_or(ErrorCode::INVALID_ARG)
}

/// A topic's name.
///
/// # Safety
/// As for `nullable`.
pub(super) unsafe fn topic_name<'a>(
    name: *const std::ffi::c_char,
    length: i64,
) -> Result<&'a str, ErrorCode> {
    if name.is_null() {
        return Err(ErrorCode::INVALID_ARG);
    }
    // SAFETY: as the caller promises.
    let bytes = unsafe { required(name.cast(), length) }.map_err(|code| match code {
        ErrorCode::RECORD_TOO_LARGE => ErrorCode::INVALID_TOPIC_EXCEPTION,
        code => code,
    })?;
    str::from_utf8(bytes).map_err(|_| ErrorCode::INVALID_TOPIC_EXCEPTION)
}

/// Appends a record's headers to `out`.
///
/// # Safety
/// The record points to readable memory while `'a` lasts.
pub(super) unsafe fn push_headers<'a>(
    record: &kprod_record_t,
    out: &mut Headers<'a>,
) -> Result<(), ErrorCode> {
    if record.header_count == 0 {
        return Ok(());
    }
    if record.headers.is_null() {
        return Err(ErrorCode::INVALID_ARG);
    }
    if u64::from(record.header_count) * MIN_HEADER_SIZE > MAX_LENGTH as u64 {
        return Err(ErrorCode::RECORD_TOO_LARGE);
    }
    // SAFETY: not NULL, and as long as the record says, as the caller promises.
    let headers: &[kprod_header_t] =
        unsafe { slice::from_raw_parts(record.headers, record.header_count as usize) };
    out.try_reserve(headers.len())
        .map_err(|_| ErrorCode::OUT_OF_MEMORY)?;
    for header in headers {
        // SAFETY: as the caller promises.
        let (key, value) = unsafe {
            (
                required(header.key, header.key_len)?,
                nullable(header.value, header.value_len)?,
            )
        };
        out.push(Header { key, value });
    }
    Ok(())
}

/// A record that may go the short way. `None` says nothing but that `record` is to judge.
///
/// # Safety
/// The record points to readable memory while `'a` lasts.
#[inline(always)]
pub(super) unsafe fn plain<'a>(
    record: &'a kprod_record_t,
    now: impl FnOnce() -> i64,
) -> Option<PlainRecord<'a, impl Fn() -> Option<ShortField<'a>>>> {
    // First, because nothing needs to be kept across the call yet.
    let timestamp = match record.timestamp_ms {
        KPROD_TIMESTAMP_NOW => now(),
        given => given,
    };
    let odd = u64::from(record.reserved0 | record.header_count);
    if (odd | record.reserved[0] | record.reserved[1]) != 0 {
        return None;
    }
    // SAFETY: as the caller promises.
    let key = unsafe { short(record.key, record.key_len) }?;
    Some(PlainRecord {
        topic: record.topic,
        key,
        // SAFETY: as the caller promises.
        value: || unsafe { short(record.value, record.value_len) },
        partition: record.partition,
        timestamp,
        tag: record.tag,
    })
}

/// A key or a value of no remarkable length.
///
/// # Safety
/// As for `nullable`.
#[inline(always)]
pub(super) unsafe fn short<'a>(pointer: *const u8, length: i64) -> Option<ShortField<'a>> {
    match length {
        1..=MAX_SHORT if !pointer.is_null() => {
            // SAFETY: as the caller promises.
            let bytes = unsafe { slice::from_raw_parts(pointer, length as usize) };
            Some(ShortField::new(bytes))
        }
        0 => Some(ShortField::new(&[])),
        super::KPROD_NULL => Some(ShortField::NULL),
        _ => None,
    }
}

/// A whole record; its headers have been converted already.
///
/// # Safety
/// The record points to readable memory while `'a` lasts.
#[inline(always)]
pub(super) unsafe fn record<'a>(
    record: &kprod_record_t,
    headers: &'a [Header<'a>],
) -> Result<Record<'a>, ErrorCode> {
    let reserved = u64::from(record.reserved0) | record.reserved[0] | record.reserved[1];
    if reserved != 0 || record.partition < -1 {
        return Err(ErrorCode::INVALID_ARG);
    }
    if record.timestamp_ms < -1 {
        return Err(ErrorCode::INVALID_TIMESTAMP_ARG);
    }
    // SAFETY: as the caller promises.
    let (key, value) = unsafe {
        (
            nullable(record.key, record.key_len)?,
            nullable(record.value, record.value_len)?,
        )
    };
    let topic = match record.topic {
        // SAFETY: as the caller promises.
        0 => TopicRef::Name(unsafe { topic_name(record.topic_name, record.topic_name_len) }?),
        handle => TopicRef::Handle(handle),
    };
    Ok(Record {
        topic,
        key,
        value,
        headers,
        partition: (record.partition >= 0).then_some(record.partition),
        timestamp: (record.timestamp_ms >= 0).then_some(record.timestamp_ms),
        tag: record.tag,
    })
}

#[inline]
pub(super) fn delivery(report: &Report) -> kprod_delivery_t {
    kprod_delivery_t {
        kind: report.kind as u32,
        error: report.error.0,
        tag: report.tag,
        topic: report.topic,
        partition: report.partition,
        offset: report.offset,
        timestamp_ms: report.timestamp,
        timestamp_type: report.timestamp_type as i32,
        count: report.count,
        flags: report.flags,
        reserved0: 0,
        detail: report.detail,
        log_start_offset: report.log_start_offset,
        reserved: [0; 1],
    }
}

pub(super) fn metrics(from: Metrics) -> kprod_metrics_t {
    kprod_metrics_t {
        records_delivered: from.records_delivered,
        records_failed: from.records_failed,
        batches_sent: from.batches_sent,
        batch_retries: from.batch_retries,
        batch_splits: from.batch_splits,
        produce_requests: from.produce_requests,
        bytes_sent: from.bytes_sent,
        throttle_ms: from.throttle_ms,
        metadata_requests: from.metadata_requests,
        connections_opened: from.connections_opened,
        sequences_begun: from.sequences_begun,
        data_losses: from.data_losses,
        buffer_available: from.buffer_available,
        reports_queued: from.reports_queued,
        requests_in_flight: from.requests_in_flight,
        reserved: [0; 17],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::completion::{ReportKind, TimestampType, flags};
    use crate::ffi::types::*;
    use crate::producer::LogLevel;
    use std::ptr;

    fn blank() -> kprod_record_t {
        kprod_record_t {
            key: ptr::null(),
            key_len: -1,
            value: ptr::null(),
            value_len: -1,
            headers: ptr::null(),
            header_count: 0,
            partition: -1,
            timestamp_ms: -1,
            tag: 9,
            topic: 1,
            reserved0: 0,
            topic_name: ptr::null(),
            topic_name_len: 0,
            reserved: [0; 2],
        }
    }

    fn refusal(c: &kprod_record_t) -> ErrorCode {
        // SAFETY: the records under test point to nothing, or to statics.
        unsafe { record(c, &[]) }.unwrap_err()
    }

    #[test]
    fn null_and_empty_stay_apart() {
        let c = kprod_record_t {
            value_len: 0,
            ..blank()
        };
        // SAFETY: the record points to nothing.
        let record = unsafe { record(&c, &[]) }.unwrap();
        assert_eq!(record.key, None);
        assert_eq!(record.value, Some(&[][..]));
        assert_eq!(record.partition, None);
        assert_eq!(record.timestamp, None);
        assert_eq!(record.topic, TopicRef::Handle(1));
        assert_eq!(record.tag, 9);
    }

    #[test]
    fn bad_fields_are_refused_each_with_its_code() {
        let byte: *const u8 = b"x".as_ptr();
        let cases = [
            (
                kprod_record_t {
                    key_len: -2,
                    ..blank()
                },
                ErrorCode::INVALID_ARG,
            ),
            (
                kprod_record_t {
                    key_len: 1,
                    ..blank()
                },
                ErrorCode::INVALID_ARG,
            ),
            (
                kprod_record_t {
                    value_len: i64::MIN,
                    ..blank()
                },
                ErrorCode::INVALID_ARG,
            ),
            (
                kprod_record_t {
                    value: byte,
                    value_len: 1 << 31,
                    ..blank()
                },
                ErrorCode::RECORD_TOO_LARGE,
            ),
            (
                kprod_record_t {
                    partition: -2,
                    ..blank()
                },
                ErrorCode::INVALID_ARG,
            ),
            (
                kprod_record_t {
                    timestamp_ms: -2,
                    ..blank()
                },
                ErrorCode::INVALID_TIMESTAMP_ARG,
            ),
            (
                kprod_record_t {
                    reserved0: 1,
                    ..blank()
                },
                ErrorCode::INVALID_ARG,
            ),
            (
                kprod_record_t {
                    reserved: [0, 1],
                    ..blank()
                },
                ErrorCode::INVALID_ARG,
            ),
            (
                kprod_record_t {
                    topic: 0,
                    ..blank()
                },
                ErrorCode::INVALID_ARG,
            ),
            (
                kprod_record_t {
                    topic: 0,
                    topic_name: b"\xff".as_ptr().cast(),
                    topic_name_len: 1,
                    ..blank()
                },
                ErrorCode::INVALID_TOPIC_EXCEPTION,
            ),
        ];
        for (case, expected) in cases {
            assert_eq!(refusal(&case), expected, "{case:?}");
        }
    }

    #[test]
    fn headers_are_checked() {
        fn convert(c: &kprod_record_t) -> Result<usize, ErrorCode> {
            let mut headers = Headers::new();
            // SAFETY: the headers under test point to statics.
            unsafe { push_headers(c, &mut headers) }.map(|()| headers.len())
        }
        let header = kprod_header_t {
            key: b"k".as_ptr(),
            key_len: 1,
            value: ptr::null(),
            value_len: -1,
        };
        let one = kprod_record_t {
            headers: &header,
            header_count: 1,
            ..blank()
        };
        assert_eq!(convert(&blank()), Ok(0));
        assert_eq!(convert(&one), Ok(1));
        let missing = kprod_record_t {
            headers: ptr::null(),
            ..one
        };
        assert_eq!(convert(&missing), Err(ErrorCode::INVALID_ARG));
        let too_many = kprod_record_t {
            header_count: u32::MAX,
            ..one
        };
        assert_eq!(convert(&too_many), Err(ErrorCode::RECORD_TOO_LARGE));
        let null_key = kprod_header_t {
            key_len: -1,
            ..header
        };
        let with_null_key = kprod_record_t {
            headers: &null_key,
            ..one
        };
        assert_eq!(convert(&with_null_key), Err(ErrorCode::INVALID_ARG));
    }

    #[test]
    fn the_constants_of_the_header_are_the_engine_s() {
        assert_eq!(KPROD_KIND_RECORD, ReportKind::Record as u32);
        assert_eq!(KPROD_KIND_BATCH, ReportKind::Batch as u32);
        assert_eq!(KPROD_KIND_OPERATION, ReportKind::Operation as u32);
        assert_eq!(KPROD_KIND_EVENT, ReportKind::Event as u32);
        assert_eq!(KPROD_KIND_WRITABLE, ReportKind::Writable as u32);
        assert_eq!(KPROD_FLAG_RETRIABLE, flags::RETRIABLE);
        assert_eq!(KPROD_FLAG_ABORTABLE, flags::ABORTABLE);
        assert_eq!(KPROD_FLAG_FATAL, flags::FATAL);
        assert_eq!(KPROD_PERSISTENCE_MASK, flags::PERSISTENCE_MASK);
        assert_eq!(KPROD_PERSISTED_POSSIBLY, 1 << flags::PERSISTENCE_SHIFT);
        assert_eq!(KPROD_PERSISTED_YES, 2 << flags::PERSISTENCE_SHIFT);
        assert_eq!(KPROD_TIMESTAMP_NONE, TimestampType::None as i32);
        assert_eq!(
            KPROD_TIMESTAMP_CREATE_TIME,
            TimestampType::CreateTime as i32
        );
        assert_eq!(
            KPROD_TIMESTAMP_LOG_APPEND_TIME,
            TimestampType::LogAppendTime as i32
        );
        assert_eq!(KPROD_LOG_ERROR, LogLevel::Error as i32);
        assert_eq!(KPROD_LOG_WARNING, LogLevel::Warning as i32);
        assert_eq!(KPROD_LOG_NOTICE, LogLevel::Notice as i32);
        assert_eq!(KPROD_LOG_INFO, LogLevel::Info as i32);
        assert_eq!(KPROD_LOG_DEBUG, LogLevel::Debug as i32);
    }
}
