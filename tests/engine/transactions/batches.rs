//! Batches of the user's own in transactions and from idempotent producers.

use kprod::completion::{Persistence, Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::mock::Fault;
use kprod::producer::Timeout;
use kprod::protocol::ApiKey;

use super::{BOTH, WAIT, stage};
use crate::batches::{HOUR, filled};
use crate::support::{Bed, ok};

#[test]
fn outside_a_transaction_a_batch_is_refused_and_inside_it_is_committed() {
    for version in BOTH {
        let stage = stage(version, &[]);
        let topic = stage.producer.topic("t").unwrap();
        stage.producer.start(WAIT).unwrap();
        let batch = filled(&stage.producer, 0..3);
        let send = |batch| stage.producer.send_batch(batch, topic, 0, 1, WAIT);
        assert_eq!(send(&batch), Err(ErrorCode::ILLEGAL_STATE));
        let empty = filled(&stage.producer, 0..0);
        assert_eq!(send(&empty), Err(ErrorCode::ILLEGAL_STATE));
        stage.begin();
        assert_eq!(send(&batch), Ok(()));
        assert_eq!(send(&empty), Ok(()));
        stage.send(3);
        stage.commit();
        let reports = stage.reports(3);
        reports.iter().for_each(ok);
        let batches = reports.iter().filter(|r| r.kind == ReportKind::Batch);
        assert_eq!(batches.map(|r| r.count).sum::<u32>(), 3);
        assert_eq!(stage.committed(), [0, 1, 2, 3]);
    }
}

/// Batches of one partition go one behind the other: the commit waits for those in flight and those in the queue.
#[test]
fn a_commit_waits_for_every_batch_of_a_partition() {
    for version in BOTH {
        let stage = stage(version, &[]);
        let topic = stage.producer.topic("t").unwrap();
        stage.begin();
        for n in 0..4u64 {
            let batch = filled(&stage.producer, n * 2..n * 2 + 2);
            batch.close().unwrap();
            let sent = stage.producer.send_batch(&batch, topic, 0, n, WAIT);
            assert_eq!(sent, Ok(()));
        }
        stage.commit();
        // All reports are there already.
        assert_eq!(stage.producer.metrics().reports_queued, 4);
        stage.reports(4).iter().for_each(ok);
        assert_eq!(stage.committed(), (0..8).collect::<Vec<_>>());
    }
}

#[test]
fn an_abort_drops_what_is_queued_and_refuses_what_waits() {
    for version in BOTH {
        let stage = stage(version, &[]);
        let topic = stage.producer.topic("t").unwrap();
        stage.begin();
        let first = filled(&stage.producer, 0..2);
        let sent = stage.producer.send_batch(&first, topic, 0, 1, WAIT);
        assert_eq!(sent, Ok(()));
        ok(&stage.reports(1)[0]);
        let held = Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS);
        stage.mock().inject(held.forever());
        let mut waiting = Vec::new();
        for tag in 2..10 {
            let batch = filled(&stage.producer, 2 * tag..2 * tag + 2);
            let sent = stage
                .producer
                .send_batch_async(&batch, topic, 0, tag, 100 + tag);
            assert_eq!(sent, Ok(()));
            waiting.push(batch);
        }
        stage.mock().clear_faults();
        stage.abort();
        // Whoever was accepted has one report more.
        let answers = |reports: &[Report]| {
            let kind = |kind| reports.iter().filter(|r| r.kind == kind).count();
            (kind(ReportKind::Operation), kind(ReportKind::Batch))
        };
        let mut seen = Vec::new();
        while answers(&seen).0 < 8 {
            seen.extend(stage.reports(1));
        }
        let accepted = seen
            .iter()
            .filter(|r| r.kind == ReportKind::Operation && r.error == ErrorCode::OK)
            .count();
        while answers(&seen).1 < accepted {
            seen.extend(stage.reports(1));
        }
        assert!(stage.committed().is_empty());
        // The next transaction is not disturbed.
        stage.begin();
        let next = filled(&stage.producer, 50..52);
        let sent = stage.producer.send_batch(&next, topic, 0, 9, WAIT);
        assert_eq!(sent, Ok(()));
        stage.commit();
        ok(&stage.reports(1)[0]);
        assert_eq!(stage.committed(), [50, 51]);
    }
}

/// A batch that waits for its topic while its transaction ends is not to be accepted in the next one.
#[test]
fn a_batch_that_waits_shares_its_transactions_fate() {
    for (version, commits) in BOTH.into_iter().flat_map(|v| [(v, true), (v, false)]) {
        let stage = stage(version, &[]);
        let topic = stage.producer.topic("t").unwrap();
        stage.begin();
        let unknown = Fault::on(ApiKey::Metadata).error(ErrorCode::LEADER_NOT_AVAILABLE);
        stage.mock().inject(unknown.forever());
        let batch = filled(&stage.producer, 0..3);
        let empty = filled(&stage.producer, 0..0);
        for (batch, tag) in [(&batch, 1), (&empty, 2)] {
            let sent = stage
                .producer
                .send_batch_async(batch, topic, 0, tag, 100 + tag);
            assert_eq!(sent, Ok(()));
        }
        match commits {
            true => stage.producer.commit_transaction_async(200).unwrap(),
            false => stage.producer.abort_transaction_async(200).unwrap(),
        }
        // No longer part of it.
        let late = filled(&stage.producer, 3..5);
        let sent = stage.producer.send_batch_async(&late, topic, 0, 3, 103);
        assert_eq!(sent, Ok(()));
        if !commits {
            for tag in [101, 102] {
                let answer = stage.reports(1)[0];
                assert_eq!((answer.tag, answer.error), (tag, ErrorCode::ABORTED));
            }
        }
        stage.mock().clear_faults();
        let reports = stage.reports(if commits { 6 } else { 2 });
        let error_of = |tag: u64| reports.iter().find(|r| r.tag == tag).map(|r| r.error);
        assert_eq!(error_of(103), Some(ErrorCode::ILLEGAL_STATE));
        assert_eq!(error_of(200), Some(ErrorCode::OK));
        stage.transact(9);
        let expected: &[u64] = match commits {
            true => &[0, 1, 2, 9],
            false => &[9],
        };
        assert_eq!(stage.committed(), expected, "{version} {commits}");
    }
}

#[test]
fn idempotent_batches_are_there_once_although_their_answers_were_lost() {
    let bed = Bed::new(1, &[("enable.idempotence", "true"), ("acks", "all")]);
    bed.mock().create_topic("t", 1);
    let topic = bed.producer.topic("t").unwrap();
    bed.send("t", 0);
    ok(&bed.report());
    let lost = Fault::on(ApiKey::Produce).error_after_work(ErrorCode::NETWORK_EXCEPTION);
    bed.mock().inject(lost.times(3));
    for n in 0..10u64 {
        let batch = filled(&bed.producer, 1 + n * 3..4 + n * 3);
        let sent = bed
            .producer
            .send_batch(&batch, topic, 0, n, Timeout::After(HOUR));
        assert_eq!(sent, Ok(()));
    }
    for (n, report) in bed.reports(10).iter().enumerate() {
        ok(report);
        assert_eq!(report.tag, n as u64);
        assert_eq!(report.persistence(), Persistence::Persisted);
    }
    assert_eq!(bed.log("t"), (0..31).collect::<Vec<_>>());
}
