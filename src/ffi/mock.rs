//! The mock cluster for C: `kprod_mock.h`, for tests and examples and outside the promise of a stable ABI.

use std::ffi::{CStr, CString, c_char};
use std::ptr;
use std::time::Duration;

use bytes::Bytes;

use super::boundary::{Failure, code_and_error, contained};
use super::errors::{c_string, kprod_error_t};
use crate::error::{Error, ErrorCode};
use crate::mock::{
    BrokerState, ClusterConfig, Fault, FaultKind, MockCluster, MockServer, TopicConfig, When,
};
use crate::protocol::ApiKey;
use crate::sys;

/// kprod_mock_fault_t.kind: the answer is right, only late or with a throttle time.
pub const KPROD_MOCK_FAULT_NONE: i32 = 0;
/// kprod_mock_fault_t.kind: the answer is the error, and nothing was done.
pub const KPROD_MOCK_FAULT_ERROR: i32 = 1;
/// kprod_mock_fault_t.kind: the answer is the error although the work was done.
pub const KPROD_MOCK_FAULT_ERROR_AFTER_WORK: i32 = 2;
/// kprod_mock_fault_t.kind: nothing is done and there is no answer.
pub const KPROD_MOCK_FAULT_SWALLOW: i32 = 3;
/// kprod_mock_fault_t.kind: the work is done and there is no answer.
pub const KPROD_MOCK_FAULT_SWALLOW_AFTER_WORK: i32 = 4;
/// kprod_mock_fault_t.kind: nothing is done and the connection is closed.
pub const KPROD_MOCK_FAULT_DISCONNECT: i32 = 5;
/// kprod_mock_fault_t.kind: the work is done and the connection is closed.
pub const KPROD_MOCK_FAULT_DISCONNECT_AFTER_WORK: i32 = 6;
/// kprod_mock_fault_t.kind: the answer is of the right length and makes no sense.
pub const KPROD_MOCK_FAULT_GARBAGE: i32 = 7;
/// kprod_mock_fault_t.kind: the answer ends after `argument` bytes.
pub const KPROD_MOCK_FAULT_TRUNCATE: i32 = 8;
/// kprod_mock_fault_t.kind: the connection is closed after `argument` bytes of the answer.
pub const KPROD_MOCK_FAULT_CUT: i32 = 9;
/// kprod_mock_fault_t.kind: the answer is to another request.
pub const KPROD_MOCK_FAULT_WRONG_CORRELATION_ID: i32 = 10;
/// kprod_mock_fault_t.kind: the answer announces a length of `argument`.
pub const KPROD_MOCK_FAULT_HOSTILE_LENGTH: i32 = 11;

/// kprod_mock_set_broker_state: it serves.
pub const KPROD_MOCK_BROKER_UP: i32 = 0;
/// kprod_mock_set_broker_state: it answers nobody, and the cluster has not noticed.
pub const KPROD_MOCK_BROKER_CRASHED: i32 = 1;
/// kprod_mock_set_broker_state: it answers nobody, and the cluster knows.
pub const KPROD_MOCK_BROKER_DOWN: i32 = 2;

const MAX_BROKERS: i32 = 100;
const MAX_PARTITIONS: i32 = 10_000;

/// A Kafka cluster inside this process, on ports of 127.0.0.1, with a thread of its own. Made by kprod_mock_create,
/// ended by kprod_mock_destroy; any thread in between.
pub struct kprod_mock_t {
    _private: [u8; 0],
}

/// Something that goes wrong. Set it up with kprod_mock_fault_init.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kprod_mock_fault_t {
    /// The number of the API whose requests it strikes: 0 Produce, 3 Metadata, 18 ApiVersions.
    pub api: i32,
    /// The broker that fails, or −1: any.
    pub broker: i32,
    /// Only requests that name this topic, NUL-terminated; NULL: all.
    pub topic: *const c_char,
    /// Only this partition of the topic, or −1: all.
    pub partition: i32,
    /// How many requests it strikes; −1: all until kprod_mock_clear_faults.
    pub times: i32,
    /// One of KPROD_MOCK_FAULT_*.
    pub kind: i32,
    /// The error's code, for the kinds that answer with one: a number of 16 bits, not 0.
    pub error: i32,
    /// A number of bytes or a length, for the kinds that have one.
    pub argument: i32,
    /// The answer comes this much later.
    pub delay_ms: i32,
    /// The answer asks to be left alone for so long.
    pub throttle_ms: i32,
}

