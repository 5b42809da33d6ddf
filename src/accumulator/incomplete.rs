//! What a flush waits for: every batch or parked record holds a token of the generation it began in.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::completion::{Completer, Completions};

/// Counts unfinished work by generation; each flush ends a generation.
#[derive(Debug)]
pub struct Incomplete {
    state: Mutex<State>,
    hub: Arc<Completions>,
}

#[derive(Debug)]
struct State {
    /// The generation of `counts[0]`.
    oldest: u64,
    /// Unfinished tokens of each generation; the last is the one in progress, so there is always one.
    counts: VecDeque<usize>,
    /// Flushes with the generation that each waits for, ascending.
    flushes: VecDeque<(u64, Completer)>,
}

/// Held by work until its report is queued.
#[derive(Debug)]
pub struct Token {
    generation: u64,
    incomplete: Arc<Incomplete>,
}

impl Incomplete {
    pub fn new(hub: Arc<Completions>) -> Arc<Self> {
        Arc::new(Incomplete {
            state: Mutex::new(State {
                oldest: 0,
                counts: VecDeque::from([0]),
                flushes: VecDeque::new(),
            }),
            hub,
        })
    }

    pub fn token(self: &Arc<Self>) -> Token {
        let mut state = self.state.lock();
        let generation = state.oldest + state.counts.len() as u64 - 1;
        if let Some(count) = state.counts.back_mut() {
            *count += 1;
        }
        Token {
            generation,
            incomplete: self.clone(),
        }
    }

    /// Completes `completer` when all work that holds a token now is finished; true if that is at once.
    pub fn flush(&self, completer: Completer) -> bool {
        let mut state = self.state.lock();
        let generation = state.oldest + state.counts.len() as u64 - 1;
        state.counts.push_back(0);
        state.flushes.push_back((generation, completer));
        self.settle(state)
    }

    /// Whether anything is unfinished.
    pub fn is_empty(&self) -> bool {
        self.state.lock().counts.iter().all(|count| *count == 0)
    }

    /// Whether a flush waits: then nothing lingers.
    pub fn is_flushing(&self) -> bool {
        !self.state.lock().flushes.is_empty()
    }

    /// Drops generations that are done and completes the flushes that waited for them.
    fn settle(&self, mut state: parking_lot::MutexGuard<'_, State>) -> bool {
        while state.counts.len() > 1 && state.counts.front() == Some(&0) {
            state.counts.pop_front();
            state.oldest += 1;
        }
        let mut done = Vec::new();
        while let Some((generation, _)) = state.flushes.front() {
            if *generation >= state.oldest {
                break;
            }
            done.extend(state.flushes.pop_front());
        }
        drop(state);
        let any = !done.is_empty();
        for (_, completer) in done {
            self.hub.complete_after_callbacks(completer, Ok(0));
        }
        any
    }
}

impl Token {
    /// Another piece of the same work.
    pub fn share(&self) -> Token {
        let mut state = self.incomplete.state.lock();
        let index = self.generation.saturating_sub(state.oldest) as usize;
        if let Some(count) = state.counts.get_mut(index) {
            *count += 1;
        }
        Token {
            generation: self.generation,
            incomplete: self.incomplete.clone(),
        }
    }

    /// Makes this token as old as `other`, which is given up.
    pub fn join(&mut self, mut other: Token) {
        if other.generation < self.generation {
            std::mem::swap(self, &mut other);
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let mut state = self.incomplete.state.lock();
        let index = self.generation.saturating_sub(state.oldest) as usize;
        if let Some(count) = state.counts.get_mut(index) {
            *count -= 1;
            if *count == 0 && index == 0 && state.counts.len() > 1 {
                self.incomplete.settle(state);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::completion::Waiter;
    use crate::config::DeliveryReports;
    use tokio::time::Instant;

    fn incomplete() -> Arc<Incomplete> {
        let hub = Completions::new(DeliveryReports::All, false, 1, None);
        Incomplete::new(Arc::new(hub))
    }

    type Flushed = Arc<Waiter<Result<u32, crate::error::Error>>>;

    fn flush(incomplete: &Incomplete) -> Flushed {
        let waiter = Waiter::new();
        incomplete.flush(Completer::Thread(waiter.clone()));
        waiter
    }

    fn is_done(waiter: &Flushed) -> bool {
        waiter.wait(Some(Instant::now())).is_some()
    }

    #[test]
    fn a_flush_of_nothing_is_done_at_once() {
        assert!(is_done(&flush(&incomplete())));
    }

    #[test]
    fn a_flush_waits_for_what_was_there_and_not_for_what_comes() {
        let incomplete = incomplete();
        let before = incomplete.token();
        let waiter = flush(&incomplete);
        assert!(incomplete.is_flushing());
        let _after = incomplete.token();
        drop(before);
        assert!(is_done(&waiter));
        assert!(!incomplete.is_empty());
    }

    #[test]
    fn a_later_flush_waits_for_older_work_too() {
        let incomplete = incomplete();
        let oldest = incomplete.token();
        let _first = flush(&incomplete);
        let newer = incomplete.token();
        let second = flush(&incomplete);
        drop(newer);
        let waits = Waiter::new();
        incomplete.flush(Completer::Thread(waits.clone()));
        assert!(incomplete.is_flushing());
        drop(oldest);
        assert!(is_done(&second));
        assert!(is_done(&waits));
    }

    #[test]
    fn children_and_joined_work_keep_the_age_of_the_oldest() {
        let incomplete = incomplete();
        let parent = incomplete.token();
        let first = flush(&incomplete);
        let child = parent.share();
        drop(parent);
        let mut other = incomplete.token();
        other.join(child);
        assert!(incomplete.is_flushing());
        drop(other);
        assert!(is_done(&first));
    }
}
