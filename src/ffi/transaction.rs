//! Transactions: begin, commit, abort, and a consumer group's offsets in them.

use std::ffi::c_char;
use std::slice;

use super::boundary::{Call, code, code_and_error, on_producer};
use super::errors::kprod_error_t;
use super::handle::{ProducerHandle, kprod_producer_t};
use super::marshal::{nullable, topic_name};
use super::producer::slow_timeout;
use super::types::{kprod_group_metadata_t, kprod_group_offset_t};
use crate::error::{Error, ErrorCode};
use crate::producer::{GroupMetadata, GroupOffset, Offsets, is_valid_topic_name};

/// Begins a transaction. What is sent until it is committed or aborted becomes visible to consumers that read
/// committed records at its commit, all at once, or never. The first call (or kprod_start) makes the producer known to
/// the cluster: it ends what an earlier instance with the same transactional.id left open, and fences that instance
/// (KIP-98).
///
/// @param producer    borrowed.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
/// @param err         out, optional: an error object, written on failure only.
///
/// Returns: 0: a transaction is open; KPROD_ERR_TIMED_OUT: not yet; call it again, until then none is open.
/// KPROD_ERR_ILLEGAL_STATE: one is open. _TRANSACTIONAL_ID_AUTHORIZATION_FAILED, _CLUSTER_AUTHORIZATION_FAILED: may be
/// called again once the permission is there. Fatal: _INVALID_TRANSACTION_TIMEOUT (transaction.timeout.ms is above the
/// broker's limit), _PRODUCER_FENCED, _INVALID_PRODUCER_EPOCH (a newer instance has taken over), _NOT_SUPPORTED.
/// KPROD_ERR_ILLEGAL_STATE also when
/// the producer has no transactional.id, or another transactional call has not ended: the message says what comes
/// first. KPROD_ERR_INVALID_ARG, _CLOSED, _IN_CALLBACK, _FORKED, _INTERNAL, and what ended the producer for good.
/// Ownership: *err is the caller's, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: up to timeout_ms.
/// Callback context: KPROD_ERR_IN_CALLBACK.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_begin_transaction(
    producer: *mut kprod_producer_t,
    timeout_ms: i32,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    unsafe {
        let result = on_producer(producer, Call::Blocking, |handle: &ProducerHandle| {
            handle.producer.begin_transaction(slow_timeout(timeout_ms)?)
        });
        code_and_error(result, err)
    }
}

/// As kprod_begin_transaction, without waiting: the result is an entry of kind KPROD_KIND_OPERATION.
///
/// @param producer  borrowed.
/// @param tag       comes back in the entry.
///
/// Returns: 0: one entry follows, within max.block.ms; any other: none does: KPROD_ERR_INVALID_ARG, _ILLEGAL_STATE
/// (no transactional.id), _CLOSED, what ended the producer for good, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_begin_transaction_async(
    producer: *mut kprod_producer_t,
    tag: u64,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let begun = handle.producer.begin_transaction_async(tag);
            begun.map_err(|error| error.code)
        })
    })
}

/// Commits the transaction: waits for the outcomes of its records, then for the coordinator. It is refused after any
/// record that it had accepted failed.
///
/// @param producer    borrowed.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
/// @param err         out, optional: an error object, written on failure only.
///
/// Returns: 0: committed. KPROD_ERR_TIMED_OUT: the outcome is not known yet and the commit goes on; call it again for its
/// result: until then every other transactional call is refused. Any error with kprod_error_is_abortable: not
/// committed; abort. Any with kprod_error_is_fatal (_PRODUCER_FENCED, _INVALID_PRODUCER_EPOCH, _INVALID_TXN_STATE: a
/// newer instance has taken over and ended the transaction, or the coordinator has aborted it because it lasted longer
/// than transaction.timeout.ms): close the producer. After a fatal error, and after KPROD_ERR_CLOSED where
/// another thread closes the producer meanwhile, a commit that was called may have been done or not: who has to know
/// asks the log, or lets the next instance take up from the group's committed offsets. KPROD_ERR_ILLEGAL_STATE: no
/// transaction is open.
/// KPROD_ERR_ILLEGAL_STATE also when
/// the producer has no transactional.id, or another transactional call has not ended: the message says what comes
/// first. KPROD_ERR_INVALID_ARG, _CLOSED, _IN_CALLBACK, _FORKED, _INTERNAL, and what ended the producer for good.
/// Ownership: *err is the caller's, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: up to timeout_ms.
/// Callback context: KPROD_ERR_IN_CALLBACK.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_commit_transaction(
    producer: *mut kprod_producer_t,
    timeout_ms: i32,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    unsafe {
        let result = on_producer(producer, Call::Blocking, |handle: &ProducerHandle| {
            handle
                .producer
                .commit_transaction(slow_timeout(timeout_ms)?)
        });
        code_and_error(result, err)
    }
}

