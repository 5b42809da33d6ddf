//! The user's transactional calls: one at a time, and one that ran out of time is resumed by the same call only.

use std::fmt;

use tokio::time::Instant;

use super::offsets::Offsets;
use crate::completion::Operation;
use crate::error::{Error, ErrorCode};

/// What a user asks of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Begin,
    SendOffsets,
    Commit,
    Abort,
}

impl fmt::Display for Call {
    /// The name in the C API.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Call::Begin => "kprod_begin_transaction",
            Call::SendOffsets => "kprod_send_offsets_to_transaction",
            Call::Commit => "kprod_commit_transaction",
            Call::Abort => "kprod_abort_transaction",
        })
    }
}

/// What became of a call on its arrival.
#[derive(Debug)]
pub enum Entry {
    /// It waits for the call that it resumes, was answered, or was refused.
    Settled,
    /// It begins.
    New,
}

/// A call with what it was given.
#[derive(Debug, PartialEq)]
struct Asked {
    call: Call,
    offsets: Option<Offsets>,
}

/// A call under way.
#[derive(Debug)]
struct Current {
    asked: Asked,
    /// Who waits for its result, and until when; none after a timeout, until it is resumed.
    waiting: Option<(Instant, Operation)>,
}

impl Current {
    /// Why another call is refused.
    fn refuse(&self, call: Call) -> Error {
        match self.waiting {
            Some(_) => Error::new(
                ErrorCode::ILLEGAL_STATE,
                format!(
                    "{call}: {} has not ended, and its caller waits for it",
                    self.asked.call
                ),
            ),
            None => refused(call, self.asked.call, "has not ended"),
        }
    }
}

/// The call under way, and a result that nobody has waited for.
#[derive(Debug, Default)]
pub(super) struct Calls {
    current: Option<Current>,
    outcome: Option<(Asked, Result<(), Error>)>,
}

impl Calls {
    pub fn current(&self) -> Option<Call> {
        self.current.as_ref().map(|current| current.asked.call)
    }

    /// Whether somebody waits for the call under way.
    pub fn is_awaited(&self) -> bool {
        let current = self.current.as_ref();
        current.is_some_and(|current| current.waiting.is_some())
    }

    pub fn enter(
        &mut self,
        call: Call,
        offsets: Option<&Offsets>,
        deadline: Instant,
        operation: Operation,
    ) -> Entry {
        let asked = Asked {
            call,
            offsets: offsets.cloned(),
        };
        let needs_none = |ended: &Asked| (ended.call, call) == (Call::SendOffsets, Call::Abort);
        if let Some((ended, result)) = self.outcome.take_if(|(ended, _)| !needs_none(ended)) {
            if ended == asked {
                operation.complete(result.map(|()| 0));
            } else {
                operation.complete(Err(refused(call, ended.call, "has ended meanwhile")));
                self.outcome = Some((ended, result));
            }
            return Entry::Settled;
        }
        match &mut self.current {
            // The same again, of which the first has timed out.
            Some(current) if current.waiting.is_none() && current.asked == asked => {
                current.waiting = Some((deadline, operation));
                Entry::Settled
            }
            Some(current) if current.waiting.is_some() || !needs_none(&current.asked) => {
                operation.complete(Err(current.refuse(call)));
                Entry::Settled
            }
            // What is aborted needs no offsets.
            Some(_) | None => {
                self.outcome = None;
                self.current = Some(Current {
                    asked,
                    waiting: Some((deadline, operation)),
                });
                Entry::New
            }
        }
    }

    /// The call is over. Without anybody who waits, the result is kept for the same call.
    pub fn conclude(&mut self, result: Result<(), Error>) {
        let Some(current) = self.current.take() else {
            return;
        };
        match current.waiting {
            None => self.outcome = Some((current.asked, result)),
            Some((_, operation)) => operation.complete(result.map(|()| 0)),
        }
    }

    /// Forgets the call under way, for which nobody waits.
    pub fn forget(&mut self) {
        self.current = None;
    }

