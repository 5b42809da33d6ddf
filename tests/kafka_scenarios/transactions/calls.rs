//! Scenarios 52 and 55: calls whose time runs out, and what a broker forbids.

use std::time::Duration;

use kprod::error::{Class, Error, ErrorCode};
use kprod::producer::Timeout;

use super::*;

const SOON: Timeout = Timeout::After(Duration::from_millis(300));

fn code(result: Result<(), Error>) -> ErrorCode {
    result.expect_err("refused").code
}

/// Scenario 52: a commit or an abort that runs out of time goes on; nothing else may be called before its result is
/// fetched, and that comes once.
pub fn calls_out_of_time_go_on(kind: Kind) {
    let stage = Stage::new(kind, "52");
    let detour = Detour::before(&stage.cluster, &[1]);
    let settings = [("transactional.id", &*stage.id), ("linger.ms", "5")];
    let bed = Bed::through(detour.clone(), &stage.cluster.bootstrap(), &settings);
    let proxy = detour.proxy(stage.cluster.address(1));
    let producer = &bed.producer;
    let others_are_refused = |own: bool| {
        assert_eq!(
            code(producer.begin_transaction(WAIT)),
            ErrorCode::ILLEGAL_STATE
        );
        let offsets = offsets(&stage, "group-52", -1, "");
        let offsets = producer.send_offsets_to_transaction(offsets, WAIT);
        assert_eq!(code(offsets), ErrorCode::ILLEGAL_STATE);
        let other = match own {
            true => producer.abort_transaction(WAIT),
            false => producer.commit_transaction(WAIT),
        };
        assert_eq!(code(other), ErrorCode::ILLEGAL_STATE);
        let record = record_at(&stage.topic, 0, b"999", 999);
        assert_eq!(producer.send(&record), Err(ErrorCode::ILLEGAL_STATE));
    };

    // Resumed by the same call, while nothing moves.
    begin(producer);
    stage.send(&bed, 0..20);
    bed.flush();
    proxy.stall();
    assert_eq!(
        code(producer.commit_transaction(SOON)),
        ErrorCode::TIMED_OUT
    );
    others_are_refused(true);
    proxy.heal();
    commit(producer);
    stage.expect_committed(&range(0..20));

    // Done behind the caller's back, with records that had not gone when it began, and over lost connections.
    begin(producer);
    stage.send(&bed, 20..40);
    proxy.refuse();
    assert_eq!(
        code(producer.commit_transaction(SOON)),
        ErrorCode::TIMED_OUT
    );
    proxy.heal();
    stage.expect_committed(&range(0..40));
    others_are_refused(true);
    commit(producer);

    // An abort is no different.
    begin(producer);
    stage.send(&bed, 40..60);
    bed.flush();
    proxy.stall();
    assert_eq!(code(producer.abort_transaction(SOON)), ErrorCode::TIMED_OUT);
    others_are_refused(false);
    proxy.heal();
    abort(producer);

    begin(producer);
    stage.send(&bed, 60..80);
    commit(producer);
    stage.expect_committed(&[range(0..40), range(60..80)].concat());
}

/// Sends the tags in a transaction, and commits it.
fn commits(stage: &Stage, bed: &Bed, tags: std::ops::Range<u64>) {
    begin(&bed.producer);
    stage.send(bed, tags);
    commit(&bed.producer);
}

/// The transaction has failed with this and can only be aborted; which helps.
fn can_only_be_aborted(bed: &Bed, expected: ErrorCode) {
    let error = bed.producer.commit_transaction(WAIT).expect_err("doomed");
    assert_eq!((error.code, error.class), (expected, Class::Abortable));
    abort(&bed.producer);
}

