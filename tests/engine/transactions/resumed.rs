//! Calls that run out of time or meet one another: what goes on, what may be called, what comes of it.

use std::time::{Duration, Instant};

use kprod::error::{Class, Error, ErrorCode};
use kprod::mock::{Fault, FaultKind, When};
use kprod::producer::{Offsets, Producer, Timeout};
use kprod::protocol::ApiKey;

use crate::support::{ok, until};

use super::{BOTH, Stage, WAIT, offsets, stage};

const SHORT: Timeout = Timeout::After(Duration::from_millis(20));
/// Longer than `SHORT` by so much that a busy machine does not hide it.
const SLOW: Duration = Duration::from_millis(400);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Begin,
    SendOffsets,
    Commit,
    Abort,
}

const CALLS: [Call; 4] = [Call::Begin, Call::SendOffsets, Call::Commit, Call::Abort];

impl Call {
    fn make(self, producer: &Producer, timeout: Timeout) -> Result<(), Error> {
        match self {
            Call::Begin => producer.begin_transaction(timeout),
            Call::SendOffsets => producer.send_offsets_to_transaction(group_offsets(), timeout),
            Call::Commit => producer.commit_transaction(timeout),
            Call::Abort => producer.abort_transaction(timeout),
        }
    }

    /// The request that the call waits for.
    fn request(self) -> ApiKey {
        match self {
            Call::Begin => ApiKey::InitProducerId,
            Call::SendOffsets => ApiKey::TxnOffsetCommit,
            Call::Commit | Call::Abort => ApiKey::EndTxn,
        }
    }

    /// Makes a transaction in which this call may be made, with a record that is written.
    fn prepare(self, stage: &Stage, tag: u64) {
        if self == Call::Begin {
            return;
        }
        stage.begin_with(tag);
        ok(&stage.reports(1)[0]);
    }
}

fn group_offsets() -> Offsets {
    offsets("g", -1, "")
}

/// A slow coordinator: each call times out, is made again until it has its result, and meanwhile no other call is taken.
#[test]
fn every_call_that_timed_out_is_resumed_by_itself_only() {
    for version in BOTH {
        for call in CALLS {
            let stage = stage(version, &[]);
            call.prepare(&stage, 0);
            stage.mock().inject(Fault::on(call.request()).delay(SLOW));
            let mut attempts = 0;
            while let Err(error) = call.make(&stage.producer, SHORT) {
                assert_eq!(error.code, ErrorCode::TIMED_OUT, "{call:?}: {error:?}");
                attempts += 1;
                // What is aborted needs no offsets: an abort may take over from them.
                let others = CALLS.iter().filter(|other| {
                    **other != call && (call, **other) != (Call::SendOffsets, Call::Abort)
                });
                for other in others {
                    let error = other.make(&stage.producer, WAIT).unwrap_err();
                    assert_eq!(
                        error.code,
                        ErrorCode::ILLEGAL_STATE,
                        "{call:?}, then {other:?}: {error:?}"
                    );
                }
            }
            assert!(attempts > 0, "{call:?} was not slow");
            // Once, however often it was called.
            assert_eq!(stage.count(call.request()), 1, "{call:?}");
            let goes_on = match call {
                Call::Begin | Call::SendOffsets => {
                    stage.send(3);
                    stage.commit();
                    true
                }
                _ => false,
            };
            if !goes_on {
                stage.transact(3);
            }
            let expected: &[u64] = match call {
                Call::SendOffsets | Call::Commit => &[0, 3],
                Call::Begin | Call::Abort => &[3],
            };
            assert_eq!(stage.committed(), expected, "{call:?}");
        }
    }
}

/// A call that waits in one thread, and each call, the same too, in a second one.
#[test]
fn a_call_that_waits_lets_no_other_one_in() {
    for version in BOTH {
        for call in CALLS {
            let stage = stage(version, &[]);
            call.prepare(&stage, 0);
            let request = call.request();
            let swallow = FaultKind::Swallow(When::BeforeWork);
            stage.mock().inject(Fault::on(request).kind(swallow));
            std::thread::scope(|scope| {
                let waiting = scope.spawn(|| call.make(&stage.producer, WAIT));
                until("the call is under way", || stage.count(request) > 0);
                for other in CALLS {
                    let began = Instant::now();
                    let error = other.make(&stage.producer, WAIT).unwrap_err();
                    assert_eq!(
                        error.code,
                        ErrorCode::ILLEGAL_STATE,
                        "{other:?} during {call:?}: {error:?}"
                    );
                    assert!(began.elapsed() < Duration::from_secs(10), "at once");
                }
                // Its request gets no answer, and is sent again on another connection.
                (1..=3).for_each(|broker| stage.mock().disconnect(broker));
                waiting.join().unwrap().unwrap();
            });
            match call {
                Call::Begin | Call::SendOffsets => stage.commit(),
                Call::Commit | Call::Abort => stage.begin(),
            }
        }
    }
}

/// Who does not want to wait at all gets on all the same.
#[test]
fn a_begin_without_any_time_succeeds_when_it_can() {
    let stage = stage(2, &[]);
    until("a transaction is open", || {
        let begun = stage.producer.begin_transaction(Timeout::Now);
        begun.is_ok()
    });
    stage.send(1);
    stage.commit();
    assert_eq!(stage.committed(), [1]);
}

