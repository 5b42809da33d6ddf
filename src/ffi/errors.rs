//! Error codes as text, and the error object of slow calls.

use std::ffi::{CString, c_char};
use std::sync::OnceLock;

use super::boundary::contained;
use crate::error::{self, Class, Error, ErrorCode, ErrorInfo};

/// An error with its message, handed out by calls that can afford one. The caller frees it with kprod_error_free; it
/// belongs to no producer and may outlive it. Not to be used from two threads at once while it is being freed.
pub struct kprod_error_t {
    _private: [u8; 0],
}

/// What an error object begins with, and neither another object nor one that was freed.
const MAGIC: u64 = 0x6b70_726f_6465_7272;

struct ErrorObject {
    magic: u64,
    code: ErrorCode,
    class: Class,
    message: CString,
}

/// A message as a C string; a NUL inside, which only hostile input can bring, becomes U+FFFD.
pub(super) fn c_string(text: &str) -> CString {
    CString::new(text)
        .or_else(|_| CString::new(text.replace('\0', "\u{fffd}")))
        .unwrap_or_default()
}

/// Hands an error object to a caller that asked for one.
///
/// # Safety
/// `err` is NULL or writable.
pub(super) unsafe fn write_error(error: Error, err: *mut *mut kprod_error_t) {
    if err.is_null() {
        return;
    }
    let object = Box::new(ErrorObject {
        magic: MAGIC,
        code: error.code,
        class: error.class,
        message: c_string(&error.message),
    });
    // SAFETY: not NULL, and so writable, as the caller promises.
    unsafe { err.write(Box::into_raw(object).cast()) };
}

/// # Safety
/// `err` is NULL or came from `write_error` and is not freed while `'a` lasts.
unsafe fn borrow<'a>(err: *const kprod_error_t) -> Option<&'a ErrorObject> {
    // SAFETY: as the caller promises.
    let object = unsafe { err.cast::<ErrorObject>().as_ref() };
    object.filter(|object| object.magic == MAGIC)
}

struct CodeText {
    name: CString,
    text: CString,
}

impl CodeText {
    fn of(code: ErrorCode) -> Self {
        CodeText {
            name: c_string(code.name()),
            text: c_string(code.text()),
        }
    }
}

struct CodeTexts {
    /// In the order of the codes.
    known: Vec<(i32, CodeText)>,
    unknown: CodeText,
}

/// NUL-terminated name and text of a code, made once for all of them and kept for ever.
fn code_text(code: i32) -> &'static CodeText {
    static TEXTS: OnceLock<CodeTexts> = OnceLock::new();
    let texts = TEXTS.get_or_init(|| {
        let of = |info: &ErrorInfo| (info.code.0, CodeText::of(info.code));
        let mut known: Vec<_> = error::ALL.iter().map(of).collect();
        known.sort_by_key(|entry| entry.0);
        CodeTexts {
            known,
            unknown: CodeText::of(ErrorCode(i32::MIN)),
        }
    });
    match texts.known.binary_search_by_key(&code, |entry| entry.0) {
        Ok(at) => &texts.known[at].1,
        Err(_) => &texts.unknown,
    }
}

/// The name of an error code, without the KPROD_ERR_ of its constant: "QUEUE_FULL", "NOT_LEADER_OR_FOLLOWER".
///
/// @param code  any number.
///
/// Returns: a NUL-terminated string, never NULL: "UNKNOWN_CODE" for a code that this library does not know, such as
/// a newer broker's.
/// Ownership: the library's; valid for ever.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kprod_err_name(code: i32) -> *const c_char {
    contained(c"".as_ptr(), || code_text(code).name.as_ptr())
}

/// What an error code means and what to do, in one line of English.
///
/// @param code  any number.
///
/// Returns: a NUL-terminated string, never NULL.
/// Ownership: the library's; valid for ever.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kprod_err_str(code: i32) -> *const c_char {
    contained(c"".as_ptr(), || code_text(code).text.as_ptr())
}

/// The code of an error object.
///
/// @param err  borrowed; may be NULL.
///
/// Returns: one of KPROD_ERR_* or a newer broker's code; 0 for NULL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_error_code(err: *const kprod_error_t) -> i32 {
    // SAFETY: the header's contract.
    unsafe { borrow(err) }.map_or(0, |error| error.code.0)
}

