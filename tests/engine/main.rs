//! The engine against the mock cluster over loopback: what a user of the Rust facade sees.

mod answers;
mod basics;
mod batches;
mod batches_ends;
mod batches_waits;
mod bootstrap;
mod callbacks;
mod chaos;
mod codecs;
mod deciding;
mod idempotence;
mod lifecycle;
mod memory;
mod panic;
mod partitioners;
mod reports;
mod split;
mod support;
mod topics;
mod transactions;
mod vain;
mod versions;
mod wire;
