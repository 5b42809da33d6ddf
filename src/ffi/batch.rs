//! Batches of the caller's own: their handle, filling them, and the ways to send them.

use std::sync::atomic::{AtomicU64, Ordering};

use super::boundary::{Call, Failure, code, code_and_error, contained, on_producer, timeout};
use super::errors::kprod_error_t;
use super::handle::{ProducerHandle, kprod_producer_t};
use super::marshal::{self, Headers};
use super::send::call_record_fn;
use super::types::{kprod_batch_append_t, kprod_record_fn, kprod_record_t};
use crate::error::{Error, ErrorCode};
use crate::producer::{BatchRecord, Record, RecordCallback, TopicRef, UserBatch};
use crate::sys;

/// A batch that the caller fills and sends as a whole. Made by kprod_create_batch, ended by kprod_batch_free, which
/// its producer's kprod_destroy may come before. One thread at a time uses a batch; different batches may be used by
/// different threads at once.
pub struct kprod_batch_t {
    _private: [u8; 0],
}

/// "kprodbat": tells a batch from another kind of handle and, mostly, from freed memory.
const MAGIC: u64 = 0x6b70_726f_6462_6174;

/// The tag comes first, as in all handles.
#[repr(C)]
struct BatchHandle {
    magic: AtomicU64,
    /// The process in which it was made.
    generation: u64,
    batch: UserBatch,
}

impl BatchHandle {
    /// # Safety
    /// `pointer` is NULL or came from `kprod_create_batch`, and is not freed while `'a` lasts.
    unsafe fn borrow<'a>(pointer: *const kprod_batch_t) -> Result<&'a BatchHandle, ErrorCode> {
        // SAFETY: NULL is checked by `as_ref`; otherwise the pointer came from `kprod_create_batch`, as promised.
        let handle = unsafe { pointer.cast::<BatchHandle>().as_ref() };
        match handle {
            Some(handle) if handle.magic.load(Ordering::Relaxed) == MAGIC => {
                match handle.generation == sys::fork_generation() {
                    true => Ok(handle),
                    false => Err(ErrorCode::FORKED),
                }
            }
            _ => Err(ErrorCode::INVALID_ARG),
        }
    }
}

/// Runs a call on a batch. After a panic the batch is of no more use.
///
/// # Safety
/// As for `BatchHandle::borrow`.
unsafe fn on_batch<T>(
    batch: *const kprod_batch_t,
    body: impl FnOnce(&UserBatch) -> Result<T, ErrorCode>,
) -> Result<T, ErrorCode> {
    // SAFETY: as the caller promises.
    let handle = unsafe { BatchHandle::borrow(batch) }?;
    contained(None, || Some(body(&handle.batch))).unwrap_or_else(|| {
        contained((), || handle.batch.discard());
        Err(ErrorCode::INTERNAL)
    })
}

/// Makes an empty batch, to be filled with kprod_batch_append and sent with kprod_send_batch. It holds up to
/// batch.size bytes. Any number may be made; they count in buffer.memory from their acceptance on.
///
/// @param producer  borrowed: the producer that the batch can be sent with, and no other.
/// @param batch     out, written on 0 only: the batch; not NULL.
/// @param err       out, optional: an error object, written on failure only.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG (NULL, a wrong handle), _CLOSED, _FATAL, _FORKED, _INTERNAL.
/// Ownership: *batch is the caller's, for kprod_batch_free, also after it was sent; *err too, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: never; the network is not touched.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_create_batch(
    producer: *mut kprod_producer_t,
    batch: *mut *mut kprod_batch_t,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    unsafe {
        let result = on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            if batch.is_null() {
                return Err(Error::new(ErrorCode::INVALID_ARG, "batch is NULL"));
            }
            let made = Box::new(BatchHandle {
                magic: AtomicU64::new(MAGIC),
                generation: sys::fork_generation(),
                batch: handle.producer.create_batch().map_err(Error::of)?,
            });
            batch.write(Box::into_raw(made).cast());
            Ok(())
        });
        code_and_error(result, err)
    }
}