/// As kprod_commit_transaction, without waiting: the result is an entry of kind KPROD_KIND_OPERATION.
/// A record that is sent before that entry was read may still become part of the transaction that ends; one that
/// belongs to the next is sent after the next begin.
///
/// @param producer  borrowed.
/// @param tag       comes back in the entry.
///
/// Returns: 0: one entry follows, within max.block.ms; any other: none does: KPROD_ERR_INVALID_ARG, _ILLEGAL_STATE
/// (no transactional.id), _CLOSED, what ended the producer for good, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_commit_transaction_async(
    producer: *mut kprod_producer_t,
    tag: u64,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let begun = handle.producer.commit_transaction_async(tag);
            begun.map_err(|error| error.code)
        })
    })
}

/// Aborts the transaction: what was not sent is dropped and reported with KPROD_ERR_ABORTED; what is on its way is
/// waited for; consumers that read committed records see none of it.
///
/// @param producer    borrowed.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
/// @param err         out, optional: an error object, written on failure only.
///
/// Returns: 0: aborted; KPROD_ERR_TIMED_OUT: it goes on; call it again for its result. Any with kprod_error_is_fatal
/// (_PRODUCER_FENCED, _INVALID_PRODUCER_EPOCH, _INVALID_TXN_STATE: a newer instance has taken over and has aborted it, or
/// the coordinator has because it lasted longer than transaction.timeout.ms): close the producer.
/// KPROD_ERR_ILLEGAL_STATE: no transaction is open. KPROD_ERR_ILLEGAL_STATE also when
/// the producer has no transactional.id, or another transactional call has not ended: the message says what comes
/// first. KPROD_ERR_INVALID_ARG, _CLOSED, _IN_CALLBACK, _FORKED, _INTERNAL, and what ended the producer for good.
/// Ownership: *err is the caller's, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: up to timeout_ms.
/// Callback context: KPROD_ERR_IN_CALLBACK.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_abort_transaction(
    producer: *mut kprod_producer_t,
    timeout_ms: i32,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    unsafe {
        let result = on_producer(producer, Call::Blocking, |handle: &ProducerHandle| {
            handle.producer.abort_transaction(slow_timeout(timeout_ms)?)
        });
        code_and_error(result, err)
    }
}

/// As kprod_abort_transaction, without waiting: the result is an entry of kind KPROD_KIND_OPERATION.
/// A record that is sent before that entry was read may still become part of the transaction that ends; one that
/// belongs to the next is sent after the next begin.
///
/// @param producer  borrowed.
/// @param tag       comes back in the entry.
///
/// Returns: 0: one entry follows, within max.block.ms; any other: none does: KPROD_ERR_INVALID_ARG, _ILLEGAL_STATE
/// (no transactional.id), _CLOSED, what ended the producer for good, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_abort_transaction_async(
    producer: *mut kprod_producer_t,
    tag: u64,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let begun = handle.producer.abort_transaction_async(tag);
            begun.map_err(|error| error.code)
        })
    })
}

