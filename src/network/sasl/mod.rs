//! The SASL mechanisms: what they send and what they make of the answers. No I/O.

mod scram;

pub(super) use self::scram::Derivation;
use self::scram::Scram;
use crate::config::{SaslSettings, ScramHash};

/// One authentication under way.
pub(super) enum Exchange {
    Plain,
    OauthBearer { refusal: Option<String> },
    Scram(Box<Scram>),
}

/// What an exchange does next.
pub(super) enum Step {
    /// Send this and hand over the answer.
    Send(Vec<u8>),
    /// Work off the derivation, then call [`Exchange::derived`].
    Derive(Box<Derivation>),
    Done,
}

impl Exchange {
    /// The exchange and its first message.
    pub(super) fn start(settings: &SaslSettings) -> Result<(Exchange, Vec<u8>), String> {
        match settings {
            SaslSettings::Plain { username, password } => Ok((
                Exchange::Plain,
                format!("\0{username}\0{}", password.expose()).into_bytes(),
            )),
            SaslSettings::OauthBearer { token } => {
                let first = format!("n,,\x01auth=Bearer {}\x01\x01", token.expose());
                Ok((Exchange::OauthBearer { refusal: None }, first.into_bytes()))
            }
            SaslSettings::Scram {
                hash,
                username,
                password,
            } => {
                let (scram, first) = Scram::start(*hash, username, password)?;
                Ok((Exchange::Scram(Box::new(scram)), first))
            }
        }
    }

    /// The broker's answer to what was sent last. The error is a text for the user, with the broker's words as they came.
    pub(super) fn answered(&mut self, answer: &[u8]) -> Result<Step, String> {
        match self {
            Exchange::Plain => Ok(Step::Done),
            Exchange::OauthBearer { .. } if answer.is_empty() => Ok(Step::Done),
            Exchange::OauthBearer { refusal } => {
                // RFC 7628: the reason comes as a challenge, which a lone 0x01 acknowledges; then comes the error.
                match refusal.replace(String::from_utf8_lossy(answer).into_owned()) {
                    None => Ok(Step::Send(vec![1])),
                    Some(earlier) => Err(format!("the broker refused the token: {earlier}")),
                }
            }
            Exchange::Scram(scram) => scram.answered(answer),
        }
    }

    /// The key is derived: the message it was needed for.
    pub(super) fn derived(&mut self, salted_password: &[u8]) -> Result<Step, String> {
        match self {
            Exchange::Scram(scram) => scram.derived(salted_password),
            Exchange::Plain | Exchange::OauthBearer { .. } => {
                Err("this mechanism derives no key".into())
            }
        }
    }

    /// What the broker said before it refused, as it came.
    pub(super) fn refusal(&self) -> Option<&str> {
        match self {
            Exchange::OauthBearer { refusal } => refusal.as_deref(),
            Exchange::Plain | Exchange::Scram(_) => None,
        }
    }
}

/// The mechanism's registered name.
pub(super) fn mechanism(settings: &SaslSettings) -> &'static str {
    match settings {
        SaslSettings::Plain { .. } => "PLAIN",
        SaslSettings::OauthBearer { .. } => "OAUTHBEARER",
        SaslSettings::Scram {
            hash: ScramHash::Sha256,
            ..
        } => "SCRAM-SHA-256",
        SaslSettings::Scram {
            hash: ScramHash::Sha512,
            ..
        } => "SCRAM-SHA-512",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn plain_sends_name_and_password() {
        let settings = SaslSettings::Plain {
            username: "alice".into(),
            password: Secret::new("wonder"),
        };
        let (mut exchange, first) = Exchange::start(&settings).unwrap();
        assert_eq!(first, b"\0alice\0wonder");
        assert!(matches!(exchange.answered(b""), Ok(Step::Done)));
    }

    #[test]
    fn oauthbearer_acknowledges_a_refusal_and_keeps_its_reason() {
        let settings = SaslSettings::OauthBearer {
            token: Secret::new("abc"),
        };
        let (mut exchange, first) = Exchange::start(&settings).unwrap();
        assert_eq!(first, b"n,,\x01auth=Bearer abc\x01\x01");
        let challenge = br#"{"status":"invalid_token"}"#;
        assert!(matches!(exchange.answered(challenge), Ok(Step::Send(bytes)) if bytes == [1]));
        assert_eq!(exchange.refusal(), Some(r#"{"status":"invalid_token"}"#));
        assert!(
            exchange.answered(challenge).is_err(),
            "no endless loop of challenges"
        );
    }
}