/// "kprodmck".
const MAGIC: u64 = 0x6b70_726f_646d_636b;

/// The tag comes first, so that looking at it is looking inside any handle.
#[repr(C)]
struct MockObject {
    magic: u64,
    /// The process in which the thread lives.
    generation: u64,
    server: MockServer,
    bootstrap: CString,
}

impl MockObject {
    /// # Safety
    /// `pointer` is NULL or came from `kprod_mock_create` and is not freed while `'a` lasts.
    unsafe fn borrow<'a>(pointer: *const kprod_mock_t) -> Result<&'a MockObject, ErrorCode> {
        // SAFETY: as the caller promises.
        match unsafe { pointer.cast::<MockObject>().as_ref() } {
            Some(object) if object.magic != MAGIC => Err(ErrorCode::INVALID_ARG),
            Some(object) if object.generation != sys::fork_generation() => Err(ErrorCode::FORKED),
            Some(object) => Ok(object),
            None => Err(ErrorCode::INVALID_ARG),
        }
    }

    fn change<T>(&self, act: impl FnOnce(&mut MockCluster) -> T) -> T {
        self.server.handle().with(act)
    }
}

/// Runs a call on a mock cluster.
///
/// # Safety
/// As for `MockObject::borrow`.
unsafe fn on_mock<T>(
    mock: *const kprod_mock_t,
    body: impl FnOnce(&MockObject) -> Result<T, ErrorCode>,
) -> Result<T, ErrorCode> {
    // SAFETY: as the caller promises.
    let object = unsafe { MockObject::borrow(mock) }?;
    contained(Err(ErrorCode::INTERNAL), || body(object))
}

fn code(result: Result<(), ErrorCode>) -> i32 {
    result.err().unwrap_or(ErrorCode::OK).0
}

fn count(result: Result<i64, ErrorCode>) -> i64 {
    result.unwrap_or_else(|ErrorCode(code)| code.into())
}

/// # Safety
/// `text` is NULL or NUL-terminated, and unchanged while `'a` lasts.
unsafe fn utf8<'a>(text: *const c_char) -> Result<&'a str, ErrorCode> {
    if text.is_null() {
        return Err(ErrorCode::INVALID_ARG);
    }
    // SAFETY: not NULL, and so NUL-terminated, as the caller promises.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| ErrorCode::INVALID_ARG)
}

fn millis(number: i32) -> Result<Duration, ErrorCode> {
    let number = u64::try_from(number).map_err(|_| ErrorCode::INVALID_ARG)?;
    Ok(Duration::from_millis(number))
}

/// Starts a mock cluster. Its brokers, numbered from 1, listen when this returns. Topics are created when they are
/// asked for, as brokers do by default.
///
/// @param brokers  how many, 1 to 100.
/// @param mock     out, written on 0 only: the cluster; not NULL.
/// @param err      out, optional: an error object, written on failure only.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG, _THREAD (no thread, port or descriptor to be had), _INTERNAL.
/// Ownership: *mock is the caller's, for kprod_mock_destroy; *err too, for kprod_error_free.
/// Thread-safety: any thread.
/// Blocking: never on the network.
/// Callback context: allowed.
/// Fork/after close: allowed in a child process, where clusters of its parent are not.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_create(
    brokers: i32,
    mock: *mut *mut kprod_mock_t,
    err: *mut *mut kprod_error_t,
) -> i32 {
    let result = contained(Err(Error::of(ErrorCode::INTERNAL)), || {
        if mock.is_null() || !(1..=MAX_BROKERS).contains(&brokers) {
            return Err(Error::new(
                ErrorCode::INVALID_ARG,
                format!("mock is NULL or brokers ({brokers}) is not 1 to {MAX_BROKERS}"),
            ));
        }
        let object = start(brokers).map_err(|cause| {
            let message = format!("the mock cluster does not start: {cause}");
            Error::new(ErrorCode::THREAD, message)
        })?;
        // SAFETY: not NULL, and so writable by the header's contract.
        unsafe { mock.write(Box::into_raw(Box::new(object)).cast()) };
        Ok(())
    });
    // SAFETY: the header's contract.
    unsafe { code_and_error(result, err) }
}

