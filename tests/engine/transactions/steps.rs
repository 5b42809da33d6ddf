//! What the brokers answer at each step of a transaction, and where it leads.

use std::time::{Duration, Instant};

use kprod::error::{Class, ErrorCode};
use kprod::mock::{
    ClusterConfig, CoordinatorKind, Fault, FaultKind, KafkaVersion, MockServer, TransactionState,
    When,
};
use kprod::producer::{Offsets, Timeout};
use kprod::protocol::ApiKey;

use crate::support::{ok, until};

use super::{BOTH, Stage, WAIT, another, offsets, send_to, stage};

/// A transaction with a record that is written and offsets that are sent.
fn open(version: i16, settings: &[(&str, &str)]) -> Stage {
    let stage = stage(version, settings);
    stage.begin_with(0);
    ok(&stage.reports(1)[0]);
    let sent = stage
        .producer
        .send_offsets_to_transaction(offsets("g", -1, ""), WAIT);
    sent.unwrap();
    stage
}

/// The group's coordinator is another broker than the transaction's, and each step has its passing errors.
#[test]
fn errors_that_pass_are_outlasted_at_every_step() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.mock().with(|c| {
            c.move_coordinator(CoordinatorKind::Group, "g", 1, Duration::ZERO);
            c.move_coordinator(CoordinatorKind::Transaction, "me", 2, Duration::ZERO);
        });
        let errors = [
            (
                ApiKey::InitProducerId,
                ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
            ),
            (ApiKey::InitProducerId, ErrorCode::NOT_COORDINATOR),
            (
                ApiKey::AddPartitionsToTxn,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ),
            (
                ApiKey::AddPartitionsToTxn,
                ErrorCode::CONCURRENT_TRANSACTIONS,
            ),
            (ApiKey::AddOffsetsToTxn, ErrorCode::CONCURRENT_TRANSACTIONS),
            (ApiKey::TxnOffsetCommit, ErrorCode::NOT_COORDINATOR),
            (ApiKey::TxnOffsetCommit, ErrorCode::CONCURRENT_TRANSACTIONS),
            (ApiKey::EndTxn, ErrorCode::COORDINATOR_NOT_AVAILABLE),
            (ApiKey::EndTxn, ErrorCode::NOT_COORDINATOR),
        ];
        for (api, code) in errors {
            stage.mock().inject(Fault::on(api).error(code));
        }
        stage.begin_with(0);
        ok(&stage.reports(1)[0]);
        stage
            .mock()
            .inject(Fault::on(ApiKey::Produce).error(ErrorCode::NOT_ENOUGH_REPLICAS));
        stage.send(3);
        let sent = stage
            .producer
            .send_offsets_to_transaction(offsets("g", -1, ""), WAIT);
        sent.unwrap();
        stage.commit();
        assert_eq!(stage.committed(), [0, 3]);
        let commits = stage.mock().requests(ApiKey::TxnOffsetCommit);
        assert!(commits.iter().all(|request| request.broker == 1));
        let ends = stage.mock().requests(ApiKey::EndTxn);
        assert!(ends.iter().all(|request| request.broker == 2));
    }
}

/// What EndTxn's errors make of a commit and of an abort, whether or not the records are all written before.
#[test]
fn errors_of_the_end_lead_where_they_should() {
    let passing = [
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::CONCURRENT_TRANSACTIONS,
    ];
    let lasting = [
        ErrorCode::UNKNOWN_PRODUCER_ID,
        ErrorCode::INVALID_PRODUCER_ID_MAPPING,
        ErrorCode::INVALID_PRODUCER_EPOCH,
        ErrorCode::PRODUCER_FENCED,
        ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        ErrorCode::GROUP_AUTHORIZATION_FAILED,
        ErrorCode::INVALID_FETCH_SIZE,
    ];
    let rounds =
        [(true, true), (true, false), (false, true), (false, false)].map(|round| (1, round));
    let rounds = rounds
        .into_iter()
        .chain([(2, (true, true)), (2, (false, true))]);
    for (version, (commit, flush)) in rounds {
        let end = |stage: &Stage| match commit {
            true => stage.producer.commit_transaction(WAIT),
            false => stage.producer.abort_transaction(WAIT),
        };
        let begin = |stage: &Stage, tag| {
            stage.begin();
            stage.send(tag);
            let sent = stage
                .producer
                .send_offsets_to_transaction(offsets("g", -1, ""), WAIT);
            sent.unwrap();
            if flush {
                stage.producer.flush(WAIT).unwrap();
            }
        };
        // Ten in a row are outlasted by a call that has the time.
        let stage = stage(version, &[]);
        for code in passing {
            begin(&stage, 0);
            let fault = Fault::on(ApiKey::EndTxn).error(code).times(3);
            stage.mock().inject(fault);
            end(&stage).unwrap_or_else(|error| panic!("{code}: {error:?}"));
        }
        let expected = if commit { passing.len() } else { 0 };
        assert_eq!(stage.committed().len(), expected);
        begin(&stage, 3);
        for code in passing.into_iter().cycle().take(10) {
            stage.mock().inject(Fault::on(ApiKey::EndTxn).error(code));
        }
        end(&stage).unwrap();
        for code in lasting {
            let stage = self::stage(version, &[]);
            begin(&stage, 0);
            stage.mock().inject(Fault::on(ApiKey::EndTxn).error(code));
            let error = end(&stage).unwrap_err();
            assert_eq!((error.code, error.class), (code, Class::Fatal), "{error:?}");
            assert_eq!(stage.producer.fatal_error().unwrap().code, code);
            assert_eq!(stage.committed(), [] as [u64; 0], "{code}");
        }
    }
}