/// Sets a group's metadata to no member, no generation (-1) and no static membership; the group's id becomes empty and
/// is to be set. Reserved space becomes 0.
///
/// @param group  out; NULL is a no-op.
///
/// Returns: nothing.
/// Ownership: the struct stays the caller's.
/// Thread-safety: one thread at a time for one struct.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_group_metadata_init(group: *mut kprod_group_metadata_t) {
    if !group.is_null() {
        // SAFETY: not NULL, and so writable, as the header demands.
        unsafe { group.write(kprod_group_metadata_t::EMPTY) };
    }
}

/// Makes the offsets that a consumer group has consumed up to part of the transaction: they are committed with it, or
/// not at all (KIP-447).
///
/// @param producer    borrowed.
/// @param offsets     borrowed for the call, with all that they point to; may be NULL when count is 0, which does
///                    nothing.
/// @param count       the number of offsets.
/// @param group       borrowed for the call, with all that it points to: the consumer's own group metadata; not NULL.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
/// @param err         out, optional: an error object, written on failure only.
///
/// Returns: 0; KPROD_ERR_TIMED_OUT: it goes on: call it again with the same arguments for its result,
/// or abort. Abortable: KPROD_ERR_ILLEGAL_GENERATION, _UNKNOWN_MEMBER_ID, _FENCED_INSTANCE_ID,
/// _GROUP_AUTHORIZATION_FAILED and others with kprod_error_is_abortable. KPROD_ERR_ILLEGAL_STATE: no transaction is
/// open. KPROD_ERR_INVALID_TOPIC_EXCEPTION: not a topic's name. KPROD_ERR_ILLEGAL_STATE also when
/// the producer has no transactional.id, or another transactional call has not ended: the message says what comes
/// first. KPROD_ERR_INVALID_ARG, _CLOSED, _IN_CALLBACK, _FORKED, _INTERNAL, and what ended the producer for good.
/// Ownership: everything is copied; *err is the caller's, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: up to timeout_ms.
/// Callback context: KPROD_ERR_IN_CALLBACK.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_send_offsets_to_transaction(
    producer: *mut kprod_producer_t,
    offsets: *const kprod_group_offset_t,
    count: u64,
    group: *const kprod_group_metadata_t,
    timeout_ms: i32,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    unsafe {
        let result = on_producer(producer, Call::Blocking, |handle: &ProducerHandle| {
            let timeout = slow_timeout(timeout_ms)?;
            let offsets = read_offsets(offsets, count, group)?;
            handle
                .producer
                .send_offsets_to_transaction(offsets, timeout)
        });
        code_and_error(result, err)
    }
}

/// As kprod_send_offsets_to_transaction, without waiting: the result is an entry of kind KPROD_KIND_OPERATION.
///
/// @param producer  borrowed.
/// @param offsets   borrowed for the call, with all that they point to; may be NULL when count is 0.
/// @param count     the number of offsets.
/// @param group     borrowed for the call, with all that it points to; not NULL.
/// @param tag       comes back in the entry.
///
/// Returns: 0: one entry follows, within max.block.ms; any other: none does: KPROD_ERR_INVALID_ARG,
/// _INVALID_TOPIC_EXCEPTION, _ILLEGAL_STATE (no transactional.id), _CLOSED, what ended the producer for good, _FORKED,
/// _INTERNAL.
/// Ownership: everything is copied.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_send_offsets_to_transaction_async(
    producer: *mut kprod_producer_t,
    offsets: *const kprod_group_offset_t,
    count: u64,
    group: *const kprod_group_metadata_t,
    tag: u64,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let begun = read_offsets(offsets, count, group).and_then(|offsets| {
                handle
                    .producer
                    .send_offsets_to_transaction_async(offsets, tag)
            });
            begun.map_err(|error| error.code)
        })
    })
}

