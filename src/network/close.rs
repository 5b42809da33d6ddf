//! Why a connection ended, said so that a reader knows what to do.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::{BrokerAddress, RequestId};
use crate::config::SecurityProtocol;
use crate::error::ErrorCode;
use crate::protocol::ApiKey;

/// The end of a connection: whose, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    pub broker: BrokerAddress,
    /// How long after `connect`.
    pub after: Duration,
    /// How the broker was spoken to.
    pub security: SecurityProtocol,
    pub kind: CloseKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseKind {
    /// The host name has no address, or the resolver failed.
    Resolve(String),
    /// None of the addresses accepted the connection.
    Connect(Vec<(SocketAddr, String)>),
    /// A step of the set-up took longer than `socket.connection.setup.timeout.ms` allows.
    SetupTimeout { step: SetupStep, timeout: Duration },
    /// TLS failed: certificates, versions, or a peer that does not speak it.
    Tls(String),
    /// The broker refused the credentials or the mechanism, or could not prove itself.
    Authentication {
        mechanism: &'static str,
        message: String,
    },
    /// The listener is one without SASL.
    SaslUnexpected,
    /// The broker speaks no version that this client speaks.
    UnsupportedBroker(String),
    /// The broker did not answer, or did not take, a request in time.
    RequestTimeout {
        id: RequestId,
        api: ApiKey,
        timeout: Duration,
        written: bool,
    },
    /// The stream ended.
    Disconnected { step: SetupStep, cause: String },
    /// What came is not what a Kafka broker sends.
    Protocol(String),
    /// The system has no memory for an answer.
    NoMemory,
    /// Nothing was outstanding for `connections.max.idle.ms`.
    Idle,
    /// The handle asked for it or was dropped.
    Requested,
    /// The connection's task ended before its time: a panic, or its runtime was shut down.
    Abandoned,
}

/// How far the set-up of a connection got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupStep {
    Resolve,
    Connect,
    Tls,
    ApiVersions,
    Sasl,
    /// Set up, but no request has been answered yet.
    FirstResponse,
    /// In use.
    Done,
}

impl CloseReason {
    /// The code under which a user sees it.
    pub fn error_code(&self) -> ErrorCode {
        match &self.kind {
            CloseKind::Resolve(_) => ErrorCode::RESOLVE,
            CloseKind::Connect(_) | CloseKind::SetupTimeout { .. } => ErrorCode::NO_BROKERS,
            CloseKind::Tls(_) => ErrorCode::TLS,
            CloseKind::Authentication { .. } => ErrorCode::SASL_AUTHENTICATION_FAILED,
            CloseKind::SaslUnexpected => ErrorCode::ILLEGAL_SASL_STATE,
            CloseKind::UnsupportedBroker(_) => ErrorCode::UNSUPPORTED_VERSION,
            CloseKind::RequestTimeout { .. } => ErrorCode::REQUEST_TIMED_OUT,
            CloseKind::Disconnected { .. } | CloseKind::Idle | CloseKind::Requested => {
                ErrorCode::NETWORK_EXCEPTION
            }
            CloseKind::Protocol(_) => ErrorCode::PROTOCOL,
            CloseKind::NoMemory => ErrorCode::OUT_OF_MEMORY,
            CloseKind::Abandoned => ErrorCode::INTERNAL,
        }
    }

    /// Whether waiting does not make it better: a matter of credentials, certificates or versions.
    pub fn is_hopeless(&self) -> bool {
        matches!(
            self.kind,
            CloseKind::Authentication { .. }
                | CloseKind::SaslUnexpected
                | CloseKind::Tls(_)
                | CloseKind::UnsupportedBroker(_)
        )
    }

    /// Whether it is nothing to speak of: no fault of broker, network or configuration.
    pub fn is_silent(&self) -> bool {
        matches!(self.kind, CloseKind::Idle | CloseKind::Requested)
    }
}

