//! What can be asked of a producer: why something failed, what the cluster lacks, how much of what there was.

use super::boundary::{Call, code, code_and_error, on_producer};
use super::errors::{kprod_error_t, write_error};
use super::handle::{ProducerHandle, kprod_producer_t};
use super::marshal;
use super::types::kprod_metrics_t;
use crate::error::{Error, ErrorCode};
use crate::producer::Producer;

/// Tells the message that belongs to a report: topic, partition, broker, how long it was tried and what to do.
///
/// @param producer  borrowed.
/// @param detail    the report's detail.
/// @param err       out, written on 0 only: the error object; not NULL.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG, also for a detail of 0 and one that 1,024 later failures have displaced;
/// _FORKED, _INTERNAL.
/// Ownership: *err is the caller's, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_error_detail(
    producer: *const kprod_producer_t,
    detail: u64,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            if err.is_null() {
                return Err(ErrorCode::INVALID_ARG);
            }
            let error = handle.producer.error_detail(detail);
            write_error(error.ok_or(ErrorCode::INVALID_ARG)?, err);
            Ok(())
        })
    })
}

/// Tells what ended a producer for good, if anything did.
///
/// @param producer  borrowed.
/// @param err       out, optional: an error object, written only if the result is such an error.
///
/// Returns: 0: nothing did; the code of the error that did; or KPROD_ERR_INVALID_ARG, _FORKED without an error object.
/// Ownership: *err is the caller's, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_fatal_error(
    producer: *const kprod_producer_t,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    unsafe { told(producer, Producer::fatal_error, err) }
}

/// Tells what stands between a producer and its cluster, if anything does: what a call that answers with a code alone,
/// such as a kprod_send that ends with KPROD_ERR_TIMED_OUT, has no room to say.
///
/// @param producer  borrowed.
/// @param err       out, optional: an error object, written only if the result is such an error: its message names the
///                  broker with host and port, what failed last or is being waited for, and what to look at.
///
/// Returns: 0: nothing does, as far as is known; KPROD_ERR_NO_BROKERS, _RESOLVE, _TLS, _SASL_AUTHENTICATION_FAILED,
/// _PROTOCOL and other codes of a failed connection; KPROD_ERR_TIMED_OUT: no connection has failed, but a broker is silent,
/// has asked for silence (throttling), or refuses what the producer has to try again (looked at while a thread waits for
/// room, a record or a batch, and while a flush is not done, and told for half a second more, unless it is over before); or
/// KPROD_ERR_INVALID_ARG, _FORKED without an error object.
/// Ownership: *err is the caller's, for kprod_error_free.
/// Thread-safety: any thread; what it tells is the present state, for all threads the same.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_cluster_error(
    producer: *const kprod_producer_t,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: the header's contract.
    unsafe { told(producer, Producer::cluster_error, err) }
}

/// Hands out an error that the producer keeps, if there is one.
///
/// # Safety
/// The header's contract for a producer and an error object.
unsafe fn told(
    producer: *const kprod_producer_t,
    ask: impl FnOnce(&Producer) -> Option<Error>,
    err: *mut *mut kprod_error_t,
) -> i32 {
    // SAFETY: as the caller promises.
    let answer = unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            Ok(ask(&handle.producer))
        })
    };
    match answer {
        Ok(None) => ErrorCode::OK.0,
        // SAFETY: as the caller promises.
        Ok(Some(error)) => unsafe { code_and_error(Err(error), err) },
        Err(ErrorCode(code)) => code,
    }
}

/// Tells a producer's counters and gauges.
///
/// @param producer  borrowed.
/// @param metrics   out, written on 0 only; not NULL.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG, _FORKED, _INTERNAL.
/// Ownership: the struct is plain data in the caller's memory.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_metrics(
    producer: *const kprod_producer_t,
    metrics: *mut kprod_metrics_t,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            if metrics.is_null() {
                return Err(ErrorCode::INVALID_ARG);
            }
            metrics.write(marshal::metrics(handle.producer.metrics()));
            Ok(())
        })
    })
}
