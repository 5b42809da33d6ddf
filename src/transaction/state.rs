//! The transaction, as its user sees it.

use crate::error::Error;

/// How a transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Commit,
    Abort,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// No transaction is open.
    Idle,
    Open,
    /// Something of it failed: only an abort is left.
    Doomed(Error),
    /// The outcomes of its records are awaited, then the coordinator is asked to end it.
    Ending(Ending),
}
