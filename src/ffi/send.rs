//! The ways to hand over records. This is the hot path: checks, then straight into the engine.

use super::boundary::{Call, code, on_producer, timeout};
use super::handle::{ProducerHandle, kprod_producer_t};
use super::marshal::{self, Headers};
use super::types::{kprod_delivery_t, kprod_record_fn, kprod_record_t};
use crate::completion::Report;
use crate::error::ErrorCode;
use crate::producer::{Producer, Record, RecordCallback};
use crate::sys;

/// Records of an array for which the clock is read once: they take a few microseconds.
pub(super) const CLOCK_CHUNK: usize = 64;

/// Sets a record to no key, no value, no headers, the partitioner's choice of partition and the time of the send.
/// Topic, tag and reserved space become 0.
///
/// @param record  out; NULL is a no-op.
///
/// Returns: nothing.
/// Ownership: the record stays the caller's.
/// Thread-safety: one thread at a time for one record.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_record_init(record: *mut kprod_record_t) {
    if record.is_null() {
        return;
    }
    let blank = kprod_record_t {
        key: std::ptr::null(),
        key_len: super::KPROD_NULL,
        value: std::ptr::null(),
        value_len: super::KPROD_NULL,
        headers: std::ptr::null(),
        header_count: 0,
        partition: super::KPROD_PARTITION_UNASSIGNED,
        timestamp_ms: super::KPROD_TIMESTAMP_NOW,
        tag: 0,
        topic: 0,
        reserved0: 0,
        topic_name: std::ptr::null(),
        topic_name_len: 0,
        reserved: [0; 2],
    };
    // SAFETY: not NULL, and so writable by the header's contract.
    unsafe { record.write(blank) };
}

/// Converts one record and gives it to `send`.
///
/// # Safety
/// The header's contract for a producer and a record.
unsafe fn with_record<T>(
    producer: *mut kprod_producer_t,
    call: Call,
    record: *const kprod_record_t,
    send: impl FnOnce(&Producer, &Record<'_>) -> Result<T, ErrorCode>,
) -> Result<T, ErrorCode> {
    // SAFETY: the header's contract.
    unsafe {
        on_producer(producer, call, |handle: &ProducerHandle| {
            let record = record.as_ref().ok_or(ErrorCode::INVALID_ARG)?;
            let mut headers = Headers::new();
            marshal::push_headers(record, &mut headers)?;
            send(&handle.producer, &marshal::record(record, &headers)?)
        })
    }
}

/// A send with nothing but a record: where it is plain and nothing stands in its way, it is not even converted.
///
/// # Safety
/// The header's contract for a producer and a record.
#[inline(always)]
unsafe fn send_plain(
    producer: *mut kprod_producer_t,
    record: *const kprod_record_t,
    // A type of its own for each caller, so that the call is put in there.
    send: impl Fn(&Producer, &Record<'_>) -> Result<(), ErrorCode>,
) -> Result<(), ErrorCode> {
    // SAFETY: the header's contract.
    unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let record = record.as_ref().ok_or(ErrorCode::INVALID_ARG)?;
            match marshal::plain(record, sys::unix_millis) {
                Some(plain) if handle.producer.send_quickly(&plain) => Ok(()),
                _ => send_any(&handle.producer, record, send),
            }
        })
    }
}

