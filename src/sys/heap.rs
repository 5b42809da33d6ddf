//! The heap of the shipped library: keeps something in reserve for the day on which the system refuses memory.
//!
//! Rust ends the process when an allocation fails that its caller did not ask for fallibly, and a task or a queue's
//! entry cannot be asked for in that way. So what is small is taken from a reserve, which is given back to the system
//! for it. From then on, until the reserve is whole again, whoever can refuse work does so: see `spare_memory`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::TryReserveError;
use std::io;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use libc::{MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, c_void};

/// Address space only: no page of it is ever touched.
const RESERVE_BYTES: usize = 4 * 1024 * 1024;
/// What is larger fails at once: it would use the reserve up.
const SMALL: usize = RESERVE_BYTES / 4;
/// How often a small request is repeated where the reserve is gone too, and after what pause: for a minute.
const LOOKS: usize = 60_000;
const PAUSE: Duration = Duration::from_millis(1);

/// The system has no memory to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

impl From<NoMemory> for io::Error {
    fn from(_: NoMemory) -> Self {
        io::ErrorKind::OutOfMemory.into()
    }
}

impl From<TryReserveError> for NoMemory {
    fn from(_: TryReserveError) -> Self {
        NoMemory
    }
}

static RESERVE: Reserve = Reserve(AtomicUsize::new(Reserve::NEVER_TAKEN));

/// Takes the reserve, once in a process.
pub fn take_memory_reserve() -> Result<(), NoMemory> {
    RESERVE.take(Reserve::NEVER_TAKEN)
}

/// An error while the reserve is in use: nothing new is to be begun that needs memory.
pub fn spare_memory() -> Result<(), NoMemory> {
    RESERVE.refill()
}

/// An error where the system would not have as much again as the reserve is.
pub fn room_for_more() -> Result<(), NoMemory> {
    map().map(unmap)
}

/// The address of the reserve, or why there is none.
struct Reserve(AtomicUsize);

impl Reserve {
    const NEVER_TAKEN: usize = 0;
    const IN_USE: usize = 1;

