//! The producer's handle: what the opaque pointer points to, and the only place that makes, checks and frees it.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::RwLock;

use super::boundary::contained;
use crate::error::{Error, ErrorCode};
use crate::producer::Producer;
use crate::sys;

/// A producer. Made by kprod_create, ended by kprod_destroy; all its functions may be called from any thread at any
/// time in between. A pointer used after kprod_destroy is undefined behaviour.
pub struct kprod_producer_t {
    _private: [u8; 0],
}

/// "kprodprd": tells a producer from another kind of handle and, mostly, from freed memory.
const MAGIC: u64 = 0x6b70_726f_6470_7264;

/// The tag comes first, so that looking at it is looking inside any handle.
#[repr(C)]
pub(super) struct ProducerHandle {
    magic: AtomicU64,
    /// The process in which the engine's threads live.
    generation: u64,
    pub(super) producer: Producer,
    /// NUL-terminated copies of the names that the caller has asked for; they live until destroy.
    names: RwLock<HashMap<u32, Box<CStr>>>,
}

impl ProducerHandle {
    pub(super) fn into_raw(producer: Producer, generation: u64) -> *mut kprod_producer_t {
        let handle = Box::new(ProducerHandle {
            magic: AtomicU64::new(MAGIC),
            generation,
            producer,
            names: RwLock::default(),
        });
        Box::into_raw(handle).cast()
    }

    /// # Safety
    /// `pointer` is NULL or came from `into_raw`, and is not freed while `'a` lasts.
    #[inline(always)]
    pub(super) unsafe fn borrow<'a>(
        pointer: *const kprod_producer_t,
    ) -> Result<&'a ProducerHandle, ErrorCode> {
        // SAFETY: as the caller promises.
        let handle = unsafe { Self::borrow_in_any_process(pointer) }?;
        if handle.is_forked() {
            return Err(ErrorCode::FORKED);
        }
        Ok(handle)
    }

    /// # Safety
    /// As for `borrow`.
    #[inline(always)]
    pub(super) unsafe fn borrow_in_any_process<'a>(
        pointer: *const kprod_producer_t,
    ) -> Result<&'a ProducerHandle, ErrorCode> {
        // SAFETY: NULL is checked by `as_ref`; otherwise the pointer came from `into_raw`, as the caller promises.
        let handle = unsafe { pointer.cast::<ProducerHandle>().as_ref() };
        match handle {
            Some(handle) if handle.magic.load(Ordering::Relaxed) == MAGIC => Ok(handle),
            _ => Err(ErrorCode::INVALID_ARG),
        }
    }

    /// Takes the handle back; the pointer is dead from here on.
    ///
    /// # Safety
    /// `pointer` came from `into_raw`, passed `borrow`, and no other call uses it or ever will.
    pub(super) unsafe fn from_raw(pointer: *mut kprod_producer_t) -> Box<ProducerHandle> {
        // SAFETY: as the caller promises, this is the box of `into_raw` and nobody else has it.
        let handle = unsafe { Box::from_raw(pointer.cast::<ProducerHandle>()) };
        handle.magic.store(!MAGIC, Ordering::Relaxed);
        handle
    }

    #[inline(always)]
    pub(super) fn is_forked(&self) -> bool {
        self.generation != sys::fork_generation()
    }

    /// After a panic in a call: the producer takes no more records, and what it has is reported.
    #[cold]
    pub(super) fn poison(&self) {
        contained((), || {
            self.producer.poison(Error::new(
                ErrorCode::INTERNAL,
                "a call panicked inside the library; destroy the producer and create a new one",
            ));
        });
    }

    /// The name of a topic as C likes it.
    pub(super) fn topic_name(&self, topic: u32) -> Option<*const c_char> {
        if let Some(name) = self.names.read().get(&topic) {
            return Some(name.as_ptr());
        }
        let name = CString::new(self.producer.topic_name(topic)?).ok()?;
        let mut names = self.names.write();
        Some(
            names
                .entry(topic)
                .or_insert_with(|| name.into_boxed_c_str())
                .as_ptr(),
        )
    }
}