/// Apart, so that the short way needs no stack for it.
///
/// # Safety
/// The record points to readable memory.
#[inline(never)]
unsafe fn send_any(
    producer: &Producer,
    record: &kprod_record_t,
    send: impl Fn(&Producer, &Record<'_>) -> Result<(), ErrorCode>,
) -> Result<(), ErrorCode> {
    let mut headers = Headers::new();
    // SAFETY: as the caller promises.
    unsafe {
        marshal::push_headers(record, &mut headers)?;
        send(producer, &marshal::record(record, &headers)?)
    }
}

/// Sends a record: waits for the topic's metadata and for room in buffer.memory up to max.block.ms, copies the
/// record into its partition's batch and returns. Its outcome comes later, as exactly one report with its tag, to
/// the producer's delivery callback or kprod_poll.
///
/// @param producer  borrowed.
/// @param record    borrowed for the call, with all that it points to.
///
/// Returns: 0: accepted; any other: refused, nothing was sent nor will be, and no report follows.
/// KPROD_ERR_INVALID_ARG (NULL, a wrong handle, length, partition or reserved field), _INVALID_TIMESTAMP_ARG,
/// _INVALID_TOPIC_EXCEPTION, _UNKNOWN_TOPIC_HANDLE, _UNKNOWN_PARTITION, _RECORD_TOO_LARGE, _PARTITIONER;
/// _UNKNOWN_TOPIC_OR_PARTITION, _TOPIC_AUTHORIZATION_FAILED and other codes of the brokers about a topic that was never
/// known (one that is deleted later is waited for: the report tells); _ILLEGAL_STATE (a transactional producer outside of a transaction, or of the one in which the call began), _TRANSACTION_ABORTABLE (in a
/// transaction that can only be aborted); _TIMED_OUT (no metadata or no room in max.block.ms: kprod_cluster_error tells
/// why),
/// _REPORT_QUEUE_FULL, _COMPRESSION, _OUT_OF_MEMORY, _THREAD, _CLOSED, _FATAL, _FORKED, _INTERNAL.
/// Ownership: record, key, value and headers are the caller's again on return.
/// Thread-safety: any thread; records that one thread sends to a partition keep their order.
/// Blocking: up to max.block.ms.
/// Callback context: allowed; there it does not block, as kprod_try_send.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_send(
    producer: *mut kprod_producer_t,
    record: *const kprod_record_t,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe { send_plain(producer, record, Producer::send) })
}

/// Sends a record without ever blocking: a record to a topic not known yet is parked, within buffer.memory, until
/// its metadata is there or it expires: after delivery.timeout.ms or, where that is not set, request.timeout.ms, with
/// idempotence too.
///
/// @param producer  borrowed.
/// @param record    borrowed for the call, with all that it points to.
///
/// Returns: as kprod_send, but KPROD_ERR_QUEUE_FULL at once when there is no room. Exactly one entry of kind
/// KPROD_KIND_WRITABLE follows a KPROD_ERR_QUEUE_FULL, when a quarter of buffer.memory is free and there is room for
/// what was refused: for the smallest, where that are several. What lingers is sent meanwhile.
/// Ownership: record, key, value and headers are the caller's again on return.
/// Thread-safety: any thread; records that one thread sends to a partition keep their order.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_try_send(
    producer: *mut kprod_producer_t,
    record: *const kprod_record_t,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe { send_plain(producer, record, Producer::try_send) })
}

/// Sends a record as kprod_send does, and reports it to a callback of its own instead of the producer's delivery
/// callback or kprod_poll.
///
/// @param producer  borrowed.
/// @param record    borrowed for the call, with all that it points to.
/// @param callback  called exactly once, on the producer's callback thread, if and only if this returns 0, possibly
///                  before it returns; not NULL.
/// @param context   passed to the callback.
///
/// Returns: as kprod_send.
/// Ownership: record, key, value and headers are the caller's again on return; what context refers to must live
/// until the callback has run.
/// Thread-safety: any thread; records that one thread sends to a partition keep their order.
/// Blocking: up to max.block.ms.
/// Callback context: allowed; there it does not block, as kprod_try_send.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_send_with_callback(
    producer: *mut kprod_producer_t,
    record: *const kprod_record_t,
    callback: kprod_record_fn,
    context: u64,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        with_record(producer, Call::Anywhere, record, |producer, record| {
            let callback = callback.ok_or(ErrorCode::INVALID_ARG)?;
            let callback = RecordCallback {
                function: call_record_fn,
                user: callback as usize,
                context,
            };
            producer.send_with_callback(record, callback)
        })
    })
}

/// Calls the C function whose address a send stored.
pub(super) fn call_record_fn(context: u64, user: usize, report: &Report) {
    // SAFETY: `user` is the address of a function of exactly this type, stored by the send; an
    // Option of a function pointer has the layout of the pointer.
    let callback: kprod_record_fn = unsafe { std::mem::transmute(user) };
    if let Some(callback) = callback {
        let report = marshal::delivery(report);
        // SAFETY: the caller's function, called as the header says.
        unsafe { callback(context, &report) };
    }
}