    /// Answers who has no more time. The call goes on.
    pub fn expire(&mut self, now: Instant, error: impl Fn(Call) -> Error) {
        if let Some(current) = &mut self.current
            && let Some((_, operation)) = current.waiting.take_if(|(at, _)| *at <= now)
        {
            operation.complete(Err(error(current.asked.call)));
        }
    }
}

fn refused(call: Call, other: Call, why: &str) -> Error {
    let with = match other {
        Call::SendOffsets => " with the same arguments",
        Call::Begin | Call::Commit | Call::Abort => "",
    };
    Error::new(
        ErrorCode::ILLEGAL_STATE,
        format!("{call}: {other} {why}: call it again{with} for its result first"),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::completion::{Completer, Completions, Waiter};
    use crate::config::DeliveryReports;

    struct Bench {
        calls: Calls,
        hub: Arc<Completions>,
        now: Instant,
    }

    type Answer = Arc<Waiter<Result<u32, Error>>>;

    impl Bench {
        fn new() -> Self {
            let hub = Completions::new(DeliveryReports::All, false, 1, None);
            Bench {
                calls: Calls::default(),
                hub: Arc::new(hub),
                now: Instant::now(),
            }
        }

        fn enter(&mut self, call: Call) -> (Entry, Answer) {
            let answer = Waiter::new();
            let completer = Completer::Thread(answer.clone());
            let operation = Operation::new(completer, self.hub.clone());
            let entry = self.calls.enter(call, None, self.now, operation);
            (entry, answer)
        }

        fn expire(&mut self) {
            let late = |_| Error::new(ErrorCode::TIMED_OUT, "late");
            self.calls.expire(self.now + Duration::from_millis(1), late);
        }
    }

    fn code(answer: &Answer) -> Option<ErrorCode> {
        let past = Some(Instant::now());
        let result = answer.wait(past)?;
        Some(result.map_or_else(|error| error.code, |_| ErrorCode::OK))
    }

    #[test]
    fn while_somebody_waits_every_call_is_refused() {
        let mut bench = Bench::new();
        let (entry, first) = bench.enter(Call::Commit);
        assert!(matches!(entry, Entry::New));
        for call in [Call::Commit, Call::Abort, Call::Begin] {
            let (entry, refused) = bench.enter(call);
            assert!(matches!(entry, Entry::Settled));
            assert_eq!(code(&refused), Some(ErrorCode::ILLEGAL_STATE));
        }
        bench.calls.conclude(Ok(()));
        assert_eq!(code(&first), Some(ErrorCode::OK));
        assert_eq!(bench.calls.current(), None);
    }

    #[test]
    fn a_result_without_a_waiter_is_kept_for_the_same_call_once() {
        let mut bench = Bench::new();
        let (_, late) = bench.enter(Call::Commit);
        bench.expire();
        assert_eq!(code(&late), Some(ErrorCode::TIMED_OUT));
        assert!(!bench.calls.is_awaited());
        bench.calls.conclude(Ok(()));
        let (_, begin) = bench.enter(Call::Begin);
        assert_eq!(code(&begin), Some(ErrorCode::ILLEGAL_STATE));
        let (_, commit) = bench.enter(Call::Commit);
        assert_eq!(code(&commit), Some(ErrorCode::OK));
        let (entry, _) = bench.enter(Call::Begin);
        assert!(matches!(entry, Entry::New));
    }

    #[test]
    fn an_abort_takes_over_from_offsets_that_nobody_waits_for() {
        let mut bench = Bench::new();
        let (_, offsets) = bench.enter(Call::SendOffsets);
        let (_, early) = bench.enter(Call::Abort);
        assert_eq!(code(&early), Some(ErrorCode::ILLEGAL_STATE));
        bench.expire();
        assert_eq!(code(&offsets), Some(ErrorCode::TIMED_OUT));
        let (entry, _) = bench.enter(Call::Abort);
        assert!(matches!(entry, Entry::New));
    }
}
