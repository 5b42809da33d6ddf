//! Notices that this process is the child of a fork: there the engine's threads do not exist.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

static GENERATION: AtomicU64 = AtomicU64::new(0);
static WATCHING: OnceLock<i32> = OnceLock::new();

/// How many forks lie between this process and the one that began to watch. One atomic load.
///
/// A handle keeps the value of its creation; another value later means that it was carried into a child.
/// Counts from [`watch_forks`] on, which [`spawn_thread`](super::spawn_thread) calls: no handle with threads goes unwatched.
pub fn fork_generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Begins to count forks. Once per process; further calls do nothing.
pub fn watch_forks() -> io::Result<()> {
    let result = *WATCHING.get_or_init(|| {
        // SAFETY: `in_child` lives as long as the library, which is linked `-z nodelete`, and only touches an atomic,
        // which is allowed in the child of a fork.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) }
    });
    match result {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_sees_another_generation_and_the_parent_does_not() {
        watch_forks().unwrap();
        let before = fork_generation();
        // SAFETY: the child only reads an atomic and leaves by `_exit`.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "fork failed: {}", io::Error::last_os_error());
        if child == 0 {
            let seen = fork_generation();
            // SAFETY: ends the child without running the parent's destructors.
            unsafe { libc::_exit(if seen == before + 1 { 0 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: `status` outlives the call and `child` is ours.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert_eq!(status, 0, "the child did not count its fork");
        assert_eq!(fork_generation(), before);
    }
}
