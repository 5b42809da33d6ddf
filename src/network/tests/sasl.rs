//! Authentication, against a broker that checks it.

use super::*;
use crate::config::{SaslSettings, ScramHash, Secret};
use crate::protocol::sasl::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::digest::{Digest, block_api::EagerHash};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha512};
use tokio::time::{Instant, sleep};

const AUTHENTICATION_FAILED: i16 = 58;

fn secured(sasl: SaslSettings) -> ConnectionSettings {
    ConnectionSettings {
        security_protocol: SecurityProtocol::SaslPlaintext,
        sasl: Some(sasl),
        ..settings()
    }
}

fn plain() -> SaslSettings {
    SaslSettings::Plain {
        username: "alice".into(),
        password: Secret::new("wonder"),
    }
}

fn scram(hash: ScramHash, password: &str) -> SaslSettings {
    SaslSettings::Scram {
        hash,
        username: "alice".into(),
        password: Secret::new(password),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// Agrees to the mechanism that the client names.
    pub async fn agree_on(&mut self, mechanism: &str) {
        let (header, body) = self.request().await;
        assert_eq!(
            (header.api(), header.api_version),
            (Some(ApiKey::SaslHandshake), 1)
        );
        assert_eq!(
            SaslHandshakeRequest::decode(1, &body).unwrap().mechanism,
            mechanism
        );
        let answer = SaslHandshakeResponse {
            error_code: 0,
            mechanisms: vec![mechanism.to_owned()],
        };
        self.respond_with(&header, 1, &answer).await;
    }

    pub async fn token(&mut self) -> (RequestHeader, Vec<u8>) {
        let (header, body) = self.request().await;
        assert_eq!(header.api(), Some(ApiKey::SaslAuthenticate));
        let token = SaslAuthenticateRequest::decode(header.api_version, &body)
            .unwrap()
            .auth_bytes;
        (header, token)
    }

    pub async fn accept_token(
        &mut self,
        header: &RequestHeader,
        auth_bytes: &[u8],
        session_lifetime_ms: i64,
    ) {
        let answer = SaslAuthenticateResponse {
            auth_bytes: auth_bytes.to_vec(),
            session_lifetime_ms,
            ..SaslAuthenticateResponse::default()
        };
        self.respond_with(header, header.api_version, &answer).await;
    }

    pub async fn refuse_token(&mut self, header: &RequestHeader, message: &str) {
        let answer = SaslAuthenticateResponse {
            error_code: AUTHENTICATION_FAILED,
            error_message: Some(message.to_owned()),
            ..SaslAuthenticateResponse::default()
        };
        self.respond_with(header, header.api_version, &answer).await;
    }

    /// Takes part in a SCRAM exchange as RFC 5802 has it.
    async fn serve_scram<D: EagerHash + Digest>(&mut self, password: &str, iterations: u32) {
        let (header, first) = self.token().await;
        let first = String::from_utf8(first).unwrap();
        let bare = first.strip_prefix("n,,").expect("no channel binding");
        let nonce = bare
            .strip_prefix("n=alice,r=")
            .expect("the user's name and a nonce");
        let salt = b"pepper";
        let server_first = format!("r={nonce}server,s={},i={iterations}", BASE64.encode(salt));
        self.accept_token(&header, server_first.as_bytes(), 0).await;

        let (header, last) = self.token().await;
        let last = String::from_utf8(last).unwrap();
        let (without_proof, proof) = last.rsplit_once(",p=").expect("a proof");
        assert_eq!(without_proof, format!("c=biws,r={nonce}server"));
        let salted = salted_password::<D>(password.as_bytes(), salt, iterations);
        let auth_message = format!("{bare},{server_first},{without_proof}");
        let stored_key = D::digest(hmac::<D>(&salted, b"Client Key"));
        let signature = hmac::<D>(&stored_key, auth_message.as_bytes());
        let proof = BASE64.decode(proof).unwrap();
        let client_key: Vec<u8> = proof
            .iter()
            .zip(signature)
            .map(|(proof, sign)| proof ^ sign)
            .collect();
        if D::digest(client_key) != stored_key {
            return self
                .refuse_token(&header, "Authentication failed: invalid credentials")
                .await;
        }
        let server_signature =
            hmac::<D>(&hmac::<D>(&salted, b"Server Key"), auth_message.as_bytes());
        let server_final = format!("v={}", BASE64.encode(server_signature));
        self.accept_token(&header, server_final.as_bytes(), 0).await;
    }
}

fn hmac<D: EagerHash>(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<D>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn salted_password<D: EagerHash>(password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
    let mut round = hmac::<D>(password, &[salt, &[0, 0, 0, 1]].concat());
    let mut sum = round.clone();
    for _ in 1..iterations {
        round = hmac::<D>(password, &round);
        sum.iter_mut()
            .zip(&round)
            .for_each(|(sum, byte)| *sum ^= byte);
    }
    sum
}

/// A fixture whose broker has answered ApiVersions.
async fn before_sasl(sasl: SaslSettings) -> (Fixture, ConnectionHandle, Peer<DuplexStream>) {
    let mut fixture = Fixture::with(secured(sasl), 1 << 20);
    let handle = fixture.connect();
    let mut peer = fixture.accept().await;
    peer.serve_versions().await;
    (fixture, handle, peer)
}

#[tokio::test(start_paused = true)]
async fn plain_authenticates_before_the_first_request() {
    let (mut fixture, handle, mut peer) = before_sasl(plain()).await;
    handle.send(request(1, b"early")).unwrap();
    peer.agree_on("PLAIN").await;
    let (header, token) = peer.token().await;
    assert_eq!(token, b"\0alice\0wonder");
    peer.accept_token(&header, b"", 0).await;
    assert!(matches!(
        fixture.event().await,
        ConnectionEvent::Ready { .. }
    ));
    assert_eq!(text(&peer.request().await.1), "early");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_in_the_brokers_words_and_without_the_password() {
    let (mut fixture, handle, mut peer) = before_sasl(plain()).await;
    handle.send(request(1, b"early")).unwrap();
    peer.agree_on("PLAIN").await;
    let (header, _) = peer.token().await;
    peer.refuse_token(
        &header,
        "Authentication failed: Invalid username or password",
    )
    .await;
    let (reason, unanswered) = fixture.closed().await;
    assert_eq!(
        reason.to_string(),
        "authentication at broker:9092 with PLAIN failed: Authentication failed: Invalid username or password"
    );
    assert!(!format!("{reason:?} {:?}", secured(plain())).contains("wonder"));
    assert_eq!(
        reason.error_code(),
        crate::error::ErrorCode::SASL_AUTHENTICATION_FAILED
    );
    assert_eq!(unanswered, [(1, WriteState::NotWritten)]);
}

#[tokio::test(start_paused = true)]
async fn a_mechanism_that_is_not_offered_is_answered_with_those_that_are() {
    let (mut fixture, _handle, mut peer) = before_sasl(plain()).await;
    let (header, _) = peer.request().await;
    let mechanisms = vec!["SCRAM-SHA-256".to_owned(), "OAUTHBEARER".to_owned()];
    peer.respond_with(
        &header,
        1,
        &SaslHandshakeResponse {
            error_code: 33,
            mechanisms,
        },
    )
    .await;
    let (reason, _) = fixture.closed().await;
    assert!(
        reason
            .to_string()
            .ends_with("the broker offers SCRAM-SHA-256, OAUTHBEARER (sasl.mechanism)"),
        "{reason}"
    );
}

/// What is said to a client whose SaslHandshake is answered with this code.
async fn handshake_answered(error_code: i16) -> CloseReason {
    let (mut fixture, _handle, mut peer) = before_sasl(plain()).await;
    let (header, _) = peer.request().await;
    let mechanisms = Vec::new();
    let answer = SaslHandshakeResponse {
        error_code,
        mechanisms,
    };
    peer.respond_with(&header, 1, &answer).await;
    fixture.closed().await.0
}

#[tokio::test(start_paused = true)]
async fn a_listener_without_sasl_is_called_that() {
    let reason = handshake_answered(34).await;
    assert_eq!(
        reason.to_string(),
        "the listener at broker:9092 does not expect SASL (ILLEGAL_SASL_STATE): set security.protocol to PLAINTEXT, \
         or use the port of a listener with SASL"
    );
    assert_eq!(
        reason.error_code(),
        crate::error::ErrorCode::ILLEGAL_SASL_STATE
    );
}

#[tokio::test(start_paused = true)]
async fn other_codes_are_told_by_name() {
    let reason = handshake_answered(35).await;
    assert!(
        reason
            .to_string()
            .contains("SaslHandshake was answered with UNSUPPORTED_VERSION: "),
        "{reason}"
    );
    let (mut fixture, _handle, mut peer) = before_sasl(plain()).await;
    peer.agree_on("PLAIN").await;
    let (header, _) = peer.token().await;
    peer.refuse_token(&header, "").await;
    let (reason, _) = fixture.closed().await;
    assert!(
        reason
            .to_string()
            .contains("SaslAuthenticate was answered with SASL_AUTHENTICATION_FAILED: "),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn scram_proves_both_sides() {
    let (mut fixture, _handle, mut peer) = before_sasl(scram(ScramHash::Sha256, "wonder")).await;
    peer.agree_on("SCRAM-SHA-256").await;
    peer.serve_scram::<Sha256>("wonder", 4_096).await;
    assert!(matches!(
        fixture.event().await,
        ConnectionEvent::Ready { .. }
    ));

    let (mut fixture, _handle, mut peer) = before_sasl(scram(ScramHash::Sha512, "wonder")).await;
    peer.agree_on("SCRAM-SHA-512").await;
    peer.serve_scram::<Sha512>("wonder", 10_001).await;
    assert!(matches!(
        fixture.event().await,
        ConnectionEvent::Ready { .. }
    ));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_repeats_the_secret_is_not_quoted() {
    let (mut fixture, _handle, mut peer) = before_sasl(plain()).await;
    peer.agree_on("PLAIN").await;
    let (header, _) = peer.token().await;
    let echo = format!("{}no such login: alice/wonder", " ".repeat(280));
    peer.refuse_token(&header, &echo).await;
    let (reason, _) = fixture.closed().await;
    let said = format!("{reason} {reason:?}");
    assert!(!said.contains("won"), "{said}");
    assert!(said.contains("sasl.password is among them"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn scram_with_a_wrong_password_is_refused_by_the_broker() {
    let (mut fixture, _handle, mut peer) = before_sasl(scram(ScramHash::Sha256, "blunder")).await;
    peer.agree_on("SCRAM-SHA-256").await;
    peer.serve_scram::<Sha256>("wonder", 4_096).await;
    let (reason, _) = fixture.closed().await;
    assert!(
        matches!(
            &reason.kind,
            CloseKind::Authentication {
                mechanism: "SCRAM-SHA-256",
                ..
            }
        ),
        "{reason}"
    );
    assert!(
        reason.to_string().ends_with("invalid credentials"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_cannot_prove_itself_is_refused() {
    let (mut fixture, _handle, mut peer) = before_sasl(scram(ScramHash::Sha256, "wonder")).await;
    peer.agree_on("SCRAM-SHA-256").await;
    let (header, first) = peer.token().await;
    let nonce = String::from_utf8(first)
        .unwrap()
        .split_once("r=")
        .unwrap()
        .1
        .to_owned();
    peer.accept_token(
        &header,
        format!("r={nonce}x,s=cGVwcGVy,i=4096").as_bytes(),
        0,
    )
    .await;
    let (header, _) = peer.token().await;
    peer.accept_token(
        &header,
        format!("v={}", BASE64.encode([0; 32])).as_bytes(),
        0,
    )
    .await;
    let (reason, _) = fixture.closed().await;
    assert!(
        reason
            .to_string()
            .contains("could not prove that it knows the password"),
        "{reason}"
    );
}

/// The end of the message after the broker refused a token with this text.
async fn told_of_a_refused_token(text: &str) -> String {
    let token = SaslSettings::OauthBearer {
        token: Secret::new("e30.e30."),
    };
    let (mut fixture, _handle, mut peer) = before_sasl(token).await;
    peer.agree_on("OAUTHBEARER").await;
    let (header, first) = peer.token().await;
    assert_eq!(first, b"n,,\x01auth=Bearer e30.e30.\x01\x01");
    peer.accept_token(&header, br#"{"status":"invalid_token"}"#, 0)
        .await;
    let (header, acknowledged) = peer.token().await;
    assert_eq!(acknowledged, [1]);
    peer.refuse_token(&header, text).await;
    let message = fixture.closed().await.0.to_string();
    message
        .rsplit_once("OAUTHBEARER failed: ")
        .expect("what failed")
        .1
        .to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_refused_oauth_token_is_told_with_its_reason_once() {
    let reason = r#"{"status":"invalid_token"}"#;
    assert_eq!(
        told_of_a_refused_token("No.").await,
        format!("No.: {reason}")
    );
    assert_eq!(told_of_a_refused_token(reason).await, reason);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_leaves_during_authentication_is_told_so() {
    let (mut fixture, _handle, mut peer) = before_sasl(plain()).await;
    peer.agree_on("PLAIN").await;
    peer.token().await;
    drop(peer);
    let (reason, _) = fixture.closed().await;
    assert!(
        reason
            .to_string()
            .contains("disconnected during the SASL authentication"),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_session_is_renewed_before_it_ends_between_requests() {
    const LIFETIME: i64 = 100_000;
    let (mut fixture, handle, mut peer) = before_sasl(plain()).await;
    peer.agree_on("PLAIN").await;
    let (header, _) = peer.token().await;
    peer.accept_token(&header, b"", LIFETIME).await;
    assert!(matches!(
        fixture.event().await,
        ConnectionEvent::Ready { .. }
    ));
    let authenticated = Instant::now();
    for round in 0..3u64 {
        // One request is under way when the time comes and one follows: neither is disturbed.
        sleep(Duration::from_secs(80)).await;
        let (before, after) = (round * 10 + 1, round * 10 + 2);
        handle.send(request(before, b"before")).unwrap();
        let (header, _) = peer.request().await;
        sleep(Duration::from_secs(17)).await;
        handle.send(request(after, b"after")).unwrap();
        peer.respond(&header, b"").await;
        peer.agree_on("PLAIN").await;
        let (header, _) = peer.token().await;
        peer.accept_token(&header, b"", LIFETIME).await;
        let (header, body) = peer.request().await;
        assert_eq!(text(&body), "after");
        peer.respond(&header, b"").await;
        assert_eq!(
            (fixture.written().await, fixture.response().await.0),
            (before, before)
        );
        assert_eq!(
            (fixture.written().await, fixture.response().await.0),
            (after, after)
        );
    }
    assert!(authenticated.elapsed() >= Duration::from_millis(2 * LIFETIME as u64));
    assert!(fixture.events.is_empty(), "a renewal is no event");
}

#[tokio::test(start_paused = true)]
async fn an_idle_session_is_renewed_in_time_and_a_refused_renewal_closes() {
    let (mut fixture, _handle, mut peer) = before_sasl(plain()).await;
    peer.agree_on("PLAIN").await;
    let (header, _) = peer.token().await;
    peer.accept_token(&header, b"", 100_000).await;
    let authenticated = Instant::now();
    peer.agree_on("PLAIN").await;
    assert!(
        (85..=95).contains(&authenticated.elapsed().as_secs()),
        "{:?}",
        authenticated.elapsed()
    );
    let (header, _) = peer.token().await;
    peer.refuse_token(&header, "password changed").await;
    let (reason, _) = fixture.closed().await;
    assert!(
        matches!(reason.kind, CloseKind::Authentication { .. }),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn lifetimes_out_of_reason_are_survived() {
    for lifetime in [i64::MAX, i64::MIN, -1, 1] {
        let (mut fixture, handle, mut peer) = before_sasl(plain()).await;
        peer.agree_on("PLAIN").await;
        let (header, _) = peer.token().await;
        peer.accept_token(&header, b"", lifetime).await;
        handle.send(request(1, b"one")).unwrap();
        let (header, _) = peer.request().await;
        peer.respond(&header, b"").await;
        assert!(matches!(
            fixture.event().await,
            ConnectionEvent::Ready { .. }
        ));
        assert_eq!(
            (fixture.written().await, fixture.response().await.0),
            (1, 1)
        );
    }
}