/// A success is told of the offsets that it is about.
#[test]
fn other_offsets_than_those_under_way_are_refused() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin_with(0);
        stage.reports(1);
        let slow = Fault::on(ApiKey::TxnOffsetCommit).delay(SLOW);
        stage.mock().inject(slow);
        let send = |offsets, timeout| {
            let sent = stage.producer.send_offsets_to_transaction(offsets, timeout);
            sent.map_err(|error| error.code)
        };
        assert_eq!(send(group_offsets(), SHORT), Err(ErrorCode::TIMED_OUT));
        let other = offsets("other", 5, "ghost");
        assert_eq!(send(other.clone(), WAIT), Err(ErrorCode::ILLEGAL_STATE));
        assert_eq!(send(group_offsets(), WAIT), Ok(()));
        assert_eq!(send(other, WAIT), Err(ErrorCode::ILLEGAL_GENERATION));
        stage.abort();
    }
}

/// What went wrong after the time was up is told to the call that comes for the result.
#[test]
fn a_resumed_call_is_told_what_went_wrong_meanwhile() {
    for version in BOTH {
        for call in [Call::Commit, Call::Abort] {
            let stage = stage(version, &[]);
            call.prepare(&stage, 0);
            let refused = ErrorCode::INVALID_TXN_STATE;
            stage
                .mock()
                .inject(Fault::on(ApiKey::EndTxn).error(refused).delay(SLOW));
            let late = call.make(&stage.producer, SHORT).unwrap_err();
            assert_eq!(late.code, ErrorCode::TIMED_OUT);
            until("it has failed", || stage.producer.fatal_error().is_some());
            let error = call.make(&stage.producer, WAIT).unwrap_err();
            assert_eq!((error.code, error.class), (refused, Class::Fatal));
        }
        let stage = stage(version, &[]);
        Call::Commit.prepare(&stage, 0);
        let refused = ErrorCode::TRANSACTION_ABORTABLE;
        stage
            .mock()
            .inject(Fault::on(ApiKey::EndTxn).error(refused).delay(SLOW));
        let late = stage.producer.commit_transaction(SHORT).unwrap_err();
        assert_eq!(late.code, ErrorCode::TIMED_OUT);
        let error = stage.producer.commit_transaction(WAIT).unwrap_err();
        assert_eq!((error.code, error.class), (refused, Class::Abortable));
        stage.abort();
        assert_eq!(stage.committed(), [] as [u64; 0]);
    }
}

/// Ever so many starts without time, and calls between them that come too early.
#[test]
fn a_start_that_timed_out_is_made_again_and_again() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage
            .mock()
            .inject(Fault::on(ApiKey::InitProducerId).delay(SLOW));
        let mut attempts = 0;
        while let Err(error) = stage.producer.start(SHORT) {
            assert_eq!(error.code, ErrorCode::TIMED_OUT, "{error:?}");
            assert_eq!(error.class, Class::Retriable);
            let early = stage.producer.abort_transaction(WAIT).unwrap_err();
            assert_eq!(early.code, ErrorCode::ILLEGAL_STATE);
            attempts += 1;
        }
        assert!(attempts > 0);
        // Later ones find that it has started, also within a transaction.
        stage.producer.start(WAIT).unwrap();
        stage.begin();
        stage.producer.start(WAIT).unwrap();
        stage.send(0);
        stage.commit();
        assert_eq!(stage.count(ApiKey::InitProducerId), 1);
        assert_eq!(stage.committed(), [0]);
    }
}

/// The identity that an abort asks for anew takes longer than the abort waits.
#[test]
fn an_abort_that_waits_for_a_new_identity_is_resumed() {
    for version in BOTH {
        let stage = stage(version, &[]);
        stage.begin_with(0);
        ok(&stage.reports(1)[0]);
        stage.mock().inject(
            Fault::on(ApiKey::Produce)
                .partition("t", 0)
                .error(ErrorCode::UNKNOWN_PRODUCER_ID),
        );
        stage.send(3);
        assert_eq!(stage.reports(1)[0].error, ErrorCode::UNKNOWN_PRODUCER_ID);
        let commit = stage.producer.commit_transaction(WAIT).unwrap_err();
        assert_eq!(commit.class, Class::Abortable, "{commit:?}");
        for api in [ApiKey::InitProducerId, ApiKey::EndTxn] {
            stage.mock().inject(Fault::on(api).delay(SLOW));
        }
        let late = stage.producer.abort_transaction(SHORT).unwrap_err();
        assert_eq!(
            (late.code, late.class),
            (ErrorCode::TIMED_OUT, Class::Retriable)
        );
        stage.abort();
        stage.transact(6);
        assert_eq!(stage.committed(), [6]);
    }
}

/// A commit whose records are slow to be written: it times out, and nothing of the transaction is lost by that.
#[test]
fn a_commit_waits_for_records_beyond_its_first_timeout() {
    for version in BOTH {
        let stage = stage(version, &[("linger.ms", "60000")]);
        stage.begin();
        // Every partition is announced before: an answer behind one that does not come would end the connection.
        (0..3).for_each(|tag| stage.send(tag));
        stage.producer.flush(WAIT).unwrap();
        let before = stage.count(ApiKey::Produce);
        let swallow = FaultKind::Swallow(When::AfterWork);
        stage
            .mock()
            .inject(Fault::on(ApiKey::Produce).kind(swallow));
        (3..6).for_each(|tag| stage.send(tag));
        let Err(late) = stage.producer.commit_transaction(SHORT) else {
            let requests = stage.mock().requests(ApiKey::Produce);
            panic!("committed without an answer to one of {requests:#?}");
        };
        assert_eq!(late.code, ErrorCode::TIMED_OUT);
        assert_eq!(stage.count(ApiKey::EndTxn), 0);
        until("a batch is on its way", || {
            stage.count(ApiKey::Produce) > before
        });
        (1..=3).for_each(|broker| stage.mock().disconnect(broker));
        stage.commit();
        stage.reports(6).iter().for_each(ok);
        assert_eq!(stage.committed(), [0, 1, 2, 3, 4, 5]);
    }
}
