//! What the engine asks of the operating system: threads, signal masks, pipes, forks, memory, the
//! wall clock and randomness.
//!
//! Beside `ffi` this is the only module with unsafe code.

mod append;
mod clock;
mod fork;
mod heap;
mod latch;
mod lock;
mod pipe;
mod random;
mod signals;
mod thread;

pub use append::{APPEND_SLACK, ShortRecord, append_record};
pub use clock::unix_millis;
pub use fork::{fork_generation, watch_forks};
pub use heap::{Heap, NoMemory, room_for_more, spare_memory, take_memory_reserve};
pub use latch::Latch;
pub use lock::{BriefGuard, BriefMutex};
pub use pipe::Pipe;
pub use random::{Rng, fill_random};
pub use signals::SignalsBlocked;
pub use thread::spawn_thread;
