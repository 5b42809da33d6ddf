//! What the caller is told: one report per accepted record, batch or asynchronous operation.

use crate::error::ErrorCode;

/// What a [`Report`] is about. Readers skip kinds they do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ReportKind {
    /// One record that a send accepted.
    Record = 1,
    /// A batch of the caller's own, with the number of its records in `count`.
    Batch = 2,
    /// The result of an asynchronous call, with the tag that was given to it.
    Operation = 3,
    /// Something that happened to the producer (`kprod.events=true`); `error` says what.
    Event = 4,
    /// After a QUEUE_FULL a quarter of `buffer.memory` is free again and what was refused fits, or a user's batch has left
    /// its queue.
    Writable = 5,
}

/// Whose time `Report::timestamp` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum TimestampType {
    /// No timestamp is known (a failed record, or not a record at all).
    None = -1,
    /// The record's own.
    CreateTime = 0,
    /// The broker's, at its append.
    LogAppendTime = 1,
}

/// Whether a record may stand in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Persistence {
    Not = 0,
    Possibly = 1,
    Persisted = 2,
}

/// Bits of [`Report::flags`].
pub mod flags {
    /// Sending the record again may succeed.
    pub const RETRIABLE: u32 = 1;
    /// The transaction must be aborted.
    pub const ABORTABLE: u32 = 2;
    /// The producer is of no more use.
    pub const FATAL: u32 = 4;
    /// Two bits: 0 not, 1 possibly, 2 certainly persisted.
    pub const PERSISTENCE_SHIFT: u32 = 4;
    pub const PERSISTENCE_MASK: u32 = 3 << PERSISTENCE_SHIFT;
}

/// One outcome. For kinds other than Record and Batch, unused numbers are −1 (counts and topic 0).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    pub kind: ReportKind,
    /// The caller's word for the record, batch or operation.
    pub tag: u64,
    /// The topic's handle.
    pub topic: u32,
    pub partition: i32,
    /// The record's offset (a batch's first record's); −1 when unknown.
    pub offset: i64,
    /// Milliseconds since the epoch; −1 when unknown.
    pub timestamp: i64,
    pub timestamp_type: TimestampType,
    /// Records in a batch; the partition count for a `partitions_for` operation; else 0 or 1.
    pub count: u32,
    pub error: ErrorCode,
    pub flags: u32,
    /// For `Producer::error_detail`; 0 when there is no more to tell.
    pub detail: u64,
    /// The first offset that the partition still holds, −1 when unknown.
    pub log_start_offset: i64,
}

impl Report {
    pub fn persistence(&self) -> Persistence {
        match (self.flags & flags::PERSISTENCE_MASK) >> flags::PERSISTENCE_SHIFT {
            0 => Persistence::Not,
            1 => Persistence::Possibly,
            _ => Persistence::Persisted,
        }
    }
}
