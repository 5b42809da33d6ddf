//! A record as a caller hands it over: everything is borrowed for the call.

pub use crate::record::encode::{Header, ShortField, ShortPayload};
use crate::sys;

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

/// A record of the simple form that nearly all have: the topic by handle, no headers, the time known.
#[derive(Clone, Copy, Debug)]
pub struct PlainRecord<'a, V> {
    pub topic: u32,
    pub key: ShortField<'a>,
    /// Gives the value, or `None` for the long way to judge. Asked for when the partition is found, which needs the
    /// registers that the value would take.
    pub value: V,
    /// −1: the partitioner chooses.
    pub partition: i32,
    /// Milliseconds since the epoch. One that is negative is for the long way to judge.
    pub timestamp: i64,
    pub tag: u64,
}

impl<'a> PlainRecord<'a, ()> {
    /// `None` for a record that is not so simple.
    #[inline]
    pub fn of(record: &Record<'a>) -> Option<PlainRecord<'a, impl Fn() -> Option<ShortField<'a>>>> {
        let TopicRef::Handle(topic) = record.topic else {
            return None;
        };
        if !record.headers.is_empty() {
            return None;
        }
        let value = record.value;
        Some(PlainRecord {
            topic,
            key: ShortField::nullable(record.key),
            value: move || Some(ShortField::nullable(value)),
            partition: match record.partition {
                None => -1,
                Some(given) if given >= 0 => given,
                Some(_) => return None,
            },
            timestamp: record.timestamp.unwrap_or_else(sys::unix_millis),
            tag: record.tag,
        })
    }
}
