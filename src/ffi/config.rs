//! The configuration object: keys and values, and the callbacks that go with them.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::sync::OnceLock;

use super::boundary::{code, code_and_error, contained};
use super::errors::{c_string, kprod_error_t};
use super::marshal;
use super::types::{
    KPROD_NULL, kprod_delivery_fn, kprod_delivery_t, kprod_log_fn, kprod_partition_request_t,
    kprod_partitioner_fn,
};
use crate::completion::{CallbackScope, Report};
use crate::config::{Config, ProducerConfig, properties};
use crate::error::{Error, ErrorCode};
use crate::producer::{Callbacks, LogLevel, PartitionRequest};

/// A configuration: properties by name, and callbacks. Made by kprod_config_new, freed by kprod_config_free;
/// kprod_create copies it, so that it can be used again. One thread at a time.
pub struct kprod_config_t {
    _private: [u8; 0],
}

/// "kprodcfg".
const MAGIC: u64 = 0x6b70_726f_6463_6667;

/// The tag comes first, so that looking at it is looking inside any handle.
#[derive(Default)]
#[repr(C)]
struct ConfigObject {
    magic: u64,
    config: Config,
    delivery: (kprod_delivery_fn, u64),
    log: (kprod_log_fn, u64),
    partitioner: (kprod_partitioner_fn, u64),
    /// What the last kprod_config_get gave out.
    shown: CString,
}

impl ConfigObject {
    /// # Safety
    /// `pointer` is NULL or came from `kprod_config_new` and is neither freed nor used otherwise while `'a` lasts.
    unsafe fn borrow<'a>(pointer: *mut kprod_config_t) -> Result<&'a mut ConfigObject, ErrorCode> {
        // SAFETY: as the caller promises.
        match unsafe { pointer.cast::<ConfigObject>().as_mut() } {
            Some(object) if object.magic == MAGIC => Ok(object),
            _ => Err(ErrorCode::INVALID_ARG),
        }
    }
}

/// What `kprod_create` makes a producer of.
///
/// # Safety
/// `pointer` is NULL or came from `kprod_config_new`, and no other thread uses it.
pub(super) unsafe fn build(
    pointer: *const kprod_config_t,
) -> Result<(ProducerConfig, Callbacks), Error> {
    // SAFETY: as the caller promises.
    let object = unsafe { ConfigObject::borrow(pointer.cast_mut()) }
        .map_err(|code| Error::new(code, "config is not a configuration"))?;
    let config = object.config.build()?;
    let callbacks = Callbacks {
        delivery: object
            .delivery
            .0
            .map(|_| delivery_callback(object.delivery)),
        log: object.log.0.map(|_| log_callback(object.log)),
        partitioner: object
            .partitioner
            .0
            .map(|_| partitioner_callback(object.partitioner)),
    };
    Ok((config, callbacks))
}

fn delivery_callback(
    (function, context): (kprod_delivery_fn, u64),
) -> crate::producer::DeliveryCallback {
    std::sync::Arc::new(move |reports: &[Report]| {
        if let Some(function) = function {
            let reports: Vec<kprod_delivery_t> = reports.iter().map(marshal::delivery).collect();
            // SAFETY: the caller's function, called as the header says.
            unsafe { function(context, reports.as_ptr(), reports.len() as u64) };
        }
    })
}

fn log_callback((function, context): (kprod_log_fn, u64)) -> crate::producer::LogCallback {
    std::sync::Arc::new(move |level: LogLevel, message: &str| {
        if let Some(function) = function {
            let message = c_string(message);
            let length = message.as_bytes().len() as u64;
            let _scope = CallbackScope::enter();
            // SAFETY: the caller's function, called as the header says.
            unsafe { function(context, level as i32, message.as_ptr(), length) };
        }
    })
}

fn partitioner_callback(
    (function, context): (kprod_partitioner_fn, u64),
) -> crate::producer::UserPartitioner {
    std::sync::Arc::new(move |request: &PartitionRequest<'_>| {
        let Some(function) = function else {
            return -1;
        };
        let request = partition_request(request);
        let _scope = CallbackScope::enter();
        // SAFETY: the caller's function, called as the header says.
        unsafe { function(context, &request) }
    })
}

