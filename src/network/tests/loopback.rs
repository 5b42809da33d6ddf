//! Real sockets: writes without SIGPIPE, and the transport as it ships.

use super::*;
use crate::sys::SignalsBlocked;
use std::io::{IoSlice, Write as _};
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};

/// Whether a SIGPIPE waits for this thread, which must have it blocked.
fn sigpipe_is_pending() -> bool {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let pending = status
        .lines()
        .find_map(|line| line.strip_prefix("SigPnd:"))
        .unwrap();
    let mask = u64::from_str_radix(pending.trim(), 16).unwrap();
    mask & (1 << (libc::SIGPIPE - 1)) != 0
}

/// A stream whose peer has gone: its writes fail.
async fn orphan() -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (peer, _) = listener.accept().await.unwrap();
    peer.set_zero_linger().unwrap();
    drop(peer);
    // The reset has come when the socket is readable with an error.
    let _ = stream.readable().await;
    assert_eq!(
        stream.take_error().unwrap().map(|error| error.kind()),
        Some(io::ErrorKind::ConnectionReset)
    );
    stream
}

#[tokio::test]
async fn writes_to_a_peer_that_left_raise_no_signal() {
    let _blocked = SignalsBlocked::new().unwrap();
    let parts = [IoSlice::new(b"one"), IoSlice::new(b"two")];
    let mut socket = Socket::new(orphan().await);
    assert_eq!(
        socket.write_vectored(&parts).await.unwrap_err().kind(),
        io::ErrorKind::BrokenPipe
    );
    assert_eq!(
        socket.write(b"three").await.unwrap_err().kind(),
        io::ErrorKind::BrokenPipe
    );
    assert!(!sigpipe_is_pending());

    // The test would notice: this is what a plain vectored write does.
    let mut plain = orphan().await.into_std().unwrap();
    assert_eq!(
        plain.write_vectored(&parts).unwrap_err().kind(),
        io::ErrorKind::BrokenPipe
    );
    assert!(sigpipe_is_pending());
}

#[tokio::test]
async fn requests_and_answers_cross_real_sockets() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = ConnectionSettings {
        send_buffer: Some(64 * 1024),
        receive_buffer: Some(64 * 1024),
        address_family: AddressFamily::V4,
        ..settings()
    };
    let (network, mut events) = network_over(Arc::new(TokioTransport::new()), settings);
    let handle = network.connect(
        ConnectionId(1),
        &BrokerAddress {
            host: "localhost".into(),
            port,
        },
    );
    let mut peer = Peer {
        stream: listener.accept().await.unwrap().0,
    };
    peer.serve_versions().await;
    let part = Bytes::from(vec![7; 16 * 1024]);
    for id in 0..20 {
        let body = (0..40)
            .flat_map(|_| [Bytes::from_static(b"head"), part.clone()])
            .collect();
        handle
            .send(OutgoingRequest {
                body,
                ..request(id, b"")
            })
            .unwrap();
    }
    for _ in 0..20 {
        let (header, body) = peer.request().await;
        assert_eq!(body.len(), 40 * (4 + part.len()));
        peer.respond(&header, b"taken").await;
    }
    let mut answered = Vec::new();
    while answered.len() < 20 {
        if let ConnectionEvent::Response { id, body, .. } = next_event(&mut events).await {
            assert_eq!(text(&body), "taken");
            answered.push(id.0);
        }
    }
    assert!(answered.into_iter().eq(0..20));
    drop(peer);
    assert!(matches!(
        next_closed(&mut events).await.0.kind,
        CloseKind::Disconnected { .. }
    ));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_refused() {
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let (network, mut events) = network_over(Arc::new(TokioTransport::new()), settings());
    let _handle = network.connect(
        ConnectionId(1),
        &BrokerAddress {
            host: "127.0.0.1".into(),
            port,
        },
    );
    let (reason, _) = next_closed(&mut events).await;
    assert!(
        matches!(&reason.kind, CloseKind::Connect(failures) if failures.len() == 1),
        "{reason}"
    );
    assert!(reason.to_string().contains("refused"), "{reason}");
}
