//! What integration tests share: real Kafka clusters, an independent consumer, and faults between them and us.

// Each test binary compiles this for itself and uses a part.
#![allow(dead_code)]

pub mod admin;
pub mod consumer;
pub mod helper;
pub mod kafka;
pub mod kcat;
pub mod member;
pub mod peer;
pub mod ports;
pub mod proxy;

use std::time::{Duration, Instant};

/// Polls until `check` gives a value; panics with what was waited for after `limit`.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut check: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(value) = check() {
            return value;
        }
        assert!(
            Instant::now() < deadline,
            "waited {limit:?} in vain for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
