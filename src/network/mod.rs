//! Connections to brokers: set-up, request pipelining, deadlines, TLS, SASL, name resolution, backoff.
//!
//! One task per connection. Requests go in through a [`ConnectionHandle`], all that happens comes out as
//! [`ConnectionEvent`]s. Nothing here knows of records. Time is `tokio::time`, names and sockets are a
//! [`Transport`], chance is a seeded [`Rng`]: a simulation replaces all three.
//!
//! ```text
//! setup.rs       resolve, connect, TLS                 ┐
//! handshake.rs   ApiVersions, SASL (sasl/): no I/O     ├─ connection.rs: the task, one Closed at its end
//! pump.rs        writes, reads, deadlines, idleness    ┘
//!   pipeline.rs  requests waiting, being written, awaiting their answers
//!   frame.rs     the bytes read, cut into frames
//! progress.rs    how far the set-up is, for others to ask
//! ```

mod backoff;
mod close;
mod connection;
mod event;
mod frame;
mod handshake;
mod pipeline;
mod progress;
mod pump;
mod resolver;
mod sasl;
mod setup;
mod socket;
mod tls;
mod transport;

#[cfg(test)]
mod tests;

pub use self::backoff::Backoff;
pub use self::close::{CloseKind, CloseReason, SetupStep};
pub use self::connection::ConnectionHandle;
pub use self::event::{ConnectionEvent, ConnectionId, OutgoingRequest, RequestId, WriteState};
pub use self::handshake::version_question;
pub use self::progress::Progress;
pub use self::socket::Socket;
pub use self::transport::{BoxFuture, SocketOptions, Stream, TokioTransport, Transport};
pub use crate::config::HostPort as BrokerAddress;

use std::sync::Arc;

use tokio::sync::mpsc;

use self::connection::Connection;
use self::setup::Peers;
use self::tls::TlsClient;
use crate::config::{ConnectionSettings, ProducerConfig};
use crate::error::Error;
use crate::sys::Rng;

#[derive(Clone, Debug)]
pub struct NetworkConfig {
    pub client_id: Option<String>,
    pub connection: ConnectionSettings,
}

impl From<&ProducerConfig> for NetworkConfig {
    fn from(config: &ProducerConfig) -> Self {
        NetworkConfig {
            client_id: config.client_id.clone(),
            connection: config.connection.clone(),
        }
    }
}

/// Makes connections and gives all their events to one receiver.
pub struct Network {
    shared: Arc<Shared>,
    events: mpsc::UnboundedSender<ConnectionEvent>,
}

/// What all connections of a producer have in common.
struct Shared {
    client_id: Option<String>,
    settings: ConnectionSettings,
    socket: SocketOptions,
    tls: Option<TlsClient>,
    transport: Arc<dyn Transport>,
    rng: Arc<Rng>,
    peers: Peers,
}

impl Network {
    /// Reads the certificates, and fails if they cannot be used. Touches no network and needs no runtime.
    pub fn new(
        config: NetworkConfig,
        transport: Arc<dyn Transport>,
        rng: Arc<Rng>,
        events: mpsc::UnboundedSender<ConnectionEvent>,
    ) -> Result<Network, Error> {
        let NetworkConfig {
            client_id,
            connection: settings,
        } = config;
        let socket = SocketOptions {
            nodelay: settings.nodelay,
            keepalive: settings.keepalive,
            send_buffer: settings.send_buffer,
            receive_buffer: settings.receive_buffer,
        };
        let tls = settings.tls.as_ref().map(TlsClient::new).transpose()?;
        let shared = Shared {
            client_id,
            settings,
            socket,
            tls,
            transport,
            rng,
            peers: Peers::default(),
        };
        Ok(Network {
            shared: Arc::new(shared),
            events,
        })
    }

    /// Begins to connect. Must be called within a tokio runtime, on which the connection's task then runs.
    pub fn connect(&self, id: ConnectionId, broker: &BrokerAddress) -> ConnectionHandle {
        let (connection, handle) =
            Connection::new(id, broker.clone(), self.shared.clone(), self.events.clone());
        tokio::spawn(connection.run());
        handle
    }
}
