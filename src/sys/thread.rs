//! Starts the engine's threads: named, and deaf to the host's signals.

use std::io;
use std::thread::{Builder, JoinHandle};

use super::{SignalsBlocked, watch_forks};

/// The kernel cuts a thread's name here.
const NAME_MAX: usize = 15;

/// Starts a thread on which no signal handler of the host will run.
#[allow(clippy::disallowed_methods)]
pub fn spawn_thread<F>(name: &'static str, body: F) -> io::Result<JoinHandle<()>>
where
    F: FnOnce() + Send + 'static,
{
    debug_assert!(
        name.len() <= NAME_MAX,
        "thread name {name:?} is cut by the kernel"
    );
    watch_forks()?;
    let _blocked = SignalsBlocked::new()?;
    Builder::new().name(name.to_owned()).spawn(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_the_name() {
        let thread = spawn_thread("kprod-name-test", || {
            let name = std::fs::read_to_string("/proc/thread-self/comm").unwrap();
            assert_eq!(name.trim_end(), "kprod-name-test");
        });
        thread.unwrap().join().unwrap();
    }
}
