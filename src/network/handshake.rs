//! What is said before the first request: ApiVersions, then SASL. And again SASL, when a session ends. No I/O.

use std::time::Duration;

use bytes::Bytes;

use super::sasl::{self, Derivation, Exchange, Step};
use super::{CloseKind, SetupStep};
use crate::config::{ConnectionSettings, SaslSettings};
use crate::error::ErrorCode;
use crate::protocol::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::protocol::sasl::{
    SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use crate::protocol::{ApiKey, Message, ProtocolError, VersionSet};

use super::close::printable;

/// How many rounds of a key derivation are done at once: below a millisecond.
const DERIVATION_SLICE: u32 = 2_000;

pub(super) struct HandshakeRequest {
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) body: Bytes,
}

/// The state of a handshake; each answer takes it to the next.
pub(super) struct Handshake<'a> {
    settings: &'a ConnectionSettings,
    versions: VersionSet,
    state: State,
}

enum State {
    ApiVersions {
        version: i16,
    },
    Mechanism,
    Authenticating {
        version: i16,
        exchange: Exchange,
    },
    Deriving {
        version: i16,
        exchange: Exchange,
        derivation: Box<Derivation>,
    },
    Over,
}

/// What a handshake wants next.
pub(super) enum Next {
    Send(HandshakeRequest),
    /// Call [`Handshake::derive`] until it gives something else.
    Derive,
    Ready {
        versions: VersionSet,
        /// How long the authentication holds (KIP-368).
        session: Option<Duration>,
    },
}

/// What a broker is asked for its versions and the cluster's features, with who asks (KIP-511).
pub fn version_question(settings: &ConnectionSettings) -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: settings.software_name.clone(),
        client_software_version: settings.software_version.clone(),
    }
}

impl<'a> Handshake<'a> {
    /// The first on a connection.
    pub(super) fn start(
        settings: &'a ConnectionSettings,
    ) -> Result<(Self, HandshakeRequest), CloseKind> {
        let mut handshake = Handshake {
            settings,
            versions: VersionSet::new(&ApiVersionsResponse::default()),
            state: State::Over,
        };
        let request = handshake.ask_versions(ApiKey::ApiVersions.versions().max)?;
        Ok((handshake, request))
    }

    /// The authentication once more, over a connection in use. `None` where there is none.
    pub(super) fn restart(
        settings: &'a ConnectionSettings,
        versions: VersionSet,
    ) -> Result<Option<(Self, HandshakeRequest)>, CloseKind> {
        let mut handshake = Handshake {
            settings,
            versions,
            state: State::Over,
        };
        let request = match &settings.sasl {
            None => return Ok(None),
            Some(sasl) => handshake.name_mechanism(sasl)?,
        };
        Ok(Some((handshake, request)))
    }

    pub(super) fn step(&self) -> SetupStep {
        match self.state {
            State::ApiVersions { .. } => SetupStep::ApiVersions,
            State::Mechanism | State::Authenticating { .. } | State::Deriving { .. } => {
                SetupStep::Sasl
            }
            State::Over => SetupStep::Done,
        }
    }

    pub(super) fn is_deriving(&self) -> bool {
        matches!(self.state, State::Deriving { .. })
    }

