//! Scenario 40: an id's epochs come to their end.

use kprod::protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::run::Run;
use super::*;
use crate::support::peer::Peer;

/// The last epoch that a coordinator gives; the next start or end of a transaction brings another id.
const LAST: i16 = i16::MAX - 1;

/// So many starts of instances of one id, each of which costs an epoch.
fn use_up(stage: &Stage, until: i16) {
    let mut peer = Peer::connect(stage.cluster.address(1));
    let request = InitProducerIdRequest {
        transactional_id: Some(stage.id.clone()),
        transaction_timeout_ms: 60_000,
        producer_id: -1,
        producer_epoch: -1,
    };
    let mut epoch = 0;
    while epoch < until {
        let answer: InitProducerIdResponse = peer.ask(1, &request);
        assert_eq!(answer.error_code, 0);
        epoch = answer.producer_epoch;
    }
}

pub fn epochs_that_are_used_up_bring_another_id(kind: Kind) {
    let stage = Stage::new(kind, "40");
    // The coordinator's log is made by the first who asks.
    stage.bed().producer.start(WAIT).expect("started");
    use_up(&stage, LAST - 3);
    let bed = stage.bed();
    let mut run = Run::new(&bed, &stage.topic, 2);
    for _ in 0..6 {
        run.transaction();
    }
    run.judge(&stage.cluster);
    let identities = run.identities(&stage.cluster);
    let (first, last) = (identities[0], identities[5]);
    assert_eq!(first.1, LAST - 2);
    assert_ne!(first.0, last.0, "{identities:?}");
    assert!(last.1 < 6, "{identities:?}");
}
