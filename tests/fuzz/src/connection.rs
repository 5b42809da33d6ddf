//! A whole connection, from its set-up with SASL to its end, whose peer may say anything: frames and correlation,
//! versions, mechanisms, SCRAM. Every request has its outcome, and the connection one end.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use kprod::config::{
    AddressFamily, ConnectionSettings, SaslSettings, ScramHash, Secret, SecurityProtocol,
};
use kprod::network::{
    BoxFuture, BrokerAddress, ConnectionEvent, ConnectionId, Network, NetworkConfig,
    OutgoingRequest, RequestId, SocketOptions, Stream, Transport,
};
use kprod::protocol::api_versions::{ApiVersion, ApiVersionsResponse};
use kprod::protocol::sasl::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeResponse,
};
use kprod::protocol::{ApiKey, Message, RequestHeader, encode_response_header};
use kprod::sys::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;

use crate::Target;

/// An input is a mechanism and the peer's [`Step`]s.
pub const TARGET: Target = Target {
    name: "connection",
    run: |input| {
        if let Some((mechanism, script)) = input.split_first()
            && !asks_for_much_work(script)
        {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime");
            runtime.block_on(live(sasl(*mechanism), script.to_vec()));
        }
    },
    seeds: || (0..5).map(seed).collect(),
};

/// An honest peer: ApiVersions, SaslHandshake, and what belongs to the mechanism, then the answers.
fn seed(mechanism: u8) -> Vec<u8> {
    let challenge: &[u8] = match mechanism {
        2 | 3 => b"r=NONCEx,s=QSXCR+Q6sek8bf92,i=4096",
        _ => b"",
    };
    let steps: [&[u8]; 6] = [b"", b"", challenge, b"v=AAAA", b"answer", b"answer"];
    let mut seed = vec![mechanism];
    for bytes in steps {
        seed.extend([HONEST, bytes.len() as u8]);
        seed.extend(bytes);
    }
    seed
}

const RAW: u8 = 0;
const FRAMED: u8 = 1;
const HONEST: u8 = 2;
/// In an [`HONEST`] answer to SaslAuthenticate this is replaced by the client's nonce.
const NONCE: &str = "NONCE";

/// What a peer does next: a kind, a length, and as many bytes.
enum Step<'a> {
    /// The bytes go onto the stream.
    Raw(&'a [u8]),
    /// The next request is answered with them as the body.
    Framed(&'a [u8]),
    /// The next request is answered as it should be; the bytes are the part that is free.
    Honest(&'a [u8]),
}

fn next_step<'a>(script: &mut &'a [u8]) -> Option<Step<'a>> {
    let [kind, length, rest @ ..] = script else {
        return None;
    };
    let (bytes, rest) = rest.split_at(rest.len().min(usize::from(*length)));
    *script = rest;
    match *kind {
        RAW => Some(Step::Raw(bytes)),
        FRAMED => Some(Step::Framed(bytes)),
        HONEST => Some(Step::Honest(bytes)),
        _ => None,
    }
}

/// Up to a million iterations are the broker's right, and of no use to a search.
fn asks_for_much_work(script: &[u8]) -> bool {
    script
        .windows(3)
        .any(|at| at.starts_with(b"i=") && at[2] != b'4')
        || script
            .windows(7)
            .any(|at| at.starts_with(b"i=4") && at[6].is_ascii_digit())
}

fn sasl(mechanism: u8) -> Option<SaslSettings> {
    let scram = |hash| SaslSettings::Scram {
        hash,
        username: "user".into(),
        password: Secret::new("pencil"),
    };
    match mechanism {
        1 => Some(SaslSettings::Plain {
            username: "user".into(),
            password: Secret::new("pencil"),
        }),
        2 => Some(scram(ScramHash::Sha256)),
        3 => Some(scram(ScramHash::Sha512)),
        4 => Some(SaslSettings::OauthBearer {
            token: Secret::new("token"),
        }),
        _ => None,
    }
}

fn settings(sasl: Option<SaslSettings>) -> ConnectionSettings {
    ConnectionSettings {
        security_protocol: match sasl {
            Some(_) => SecurityProtocol::SaslPlaintext,
            None => SecurityProtocol::Plaintext,
        },
        tls: None,
        sasl,
        reconnect_backoff: Duration::from_millis(50),
        reconnect_backoff_max: Duration::from_secs(1),
        setup_timeout: Duration::from_secs(10),
        setup_timeout_max: Duration::from_secs(30),
        max_idle: Some(Duration::from_secs(540)),
        address_family: AddressFamily::Any,
        send_buffer: None,
        receive_buffer: None,
        keepalive: true,
        nodelay: true,
        receive_message_max: 1 << 16,
        software_name: "libkprod".into(),
        software_version: "0.1.0".into(),
    }
}

/// Gives out one stream, once.
struct OneStream(Mutex<Option<DuplexStream>>);

