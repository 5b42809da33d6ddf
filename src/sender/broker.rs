//! A broker as the engine sees it: its address, its connection, and the partitions that have something for it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::STALL_CHECK;
use crate::network::{Backoff, BrokerAddress, ConnectionHandle, ConnectionId};
use crate::protocol::VersionSet;

/// Ids of bootstrap servers count down from here, where no node id is.
pub const FIRST_BOOTSTRAP_ID: i32 = -1_000;

/// The connection to a broker, if any.
#[derive(Debug)]
pub enum Link {
    Idle,
    /// The last attempt failed; the next may begin then.
    Backoff {
        until: Instant,
    },
    Connecting {
        conn: ConnectionId,
        handle: ConnectionHandle,
    },
    Ready {
        conn: ConnectionId,
        handle: ConnectionHandle,
        versions: Box<VersionSet>,
    },
}

/// A time in which nothing is written to a broker.
#[derive(Clone, Copy, Debug)]
pub struct Silence {
    pub since: Instant,
    pub until: Instant,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Metadata,
    /// Records, or a step of a transaction.
    Work,
}

#[derive(Debug)]
pub struct Broker {
    pub id: i32,
    pub address: BrokerAddress,
    pub link: Link,
    backoff: Backoff,
    /// Why the last attempt to connect failed; none since one succeeded.
    pub trouble: Option<Arc<str>>,
    /// A connection that was lost with answers outstanding is reopened at once, but only once in a row.
    reopened: bool,
    /// The last connection ended with work outstanding, and none has been done since.
    spoiled: bool,
    /// Partitions with something to send, each once.
    pub list: VecDeque<usize>,
    /// When the first of them is due; then all go.
    pub due: Option<Instant>,
    /// Requests without an answer.
    pub in_flight: usize,
    /// The broker asked for it (KIP-219).
    pub silence: Option<Silence>,
    /// Since when it has had something due that it could not take.
    pub blocked_since: Option<Instant>,
    /// When the oldest unanswered request was handed to the connection, or it began to be opened.
    pub waiting_since: Option<Instant>,
}

/// As messages name it.
impl fmt::Display for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_bootstrap() {
            true => write!(f, "bootstrap server {}", self.address),
            false => write!(f, "broker {} ({})", self.id, self.address),
        }
    }
}

impl Broker {
    pub fn new(id: i32, address: BrokerAddress, backoff: Backoff) -> Self {
        Broker {
            id,
            address,
            link: Link::Idle,
            backoff,
            trouble: None,
            reopened: false,
            spoiled: false,
            list: VecDeque::new(),
            due: None,
            in_flight: 0,
            silence: None,
            blocked_since: None,
            waiting_since: None,
        }
    }

    pub fn is_bootstrap(&self) -> bool {
        self.id <= FIRST_BOOTSTRAP_ID
    }

    pub fn is_ready(&self) -> bool {
        matches!(self.link, Link::Ready { .. })
    }

    pub fn is_backing_off(&self) -> bool {
        matches!(self.link, Link::Backoff { .. })
    }

    pub fn is_connecting(&self) -> bool {
        matches!(self.link, Link::Connecting { .. })
    }

    pub fn connection(&self) -> Option<ConnectionId> {
        match &self.link {
            Link::Connecting { conn, .. } | Link::Ready { conn, .. } => Some(*conn),
            Link::Idle | Link::Backoff { .. } => None,
        }
    }

    pub fn versions(&self) -> Option<&VersionSet> {
        match &self.link {
            Link::Ready { versions, .. } => Some(versions),
            _ => None,
        }
    }

    /// Whether a connection may be opened now.
    pub fn may_connect(&self, now: Instant) -> bool {
        match self.link {
            Link::Idle => true,
            Link::Backoff { until } => until <= now,
            Link::Connecting { .. } | Link::Ready { .. } => false,
        }
    }

    /// When it can next be drained, if nothing else happens before.
    pub fn next_drain(&self, max_in_flight: usize) -> Option<Instant> {
        let due = self.due?;
        match self.link {
            // An answer or an event of the connection comes first.
            Link::Connecting { .. } => None,
            Link::Ready { .. } if self.in_flight >= max_in_flight => None,
            Link::Ready { .. } => Some(self.silence.map_or(due, |silence| silence.until.max(due))),
            Link::Idle => Some(due),
            Link::Backoff { until } => Some(until.max(due)),
        }
    }

    pub fn is_throttled(&self, now: Instant) -> bool {
        self.silence.is_some_and(|silence| silence.until > now)
    }

    /// Nothing is to be written to it until then.
    pub fn hush(&mut self, now: Instant, until: Instant) {
        let present = self.silence.filter(|silence| silence.until > now);
        self.silence = Some(match present {
            Some(Silence { since, until: at }) => Silence {
                since,
                until: at.max(until),
            },
            None => Silence { since: now, until },
        });
    }

    /// Whether what is waited for should have come long ago.
    pub fn is_silent(&self, now: Instant) -> bool {
        self.waiting_since
            .is_some_and(|since| now.duration_since(since) >= STALL_CHECK)
    }

    pub fn make_due(&mut self, at: Instant) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    pub fn enlist(&mut self, partition: usize, due: Instant) {
        self.list.push_back(partition);
        self.make_due(due);
    }

    pub fn strike(&mut self, partition: usize) {
        self.list.retain(|listed| *listed != partition);
        if self.list.is_empty() {
            self.due = None;
        }
    }

    /// A request succeeded: the next trouble begins with a short wait again. Metadata say nothing of the work that
    /// ended the connection before.
    pub fn note_success(&mut self, subject: Subject) {
        if subject == Subject::Work || !self.spoiled {
            self.backoff.reset();
            self.reopened = false;
            self.spoiled = false;
        }
    }

    /// The connection is gone. `lost`: what was outstanding on it, if it worked.
    pub fn note_closed(
        &mut self,
        now: Instant,
        lost: Option<Subject>,
        silent: bool,
        rng: &crate::sys::Rng,
    ) {
        self.spoiled |= lost == Some(Subject::Work);
        self.in_flight = 0;
        self.silence = None;
        self.waiting_since = None;
        let at_once = silent || (lost.is_some() && !std::mem::replace(&mut self.reopened, true));
        self.link = if at_once {
            Link::Idle
        } else {
            Link::Backoff {
                until: now + self.backoff.next(rng).max(Duration::from_millis(1)),
            }
        };
    }
}
