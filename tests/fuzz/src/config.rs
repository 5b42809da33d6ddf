//! Names and values of properties, through the C functions and on to the settings that they make.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use kprod::config::Config;
use kprod::ffi::{
    kprod_config_free, kprod_config_get, kprod_config_key_at, kprod_config_new, kprod_config_set,
    kprod_config_t, kprod_error_code, kprod_error_free, kprod_error_message, kprod_error_t,
};

use crate::Target;

/// An input has a setting a line: name and value with '=' in between. A name of one byte stands for the property of
/// that number, so that a search comes to all of them.
pub const TARGET: Target = Target {
    name: "config",
    run: |input| {
        let mut object = Object::new();
        let mut config = Config::new();
        for line in input.split(|byte| *byte == b'\n') {
            let cut = line.iter().position(|byte| *byte == b'=');
            let (name, value) = cut.map_or((line, &[][..]), |at| (&line[..at], &line[at + 1..]));
            let name = match name {
                [index] => key_at(u32::from(*index)).unwrap_or_else(|| terminated(name)),
                _ => terminated(name),
            };
            object.set(&name, &terminated(value), &mut config);
        }
        if let Err(error) = config.build() {
            assert!(!error.to_string().is_empty());
        }
    },
    seeds: || {
        let examples = [
            "bootstrap.servers=a:1,[::1]:2,c\nacks=all\nlinger.ms=5\ncompression.type=zstd",
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\nsasl.username=u\nsasl.password=p",
            "request.timeout.ms=1\nacks=0\nretries=3\nkprod.profile=modern\nmax_batch_size=16384",
            "test.mock.num.brokers=3\nbatch.size=0\nbuffer.memory=1\nmax.request.size=99999999999999999999",
        ];
        let numbers = (0..u8::MAX).map(|index| vec![index, b'=', b'1', b'0', b'0']);
        numbers.chain(examples.map(Vec::from)).collect()
    },
};

/// C's text ends at the first zero byte.
fn terminated(bytes: &[u8]) -> CString {
    let end = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    CString::new(&bytes[..end]).expect("no zero byte before the end")
}

fn key_at(index: u32) -> Option<CString> {
    let key = kprod_config_key_at(index);
    // SAFETY: NULL, or a static text.
    (!key.is_null()).then(|| unsafe { CStr::from_ptr(key) }.to_owned())
}

struct Object(*mut kprod_config_t);

impl Object {
    fn new() -> Self {
        Object(kprod_config_new())
    }

    fn set(&mut self, name: &CStr, value: &CStr, same: &mut Config) {
        let mut error: *mut kprod_error_t = ptr::null_mut();
        // SAFETY: a configuration, and texts that are terminated.
        let code = unsafe { kprod_config_set(self.0, name.as_ptr(), value.as_ptr(), &mut error) };
        assert_eq!(code, told(error));
        if let (Ok(name), Ok(value)) = (name.to_str(), value.to_str()) {
            assert_eq!(same.set(name, value).is_ok(), code == 0);
        }
        let mut shown: *const c_char = ptr::null();
        let mut error: *mut kprod_error_t = ptr::null_mut();
        // SAFETY: as above.
        let got = unsafe { kprod_config_get(self.0, name.as_ptr(), &mut shown, &mut error) };
        assert_eq!(got, told(error));
        if code == 0 {
            assert_eq!(got, 0);
            assert!(!shown.is_null(), "what was set has a value");
            // SAFETY: not NULL, and the configuration was not used since.
            unsafe { CStr::from_ptr(shown) }.to_str().expect("UTF-8");
        }
    }
}

/// The code of an error, 0 for none, which is freed.
fn told(error: *mut kprod_error_t) -> i32 {
    // SAFETY: NULL, or an error that was just made.
    unsafe {
        let code = kprod_error_code(error);
        if !error.is_null() {
            let message = CStr::from_ptr(kprod_error_message(error));
            assert!(!message.to_str().expect("UTF-8").is_empty());
            kprod_error_free(error);
        }
        code
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed here alone.
        unsafe { kprod_config_free(self.0) };
    }
}
