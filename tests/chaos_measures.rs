//! The measures of script/chaos: how long a partition stood still, and how long until all went on.

#[path = "kafka_chaos/measure.rs"]
mod measure;

use measure::{Ack, Fault, longest_recovery, longest_stall};

const FAULTS: [Fault; 2] = [
    Fault {
        begin: 100,
        end: 200,
    },
    Fault {
        begin: 500,
        end: 520,
    },
];

fn ack(partition: i32, sent: u64, acked: u64) -> Ack {
    Ack {
        partition,
        sent,
        acked,
    }
}

#[test]
fn a_stall_is_between_acknowledgements_of_one_partition() {
    let acks = [
        // Before the first fault nothing counts.
        ack(0, 0, 10),
        ack(0, 80, 90),
        ack(1, 80, 95),
        ack(0, 95, 130),
        ack(0, 140, 150),
        ack(1, 96, 155),
    ];
    assert_eq!(longest_stall(&acks, 2, &FAULTS), 60);
}

#[test]
fn recovery_is_until_every_partition_has_acknowledged_what_came_after() {
    let mut acks = vec![
        // Handed over before the fault's end: a proof of nothing.
        ack(0, 190, 210),
        ack(1, 205, 230),
        ack(0, 206, 260),
        ack(0, 530, 531),
    ];
    assert_eq!(longest_recovery(&acks, 2, &FAULTS[..1]), Some(60));
    assert_eq!(longest_recovery(&acks, 2, &FAULTS), None, "1 has stopped");
    acks.push(ack(1, 540, 620));
    assert_eq!(longest_recovery(&acks, 2, &FAULTS), Some(100));
}
