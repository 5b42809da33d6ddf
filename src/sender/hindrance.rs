//! What stands between the producer and the cluster, for the errors of those who wait in vain.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::broker::Link;
use super::{Engine, Shared};
use crate::error::{Error, ErrorCode};
use crate::network::{BrokerAddress, Progress};
use crate::protocol::ApiKey;
use crate::transaction::Refused;

/// How long something is waited for before that is worth a word.
const SILENCE: Duration = Duration::from_millis(100);

/// What is known of it. The engine writes, everybody reads.
#[derive(Debug, Default)]
pub struct Hindrance {
    /// Why the cluster could not be reached or used lately.
    trouble: Mutex<Option<Error>>,
    /// What the engine waits for now.
    awaited: Mutex<Option<Awaited>>,
    refused: Mutex<Option<Refused>>,
}

/// Something without which nothing is learnt of the cluster, or no transaction gets on.
#[derive(Clone, Debug)]
enum Awaited {
    SetUp(Arc<Progress>),
    Answer {
        api: ApiKey,
        broker: BrokerAddress,
        since: Instant,
    },
}

impl Awaited {
    fn broker(&self) -> &BrokerAddress {
        match self {
            Awaited::SetUp(progress) => progress.broker(),
            Awaited::Answer { broker, .. } => broker,
        }
    }

    fn since(&self) -> Instant {
        match self {
            Awaited::SetUp(progress) => progress.begun(),
            Awaited::Answer { since, .. } => *since,
        }
    }
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Awaited::SetUp(progress) => progress.fmt(f),
            Awaited::Answer { api, broker, since } => {
                let waited = since.elapsed();
                write!(f, "{broker} has not answered {api} after {waited:.1?}")
            }
        }
    }
}

impl Hindrance {
    fn told(&self, otherwise: ErrorCode) -> Option<Error> {
        let trouble = self.trouble.lock().clone();
        let awaited = self.awaited.lock().clone();
        let awaited = awaited.filter(|awaited| awaited.since().elapsed() >= SILENCE);
        let refused = *self.refused.lock();
        let refused = refused.filter(|refused| refused.since.elapsed() >= SILENCE);
        match (trouble, awaited) {
            (None, None) => refused.map(|refused| Error::new(otherwise, refused.to_string())),
            (None, Some(awaited)) => Some(Error::new(otherwise, awaited.to_string())),
            // What is awaited of a broker that has failed before is nothing new.
            (Some(trouble), Some(awaited))
                if !trouble.message.contains(&awaited.broker().to_string()) =>
            {
                let message = format!("{}; {awaited}", trouble.message);
                Some(Error { message, ..trouble })
            }
            (Some(trouble), _) => Some(trouble),
        }
    }
}

impl Shared {
    /// Why the cluster cannot be reached or used, or what is being waited for; none when all is well. The code is
    /// `otherwise` where nothing has failed yet.
    pub fn hindrance(&self, otherwise: ErrorCode) -> Option<Error> {
        self.hindrance.told(otherwise)
    }

    /// Why the cluster could not be reached or used lately, if so.
    pub(super) fn trouble(&self) -> Option<Error> {
        self.hindrance.trouble.lock().clone()
    }

    pub(super) fn set_trouble(&self, trouble: Option<Error>) {
        *self.hindrance.trouble.lock() = trouble;
    }
}

impl Engine {
    /// Notes the step that is tried in vain, if that is another than before.
    pub(super) fn note_refused(&mut self) {
        let refused = self.transactor.refused();
        if self.refused != refused {
            self.refused = refused;
            *self.shared.hindrance.refused.lock() = refused;
        }
    }

    /// Notes what has been waited for longest, after a connection or a question has begun or ended.
    pub(super) fn note_awaited(&self) {
        let connecting = self.brokers.values().filter_map(|broker| {
            let Link::Connecting { handle, .. } = &broker.link else {
                return None;
            };
            Some(Awaited::SetUp(handle.progress().clone()))
        });
        let asked = self.requests.values().filter_map(|outstanding| {
            let question = outstanding.question()?;
            Some(Awaited::Answer {
                api: question.api,
                broker: self.brokers.get(&question.broker)?.address.clone(),
                since: question.sent,
            })
        });
        let longest = connecting.chain(asked).min_by_key(Awaited::since);
        *self.shared.hindrance.awaited.lock() = longest;
    }
}
