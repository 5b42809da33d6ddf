//! Coordinators that fall silent: others say who coordinates now, long before the request times out.

use std::time::Duration;

use kprod::error::{Error, ErrorCode};
use kprod::mock::{
    ClusterConfig, CoordinatorKind, Fault, FaultKind, KafkaVersion, TransactionState, When,
};
use kprod::producer::Producer;
use kprod::protocol::ApiKey;

use crate::stage::{Stage, at, ms, next_offset, play, play_on};

/// Tags of calls.
const CALL: u64 = 1 << 40;

const TRANSACTIONAL: [(&str, &str); 2] = [
    ("transactional.id", "me"),
    ("transaction.timeout.ms", "600000"),
];

/// Makes a call and gives its result, and how long it took.
async fn call(
    stage: &Stage,
    make: impl Fn(&Producer, u64) -> Result<(), Error>,
) -> (ErrorCode, Duration) {
    let began = stage.now();
    make(&stage.producer, CALL).unwrap();
    loop {
        let (came, report) = stage.report().await;
        if report.tag == CALL {
            return (report.error, came - began);
        }
        assert_eq!(report.error, ErrorCode::OK, "{}", stage.detail(&report));
    }
}

async fn begin(stage: &Stage) -> (ErrorCode, Duration) {
    call(stage, |producer, tag| producer.begin_transaction_async(tag)).await
}

async fn commit(stage: &Stage) -> (ErrorCode, Duration) {
    call(stage, |producer, tag| {
        producer.commit_transaction_async(tag)
    })
    .await
}

async fn send_offsets(stage: &Stage) -> (ErrorCode, Duration) {
    call(stage, |producer, tag| {
        producer.send_offsets_to_transaction_async(next_offset(1), tag)
    })
    .await
}

/// The coordinator says nothing any more to `api`, and another takes over while it is waited for.
async fn replace(stage: &Stage, kind: CoordinatorKind, key: &str, api: ApiKey, done: When) {
    let old = stage.mock.with(|c| c.coordinator(kind, key)).unwrap();
    stage.fault(
        Fault::on(api)
            .broker(old)
            .kind(FaultKind::Swallow(done))
            .forever(),
    );
    let mock = stage.mock.clone();
    let key = key.to_owned();
    tokio::spawn(async move {
        tokio::time::sleep(ms(1500)).await;
        let other = 1 + old % 3;
        mock.with(|c| c.move_coordinator(kind, &key, other, Duration::ZERO));
    });
}

fn protocols() -> [(KafkaVersion, bool); 2] {
    [(KafkaVersion::V3_9, false), (KafkaVersion::V4_3, true)]
}

fn play_transactions<F: Future<Output = ()>>(
    version: KafkaVersion,
    scene: impl FnOnce(Stage) -> F,
) {
    let cluster = ClusterConfig {
        brokers: 3,
        version,
        ..ClusterConfig::default()
    };
    play_on(cluster, &TRANSACTIONAL, |stage| {
        stage.mock.create_topic("t", 3);
        scene(stage)
    });
}

#[test]
fn a_silent_coordinator_is_left_for_its_successor_long_before_the_timeout() {
    use CoordinatorKind::{Group, Transaction};
    let steps = [
        (ApiKey::AddPartitionsToTxn, Transaction, "me"),
        (ApiKey::AddOffsetsToTxn, Transaction, "me"),
        (ApiKey::TxnOffsetCommit, Group, "g"),
        (ApiKey::EndTxn, Transaction, "me"),
    ];
    for (version, second) in protocols() {
        for (api, kind, key) in steps {
            let announces = matches!(api, ApiKey::AddPartitionsToTxn | ApiKey::AddOffsetsToTxn);
            if second && announces {
                continue;
            }
            for done in [When::BeforeWork, When::AfterWork] {
                play_transactions(version, |stage| async move {
                    let (code, _) = begin(&stage).await;
                    assert_eq!(code, ErrorCode::OK);
                    replace(&stage, kind, key, api, done).await;
                    let began = stage.now();
                    stage.send("t", 1);
                    let (code, _) = send_offsets(&stage).await;
                    assert_eq!(code, ErrorCode::OK, "{version:?} {api:?}");
                    let (code, _) = commit(&stage).await;
                    assert_eq!(code, ErrorCode::OK, "{version:?} {api:?}");
                    let took = at(stage.now() - began);
                    assert!((1500..3000).contains(&took), "{version:?} {api:?}: {took}");
                    let committed = stage.mock.with(|c| c.committed_records("t", 0));
                    assert_eq!(committed.len(), 1, "{version:?} {api:?}");
                    // All is well with the next.
                    begin(&stage).await;
                    stage.send("t", 2);
                    let (code, _) = commit(&stage).await;
                    assert_eq!(code, ErrorCode::OK);
                    let committed = stage.mock.with(|c| c.committed_records("t", 0));
                    assert_eq!(committed.len(), 2, "{version:?} {api:?}");
                });
            }
        }
    }
}

