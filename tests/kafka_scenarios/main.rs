//! What a user may rely on, against real Apache Kafka: each test is a numbered scenario, see docs/testing.md.

// Modules are named so that tests, which run in the order of their names, need few changes of the cluster.
mod bed;
mod consume_transform_produce;
mod detour;
mod ledger;
mod older;
mod one_node;
mod pool;
#[path = "../support/mod.rs"]
mod support;
mod three_nodes;
mod transactions;
mod transactions_more;