fn partition_request(request: &PartitionRequest<'_>) -> kprod_partition_request_t {
    fn bytes(bytes: Option<&[u8]>) -> (*const u8, i64) {
        bytes.map_or((ptr::null(), KPROD_NULL), |bytes| {
            (bytes.as_ptr(), bytes.len() as i64)
        })
    }
    let (key, key_len) = bytes(request.key);
    let (value, value_len) = bytes(request.value);
    kprod_partition_request_t {
        topic_name: request.topic.as_ptr().cast(),
        topic_name_len: request.topic.len() as i64,
        key,
        key_len,
        value,
        value_len,
        available: request.available.as_ptr(),
        available_count: request.available.len() as u32,
        partition_count: request.partition_count,
        topic: request.topic_handle,
        reserved0: 0,
        reserved: [0; 2],
    }
}

/// Text from C; `what` names it in the error.
///
/// # Safety
/// `text` is NULL or NUL-terminated, and unchanged while `'a` lasts.
unsafe fn utf8<'a>(text: *const c_char, what: &str) -> Result<&'a str, Error> {
    let refuse = |why: &str| Error::new(ErrorCode::INVALID_ARG, format!("{what} is {why}"));
    if text.is_null() {
        return Err(refuse("NULL"));
    }
    // SAFETY: not NULL, and so NUL-terminated, as the caller promises.
    unsafe { CStr::from_ptr(text) }
        .to_str()
        .map_err(|_| refuse("not UTF-8"))
}

/// Makes a configuration in which every property has its default.
///
/// Returns: the configuration; NULL only if the library failed inside.
/// Ownership: the caller's; kprod_config_free releases it.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kprod_config_new() -> *mut kprod_config_t {
    contained(ptr::null_mut(), || {
        let object = ConfigObject {
            magic: MAGIC,
            ..ConfigObject::default()
        };
        Box::into_raw(Box::new(object)).cast()
    })
}

/// Sets a property. The names are Kafka's, with those of aiokafka and librdkafka as aliases; docs/configuration.md
/// has them all. What several properties only say together is checked by kprod_create.
///
/// @param config  borrowed.
/// @param key     borrowed, NUL-terminated; not NULL.
/// @param value   borrowed, NUL-terminated, as text ("5", "true", "zstd"); not NULL.
/// @param err     out, optional: an error object, written on failure only.
///
/// Returns: 0; on failure nothing is changed: KPROD_ERR_INVALID_ARG (NULL, not a configuration, not UTF-8),
/// _UNKNOWN_CONFIG (the message names the nearest property, where one is near), _NOT_SUPPORTED (a property that other
/// clients have; the message says what to use), _INVALID_CONFIG (the message names property, value and allowed range,
/// or the other name under which the property has another value), _INTERNAL.
/// Ownership: key and value are copied; *err is the caller's, for kprod_error_free.
/// Thread-safety: one thread at a time for one configuration.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed; producers made before are not changed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_config_set(
    config: *mut kprod_config_t,
    key: *const c_char,
    value: *const c_char,
    err: *mut *mut kprod_error_t,
) -> i32 {
    let result = contained(Err(panicked()), || {
        // SAFETY: the header's contract.
        let (object, key, value) = unsafe {
            (
                borrow_or_error(config)?,
                utf8(key, "key")?,
                utf8(value, "value")?,
            )
        };
        object.config.set(key, value)
    });
    // SAFETY: the header's contract.
    unsafe { code_and_error(result, err) }
}

fn panicked() -> Error {
    Error::new(ErrorCode::INTERNAL, ErrorCode::INTERNAL.text())
}

/// # Safety
/// As for `ConfigObject::borrow`.
unsafe fn borrow_or_error<'a>(config: *mut kprod_config_t) -> Result<&'a mut ConfigObject, Error> {
    // SAFETY: as the caller promises.
    unsafe { ConfigObject::borrow(config) }
        .map_err(|code| Error::new(code, "config is not a configuration"))
}

