//! A record as a caller hands it over: everything is borrowed for the call.

pub use crate::record::encode::Header;

/// The topic of a record: by handle (cheap) or by name (one hash look-up).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicRef<'a> {
    Handle(u32),
    Name(&'a str),
}

/// One record to send. A null key or value is `None`; an empty one is `Some(&[])`.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub topic: TopicRef<'a>,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: &'a [Header<'a>],
    /// `None`: the partitioner chooses.
    pub partition: Option<i32>,
    /// Milliseconds since the epoch; `None`: now.
    pub timestamp: Option<i64>,
    /// Comes back in the record's report.
    pub tag: u64,
}
