//! SASL PLAIN: which connections have said who they are, and until when that holds.

use super::cluster::MockCluster;
use super::serve::Call;
use super::wire;
use crate::config::Secret;
use crate::error::ErrorCode;
use crate::protocol::ApiKey;
use crate::protocol::sasl::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use std::collections::BTreeMap;
use std::time::Duration;

const PLAIN: &str = "PLAIN";

/// How far a connection has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Session {
    /// The mechanism is agreed on; the token is to follow. A session that is renewed lasts meanwhile.
    Handshaken {
        renews: Option<Duration>,
    },
    Authenticated {
        until: Duration,
    },
}

/// The one user that may connect, and the connections' sessions.
#[derive(Debug)]
pub(super) struct Sasl {
    username: String,
    password: Secret,
    /// `connections.max.reauth.ms` (KIP-368).
    lifetime: Option<Duration>,
    sessions: BTreeMap<u64, Session>,
}

impl Sasl {
    pub fn new(username: &str, password: &str, lifetime: Option<Duration>) -> Self {
        Sasl {
            username: username.to_owned(),
            password: Secret::new(password),
            lifetime,
            sessions: BTreeMap::new(),
        }
    }

    /// Whether a connection may ask for this now.
    pub fn allows(&self, connection: u64, api: ApiKey, now: Duration) -> bool {
        let open = [
            ApiKey::ApiVersions,
            ApiKey::SaslHandshake,
            ApiKey::SaslAuthenticate,
        ];
        let until = match self.sessions.get(&connection) {
            Some(Session::Authenticated { until }) => Some(*until),
            Some(Session::Handshaken { renews }) => *renews,
            None => None,
        };
        open.contains(&api) || until.is_some_and(|until| now <= until)
    }

    pub fn forget(&mut self, connection: u64) {
        self.sessions.remove(&connection);
    }

    fn handshake(&mut self, connection: u64) {
        let renews = match self.sessions.get(&connection) {
            Some(Session::Authenticated { until }) => Some(*until),
            Some(Session::Handshaken { renews }) => *renews,
            None => None,
        };
        let session = Session::Handshaken { renews };
        self.sessions.insert(connection, session);
    }

    /// The session's lifetime, or the code of the refusal.
    fn authenticate(
        &mut self,
        connection: u64,
        token: &[u8],
        now: Duration,
    ) -> Result<Duration, (ErrorCode, &'static str)> {
        let handshaken = matches!(
            self.sessions.remove(&connection),
            Some(Session::Handshaken { .. })
        );
        if !handshaken {
            return Err((ErrorCode::ILLEGAL_SASL_STATE, "no mechanism was agreed on"));
        }
        // RFC 4616: an authorization id that may be empty, the user, the password.
        let mut parts = token.splitn(3, |&byte| byte == 0).skip(1);
        let right = parts.next() == Some(self.username.as_bytes())
            && parts.next() == Some(self.password.expose().as_bytes());
        if !right {
            let message = "Authentication failed: Invalid username or password";
            return Err((ErrorCode::SASL_AUTHENTICATION_FAILED, message));
        }
        let until = self
            .lifetime
            .map_or(Duration::MAX, |lifetime| now + lifetime);
        let session = Session::Authenticated { until };
        self.sessions.insert(connection, session);
        Ok(self.lifetime.unwrap_or_default())
    }
}

impl MockCluster {
    /// From now on connections must authenticate by SASL PLAIN before they may ask for anything. A session lasts
    /// `lifetime`, or for ever; then the client authenticates again on the same connection (KIP-368).
    pub fn require_sasl_plain(
        &mut self,
        username: &str,
        password: &str,
        lifetime: Option<Duration>,
    ) {
        self.sasl = Some(Sasl::new(username, password, lifetime));
    }

    /// Forgets what is known of a connection that is closed.
    pub fn close_connection(&mut self, connection: u64) {
        if let Some(sasl) = &mut self.sasl {
            sasl.forget(connection);
        }
    }

    pub(super) fn sasl_handshake(
        &mut self,
        call: &Call<'_>,
        request: &SaslHandshakeRequest,
    ) -> SaslHandshakeResponse {
        let error_code = match (&mut self.sasl, call.errors.code()) {
            (None, _) => wire(ErrorCode::ILLEGAL_SASL_STATE),
            (Some(sasl), 0) if request.mechanism == PLAIN => {
                sasl.handshake(call.connection);
                0
            }
            (Some(_), 0) => wire(ErrorCode::UNSUPPORTED_SASL_MECHANISM),
            (Some(_), code) => code,
        };
        SaslHandshakeResponse {
            error_code,
            mechanisms: vec![PLAIN.to_owned()],
        }
    }

    pub(super) fn sasl_authenticate(
        &mut self,
        call: &Call<'_>,
        request: &SaslAuthenticateRequest,
    ) -> SaslAuthenticateResponse {
        let outcome = match (&mut self.sasl, call.errors.error()) {
            (_, Some(error)) => Err((error.code, error.message.clone())),
            (None, None) => Err((ErrorCode::ILLEGAL_SASL_STATE, None)),
            (Some(sasl), None) => sasl
                .authenticate(call.connection, &request.auth_bytes, call.now)
                .map_err(|(code, message)| (code, Some(message.to_owned()))),
        };
        let (code, message, lifetime) = match outcome {
            Ok(lifetime) => (ErrorCode::OK, None, lifetime),
            Err((code, message)) => (code, message, Duration::ZERO),
        };
        SaslAuthenticateResponse {
            error_code: wire(code),
            error_message: message,
            auth_bytes: Vec::new(),
            session_lifetime_ms: lifetime.as_millis() as i64,
        }
    }
}
