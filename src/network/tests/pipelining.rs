//! Requests on a connection in use: order, writes, deadlines, idleness and the end.

use super::*;
use tokio::time::{Instant, sleep};

/// Length and header of a Produce v9 request, whose header ends with an empty set of tagged fields.
const OVERHEAD: usize = 4 + 2 + 2 + 4 + 2 + "tests".len() + 1;

#[tokio::test(start_paused = true)]
async fn requests_go_out_together_and_answers_come_in_order() {
    let mut fixture = Fixture::new();
    let handle = fixture.connect();
    for id in 1..=3 {
        handle
            .send(request(id, format!("body {id}").as_bytes()))
            .unwrap();
    }
    let mut peer = fixture.accept().await;
    peer.serve_versions().await;
    assert!(
        matches!(fixture.event().await, ConnectionEvent::Ready { versions, .. }
        if versions.pick(ApiKey::Produce, i16::MAX) == Some(13))
    );
    let mut headers = Vec::new();
    for id in 1..=3 {
        let (header, body) = peer.request().await;
        assert_eq!(text(&body), format!("body {id}"));
        assert_eq!(
            (header.api(), header.api_version),
            (Some(ApiKey::Produce), 9)
        );
        assert_eq!(header.client_id.as_deref(), Some("tests"));
        headers.push(header);
    }
    assert!(
        headers
            .windows(2)
            .all(|pair| pair[1].correlation_id == pair[0].correlation_id + 1)
    );
    for (header, answer) in headers.iter().zip(["one", "two", "three"]) {
        peer.respond(header, answer.as_bytes()).await;
    }
    for id in 1..=3 {
        assert_eq!(fixture.written().await, id);
    }
    for (id, answer) in [(1, "one"), (2, "two"), (3, "three")] {
        let (answered, body) = fixture.response().await;
        assert_eq!((answered, text(&body).as_str()), (id, answer));
    }
}

#[tokio::test(start_paused = true)]
async fn the_parts_of_a_body_follow_each_other_and_may_be_empty() {
    let mut fixture = Fixture::with(settings(), 16);
    let (handle, mut peer) = fixture.ready().await;
    let parts: Vec<Bytes> = (0..1_000)
        .map(|n| Bytes::from(vec![n as u8; n % 7]))
        .collect();
    handle
        .send(OutgoingRequest {
            body: parts.clone(),
            ..request(1, b"")
        })
        .unwrap();
    handle
        .send(OutgoingRequest {
            body: Vec::new(),
            ..request(2, b"")
        })
        .unwrap();
    assert_eq!(peer.request().await.1, parts.concat());
    assert_eq!(peer.request().await.1, "");
}

#[tokio::test(start_paused = true)]
async fn a_request_without_answer_ends_when_it_is_written() {
    let mut fixture = Fixture::new();
    let (handle, mut peer) = fixture.ready().await;
    handle
        .send(OutgoingRequest {
            expects_response: false,
            ..request(1, b"acks=0")
        })
        .unwrap();
    handle.send(request(2, b"acks=1")).unwrap();
    assert_eq!(fixture.written().await, 1);
    assert_eq!(fixture.written().await, 2);
    peer.request().await;
    let (header, _) = peer.request().await;
    peer.respond(&header, b"two").await;
    assert_eq!(fixture.response().await.0, 2);
    handle.close();
    assert_eq!(fixture.closed().await.1, []);
}