fn start(brokers: i32) -> std::io::Result<MockObject> {
    sys::watch_forks()?;
    let generation = sys::fork_generation();
    let server = MockServer::start(ClusterConfig {
        brokers,
        ..ClusterConfig::default()
    })?;
    Ok(MockObject {
        magic: MAGIC,
        generation,
        bootstrap: c_string(&server.bootstrap()),
        server,
    })
}

/// Tells the brokers' addresses, for bootstrap.servers.
///
/// @param mock  borrowed.
///
/// Returns: NUL-terminated text, "127.0.0.1:PORT,127.0.0.1:PORT"; NULL for a wrong cluster or a child process.
/// Ownership: the cluster's; valid until kprod_mock_destroy.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: NULL in a child of the creating process.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_bootstrap(mock: *const kprod_mock_t) -> *const c_char {
    // SAFETY: the header's contract.
    unsafe { MockObject::borrow(mock) }.map_or(ptr::null(), |object| object.bootstrap.as_ptr())
}

/// Creates a topic, with leaders spread over the brokers.
///
/// @param mock        borrowed.
/// @param topic       borrowed, NUL-terminated; not NULL.
/// @param partitions  how many, 1 to 10,000.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG (also for a topic that exists), _FORKED, _INTERNAL.
/// Ownership: the name is copied.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_create_topic(
    mock: *mut kprod_mock_t,
    topic: *const c_char,
    partitions: i32,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_mock(mock, |object| {
            let topic = utf8(topic)?;
            if !(1..=MAX_PARTITIONS).contains(&partitions) {
                return Err(ErrorCode::INVALID_ARG);
            }
            let config = TopicConfig::new(partitions);
            match object.change(|cluster| cluster.create_topic(topic, &config)) {
                true => Ok(()),
                false => Err(ErrorCode::INVALID_ARG),
            }
        })
    })
}

/// Lets a broker crash, go down or come back at its old address. What its partitions hold is kept.
///
/// @param mock    borrowed.
/// @param broker  its number.
/// @param state   one of KPROD_MOCK_BROKER_*.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_set_broker_state(
    mock: *mut kprod_mock_t,
    broker: i32,
    state: i32,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_mock(mock, |object| {
            let state = match state {
                KPROD_MOCK_BROKER_UP => BrokerState::Up,
                KPROD_MOCK_BROKER_CRASHED => BrokerState::Crashed,
                KPROD_MOCK_BROKER_DOWN => BrokerState::Down,
                _ => return Err(ErrorCode::INVALID_ARG),
            };
            object.change(|cluster| {
                cluster.broker_state(broker).ok_or(ErrorCode::INVALID_ARG)?;
                cluster.set_broker_state(broker, state);
                Ok(())
            })
        })
    })
}

/// Closes all connections to a broker.
///
/// @param mock    borrowed.
/// @param broker  its number.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_disconnect(mock: *mut kprod_mock_t, broker: i32) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_mock(mock, |object| {
            object.change(|cluster| {
                cluster.broker_state(broker).ok_or(ErrorCode::INVALID_ARG)?;
                cluster.disconnect(broker);
                Ok(())
            })
        })
    })
}

/// Makes a broker the leader of a partition, in a new leader epoch.
///
/// @param mock       borrowed.
/// @param topic      borrowed, NUL-terminated; not NULL.
/// @param partition  the partition.
/// @param broker     the broker's number, or −1: the partition has no leader.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG, _UNKNOWN_PARTITION, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_set_leader(
    mock: *mut kprod_mock_t,
    topic: *const c_char,
    partition: i32,
    broker: i32,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_mock(mock, |object| {
            let topic = utf8(topic)?;
            object.change(|cluster| {
                if broker != -1 && cluster.broker_state(broker).is_none() {
                    return Err(ErrorCode::INVALID_ARG);
                }
                cluster
                    .leader(topic, partition)
                    .ok_or(ErrorCode::UNKNOWN_PARTITION)?;
                cluster.set_leader(topic, partition, broker);
                Ok(())
            })
        })
    })
}

