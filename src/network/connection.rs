//! The task of one connection: from `connect` to the one `Closed` event at its end.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::pipeline::{Pipeline, Sent};
use super::pump::Pump;
use super::setup::Link;
use super::{
    BrokerAddress, CloseKind, CloseReason, ConnectionEvent, ConnectionId, OutgoingRequest,
    Progress, RequestId, Shared,
};
use crate::protocol::VersionSet;

/// Gives requests to a connection. Dropping it closes the connection.
#[derive(Debug)]
pub struct ConnectionHandle {
    requests: mpsc::UnboundedSender<OutgoingRequest>,
    /// The connection lives as long as this does.
    lifeline: Mutex<Option<oneshot::Sender<Infallible>>>,
    progress: Arc<Progress>,
}

impl ConnectionHandle {
    /// Queues a request; before `Ready` it waits for that. Never blocks.
    ///
    /// A request that comes back was not accepted and is in no event: the connection has closed, and its `Closed`
    /// has been sent or is about to be.
    pub fn send(&self, request: OutgoingRequest) -> Result<(), OutgoingRequest> {
        self.requests.send(request).map_err(|refused| refused.0)
    }

    /// How far the set-up is.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Closes at once; what is unanswered is listed in `Closed`. Never blocks.
    pub fn close(&self) {
        self.lifeline.lock().take();
    }
}

/// Sends the events of one connection.
pub(super) struct Outbox {
    conn: ConnectionId,
    events: mpsc::UnboundedSender<ConnectionEvent>,
}

impl Outbox {
    /// Without a receiver the engine is on its way out.
    fn send(&self, event: ConnectionEvent) {
        let _ = self.events.send(event);
    }

    pub(super) fn ready(&self, versions: VersionSet) {
        self.send(ConnectionEvent::Ready {
            conn: self.conn,
            versions,
        });
    }

    pub(super) fn written(&self, id: RequestId, at: Instant) {
        self.send(ConnectionEvent::Written {
            conn: self.conn,
            id,
            at,
        });
    }

    pub(super) fn response(&self, id: RequestId, request: &Sent, body: Bytes) {
        let (api, version) = (request.api, request.version);
        self.send(ConnectionEvent::Response {
            conn: self.conn,
            id,
            api,
            version,
            body,
        });
    }
}

pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) broker: BrokerAddress,
    pub(super) requests: mpsc::UnboundedReceiver<OutgoingRequest>,
    /// Ends when the handle closes or is dropped.
    pub(super) lifeline: oneshot::Receiver<Infallible>,
    pub(super) outbox: Outbox,
    pub(super) pipeline: Pipeline,
    pub(super) progress: Arc<Progress>,
    begun: Instant,
    closed: bool,
}

impl Connection {
    pub(super) fn new(
        conn: ConnectionId,
        broker: BrokerAddress,
        shared: Arc<Shared>,
        events: mpsc::UnboundedSender<ConnectionEvent>,
    ) -> (Connection, ConnectionHandle) {
        let (sender, requests) = mpsc::unbounded_channel();
        let (holder, lifeline) = oneshot::channel();
        let security = shared.settings.security_protocol;
        let progress = Arc::new(Progress::new(broker.clone(), security));
        let connection = Connection {
            pipeline: Pipeline::new(shared.client_id.clone()),
            shared,
            broker,
            requests,
            lifeline,
            outbox: Outbox { conn, events },
            progress: progress.clone(),
            begun: Instant::now(),
            closed: false,
        };
        (
            connection,
            ConnectionHandle {
                requests: sender,
                lifeline: Mutex::new(Some(holder)),
                progress,
            },
        )
    }

    pub(super) async fn run(mut self) {
        let kind = match self.establish().await {
            Ok(link) => self.work(link).await,
            Err(kind) => kind,
        };
        self.close(kind);
    }

    /// Sets the stream up and meanwhile listens to the handle.
    async fn establish(&mut self) -> Result<Link, CloseKind> {
        let (shared, broker) = (self.shared.clone(), self.broker.clone());
        let progress = self.progress.clone();
        let mut setup = pin!(shared.establish(&broker, &progress));
        loop {
            tokio::select! {
                biased;
                _ = &mut self.lifeline => return Err(CloseKind::Requested),
                Some(request) = self.requests.recv() => self.pipeline.push(request),
                result = &mut setup => return result,
            }
        }
    }

    async fn work(&mut self, link: Link) -> CloseKind {
        let shared = self.shared.clone();
        let address = link.address;
        let mut pump = match Pump::start(self, &shared.settings, link) {
            Ok(pump) => pump,
            Err(kind) => return kind,
        };
        let kind = pump.run().await;
        pump.say_goodbye().await;
        if !pump.was_ready() {
            shared.learn_from(&self.broker, address, &kind);
        }
        kind
    }

    /// The last event. What the handle sent so far is part of it, what it sends now comes back to it.
    fn close(&mut self, kind: CloseKind) {
        self.requests.close();
        while let Ok(request) = self.requests.try_recv() {
            self.pipeline.push(request);
        }
        self.closed = true;
        let reason = CloseReason {
            broker: self.broker.clone(),
            after: self.begun.elapsed(),
            security: self.shared.settings.security_protocol,
            kind,
        };
        let unanswered = self.pipeline.take_unanswered();
        self.outbox.send(ConnectionEvent::Closed {
            conn: self.outbox.conn,
            reason,
            unanswered,
        });
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.closed {
            self.close(CloseKind::Abandoned);
        }
    }
}
