//! An operation on its way through the engine: whoever drops it unanswered answers CLOSED.

use std::sync::Arc;

use super::hub::{Completer, Completions};
use crate::error::{Error, ErrorCode};

/// Owes its caller exactly one result.
#[derive(Debug)]
pub struct Operation {
    completer: Option<Completer>,
    hub: Arc<Completions>,
}

impl Operation {
    pub fn new(completer: Completer, hub: Arc<Completions>) -> Self {
        Operation {
            completer: Some(completer),
            hub,
        }
    }

    pub fn complete(mut self, result: Result<u32, Error>) {
        self.answer(result);
    }

    /// As `complete`, ahead of callbacks that are due: for a result that says nothing of records before it.
    pub fn complete_now(mut self, result: Result<u32, Error>) {
        if let Some(completer) = self.completer.take() {
            self.hub.complete(completer, result);
        }
    }

    fn answer(&mut self, result: Result<u32, Error>) {
        if let Some(completer) = self.completer.take() {
            self.hub.complete_after_callbacks(completer, result);
        }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        let closed = Error::new(ErrorCode::CLOSED, "the producer was closed");
        self.answer(Err(closed));
    }
}