/// Tells how many records a partition holds, or rather the offset that its next record gets.
///
/// @param mock       borrowed.
/// @param topic      borrowed, NUL-terminated; not NULL.
/// @param partition  the partition.
///
/// Returns: the number, 0 or more; or KPROD_ERR_INVALID_ARG, _UNKNOWN_PARTITION, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_record_count(
    mock: *const kprod_mock_t,
    topic: *const c_char,
    partition: i32,
) -> i64 {
    // SAFETY: the header's contract.
    count(unsafe {
        on_mock(mock, |object| {
            let topic = utf8(topic)?;
            match object.change(|cluster| cluster.end_offset(topic, partition)) {
                ..0 => Err(ErrorCode::UNKNOWN_PARTITION),
                end => Ok(end),
            }
        })
    })
}

/// Tells how many requests the brokers remember, of the last few thousand.
///
/// @param mock  borrowed.
/// @param api   the number of the API: 0 Produce, 3 Metadata, 18 ApiVersions.
///
/// Returns: the number, 0 or more; or KPROD_ERR_INVALID_ARG, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_request_count(mock: *const kprod_mock_t, api: i32) -> i64 {
    // SAFETY: the header's contract.
    count(unsafe {
        on_mock(mock, |object| {
            let api = api_key(api)?;
            Ok(object.server.handle().requests(api).len() as i64)
        })
    })
}

fn api_key(api: i32) -> Result<ApiKey, ErrorCode> {
    let code = i16::try_from(api).map_err(|_| ErrorCode::INVALID_ARG)?;
    ApiKey::from_code(code).ok_or(ErrorCode::INVALID_ARG)
}

/// Sets a fault to: the next Produce request, any broker, any partition, answered rightly and at once.
///
/// @param fault  out; NULL is a no-op.
///
/// Returns: nothing.
/// Ownership: the fault stays the caller's.
/// Thread-safety: one thread at a time for one fault.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: allowed.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_fault_init(fault: *mut kprod_mock_fault_t) {
    if fault.is_null() {
        return;
    }
    let blank = kprod_mock_fault_t {
        api: 0,
        broker: -1,
        topic: ptr::null(),
        partition: -1,
        times: 1,
        kind: KPROD_MOCK_FAULT_NONE,
        error: 0,
        argument: 0,
        delay_ms: 0,
        throttle_ms: 0,
    };
    // SAFETY: not NULL, and so writable by the header's contract.
    unsafe { fault.write(blank) };
}

/// Lets requests go wrong. Faults strike in the order in which they came.
///
/// @param mock   borrowed.
/// @param fault  borrowed for the call; not NULL.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG (also for a field out of range, such as a broker that the cluster
/// does not have, or error 0 of a kind that answers with it), _FORKED, _INTERNAL. The topic need not
/// exist yet.
/// Ownership: the fault is copied.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_inject(
    mock: *mut kprod_mock_t,
    fault: *const kprod_mock_fault_t,
) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_mock(mock, |object| {
            let from = fault.as_ref().ok_or(ErrorCode::INVALID_ARG)?;
            let fault = convert(from)?;
            object.change(|cluster| {
                if from.broker != -1 && cluster.broker_state(from.broker).is_none() {
                    return Err(ErrorCode::INVALID_ARG);
                }
                cluster.inject(fault);
                Ok(())
            })
        })
    })
}

