//! A producer's life: create, start, topics, flush, purge, close, destroy.

use std::ffi::c_char;
use std::ptr;

use super::boundary::{
    Call, Failure, code, code_and_error, contained, in_callback, on_producer, timeout,
};
use super::config::{self, kprod_config_t};
use super::errors::kprod_error_t;
use super::handle::{ProducerHandle, kprod_producer_t};
use super::marshal;
use super::types::{KPROD_API_VERSION, KPROD_PURGE_IN_FLIGHT, KPROD_PURGE_QUEUED};
use crate::error::{Error, ErrorCode};
use crate::producer::{Producer, Purge, Timeout, TopicRef};
use crate::sys;

/// A bad argument of a slow call.
fn invalid(message: &str) -> Error {
    Error::new(ErrorCode::INVALID_ARG, message)
}

pub(super) fn slow_timeout(timeout_ms: i32) -> Result<Timeout, Error> {
    timeout(timeout_ms).map_err(|_| invalid("timeout_ms is below -1"))
}

/// Makes a producer and its threads. Never touches the network: brokers that cannot be reached show in the first
/// send, or in kprod_start.
///
/// @param config       borrowed and copied.
/// @param api_version  KPROD_API_VERSION, as the caller's header has it.
/// @param producer     out, written on 0 only: the producer; not NULL.
/// @param err          out, optional: an error object, written on failure only.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG (NULL, not a configuration), _API_VERSION (0, or newer than
/// kprod_api_version()), _INVALID_CONFIG (the message has all contradictions at once), _TLS (certificates or keys that
/// cannot be used), _NOT_SUPPORTED, _THREAD (no thread or descriptor to be had), _OUT_OF_MEMORY, _INTERNAL.
/// Ownership: *producer is the caller's, for kprod_destroy; *err too, for kprod_error_free; the configuration stays
/// the caller's.
/// Thread-safety: any thread; one at a time for one configuration.
/// Blocking: never on the network; it reads the files that the configuration names.
/// Callback context: allowed.
/// Fork/after close: allowed in a child process, where producers of its parent are not.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_create(
    config: *const kprod_config_t,
    api_version: u32,
    producer: *mut *mut kprod_producer_t,
    err: *mut *mut kprod_error_t,
) -> i32 {
    let result = contained(Err(Error::of(ErrorCode::INTERNAL)), || {
        if producer.is_null() {
            return Err(invalid("producer is NULL"));
        }
        if !(1..=KPROD_API_VERSION).contains(&api_version) {
            return Err(Error::new(
                ErrorCode::API_VERSION,
                format!(
                    "API version {api_version} asked for, this library has 1 to {KPROD_API_VERSION}"
                ),
            ));
        }
        // SAFETY: the header's contract.
        let (config, callbacks) = unsafe { config::build(config) }?;
        sys::watch_forks().map_err(|error| {
            Error::new(
                ErrorCode::THREAD,
                format!("forks cannot be watched: {error}"),
            )
        })?;
        sys::take_memory_reserve().map_err(|none| Error::of(none.into()))?;
        let generation = sys::fork_generation();
        let made = Producer::create(config, callbacks)?;
        // SAFETY: not NULL, and so writable by the header's contract.
        unsafe { producer.write(ProducerHandle::into_raw(made, generation)) };
        Ok(())
    });
    // SAFETY: the header's contract.
    unsafe { code_and_error(result, err) }
}

/// Waits until a broker answered and accepted the credentials, and with idempotence until the producer has its id; with
/// a transactional.id that ends what an earlier instance left open, and fences it. Optional: the first send or
/// kprod_begin_transaction does it within its own limit.
///
/// @param producer    borrowed.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
/// @param err         out, optional: an error object, written on failure only.
///
/// Returns: 0; KPROD_ERR_TIMED_OUT, _NO_BROKERS, _RESOLVE, _TLS, _SASL_AUTHENTICATION_FAILED, _PROTOCOL and other
/// codes of a failed connection: the producer goes on trying and the call may be repeated;
/// _TRANSACTIONAL_ID_AUTHORIZATION_FAILED: the same, once the permission is there; _CLUSTER_AUTHORIZATION_FAILED,
/// _INVALID_TRANSACTION_TIMEOUT and others with kprod_error_is_fatal end the producer; KPROD_ERR_INVALID_ARG, _CLOSED,
/// _FATAL, _IN_CALLBACK, _FORKED, _INTERNAL.
/// Ownership: *err is the caller's, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: up to timeout_ms.
/// Callback context: KPROD_ERR_IN_CALLBACK.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_start(
    producer: *mut kprod_producer_t,
    timeout_ms: i32,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    unsafe {
        let result = on_producer(producer, Call::Blocking, |handle: &ProducerHandle| {
            handle.producer.start(slow_timeout(timeout_ms)?)
        });
        code_and_error(result, err)
    }
}

