//! The user's calls: what they do, when they fit, and what is seen of the transaction.

use std::time::Duration;

use kprod::completion::ReportKind;
use kprod::error::{Class, Error, ErrorCode};
use kprod::mock::{Fault, FaultKind, GroupMember, TransactionState, When};
use kprod::producer::{Callbacks, Record, Timeout};
use kprod::protocol::ApiKey;

use crate::support::{ok, producer, record, until};

use super::{BOTH, Stage, WAIT, another, offsets, send_to, stage};

/// Scenario 42.
#[test]
fn a_committed_transaction_becomes_visible_at_once_and_whole() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin();
        (0..9).for_each(|tag| stage.send(tag));
        stage.producer.flush(WAIT).unwrap();
        stage.reports(9).iter().for_each(ok);
        assert_eq!(stage.committed(), [] as [u64; 0]);
        stage.commit();
        assert_eq!(stage.committed(), (0..9).collect::<Vec<_>>());
        stage.begin();
        (9..12).for_each(|tag| stage.send(tag));
        stage.commit();
        stage.reports(3).iter().for_each(ok);
        assert_eq!(stage.committed(), (0..12).collect::<Vec<_>>());
        // The second protocol announces nothing, and has a new epoch in each transaction.
        assert_eq!(stage.count(ApiKey::AddPartitionsToTxn) > 0, version == 1);
        assert_eq!(stage.epoch() > 1, version == 2);
    }
}
/// Scenario 43.
#[test]
fn an_aborted_transaction_is_never_visible_and_what_was_not_sent_is_not() {
    for version in BOTH {
        let stage = stage(version, &[("linger.ms", "60000")]);
        stage.begin();
        (0..3).for_each(|tag| stage.send(tag));
        stage.producer.flush(WAIT).unwrap();
        stage.reports(3).iter().for_each(ok);
        (3..9).for_each(|tag| stage.send(tag));
        stage.abort();
        for report in stage.reports(6) {
            assert_eq!(report.error, ErrorCode::ABORTED, "{report:?}");
        }
        assert_eq!(stage.committed(), [] as [u64; 0]);
        stage.transact(9);
        assert_eq!(stage.committed(), [9]);
    }
}
/// Scenario 44, T30.
#[test]
fn an_empty_transaction_costs_nothing() {
    for version in BOTH {
        let stage = stage(version, &[]);
        for round in 0..200 {
            stage.begin();
            match round % 2 {
                0 => stage.commit(),
                _ => stage.abort(),
            }
        }
        assert_eq!(stage.count(ApiKey::EndTxn), 0);
        assert_eq!(stage.count(ApiKey::InitProducerId), 1);
    }
}
/// Scenario 45, T27.
#[test]
fn an_older_instance_is_fenced_and_can_be_closed() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin_with(0);
        let newer = another(&stage.server, &[]);
        newer.begin_transaction(WAIT).unwrap();
        send_to(&newer, 0, 1).unwrap();
        newer.commit_transaction(WAIT).unwrap();
        let error = stage.producer.commit_transaction(WAIT).unwrap_err();
        let fenced = [
            ErrorCode::PRODUCER_FENCED,
            ErrorCode::INVALID_PRODUCER_EPOCH,
        ];
        assert!(fenced.contains(&error.code), "{error:?}");
        assert_eq!(error.class, Class::Fatal);
        let again = stage.producer.abort_transaction(WAIT).unwrap_err();
        assert_eq!((again.code, again.class), (error.code, Class::Fatal));
        assert_eq!(send_to(&stage.producer, 0, 2), Err(ErrorCode::FATAL));
        stage.producer.close(WAIT).unwrap();
        assert_eq!(stage.committed(), [1]);
    }
}
/// The old instance sends after it was fenced: its records are refused, and the abort tells why.
#[test]
fn a_fenced_instance_hears_of_it_when_it_sends() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin_with(0);
        let newer = another(&stage.server, &[]);
        newer.start(WAIT).unwrap();
        ok(&stage.reports(1)[0]);
        stage.send(3);
        let refused = stage.reports(1)[0];
        assert_ne!(refused.error, ErrorCode::OK);
        let commit = stage.producer.commit_transaction(WAIT).unwrap_err();
        assert_ne!(commit.class, Class::Permanent, "{commit:?}");
        let abort = stage.producer.abort_transaction(WAIT).unwrap_err();
        assert_eq!(abort.class, Class::Fatal, "{abort:?}");
    }
}
/// Scenario 46.
#[test]
fn a_new_instance_aborts_what_the_last_left_open() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin_with(0);
        let Stage {
            server,
            producer: old,
        } = stage;
        drop(old);
        let producer = another(&server, &[]);
        let stage = Stage { server, producer };
        stage.transact(1);
        assert_eq!(stage.committed(), [1]);
    }
}
/// Scenario 54, T24.
#[test]
fn after_a_failed_record_commit_is_refused_and_abort_makes_it_good() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin_with(0);
        ok(&stage.reports(1)[0]);
        stage.mock().inject(
            Fault::on(ApiKey::Produce)
                .partition("t", 1)
                .error(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        );
        stage.send(1);
        let failed = stage.reports(1)[0];
        assert_eq!(failed.error, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        assert_eq!(failed.flags & 7, 2, "abortable: {failed:?}");
        until("sends are refused", || {
            send_to(&stage.producer, 0, 2) == Err(ErrorCode::TRANSACTION_ABORTABLE)
        });
        for _ in 0..2 {
            let error = stage.producer.commit_transaction(WAIT).unwrap_err();
            assert_eq!(
                (error.code, error.class),
                (ErrorCode::TOPIC_AUTHORIZATION_FAILED, Class::Abortable)
            );
            assert!(error.message.contains("partition 1"), "{}", error.message);
        }
        stage.abort();
        stage.transact(3);
        assert_eq!(stage.committed(), [3]);
    }
}
/// A record that fails while the commit waits for it.
#[test]
fn a_record_that_fails_during_the_commit_makes_it_fail() {
    for version in BOTH {
        let stage = stage(version, &[("linger.ms", "60000")]);
        stage.begin();
        stage.mock().inject(
            Fault::on(ApiKey::Produce)
                .partition("t", 1)
                .error(ErrorCode::INVALID_RECORD),
        );
        (0..3).for_each(|tag| stage.send(tag));
        let error = stage.producer.commit_transaction(WAIT).unwrap_err();
        assert_eq!(
            (error.code, error.class),
            (ErrorCode::INVALID_RECORD, Class::Abortable)
        );
        stage.abort();
        assert_eq!(stage.committed(), [] as [u64; 0]);
    }
}
/// A record that never left parking fails the transaction too.
#[test]
fn a_record_of_an_unknown_topic_fails_the_transaction() {
    let stage = stage(
        2,
        &[
            ("allow.auto.create.topics", "false"),
            ("request.timeout.ms", "300"),
        ],
    );
    stage.begin();
    let sent = Record {
        ..record("nowhere", b"x", 5)
    };
    stage.producer.try_send(&sent).unwrap();
    let error = stage.producer.commit_transaction(WAIT).unwrap_err();
    assert_eq!(error.class, Class::Abortable, "{error:?}");
    stage.abort();
}
#[test]
fn calls_that_do_not_fit_change_nothing() {
    let stage = stage(2, &[]);
    let code = |result: Result<(), Error>| result.map_err(|error| error.code);
    assert_eq!(
        code(stage.producer.commit_transaction(WAIT)),
        Err(ErrorCode::ILLEGAL_STATE)
    );
    assert_eq!(
        code(stage.producer.abort_transaction(WAIT)),
        Err(ErrorCode::ILLEGAL_STATE)
    );
    assert_eq!(
        send_to(&stage.producer, 0, 1),
        Err(ErrorCode::ILLEGAL_STATE)
    );
    assert_eq!(
        code(
            stage
                .producer
                .send_offsets_to_transaction(offsets("g", -1, ""), WAIT)
        ),
        Err(ErrorCode::ILLEGAL_STATE)
    );
    stage.begin();
    let twice = stage.producer.begin_transaction(WAIT).unwrap_err();
    assert_eq!(twice.code, ErrorCode::ILLEGAL_STATE);
    assert!(twice.message.contains("is open"), "{}", twice.message);
    stage.send(0);
    stage.commit();
    assert_eq!(
        send_to(&stage.producer, 0, 1),
        Err(ErrorCode::ILLEGAL_STATE)
    );
    assert_eq!(stage.committed(), [0]);

    let plain = producer(
        &stage.server,
        &[("enable.idempotence", "true")],
        Callbacks::default(),
    );
    let error = plain.begin_transaction(WAIT).unwrap_err();
    assert_eq!(error.code, ErrorCode::ILLEGAL_STATE);
    assert!(
        error.message.contains("transactional.id"),
        "{}",
        error.message
    );
}
/// Scenario 52: a commit that ran out of time is resumed by itself alone.
#[test]
fn a_commit_that_timed_out_is_resumed_by_the_same_call_only() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin_with(0);
        stage
            .mock()
            .inject(Fault::on(ApiKey::EndTxn).delay(Duration::from_millis(300)));
        let short = Timeout::After(Duration::from_millis(20));
        let late = stage.producer.commit_transaction(short).unwrap_err();
        assert_eq!(late.code, ErrorCode::TIMED_OUT, "{late:?}");
        let other = stage.producer.abort_transaction(WAIT).unwrap_err();
        assert_eq!(other.code, ErrorCode::ILLEGAL_STATE);
        assert!(
            other.message.contains("kprod_commit_transaction"),
            "{}",
            other.message
        );
        assert_eq!(
            stage.producer.begin_transaction(WAIT).unwrap_err().code,
            ErrorCode::ILLEGAL_STATE
        );
        stage.commit();
        assert_eq!(stage.committed(), [0]);
        stage.begin();
        stage.abort();
    }
}
#[test]
fn calls_have_asynchronous_twins() {
    let stage = stage(2, &[]);
    let operation = |tag: u64| loop {
        let report = stage.reports(1)[0];
        if report.kind == ReportKind::Operation {
            assert_eq!(report.tag, tag);
            return report.error;
        }
        ok(&report);
    };
    stage.producer.begin_transaction_async(100).unwrap();
    assert_eq!(operation(100), ErrorCode::OK);
    stage.send(0);
    stage
        .producer
        .send_offsets_to_transaction_async(offsets("g", -1, ""), 101)
        .unwrap();
    assert_eq!(operation(101), ErrorCode::OK);
    stage.producer.commit_transaction_async(102).unwrap();
    assert_eq!(operation(102), ErrorCode::OK);
    stage.producer.abort_transaction_async(103).unwrap();
    assert_eq!(operation(103), ErrorCode::ILLEGAL_STATE);
    assert_eq!(stage.committed(), [0]);
}
#[test]
fn offsets_are_committed_with_the_transaction_or_not_at_all() {
    for version in BOTH {
        let stage = stage(version, &[]);
        let committed = || {
            stage
                .mock()
                .with(|c| c.committed_offset("g", "t", 0).map(|offset| offset.offset))
        };
        stage.begin();
        stage
            .producer
            .send_offsets_to_transaction(offsets("g", -1, ""), WAIT)
            .unwrap();
        stage.abort();
        assert_eq!(committed(), None);
        stage.begin();
        stage.send(0);
        stage
            .producer
            .send_offsets_to_transaction(offsets("g", -1, ""), WAIT)
            .unwrap();
        assert_eq!(committed(), None);
        stage.commit();
        until("the offset is there", || committed() == Some(7));
        assert_eq!(stage.count(ApiKey::AddOffsetsToTxn) > 0, version == 1);
    }
}
/// Scenario 48, T34.
#[test]
fn a_stale_generation_is_abortable() {
    for version in BOTH {
        let stage = stage(version, &[]);
        let members = [GroupMember {
            id: "m".into(),
            instance_id: None,
        }];
        stage.mock().with(|c| c.set_group("g", 5, &members));
        for (generation, member, expected) in [
            (4, "m", ErrorCode::ILLEGAL_GENERATION),
            (5, "other", ErrorCode::UNKNOWN_MEMBER_ID),
        ] {
            stage.begin();
            stage.send(0);
            let sent = stage
                .producer
                .send_offsets_to_transaction(offsets("g", generation, member), WAIT);
            let error = sent.unwrap_err();
            assert_eq!((error.code, error.class), (expected, Class::Abortable));
            // Who knows of the failure is not let in any more.
            let late = send_to(&stage.producer, 1, 1);
            assert_eq!(late, Err(ErrorCode::TRANSACTION_ABORTABLE));
            let commit = stage.producer.commit_transaction(WAIT).unwrap_err();
            assert_eq!(commit.class, Class::Abortable);
            stage.abort();
        }
        stage.begin();
        stage.send(3);
        stage
            .producer
            .send_offsets_to_transaction(offsets("g", 5, "m"), WAIT)
            .unwrap();
        stage.commit();
        assert_eq!(stage.committed(), [3]);
    }
}
/// A TV1 epoch in which a sequence was broken is not used again.
#[test]
fn after_an_abort_with_a_record_in_doubt_sequences_begin_anew() {
    for version in BOTH {
        let stage = stage(
            version,
            &[
                ("request.timeout.ms", "300"),
                ("delivery.timeout.ms", "400"),
            ],
        );
        stage.begin_with(0);
        ok(&stage.reports(1)[0]);
        stage.mock().inject(
            Fault::on(ApiKey::Produce)
                .kind(FaultKind::Swallow(When::AfterWork))
                .forever(),
        );
        stage.send(3);
        assert_ne!(stage.reports(1)[0].error, ErrorCode::OK);
        stage.mock().clear_faults();
        stage.abort();
        for tag in [6, 9] {
            stage.transact(tag);
        }
        assert_eq!(stage.committed(), [6, 9]);
    }
}
#[test]
fn close_aborts_an_open_transaction_and_wakes_who_waits() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin_with(0);
        assert_eq!(stage.state(), TransactionState::Ongoing);
        stage.producer.close(WAIT).unwrap();
        until("it is aborted", || {
            matches!(
                stage.state(),
                TransactionState::CompleteAbort | TransactionState::Empty
            )
        });
        assert_eq!(stage.committed(), [] as [u64; 0]);
    }
}
#[test]
fn a_close_ends_a_commit_that_waits() {
    let stage = stage(2, &[]);
    stage.begin();
    stage.send(0);
    stage.mock().inject(
        Fault::on(ApiKey::EndTxn)
            .kind(FaultKind::Swallow(When::BeforeWork))
            .forever(),
    );
    std::thread::scope(|scope| {
        let commit = scope.spawn(|| stage.producer.commit_transaction(WAIT).unwrap_err());
        until("the commit is under way", || {
            stage.count(ApiKey::EndTxn) > 0
        });
        stage
            .producer
            .close(Timeout::After(Duration::from_millis(200)))
            .unwrap();
        let ended = commit.join().unwrap();
        assert_eq!(ended.code, ErrorCode::CLOSED);
        assert!(ended.message.contains("not known"), "{}", ended.message);
    });
}

