//! What goes into a connection and what comes out of it.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::CloseReason;
use crate::protocol::{ApiKey, VersionSet};

/// Names a connection in its events. Chosen by the caller of [`Network::connect`](super::Network::connect).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// Names a request in the events of its connection. Chosen by the sender of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u64);

/// A request to be written behind those given before it.
#[derive(Debug)]
pub struct OutgoingRequest {
    pub id: RequestId,
    pub api: ApiKey,
    pub version: i16,
    /// What follows the request header, in as many parts as is convenient. Never copied.
    pub body: Vec<Bytes>,
    /// False for a Produce request with acks=0, which no broker answers.
    pub expects_response: bool,
    /// Bounds the wait for the answer, counted from the moment the last byte was handed to the socket;
    /// and before that the time the request may take at the head of the writes.
    pub timeout: Duration,
}

/// How far a request got that was never answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteState {
    /// The broker has seen nothing of it.
    NotWritten,
    /// The broker cannot have the whole of it.
    PartlyWritten,
    /// The broker may have acted on it.
    Written,
}

/// What happens on a connection. For each: at most one `Ready`, at last exactly one `Closed`.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// Connected, encrypted and authenticated as configured; these versions may be used.
    Ready {
        conn: ConnectionId,
        versions: VersionSet,
    },
    /// The request's last byte was handed to the socket. For a request without response this is its end.
    Written {
        conn: ConnectionId,
        id: RequestId,
        at: Instant,
    },
    /// The broker answered. Answers come in the order of the requests.
    Response {
        conn: ConnectionId,
        id: RequestId,
        api: ApiKey,
        version: i16,
        /// What follows the response header.
        body: Bytes,
    },
    /// The connection is no more, or never was. `unanswered` holds, in send order, every request that was
    /// accepted and had neither a response nor, where none is expected, its `Written`.
    Closed {
        conn: ConnectionId,
        reason: CloseReason,
        unanswered: Vec<(RequestId, WriteState)>,
    },
}

impl ConnectionEvent {
    pub fn connection(&self) -> ConnectionId {
        match self {
            ConnectionEvent::Ready { conn, .. }
            | ConnectionEvent::Written { conn, .. }
            | ConnectionEvent::Response { conn, .. }
            | ConnectionEvent::Closed { conn, .. } => *conn,
        }
    }
}
