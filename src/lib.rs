//! libkprod: a Kafka producer engine behind a C ABI.
//!
//! The layers, each of which knows only those below it, are described in `docs/architecture.md`.

#![deny(unsafe_code)]
// Of the library, not of its unit tests: what they must not call either is for a reader to see.
#![cfg_attr(
    not(test),
    deny(
        clippy::disallowed_methods,
        clippy::unwrap_used,
        clippy::dbg_macro,
        clippy::todo,
        clippy::print_stdout,
        clippy::print_stderr
    )
)]

pub mod accumulator;
pub mod completion;
pub mod config;
pub mod error;
#[allow(unsafe_code)]
pub mod ffi;
pub mod metadata;
pub mod mock;
pub mod network;
pub mod partitioner;
pub mod producer;
pub mod protocol;
pub mod record;
pub mod sender;
#[allow(unsafe_code)]
pub mod sys;
pub mod transaction;

/// For the shipped library, which is all of Rust that its process has; a Rust program chooses for itself.
#[cfg(feature = "heap")]
#[global_allocator]
static HEAP: sys::Heap = sys::Heap;