/// Offsets whose announcement had to be repeated are part of what an abort ends.
#[test]
fn an_abort_ends_offsets_that_were_announced_at_the_second_attempt() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin();
        for api in [ApiKey::AddOffsetsToTxn, ApiKey::TxnOffsetCommit] {
            stage
                .mock()
                .inject(Fault::on(api).error(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS));
        }
        let sent = stage
            .producer
            .send_offsets_to_transaction(offsets("g", -1, ""), WAIT);
        sent.unwrap();
        stage.abort();
        assert_eq!(stage.count(ApiKey::EndTxn), 1);
        let committed = stage
            .mock()
            .with(|c| c.committed_offset("g", "t", 0).is_some());
        assert!(!committed);
    }
}

/// Whatever failed, nothing but an abort is accepted, and after it all is as before.
#[test]
fn after_a_failed_step_every_other_call_is_refused_until_the_abort() {
    let steps = [
        (ApiKey::Produce, ErrorCode::TOPIC_AUTHORIZATION_FAILED),
        (
            ApiKey::AddPartitionsToTxn,
            ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        ),
        (
            ApiKey::AddOffsetsToTxn,
            ErrorCode::GROUP_AUTHORIZATION_FAILED,
        ),
        (
            ApiKey::TxnOffsetCommit,
            ErrorCode::GROUP_AUTHORIZATION_FAILED,
        ),
    ];
    // The second protocol has no AddPartitionsToTxn and AddOffsetsToTxn.
    for (version, steps) in [(1, &steps[..]), (2, &[steps[0], steps[3]])] {
        let stage = stage(version, &[]);
        for (round, (api, code)) in steps.iter().copied().enumerate() {
            stage.begin();
            stage.mock().inject(Fault::on(api).error(code));
            let tag = round as u64 * 3;
            stage.send(tag);
            // Not sent at all, where its partition was refused.
            match api {
                ApiKey::Produce => assert_eq!(stage.reports(1)[0].error, code),
                ApiKey::AddPartitionsToTxn => {
                    assert_eq!(stage.reports(1)[0].error, ErrorCode::ABORTED);
                }
                _ => {}
            }
            let send_offsets = || {
                stage
                    .producer
                    .send_offsets_to_transaction(offsets("g", -1, ""), WAIT)
                    .unwrap_err()
            };
            for error in [send_offsets(), send_offsets()] {
                assert_eq!((error.code, error.class), (code, Class::Abortable), "{api}");
            }
            let commit = stage.producer.commit_transaction(WAIT).unwrap_err();
            assert_eq!((commit.code, commit.class), (code, Class::Abortable));
            assert_eq!(
                send_to(&stage.producer, 0, 99),
                Err(ErrorCode::TRANSACTION_ABORTABLE)
            );
            stage.abort();
            while stage.producer.metrics().reports_queued > 0 {
                stage.reports(1);
            }
        }
        stage.transact(30);
        assert_eq!(stage.committed(), [30]);
    }
}

/// Offsets alone make a transaction, which is committed or not at all.
#[test]
fn offsets_without_records_are_committed_or_not() {
    for version in BOTH {
        for commit in [true, false] {
            let stage = stage(version, &[]);
            stage.begin();
            let sent = stage
                .producer
                .send_offsets_to_transaction(offsets("g", -1, ""), WAIT);
            sent.unwrap();
            match commit {
                true => stage.commit(),
                false => stage.abort(),
            }
            assert_eq!(stage.count(ApiKey::EndTxn), 1);
            let committed = || {
                let offset = stage
                    .mock()
                    .with(|c| c.committed_offset("g", "t", 0).cloned());
                offset.map(|offset| offset.offset)
            };
            match commit {
                true => until("the offset is there", || committed() == Some(7)),
                false => assert_eq!(committed(), None),
            }
            stage.transact(0);
            assert_eq!(stage.committed(), [0]);
        }
    }
}

