//! The queue that `poll` reads: whole batches go in, single reports come out.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::entry::{Entry, RecordMeta};
use super::report::Report;
use crate::error::ErrorCode;
use crate::sys::Pipe;

/// Records that the kept lists have room for together, and the longest of them.
const MAX_SPARE: usize = 64 * 1024;
pub(super) const LONGEST_SPARE: usize = 4096;

/// Reports that nobody has read yet, in the order in which they became known.
#[derive(Debug)]
pub struct ReportQueue {
    state: Mutex<State>,
    readable: Condvar,
    /// Lists of reports that were read, to be used again.
    spare: Mutex<Spare>,
    /// Reports in `state`, kept beside it so that senders can look without the lock.
    unread: Arc<AtomicU64>,
}

#[derive(Debug)]
struct State {
    entries: VecDeque<Entry>,
    pollers: usize,
    interrupted: bool,
    closed: bool,
    wake: Option<Pipe>,
}

#[derive(Debug, Default)]
struct Spare {
    lists: Vec<Vec<RecordMeta>>,
    /// Records that they have room for.
    records: usize,
}

impl ReportQueue {
    pub fn new(unread: Arc<AtomicU64>) -> Self {
        ReportQueue {
            state: Mutex::new(State {
                entries: VecDeque::new(),
                pollers: 0,
                interrupted: false,
                closed: false,
                wake: None,
            }),
            readable: Condvar::new(),
            spare: Mutex::default(),
            unread,
        }
    }

    /// Adds entries with at most one wake-up; none of them may be empty.
    pub fn push(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut state = self.state.lock();
        let was_empty = state.entries.is_empty();
        for entry in entries {
            self.unread
                .fetch_add(entry.remaining() as u64, Ordering::Relaxed);
            state.entries.push_back(entry);
        }
        if was_empty
            && !state.entries.is_empty()
            && let Some(pipe) = &state.wake
        {
            pipe.wake();
        }
        if state.pollers > 0 && !state.entries.is_empty() {
            self.readable.notify_all();
        }
    }

    /// Emits up to `max` reports, waiting for the first until `deadline` (`None`: for ever).
    pub fn poll(
        &self,
        max: usize,
        deadline: Option<Instant>,
        mut emit: impl FnMut(&Report),
    ) -> Result<usize, ErrorCode> {
        let mut state = self.state.lock();
        while state.entries.is_empty() {
            if std::mem::take(&mut state.interrupted) {
                return Ok(0);
            }
            if state.closed {
                return Err(ErrorCode::CLOSED);
            }
            // Also where time is simulated, and ahead of the clock that the condition variable knows.
            if deadline.is_some_and(|at| at <= Instant::now()) {
                return Ok(0);
            }
            state.pollers += 1;
            let timed_out = match deadline {
                None => {
                    self.readable.wait(&mut state);
                    false
                }
                Some(at) => self
                    .readable
                    .wait_until(&mut state, at.into_std())
                    .timed_out(),
            };
            state.pollers -= 1;
            if timed_out && state.entries.is_empty() && !state.interrupted && !state.closed {
                return Ok(0);
            }
        }
        // Whole entries are copied out without the lock, on which the engine would wait meanwhile.
        let mut whole = SmallVec::<[Entry; 8]>::new();
        let mut taken = 0;
        while let Some(entry) = state.entries.front() {
            if taken + entry.remaining() > max {
                break;
            }
            taken += entry.remaining();
            whole.extend(state.entries.pop_front());
        }
        let mut rest = None;
        if taken < max && !state.entries.is_empty() {
            let mut reports = Vec::with_capacity(max - taken);
            if let Some(entry) = state.entries.front_mut() {
                entry.emit(max - taken, &mut |report| reports.push(*report));
            }
            taken += reports.len();
            rest = Some(reports);
        }
        drop(state);
        self.unread.fetch_sub(taken as u64, Ordering::Relaxed);
        for entry in &mut whole {
            entry.emit(max, &mut emit);
        }
        self.keep_spare(whole);
        rest.iter().flatten().for_each(emit);
        Ok(taken)
    }

    /// An empty list, for at least `records` entries if one of about that size is kept.
    pub fn take_metas(&self, records: usize) -> Vec<RecordMeta> {
        let fits = |list: &mut Vec<RecordMeta>| {
            (records..=records.saturating_mul(2)).contains(&list.capacity())
        };
        let mut spare = self.spare.lock();
        let list = spare.lists.pop_if(fits).unwrap_or_default();
        spare.records -= list.capacity();
        list
    }

    fn keep_spare(&self, entries: SmallVec<[Entry; 8]>) {
        let lists: SmallVec<[Vec<RecordMeta>; 8]> =
            entries.into_iter().filter_map(Entry::into_metas).collect();
        let mut spare = self.spare.lock();
        for list in lists {
            if spare.records + list.capacity() <= MAX_SPARE {
                spare.records += list.capacity();
                spare.lists.push(list);
            }
        }
    }

    /// Ends one blocked poll, or the next one that finds nothing, with no reports.
    pub fn interrupt(&self) {
        let mut state = self.state.lock();
        state.interrupted = true;
        self.readable.notify_all();
    }

    /// From now on a poll that finds nothing answers CLOSED.
    pub fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        if let Some(pipe) = &state.wake {
            pipe.wake();
        }
        self.readable.notify_all();
    }

    /// A read end of the wake pipe; each byte in it stands for a turn from empty to non-empty.
    pub fn wake_fd(&self) -> io::Result<OwnedFd> {
        let mut state = self.state.lock();
        if let Some(pipe) = &state.wake {
            return pipe.reader();
        }
        let pipe = Pipe::new()?;
        // Where the host gets none, the library keeps none either.
        let reader = pipe.reader()?;
        if !state.entries.is_empty() || state.closed {
            pipe.wake();
        }
        state.wake = Some(pipe);
        Ok(reader)
    }
}
