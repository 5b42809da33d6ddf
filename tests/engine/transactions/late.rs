//! Senders that are late for their transaction.

use std::sync::{Arc, Mutex, mpsc};

use kprod::error::ErrorCode;
use kprod::producer::{Callbacks, TopicRef};

use super::WAIT;
use crate::support::{LONG, cluster, producer, record};

/// A sender that is delayed, here by its own partitioner, does not slip its record into the next transaction.
#[test]
fn a_record_of_one_transaction_goes_into_no_other() {
    let server = cluster(1);
    let (entered, inside) = mpsc::channel();
    let (open, gate) = mpsc::channel::<()>();
    let (entered, gate) = (Mutex::new(entered), Mutex::new(gate));
    let callbacks = Callbacks {
        partitioner: Some(Arc::new(move |request| {
            if request.value == Some(b"late") {
                entered.lock().unwrap().send(()).unwrap();
                let _ = gate.lock().unwrap().recv();
            }
            0
        })),
        ..Callbacks::default()
    };
    let producer = producer(&server, &[("transactional.id", "me")], callbacks);
    let known = producer.partitions_for(TopicRef::Name("t"), WAIT);
    known.unwrap();
    producer.begin_transaction(WAIT).unwrap();
    std::thread::scope(|scope| {
        let late = scope.spawn(|| producer.send(&record("t", b"late", 1)));
        inside.recv_timeout(LONG).unwrap();
        producer.abort_transaction(WAIT).unwrap();
        producer.begin_transaction(WAIT).unwrap();
        drop(open);
        assert_eq!(late.join().unwrap(), Err(ErrorCode::ILLEGAL_STATE));
    });
    producer.send(&record("t", b"next", 2)).unwrap();
    producer.commit_transaction(WAIT).unwrap();
    let there = server
        .handle()
        .with(|cluster| cluster.committed_records("t", 0));
    assert_eq!(there.len(), 1);
}
