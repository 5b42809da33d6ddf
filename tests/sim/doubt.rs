//! Idempotent batches that are in the log although no answer said so, and what a broker remembers of them.

use kprod::completion::{Persistence, Report};
use kprod::error::ErrorCode;
use kprod::mock::{Fault, FaultKind, InjectedError, When};
use kprod::protocol::ApiKey;

use crate::stage::{Stage, ms, play};

const SETTINGS: [(&str, &str); 3] = [
    ("enable.idempotence", "true"),
    ("batch.size", "0"),
    ("retry.backoff.ms", "50"),
];

fn error(code: ErrorCode, when: When) -> FaultKind {
    FaultKind::Error(InjectedError {
        code,
        when,
        message: None,
        records: Vec::new(),
    })
}

/// The next Produce requests are answered so.
fn answers(stage: &Stage, kinds: impl IntoIterator<Item = FaultKind>) {
    for kind in kinds {
        stage.fault(Fault::on(ApiKey::Produce).kind(kind));
    }
}

/// A topic behind a link on which five requests are under way at once, one record each.
async fn begin(stage: &Stage) {
    stage.topic("t", 1).await;
    stage.mock.with(|cluster| cluster.set_round_trip(1, ms(20)));
}

fn send(stage: &Stage, tags: std::ops::Range<u64>) {
    tags.for_each(|tag| stage.send("t", tag));
}

/// All of `count` records are told as delivered, in their order.
async fn delivered(stage: &Stage, count: u64) -> Vec<Report> {
    let reports = stage.reports(count as usize).await;
    for (tag, (_, report)) in (0..count).zip(&reports) {
        assert_eq!((report.tag, report.error), (tag, ErrorCode::OK));
        assert_eq!(report.persistence(), Persistence::Persisted);
    }
    reports.into_iter().map(|(_, report)| report).collect()
}

/// They are there once and in order, under one epoch, and nothing was told as lost.
fn there_once(stage: &Stage, count: u64) {
    assert_eq!(stage.log("t", 0), (0..count).collect::<Vec<_>>());
    assert_eq!(stage.producer.metrics().data_losses, 0);
    let batches = stage.mock.with(|cluster| cluster.batches("t", 0));
    assert!(batches.iter().all(|batch| batch.header.producer_epoch == 0));
}

/// A broker remembers five batches of a producer: no more than that may be written from the oldest in doubt on.
#[test]
fn a_batch_in_doubt_again_and_again_is_not_pushed_out_of_the_brokers_memory() {
    let kinds = [
        FaultKind::None,
        error(ErrorCode::REQUEST_TIMED_OUT, When::AfterWork),
        FaultKind::Disconnect(When::AfterWork),
    ];
    for pattern in 0..kinds.len().pow(6) {
        let kinds = &kinds;
        let settings = [&SETTINGS[..2], &[("retry.backoff.ms", "1")]].concat();
        play(1, &settings, |stage| async move {
            begin(&stage).await;
            let digit = |at| pattern / kinds.len().pow(at) % kinds.len();
            answers(&stage, (0..6).map(|at| kinds[digit(at)].clone()));
            send(&stage, 0..12);
            let reports = delivered(&stage, 12).await;
            assert!((1..).zip(&reports).all(|(at, report)| report.offset == at));
            there_once(&stage, 12);
        });
    }
}

/// After a restart a broker remembers the last batch alone.
#[test]
fn a_batch_that_is_not_remembered_is_in_the_log_if_one_behind_it_was_acknowledged() {
    play(1, &SETTINGS, |stage| async move {
        begin(&stage).await;
        answers(
            &stage,
            [error(ErrorCode::REQUEST_TIMED_OUT, When::AfterWork)],
        );
        send(&stage, 0..5);
        stage.wait(ms(30)).await;
        assert_eq!((stage.produced().len(), stage.reported()), (5, 0));
        stage.mock.with(|cluster| cluster.restore_producers("t", 0));
        send(&stage, 5..8);
        let offsets: Vec<i64> = delivered(&stage, 8)
            .await
            .iter()
            .map(|r| r.offset)
            .collect();
        assert_eq!(offsets, [-1, 2, 3, 4, 5, 6, 7, 8]);
        there_once(&stage, 8);
    });
}