impl SetupStep {
    pub(super) fn name(self) -> &'static str {
        match self {
            SetupStep::Resolve => "name resolution",
            SetupStep::Connect => "TCP connect",
            SetupStep::Tls => "TLS handshake",
            SetupStep::ApiVersions => "ApiVersions exchange",
            SetupStep::Sasl => "SASL authentication",
            SetupStep::FirstResponse | SetupStep::Done => "use",
        }
    }

    /// What the user may have set wrongly when the stream ends here, or goes no further.
    pub(super) fn hint(self, security: SecurityProtocol) -> &'static str {
        match self {
            SetupStep::Tls => "; does this port speak TLS? See security.protocol",
            SetupStep::ApiVersions if security.uses_tls() => {
                "; is this a Kafka broker of 2.1 or newer?"
            }
            SetupStep::ApiVersions => {
                "; is this a Kafka broker of 2.1 or newer, without TLS? See security.protocol"
            }
            SetupStep::Sasl => "; see security.protocol, sasl.mechanism and the credentials",
            SetupStep::FirstResponse => "; does this listener require SASL? See security.protocol",
            SetupStep::Resolve | SetupStep::Connect | SetupStep::Done => "",
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CloseReason {
            broker,
            after,
            security,
            kind,
        } = self;
        match kind {
            CloseKind::Resolve(cause) => {
                write!(f, "could not resolve the host of {broker}: {cause}")
            }
            CloseKind::Connect(failures) => {
                write!(f, "could not connect to {broker}")?;
                let named = broker.to_string();
                for (n, (address, cause)) in failures.iter().enumerate() {
                    write!(f, "{}", if n == 0 { ": " } else { ", " })?;
                    // Given as an address, it has been said.
                    match address.to_string() == named {
                        true => write!(f, "{cause}")?,
                        false => write!(f, "{address}: {cause}")?,
                    }
                }
                write!(f, " (after {after:.1?})")
            }
            CloseKind::SetupTimeout { step, timeout } => {
                write!(
                    f,
                    "{broker} did not complete the {} within {timeout:.1?}{}",
                    step.name(),
                    step.hint(*security)
                )
            }
            CloseKind::Tls(cause) => write!(f, "TLS with {broker} failed: {cause}"),
            CloseKind::Authentication { mechanism, message } => {
                write!(
                    f,
                    "authentication at {broker} with {mechanism} failed: {message}"
                )
            }
            CloseKind::SaslUnexpected => {
                let without = if security.uses_tls() {
                    "SSL"
                } else {
                    "PLAINTEXT"
                };
                write!(
                    f,
                    "the listener at {broker} does not expect SASL (ILLEGAL_SASL_STATE): set security.protocol to \
                     {without}, or use the port of a listener with SASL"
                )
            }
            CloseKind::UnsupportedBroker(what) => write!(f, "{broker} cannot be used: {what}"),
            CloseKind::RequestTimeout {
                api,
                timeout,
                written: true,
                ..
            } => {
                write!(f, "{broker} did not answer {api} within {timeout:.1?}")
            }
            CloseKind::RequestTimeout {
                api,
                timeout,
                written: false,
                ..
            } => {
                write!(
                    f,
                    "{broker} did not take the bytes of {api} within {timeout:.1?}"
                )
            }
            CloseKind::Disconnected {
                step: step @ (SetupStep::FirstResponse | SetupStep::Done),
                cause,
            } => {
                write!(
                    f,
                    "{broker} disconnected after {after:.1?}: {cause}{}",
                    step.hint(*security)
                )
            }
            CloseKind::Disconnected { step, cause } => {
                write!(
                    f,
                    "{broker} disconnected during the {}: {cause}{}",
                    step.name(),
                    step.hint(*security)
                )
            }
            CloseKind::Protocol(what) => write!(f, "{broker} broke the protocol: {what}"),
            CloseKind::NoMemory => {
                write!(f, "{broker} was left: there is no memory for its answer")
            }
            CloseKind::Idle => write!(f, "connection to {broker} closed: idle"),
            CloseKind::Requested => write!(f, "connection to {broker} closed"),
            CloseKind::Abandoned => write!(f, "connection to {broker} was abandoned by its task"),
        }
    }
}

/// A text from a peer, made fit for a message: short and without control characters.
pub(super) fn printable(text: &str) -> String {
    const MAX: usize = 300;
    let cleaned = text
        .chars()
        .take(MAX)
        .map(|c| if c.is_control() { '\u{fffd}' } else { c });
    cleaned.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(kind: CloseKind) -> String {
        text_over(SecurityProtocol::Plaintext, kind)
    }

    fn text_over(security: SecurityProtocol, kind: CloseKind) -> String {
        let broker = BrokerAddress {
            host: "broker-1".into(),
            port: 9092,
        };
        CloseReason {
            broker,
            after: Duration::from_millis(1234),
            security,
            kind,
        }
        .to_string()
    }

    #[test]
    fn names_the_broker_and_every_address_tried() {
        let one = (
            "10.0.0.1:9092".parse().unwrap(),
            "connection refused".to_owned(),
        );
        let other = ("[::1]:9092".parse().unwrap(), "no route".to_owned());
        assert_eq!(
            text(CloseKind::Connect(vec![one, other])),
            "could not connect to broker-1:9092: 10.0.0.1:9092: connection refused, [::1]:9092: no route (after 1.2s)"
        );
    }

    #[test]
    fn says_what_was_waited_for_and_how_long() {
        let timeout = Duration::from_secs(40);
        let kind = CloseKind::RequestTimeout {
            id: RequestId(1),
            api: ApiKey::Produce,
            timeout,
            written: true,
        };
        assert_eq!(
            text(kind),
            "broker-1:9092 did not answer Produce within 40.0s"
        );
        let kind = CloseKind::SetupTimeout {
            step: SetupStep::Connect,
            timeout: Duration::from_secs(10),
        };
        assert_eq!(
            text(kind),
            "broker-1:9092 did not complete the TCP connect within 10.0s"
        );
    }

    #[test]
    fn hints_at_the_setting_to_look_at() {
        let cause = "end of stream".to_owned();
        let kind = CloseKind::Disconnected {
            step: SetupStep::FirstResponse,
            cause,
        };
        assert!(text(kind).ends_with("does this listener require SASL? See security.protocol"));
    }

    #[test]
    fn tls_is_not_suspected_inside_of_tls() {
        let kind = || CloseKind::Disconnected {
            step: SetupStep::ApiVersions,
            cause: "end of stream".to_owned(),
        };
        assert!(text(kind()).contains("without TLS? See security.protocol"));
        for security in [SecurityProtocol::Ssl, SecurityProtocol::SaslSsl] {
            let text = text_over(security, kind());
            assert!(
                text.ends_with("is this a Kafka broker of 2.1 or newer?"),
                "{text}"
            );
        }
    }

    #[test]
    fn a_peers_text_is_cut_and_cleaned() {
        let cleaned = printable(&("a\n\x1b[31m".to_owned() + &"x".repeat(10_000)));
        assert_eq!(cleaned.chars().count(), 300);
        assert!(!cleaned.chars().any(char::is_control));
    }
}
