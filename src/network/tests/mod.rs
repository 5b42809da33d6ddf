//! Connections against brokers written in the tests: in memory with a paused clock, and over loopback.

mod hostile;
mod loopback;
mod pipelining;
mod sasl;
mod setup;
mod tls;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

use super::*;
use crate::config::{AddressFamily, SecurityProtocol};
use crate::protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use crate::protocol::{ApiKey, Message, RequestHeader, encode_response_header};

pub const SETUP: Duration = Duration::from_secs(10);
pub const SETUP_MAX: Duration = Duration::from_secs(30);
pub const IDLE: Duration = Duration::from_secs(540);
pub const REQUEST: Duration = Duration::from_secs(40);
pub const RECEIVE_MAX: usize = 1_000_000;

pub fn settings() -> ConnectionSettings {
    ConnectionSettings {
        security_protocol: SecurityProtocol::Plaintext,
        tls: None,
        sasl: None,
        reconnect_backoff: Duration::from_millis(50),
        reconnect_backoff_max: Duration::from_secs(1),
        setup_timeout: SETUP,
        setup_timeout_max: SETUP_MAX,
        max_idle: Some(IDLE),
        address_family: AddressFamily::Any,
        send_buffer: None,
        receive_buffer: None,
        keepalive: true,
        nodelay: true,
        receive_message_max: RECEIVE_MAX,
        software_name: "libkprod".into(),
        software_version: "0.1.0".into(),
    }
}

pub fn broker() -> BrokerAddress {
    BrokerAddress {
        host: "broker".into(),
        port: 9092,
    }
}

pub fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 9092))
}

/// What an address of the memory transport does.
#[derive(Clone, Copy)]
pub enum Answer {
    Accept,
    Refuse,
    Hang,
}

/// Names and addresses in memory. What is accepted goes to the test.
pub struct MemoryTransport {
    pub names: Mutex<HashMap<String, Vec<SocketAddr>>>,
    pub answers: Mutex<HashMap<SocketAddr, Answer>>,
    pub attempts: Mutex<Vec<SocketAddr>>,
    pub capacity: usize,
    accepted: mpsc::UnboundedSender<Peer<DuplexStream>>,
}

impl Transport for MemoryTransport {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        _port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let found = self.names.lock().get(host).cloned();
        Box::pin(async move {
            if host == "hanging" {
                std::future::pending::<()>().await;
            }
            found.ok_or_else(|| io::Error::other("no such host"))
        })
    }

    fn connect<'a>(
        &'a self,
        address: SocketAddr,
        _options: &'a SocketOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        self.attempts.lock().push(address);
        let answer = self
            .answers
            .lock()
            .get(&address)
            .copied()
            .unwrap_or(Answer::Accept);
        Box::pin(async move {
            match answer {
                Answer::Refuse => Err(io::ErrorKind::ConnectionRefused.into()),
                Answer::Hang => std::future::pending().await,
                Answer::Accept => {
                    let (ours, theirs) = tokio::io::duplex(self.capacity);
                    let _ = self.accepted.send(Peer { stream: theirs });
                    Ok(Box::new(ours) as Box<dyn Stream>)
                }
            }
        })
    }
}

/// A network whose brokers the test plays.
pub struct Fixture {
    pub network: Network,
    pub transport: Arc<MemoryTransport>,
    pub events: mpsc::UnboundedReceiver<ConnectionEvent>,
    accepted: mpsc::UnboundedReceiver<Peer<DuplexStream>>,
    connections: std::cell::Cell<u64>,
}

impl Fixture {
    pub fn new() -> Self {
        Fixture::with(settings(), 1 << 20)
    }

    pub fn with(connection: ConnectionSettings, capacity: usize) -> Self {
        let (accepted_sender, accepted) = mpsc::unbounded_channel();
        let transport = Arc::new(MemoryTransport {
            names: Mutex::new(HashMap::from([("broker".to_owned(), vec![address(1)])])),
            answers: Mutex::default(),
            attempts: Mutex::default(),
            capacity,
            accepted: accepted_sender,
        });
        let (network, events) = network_over(transport.clone(), connection);
        Fixture {
            network,
            transport,
            events,
            accepted,
            connections: std::cell::Cell::new(0),
        }
    }

    pub fn name(&self, host: &str, addresses: &[SocketAddr]) {
        self.transport
            .names
            .lock()
            .insert(host.to_owned(), addresses.to_vec());
    }

    pub fn connect(&self) -> ConnectionHandle {
        self.connections.set(self.connections.get() + 1);
        self.network
            .connect(ConnectionId(self.connections.get()), &broker())
    }

    pub async fn accept(&mut self) -> Peer<DuplexStream> {
        self.accepted.recv().await.expect("the transport lives")
    }

