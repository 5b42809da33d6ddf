//! Scenarios that one broker is enough for.

mod basics;
mod batches;
mod batching;
mod bootstrap;
pub mod codecs;
mod cut;
mod idempotence;
mod limits;
mod memory;
mod partitions;
mod quota;
pub mod sending;
pub mod timestamps;
mod transactions;
