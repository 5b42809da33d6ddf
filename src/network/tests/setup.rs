//! From a name to a connection that is ready, and what can go wrong on the way.

use super::*;
use crate::protocol::api_versions::{ApiVersionsRequest, FinalizedFeature, UNSUPPORTED_VERSION};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn all_addresses_are_tried_in_turn() {
    let mut fixture = Fixture::new();
    fixture.name("broker", &[address(1), address(2), address(3)]);
    fixture
        .transport
        .answers
        .lock()
        .extend([(address(1), Answer::Refuse), (address(2), Answer::Hang)]);
    let begun = Instant::now();
    let (_handle, _peer) = fixture.ready().await;
    assert_eq!(
        *fixture.transport.attempts.lock(),
        [address(1), address(2), address(3)]
    );
    assert_eq!(begun.elapsed().as_secs(), SETUP.as_secs());
}

#[tokio::test(start_paused = true)]
async fn when_none_answers_all_are_named() {
    let mut fixture = Fixture::new();
    fixture.name("broker", &[address(1), address(2)]);
    fixture
        .transport
        .answers
        .lock()
        .extend([(address(1), Answer::Refuse), (address(2), Answer::Hang)]);
    let handle = fixture.connect();
    handle.send(request(1, b"early")).unwrap();
    let (reason, unanswered) = fixture.closed().await;
    assert_eq!(unanswered, [(1, WriteState::NotWritten)]);
    assert_eq!(
        reason.to_string(),
        "could not connect to broker:9092: 10.0.0.1:9092: connection refused, \
         10.0.0.2:9092: no answer within 10.0s (after 10.0s)"
    );
    assert_eq!(reason.error_code(), crate::error::ErrorCode::NO_BROKERS);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_was_of_no_use_is_tried_last() {
    let mut fixture = Fixture::new();
    fixture.name("broker", &[address(1), address(2)]);
    let _first = fixture.connect();
    drop(fixture.accept().await);
    let (reason, _) = fixture.closed().await;
    assert!(
        matches!(
            reason.kind,
            CloseKind::Disconnected {
                step: SetupStep::ApiVersions,
                ..
            }
        ),
        "{reason}"
    );
    let (_second, _peer) = fixture.ready().await;
    assert_eq!(*fixture.transport.attempts.lock(), [address(1), address(2)]);
    let (_third, _peer) = fixture.ready().await;
    assert_eq!(
        fixture.transport.attempts.lock().last(),
        Some(&address(1)),
        "a success clears the record"
    );
}

#[tokio::test(start_paused = true)]
async fn the_setup_timeout_grows_with_each_and_starts_anew_after_a_success() {
    let mut fixture = Fixture::new();
    fixture
        .transport
        .answers
        .lock()
        .insert(address(1), Answer::Hang);
    let mut took = Vec::new();
    for _ in 0..4 {
        let begun = Instant::now();
        let _handle = fixture.connect();
        let (reason, _) = fixture.closed().await;
        assert!(
            matches!(
                reason.kind,
                CloseKind::SetupTimeout {
                    step: SetupStep::Connect,
                    ..
                }
            ),
            "{reason}"
        );
        took.push(begun.elapsed());
    }
    assert_eq!(took[0].as_secs(), 10);
    assert!((16..=24).contains(&took[1].as_secs()), "{took:?}");
    assert!(
        took[2..]
            .iter()
            .all(|took| (24..=30).contains(&took.as_secs())),
        "{took:?}"
    );
    fixture.transport.answers.lock().clear();
    drop(fixture.ready().await);
    fixture.closed().await;
    fixture
        .transport
        .answers
        .lock()
        .insert(address(1), Answer::Hang);
    let begun = Instant::now();
    let _handle = fixture.connect();
    fixture.closed().await;
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn names_that_do_not_resolve_are_called_by_name() {
    let mut fixture = Fixture::new();
    let _handle = fixture.network.connect(
        ConnectionId(1),
        &BrokerAddress {
            host: "nowhere".into(),
            port: 1,
        },
    );
    let (reason, _) = fixture.closed().await;
    assert_eq!(
        reason.to_string(),
        "could not resolve the host of nowhere:1: no such host"
    );
    assert_eq!(reason.error_code(), crate::error::ErrorCode::RESOLVE);

    let _handle = fixture.network.connect(
        ConnectionId(2),
        &BrokerAddress {
            host: "hanging".into(),
            port: 1,
        },
    );
    let (reason, _) = fixture.closed().await;
    assert_eq!(
        reason.to_string(),
        "hanging:1 did not complete the name resolution within 10.0s"
    );
}

#[tokio::test(start_paused = true)]
async fn only_addresses_of_the_family_are_tried() {
    let settings = ConnectionSettings {
        address_family: AddressFamily::V6,
        ..settings()
    };
    let mut fixture = Fixture::with(settings, 1 << 20);
    let v6: SocketAddr = "[fd00::1]:9092".parse().unwrap();
    fixture.name("broker", &[address(1), v6]);
    let (_handle, _peer) = fixture.ready().await;
    assert_eq!(*fixture.transport.attempts.lock(), [v6]);
    fixture.name("broker", &[address(1)]);
    let _handle = fixture.connect();
    let (reason, _) = fixture.closed().await;
    assert!(
        reason
            .to_string()
            .ends_with("it has no IPv6 address (broker.address.family)"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_says_nothing_runs_into_the_setup_timeout() {
    let mut fixture = Fixture::new();
    let begun = Instant::now();
    let _handle = fixture.connect();
    let _silent = fixture.accept().await;
    let (reason, _) = fixture.closed().await;
    assert_eq!(begun.elapsed().as_secs(), 10);
    assert!(
        matches!(
            reason.kind,
            CloseKind::SetupTimeout {
                step: SetupStep::ApiVersions,
                ..
            }
        ),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_close_ends_the_setup_at_once() {
    let mut fixture = Fixture::new();
    fixture
        .transport
        .answers
        .lock()
        .insert(address(1), Answer::Hang);
    let begun = Instant::now();
    let handle = fixture.connect();
    handle.send(request(1, b"early")).unwrap();
    handle.close();
    let (reason, unanswered) = fixture.closed().await;
    assert_eq!(
        (reason.kind, unanswered),
        (CloseKind::Requested, vec![(1, WriteState::NotWritten)])
    );
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_client_says_what_it_is() {
    let mut fixture = Fixture::new();
    let _handle = fixture.connect();
    let mut peer = fixture.accept().await;
    let (header, body) = peer.request().await;
    assert_eq!(
        (header.api(), header.api_version),
        (Some(ApiKey::ApiVersions), 4)
    );
    let request = ApiVersionsRequest::decode(4, &body).unwrap();
    assert_eq!(request.client_software_name, "libkprod");
    assert_eq!(request.client_software_version, "0.1.0");
    let feature = FinalizedFeature {
        name: "transaction.version".into(),
        max_version_level: 2,
        min_version_level: 0,
    };
    let answer = ApiVersionsResponse {
        finalized_features: vec![feature],
        finalized_features_epoch: 3,
        ..all_versions()
    };
    peer.respond_with(&header, 4, &answer).await;
    let event = fixture.event().await;
    assert!(
        matches!(event, ConnectionEvent::Ready { versions, .. } if versions.feature("transaction.version") == 2)
    );
}

/// What a broker says to a version of ApiVersions that it does not know, and the version then asked for.
async fn asked_after(api_keys: Vec<ApiVersion>) -> i16 {
    let mut fixture = Fixture::new();
    let _handle = fixture.connect();
    let mut peer = fixture.accept().await;
    let (header, _) = peer.request().await;
    let error_code = UNSUPPORTED_VERSION;
    let refusal = ApiVersionsResponse {
        error_code,
        api_keys,
        ..ApiVersionsResponse::default()
    };
    peer.respond_with(&header, 0, &refusal).await;
    let (header, _) = peer.request().await;
    peer.respond_with(&header, header.api_version, &all_versions())
        .await;
    assert!(matches!(
        fixture.event().await,
        ConnectionEvent::Ready { .. }
    ));
    header.api_version
}

#[tokio::test(start_paused = true)]
async fn older_brokers_are_asked_again_in_a_version_they_know() {
    let offer = |max_version| {
        vec![ApiVersion {
            api_key: 18,
            min_version: 0,
            max_version,
        }]
    };
    assert_eq!(asked_after(Vec::new()).await, 0, "Kafka 2.1 names no range");
    assert_eq!(asked_after(offer(3)).await, 3);
    assert_eq!(asked_after(offer(2)).await, 2);
    assert_eq!(
        asked_after(offer(9)).await,
        3,
        "never the refused version again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_refuses_every_version_is_left() {
    let mut fixture = Fixture::new();
    let _handle = fixture.connect();
    let mut peer = fixture.accept().await;
    let refusal = ApiVersionsResponse {
        error_code: UNSUPPORTED_VERSION,
        ..ApiVersionsResponse::default()
    };
    for _ in 0..2 {
        let (header, _) = peer.request().await;
        peer.respond_with(&header, 0, &refusal).await;
    }
    let (reason, _) = fixture.closed().await;
    assert!(
        reason.to_string().starts_with(
            "broker:9092 cannot be used: ApiVersions was answered with UNSUPPORTED_VERSION: "
        ),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_too_old_is_told_so() {
    let mut fixture = Fixture::new();
    let _handle = fixture.connect();
    let mut peer = fixture.accept().await;
    let (header, _) = peer.request().await;
    let mut answer = all_versions();
    for offer in answer
        .api_keys
        .iter_mut()
        .filter(|offer| offer.api_key == ApiKey::Produce.code())
    {
        (offer.min_version, offer.max_version) = (0, 2);
    }
    peer.respond_with(&header, header.api_version, &answer)
        .await;
    let (reason, _) = fixture.closed().await;
    assert_eq!(
        reason.to_string(),
        "broker:9092 cannot be used: of Produce this client needs versions 3 to 13, the broker offers versions \
         0 to 2; Apache Kafka from 2.1 on is supported"
    );
}