/// T13, T15: a broker that lost its state in the middle of a transaction loses it no record: it is aborted.
#[test]
fn a_sequence_that_breaks_within_a_transaction_aborts_it() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin_with(0);
        ok(&stage.reports(1)[0]);
        stage.mock().inject(
            Fault::on(ApiKey::Produce)
                .partition("t", 0)
                .error(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER),
        );
        stage.send(3);
        let refused = stage.reports(1)[0];
        assert_eq!(refused.error, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        let commit = stage.producer.commit_transaction(WAIT).unwrap_err();
        assert_eq!(commit.class, Class::Abortable, "{commit:?}");
        stage.abort();
        stage.begin();
        [0, 3].into_iter().for_each(|tag| stage.send(tag));
        stage.commit();
        assert_eq!(stage.committed(), [0, 3]);
    }
}

/// An error that would end in a second record for a caller who sends again is no invitation to do so.
#[test]
fn what_was_retriable_is_abortable_in_a_transaction() {
    let stage = stage(2, &[("retries", "1")]);
    stage.begin();
    stage.mock().inject(
        Fault::on(ApiKey::Produce)
            .error(ErrorCode::NOT_ENOUGH_REPLICAS)
            .forever(),
    );
    stage.send(0);
    let failed = stage.reports(1)[0];
    assert_eq!(failed.error, ErrorCode::NOT_ENOUGH_REPLICAS);
    assert_eq!(failed.flags & 7, 2, "{failed:?}");
    stage.mock().clear_faults();
    stage.abort();
}