/// The message of an error object: what went wrong, with which topic, broker or property, and what to do.
///
/// @param err  borrowed; may be NULL.
///
/// Returns: a NUL-terminated UTF-8 string, never NULL; empty for NULL.
/// Ownership: the error object's; valid until kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_error_message(err: *const kprod_error_t) -> *const c_char {
    // SAFETY: the header's contract.
    unsafe { borrow(err) }.map_or(c"".as_ptr(), |error| error.message.as_ptr())
}

/// Whether calling or sending again may succeed.
///
/// @param err  borrowed; may be NULL.
///
/// Returns: 1 or 0; 0 for NULL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_error_is_retriable(err: *const kprod_error_t) -> i32 {
    // SAFETY: the header's contract.
    unsafe { borrow(err) }.map_or(0, |error| (error.class == Class::Retriable).into())
}

/// Whether the transaction must be aborted.
///
/// @param err  borrowed; may be NULL.
///
/// Returns: 1 or 0; 0 for NULL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_error_is_abortable(err: *const kprod_error_t) -> i32 {
    // SAFETY: the header's contract.
    unsafe { borrow(err) }.map_or(0, |error| (error.class == Class::Abortable).into())
}

/// Whether the producer is of no more use: close and destroy it.
///
/// @param err  borrowed; may be NULL.
///
/// Returns: 1 or 0; 0 for NULL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_error_is_fatal(err: *const kprod_error_t) -> i32 {
    // SAFETY: the header's contract.
    unsafe { borrow(err) }.map_or(0, |error| (error.class == Class::Fatal).into())
}

/// Frees an error object.
///
/// @param err  consumed; NULL is a no-op.
///
/// Returns: nothing.
/// Ownership: the object and its message are gone.
/// Thread-safety: any thread, once.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_error_free(err: *mut kprod_error_t) {
    contained((), || {
        // SAFETY: the header's contract.
        if unsafe { borrow(err) }.is_some() {
            // SAFETY: checked to be the box of `write_error`; the caller gives it up.
            let mut object = unsafe { Box::from_raw(err.cast::<ErrorObject>()) };
            object.magic = !MAGIC;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;
    use std::ptr;

    fn text(pointer: *const c_char) -> &'static str {
        // SAFETY: the strings under test are valid for ever.
        unsafe { CStr::from_ptr(pointer) }.to_str().unwrap()
    }

    #[test]
    fn every_code_has_its_name_and_text() {
        for info in &error::ALL {
            assert_eq!(text(kprod_err_name(info.code.0)), info.name);
            assert_eq!(text(kprod_err_str(info.code.0)), info.text);
        }
        assert_eq!(text(kprod_err_name(31_000)), "UNKNOWN_CODE");
        assert_eq!(text(kprod_err_str(i32::MIN)), ErrorCode(31_000).text());
    }

    #[test]
    fn an_error_object_keeps_code_and_message() {
        let mut err = ptr::null_mut();
        let error = Error::new(ErrorCode::RESOLVE, "no\0such host");
        // SAFETY: `err` is writable, and freed once below.
        unsafe {
            write_error(error, &mut err);
            assert_eq!(kprod_error_code(err), ErrorCode::RESOLVE.0);
            let message = CStr::from_ptr(kprod_error_message(err));
            assert_eq!(message.to_str(), Ok("no\u{fffd}such host"));
            kprod_error_free(err);
        }
    }

    #[test]
    fn null_errors_are_harmless() {
        // SAFETY: NULL is allowed everywhere here.
        unsafe {
            assert_eq!(kprod_error_code(ptr::null()), 0);
            assert_eq!(text(kprod_error_message(ptr::null())), "");
            assert_eq!(kprod_error_is_retriable(ptr::null()), 0);
            assert_eq!(kprod_error_is_abortable(ptr::null()), 0);
            assert_eq!(kprod_error_is_fatal(ptr::null()), 0);
            kprod_error_free(ptr::null_mut());
            write_error(Error::new(ErrorCode::CLOSED, "closed"), ptr::null_mut());
        }
    }
}