#[test]
fn a_silent_coordinator_does_not_hold_the_start() {
    for (version, _) in protocols() {
        play_transactions(version, |stage| async move {
            replace(
                &stage,
                CoordinatorKind::Transaction,
                "me",
                ApiKey::InitProducerId,
                When::AfterWork,
            )
            .await;
            let (code, took) = begin(&stage).await;
            assert_eq!(code, ErrorCode::OK);
            assert!(at(took) < 3000, "{took:?}");
        });
    }
}

#[test]
fn what_any_broker_can_answer_is_not_waited_for_at_a_silent_one() {
    for api in [ApiKey::FindCoordinator, ApiKey::InitProducerId] {
        let settings: &[(&str, &str)] = match api {
            ApiKey::FindCoordinator => &TRANSACTIONAL,
            _ => &[("enable.idempotence", "true")],
        };
        play(3, settings, |stage| async move {
            stage.mock.create_topic("t", 3);
            // The first one that is asked.
            stage.fault(Fault::on(api).kind(FaultKind::Swallow(When::BeforeWork)));
            let (code, took) = call(&stage, |producer, tag| {
                producer
                    .start_async(tag)
                    .map_err(|code| Error::new(code, "start"))
            })
            .await;
            assert_eq!(code, ErrorCode::OK);
            assert!(at(took) < 3000, "{api:?}: {took:?}");
        });
    }
}

/// A coordinator that still coordinates gets each request once, however long it takes.
#[test]
fn a_slow_coordinator_is_asked_once() {
    for (version, _) in protocols() {
        play_transactions(version, |stage| async move {
            begin(&stage).await;
            stage.send("t", 1);
            stage.fault(Fault::on(ApiKey::EndTxn).delay(ms(5000)));
            let (code, took) = commit(&stage).await;
            assert_eq!(code, ErrorCode::OK);
            assert!(at(took) >= 5000, "{took:?}");
            assert_eq!(stage.requests(ApiKey::EndTxn).len(), 1);
        });
    }
}

/// What was announced and not answered may be known to the coordinator, wherever it is by now: an abort ends it there.
#[test]
fn an_announcement_in_doubt_is_ended_by_an_abort_at_the_next_coordinator() {
    play_transactions(KafkaVersion::V3_9, |stage| async move {
        begin(&stage).await;
        let kind = CoordinatorKind::Transaction;
        replace(
            &stage,
            kind,
            "me",
            ApiKey::AddPartitionsToTxn,
            When::AfterWork,
        )
        .await;
        // The successor is busy, so that the abort comes while the announcement is in doubt.
        let busy = Fault::on(ApiKey::AddPartitionsToTxn);
        stage.send("t", 1);
        stage.wait(ms(1)).await;
        stage.fault(busy.error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS).times(3));
        stage.wait(ms(2050)).await;
        stage.producer.abort_transaction_async(CALL).unwrap();
        let reports = stage.reports(2).await;
        let aborted = reports.iter().find(|(_, report)| report.tag == CALL);
        assert_eq!(aborted.unwrap().1.error, ErrorCode::OK);
        let state = stage.mock.with(|c| c.transaction("me").unwrap().state);
        assert_eq!(state, TransactionState::CompleteAbort);
    });
}
