//! Keeps the host's signal handlers off the engine's threads.

use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// Raised by what a thread itself does: blocked, they would kill the process instead of reaching its handler.
const SYNCHRONOUS: [libc::c_int; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
];

/// While it lives, this thread has all signals blocked but the synchronous ones, and so has every thread it starts.
///
/// Blocking in the creator leaves no moment in which a new thread could receive one.
pub struct SignalsBlocked {
    before: libc::sigset_t,
    of_one_thread: PhantomData<*const ()>,
}

impl SignalsBlocked {
    pub fn new() -> io::Result<Self> {
        let mut blocked = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: `sigfillset` initialises `blocked` before it is read; all signal numbers are valid.
        let blocked = unsafe {
            libc::sigfillset(blocked.as_mut_ptr());
            for signal in SYNCHRONOUS {
                libc::sigdelset(blocked.as_mut_ptr(), signal);
            }
            blocked.assume_init()
        };
        // SAFETY: both sets outlive the call; on success `before` has been written.
        let error =
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &blocked, before.as_mut_ptr()) };
        if error != 0 {
            return Err(io::Error::from_raw_os_error(error));
        }
        // SAFETY: the call above succeeded.
        let before = unsafe { before.assume_init() };
        Ok(SignalsBlocked {
            before,
            of_one_thread: PhantomData,
        })
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: `before` is the mask this very thread had: the guard cannot leave it.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, std::ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_blocked(signal: libc::c_int) -> bool {
        let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: with no new set the call only writes the present mask.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, std::ptr::null(), mask.as_mut_ptr());
            libc::sigismember(mask.as_ptr(), signal) == 1
        }
    }

    #[test]
    fn blocks_what_comes_from_outside_and_restores() {
        let before = is_blocked(libc::SIGUSR1);
        let guard = SignalsBlocked::new().unwrap();
        assert!(
            is_blocked(libc::SIGUSR1) && is_blocked(libc::SIGPIPE) && is_blocked(libc::SIGTERM)
        );
        assert!(!SYNCHRONOUS.into_iter().any(is_blocked));
        drop(guard);
        assert_eq!(is_blocked(libc::SIGUSR1), before);
    }

    #[test]
    fn a_spawned_thread_is_born_with_them_blocked() {
        let thread = crate::sys::spawn_thread("kprod-test", || {
            assert!(is_blocked(libc::SIGUSR1) && is_blocked(libc::SIGPROF));
            assert!(!is_blocked(libc::SIGSEGV));
        });
        thread.unwrap().join().unwrap();
        assert!(!is_blocked(libc::SIGUSR1), "the creator keeps its own mask");
    }
}