/// Without offsets there is nothing to send, however often.
#[test]
fn no_offsets_are_no_part_of_the_transaction() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin();
        for _ in 0..3 {
            let none = Offsets {
                offsets: Vec::new(),
                ..offsets("g", -1, "")
            };
            stage
                .producer
                .send_offsets_to_transaction(none, WAIT)
                .unwrap();
        }
        stage.commit();
        for api in [
            ApiKey::AddOffsetsToTxn,
            ApiKey::TxnOffsetCommit,
            ApiKey::EndTxn,
        ] {
            assert_eq!(stage.count(api), 0, "{api}");
        }
    }
}

/// The brokers say that somebody else has the transactional id when a new epoch is asked for, or when the abort ends.
#[test]
fn an_abort_that_hears_of_a_newer_instance_is_fatal() {
    let fenced = [
        ErrorCode::INVALID_PRODUCER_EPOCH,
        ErrorCode::PRODUCER_FENCED,
    ];
    for version in BOTH {
        for (api, code) in [ApiKey::InitProducerId, ApiKey::EndTxn]
            .into_iter()
            .flat_map(|api| fenced.map(|code| (api, code)))
        {
            let stage = open(version, &[]);
            stage.mock().inject(
                Fault::on(ApiKey::Produce)
                    .partition("t", 0)
                    .error(ErrorCode::UNKNOWN_PRODUCER_ID),
            );
            stage.send(3);
            assert_ne!(stage.reports(1)[0].error, ErrorCode::OK);
            let commit = stage.producer.commit_transaction(WAIT).unwrap_err();
            assert_eq!(commit.class, Class::Abortable, "{commit:?}");
            stage.mock().inject(Fault::on(api).error(code));
            let ended = stage.producer.abort_transaction(WAIT);
            // The second protocol needs no new identity: each transaction has an epoch of its own.
            if version == 2 && api == ApiKey::InitProducerId {
                ended.unwrap();
                continue;
            }
            // Under the first one it is asked for after the end, so that the next transaction hears of it.
            let error = match ended {
                Err(error) => error,
                Ok(()) => stage.producer.begin_transaction(WAIT).unwrap_err(),
            };
            assert_eq!((error.code, error.class), (code, Class::Fatal), "{api}");
            assert_eq!(stage.producer.fatal_error().unwrap().code, code);
        }
    }
}

/// Refused batches make those behind them come out of order: they follow one another again, under the epoch that they
/// had.
#[test]
fn a_batch_out_of_order_behind_refused_ones_changes_no_epoch() {
    for version in BOTH {
        let stage = stage(version, &[("batch.size", "0"), ("linger.ms", "0")]);
        stage.begin_with(0);
        ok(&stage.reports(1)[0]);
        let epoch = stage.epoch();
        let faults = [
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::NOT_LEADER_OR_FOLLOWER,
            ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        ];
        let slow = Duration::from_millis(100);
        for code in faults {
            let fault = Fault::on(ApiKey::Produce).partition("t", 0);
            stage.mock().inject(fault.error(code).delay(slow));
        }
        [3, 6, 9].into_iter().for_each(|tag| stage.send(tag));
        stage.producer.flush(WAIT).unwrap();
        stage.reports(3).iter().for_each(ok);
        assert_eq!(stage.mock().with(|c| c.waiting_faults()), 0);
        assert_eq!(stage.epoch(), epoch);
        stage.commit();
        let stored = stage.mock().with(|c| c.batches("t", 0));
        let records = stored.iter().filter(|batch| batch.marker().is_none());
        assert!(records.clone().all(|b| b.header.producer_epoch == epoch));
        assert_eq!(records.count(), 4);
        assert_eq!(stage.committed(), [0, 3, 6, 9]);
    }
}

/// The transactional id keeps its producer id: its next instance has the next epoch.
#[test]
fn a_restarted_producer_has_its_id_again() {
    for version in BOTH {
        let stage = stage(version, &[]);
        let identity = |stage: &Stage| {
            let seen = |t: &kprod::mock::Transaction| (t.producer_id, t.producer_epoch);
            stage.mock().with(|c| seen(c.transaction("me").unwrap()))
        };
        stage.producer.start(WAIT).unwrap();
        let first = identity(&stage);
        stage.producer.close(WAIT).unwrap();
        let next = another(&stage.server, &[]);
        next.start(WAIT).unwrap();
        assert_eq!(identity(&stage), (first.0, first.1 + 1));
    }
}

