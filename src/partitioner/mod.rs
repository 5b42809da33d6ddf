//! Which partition a record goes to: by key, sticky, librdkafka's ways, or the user's own.

mod hash;
mod sticky;

pub use hash::{KeyPartitioner, murmur2, random_partition};
pub use sticky::{Lanes, Load, choose};

use std::sync::Arc;

/// What a user's partitioner is told; it answers with a partition.
#[derive(Debug)]
pub struct PartitionRequest<'a> {
    pub topic: &'a str,
    pub topic_handle: u32,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub partition_count: i32,
    /// Partitions that have a leader now.
    pub available: &'a [i32],
}

/// A negative answer refuses the record with `ErrorCode::PARTITIONER`.
pub type UserPartitioner = Arc<dyn Fn(&PartitionRequest<'_>) -> i32 + Send + Sync>;
