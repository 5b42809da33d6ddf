//! Which library this is.

use std::ffi::{CStr, c_char};

use super::types::KPROD_API_VERSION;

const VERSION: u32 = {
    let major = number(env!("CARGO_PKG_VERSION_MAJOR"));
    let minor = number(env!("CARGO_PKG_VERSION_MINOR"));
    let patch = number(env!("CARGO_PKG_VERSION_PATCH"));
    assert!(major < 256 && minor < 256 && patch < 256);
    major << 24 | minor << 16 | patch << 8
};

const VERSION_STRING: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("the version holds a NUL"),
    };

const fn number(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(value) => value,
        Err(_) => panic!("a version part is not a number"),
    }
}

/// The version of the library that is linked, comparable with KPROD_VERSION, which is the header's:
/// major << 24 | minor << 16 | patch << 8.
///
/// Returns: the version.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kprod_version() -> u32 {
    VERSION
}

/// The version of the library that is linked, as text ("0.1.0").
///
/// Returns: a NUL-terminated string, never NULL.
/// Ownership: the library's; valid for ever.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kprod_version_string() -> *const c_char {
    VERSION_STRING.as_ptr()
}

/// The newest API version that the library serves; kprod_create refuses a newer header.
///
/// Returns: the API version.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kprod_api_version() -> u32 {
    KPROD_API_VERSION
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_and_text_agree() {
        let version = kprod_version();
        let text = format!(
            "{}.{}.{}",
            version >> 24,
            version >> 16 & 0xff,
            version >> 8 & 0xff
        );
        assert_eq!(VERSION_STRING.to_str(), Ok(text.as_str()));
    }
}