    /// Takes it if it is `missing` for that reason.
    fn take(&self, missing: usize) -> Result<(), NoMemory> {
        if self.0.load(Ordering::Acquire) != missing {
            return Ok(());
        }
        let mapped = map()?;
        let took = self.0.compare_exchange(
            missing,
            mapped.as_ptr() as usize,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if took.is_err() {
            // Another thread was faster.
            unmap(mapped);
        }
        Ok(())
    }

    fn refill(&self) -> Result<(), NoMemory> {
        self.take(Self::IN_USE)
    }

    /// Gives it back to the system; false if it was not there.
    fn release(&self) -> bool {
        let state = self.0.load(Ordering::Acquire);
        let (true, Some(mapped)) = (
            state != Self::IN_USE,
            NonNull::new(ptr::with_exposed_provenance_mut(state)),
        ) else {
            return false;
        };
        let took =
            self.0
                .compare_exchange(state, Self::IN_USE, Ordering::AcqRel, Ordering::Acquire);
        if took.is_ok() {
            unmap(mapped);
        }
        took.is_ok()
    }

    #[inline]
    fn fulfil(&self, bytes: usize, request: impl Fn() -> *mut u8) -> *mut u8 {
        let got = request();
        if got.is_null() {
            return self.insist(bytes, request);
        }
        got
    }

    /// Repeats a small request that the system refused until it is fulfilled. NULL: it cannot be.
    #[cold]
    #[allow(clippy::disallowed_methods)] // The event is that others, in the library or its host, give memory back.
    fn insist(&self, bytes: usize, request: impl Fn() -> *mut u8) -> *mut u8 {
        if bytes > SMALL || self.0.load(Ordering::Acquire) == Self::NEVER_TAKEN {
            return ptr::null_mut();
        }
        for _ in 0..LOOKS {
            let released = self.release();
            let got = request();
            if !got.is_null() {
                return got;
            }
            if !released {
                std::thread::sleep(PAUSE);
            }
        }
        ptr::null_mut()
    }
}

fn map() -> Result<NonNull<c_void>, NoMemory> {
    let protection = PROT_READ | PROT_WRITE;
    let flags = MAP_PRIVATE | MAP_ANONYMOUS;
    // SAFETY: a new anonymous mapping touches no memory that exists.
    let mapped = unsafe { libc::mmap(ptr::null_mut(), RESERVE_BYTES, protection, flags, -1, 0) };
    match NonNull::new(mapped) {
        Some(address) if mapped != MAP_FAILED => Ok(address),
        _ => Err(NoMemory),
    }
}

fn unmap(mapped: NonNull<c_void>) {
    // SAFETY: `map` gave the address, nothing points there, and who calls this has taken it out of the reserve.
    unsafe { libc::munmap(mapped.as_ptr(), RESERVE_BYTES) };
}

/// The system's allocator with the reserve behind it.
pub struct Heap;

// SAFETY: every request is passed on to the system's allocator with the caller's own arguments; one that failed has
// changed nothing and may be repeated.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the contract, which is the system allocator's.
        let request = || unsafe { System.alloc(layout) };
        RESERVE.fulfil(layout.size(), request)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        let request = || unsafe { System.alloc_zeroed(layout) };
        RESERVE.fulfil(layout.size(), request)
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as in `alloc`; where it fails the old block is as it was.
        let request = || unsafe { System.realloc(pointer, layout, size) };
        RESERVE.fulfil(size, request)
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer is one that `alloc` or its sisters gave, that is the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn taken() -> Reserve {
        let reserve = Reserve(AtomicUsize::new(Reserve::NEVER_TAKEN));
        reserve.take(Reserve::NEVER_TAKEN).unwrap();
        reserve
    }

    /// Refuses so often, then gives something.
    fn refusing(times: usize) -> (Cell<usize>, *mut u8) {
        (Cell::new(times), NonNull::<u8>::dangling().as_ptr())
    }

    fn request(refusals: &Cell<usize>, something: *mut u8) -> *mut u8 {
        match refusals.get() {
            0 => something,
            left => {
                refusals.set(left - 1);
                ptr::null_mut()
            }
        }
    }

    #[test]
    fn a_small_request_uses_the_reserve_and_what_is_spared_fills_it_again() {
        let reserve = taken();
        let (refusals, something) = refusing(0);
        let got = reserve.insist(100, || request(&refusals, something));
        assert_eq!(got, something);
        assert_eq!(reserve.0.load(Ordering::Relaxed), Reserve::IN_USE);
        assert_eq!(reserve.refill(), Ok(()));
        assert!(reserve.release());
    }

    #[test]
    fn a_small_request_waits_where_the_reserve_is_gone() {
        let reserve = taken();
        assert!(reserve.release());
        let (refusals, something) = refusing(3);
        let got = reserve.insist(100, || request(&refusals, something));
        assert_eq!((got, refusals.get()), (something, 0));
    }

    #[test]
    fn a_large_request_fails_and_leaves_the_reserve() {
        let reserve = taken();
        let (refusals, something) = refusing(0);
        let got = reserve.insist(SMALL + 1, || request(&refusals, something));
        assert!(got.is_null());
        assert!(reserve.release());
    }

    #[test]
    fn nothing_waits_before_the_reserve_was_taken() {
        let reserve = Reserve(AtomicUsize::new(Reserve::NEVER_TAKEN));
        let (refusals, something) = refusing(0);
        let got = reserve.insist(100, || request(&refusals, something));
        assert!(got.is_null() && !reserve.release());
        assert_eq!(reserve.refill(), Ok(()));
        assert_eq!(reserve.0.load(Ordering::Relaxed), Reserve::NEVER_TAKEN);
    }
}