#[tokio::test(start_paused = true)]
async fn answers_may_come_in_any_pieces() {
    let mut fixture = Fixture::with(settings(), 7);
    let (handle, mut peer) = fixture.ready().await;
    for id in 1..=20 {
        handle.send(request(id, b"question")).unwrap();
    }
    let mut answers = BytesMut::new();
    for id in 1..=20u8 {
        let (header, _) = peer.request().await;
        answers.extend_from_slice(&response(&header, &[id; 30]));
    }
    for byte in answers {
        peer.stream.write_u8(byte).await.unwrap();
    }
    for id in 1..=20 {
        assert_eq!(fixture.written().await, id);
    }
    for id in 1..=20 {
        assert_eq!(
            fixture.response().await,
            (id, Bytes::from(vec![id as u8; 30]))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_tells_how_far_each_request_got() {
    let mut fixture = Fixture::with(settings(), 1_000);
    let (handle, mut peer) = fixture.ready().await;
    handle.send(request(1, b"answered")).unwrap();
    let (header, _) = peer.request().await;
    peer.respond(&header, b"").await;
    assert_eq!(fixture.written().await, 1);
    assert_eq!(fixture.response().await.0, 1);
    handle.send(request(2, b"seen")).unwrap();
    handle.send(request(3, &[3; 2_000])).unwrap();
    handle.send(request(4, b"behind")).unwrap();
    assert_eq!(fixture.written().await, 2);
    handle.close();
    handle.close();
    let (reason, unanswered) = fixture.closed().await;
    assert_eq!(reason.kind, CloseKind::Requested);
    use WriteState::*;
    assert_eq!(
        unanswered,
        [(2, Written), (3, PartlyWritten), (4, NotWritten)]
    );
    let refused = handle.send(request(5, b"late")).unwrap_err();
    assert_eq!(refused.id, RequestId(5));
    assert!(fixture.events.is_empty(), "nothing follows Closed");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_handle_closes() {
    let mut fixture = Fixture::new();
    let (handle, mut peer) = fixture.ready().await;
    drop(handle);
    assert_eq!(fixture.closed().await.0.kind, CloseKind::Requested);
    assert_eq!(peer.read_to_end().await, b"");
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_leaves_ends_the_connection() {
    let mut fixture = Fixture::new();
    let (handle, mut peer) = fixture.ready().await;
    handle.send(request(1, b"question")).unwrap();
    handle.send(request(2, b"question")).unwrap();
    let (header, _) = peer.request().await;
    peer.respond(&header, b"answer").await;
    drop(peer);
    assert_eq!((fixture.written().await, fixture.written().await), (1, 2));
    assert_eq!(
        fixture.response().await.0,
        1,
        "what came before the end counts"
    );
    let (reason, unanswered) = fixture.closed().await;
    assert_eq!(unanswered, [(2, WriteState::Written)]);
    assert!(
        matches!(
            reason.kind,
            CloseKind::Disconnected {
                step: SetupStep::Done,
                ..
            }
        ),
        "{reason}"
    );
    assert!(
        reason
            .to_string()
            .starts_with("broker:9092 disconnected after"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_timeout_counts_from_the_last_byte_written() {
    let mut fixture = Fixture::with(settings(), 100);
    let (handle, mut peer) = fixture.ready().await;
    handle.send(request(1, &[1; 500])).unwrap();
    sleep(Duration::from_secs(30)).await;
    peer.request().await;
    let written = Instant::now();
    assert_eq!(fixture.written().await, 1);
    let (reason, unanswered) = fixture.closed().await;
    assert!(
        written.elapsed() >= REQUEST && written.elapsed() < REQUEST + Duration::from_millis(10)
    );
    assert_eq!(unanswered, [(1, WriteState::Written)]);
    assert_eq!(
        reason.to_string(),
        "broker:9092 did not answer Produce within 40.0s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_takes_no_bytes_does_not_hold_a_request_forever() {
    let mut fixture = Fixture::with(settings(), 100);
    let (handle, _peer) = fixture.ready().await;
    let sent = Instant::now();
    handle.send(request(1, &[1; 500])).unwrap();
    handle
        .send(OutgoingRequest {
            timeout: Duration::from_secs(1),
            ..request(2, b"behind")
        })
        .unwrap();
    let (reason, unanswered) = fixture.closed().await;
    assert!(sent.elapsed() >= REQUEST && sent.elapsed() < REQUEST + Duration::from_millis(10));
    assert_eq!(
        unanswered,
        [(1, WriteState::PartlyWritten), (2, WriteState::NotWritten)]
    );
    assert_eq!(
        reason.to_string(),
        "broker:9092 did not take the bytes of Produce within 40.0s"
    );
}

#[tokio::test(start_paused = true)]
async fn each_request_has_its_own_timeout() {
    let mut fixture = Fixture::new();
    let (handle, mut peer) = fixture.ready().await;
    let sent = Instant::now();
    for id in 1..=100 {
        handle.send(request(id, b"answered")).unwrap();
        let (header, _) = peer.request().await;
        peer.respond(&header, b"").await;
        sleep(Duration::from_secs(1)).await;
    }
    handle.send(request(200, b"slow")).unwrap();
    handle
        .send(OutgoingRequest {
            timeout: Duration::from_secs(5),
            ..request(201, b"hasty")
        })
        .unwrap();
    let (reason, unanswered) = fixture.closed().await;
    assert_eq!(sent.elapsed().as_secs(), 105);
    assert_eq!(
        unanswered,
        [(200, WriteState::Written), (201, WriteState::Written)]
    );
    assert!(matches!(
        reason.kind,
        CloseKind::RequestTimeout {
            id: RequestId(201),
            ..
        }
    ));
}

#[tokio::test(start_paused = true)]
async fn an_endless_timeout_is_no_overflow() {
    let mut fixture = Fixture::new();
    let (handle, mut peer) = fixture.ready().await;
    handle
        .send(OutgoingRequest {
            timeout: Duration::MAX,
            ..request(1, b"patient")
        })
        .unwrap();
    let (header, _) = peer.request().await;
    sleep(Duration::from_secs(3_600 * 24 * 365)).await;
    peer.respond(&header, b"at last").await;
    assert_eq!(fixture.written().await, 1);
    assert_eq!(fixture.response().await.0, 1);
}

#[tokio::test(start_paused = true)]
async fn idleness_closes_in_silence_and_only_when_nothing_is_outstanding() {
    let mut fixture = Fixture::new();
    let (handle, mut peer) = fixture.ready().await;
    sleep(IDLE - Duration::from_secs(1)).await;
    handle
        .send(OutgoingRequest {
            timeout: IDLE * 2,
            ..request(1, b"long")
        })
        .unwrap();
    let (header, _) = peer.request().await;
    sleep(IDLE + Duration::from_secs(1)).await;
    peer.respond(&header, b"answer").await;
    let answered = Instant::now();
    assert_eq!(fixture.written().await, 1);
    assert_eq!(fixture.response().await.0, 1);
    let (reason, unanswered) = fixture.closed().await;
    assert_eq!(answered.elapsed().as_secs(), IDLE.as_secs());
    assert_eq!((reason.kind.clone(), unanswered), (CloseKind::Idle, vec![]));
    assert!(reason.is_silent());
    assert_eq!(peer.read_to_end().await, b"");
}

#[tokio::test(start_paused = true)]
async fn without_a_limit_idle_connections_stay() {
    let mut fixture = Fixture::with(
        ConnectionSettings {
            max_idle: None,
            ..settings()
        },
        1 << 20,
    );
    let (handle, mut peer) = fixture.ready().await;
    sleep(Duration::from_secs(3_600 * 24)).await;
    handle.send(request(1, b"still there?")).unwrap();
    let (header, _) = peer.request().await;
    peer.respond(&header, b"yes").await;
    assert_eq!(fixture.written().await, 1);
    assert_eq!(fixture.response().await.0, 1);
}

#[tokio::test(start_paused = true)]
async fn many_small_requests_share_a_write() {
    let mut fixture = Fixture::new();
    let (handle, mut peer) = fixture.ready().await;
    for id in 0..50 {
        handle.send(request(id, b"small")).unwrap();
    }
    // The memory stream hands over what one write gave: one read sees all fifty.
    let mut arrived = vec![0; 1 << 16];
    let count = peer.stream.read(&mut arrived).await.unwrap();
    assert_eq!(count, 50 * (OVERHEAD + "small".len()));
}

#[test]
fn a_task_that_dies_with_its_runtime_still_reports_its_end() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let mut fixture = Fixture::new();
    let handle = runtime.block_on(async {
        let (handle, mut peer) = fixture.ready().await;
        handle.send(request(1, b"seen")).unwrap();
        peer.request().await;
        assert_eq!(fixture.written().await, 1);
        handle.send(request(2, b"queued")).unwrap();
        handle
    });
    drop(runtime);
    assert!(handle.send(request(3, b"late")).is_err());
    let event = fixture.events.try_recv().unwrap();
    let ConnectionEvent::Closed {
        reason, unanswered, ..
    } = event
    else {
        panic!("{event:?}")
    };
    assert_eq!(reason.kind, CloseKind::Abandoned);
    assert_eq!(
        unanswered,
        [
            (RequestId(1), WriteState::Written),
            (RequestId(2), WriteState::NotWritten)
        ]
    );
}