/// Sends a record without linger and waits for its outcome.
///
/// @param producer    borrowed.
/// @param record      borrowed for the call, with all that it points to.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms to be accepted, then until
///                    there is an outcome.
/// @param report      out, written on 0 only: the record's report; not NULL.
///
/// Returns: 0: there is an outcome, which may be a failure: see report->error. KPROD_ERR_STILL_PENDING: accepted,
/// but there is no outcome yet; the report goes to the delivery callback or kprod_poll. KPROD_ERR_IN_CALLBACK, and
/// all that kprod_send may return: refused, nothing was sent nor will be.
/// Ownership: record, key, value and headers are the caller's again on return.
/// Thread-safety: any thread.
/// Blocking: up to timeout_ms.
/// Callback context: KPROD_ERR_IN_CALLBACK.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_send_wait(
    producer: *mut kprod_producer_t,
    record: *const kprod_record_t,
    timeout_ms: i32,
    report: *mut kprod_delivery_t,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        with_record(producer, Call::Blocking, record, |producer, record| {
            if report.is_null() {
                return Err(ErrorCode::INVALID_ARG);
            }
            let outcome = producer.send_wait(record, timeout(timeout_ms)?)?;
            report.write(marshal::delivery(&outcome));
            Ok(())
        })
    })
}

/// Sends an array of records, to any topics, without blocking: a prefix of them is accepted, each as by
/// kprod_try_send, and the first that is refused ends the call.
///
/// @param producer  borrowed.
/// @param records   borrowed for the call, with all that they point to; may be NULL when count is 0.
/// @param count     the number of records.
/// @param why       out, written whenever the result is not negative: 0 when all were accepted, else why the first
///                  that was not was refused, as kprod_try_send says it; may be NULL.
///
/// Returns: the number of records accepted, from the start of the array, 0 to count; or, with nothing accepted and
/// why untouched, KPROD_ERR_INVALID_ARG (NULL, a wrong handle), _FATAL, _FORKED, _INTERNAL.
/// Ownership: the records are the caller's again on return.
/// Thread-safety: any thread; records that one thread sends to a partition keep their order.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; 0 with KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_send_many(
    producer: *mut kprod_producer_t,
    records: *const kprod_record_t,
    count: u64,
    why: *mut i32,
) -> i64 {
    // SAFETY: the header's contract.
    unsafe {
        let result = on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let records = marshal::array(records, count)?;
            Ok(send_all(&handle.producer, records))
        });
        told(result, why)
    }
}

/// The answer of a call that accepts a prefix.
///
/// # Safety
/// `why` is NULL or writable.
pub(super) unsafe fn told(result: Result<(usize, ErrorCode), ErrorCode>, why: *mut i32) -> i64 {
    match result {
        Ok((accepted, stopped)) => {
            if !why.is_null() {
                // SAFETY: not NULL, and so writable, as the caller promises.
                unsafe { why.write(stopped.0) };
            }
            accepted as i64
        }
        Err(ErrorCode(code)) => code.into(),
    }
}

/// Gives the records to the producer up to the first that is refused.
///
/// # Safety
/// The records point to readable memory.
unsafe fn send_all(producer: &Producer, records: &[kprod_record_t]) -> (usize, ErrorCode) {
    let mut accepted = 0;
    for chunk in records.chunks(CLOCK_CHUNK) {
        let now = sys::unix_millis();
        for record in chunk {
            // SAFETY: as the caller promises.
            let sent = unsafe {
                match marshal::plain(record, || now) {
                    Some(plain) if producer.send_quickly(&plain) => Ok(()),
                    _ => send_any(producer, record, Producer::try_send),
                }
            };
            match sent {
                Ok(()) => accepted += 1,
                Err(code) => return (accepted, code),
            }
        }
    }
    (accepted, ErrorCode::OK)
}
