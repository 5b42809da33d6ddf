//! Scenarios that need several brokers: some die, some are slow, some move.

mod acks;
mod adaptive;
mod coordinator;
mod doubt;
mod exactly_once;
mod moved;
