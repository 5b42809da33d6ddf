//! Peers that are no brokers, or bad ones: each ends its connection with a clear reason and nothing else.

use super::*;
use crate::sys::Rng;

/// The reason for which a connection closes whose peer answers ApiVersions with these bytes.
async fn reason_for(answer: &[u8]) -> CloseReason {
    let mut fixture = Fixture::new();
    let _handle = fixture.connect();
    let mut peer = fixture.accept().await;
    peer.request().await;
    peer.stream.write_all(answer).await.unwrap();
    fixture.closed().await.0
}

#[tokio::test(start_paused = true)]
async fn other_protocols_are_recognised() {
    let http = reason_for(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    assert!(http.to_string().contains("the peer speaks HTTP"), "{http}");
    let tls = reason_for(&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28]).await;
    assert!(
        tls.to_string().contains("set security.protocol to SSL"),
        "{tls}"
    );
    assert_eq!(tls.error_code(), crate::error::ErrorCode::PROTOCOL);
}

#[tokio::test(start_paused = true)]
async fn lengths_beyond_the_limit_are_refused_before_memory_is_taken() {
    for size in [i32::MAX, RECEIVE_MAX as i32 + 1, -1, i32::MIN, 3] {
        let reason = reason_for(&size.to_be_bytes()).await;
        assert!(matches!(reason.kind, CloseKind::Protocol(_)), "{reason}");
        assert!(
            reason.to_string().contains("receive.message.max.bytes"),
            "{reason}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn garbage_in_a_frame_is_a_protocol_error() {
    let garbage = [&10i32.to_be_bytes()[..], &0i32.to_be_bytes(), &[0xff; 6]].concat();
    let reason = reason_for(&garbage).await;
    assert!(
        matches!(&reason.kind, CloseKind::Protocol(text) if text.contains("ApiVersions")),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_correlation_id_ends_the_stream_that_cannot_be_trusted() {
    let mut fixture = Fixture::new();
    let (handle, mut peer) = fixture.ready().await;
    handle.send(request(1, b"one")).unwrap();
    handle.send(request(2, b"two")).unwrap();
    peer.request().await;
    let (second, _) = peer.request().await;
    peer.respond(&second, b"").await;
    let (reason, unanswered) = fixture.closed().await;
    assert!(
        reason
            .to_string()
            .contains("a response to request 2 came where 1 was due"),
        "{reason}"
    );
    assert_eq!(
        unanswered,
        [(1, WriteState::Written), (2, WriteState::Written)]
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_nobody_asked_for_ends_the_connection() {
    let mut fixture = Fixture::new();
    let (_handle, mut peer) = fixture.ready().await;
    peer.stream
        .write_all(&[0, 0, 0, 4, 0, 0, 0, 7])
        .await
        .unwrap();
    let (reason, _) = fixture.closed().await;
    assert!(
        reason.to_string().contains("no request asked for"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_response_header_cut_short_leaves_its_request_unanswered() {
    let mut fixture = Fixture::new();
    let (handle, mut peer) = fixture.ready().await;
    handle.send(request(1, b"one")).unwrap();
    let (header, _) = peer.request().await;
    let frame = [
        &4i32.to_be_bytes()[..],
        &header.correlation_id.to_be_bytes(),
    ]
    .concat();
    peer.stream.write_all(&frame).await.unwrap();
    let (reason, unanswered) = fixture.closed().await;
    assert!(matches!(reason.kind, CloseKind::Protocol(_)), "{reason}");
    assert_eq!(unanswered, [(1, WriteState::Written)]);
}

#[tokio::test(start_paused = true)]
async fn half_an_answer_is_no_answer() {
    let mut fixture = Fixture::new();
    let (handle, mut peer) = fixture.ready().await;
    handle.send(request(1, b"one")).unwrap();
    let (header, _) = peer.request().await;
    let whole = response(&header, &[9; 100]);
    peer.stream
        .write_all(&whole[..whole.len() - 1])
        .await
        .unwrap();
    drop(peer);
    let (reason, unanswered) = fixture.closed().await;
    assert!(
        matches!(reason.kind, CloseKind::Disconnected { .. }),
        "{reason}"
    );
    assert_eq!(unanswered, [(1, WriteState::Written)]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_wants_sasl_is_hinted_at() {
    let mut fixture = Fixture::new();
    let (handle, mut peer) = fixture.ready().await;
    handle.send(request(1, b"one")).unwrap();
    peer.request().await;
    drop(peer);
    let (reason, _) = fixture.closed().await;
    assert!(
        reason
            .to_string()
            .contains("does this listener require SASL?"),
        "{reason}"
    );
}

/// A mutated answer: bytes flipped, cut, or made of chance.
fn mutated(original: &[u8], rng: &Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.below(bytes.len() as u64) as usize;
        match rng.below(4) {
            0 => bytes[at] = rng.next_u64() as u8,
            1 => bytes[at] ^= 1 << rng.below(8),
            2 => bytes.truncate(at.max(1)),
            _ => bytes.insert(at, 0xff),
        }
    }
    bytes
}

#[tokio::test(start_paused = true)]
async fn no_mutation_of_an_answer_does_more_than_end_the_connection() {
    let rng = Rng::from_seed(20_240_601);
    for round in 0..2_000 {
        let mut fixture = Fixture::new();
        let handle = fixture.connect();
        handle.send(request(1, b"one")).unwrap();
        let mut peer = fixture.accept().await;
        let (header, _) = peer.request().await;
        let mut answer = response(&header, &all_versions().encode(header.api_version).unwrap());
        if rng.below(2) == 0 {
            peer.stream.write_all(&answer).await.unwrap();
            let (header, _) = peer.request().await;
            answer = response(&header, b"an answer to produce");
        }
        peer.stream
            .write_all(&mutated(&answer, &rng))
            .await
            .unwrap();
        drop(peer);
        let mut answered = false;
        let unanswered = loop {
            match fixture.event().await {
                ConnectionEvent::Response { .. } => answered = true,
                ConnectionEvent::Closed {
                    reason, unanswered, ..
                } => {
                    assert_ne!(reason.kind, CloseKind::Abandoned, "round {round}");
                    break unanswered;
                }
                ConnectionEvent::Ready { .. } | ConnectionEvent::Written { .. } => {}
            }
        };
        assert_eq!(unanswered.len(), usize::from(!answered), "round {round}");
    }
}