/// # Safety
/// All pointers are as the header demands.
unsafe fn read_offsets(
    offsets: *const kprod_group_offset_t,
    count: u64,
    group: *const kprod_group_metadata_t,
) -> Result<Offsets, Error> {
    // SAFETY: as the caller promises.
    let Some(group) = (unsafe { group.as_ref() }) else {
        return Err(invalid("the group's metadata is NULL"));
    };
    if count > MOST_OFFSETS || (count > 0 && offsets.is_null()) {
        return Err(invalid("the offsets are NULL or too many"));
    }
    let given = match count {
        0 => &[],
        // SAFETY: not NULL, and as long as the caller promises.
        _ => unsafe { slice::from_raw_parts(offsets, count as usize) },
    };
    // SAFETY: as the caller promises.
    let group = unsafe { read_group(group) }?;
    let offsets = given.iter().enumerate().map(|(place, offset)| {
        // SAFETY: as the caller promises.
        unsafe { read_offset(offset) }.map_err(|error| {
            let message = format!("offset {place} of {count}: {}", error.message);
            Error::new(error.code, message)
        })
    });
    Ok(Offsets {
        offsets: offsets.collect::<Result<_, _>>()?,
        group,
    })
}

/// # Safety
/// As for `read_offsets`.
unsafe fn read_group(group: &kprod_group_metadata_t) -> Result<GroupMetadata, Error> {
    if group.reserved0 != 0 || group.reserved != [0; 3] {
        return Err(invalid("the group's reserved fields are not 0"));
    }
    // SAFETY: as the caller promises.
    let (group_id, member_id, instance) = unsafe {
        (
            text(group.group_id, group.group_id_len, "group_id")?,
            text(group.member_id, group.member_id_len, "member_id")?,
            text(
                group.group_instance_id,
                group.group_instance_id_len,
                "group_instance_id",
            )?,
        )
    };
    let group_id = group_id.filter(|id| !id.is_empty());
    if group.generation_id < -1 {
        return Err(invalid("generation_id is below -1"));
    }
    Ok(GroupMetadata {
        group_id: group_id.ok_or_else(|| invalid("group_id is empty"))?,
        generation_id: group.generation_id,
        member_id: member_id.unwrap_or_default(),
        group_instance_id: instance,
    })
}

/// # Safety
/// As for `read_offsets`.
unsafe fn read_offset(offset: &kprod_group_offset_t) -> Result<GroupOffset, Error> {
    if offset.reserved != [0; 2] {
        return Err(invalid("its reserved fields are not 0"));
    }
    // SAFETY: as the caller promises.
    let (topic, metadata) = unsafe {
        (
            topic_name(offset.topic_name, offset.topic_name_len),
            text(offset.metadata, offset.metadata_len, "metadata")?,
        )
    };
    let topic = topic.map_err(|code| Error::new(code, code.text()))?;
    if !is_valid_topic_name(topic) {
        let code = ErrorCode::INVALID_TOPIC_EXCEPTION;
        return Err(Error::new(code, format!("{topic:?}: {}", code.text())));
    }
    if offset.partition < 0 || offset.offset < 0 || offset.leader_epoch < -1 {
        return Err(invalid("its partition, offset or leader_epoch is negative"));
    }
    Ok(GroupOffset {
        topic: topic.to_owned(),
        partition: offset.partition,
        offset: offset.offset,
        leader_epoch: offset.leader_epoch,
        metadata,
    })
}

/// A string, or none.
///
/// # Safety
/// As for `nullable`.
unsafe fn text(pointer: *const c_char, length: i64, what: &str) -> Result<Option<String>, Error> {
    // SAFETY: as the caller promises.
    let bytes = unsafe { nullable(pointer.cast(), length) };
    let bytes = bytes.map_err(|_| invalid(&format!("{what} is NULL or its length is wrong")))?;
    if bytes.is_some_and(|bytes| bytes.len() > MOST_TEXT) {
        return Err(invalid(&format!("{what} is longer than 32767 bytes")));
    }
    let text = bytes
        .map(|bytes| String::from_utf8(bytes.to_vec()))
        .transpose();
    text.map_err(|_| invalid(&format!("{what} is not UTF-8")))
}

/// Strings on the wire have 16-bit lengths in old versions.
const MOST_TEXT: usize = i16::MAX as usize;
/// Far more partitions than a consumer has.
const MOST_OFFSETS: u64 = 10_000_000;

fn invalid(what: &str) -> Error {
    Error::new(ErrorCode::INVALID_ARG, what)
}
