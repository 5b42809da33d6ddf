//! Records that were accepted and not yet reported: the promise of exactly one report, as a value.

use std::sync::Arc;

use smallvec::SmallVec;

use super::incomplete::Token;
use crate::completion::{
    Completions, FinishedBatch, Outcome, Persistence, RecordFailure, RecordMeta, SendCallback,
    Share, Whole,
};
use crate::error::ErrorCode;
use crate::sys::NoMemory;

/// Owes each of its records a report, or one for those of a user's batch together. Dropped unreported (a panic of
/// the engine), it reports INTERNAL. Without a token nothing was accepted, and nothing is owed.
#[derive(Debug)]
pub struct Accepted {
    pub topic: u32,
    pub partition: i32,
    metas: Vec<RecordMeta>,
    callbacks: Vec<(u32, SendCallback)>,
    token: Option<Token>,
    /// Its first records are a user's batch, or a part of one.
    share: Option<Share>,
    hub: Arc<Completions>,
}

impl Accepted {
    pub fn new(topic: u32, partition: i32, token: Token, hub: Arc<Completions>) -> Self {
        Accepted {
            topic,
            partition,
            metas: Vec::new(),
            callbacks: Vec::new(),
            token: Some(token),
            share: None,
            hub,
        }
    }

    /// For a batch that a user fills: nothing is accepted before `bind`.
    pub fn unbound(hub: Arc<Completions>) -> Self {
        Accepted {
            topic: 0,
            partition: -1,
            metas: Vec::new(),
            callbacks: Vec::new(),
            token: None,
            share: None,
            hub,
        }
    }

    /// Accepts a user's batch: one report is owed for all that is in it now.
    pub fn bind(&mut self, topic: u32, partition: i32, token: Token, whole: Arc<Whole>) {
        self.topic = topic;
        self.partition = partition;
        self.token = Some(token);
        self.share = Some(Share::new(whole, self.metas.len()));
    }

    /// Whether a user's batch is in it.
    pub fn is_users(&self) -> bool {
        self.share.is_some()
    }

    pub fn hub(&self) -> &Completions {
        &self.hub
    }

    #[inline]
    pub fn len(&self) -> usize {
        self.metas.len()
    }

    pub fn is_empty(&self) -> bool {
        self.metas.is_empty()
    }

    /// Records that fit before more memory is needed.
    #[inline]
    pub fn room(&self) -> usize {
        self.metas.capacity() - self.metas.len()
    }

    pub fn reserve_exact(&mut self, records: usize) -> Result<(), NoMemory> {
        if self.metas.capacity() == 0 {
            self.metas = self.hub.take_metas(records);
        }
        Ok(self.metas.try_reserve_exact(records)?)
    }

    #[inline]
    pub fn push(&mut self, meta: RecordMeta, callback: Option<SendCallback>) {
        if let Some(callback) = callback {
            self.callbacks.push((self.metas.len() as u32, callback));
        }
        self.metas.push(meta);
    }

    /// As `push`, for a record without a callback of its own.
    #[inline]
    pub fn push_plain(&mut self, meta: RecordMeta) {
        self.metas.push(meta);
    }

    pub fn metas(&self) -> &[RecordMeta] {
        &self.metas
    }

    /// Takes over the debt of a single record in place of the last one, which stands for the same record.
    pub fn replace_last(&mut self, mut single: Accepted) {
        let last = self.metas.len().saturating_sub(1);
        if let (Some(own), Some(other)) = (&mut self.token, single.token.take()) {
            own.join(other);
        }
        if let (Some(place), Some(meta)) = (self.metas.last_mut(), single.metas.pop()) {
            *place = meta;
        }
        if let Some((_, callback)) = single.callbacks.pop() {
            self.callbacks.push((last as u32, callback));
        }
    }

    /// Splits the debt of the records from `at` on off, for a batch of their own.
    pub fn split_off(&mut self, at: usize) -> Accepted {
        let metas = self.metas.split_off(at);
        let first = self
            .callbacks
            .partition_point(|(index, _)| (*index as usize) < at);
        let mut callbacks = self.callbacks.split_off(first);
        for (index, _) in &mut callbacks {
            *index -= at as u32;
        }
        Accepted {
            topic: self.topic,
            partition: self.partition,
            metas,
            callbacks,
            token: self.token.as_ref().map(Token::share),
            share: self.share.as_mut().and_then(|share| share.split_off(at)),
            hub: self.hub.clone(),
        }
    }

    /// A debt of nothing to the same place, to be filled by `settle_as`.
    pub fn empty_twin(&self) -> Accepted {
        Accepted {
            topic: self.topic,
            partition: self.partition,
            metas: Vec::new(),
            callbacks: Vec::new(),
            token: None,
            share: None,
            hub: self.hub.clone(),
        }
    }

    /// Becomes `other`, whose records stand here already.
    pub fn settle_as(&mut self, other: Accepted) {
        self.metas.clear();
        *self = other;
    }

    /// Turns the debt into its reports. They count as given once `Finished` has been published.
    pub fn finish(mut self, outcome: Outcome, failures: Vec<RecordFailure>) -> Finished {
        Finished {
            batch: FinishedBatch {
                outcome,
                metas: std::mem::take(&mut self.metas),
                failures,
                callbacks: std::mem::take(&mut self.callbacks),
                share: self.share.take(),
            },
            token: self.token.take(),
        }
    }

    /// Reports one error for all, at once.
    pub fn fail(self, error: ErrorCode, persistence: Persistence, detail: u64) {
        let hub = self.hub.clone();
        let outcome = self.failure(error, persistence, detail);
        publish(&hub, [self.finish(outcome, Vec::new())]);
    }

    /// As `fail`, with a message kept for `error_detail`.
    pub fn fail_saying(
        self,
        error: ErrorCode,
        persistence: Persistence,
        message: impl FnOnce() -> String,
    ) {
        let detail = self.hub.detail(error, message());
        self.fail(error, persistence, detail);
    }

    pub fn failure(&self, error: ErrorCode, persistence: Persistence, detail: u64) -> Outcome {
        Outcome {
            topic: self.topic,
            partition: self.partition,
            base_offset: -1,
            log_append_time: None,
            log_start_offset: -1,
            error,
            flags: self.hub.failure_flags(error) | Outcome::persistence_flag(persistence),
            detail,
        }
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        if self.metas.is_empty() || self.token.is_none() {
            return;
        }
        let outcome = self.failure(ErrorCode::INTERNAL, Persistence::Possibly, 0);
        let batch = FinishedBatch {
            outcome,
            metas: std::mem::take(&mut self.metas),
            failures: Vec::new(),
            callbacks: std::mem::take(&mut self.callbacks),
            share: self.share.take(),
        };
        self.hub.finish([batch]);
    }
}

/// A known outcome on its way to the completion queue; a flush waits until it is there.
#[derive(Debug)]
pub struct Finished {
    batch: FinishedBatch,
    token: Option<Token>,
}

/// Queues outcomes in order with one wake-up, then lets go of what flushes wait for.
pub fn publish(hub: &Completions, finished: impl IntoIterator<Item = Finished>) {
    let mut tokens = SmallVec::<[Option<Token>; 16]>::new();
    hub.finish(finished.into_iter().map(|one| {
        tokens.push(one.token);
        one.batch
    }));
    drop(tokens);
}