/// Tells the value of a property: the one set, else the default. Secrets are shown as "[hidden]".
///
/// @param config  borrowed.
/// @param key     borrowed, NUL-terminated; not NULL.
/// @param value   out, written on 0 only: NUL-terminated text, or NULL for a property without a value; not NULL.
/// @param err     out, optional: an error object, written on failure only.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG (NULL, not a configuration, not UTF-8), _UNKNOWN_CONFIG (the message names the
/// nearest property, where one is near), _NOT_SUPPORTED, _INTERNAL.
/// Ownership: *value is the configuration's, valid until its next use; *err is the caller's, for kprod_error_free.
/// Thread-safety: one thread at a time for one configuration.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_config_get(
    config: *mut kprod_config_t,
    key: *const c_char,
    value: *mut *const c_char,
    err: *mut *mut kprod_error_t,
) -> i32 {
    let result = contained(Err(panicked()), || {
        // SAFETY: the header's contract.
        let (object, key) = unsafe { (borrow_or_error(config)?, utf8(key, "key")?) };
        if value.is_null() {
            return Err(Error::new(ErrorCode::INVALID_ARG, "value is NULL"));
        }
        let shown = match object.config.get(key)? {
            Some(text) => {
                object.shown = c_string(&text);
                object.shown.as_ptr()
            }
            None => ptr::null(),
        };
        // SAFETY: not NULL, and so writable by the header's contract.
        unsafe { value.write(shown) };
        Ok(())
    });
    // SAFETY: the header's contract.
    unsafe { code_and_error(result, err) }
}

/// Enumerates the properties, for tools: call it with 0, 1, 2 and so on until it gives NULL.
///
/// @param index  the property's number, from 0.
///
/// Returns: the property's name, NUL-terminated, or NULL past the last.
/// Ownership: the library's; valid for ever.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kprod_config_key_at(index: u32) -> *const c_char {
    static NAMES: OnceLock<Vec<CString>> = OnceLock::new();
    contained(ptr::null(), || {
        NAMES
            .get_or_init(|| {
                properties()
                    .map(|property| c_string(property.name))
                    .collect()
            })
            .get(index as usize)
            .map_or(ptr::null(), |name| name.as_ptr())
    })
}

/// Chooses the delivery callback: with it, the reports of the producers made afterwards go to it, in arrays, and not
/// to kprod_poll.
///
/// @param config    borrowed.
/// @param callback  called on the producer's callback thread, one call at a time; NULL: kprod_poll.
/// @param context   passed to the callback.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG (NULL, not a configuration).
/// Ownership: what context refers to must live until the producer is destroyed.
/// Thread-safety: one thread at a time for one configuration.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed; producers made before are not changed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_config_set_delivery_callback(
    config: *mut kprod_config_t,
    callback: kprod_delivery_fn,
    context: u64,
) -> i32 {
    // SAFETY: the header's contract.
    let object = unsafe { ConfigObject::borrow(config) };
    code(object.map(|object| object.delivery = (callback, context)))
}

/// Chooses the log callback; without one nothing is logged. The property log_level says how much.
///
/// @param config    borrowed.
/// @param callback  called on any thread, the producer's own among them; NULL: no log.
/// @param context   passed to the callback.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG (NULL, not a configuration).
/// Ownership: what context refers to must live until the producer is destroyed.
/// Thread-safety: one thread at a time for one configuration.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed; producers made before are not changed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_config_set_log_callback(
    config: *mut kprod_config_t,
    callback: kprod_log_fn,
    context: u64,
) -> i32 {
    // SAFETY: the header's contract.
    let object = unsafe { ConfigObject::borrow(config) };
    code(object.map(|object| object.log = (callback, context)))
}

/// Chooses a partitioner of the caller's own, for records without an explicit partition; it takes the place of the
/// property partitioner.
///
/// @param config    borrowed.
/// @param callback  called on the sending thread or the callback thread, several at a time; NULL: the property's.
/// @param context   passed to the callback.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG (NULL, not a configuration).
/// Ownership: what context refers to must live until the producer is destroyed.
/// Thread-safety: one thread at a time for one configuration.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed; producers made before are not changed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_config_set_partitioner(
    config: *mut kprod_config_t,
    callback: kprod_partitioner_fn,
    context: u64,
) -> i32 {
    // SAFETY: the header's contract.
    let object = unsafe { ConfigObject::borrow(config) };
    code(object.map(|object| object.partitioner = (callback, context)))
}

/// Frees a configuration.
///
/// @param config  consumed; NULL is a no-op.
///
/// Returns: nothing.
/// Ownership: the configuration and what kprod_config_get gave out are gone; producers made of it are not touched.
/// Thread-safety: any thread, once.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_config_free(config: *mut kprod_config_t) {
    contained((), || {
        // SAFETY: the header's contract.
        if let Ok(object) = unsafe { ConfigObject::borrow(config) } {
            object.magic = !MAGIC;
            // SAFETY: checked to be the box of `kprod_config_new`; the caller gives it up.
            drop(unsafe { Box::from_raw(object) });
        }
    });
}
