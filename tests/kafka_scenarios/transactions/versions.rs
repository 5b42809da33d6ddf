//! Scenario 53: the cluster goes over to the protocol of Kafka 4 and back while transactions are made.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::run::Run;
use super::*;
use crate::pool::alone;
use crate::withstand::End;

const FEATURE: &str = "transaction.version";
/// Transactions between two events.
const STRETCH: usize = 12;

/// The cluster's feature is 0 when this begins, and when it has ended.
pub fn the_protocol_changes_while_transactions_are_made(kind: Kind) {
    let cluster = alone(kind);
    let topic = "transactions-53";
    cluster.create_topic(topic, 2, &[]);
    let settings = [
        ("transactional.id", topic),
        ("linger.ms", "1"),
        ("metadata.max.age.ms", "500"),
    ];
    let bed = Bed::new(&cluster.bootstrap(), &settings);
    let (over, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (run, first, second, last) = std::thread::scope(|scope| {
        let end = End(&over);
        let maker = scope.spawn(|| {
            let mut run = Run::new(&bed, topic, 2);
            while !over.load(Ordering::SeqCst) {
                run.transaction();
                done.store(run.count(), Ordering::SeqCst);
            }
            run
        });
        let stretch = || {
            let from = done.load(Ordering::SeqCst);
            wait_for("transactions to end", LONG, || {
                let now = done.load(Ordering::SeqCst);
                (now >= from + STRETCH || maker.is_finished()).then_some(())
            });
            from + 1..done.load(Ordering::SeqCst)
        };
        let first = stretch();
        // A producer learns of it at the age of its metadata, and gets on without until then.
        let informed = || {
            let metadata = || bed.producer.metrics().metadata_requests;
            let before = metadata();
            // The second question is only put when the first has been answered.
            wait_for("the feature to be known", LONG, || {
                (metadata() >= before + 2 || maker.is_finished()).then_some(())
            });
            stretch();
        };
        let connections = bed.producer.metrics().connections_opened;
        cluster.admin().set_feature(FEATURE, 2);
        informed();
        let second = stretch();
        // By way of 1: at 0 with a transaction of 2 under way, coordinators of Kafka 4.3.1 were seen to end no more.
        cluster.admin().set_feature(FEATURE, 1);
        informed();
        cluster.admin().set_feature(FEATURE, 0);
        informed();
        let last = stretch();
        let opened = bed.producer.metrics().connections_opened;
        assert_eq!(opened, connections, "the connections stay");
        drop(end);
        (maker.join().expect("all end well"), first, second, last)
    });
    run.judge(&cluster);
    let identities = run.identities(&cluster);
    for old in [first, last] {
        let old = &identities[old];
        assert!(old.iter().all(|other| *other == old[0]), "{old:?}");
    }
    let second = &identities[second];
    let next = |pair: &[(i64, i16)]| pair[1] == (pair[0].0, pair[0].1 + 1);
    assert!(second.windows(2).all(next), "{second:?}");
}