/// Adds a record to a batch that was neither closed nor sent. Its first record is always taken, even one larger than
/// batch.size.
///
/// @param batch     borrowed.
/// @param record    borrowed for the call, with all that it points to: key, value, headers and timestamp are taken;
///                  topic, topic_name, topic_name_len and partition must be as kprod_record_init leaves them; the tag
///                  is ignored, for the batch has one when it is sent.
/// @param appended  out, optional, written on 0 only: the record's timestamp, place and size.
///
/// Returns: 0; KPROD_ERR_BATCH_FULL: no room (batch.size, or all of buffer.memory): the record was not taken, and the
/// batch is closed now; KPROD_ERR_ILLEGAL_STATE: closed or sent already; KPROD_ERR_INVALID_ARG (NULL, a wrong handle,
/// length, topic, partition or reserved field), _INVALID_TIMESTAMP_ARG, _RECORD_TOO_LARGE (above max.request.size or
/// buffer.memory), _OUT_OF_MEMORY, _FORKED, _INTERNAL: the batch is as it was.
/// Ownership: record, key, value and headers are the caller's again on return.
/// Thread-safety: any thread; one at a time for one batch.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_batch_append(
    batch: *mut kprod_batch_t,
    record: *const kprod_record_t,
    appended: *mut kprod_batch_append_t,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_batch(batch, |batch| {
            let record = record.as_ref().ok_or(ErrorCode::INVALID_ARG)?;
            let taken = append(batch, record)?;
            if !appended.is_null() {
                appended.write(kprod_batch_append_t {
                    timestamp_ms: taken.timestamp,
                    offset: taken.offset,
                    size: taken.size as i64,
                    reserved: [0; 3],
                });
            }
            Ok(())
        })
    })
}

/// # Safety
/// The record points to readable memory.
unsafe fn append(batch: &UserBatch, record: &kprod_record_t) -> Result<BatchRecord, ErrorCode> {
    let has_topic = record.topic != 0 || !record.topic_name.is_null() || record.topic_name_len != 0;
    let reserved = u64::from(record.reserved0) | record.reserved[0] | record.reserved[1];
    if has_topic || record.partition != super::KPROD_PARTITION_UNASSIGNED || reserved != 0 {
        return Err(ErrorCode::INVALID_ARG);
    }
    if record.timestamp_ms < -1 {
        return Err(ErrorCode::INVALID_TIMESTAMP_ARG);
    }
    let mut headers = Headers::new();
    // SAFETY: as the caller promises.
    let (key, value) = unsafe {
        marshal::push_headers(record, &mut headers)?;
        (
            marshal::nullable(record.key, record.key_len)?,
            marshal::nullable(record.value, record.value_len)?,
        )
    };
    batch.append(&Record {
        topic: TopicRef::Handle(0),
        key,
        value,
        headers: &headers,
        partition: None,
        timestamp: (record.timestamp_ms >= 0).then_some(record.timestamp_ms),
        tag: 0,
    })
}

/// Closes a batch for good: nothing can be added to it, neither here nor, once it is sent, by the producer's sends.
///
/// @param batch  borrowed.
///
/// Returns: 0, also when it is closed or sent already; KPROD_ERR_ILLEGAL_STATE (a kprod_send_batch_async of it has no
/// answer yet), _INVALID_ARG (NULL, a wrong handle), _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread; one at a time for one batch.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_batch_close(batch: *mut kprod_batch_t) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe { on_batch(batch, UserBatch::close) })
}

/// Gives the size of a batch in bytes: its header of 61 bytes and its records, before compression.
///
/// @param batch  borrowed.
///
/// Returns: the size, 61 when empty; of a batch that was sent, what it was then. Or KPROD_ERR_INVALID_ARG (NULL, a
/// wrong handle), _ILLEGAL_STATE (after KPROD_ERR_INTERNAL), _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread; one at a time for one batch.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_batch_size(batch: *const kprod_batch_t) -> i64 {
    // SAFETY: the header's contract.
    number(unsafe { on_batch(batch, UserBatch::size) })
}

/// Gives the number of records in a batch.
///
/// @param batch  borrowed.
///
/// Returns: the number; of a batch that was sent, what it was then. Or KPROD_ERR_INVALID_ARG (NULL, a wrong handle),
/// _ILLEGAL_STATE (after KPROD_ERR_INTERNAL), _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread; one at a time for one batch.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_batch_record_count(batch: *const kprod_batch_t) -> i64 {
    // SAFETY: the header's contract.
    number(unsafe { on_batch(batch, UserBatch::record_count) })
}

