//! Starts the engine's threads: named, and deaf to the host's signals.

use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::{Latch, SignalsBlocked, room_for_more, watch_forks};

/// The kernel cuts a thread's name here.
const NAME_MAX: usize = 15;

/// Starts a thread on which no signal handler of the host will run, and returns when it runs.
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
    // The C library too takes memory for a thread, and ends the process where it gets none.
    room_for_more()?;
    let _blocked = SignalsBlocked::new()?;
    let started = Arc::new(Latch::default());
    let opener = Opener(started.clone());
    let thread = Builder::new().name(name.to_owned()).spawn(move || {
        touch_thread_locals();
        drop(opener);
        body();
    })?;
    // The room that was found is the thread's until it runs.
    started.wait(None);
    Ok(thread)
}

/// Opens the latch when it is dropped, however that comes about.
struct Opener(Arc<Latch>);

impl Drop for Opener {
    fn drop(&mut self) {
        self.0.open();
    }
}

/// Has what is local to a thread made now, by those of whom the engine's threads have it: the C library ends the process
/// where it has no memory to note a destructor.
fn touch_thread_locals() {
    let _ = std::thread::current();
    let _ = tokio::runtime::Handle::try_current();
    let nothing = Mutex::new(());
    Condvar::new().wait_for(&mut nothing.lock(), Duration::ZERO);
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
