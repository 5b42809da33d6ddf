//! TLS against a server of the test, over loopback: who is trusted, and what is said when not.

use super::*;
use crate::config::{Pem, Secret, TlsIdentity, TlsSettings};
use crate::error::{Error, ErrorCode};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto, version};
use tokio_rustls::server::TlsStream;
use tokio_rustls::{TlsAcceptor, rustls};

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A certificate and its key, as PEM.
struct Identity {
    certificate: String,
    key: String,
}

fn authority() -> Authority {
    authority_named("authority")
}

fn authority_named(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn signed(authority: &Authority, names: &[&str], usage: ExtendedKeyUsagePurpose) -> Identity {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    Identity {
        certificate: params.signed_by(&key, authority).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn server_identity(authority: &Authority) -> Identity {
    signed(
        authority,
        &["localhost"],
        ExtendedKeyUsagePurpose::ServerAuth,
    )
}

/// What `openssl req -x509` makes: self-signed, and fit to sign others.
fn self_signed(change: impl FnOnce(&mut CertificateParams)) -> Identity {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    Identity {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

fn pem(text: &str) -> Pem {
    Pem::Text(Secret::new(text))
}

fn trusting(ca: &str) -> TlsSettings {
    TlsSettings {
        ca: Some(pem(ca)),
        identity: None,
        verify_hostname: true,
        verify_certificate: true,
    }
}

fn presenting(identity: &Identity) -> Option<TlsIdentity> {
    Some(TlsIdentity {
        certificate: pem(&identity.certificate),
        key: pem(&identity.key),
        key_password: None,
    })
}

fn over_tls(tls: TlsSettings) -> ConnectionSettings {
    ConnectionSettings {
        security_protocol: SecurityProtocol::Ssl,
        tls: Some(tls),
        ..settings()
    }
}

/// A broker that speaks TLS.
struct Server {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Server {
    async fn new(identity: &Identity, clients: Option<&Authority>) -> Server {
        Server::speaking(identity, clients, rustls::ALL_VERSIONS).await
    }

    async fn speaking(
        identity: &Identity,
        clients: Option<&Authority>,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Server {
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()
                        .unwrap();
                builder.with_client_cert_verifier(verifier)
            }
        };
        let chain = vec![CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
        let config = builder.with_single_cert(chain, key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Server {
            listener,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    fn address(&self, host: &str) -> BrokerAddress {
        BrokerAddress {
            host: host.into(),
            port: self.listener.local_addr().unwrap().port(),
        }
    }

    async fn accept(&self) -> io::Result<Peer<TlsStream<TcpStream>>> {
        let (stream, _) = self.listener.accept().await?;
        Ok(Peer {
            stream: self.acceptor.accept(stream).await?,
        })
    }

    /// The reason for which a client with these settings does not become ready; `None` if it does.
    async fn refusal(&self, host: &str, tls: TlsSettings) -> Option<CloseReason> {
        let settings = ConnectionSettings {
            address_family: AddressFamily::V4,
            ..over_tls(tls)
        };
        let (network, mut events) = network_over(Arc::new(TokioTransport::new()), settings);
        let _handle = network.connect(ConnectionId(1), &self.address(host));
        let broker = async {
            if let Ok(mut peer) = self.accept().await {
                peer.serve_versions().await;
                std::future::pending::<()>().await;
            }
            std::future::pending().await
        };
        tokio::select! {
            event = next_event(&mut events) => match event {
                ConnectionEvent::Ready { .. } => None,
                ConnectionEvent::Closed { reason, .. } => Some(reason),
                other => panic!("{other:?}"),
            },
            () = broker => unreachable!("the broker does not end"),
        }
    }
}

#[tokio::test]
async fn large_requests_cross_tls_in_both_versions() {
    let authority = authority();
    for versions in [&[&version::TLS13][..], &[&version::TLS12]] {
        let server = Server::speaking(&server_identity(&authority), None, versions).await;
        let (network, mut events) = network_over(
            Arc::new(TokioTransport::new()),
            over_tls(trusting(&authority.pem())),
        );
        let handle = network.connect(ConnectionId(1), &server.address("localhost"));
        let mut peer = server.accept().await.unwrap();
        peer.serve_versions().await;
        let part = Bytes::from(vec![7; 16 * 1024]);
        for id in 0..10 {
            let body = (0..60)
                .flat_map(|_| [Bytes::from_static(b"head"), part.clone()])
                .collect();
            handle
                .send(OutgoingRequest {
                    body,
                    ..request(id, b"")
                })
                .unwrap();
        }
        for _ in 0..10 {
            let (header, body) = peer.request().await;
            assert_eq!(body.len(), 60 * (4 + part.len()));
            peer.respond(&header, b"taken").await;
        }
        let (mut written, mut answered) = (0, 0);
        while answered < 10 {
            match next_event(&mut events).await {
                ConnectionEvent::Ready { .. } => {}
                ConnectionEvent::Written { id, .. } => {
                    assert_eq!(id.0, written);
                    written += 1;
                }
                ConnectionEvent::Response { id, .. } => {
                    assert!(id.0 == answered && answered < written);
                    answered += 1;
                }
                ConnectionEvent::Closed { reason, .. } => panic!("{reason}"),
            }
        }
        handle.close();
        assert_eq!(peer.read_to_end().await, b"", "the client says goodbye");
    }
}

#[tokio::test]
async fn a_private_authority_must_be_named() {
    let authority = authority();
    let server = Server::new(&server_identity(&authority), None).await;
    assert_eq!(
        server
            .refusal("localhost", trusting(&authority.pem()))
            .await,
        None
    );
    for stranger in [authority_named("another"), authority_named("authority")] {
        let reason = server
            .refusal("localhost", trusting(&stranger.pem()))
            .await
            .unwrap();
        says(&reason, &["localhost:", "not trusted", "ssl.ca.location"]);
        assert_eq!(reason.error_code(), ErrorCode::TLS);
    }
}

/// Asserts what the reason is told in, and that it is no programmer's name of it.
#[track_caller]
fn says(reason: &CloseReason, parts: &[&str]) {
    let text = reason.to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} lacks {part:?}");
    }
    for jargon in ["CaUsedAsEndEntity", "UnknownIssuer", "Other(", "UNIX"] {
        assert!(!text.contains(jargon), "{text:?} has {jargon:?}");
    }
}

#[tokio::test]
async fn the_certificate_must_name_the_host_unless_told_otherwise() {
    let authority = authority();
    let server = Server::new(&server_identity(&authority), None).await;
    let reason = server
        .refusal("127.0.0.1", trusting(&authority.pem()))
        .await
        .unwrap();
    says(
        &reason,
        &[
            "the host 127.0.0.1",
            "localhost",
            "advertised.listeners",
            "ssl.endpoint.identification.algorithm",
        ],
    );
    let lenient = TlsSettings {
        verify_hostname: false,
        ..trusting(&authority.pem())
    };
    assert_eq!(server.refusal("127.0.0.1", lenient).await, None);
    let stranger = TlsSettings {
        verify_hostname: false,
        ..trusting(&self::authority().pem())
    };
    assert!(
        server.refusal("127.0.0.1", stranger).await.is_some(),
        "the chain is verified all the same"
    );
}

#[tokio::test]
async fn verification_can_be_switched_off() {
    let server = Server::new(&self_signed(|_| ()), None).await;
    let blind = TlsSettings {
        ca: None,
        identity: None,
        verify_hostname: true,
        verify_certificate: false,
    };
    assert_eq!(server.refusal("127.0.0.1", blind).await, None);
}

#[tokio::test]
async fn a_self_signed_certificate_is_accepted_where_it_is_the_one_configured() {
    let identity = self_signed(|_| ());
    let server = Server::new(&identity, None).await;
    assert_eq!(
        server
            .refusal("localhost", trusting(&identity.certificate))
            .await,
        None
    );
    let by_address = server
        .refusal("127.0.0.1", trusting(&identity.certificate))
        .await
        .unwrap();
    assert!(
        by_address.to_string().contains("advertised.listeners"),
        "{by_address}"
    );
    let other = self_signed(|_| ());
    let reason = server
        .refusal("localhost", trusting(&other.certificate))
        .await
        .unwrap();
    says(
        &reason,
        &[
            "localhost:",
            "self-signed",
            "not trusted",
            "ssl.ca.location",
        ],
    );
}

#[tokio::test]
async fn a_self_signed_certificate_must_be_in_date() {
    let expired = self_signed(|params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    let server = Server::new(&expired, None).await;
    let reason = server
        .refusal("localhost", trusting(&expired.certificate))
        .await
        .unwrap();
    says(
        &reason,
        &["localhost:", "has expired", " days ago", "renewed"],
    );

    let early = self_signed(|params| {
        params.not_before = date_time_ymd(2101, 1, 1);
        params.not_after = date_time_ymd(2102, 1, 1);
    });
    let server = Server::new(&early, None).await;
    let reason = server
        .refusal("localhost", trusting(&early.certificate))
        .await
        .unwrap();
    says(&reason, &["localhost:", "not valid yet", " days", "clock"]);
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_a_broker_that_wants_one() {
    let authority = authority();
    let client = signed(&authority, &["client"], ExtendedKeyUsagePurpose::ClientAuth);
    for versions in [&[&version::TLS13][..], &[&version::TLS12]] {
        let server =
            Server::speaking(&server_identity(&authority), Some(&authority), versions).await;
        let known = TlsSettings {
            identity: presenting(&client),
            ..trusting(&authority.pem())
        };
        assert_eq!(server.refusal("localhost", known).await, None);
        let reason = server
            .refusal("localhost", trusting(&authority.pem()))
            .await
            .unwrap();
        assert!(matches!(reason.kind, CloseKind::Tls(_)), "{reason}");
        assert!(
            reason
                .to_string()
                .contains("ssl.keystore.certificate.chain"),
            "{reason}"
        );
    }
}

#[tokio::test]
async fn a_port_without_tls_is_called_that() {
    let mut fixture = Fixture::with(over_tls(trusting(&authority().pem())), 1 << 16);
    let _handle = fixture.connect();
    let mut peer = fixture.accept().await;
    peer.stream.write_all(b"\0\0\0\x04nope").await.unwrap();
    let (reason, _) = fixture.closed().await;
    assert!(
        reason
            .to_string()
            .ends_with("does this port speak TLS? See security.protocol"),
        "{reason}"
    );

    let _handle = fixture.connect();
    drop(fixture.accept().await);
    let (reason, _) = fixture.closed().await;
    assert!(
        reason.to_string().contains("does this port speak TLS?"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_finishes_the_handshake_runs_into_the_setup_timeout() {
    let mut fixture = Fixture::with(over_tls(trusting(&authority().pem())), 1 << 16);
    let _handle = fixture.connect();
    let _silent = fixture.accept().await;
    let (reason, _) = fixture.closed().await;
    assert!(
        matches!(
            reason.kind,
            CloseKind::SetupTimeout {
                step: SetupStep::Tls,
                ..
            }
        ),
        "{reason}"
    );
}

fn network(tls: TlsSettings) -> Result<Network, Error> {
    let (sender, _events) = mpsc::unbounded_channel();
    let config = NetworkConfig {
        client_id: None,
        connection: over_tls(tls),
    };
    let rng = Arc::new(crate::sys::Rng::from_seed(1));
    Network::new(config, Arc::new(TokioTransport::new()), rng, sender)
}

/// What is wrong with these settings.
fn complaint(tls: TlsSettings) -> String {
    let error = network(tls).err().expect("an error");
    assert_eq!(error.code, ErrorCode::INVALID_CONFIG);
    error.message
}

#[test]
fn an_encrypted_key_is_opened_by_its_password_and_by_no_other() {
    let authority = authority();
    let identity = server_identity(&authority);
    let (_, plain) = pkcs8::SecretDocument::from_pem(&identity.key).unwrap();
    let parameters = pkcs8::pkcs5::pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(
        2048,
        b"saltsalt",
        [7; 16],
    )
    .unwrap();
    let encrypted = pkcs8::PrivateKeyInfoRef::try_from(plain.as_bytes())
        .unwrap()
        .encrypt_with_params(parameters, "hunter2")
        .unwrap()
        .to_pem("ENCRYPTED PRIVATE KEY", pkcs8::LineEnding::LF)
        .unwrap();
    let with_password = |password: &str, key: &str| TlsSettings {
        identity: Some(TlsIdentity {
            certificate: pem(&identity.certificate),
            key: pem(key),
            key_password: Some(Secret::new(password)),
        }),
        ..trusting(&authority.pem())
    };
    assert!(network(with_password("hunter2", &encrypted)).is_ok());
    let behind_a_comment = format!("Bag Attributes\n{}trailer", encrypted.as_str());
    assert!(network(with_password("hunter2", &behind_a_comment)).is_ok());
    let message = complaint(with_password("hunter3", &encrypted));
    assert!(
        message.contains("ssl.key.password does not open"),
        "{message}"
    );
    assert!(!message.contains("hunter"), "{message}");
    let broken = encrypted.replace('M', "!");
    assert!(complaint(with_password("hunter2", &broken)).contains("not PEM"));
    let other = one_section("ENCRYPTED PRIVATE KEY", &[0x30, 0]);
    assert!(complaint(with_password("hunter2", &other)).contains("openssl pkcs8"));
}

fn one_section(label: &str, bytes: &[u8]) -> String {
    use base64::Engine;
    let text = base64::prelude::BASE64_STANDARD.encode(bytes);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[test]
fn unusable_certificates_are_refused_with_the_property_and_the_remedy() {
    let authority = authority();
    let (one, other) = (server_identity(&authority), server_identity(&authority));
    let ca = authority.pem();
    assert!(complaint(trusting("not pem")).contains("ssl.truststore.certificates"));
    let missing = TlsSettings {
        ca: Some(Pem::File("/nonexistent/ca.pem".into())),
        ..trusting("")
    };
    assert!(complaint(missing).contains("/nonexistent/ca.pem"));
    assert!(complaint(trusting(&one.key)).contains("no CERTIFICATE section"));

    let with_key = |key: &str| {
        let identity = TlsIdentity {
            certificate: pem(&one.certificate),
            key: pem(key),
            key_password: None,
        };
        complaint(TlsSettings {
            identity: Some(identity),
            ..trusting(&ca)
        })
    };
    assert!(with_key(&other.key).contains("does not fit"));
    assert!(with_key(&one.certificate).contains("no PRIVATE KEY section"));
    let encrypted = one.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert!(with_key(&encrypted).contains("needs ssl.key.password"));
    let traditional = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n";
    assert!(with_key(traditional).contains("openssl pkcs8"));
    let cut = &one.key[..one.key.len() / 2];
    let message = with_key(cut);
    assert!(
        message.contains("END line") && !message.contains(&one.key[40..60]),
        "{message}"
    );
}