fn number(result: Result<usize, ErrorCode>) -> i64 {
    match result {
        Ok(number) => number as i64,
        Err(ErrorCode(code)) => code.into(),
    }
}

/// Sends a batch to a partition, behind all that was accepted for it before. Waits up to the limit for the topic's
/// metadata, for the batch that was sent to the partition before it to be drained (put into a request), and for
/// room in buffer.memory. Accepted, the batch's records are the producer's; its outcome comes as one report of kind
/// KPROD_KIND_BATCH with the tag, the number of its records, and the offset and timestamp of its first. It is one
/// report also for a batch that had to be split for the broker: with an error if any part failed. A batch that was
/// left open is then the partition's open batch, added to by sends until it is full, its linger.ms is over, or another
/// batch waits for it; those records have reports of their own.
/// An empty batch succeeds at once, without a request, with count 0 and offset -1.
/// One that still waits when a commit is called belongs to the transaction, and the commit waits for it; an abort
/// refuses it.
///
/// @param producer    borrowed: the one that made the batch.
/// @param batch       borrowed.
/// @param topic       the topic's handle from kprod_topic.
/// @param partition   the partition, 0 or more.
/// @param tag         comes back in the report.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
///
/// Returns: 0: accepted; nothing but kprod_batch_free is left to be done with the batch. Any other: refused; the batch
/// is as it was, will not be sent, and may be sent again. KPROD_ERR_ILLEGAL_STATE (sent already, an async send of it
/// has no answer yet, or transactional.id is set and no transaction has begun), _INVALID_ARG (NULL, a wrong handle,
/// partition or timeout, another producer's batch), _UNKNOWN_TOPIC_HANDLE, _UNKNOWN_PARTITION;
/// _UNKNOWN_TOPIC_OR_PARTITION, _TOPIC_AUTHORIZATION_FAILED and other codes of the brokers about a topic that was never
/// known; _TRANSACTION_ABORTABLE; _ABORTED (the transaction was aborted or has failed meanwhile);
/// _TIMED_OUT (kprod_cluster_error tells why), _REPORT_QUEUE_FULL, _CLOSED, _FATAL, _FORKED, _INTERNAL.
/// Ownership: the batch stays the caller's, for kprod_batch_free.
/// Thread-safety: any thread; one at a time for one batch.
/// Blocking: up to timeout_ms.
/// Callback context: allowed; there it does not block, as kprod_try_send_batch.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_send_batch(
    producer: *mut kprod_producer_t,
    batch: *mut kprod_batch_t,
    topic: u32,
    partition: i32,
    tag: u64,
    timeout_ms: i32,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let limit = timeout(timeout_ms)?;
            let batch = &BatchHandle::borrow(batch)?.batch;
            handle
                .producer
                .send_batch(batch, topic, partition, tag, limit)
        })
    })
}

/// Sends a batch as kprod_send_batch does, without ever blocking. To a topic that is not known yet it is parked, as a
/// record is by kprod_try_send; any number of batches may be.
///
/// @param producer   borrowed: the one that made the batch.
/// @param batch      borrowed.
/// @param topic      the topic's handle from kprod_topic.
/// @param partition  the partition, 0 or more.
/// @param tag        comes back in the report.
///
/// Returns: as kprod_send_batch, but KPROD_ERR_QUEUE_FULL at once when a batch sent before waits in the partition, or
/// when buffer.memory has no room. An entry of kind KPROD_KIND_WRITABLE follows a KPROD_ERR_QUEUE_FULL when it may be
/// tried again: that batch has been drained, or a quarter of buffer.memory is free and there is room for what was
/// refused. There is one entry for all calls that were refused before it, when there is room for the smallest.
/// Ownership: the batch stays the caller's, for kprod_batch_free.
/// Thread-safety: any thread; one at a time for one batch.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_try_send_batch(
    producer: *mut kprod_producer_t,
    batch: *mut kprod_batch_t,
    topic: u32,
    partition: i32,
    tag: u64,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let batch = &BatchHandle::borrow(batch)?.batch;
            handle.producer.try_send_batch(batch, topic, partition, tag)
        })
    })
}

