//! Faults: what the mock cluster is told to do wrong, and to which requests.

use crate::error::ErrorCode;
use crate::protocol::ApiKey;
use bytes::Bytes;
use std::time::Duration;

/// On which side of the work a fault strikes: did the broker do what it was asked, or not?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    BeforeWork,
    AfterWork,
}

/// An error that a broker answers with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InjectedError {
    pub code: ErrorCode,
    pub when: When,
    pub message: Option<String>,
    /// Produce: the records said to be at fault (KIP-467).
    pub records: Vec<(i32, Option<String>)>,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Nothing but the delay or throttle time.
    None,
    Error(InjectedError),
    /// There is no answer.
    Swallow(When),
    /// The connection is closed instead of an answer.
    Disconnect(When),
    /// These bytes instead of an answer.
    Garbage(Bytes),
    /// The answer's frame is whole, but these bytes follow its correlation id.
    Instead(Bytes),
    /// The answer's frame is whole, but only this many bytes of the answer are in it.
    Truncate(usize),
    /// The connection is closed after this many bytes of the answer's frame.
    CutFrame(usize),
    /// The answer's correlation id is one too high.
    WrongCorrelationId,
    /// The answer's frame announces this length.
    HostileLength(i32),
}

/// A fault and the requests that it strikes.
#[derive(Clone, Debug)]
pub struct Fault {
    api: ApiKey,
    broker: Option<i32>,
    scope: Scope,
    times: u32,
    delay: Duration,
    throttle: Duration,
    kind: FaultKind,
}

#[derive(Clone, Debug)]
enum Scope {
    Request,
    Topic(String),
    Partition(String, i32),
    Key(String),
}

impl Fault {
    /// The next request of `api`, at any broker.
    pub fn on(api: ApiKey) -> Self {
        Fault {
            api,
            broker: None,
            scope: Scope::Request,
            times: 1,
            delay: Duration::ZERO,
            throttle: Duration::ZERO,
            kind: FaultKind::None,
        }
    }

    /// Only at this broker.
    pub fn broker(self, id: i32) -> Self {
        Fault {
            broker: Some(id),
            ..self
        }
    }

    /// Only requests that name this topic; an error is that of its partitions alone.
    pub fn topic(self, topic: &str) -> Self {
        Fault {
            scope: Scope::Topic(topic.to_owned()),
            ..self
        }
    }

    /// Only requests that name this partition; an error is that of the partition alone.
    pub fn partition(self, topic: &str, partition: i32) -> Self {
        Fault {
            scope: Scope::Partition(topic.to_owned(), partition),
            ..self
        }
    }

    /// Only requests that name this transactional id or group.
    pub fn key(self, key: &str) -> Self {
        Fault {
            scope: Scope::Key(key.to_owned()),
            ..self
        }
    }

    /// The next `times` requests; 0 counts as 1.
    pub fn times(self, times: u32) -> Self {
        let times = times.max(1);
        Fault { times, ..self }
    }

    /// Every request until the faults are cleared.
    pub fn forever(self) -> Self {
        self.times(u32::MAX)
    }

    /// The answer comes this much later. What was asked is done at once.
    pub fn delay(self, delay: Duration) -> Self {
        Fault { delay, ..self }
    }

    /// The answer asks the client to stop sending for so long (KIP-219).
    pub fn throttle(self, throttle: Duration) -> Self {
        Fault { throttle, ..self }
    }

    /// The answer is this error, and nothing is done.
    pub fn error(self, code: ErrorCode) -> Self {
        self.injected(code, When::BeforeWork)
    }

    /// The answer is this error although the work was done.
    pub fn error_after_work(self, code: ErrorCode) -> Self {
        self.injected(code, When::AfterWork)
    }

    fn injected(self, code: ErrorCode, when: When) -> Self {
        self.kind(FaultKind::Error(InjectedError {
            code,
            when,
            message: None,
            records: Vec::new(),
        }))
    }

    pub fn kind(self, kind: FaultKind) -> Self {
        Fault { kind, ..self }
    }

    fn strikes(&self, api: ApiKey, broker: i32, touched: &[Touched], keys: &[String]) -> bool {
        let within = match &self.scope {
            Scope::Request => true,
            Scope::Key(key) => keys.contains(key),
            Scope::Topic(_) | Scope::Partition(..) => touched.iter().any(|t| self.covers(t)),
        };
        within && self.api == api && self.broker.is_none_or(|id| id == broker)
    }

    fn covers(&self, touched: &Touched) -> bool {
        match &self.scope {
            Scope::Request | Scope::Key(_) => true,
            Scope::Topic(topic) => *topic == touched.topic,
            Scope::Partition(topic, partition) => {
                *topic == touched.topic && touched.partition == Some(*partition)
            }
        }
    }