/// Permissions that are missing at the start are named, and may be given.
#[test]
fn a_start_without_permission_says_so() {
    let steps = [
        (
            ApiKey::InitProducerId,
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        ),
        (
            ApiKey::FindCoordinator,
            ErrorCode::CLUSTER_AUTHORIZATION_FAILED,
        ),
        (
            ApiKey::FindCoordinator,
            ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        ),
    ];
    for (api, code) in steps {
        let stage = stage(2, &[]);
        stage.mock().inject(Fault::on(api).error(code));
        let error = stage.producer.start(WAIT).unwrap_err();
        assert_eq!(error.code, code, "{api}: {error:?}");
        assert_eq!(error.class, Class::Permanent, "{api}: {error:?}");
        stage.transact(0);
    }
}

/// The epoch that fences it may be its own: its request was done, and the coordinator forgot by whom.
#[test]
fn a_fenced_start_whose_first_request_had_no_answer_says_so() {
    let stage = stage(1, &[]);
    let on = || Fault::on(ApiKey::InitProducerId);
    let lost = on().kind(FaultKind::Disconnect(When::AfterWork));
    stage.mock().inject(lost);
    stage.mock().inject(on().error(ErrorCode::PRODUCER_FENCED));
    let error = stage.producer.start(WAIT).unwrap_err();
    assert_eq!(error.code, ErrorCode::PRODUCER_FENCED);
    let told = "the one before had no answer";
    assert!(error.message.contains(told), "{}", error.message);
}

/// Brokers from before transactions.
#[test]
fn brokers_without_transactions_are_named() {
    let server = MockServer::start(ClusterConfig {
        brokers: 1,
        version: KafkaVersion::V2_1,
        ..ClusterConfig::default()
    })
    .unwrap();
    server
        .handle()
        .with(|c| c.set_api_versions(1, ApiKey::InitProducerId, None));
    let producer = another(&server, &[]);
    let error = producer.start(WAIT).unwrap_err();
    assert_eq!(
        (error.code, error.class),
        (ErrorCode::NOT_SUPPORTED, Class::Fatal),
        "{error:?}"
    );
    let begin = producer.begin_transaction(WAIT).unwrap_err();
    assert_eq!(begin.class, Class::Fatal, "{begin:?}");
}

/// A coordinator that is found and not available is not asked again without a pause.
#[test]
fn offsets_are_sent_again_after_the_backoff_only() {
    for version in BOTH {
        let stage = stage(version, &[("retry.backoff.ms", "100")]);
        stage.begin_with(0);
        let unavailable = Fault::on(ApiKey::TxnOffsetCommit);
        stage.mock().inject(
            unavailable
                .error(ErrorCode::COORDINATOR_NOT_AVAILABLE)
                .times(4),
        );
        let began = Instant::now();
        let sent = stage
            .producer
            .send_offsets_to_transaction(offsets("g", -1, ""), WAIT);
        sent.unwrap();
        // Four pauses, each of which may be shortened by its jitter.
        assert!(began.elapsed() >= Duration::from_millis(4 * 80));
        assert_eq!(stage.count(ApiKey::TxnOffsetCommit), 5);
        stage.commit();
    }
}

/// The group joined the transaction, although its offsets were refused or nobody was told: the abort ends that too.
#[test]
fn an_abort_ends_what_a_group_alone_has_joined() {
    for version in BOTH {
        let stage = stage(version, &[("request.timeout.ms", "300")]);
        let join = match version {
            1 => ApiKey::AddOffsetsToTxn,
            _ => ApiKey::TxnOffsetCommit,
        };
        let lost = Fault::on(join).kind(FaultKind::Swallow(When::AfterWork));
        let refused =
            Fault::on(ApiKey::TxnOffsetCommit).error_after_work(ErrorCode::ILLEGAL_GENERATION);
        for (fault, expected) in [
            (lost, ErrorCode::TIMED_OUT),
            (refused, ErrorCode::ILLEGAL_GENERATION),
        ] {
            stage.mock().inject(fault);
            stage.begin();
            let limit = Timeout::After(Duration::from_millis(100));
            let sent = stage
                .producer
                .send_offsets_to_transaction(offsets("g", -1, ""), limit);
            assert_eq!(sent.unwrap_err().code, expected);
            assert_eq!(stage.state(), TransactionState::Ongoing);
            stage.abort();
            assert_ne!(
                stage.state(),
                TransactionState::Ongoing,
                "{version} {expected:?}"
            );
        }
        stage.transact(1);
        assert_eq!(stage.committed(), [1]);
    }
}
