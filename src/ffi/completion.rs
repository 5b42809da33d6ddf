//! How a caller that set no delivery callback hears of outcomes: poll, its interruption, and the wake pipe.

use std::os::fd::IntoRawFd;

use super::boundary::{Call, code, on_producer, timeout};
use super::handle::{ProducerHandle, kprod_producer_t};
use super::marshal;
use super::types::kprod_delivery_t;
use crate::error::ErrorCode;

/// Takes up to max outcomes off the queue; waits for the first of them.
///
/// @param producer    borrowed.
/// @param reports     out: an array of max reports, of which as many as the result says are written.
/// @param max         the length of the array, 1 or more.
/// @param timeout_ms  the limit; KPROD_TIMEOUT_CONFIGURED: none.
///
/// Returns: the number of reports, 0 when the time passed or kprod_poll_interrupt ended the wait; or a negative code:
/// KPROD_ERR_INVALID_ARG, _ILLEGAL_STATE (the producer has a delivery callback), _IN_CALLBACK, _FORKED, _INTERNAL,
/// or _CLOSED when the producer is closed and all reports have been taken.
/// Ownership: the reports are plain data in the caller's memory.
/// Thread-safety: any thread, several at a time; each report goes to one of them, and order holds within one.
/// Blocking: up to timeout_ms; never with 0.
/// Callback context: allowed with a timeout of 0, else KPROD_ERR_IN_CALLBACK.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; after close the rest stays readable.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_poll(
    producer: *mut kprod_producer_t,
    reports: *mut kprod_delivery_t,
    max: u64,
    timeout_ms: i32,
) -> i64 {
    // SAFETY: the header's contract.
    let result = unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            let max = usize::try_from(max).map_err(|_| ErrorCode::INVALID_ARG)?;
            if reports.is_null() || max == 0 {
                return Err(ErrorCode::INVALID_ARG);
            }
            let mut written = 0;
            handle.producer.poll(max, timeout(timeout_ms)?, |report| {
                assert!(written < max, "poll gave more than it was asked for");
                // Fewer than `max` are written so far, and the array has room for `max`.
                reports.add(written).write(marshal::delivery(report));
                written += 1;
            })
        })
    };
    match result {
        Ok(count) => count as i64,
        Err(code) => code.0.into(),
    }
}

/// Ends a kprod_poll that waits, or the next one that would wait, with 0 reports. Meant for shutting down a polling
/// thread; the descriptor of kprod_wake_fd is not told.
///
/// @param producer  borrowed.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG, _FORKED or _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process; allowed after close.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_poll_interrupt(producer: *mut kprod_producer_t) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            handle.producer.poll_interrupt();
            Ok(())
        })
    })
}

/// Gives the read end of a pipe that gets a byte whenever the queue of reports turns from empty to not empty, for an
/// event loop. When it is readable: read it empty, then kprod_poll with timeout 0 until fewer than max come.
///
/// @param producer  borrowed.
/// @param fd        out, written on 0 only: the descriptor, non-blocking and close-on-exec; not NULL.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG, _ILLEGAL_STATE (the producer has a delivery callback), _THREAD (no descriptor
/// to be had), _CLOSED, _FORKED, _INTERNAL.
/// Ownership: the descriptor is the caller's to close, before or after kprod_destroy; it may be asked for again. If
/// reports are waiting already, it is readable at once.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_wake_fd(producer: *mut kprod_producer_t, fd: *mut i32) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_producer(producer, Call::Anywhere, |handle: &ProducerHandle| {
            if fd.is_null() {
                return Err(ErrorCode::INVALID_ARG);
            }
            fd.write(handle.producer.wake_fd()?.into_raw_fd());
            Ok(())
        })
    })
}
