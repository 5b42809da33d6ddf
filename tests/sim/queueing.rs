//! Batches of the user's own that queue for a partition: nobody overtakes.

use kprod::completion::ReportKind;
use kprod::error::ErrorCode;
use kprod::producer::{Producer, UserBatch};

use crate::stage::{in_batch, play};

fn batch_of(producer: &Producer, tag: u64) -> UserBatch {
    let batch = producer.create_batch().unwrap();
    let value = tag.to_be_bytes();
    batch.append(&in_batch(&value)).unwrap();
    batch
}

#[test]
fn a_try_does_not_overtake_an_async_send_that_the_engine_has_not_seen() {
    play(1, &[], |stage| async move {
        stage.topic("t", 1).await;
        let topic = stage.producer.topic("t").unwrap();
        let first = batch_of(&stage.producer, 1);
        let second = batch_of(&stage.producer, 2);
        // The engine's task has no turn in between.
        let sent = stage.producer.send_batch_async(&first, topic, 0, 1, 10);
        assert_eq!(sent, Ok(()));
        let tried = stage.producer.try_send_batch(&second, topic, 0, 2);
        assert_eq!(tried, Err(ErrorCode::QUEUE_FULL));
        let kinds = stage.reports(3).await;
        let told = |kind| kinds.iter().filter(move |(_, r)| r.kind == kind).count();
        assert_eq!(told(ReportKind::Writable), 1, "{kinds:?}");
        let tried = stage.producer.try_send_batch(&second, topic, 0, 2);
        assert_eq!(tried, Ok(()));
        assert_eq!(stage.report().await.1.error, ErrorCode::OK);
        assert_eq!(stage.log("t", 0), [1, 2]);
    });
}
