//! Scenarios that need several brokers: some die, some are slow, some move.

mod acks;
mod adaptive;
mod moved;
