//! The ends: purge, close, a fatal error, and leaving nothing unreported.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::Engine;
use super::answer::{Refusal, persistence};
use crate::accumulator::{Accumulator, Batch, Parked, Topic};
use crate::completion::{LogLevel, Persistence};
use crate::error::{Error, ErrorCode};

#[derive(Default)]
struct Waiting {
    /// By partition, in order.
    queued: HashMap<usize, VecDeque<Box<Batch>>>,
    /// Behind them.
    parked: Vec<(Arc<Topic>, Vec<Parked>)>,
}

impl Engine {
    /// Drops what the caller asks to, with its own error codes.
    pub(super) fn purge(&mut self, queued: bool, in_flight: bool, now: Instant) {
        let mut waiting = match queued {
            true => self.take_waiting(),
            false => Waiting::default(),
        };
        for id in 0..self.tracks.len() {
            match (queued, in_flight) {
                (true, true) => self.drop_undecided(id, purged),
                (true, false) => self.drop_repeated(id),
                (false, _) => self.drop_in_flight(id, ErrorCode::PURGED_IN_FLIGHT),
            }
            for batch in waiting.queued.remove(&id).unwrap_or_default() {
                self.fail_batch(id, *batch, &bare(ErrorCode::PURGED_QUEUED));
            }
            self.examine(id, now);
        }
        // Behind what was before them in their partitions.
        self.report();
        for (topic, taken) in waiting.parked {
            let message = match topic.deciding() {
                Some(_) => "purged while the partitioner was waited for",
                None => "purged while its metadata was awaited",
            };
            topic.fail_taken(taken, ErrorCode::PURGED_QUEUED, message);
        }
    }

    fn drop_in_flight(&mut self, id: usize, code: ErrorCode) {
        self.tracks[id].superseded_since = None;
        if !self.tracks[id].in_flight.is_empty() {
            self.fail_waiting(id, &bare(code));
        }
        while let Some(mut flight) = self.tracks[id].in_flight.pop_front() {
            flight.batch.attempts.note_doubt();
            self.fail_batch(id, *flight.batch, &bare(code));
        }
    }

    fn drop_repeated(&mut self, id: usize) {
        let retry = std::mem::take(&mut self.tracks[id].retry);
        for batch in retry {
            let code = purged(&batch);
            self.fail_batch(id, *batch, &bare(code));
        }
    }

    /// Drops what has left the queue, on its way or not, in the partition's order.
    fn drop_undecided(&mut self, id: usize, code: impl Fn(&Batch) -> ErrorCode) {
        self.tracks[id].superseded_since = None;
        while let Some(batch) = self.tracks[id].take_oldest() {
            let code = code(&batch);
            self.fail_batch(id, *batch, &bare(code));
        }
    }

    pub(super) fn drop_queued(&mut self, id: usize, refusal: &Refusal) {
        while let Some(batch) = self.tracks[id].retry.pop_front() {
            self.fail_batch(id, *batch, refusal);
        }
        for batch in self.tracks[id].partition.take_all() {
            self.fail_batch(id, *batch, refusal);
        }
    }

    pub(super) fn check_close(&mut self, now: Instant) {
        let Some(deadline) = self.closing else {
            return;
        };
        if self.accumulator.incomplete.is_empty() && !self.transactor.is_unsettled() {
            self.ended = true;
        } else if deadline <= now {
            self.give_up(ErrorCode::CLOSED);
        }
    }

    /// Reports everything that is left with `code`, and ends.
    fn give_up(&mut self, code: ErrorCode) {
        let mut waiting = self.take_waiting();
        for id in 0..self.tracks.len() {
            self.drop_undecided(id, |_| code);
            for batch in waiting.queued.remove(&id).unwrap_or_default() {
                self.fail_batch(id, *batch, &bare(code));
            }
        }
        self.report();
        for (topic, taken) in waiting.parked {
            topic.fail_taken(taken, code, code.text_for_accepted());
        }
        self.ended = true;
    }

    /// Takes what has not left its queue yet, of each topic at one moment.
    fn take_waiting(&self) -> Waiting {
        let mut waiting = Waiting::default();
        for topic in self.accumulator.topics.iter() {
            let parked = topic.take_waiting(|id, batches| {
                if !batches.is_empty() {
                    waiting.queued.insert(id, batches.into());
                }
            });
            waiting.parked.push((topic.clone(), parked));
        }
        waiting
    }

    /// The cluster refuses this producer as a whole.
    pub(super) fn on_fatal(&mut self, error: Error) {
        self.shared
            .log
            .log(LogLevel::Error, || error.message.clone());
        // First, so that whoever hears of it below finds every other call refused for it.
        self.shared.fail(error.clone());
        for (_, operation) in self.starts.drain(..) {
            operation.complete(Err(error.clone()));
        }
        self.give_up(ErrorCode::FATAL);
        self.transactor.conclude(Err(error));
    }
}

/// What waits to be sent again may be in the log from the first time.
fn purged(batch: &Batch) -> ErrorCode {
    match persistence(batch) {
        Persistence::Not => ErrorCode::PURGED_QUEUED,
        Persistence::Possibly | Persistence::Persisted => ErrorCode::PURGED_IN_FLIGHT,
    }
}

/// A refusal that needs no more words than its code has.
fn bare(code: ErrorCode) -> Refusal {
    Refusal {
        code,
        message: None,
    }
}

/// Fails what is queued or parked, from outside the engine: it is gone.
pub fn fail_everything(accumulator: &Accumulator, code: ErrorCode) {
    for topic in accumulator.topics.iter() {
        for partition in topic.partitions() {
            for batch in partition.end(code) {
                let persistence = persistence(&batch);
                let (accepted, _) = batch.into_parts();
                accepted.fail_saying(code, persistence, || {
                    format!(
                        "topic {} partition {}: {}",
                        topic.name,
                        partition.index,
                        code.text_for_accepted()
                    )
                });
            }
        }
    }
    fail_parked_everywhere(accumulator, code);
}

fn fail_parked_everywhere(accumulator: &Accumulator, code: ErrorCode) {
    for topic in accumulator.topics.iter() {
        topic.fail_parked(code, code.text_for_accepted());
    }
}