    fn spoils_the_answer(&self) -> bool {
        !matches!(self.kind, FaultKind::None | FaultKind::Error(_))
    }

    fn error_within_request(&self) -> Option<&InjectedError> {
        match (&self.scope, &self.kind) {
            (Scope::Topic(_) | Scope::Partition(..), FaultKind::Error(error)) => Some(error),
            _ => None,
        }
    }
}

/// A topic or partition that a request names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Touched {
    pub topic: String,
    pub partition: Option<i32>,
}

/// The errors to answer one request with.
#[derive(Debug, Default)]
pub(super) struct Errors {
    whole: Option<InjectedError>,
    within: Vec<(Touched, InjectedError)>,
}

impl Errors {
    /// The code for the whole request; 0 for none.
    pub fn code(&self) -> i16 {
        self.error().map_or(0, |error| super::wire(error.code))
    }

    /// The error for the whole request.
    pub fn error(&self) -> Option<&InjectedError> {
        self.whole.as_ref()
    }

    /// The code for the whole request that comes instead of its work.
    pub fn before_work(&self) -> Option<ErrorCode> {
        self.at(When::BeforeWork)
    }

    /// The code for the whole request that comes although the work was done.
    pub fn after_work(&self) -> Option<ErrorCode> {
        self.at(When::AfterWork)
    }

    fn at(&self, when: When) -> Option<ErrorCode> {
        let error = self.error().filter(|error| error.when == when);
        error.map(|error| error.code)
    }

    /// The error of a topic, in requests that name no partitions.
    pub fn of_topic(&self, topic: &str) -> Option<&InjectedError> {
        self.find(|t| t.topic == topic)
    }

    pub fn of_partition(&self, topic: &str, partition: i32) -> Option<&InjectedError> {
        self.find(|t| t.topic == topic && t.partition == Some(partition))
    }

    fn find(&self, is: impl Fn(&Touched) -> bool) -> Option<&InjectedError> {
        let within = self.within.iter().find(|(touched, _)| is(touched));
        within.map(|(_, error)| error).or(self.whole.as_ref())
    }
}

/// What strikes one request.
#[derive(Debug)]
pub(super) struct Strike {
    pub kind: FaultKind,
    pub delay: Duration,
    pub throttle: Duration,
    pub errors: Errors,
}

/// The faults that wait for their requests, oldest first.
#[derive(Debug, Default)]
pub(super) struct Faults {
    waiting: Vec<Fault>,
}

impl Faults {
    pub fn push(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Takes what strikes a request, oldest first: a fault that spoils the whole answer strikes alone; else one
    /// fault of the whole request, and for each partition the error meant for it.
    pub fn strike(
        &mut self,
        api: ApiKey,
        broker: i32,
        touched: &[Touched],
        keys: &[String],
    ) -> Strike {
        let mut strike = Strike {
            kind: FaultKind::None,
            delay: Duration::ZERO,
            throttle: Duration::ZERO,
            errors: Errors::default(),
        };
        let mut struck = false;
        let mut whole_struck = false;
        for fault in &mut self.waiting {
            if !fault.strikes(api, broker, touched, keys) || (struck && fault.spoils_the_answer()) {
                continue;
            }
            let hit = match fault.error_within_request() {
                Some(error) => strike.errors.add(fault, error, touched),
                None => !std::mem::replace(&mut whole_struck, true),
            };
            if hit {
                strike.add(fault);
                struck = true;
            }
            if hit && fault.spoils_the_answer() {
                break;
            }
        }
        self.waiting.retain(|fault| fault.times > 0);
        strike
    }
}

impl Strike {
    fn add(&mut self, fault: &mut Fault) {
        self.delay = self.delay.max(fault.delay);
        self.throttle = self.throttle.max(fault.throttle);
        if fault.times != u32::MAX {
            fault.times -= 1;
        }
        match (&fault.scope, &fault.kind) {
            (Scope::Request | Scope::Key(_), FaultKind::Error(error)) => {
                self.errors.whole = Some(error.clone())
            }
            (_, FaultKind::Error(_)) => {}
            (_, kind) => self.kind = kind.clone(),
        }
    }
}

impl Errors {
    /// Adds the error for each partition that has none yet; says whether there was one.
    fn add(&mut self, fault: &Fault, error: &InjectedError, touched: &[Touched]) -> bool {
        let before = self.within.len();
        for target in touched.iter().filter(|t| fault.covers(t)) {
            if !self.within[..before].iter().any(|(t, _)| t == target) {
                self.within.push((target.clone(), error.clone()));
            }
        }
        self.within.len() > before
    }
}