/// Their result came when nobody waited for it: an abort needs none.
#[test]
fn offsets_that_ended_unseen_can_be_aborted() {
    let stage = stage(2, &[]);
    stage.begin();
    let api = ApiKey::TxnOffsetCommit;
    stage
        .mock()
        .inject(Fault::on(api).delay(Duration::from_millis(300)));
    let limit = Timeout::After(Duration::from_millis(20));
    let sent = stage
        .producer
        .send_offsets_to_transaction(offsets("g", -1, ""), limit);
    assert_eq!(sent.unwrap_err().code, ErrorCode::TIMED_OUT);
    // Refused as long as the offsets' result is to be fetched, or they have not ended.
    until("they have ended", || {
        let refused = stage.producer.commit_transaction(WAIT).unwrap_err();
        assert_eq!(refused.code, ErrorCode::ILLEGAL_STATE);
        refused.message.contains("has ended meanwhile")
    });
    stage.abort();
    stage.transact(1);
    assert_eq!(stage.committed(), [1]);
}

#[test]
fn a_call_that_is_out_of_time_tells_what_was_refused() {
    let stage = stage(2, &[]);
    stage.begin();
    stage.mock().inject(
        Fault::on(ApiKey::TxnOffsetCommit)
            .error(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            .forever(),
    );
    let limit = Timeout::After(Duration::from_millis(300));
    let sent = stage
        .producer
        .send_offsets_to_transaction(offsets("g", -1, ""), limit);
    let error = sent.unwrap_err();
    assert_eq!(error.code, ErrorCode::TIMED_OUT);
    let told = "TxnOffsetCommit was answered with UNKNOWN_TOPIC_OR_PARTITION";
    assert!(error.message.contains(told), "{}", error.message);
}
