//! How outcomes reach the caller: the completion queue, poll, the wake pipe, the callback thread.

mod callback;
mod details;
mod entry;
mod hub;
mod log;
mod operation;
mod queue;
mod report;
mod waiter;
mod whole;

pub use callback::{CallbackScope, DeliveryCallback, RecordCallback, in_callback};
pub use entry::{Outcome, RecordFailure, RecordMeta};
pub use hub::{Completer, Completions, FinishedBatch, SendCallback};
pub use log::{LogCallback, LogLevel, Logger};
pub use operation::Operation;
pub use report::{Persistence, Report, ReportKind, TimestampType, flags};
pub use waiter::Waiter;
pub use whole::{Share, Whole};
