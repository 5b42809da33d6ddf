//! SASL PLAIN and stale metadata; the engine's own network layer and kcat against them.

use super::*;
use crate::config::Config;
use crate::network::{
    BrokerAddress, CloseKind, ConnectionEvent, ConnectionId, Network, NetworkConfig,
    OutgoingRequest, RequestId,
};
use crate::protocol::sasl::{SaslAuthenticateRequest, SaslHandshakeRequest};
use crate::sys::Rng;
use std::sync::Arc;
use tokio::sync::mpsc;

fn handshake(cluster: &mut MockCluster, mechanism: &str) -> i16 {
    let request = SaslHandshakeRequest {
        mechanism: mechanism.to_owned(),
    };
    ask(cluster, 1, 1, &request).error_code
}

fn token(password: &str) -> SaslAuthenticateRequest {
    SaslAuthenticateRequest {
        auth_bytes: format!("\0alice\0{password}").into_bytes(),
    }
}

#[test]
fn nobody_gets_in_without_the_password_and_nobody_stays_for_ever() {
    let mut cluster = cluster(1);
    assert_eq!(handshake(&mut cluster, "PLAIN"), 34, "not asked for");
    cluster.require_sasl_plain("alice", "secret", Some(millis(500)));
    let request = metadata_request(&["t"], true);
    let close = [Action::Close { at: NOW }];
    assert_eq!(act(&mut cluster, 1, 9, &request), close);
    assert_eq!(handshake(&mut cluster, "GSSAPI"), 33);
    assert_eq!(handshake(&mut cluster, "PLAIN"), 0);
    assert_eq!(act(&mut cluster, 1, 9, &request), close);

    for wrong in ["wrong", "", "secret\0x"] {
        assert_eq!(handshake(&mut cluster, "PLAIN"), 0);
        let refused = act(&mut cluster, 1, 2, &token(wrong));
        let [Action::Send { bytes, .. }, Action::Close { .. }] = &refused[..] else {
            panic!("{refused:?}");
        };
        let answer = response::<SaslAuthenticateRequest>(2, 77, bytes);
        assert_eq!(answer.error_code, 58);
        assert!(answer.error_message.expect("a text").contains("password"));
        assert_eq!(act(&mut cluster, 1, 9, &request), close);
    }

    assert_eq!(handshake(&mut cluster, "PLAIN"), 0);
    let answer = ask(&mut cluster, 1, 2, &token("secret"));
    assert_eq!((answer.error_code, answer.session_lifetime_ms), (0, 500));
    ask(&mut cluster, 1, 9, &request);
    assert_eq!(handshake(&mut cluster, "PLAIN"), 0, "renewing");
    ask(&mut cluster, 1, 9, &request);
    ask(&mut cluster, 1, 2, &token("secret"));
    let late = cluster.handle(1, 1, NOW + millis(501), frame_of(&request, 9, 1));
    assert_eq!(
        late,
        [Action::Close {
            at: NOW + millis(501)
        }]
    );
    let other_connection = cluster.handle(1, 2, NOW, frame_of(&request, 9, 1));
    assert_eq!(other_connection, close);
    cluster.close_connection(1);
    assert_eq!(act(&mut cluster, 1, 9, &request), close);
    assert!(!format!("{cluster:?}").contains("secret"));
}

#[test]
fn stale_metadata_stay_as_they_were() {
    let mut cluster = cluster(2);
    cluster.set_stale_metadata(1, true);
    cluster.set_leader("t", 0, 2);
    let request = metadata_request(&["t"], true);
    let mut leader = |broker| {
        let answer = ask(&mut cluster, broker, 9, &request);
        let partition = &answer.topics[0].partitions[0];
        (partition.leader_id, partition.leader_epoch)
    };
    assert_eq!((leader(1), leader(2)), ((1, 0), (2, 1)));
    cluster.set_stale_metadata(1, false);
    assert_eq!(
        ask(&mut cluster, 1, 9, &request).topics[0].partitions[0].leader_epoch,
        1
    );
}

/// The engine's network over pipes, with SASL PLAIN as alice.
fn network(
    handle: &MockHandle,
    password: &str,
) -> (Network, mpsc::UnboundedReceiver<ConnectionEvent>) {
    let mut config = Config::new();
    for (name, value) in [
        ("bootstrap.servers", "10.0.0.1:9092"),
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", "alice"),
        ("sasl.password", password),
    ] {
        config.set(name, value).expect("a property");
    }
    let config = NetworkConfig::from(&config.build().expect("a configuration"));
    let (events, received) = mpsc::unbounded_channel();
    let transport = Arc::new(MemoryNetwork::new(handle.clone()));
    let network = Network::new(config, transport, Arc::new(Rng::from_seed(1)), events);
    (network.expect("no files are needed"), received)
}

fn first_broker() -> BrokerAddress {
    BrokerAddress {
        host: "10.0.0.1".into(),
        port: 9092,
    }
}

#[tokio::test(start_paused = true)]
async fn the_network_layer_authenticates_and_asks() {
    let handle = MockHandle::new(config(1));
    handle.with(|cluster| cluster.require_sasl_plain("alice", "secret", None));
    let (network, mut events) = network(&handle, "secret");
    let connection = network.connect(ConnectionId(1), &first_broker());
    let Some(ConnectionEvent::Ready { versions, .. }) = events.recv().await else {
        panic!("not ready");
    };
    let version = versions
        .pick(ApiKey::Metadata, i16::MAX)
        .expect("it is offered");
    let request = OutgoingRequest {
        id: RequestId(5),
        api: ApiKey::Metadata,
        version,
        body: vec![
            metadata_request(&["t"], true)
                .encode(version)
                .expect("a body"),
        ],
        expects_response: true,
        timeout: Duration::from_secs(1),
    };
    connection.send(request).expect("accepted");
    loop {
        match events.recv().await {
            Some(ConnectionEvent::Written { .. }) => {}
            Some(ConnectionEvent::Response { id, body, .. }) => {
                let answer = MetadataResponse::decode(version, &body).expect("a body");
                assert_eq!((id, answer.topics[0].partitions.len()), (RequestId(5), 4));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_network_layer_hears_that_the_password_is_wrong() {
    let handle = MockHandle::new(config(1));
    handle.with(|cluster| cluster.require_sasl_plain("alice", "secret", None));
    let (network, mut events) = network(&handle, "guess");
    let _connection = network.connect(ConnectionId(1), &first_broker());
    match events.recv().await {
        Some(ConnectionEvent::Closed { reason, .. }) => {
            assert!(
                matches!(reason.kind, CloseKind::Authentication { .. }),
                "{reason:?}"
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn kcat_authenticates() {
    let server = MockServer::start(config(1)).expect("it starts");
    server
        .handle()
        .with(|cluster| cluster.require_sasl_plain("alice", "secret", None));
    server.handle().create_topic("t", 1);
    let bootstrap = server.bootstrap();
    let arguments = ["-P", "-b", &bootstrap, "-t", "t", "-p", "0"];
    let sasl = [
        "-X",
        "security.protocol=SASL_PLAINTEXT",
        "-X",
        "sasl.mechanism=PLAIN",
        "-X",
        "sasl.username=alice",
        "-X",
        "sasl.password=secret",
    ];
    super::transports::kcat(&[&arguments[..], &sasl].concat(), b"one\n");
    assert_eq!(server.handle().records("t", 0).len(), 1);
}