/// As kprod_start, without waiting: the result is an entry of kind KPROD_KIND_OPERATION.
///
/// @param producer  borrowed.
/// @param tag       comes back in the entry.
///
/// Returns: 0: one entry follows, within max.block.ms, however many wait to be read; any other: none does:
/// KPROD_ERR_INVALID_ARG, _CLOSED, _FATAL, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_start_async(producer: *mut kprod_producer_t, tag: u64) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            handle.producer.start_async(tag)
        })
    })
}

/// Gives the handle of a topic, with which sends are cheaper than with its name. Local: the brokers are not asked
/// whether the topic exists.
///
/// @param producer  borrowed.
/// @param name      borrowed: UTF-8, not necessarily NUL-terminated; not NULL.
/// @param name_len  its length in bytes.
/// @param topic     out, written on 0 only: the handle, 1 or more, the same for the same name; not NULL.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG, _INVALID_TOPIC_EXCEPTION (not a name that Kafka allows), _CLOSED,
/// _FATAL, _FORKED, _INTERNAL.
/// Ownership: the handle is a number, valid for this producer until kprod_destroy; the name is copied.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; after close names that have a
/// handle are answered and others KPROD_ERR_CLOSED.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_topic(
    producer: *mut kprod_producer_t,
    name: *const c_char,
    name_len: i64,
    topic: *mut u32,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            if topic.is_null() {
                return Err(ErrorCode::INVALID_ARG);
            }
            topic.write(
                handle
                    .producer
                    .topic(marshal::topic_name(name, name_len)?)?,
            );
            Ok(())
        })
    })
}

/// Tells the name of a topic, for the handle in a report.
///
/// @param producer  borrowed.
/// @param topic     a topic's handle.
///
/// Returns: the name, NUL-terminated UTF-8; NULL for an unknown handle, a wrong producer or a child process.
/// Ownership: the producer's; valid until kprod_destroy.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: NULL in a child of the creating process; allowed after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_topic_name(
    producer: *const kprod_producer_t,
    topic: u32,
) -> *const c_char {
    // SAFETY: the header's contract.
    let name = unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            handle
                .topic_name(topic)
                .ok_or(ErrorCode::UNKNOWN_TOPIC_HANDLE)
        })
    };
    name.unwrap_or(ptr::null())
}

/// Tells how many partitions a topic has, as the brokers last said; asks them if they never did.
///
/// @param producer    borrowed.
/// @param topic       the topic's handle, from kprod_topic.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
/// @param count       out, written on 0 only: the number of partitions; not NULL.
/// @param err         out, optional: an error object, written on failure only.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG, _UNKNOWN_TOPIC_HANDLE, _UNKNOWN_TOPIC_OR_PARTITION and other codes of the
/// brokers, _TIMED_OUT, _CLOSED, _FATAL, _IN_CALLBACK, _FORKED, _INTERNAL. The call may be repeated.
/// Ownership: *err is the caller's, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: up to timeout_ms.
/// Callback context: KPROD_ERR_IN_CALLBACK.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_partitions_for(
    producer: *mut kprod_producer_t,
    topic: u32,
    timeout_ms: i32,
    count: *mut i32,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    unsafe {
        let result = on_producer(producer, Call::Blocking, |handle: &ProducerHandle| {
            if count.is_null() {
                return Err(invalid("count is NULL"));
            }
            let limit = slow_timeout(timeout_ms)?;
            count.write(
                handle
                    .producer
                    .partitions_for(TopicRef::Handle(topic), limit)?,
            );
            Ok(())
        });
        code_and_error(result, err)
    }
}