    /// A connection that is ready, and its broker.
    pub async fn ready(&mut self) -> (ConnectionHandle, Peer<DuplexStream>) {
        let handle = self.connect();
        let mut peer = self.accept().await;
        peer.serve_versions().await;
        assert!(matches!(self.event().await, ConnectionEvent::Ready { .. }));
        (handle, peer)
    }

    pub async fn event(&mut self) -> ConnectionEvent {
        next_event(&mut self.events).await
    }

    pub async fn closed(&mut self) -> (CloseReason, Vec<(u64, WriteState)>) {
        next_closed(&mut self.events).await
    }

    pub async fn written(&mut self) -> u64 {
        match self.event().await {
            ConnectionEvent::Written { id, .. } => id.0,
            other => panic!("no Written but {other:?}"),
        }
    }

    pub async fn response(&mut self) -> (u64, Bytes) {
        match self.event().await {
            ConnectionEvent::Response { id, body, .. } => (id.0, body),
            other => panic!("no Response but {other:?}"),
        }
    }
}

pub fn network_over(
    transport: Arc<dyn Transport>,
    connection: ConnectionSettings,
) -> (Network, mpsc::UnboundedReceiver<ConnectionEvent>) {
    let (sender, events) = mpsc::unbounded_channel();
    let config = NetworkConfig {
        client_id: Some("tests".into()),
        connection,
    };
    let rng = Arc::new(crate::sys::Rng::from_seed(1));
    (
        Network::new(config, transport, rng, sender).expect("the settings are good"),
        events,
    )
}

pub async fn next_event(events: &mut mpsc::UnboundedReceiver<ConnectionEvent>) -> ConnectionEvent {
    events.recv().await.expect("the network lives")
}

/// The next `Closed`, whatever comes before it.
pub async fn next_closed(
    events: &mut mpsc::UnboundedReceiver<ConnectionEvent>,
) -> (CloseReason, Vec<(u64, WriteState)>) {
    loop {
        if let ConnectionEvent::Closed {
            reason, unanswered, ..
        } = next_event(events).await
        {
            return (
                reason,
                unanswered
                    .into_iter()
                    .map(|(id, state)| (id.0, state))
                    .collect(),
            );
        }
    }
}

pub fn request(id: u64, body: &[u8]) -> OutgoingRequest {
    OutgoingRequest {
        id: RequestId(id),
        api: ApiKey::Produce,
        version: 9,
        body: vec![Bytes::copy_from_slice(body)],
        expects_response: true,
        timeout: REQUEST,
    }
}

/// The broker's end of a stream.
pub struct Peer<S> {
    pub stream: S,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    pub async fn frame(&mut self) -> io::Result<Bytes> {
        let size = self.stream.read_i32().await?;
        let mut frame = vec![0; usize::try_from(size).expect("a length")];
        self.stream.read_exact(&mut frame).await?;
        Ok(frame.into())
    }

    /// A request: its header and body.
    pub async fn request(&mut self) -> (RequestHeader, Bytes) {
        let mut frame = self.frame().await.expect("a request");
        let header = RequestHeader::decode(&mut frame).expect("a header");
        (header, frame)
    }

    pub async fn respond(&mut self, header: &RequestHeader, body: &[u8]) {
        self.stream
            .write_all(&response(header, body))
            .await
            .expect("the client reads");
    }

    pub async fn respond_with<M: Message>(
        &mut self,
        header: &RequestHeader,
        version: i16,
        message: &M,
    ) {
        self.respond(header, &message.encode(version).expect("encodes"))
            .await;
    }

    pub async fn serve_versions(&mut self) {
        let (header, _) = self.request().await;
        assert_eq!(header.api(), Some(ApiKey::ApiVersions));
        self.respond_with(&header, header.api_version, &all_versions())
            .await;
    }

    /// The end of the stream, after whatever comes before it.
    pub async fn read_to_end(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.stream
            .read_to_end(&mut rest)
            .await
            .expect("an orderly end");
        rest
    }
}

/// A whole response frame.
pub fn response(header: &RequestHeader, body: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_i32(0);
    let api = header.api().expect("an API of ours");
    encode_response_header(&mut frame, api, header.api_version, header.correlation_id);
    frame.extend_from_slice(body);
    let size = i32::try_from(frame.len() - 4).expect("a frame");
    (&mut frame[..4]).put_i32(size);
    frame.freeze()
}

/// What a broker offers that speaks all that this client does.
pub fn all_versions() -> ApiVersionsResponse {
    let offer = |api: &ApiKey| ApiVersion {
        api_key: api.code(),
        min_version: api.versions().min,
        max_version: api.versions().max,
    };
    ApiVersionsResponse {
        api_keys: ApiKey::ALL.iter().map(offer).collect(),
        ..ApiVersionsResponse::default()
    }
}

/// The bytes of a body whose parts the client sent one after the other.
pub fn text(body: &Bytes) -> String {
    String::from_utf8_lossy(body.chunk()).into_owned()
}
