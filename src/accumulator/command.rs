//! What the facade asks of the engine's thread.

use std::sync::Arc;

use tokio::time::Instant;

use super::topic::Topic;
use super::user_batch::Offer;
use crate::completion::Operation;
use crate::transaction::{Call, Offsets};

/// One request to the engine.
#[derive(Debug)]
pub enum Command {
    /// Get to know the cluster; completed once it is known.
    Start {
        operation: Operation,
        deadline: Instant,
    },
    /// A record waits for the topic's metadata.
    Want(Arc<Topic>),
    /// Complete with the number of the topic's partitions.
    PartitionsFor {
        topic: Arc<Topic>,
        operation: Operation,
        deadline: Instant,
    },
    /// Drop records that have not been written, or whose answer is outstanding.
    Purge {
        queued: bool,
        in_flight: bool,
        operation: Operation,
    },
    /// Begin, end or add offsets to a transaction.
    Transaction {
        call: Call,
        offsets: Option<Box<Offsets>>,
        operation: Operation,
        deadline: Instant,
    },
    /// Accept a user's batch as soon as that may be; completed then.
    SendBatch {
        offer: Box<Offer>,
        operation: Operation,
        deadline: Instant,
    },
    /// A user's batch that waits to be accepted is gone.
    BatchFreed,
    /// Fail with CLOSED whatever is unfinished at the deadline, then end.
    Close { deadline: Instant },
    /// A sender was refused for want of memory: what lingers goes now.
    MakeRoom,
    /// Nothing lingers until all that was accepted is answered.
    Flush,
    /// Panic, to show that nothing is lost by it: for tests of programs that must survive that.
    Crash,
}