/// As kprod_partitions_for, without waiting: the result is an entry of kind KPROD_KIND_OPERATION with the number of
/// partitions in count.
///
/// @param producer  borrowed.
/// @param topic     the topic's handle, from kprod_topic.
/// @param tag       comes back in the entry.
///
/// Returns: 0: one entry follows, within max.block.ms, however many wait to be read; any other: none does:
/// KPROD_ERR_INVALID_ARG, _UNKNOWN_TOPIC_HANDLE, _CLOSED, _FATAL, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_partitions_for_async(
    producer: *mut kprod_producer_t,
    topic: u32,
    tag: u64,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            handle
                .producer
                .partitions_for_async(TopicRef::Handle(topic), tag)
        })
    })
}

/// Sends everything now and waits until the outcomes of all records accepted before are queued for kprod_poll, or
/// their callbacks have returned. Failed records do not make it fail: their reports say so.
///
/// @param producer    borrowed.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms. 0 sends everything and does not wait.
/// @param err         out, optional: an error object, written on failure only.
///
/// Returns: 0; KPROD_ERR_TIMED_OUT: some have no outcome yet, nothing is lost, call it again, and the message tells what
/// keeps them, as far as is known; KPROD_ERR_INVALID_ARG, _CLOSED, _FATAL, _IN_CALLBACK, _FORKED, _INTERNAL.
/// Ownership: *err is the caller's, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: up to timeout_ms.
/// Callback context: KPROD_ERR_IN_CALLBACK.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_flush(
    producer: *mut kprod_producer_t,
    timeout_ms: i32,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    unsafe {
        let result = on_producer(producer, Call::Blocking, |handle: &ProducerHandle| {
            handle.producer.flush(slow_timeout(timeout_ms)?)
        });
        code_and_error(result, err)
    }
}

/// As kprod_flush, without waiting: the result is an entry of kind KPROD_KIND_OPERATION behind the reports that it
/// speaks of.
///
/// @param producer  borrowed.
/// @param tag       comes back in the entry.
///
/// Returns: 0: one entry follows, however many wait to be read; any other: none does: KPROD_ERR_INVALID_ARG, _CLOSED,
/// _FATAL, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_flush_async(producer: *mut kprod_producer_t, tag: u64) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            handle.producer.flush_async(tag)
        })
    })
}

/// Drops records that have no outcome yet. Each is reported, with KPROD_ERR_PURGED_QUEUED or, if it may be in the log
/// all the same, KPROD_ERR_PURGED_IN_FLIGHT, before this returns. Both kinds together keep each partition's order; one of
/// them alone is reported before older records of the partition that stay.
///
/// @param producer  borrowed.
/// @param what      KPROD_PURGE_QUEUED, KPROD_PURGE_IN_FLIGHT or both.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG (also for 0 and unknown bits), _TIMED_OUT, _CLOSED, _FATAL, _IN_CALLBACK, _FORKED,
/// _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: shortly, never on the network; at the very most max.block.ms and five seconds.
/// Callback context: KPROD_ERR_IN_CALLBACK.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_purge(producer: *mut kprod_producer_t, what: u32) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Blocking, |handle: &ProducerHandle| {
            if what == 0 || what & !(KPROD_PURGE_QUEUED | KPROD_PURGE_IN_FLIGHT) != 0 {
                return Err(ErrorCode::INVALID_ARG);
            }
            handle.producer.purge(Purge {
                queued: what & KPROD_PURGE_QUEUED != 0,
                in_flight: what & KPROD_PURGE_IN_FLIGHT != 0,
            })
        })
    })
}

/// Ends a producer: refuses new records, sends what was accepted, waits for the outcomes up to the limit and reports
/// the rest with KPROD_ERR_CLOSED. An open transaction is aborted. Blocked calls of other threads return. After 0 no
/// callback starts and nothing new is queued; kprod_poll gives the remaining reports and then KPROD_ERR_CLOSED.
///
/// @param producer    borrowed; kprod_destroy is still needed.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: max.block.ms.
/// @param err         out, optional: an error object, written on failure only.
///
/// Returns: 0, also for a producer that is closed already; KPROD_ERR_TIMED_OUT: closed, but a callback still runs:
/// call it again to wait for its end; KPROD_ERR_INVALID_ARG, _IN_CALLBACK, _FORKED, _INTERNAL.
/// Ownership: *err is the caller's, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: up to timeout_ms.
/// Callback context: KPROD_ERR_IN_CALLBACK.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; 0 after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_close(
    producer: *mut kprod_producer_t,
    timeout_ms: i32,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    unsafe {
        let result = on_producer(producer, Call::Blocking, |handle: &ProducerHandle| {
            handle.producer.close(slow_timeout(timeout_ms)?)
        });
        code_and_error(result, err)
    }
}

