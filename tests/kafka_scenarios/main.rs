//! What a user may rely on, against real Apache Kafka: each test is a numbered scenario, see docs/testing.md.

/// Tests that run scenarios on one kind of cluster.
macro_rules! on {
    ($kind:expr => $($name:ident: $scenario:path,)*) => {
        $(
            #[test]
            fn $name() {
                $scenario($kind);
            }
        )*
    };
}

// Modules are named so that tests, which run in the order of their names, need few changes of the cluster.
mod bed;
mod consume_transform_produce;
mod detour;
mod first_protocol;
mod idempotence;
mod ledger;
mod older;
mod one_node;
mod pool;
mod rolling;
#[path = "../support/mod.rs"]
mod support;
mod three_nodes;
mod transactions;
mod transactions_more;
mod withstand;
