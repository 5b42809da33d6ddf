//! Connections come and go.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::answer::Refusal;
use super::broker::{Broker, FIRST_BOOTSTRAP_ID, Link, Subject};
use super::drain::Outstanding;
use super::{Engine, Timer};
use crate::completion::LogLevel;
use crate::config::Acks;
use crate::error::{Error, ErrorCode};
use crate::network::{
    Backoff, BrokerAddress, CloseKind, CloseReason, ConnectionEvent, ConnectionId, RequestId,
    WriteState,
};
use crate::protocol::{ApiKey, ErrorKind, ProtocolError, VersionSet};

impl Engine {
    pub(super) fn on_event(&mut self, event: ConnectionEvent) {
        let now = Instant::now();
        match event {
            ConnectionEvent::Ready { conn, versions } => self.on_ready(conn, versions),
            ConnectionEvent::Written { id, .. } => self.on_written(id, now),
            ConnectionEvent::Response {
                conn,
                id,
                api,
                version,
                body,
            } => {
                let handled = match api {
                    ApiKey::Produce => self.on_produce_response(id, version, &body, now),
                    ApiKey::Metadata => self.on_metadata_response(id, version, &body, now),
                    ApiKey::ApiVersions => self.on_features_response(id, version, &body, now),
                    _ => self.on_step_response(id, version, &body, now),
                };
                if let Err(error) = handled {
                    self.on_garbage(conn, &error);
                }
            }
            ConnectionEvent::Closed {
                conn,
                reason,
                unanswered,
            } => self.on_closed(conn, &reason, &unanswered, now),
        }
    }

    pub(super) fn connect(&mut self, id: i32, now: Instant) {
        let conn = self.next_connection_id();
        let Some(broker) = self.brokers.get_mut(&id) else {
            return;
        };
        if let Link::Backoff { until } = broker.link
            && until > now
        {
            return self.timers.at(until, Timer::Broker(id));
        }
        if !broker.may_connect(now) {
            return;
        }
        let handle = self.network.connect(conn, &broker.address);
        broker.link = Link::Connecting { conn, handle };
        broker.waiting_since = Some(now);
        self.connections.insert(conn, id);
        self.note_awaited();
    }

    fn broker_of(&mut self, conn: ConnectionId) -> Option<&mut Broker> {
        let id = *self.connections.get(&conn)?;
        let broker = self.brokers.get_mut(&id)?;
        (broker.connection() == Some(conn)).then_some(broker)
    }

    fn on_ready(&mut self, conn: ConnectionId, versions: VersionSet) {
        self.count(&self.shared.counters.connections_opened, 1);
        self.learn_features(&versions);
        let Some(broker) = self.broker_of(conn) else {
            return;
        };
        if let Link::Connecting { conn, handle } = std::mem::replace(&mut broker.link, Link::Idle) {
            broker.link = Link::Ready {
                conn,
                handle,
                versions: Box::new(versions),
            };
            broker.waiting_since = None;
            broker.trouble = None;
        }
        let (id, address) = (broker.id, broker.address.clone());
        self.all_down = false;
        // A listener may take a connection and yet not the first question, which it answers with the end.
        if self.metadata.is_known() {
            self.shared.set_trouble(None);
        }
        self.note_awaited();
        self.shared.log.log(LogLevel::Debug, || {
            format!("connected to broker {id} ({address})")
        });
    }

    /// The stream cannot be trusted any more: what was outstanding on it is settled by its end.
    fn on_garbage(&mut self, conn: ConnectionId, error: &ProtocolError) {
        let (code, what) = match error.kind {
            ErrorKind::NoMemory => (ErrorCode::OUT_OF_MEMORY, "was left"),
            _ => (ErrorCode::PROTOCOL, "broke the protocol"),
        };
        let mut message = format!("the broker {what}: {error}");
        if let Some(broker) = self.broker_of(conn) {
            if let Link::Ready { handle, .. } = &broker.link {
                handle.close();
            }
            message = format!("{} {what}: {error}", broker.address);
            self.note_trouble(Error::new(code, message.clone()));
        }
        // Its own request is among those that the end of the connection lists no more.
        let ids: Vec<RequestId> = self
            .requests
            .iter()
            .filter(|(_, outstanding)| outstanding.connection() == conn)
            .map(|(id, _)| *id)
            .collect();
        let now = Instant::now();
        for id in ids {
            self.on_lost(
                id,
                WriteState::Written,
                ErrorCode::NETWORK_EXCEPTION,
                &message,
                now,
            );
        }
    }