/// As kprod_close with KPROD_TIMEOUT_CONFIGURED, without waiting: the result is an entry of kind
/// KPROD_KIND_OPERATION, the last that is queued.
///
/// @param producer  borrowed; kprod_destroy is still needed.
/// @param tag       comes back in the entry.
///
/// Returns: 0: one entry follows; any other: none does: KPROD_ERR_INVALID_ARG, _CLOSED (a close was called before, of
/// either kind), _THREAD, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; KPROD_ERR_CLOSED after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_close_async(producer: *mut kprod_producer_t, tag: u64) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            handle.producer.close_async(tag)
        })
    })
}

/// Frees a producer. One that is not closed is closed with a limit of 0 first, which loses what was not sent; reports
/// that nobody took are discarded.
///
/// @param producer  consumed on 0; NULL is a no-op. No other call may use it, now or later, but those of callbacks
///                  until they have returned.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG (not a producer); KPROD_ERR_IN_CALLBACK: nothing was done.
/// Ownership: the producer, its topic handles and topic names are gone; its wake descriptors stay the caller's.
/// Thread-safety: any thread, once.
/// Blocking: until the callbacks that are due have returned; else shortly, never on the network.
/// Callback context: KPROD_ERR_IN_CALLBACK.
/// Fork/after close: in a child of the creating process its memory is left as it is, and the result is 0.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_destroy(producer: *mut kprod_producer_t) -> i32 {
    if producer.is_null() {
        return ErrorCode::OK.0;
    }
    // SAFETY: the header's contract.
    let handle = match unsafe { ProducerHandle::borrow_in_any_process(producer) } {
        Err(code) => return code.0,
        Ok(handle) if handle.is_forked() => return ErrorCode::OK.0,
        Ok(_) if in_callback() => return ErrorCode::IN_CALLBACK.0,
        Ok(handle) => handle,
    };
    contained(ErrorCode::INTERNAL.0, || {
        // While the handle is one: the last callbacks ask it what their reports mean.
        handle.producer.end();
        // SAFETY: checked to be a producer of this process, of which no callback runs; the caller gives it up.
        drop(unsafe { ProducerHandle::from_raw(producer) });
        ErrorCode::OK.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::ffi::{kprod_fatal_error, kprod_record_init, kprod_record_t, kprod_try_send};
    use std::mem::MaybeUninit;

    fn producer() -> *mut kprod_producer_t {
        let mut config = Config::new();
        config.set("test.mock.num.brokers", "1").unwrap();
        sys::watch_forks().unwrap();
        let producer = Producer::create(config.build().unwrap(), Default::default()).unwrap();
        ProducerHandle::into_raw(producer, sys::fork_generation())
    }

    #[test]
    fn a_panic_in_a_call_ends_the_producer_and_not_the_host() {
        let producer = producer();
        let mut record = MaybeUninit::<kprod_record_t>::uninit();
        // SAFETY: the producer is destroyed once, at the end, and the record is initialised before it is used.
        unsafe {
            kprod_record_init(record.as_mut_ptr());
            let mut record = record.assume_init();
            assert_eq!(
                kprod_topic(producer, c"t".as_ptr(), 1, &mut record.topic),
                0
            );
            assert_eq!(kprod_try_send(producer, &record), 0);

            let result: Result<(), ErrorCode> =
                on_producer(producer, Call::Anywhere, |_| panic!("on purpose"));
            assert_eq!(result, Err(ErrorCode::INTERNAL));

            assert_eq!(kprod_try_send(producer, &record), ErrorCode::FATAL.0);
            let fatal = kprod_fatal_error(producer, ptr::null_mut());
            assert_eq!(fatal, ErrorCode::INTERNAL.0);
            assert_eq!(kprod_close(producer, 10_000, ptr::null_mut()), 0);
            let mut reports = 0;
            let polled = on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
                handle.producer.poll(8, Timeout::Now, |_| reports += 1)
            });
            assert_eq!(
                (polled, reports),
                (Ok(1), 1),
                "what was accepted is reported"
            );
            assert_eq!(kprod_destroy(producer), 0);
        }
    }
}