impl Transport for OneStream {
    fn resolve<'a>(
        &'a self,
        _host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(vec![SocketAddr::from(([127, 0, 0, 1], port))]) })
    }

    fn connect<'a>(
        &'a self,
        _address: SocketAddr,
        _options: &'a SocketOptions,
    ) -> BoxFuture<'a, io::Result<Box<dyn Stream>>> {
        let stream = self.0.lock().expect("not poisoned").take();
        Box::pin(async move {
            let stream = stream.ok_or(io::ErrorKind::ConnectionRefused)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

async fn live(sasl: Option<SaslSettings>, script: Vec<u8>) {
    let (ours, theirs) = tokio::io::duplex(1 << 12);
    let config = NetworkConfig {
        client_id: None,
        connection: settings(sasl),
    };
    let transport = Arc::new(OneStream(Mutex::new(Some(ours))));
    let (sender, mut events) = mpsc::unbounded_channel();
    let network = Network::new(config, transport, Arc::new(Rng::from_seed(1)), sender)
        .expect("the settings are good");
    let broker = BrokerAddress {
        host: "broker".into(),
        port: 9092,
    };
    let handle = network.connect(ConnectionId(1), &broker);
    for id in 0..4 {
        handle.send(request(id)).expect("the connection lives");
    }
    let peer = tokio::spawn(async move {
        let mut peer = Peer {
            stream: theirs,
            nonce: NONCE.into(),
        };
        // An error is the client's way to end the connection.
        let _ = peer.follow(&script).await;
    });

    let mut outcomes = BTreeMap::new();
    let mut ready = 0;
    loop {
        match events.recv().await.expect("a connection tells of its end") {
            ConnectionEvent::Ready { .. } => ready += 1,
            ConnectionEvent::Written { id, .. } if expects_response(id.0) => {}
            ConnectionEvent::Written { id, .. } | ConnectionEvent::Response { id, .. } => {
                *outcomes.entry(id.0).or_insert(0) += 1;
            }
            ConnectionEvent::Closed {
                reason, unanswered, ..
            } => {
                assert!(!reason.to_string().is_empty());
                for (id, _) in unanswered {
                    *outcomes.entry(id.0).or_insert(0) += 1;
                }
                break;
            }
        }
    }
    assert!(ready <= 1);
    assert!(outcomes.into_iter().eq((0..4).map(|id| (id, 1))));
    assert!(handle.send(request(4)).is_err(), "it is closed");
    peer.await.expect("the peer does not panic");
}

fn expects_response(id: u64) -> bool {
    id != 2
}

fn request(id: u64) -> OutgoingRequest {
    let (api, version) = match id {
        0 => (ApiKey::Metadata, 12),
        1 => (ApiKey::Produce, 3),
        _ => (ApiKey::Produce, 9),
    };
    OutgoingRequest {
        id: RequestId(id),
        api,
        version,
        body: vec![Bytes::from_static(b"a body")],
        expects_response: expects_response(id),
        timeout: Duration::from_secs(40),
    }
}

struct Peer {
    stream: DuplexStream,
    /// The client's, once it was seen.
    nonce: String,
}

impl Peer {
    async fn follow(&mut self, mut script: &[u8]) -> io::Result<()> {
        while let Some(step) = next_step(&mut script) {
            match step {
                Step::Raw(bytes) => self.stream.write_all(bytes).await?,
                Step::Framed(bytes) => {
                    let (header, _) = self.request().await?;
                    self.answer(&header, bytes).await?;
                }
                Step::Honest(bytes) => {
                    let (header, body) = self.request().await?;
                    let answer = self.honest(&header, &body, bytes);
                    self.answer(&header, &answer).await?;
                }
            }
        }
        Ok(())
    }

    async fn request(&mut self) -> io::Result<(RequestHeader, Bytes)> {
        let size = self.stream.read_i32().await?;
        let mut frame = vec![0; usize::try_from(size).expect("the client's frames have a length")];
        self.stream.read_exact(&mut frame).await?;
        let mut frame = Bytes::from(frame);
        let header = RequestHeader::decode(&mut frame).expect("the client's headers are right");
        Ok((header, frame))
    }

    async fn answer(&mut self, header: &RequestHeader, body: &[u8]) -> io::Result<()> {
        let mut frame = BytesMut::new();
        let api = header.api().expect("an API of ours");
        encode_response_header(&mut frame, api, header.api_version, header.correlation_id);
        frame.put_slice(body);
        self.stream.write_i32(frame.len() as i32).await?;
        self.stream.write_all(&frame).await
    }

    fn honest(&mut self, header: &RequestHeader, body: &[u8], free: &[u8]) -> Bytes {
        let version = header.api_version;
        let answer = match header.api() {
            Some(ApiKey::ApiVersions) => all_versions().encode(version),
            Some(ApiKey::SaslHandshake) => SaslHandshakeResponse::default().encode(version),
            Some(ApiKey::SaslAuthenticate) => {
                let request = SaslAuthenticateRequest::decode(version, body);
                self.look_for_nonce(&request.expect("the client's message").auth_bytes);
                let auth_bytes = match std::str::from_utf8(free) {
                    Ok(text) => text.replace(NONCE, &self.nonce).into_bytes(),
                    Err(_) => free.to_vec(),
                };
                let response = SaslAuthenticateResponse {
                    auth_bytes,
                    ..Default::default()
                };
                response.encode(version)
            }
            _ => Ok(Bytes::copy_from_slice(free)),
        };
        answer.expect("it encodes")
    }

    /// It ends the first message of SCRAM.
    fn look_for_nonce(&mut self, message: &[u8]) {
        if let Ok(text) = std::str::from_utf8(message)
            && let Some((_, nonce)) = text.rsplit_once(",r=")
        {
            nonce.clone_into(&mut self.nonce);
        }
    }
}

fn all_versions() -> ApiVersionsResponse {
    let offer = |api: &ApiKey| ApiVersion {
        api_key: api.code(),
        min_version: api.versions().min,
        max_version: api.versions().max,
    };
    ApiVersionsResponse {
        api_keys: ApiKey::ALL.iter().map(offer).collect(),
        ..Default::default()
    }
}