/// Scenario 55: a topic that may not be written to, a group whose offsets may not be committed.
pub fn what_is_forbidden_dooms_the_transaction(kind: Kind) {
    let stage = Stage::new(kind, "55");
    let admin = stage.cluster.admin();
    let (forbidden, group) = ("transactions-55-forbidden", "transactions-55-group");
    stage.cluster.create_topic(forbidden, 1, &[]);
    let bed = stage.bed();
    let mut expected = range(0..10);
    commits(&stage, &bed, 0..10);

    admin.forbid("TOPIC", forbidden, "WRITE");
    let probe = Bed::new(&stage.cluster.bootstrap(), &[]);
    wait_for("the topic to be forbidden", LONG, || {
        probe.send(&record_at(forbidden, 0, b"0", 0));
        let error = probe.reports(1)[0].error;
        (error == ErrorCode::TOPIC_AUTHORIZATION_FAILED).then_some(())
    });
    begin(&bed.producer);
    stage.send(&bed, 10..20);
    bed.send(&record_at(forbidden, 0, b"1", 1));
    bed.flush();
    can_only_be_aborted(&bed, ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    commits(&stage, &bed, 20..30);
    expected.extend(20..30);

    admin.forbid("GROUP", group, "READ");
    let send_offsets = || {
        let offsets = offsets(&stage, group, -1, "");
        bed.producer.send_offsets_to_transaction(offsets, WAIT)
    };
    let error = wait_for("the group to be forbidden", LONG, || {
        begin(&bed.producer);
        let sent = send_offsets();
        if sent.is_ok() {
            abort(&bed.producer);
        }
        sent.err()
    });
    assert_eq!(
        (error.code, error.class),
        (ErrorCode::GROUP_AUTHORIZATION_FAILED, Class::Abortable)
    );
    let late = stage.try_send(&bed, 30..31);
    assert_eq!(late, Err(ErrorCode::TRANSACTION_ABORTABLE));
    can_only_be_aborted(&bed, ErrorCode::GROUP_AUTHORIZATION_FAILED);

    // Given back, it is as if it had never been away.
    admin.allow("GROUP", group);
    wait_for("the group to be allowed", LONG, || {
        begin(&bed.producer);
        let sent = send_offsets();
        abort(&bed.producer);
        sent.ok()
    });
    commits(&stage, &bed, 40..50);
    expected.extend(40..50);
    stage.expect_committed(&expected);
    let written = stage.cluster.consumer(Isolation::ReadCommitted);
    let written = written.read_all(forbidden);
    assert!(written.iter().all(|r| r.value.as_deref() == Some(b"0")));
}

/// Scenario 55: a transactional id that may not be used, at the start and in a transaction.
pub fn a_forbidden_id_is_fatal(kind: Kind) {
    let stage = Stage::new(kind, "55-id");
    let admin = stage.cluster.admin();
    let denied = ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    let bed = stage.bed();
    commits(&stage, &bed, 0..10);
    begin(&bed.producer);
    stage.send(&bed, 10..20);
    bed.flush();
    bed.reports(20);
    admin.forbid("TRANSACTIONAL_ID", &stage.id, "WRITE");
    let fatal = wait_for("the end of the producer", LONG, || {
        let _ = stage.try_send(&bed, 20..22);
        bed.producer.fatal_error()
    });
    assert_eq!((fatal.code, fatal.class), (denied, Class::Fatal));
    assert_eq!(code(bed.producer.commit_transaction(WAIT)), denied);
    assert_eq!(code(bed.producer.abort_transaction(WAIT)), denied);

    // The start is only refused: it may be made again.
    let next = stage.bed();
    let refused = next.producer.begin_transaction(WAIT);
    assert_eq!(code(refused), denied);
    assert!(next.producer.fatal_error().is_none());
    admin.allow("TRANSACTIONAL_ID", &stage.id);
    wait_for("the id to be allowed", LONG, || {
        next.producer.begin_transaction(WAIT).ok()
    });
    stage.send(&next, 30..40);
    commit(&next.producer);
    stage.expect_committed(&[range(0..10), range(30..40)].concat());
}
