//! An in-process Kafka cluster for tests and examples.
//!
//! [`MockCluster`] is sans-I/O: request bytes and the time go in, [`Action`]s come out. It really keeps what it is
//! given and judges it as a broker does, serves it to foreign consumers, and can be told to misbehave
//! ([`Fault`]). [`MockServer`] serves it over loopback sockets from a thread of its own, [`MemoryNetwork`] over
//! pipes in memory under virtual time; a [`MockHandle`] steers it in either case.
//!
//! What it checks of a produced batch: that it is alone for its partition, its length, checksum, magic, counts,
//! offset deltas, every record's lengths, codec against version, timestamps against the topic and the clock,
//! `max.message.bytes`, the sequence of a producer id (the last five batches are recognised), and that its partition is
//! in the producer's transaction.
//!
//! What it speaks: ApiVersions, Metadata, Produce, Fetch, ListOffsets, FindCoordinator, InitProducerId and the requests
//! of transactions in both versions, SASL PLAIN. What it has not: replication, so that acks=all means the leader alone;
//! consumer groups, but for the offsets that transactions commit; fetch sessions. Where a coordinator is still
//! completing a transaction, it says so at once, while a broker tries for up to 100 ms before it tells the producer.

mod cluster;
mod connection;
mod coordinators;
mod fault;
mod fetch;
mod groups;
mod handle;
mod log;
mod memory;
mod metadata;
mod produce;
mod producers;
mod requests;
mod sasl;
mod serve;
mod server;
mod topic;
mod transaction;
mod transactions;
mod versions;

#[cfg(test)]
mod tests;

pub use cluster::{BrokerState, ClusterConfig, MockCluster};
pub use coordinators::CoordinatorKind;
pub use fault::{Fault, FaultKind, InjectedError, When};
pub use groups::{CommittedOffset, GroupMember};
pub use handle::MockHandle;
pub use log::{Marker, StoredBatch, StoredRecord};
pub use memory::MemoryNetwork;
pub use requests::{ProducedBatch, RequestEntry};
pub use serve::Action;
pub use server::MockServer;
pub use topic::TopicConfig;
pub use transaction::{Transaction, TransactionState};
pub use versions::KafkaVersion;

use crate::error::ErrorCode;

/// A Kafka error code as it stands in a response.
fn wire(code: ErrorCode) -> i16 {
    code.0 as i16
}
