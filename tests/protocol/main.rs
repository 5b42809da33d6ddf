//! The wire codec against an independent implementation, and against hostile bytes.

mod brokers;
mod consuming;
mod framing;
mod hostile;
mod memory;
mod oracle;
mod primitives;
mod producing;
mod sample;
mod transactions;