    fn on_closed(
        &mut self,
        conn: ConnectionId,
        reason: &CloseReason,
        unanswered: &[(RequestId, WriteState)],
        now: Instant,
    ) {
        let id = self.connections.remove(&conn);
        let current = id
            .and_then(|id| self.brokers.get(&id))
            .is_some_and(|broker| broker.connection() == Some(conn));
        let was_ready = current
            && id
                .and_then(|id| self.brokers.get(&id))
                .is_some_and(Broker::is_ready);
        let message = reason.to_string();
        if !reason.is_silent() {
            self.shared.log.log(LogLevel::Warning, || message.clone());
        }
        let subject = |(id, _): &(RequestId, _)| {
            let request = self.requests.get(id);
            request.map_or(Subject::Metadata, Outstanding::subject)
        };
        let lost = unanswered.iter().map(subject).max().filter(|_| was_ready);
        if let (true, Some(broker)) = (current, id.and_then(|id| self.brokers.get_mut(&id))) {
            broker.note_closed(now, lost, reason.is_silent(), &self.rng);
            if !reason.is_silent() && !was_ready {
                broker.trouble = Some(message.as_str().into());
            }
            if let Link::Backoff { until } = broker.link {
                let id = broker.id;
                self.timers.at(until, Timer::Broker(id));
            }
        }
        // In the order of their sending, so that each partition's batches go back in theirs.
        for (request, state) in unanswered {
            let code = match reason.kind {
                CloseKind::RequestTimeout { id, .. } if id == *request => {
                    ErrorCode::REQUEST_TIMED_OUT
                }
                _ => ErrorCode::NETWORK_EXCEPTION,
            };
            self.on_lost(*request, *state, code, &message, now);
        }
        if !reason.is_silent() {
            if !was_ready || !self.metadata.is_known() {
                self.note_trouble(Error::new(reason.error_code(), message));
                self.fail_hopeless_starts(reason);
            }
            // Who leads what may have changed with it.
            // Without acknowledgements the broker has no other way to say that it leads something no more.
            let unacknowledged = self.config.acks == Acks::None;
            for track in &self.tracks {
                let waits = track.listed_on.is_some() || !track.retry.is_empty();
                let followed = track.topic.followed.load(Ordering::Relaxed);
                if Some(track.leader) == id && (waits || (unacknowledged && followed)) {
                    self.metadata.want(track.topic.handle);
                }
            }
            self.check_all_down();
        }
        self.note_awaited();
    }

    /// A request that will not be answered.
    fn on_lost(
        &mut self,
        request: RequestId,
        state: WriteState,
        code: ErrorCode,
        message: &str,
        now: Instant,
    ) {
        match self.take_request(request) {
            Some(Outstanding::Produce(produce)) => {
                for item in produce.items.iter().filter(|item| !item.settled) {
                    let refusal = Refusal {
                        code,
                        message: Some(message.into()),
                    };
                    if state == WriteState::Written {
                        self.on_refusal(request, item.track, refusal, now);
                    } else {
                        self.on_unwritten(request, item.track, refusal, now);
                    }
                }
            }
            Some(Outstanding::Metadata(_)) => self.metadata.lost(request, now, &self.rng),
            // They are asked for again with the next metadata.
            Some(Outstanding::Features(_)) => {}
            Some(Outstanding::Step(_)) => self.on_step_lost(request, now),
            None => {}
        }
    }

    /// The broker cannot have the whole request: nothing of it was done.
    fn on_unwritten(&mut self, request: RequestId, track: usize, refusal: Refusal, now: Instant) {
        if let Some(batch) = self.tracks[track].land(request) {
            let handle = self.tracks[track].topic.handle;
            self.metadata.want(handle);
            self.retry(track, batch, refusal, now);
        }
        self.examine(track, now);
    }

    pub(super) fn note_trouble(&mut self, error: Error) {
        if let ErrorCode::SASL_AUTHENTICATION_FAILED | ErrorCode::ILLEGAL_SASL_STATE = error.code {
            self.accumulator.hub.event(&error);
        }
        self.shared.set_trouble(Some(error));
    }

    /// Credentials and certificates do not get better by waiting.
    fn fail_hopeless_starts(&mut self, reason: &CloseReason) {
        if reason.is_hopeless() && !self.metadata.is_known() {
            let error = Error::new(reason.error_code(), reason.to_string());
            for (_, operation) in self.starts.drain(..) {
                operation.complete(Err(error.clone()));
            }
            self.transactor.not_initialised(error);
        }
    }

    /// Tells once when no broker can be reached any more.
    fn check_all_down(&mut self) {
        let up = self.brokers.values().any(|broker| !broker.is_backing_off());
        if up || std::mem::replace(&mut self.all_down, true) {
            return;
        }
        let last = self.shared.trouble().map_or_else(String::new, |error| {
            format!("; last error: {}", error.message)
        });
        let error = Error::new(
            ErrorCode::NO_BROKERS,
            format!("no broker can be reached{last}"),
        );
        self.shared
            .log
            .log(LogLevel::Error, || error.message.clone());
        if self.shared.trouble().is_none() {
            self.shared.set_trouble(Some(error.clone()));
        }
        self.accumulator.hub.event(&error);
    }

    pub(super) fn add_bootstrap_brokers(&mut self) {
        let mut servers = self.config.bootstrap_servers.clone();
        self.rng.shuffle(&mut servers);
        for (place, address) in servers.into_iter().enumerate() {
            let id = FIRST_BOOTSTRAP_ID - place as i32;
            self.add_broker(id, address);
        }
    }

    pub(super) fn add_broker(&mut self, id: i32, address: BrokerAddress) {
        let backoff = Backoff::new(
            self.config.connection.reconnect_backoff,
            self.config.connection.reconnect_backoff_max,
        );
        self.brokers.insert(id, Broker::new(id, address, backoff));
    }

    /// A broker's address as the cluster gives it; a changed one means a new connection.
    pub(super) fn learn_broker(&mut self, id: i32, host: &str, port: i32) {
        let Ok(port) = u16::try_from(port) else {
            let text = || format!("broker {id} is said to be at {host}:{port}, which is no port");
            return self.shared.log.log(LogLevel::Warning, text);
        };
        if id < 0 {
            return;
        }
        let address = BrokerAddress {
            host: host.to_owned(),
            port,
        };
        match self.brokers.get_mut(&id) {
            Some(broker) if broker.address == address => {}
            Some(broker) => {
                broker.address = address;
                // Dropping the handle closes the old connection; its requests come back as lost.
                if !broker.is_backing_off() {
                    broker.link = Link::Idle;
                    broker.waiting_since = None;
                    broker.in_flight = 0;
                }
            }
            None => self.add_broker(id, address),
        }
    }
}