/// Five are under way when the connection breaks; `written` of them were written, and the broker restarts.
#[test]
fn which_of_several_in_doubt_are_in_the_log_is_found_out_from_a_broker_that_remembers_one() {
    for written in 0..=5 {
        play(1, &SETTINGS, |stage| async move {
            begin(&stage).await;
            let side = |at| match at < written {
                true => When::AfterWork,
                false => When::BeforeWork,
            };
            answers(&stage, (0..5).map(|at| FaultKind::Swallow(side(at))));
            send(&stage, 0..8);
            stage.wait(ms(30)).await;
            stage.mock.with(|cluster| cluster.restore_producers("t", 0));
            stage.mock.disconnect(1);
            let reports = delivered(&stage, 8).await;
            for (tag, report) in reports.iter().enumerate() {
                // One was sent before them all.
                let offset = match tag + 1 < written {
                    true => -1,
                    false => tag as i64 + 1,
                };
                assert_eq!(report.offset, offset, "{written} written, record {tag}");
            }
            there_once(&stage, 8);
        });
    }
}

/// None of those in doubt is known, nor what was acknowledged before them: that is a loss.
#[test]
fn several_in_doubt_of_a_log_that_lost_its_end_are_written_anew() {
    play(1, &SETTINGS, |stage| async move {
        begin(&stage).await;
        send(&stage, 0..3);
        delivered(&stage, 3).await;
        answers(&stage, vec![FaultKind::Swallow(When::AfterWork); 5]);
        send(&stage, 3..10);
        stage.wait(ms(30)).await;
        stage.mock.with(|cluster| cluster.lose_records("t", 0, 2));
        stage.mock.disconnect(1);
        let reports = stage.reports(7).await;
        for (tag, (_, report)) in (3..).zip(&reports) {
            assert_eq!((report.tag, report.error), (tag, ErrorCode::OK));
        }
        assert_eq!(stage.log("t", 0), [0, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(stage.producer.metrics().data_losses, 1);
    });
}

/// What would have shown it is refused for good, runs out of retries or of time.
#[test]
fn what_nothing_will_tell_of_is_reported_as_perhaps_written_in_its_order() {
    #[derive(Clone, Copy, PartialEq)]
    enum End {
        Refused,
        OutOfRetries,
        Expired,
    }
    for end in [End::Refused, End::OutOfRetries, End::Expired] {
        let limit = match end {
            End::Refused => ("retries", "100"),
            End::OutOfRetries => ("retries", "1"),
            End::Expired => ("delivery.timeout.ms", "40000"),
        };
        let settings = [&SETTINGS[..], &[limit]].concat();
        play(1, &settings, |stage| async move {
            begin(&stage).await;
            answers(&stage, vec![FaultKind::Swallow(When::AfterWork); 3]);
            send(&stage, 0..3);
            stage.wait(ms(30)).await;
            stage.mock.with(|cluster| cluster.restore_producers("t", 0));
            stage.mock.disconnect(1);
            let witness = match end {
                End::Refused => error(ErrorCode::TOPIC_AUTHORIZATION_FAILED, When::BeforeWork),
                End::OutOfRetries => error(ErrorCode::NOT_ENOUGH_REPLICAS, When::BeforeWork),
                End::Expired => FaultKind::Swallow(When::BeforeWork),
            };
            // The first is not known; the second would show why.
            answers(&stage, [FaultKind::None, witness.clone()]);
            if end == End::Expired {
                stage.fault(Fault::on(ApiKey::Produce).kind(witness).forever());
            }
            let reports = stage.reports(2).await;
            for (tag, (_, report)) in (0..).zip(&reports) {
                assert_eq!(report.tag, tag);
                assert_ne!(report.error, ErrorCode::OK);
                assert_eq!(report.persistence(), Persistence::Possibly);
            }
            // The third knows of itself, if it has the time.
            let (_, third) = stage.report().await;
            assert_eq!(third.error == ErrorCode::OK, end != End::Expired);
            stage.mock.with(|cluster| cluster.clear_faults());
            send(&stage, 3..6);
            let reports = stage.reports(3).await;
            assert!(reports.iter().all(|(_, r)| r.error == ErrorCode::OK));
            assert_eq!(stage.log("t", 0), [0, 1, 2, 3, 4, 5]);
        });
    }
}