/// Sends a batch as kprod_send_batch does, and reports it to a callback of its own, with tag 0, instead of the
/// producer's delivery callback or kprod_poll.
///
/// @param producer    borrowed: the one that made the batch.
/// @param batch       borrowed.
/// @param topic       the topic's handle from kprod_topic.
/// @param partition   the partition, 0 or more.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
/// @param callback    called exactly once, on the producer's callback thread, if and only if this returns 0, possibly
///                    before it returns; not NULL.
/// @param context     passed to the callback.
///
/// Returns: as kprod_send_batch; KPROD_ERR_THREAD.
/// Ownership: the batch stays the caller's, for kprod_batch_free; what context refers to must live until the callback
/// has run.
/// Thread-safety: any thread; one at a time for one batch.
/// Blocking: up to timeout_ms.
/// Callback context: allowed; there it does not block, as kprod_try_send_batch.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_send_batch_with_callback(
    producer: *mut kprod_producer_t,
    batch: *mut kprod_batch_t,
    topic: u32,
    partition: i32,
    timeout_ms: i32,
    callback: kprod_record_fn,
    context: u64,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let callback = RecordCallback {
                function: call_record_fn,
                user: callback.ok_or(ErrorCode::INVALID_ARG)? as usize,
                context,
            };
            let limit = timeout(timeout_ms)?;
            let batch = &BatchHandle::borrow(batch)?.batch;
            handle
                .producer
                .send_batch_with_callback(batch, topic, partition, limit, callback)
        })
    })
}

/// Sends a batch as kprod_send_batch does, but answers with an entry instead of waiting: of kind KPROD_KIND_OPERATION,
/// with op_tag, within max.block.ms, whose error is what kprod_send_batch would have returned. If that is 0, the
/// report of kind KPROD_KIND_BATCH follows it. Until the entry is there the batch must not be used, but it may be
/// freed: if it was not accepted yet, it never will be, and the entry has KPROD_ERR_PURGED_QUEUED. Several sends to
/// one partition are accepted in the order in which they were made.
///
/// @param producer   borrowed: the one that made the batch.
/// @param batch      borrowed.
/// @param topic      the topic's handle from kprod_topic.
/// @param partition  the partition, 0 or more.
/// @param tag        comes back in the batch's report.
/// @param op_tag     comes back in the entry.
///
/// Returns: 0: the entry follows. Any other: refused, and no entry follows: KPROD_ERR_INVALID_ARG (NULL, a wrong
/// handle or partition, another producer's batch), _ILLEGAL_STATE (sent already, or an async send of it has no answer
/// yet), _UNKNOWN_TOPIC_HANDLE, _REPORT_QUEUE_FULL, _CLOSED, _FATAL, _FORKED, _INTERNAL.
/// Ownership: the batch stays the caller's, for kprod_batch_free.
/// Thread-safety: any thread; one at a time for one batch.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_send_batch_async(
    producer: *mut kprod_producer_t,
    batch: *mut kprod_batch_t,
    topic: u32,
    partition: i32,
    tag: u64,
    op_tag: u64,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let batch = &BatchHandle::borrow(batch)?.batch;
            handle
                .producer
                .send_batch_async(batch, topic, partition, tag, op_tag)
        })
    })
}

/// Frees a batch. Records that were sent with it are not touched; one that was not sent never will be.
///
/// @param batch  the batch, whose pointer is dead from here on; NULL, or what is no batch, is a no-op.
///
/// Returns: nothing.
/// Ownership: takes the batch.
/// Thread-safety: any thread, but no other may use the batch.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: a no-op in a child of the creating process; allowed after kprod_close and kprod_destroy.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_batch_free(batch: *mut kprod_batch_t) {
    contained((), || {
        // SAFETY: the header's contract.
        if unsafe { BatchHandle::borrow(batch) }.is_ok() {
            // SAFETY: it is the box of `kprod_create_batch`, and nobody else uses it, as the header says.
            let handle = unsafe { Box::from_raw(batch.cast::<BatchHandle>()) };
            handle.magic.store(!MAGIC, Ordering::Relaxed);
        }
    });
}
