//! The door: what every call passes on its way in and out. No panic leaves through it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::errors::{kprod_error_t, write_error};
use super::handle::{ProducerHandle, kprod_producer_t};
use crate::error::{Error, ErrorCode};
use crate::producer::Timeout;

/// What a call may do to the thread that makes it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// Returns at once, or is a send, which the engine does not let wait in a callback.
    Anywhere,
    /// Waits, and so is refused in a callback.
    Blocking,
}

/// How a failure is told inside the boundary: fast calls have the code alone, slow ones a message too.
pub(super) trait Failure: Sized {
    fn of(code: ErrorCode) -> Self;
}

impl Failure for ErrorCode {
    #[inline(always)]
    fn of(code: ErrorCode) -> Self {
        code
    }
}

impl Failure for Error {
    #[cold]
    fn of(code: ErrorCode) -> Self {
        Error::new(code, code.text())
    }
}

/// Runs a call on a producer: checks the handle, its process and the thread. A panic becomes INTERNAL and the end of
/// the producer, whose state is not to be trusted with more records.
///
/// # Safety
/// `producer` is NULL or came from `kprod_create` and was not destroyed, also not during the call.
#[inline(always)]
pub(super) unsafe fn on_producer<T, E: Failure>(
    producer: *const kprod_producer_t,
    call: Call,
    body: impl FnOnce(&ProducerHandle) -> Result<T, E>,
) -> Result<T, E> {
    // SAFETY: as the caller promises.
    let handle = unsafe { ProducerHandle::borrow(producer) }.map_err(E::of)?;
    if call == Call::Blocking && in_callback() {
        return Err(E::of(ErrorCode::IN_CALLBACK));
    }
    match catch_unwind(AssertUnwindSafe(|| body(handle))) {
        Ok(result) => result,
        Err(panic) => {
            forget_panic(panic);
            handle.poison();
            Err(E::of(ErrorCode::INTERNAL))
        }
    }
}

/// Runs a call that has no producer; `on_panic` is its answer to a panic.
pub(super) fn contained<T>(on_panic: T, body: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value,
        Err(panic) => {
            forget_panic(panic);
            on_panic
        }
    }
}

/// Dropping a panic's payload could panic again, and a leak is the lesser evil.
#[cold]
fn forget_panic(panic: Box<dyn std::any::Any + Send>) {
    std::mem::forget(panic);
}

/// Whether user code called by the library is below us on this thread's stack.
pub(super) fn in_callback() -> bool {
    crate::completion::in_callback()
}

/// The answer of a fast call.
#[inline(always)]
pub(super) fn code(result: Result<(), ErrorCode>) -> i32 {
    match result {
        Ok(()) => ErrorCode::OK.0,
        Err(code) => code.0,
    }
}

/// The answer of a slow call, which also hands out an error object if the caller wants one.
///
/// # Safety
/// `err` is NULL or writable.
pub(super) unsafe fn code_and_error(
    result: Result<(), Error>,
    err: *mut *mut kprod_error_t,
) -> i32 {
    match result {
        Ok(()) => ErrorCode::OK.0,
        Err(error) => {
            let code = error.code.0;
            // SAFETY: as the caller promises.
            unsafe { write_error(error, err) };
            code
        }
    }
}

/// A `timeout_ms` of the C API.
pub(super) fn timeout(timeout_ms: i32) -> Result<Timeout, ErrorCode> {
    match timeout_ms {
        0 => Ok(Timeout::Now),
        -1 => Ok(Timeout::Configured),
        1.. => Ok(Timeout::After(std::time::Duration::from_millis(
            timeout_ms.unsigned_abs().into(),
        ))),
        _ => Err(ErrorCode::INVALID_ARG),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_panic_becomes_the_answer() {
        assert_eq!(contained(-100, || panic!("on purpose")), -100);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_contained_too() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        assert_eq!(contained(-100, || std::panic::panic_any(Bomb)), -100);
    }

    #[test]
    fn timeouts_below_minus_one_are_errors() {
        assert_eq!(timeout(0), Ok(Timeout::Now));
        assert_eq!(timeout(-1), Ok(Timeout::Configured));
        assert_eq!(timeout(1), Ok(Timeout::After(Duration::from_millis(1))));
        assert_eq!(
            timeout(i32::MAX),
            Ok(Timeout::After(Duration::from_millis(2_147_483_647)))
        );
        assert_eq!(timeout(-2), Err(ErrorCode::INVALID_ARG));
        assert_eq!(timeout(i32::MIN), Err(ErrorCode::INVALID_ARG));
    }
}