    /// The answer to what was sent last.
    pub(super) fn answered(&mut self, body: &[u8]) -> Result<Next, CloseKind> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::ApiVersions { version } => self.versions_answered(version, body),
            State::Mechanism => self.mechanism_answered(body),
            State::Authenticating { version, exchange } => {
                self.authenticate_answered(version, exchange, body)
            }
            State::Deriving { .. } | State::Over => Err(CloseKind::Protocol(
                "a response came that the handshake did not ask for".into(),
            )),
        }
    }

    fn ask_versions(&mut self, version: i16) -> Result<HandshakeRequest, CloseKind> {
        let request = version_question(self.settings);
        self.state = State::ApiVersions { version };
        encoded(&request, version)
    }

    fn versions_answered(&mut self, version: i16, body: &[u8]) -> Result<Next, CloseKind> {
        let response = ApiVersionsResponse::decode(version, body).map_err(malformed)?;
        match ErrorCode::of_broker(response.error_code) {
            ErrorCode::OK => self.versions = VersionSet::new(&response),
            ErrorCode::UNSUPPORTED_VERSION if version > 0 => {
                // Brokers from 2.4 on name their range (KIP-511); older ones speak version 0 for certain.
                let offered = VersionSet::new(&response).pick(ApiKey::ApiVersions, version - 1);
                return self.ask_versions(offered.unwrap_or(0)).map(Next::Send);
            }
            code => {
                return Err(CloseKind::UnsupportedBroker(answered_with(
                    ApiKey::ApiVersions,
                    code,
                )));
            }
        }
        self.require(ApiKey::Metadata)?;
        self.require(ApiKey::Produce)?;
        match &self.settings.sasl {
            None => Ok(self.ready(None)),
            Some(sasl) => self.name_mechanism(sasl).map(Next::Send),
        }
    }

    fn ready(&mut self, session: Option<Duration>) -> Next {
        Next::Ready {
            versions: self.versions.clone(),
            session,
        }
    }

    /// The version to use of an API without which there is nothing to do here.
    fn require(&self, api: ApiKey) -> Result<i16, CloseKind> {
        self.versions.pick(api, i16::MAX).ok_or_else(|| {
            let ours = api.versions();
            let theirs = match self.versions.offered(api) {
                Some(range) => format!("offers versions {} to {}", range.min, range.max),
                None => "does not offer it".to_owned(),
            };
            let text = format!(
                "of {api} this client needs versions {} to {}, the broker {theirs}; Apache Kafka from 2.1 on is supported",
                ours.min, ours.max
            );
            CloseKind::UnsupportedBroker(text)
        })
    }

    fn name_mechanism(&mut self, sasl: &SaslSettings) -> Result<HandshakeRequest, CloseKind> {
        let version = self.require(ApiKey::SaslHandshake)?.min(1);
        if version < 1 {
            let text = "SASL needs SaslHandshake version 1: Apache Kafka from 2.1 on is supported"
                .to_owned();
            return Err(CloseKind::UnsupportedBroker(text));
        }
        self.state = State::Mechanism;
        encoded(
            &SaslHandshakeRequest {
                mechanism: sasl::mechanism(sasl).to_owned(),
            },
            version,
        )
    }

    fn mechanism_answered(&mut self, body: &[u8]) -> Result<Next, CloseKind> {
        let sasl = self.sasl()?;
        let response = SaslHandshakeResponse::decode(1, body).map_err(malformed)?;
        match ErrorCode::of_broker(response.error_code) {
            ErrorCode::OK => {}
            ErrorCode::UNSUPPORTED_SASL_MECHANISM => {
                let offered = presentable(sasl, &response.mechanisms.join(", "));
                return Err(refused(
                    sasl,
                    format!("the broker offers {offered} (sasl.mechanism)"),
                ));
            }
            ErrorCode::ILLEGAL_SASL_STATE => return Err(CloseKind::SaslUnexpected),
            code => return Err(refused(sasl, answered_with(ApiKey::SaslHandshake, code))),
        }
        let version = self.require(ApiKey::SaslAuthenticate)?;
        let (exchange, first) = Exchange::start(sasl).map_err(|text| refused(sasl, text))?;
        self.proceed(version, exchange, Step::Send(first), None)
    }

    fn authenticate_answered(
        &mut self,
        version: i16,
        mut exchange: Exchange,
        body: &[u8],
    ) -> Result<Next, CloseKind> {
        let sasl = self.sasl()?;
        let response = SaslAuthenticateResponse::decode(version, body).map_err(malformed)?;
        if response.error_code != 0 {
            let said = response
                .error_message
                .filter(|text| !text.is_empty())
                .map(|text| presentable(sasl, &text));
            let mut text = said.unwrap_or_else(|| {
                answered_with(
                    ApiKey::SaslAuthenticate,
                    ErrorCode::of_broker(response.error_code),
                )
            });
            let reason = exchange
                .refusal()
                .map(|refusal| presentable(sasl, refusal))
                .filter(|reason| !text.contains(reason));
            if let Some(reason) = reason {
                text = format!("{text}: {reason}");
            }
            return Err(refused(sasl, text));
        }
        let session = u64::try_from(response.session_lifetime_ms)
            .ok()
            .filter(|ms| *ms > 0);
        let step = exchange
            .answered(&response.auth_bytes)
            .map_err(|text| refused(sasl, presentable(sasl, &text)))?;
        self.proceed(version, exchange, step, session.map(Duration::from_millis))
    }

    /// Does a slice of a derivation. `None`: there is more to do.
    pub(super) fn derive(&mut self) -> Result<Option<Next>, CloseKind> {
        let State::Deriving { derivation, .. } = &mut self.state else {
            return Ok(None);
        };
        let Some(key) = derivation.advance(DERIVATION_SLICE) else {
            return Ok(None);
        };
        let State::Deriving {
            version,
            mut exchange,
            ..
        } = std::mem::replace(&mut self.state, State::Over)
        else {
            return Ok(None);
        };
        let step = exchange
            .derived(&key)
            .map_err(|text| refused(self.settings.sasl.as_ref(), text))?;
        self.proceed(version, exchange, step, None).map(Some)
    }

    fn proceed(
        &mut self,
        version: i16,
        exchange: Exchange,
        step: Step,
        session: Option<Duration>,
    ) -> Result<Next, CloseKind> {
        match step {
            Step::Send(auth_bytes) => {
                self.state = State::Authenticating { version, exchange };
                encoded(&SaslAuthenticateRequest { auth_bytes }, version).map(Next::Send)
            }
            Step::Derive(derivation) => {
                self.state = State::Deriving {
                    version,
                    exchange,
                    derivation,
                };
                Ok(Next::Derive)
            }
            Step::Done => Ok(self.ready(session)),
        }
    }

    fn sasl(&self) -> Result<&'a SaslSettings, CloseKind> {
        self.settings
            .sasl
            .as_ref()
            .ok_or_else(|| CloseKind::Protocol("a SASL answer came without SASL".into()))
    }
}

fn answered_with(api: ApiKey, code: ErrorCode) -> String {
    format!("{api} was answered with {code}: {}", code.text())
}

fn refused<'a>(sasl: impl Into<Option<&'a SaslSettings>>, message: String) -> CloseKind {
    let mechanism = sasl.into().map_or("SASL", sasl::mechanism);
    CloseKind::Authentication { mechanism, message }
}

/// A broker may say what it likes, but not the secret that it was told. Marking the place would give away what stood
/// there where the rest of the words is well known.
fn presentable(sasl: &SaslSettings, words: &str) -> String {
    let (property, secret) = sasl.secret();
    if secret.is_in(words) {
        return format!("refused with words that are not shown, for {property} is among them");
    }
    printable(words)
}

fn encoded<M: Message>(message: &M, version: i16) -> Result<HandshakeRequest, CloseKind> {
    let body = message.encode(version).map_err(malformed)?;
    Ok(HandshakeRequest {
        api: M::API,
        version,
        body,
    })
}

fn malformed(error: ProtocolError) -> CloseKind {
    CloseKind::Protocol(error.to_string())
}