/// # Safety
/// The fault's topic is NULL or NUL-terminated.
unsafe fn convert(from: &kprod_mock_fault_t) -> Result<Fault, ErrorCode> {
    let mut fault = Fault::on(api_key(from.api)?)
        .delay(millis(from.delay_ms)?)
        .throttle(millis(from.throttle_ms)?);
    fault = match from.broker {
        -1 => fault,
        broker => fault.broker(broker),
    };
    fault = match from.times {
        -1 => fault.forever(),
        1.. => fault.times(from.times.unsigned_abs()),
        _ => return Err(ErrorCode::INVALID_ARG),
    };
    fault = match (from.topic.is_null(), from.partition) {
        (true, -1) => fault,
        // SAFETY: as the caller promises.
        (false, -1) => fault.topic(unsafe { utf8(from.topic) }?),
        // SAFETY: as the caller promises.
        (false, 0..) => fault.partition(unsafe { utf8(from.topic) }?, from.partition),
        _ => return Err(ErrorCode::INVALID_ARG),
    };
    // What an answer has room for; 0 in it says that all is well.
    let error = || match i16::try_from(from.error) {
        Ok(0) | Err(_) => Err(ErrorCode::INVALID_ARG),
        Ok(code) => Ok(ErrorCode(code.into())),
    };
    let length = || usize::try_from(from.argument).map_err(|_| ErrorCode::INVALID_ARG);
    Ok(match from.kind {
        KPROD_MOCK_FAULT_NONE => fault,
        KPROD_MOCK_FAULT_ERROR => fault.error(error()?),
        KPROD_MOCK_FAULT_ERROR_AFTER_WORK => fault.error_after_work(error()?),
        KPROD_MOCK_FAULT_SWALLOW => fault.kind(FaultKind::Swallow(When::BeforeWork)),
        KPROD_MOCK_FAULT_SWALLOW_AFTER_WORK => fault.kind(FaultKind::Swallow(When::AfterWork)),
        KPROD_MOCK_FAULT_DISCONNECT => fault.kind(FaultKind::Disconnect(When::BeforeWork)),
        KPROD_MOCK_FAULT_DISCONNECT_AFTER_WORK => {
            fault.kind(FaultKind::Disconnect(When::AfterWork))
        }
        KPROD_MOCK_FAULT_GARBAGE => fault.kind(FaultKind::Garbage(Bytes::from_static(&[0xff; 64]))),
        KPROD_MOCK_FAULT_TRUNCATE => fault.kind(FaultKind::Truncate(length()?)),
        KPROD_MOCK_FAULT_CUT => fault.kind(FaultKind::CutFrame(length()?)),
        KPROD_MOCK_FAULT_WRONG_CORRELATION_ID => fault.kind(FaultKind::WrongCorrelationId),
        KPROD_MOCK_FAULT_HOSTILE_LENGTH => fault.kind(FaultKind::HostileLength(from.argument)),
        _ => return Err(ErrorCode::INVALID_ARG),
    })
}

/// Forgets all faults.
///
/// @param mock  borrowed.
///
/// Returns: 0; KPROD_ERR_INVALID_ARG, _FORKED, _INTERNAL.
/// Ownership: nothing changes hands.
/// Thread-safety: any thread.
/// Blocking: never.
/// Callback context: allowed.
/// Fork/after close: KPROD_ERR_FORKED in a child of the creating process.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_clear_faults(mock: *mut kprod_mock_t) -> i32 {
    // SAFETY: the header's contract.
    code(unsafe {
        on_mock(mock, |object| {
            object.server.handle().clear_faults();
            Ok(())
        })
    })
}

/// Ends a mock cluster and forgets what it holds.
///
/// @param mock  consumed; NULL is a no-op.
///
/// Returns: nothing.
/// Ownership: the cluster and its bootstrap text are gone.
/// Thread-safety: any thread, once.
/// Blocking: shortly, until its thread has ended.
/// Callback context: allowed.
/// Fork/after close: in a child of the creating process its memory is left as it is.
/// Since: 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kprod_mock_destroy(mock: *mut kprod_mock_t) {
    contained((), || {
        // SAFETY: the header's contract.
        if unsafe { MockObject::borrow(mock) }.is_ok() {
            // SAFETY: checked to be the box of `kprod_mock_create`; the caller gives it up.
            let mut object = unsafe { Box::from_raw(mock.cast::<MockObject>()) };
            object.magic = !MAGIC;
            drop(object);
        }
    });
}
