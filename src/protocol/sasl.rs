//! SaslHandshake and SaslAuthenticate: the choice of a mechanism and its steps.

use super::codec::{Reader, Writer};
use super::{ApiKey, Direction, Message, Result};
use std::fmt;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaslHandshakeRequest {
    pub mechanism: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SaslHandshakeResponse {
    pub error_code: i16,
    /// What the broker has enabled.
    pub mechanisms: Vec<String>,
}

/// A step of the mechanism; its bytes are secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SaslAuthenticateRequest {
    pub auth_bytes: Vec<u8>,
}

#[derive(Clone, Default, PartialEq, Eq)]
pub struct SaslAuthenticateResponse {
    pub error_code: i16,
    pub error_message: Option<String>,
    pub auth_bytes: Vec<u8>,
    /// How long the session lives (version 1 and newer, KIP-368); 0: for ever.
    pub session_lifetime_ms: i64,
}

impl fmt::Debug for SaslAuthenticateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslAuthenticateRequest")
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SaslAuthenticateResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SaslAuthenticateResponse")
            .field("error_code", &self.error_code)
            .field("error_message", &self.error_message)
            .field("session_lifetime_ms", &self.session_lifetime_ms)
            .finish_non_exhaustive()
    }
}

impl Message for SaslHandshakeRequest {
    const API: ApiKey = ApiKey::SaslHandshake;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, _version: i16, w: &mut Writer) {
        w.string(&self.mechanism);
    }

    fn read(_version: i16, r: &mut Reader<'_>) -> Result<Self> {
        Ok(SaslHandshakeRequest {
            mechanism: r.string()?,
        })
    }
}

impl Message for SaslHandshakeResponse {
    const API: ApiKey = ApiKey::SaslHandshake;
    const DIRECTION: Direction = Direction::Response;

    fn write(&self, _version: i16, w: &mut Writer) {
        w.i16(self.error_code);
        w.array(&self.mechanisms, |w, mechanism| w.string(mechanism));
    }

    fn read(_version: i16, r: &mut Reader<'_>) -> Result<Self> {
        Ok(SaslHandshakeResponse {
            error_code: r.i16()?,
            mechanisms: r.array(2, Reader::string)?,
        })
    }
}

impl Message for SaslAuthenticateRequest {
    const API: ApiKey = ApiKey::SaslAuthenticate;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, _version: i16, w: &mut Writer) {
        w.bytes(&self.auth_bytes);
        w.no_tags();
    }

    fn read(_version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let request = SaslAuthenticateRequest {
            auth_bytes: r.slice()?.to_vec(),
        };
        r.skip_tags()?;
        Ok(request)
    }
}

impl Message for SaslAuthenticateResponse {
    const API: ApiKey = ApiKey::SaslAuthenticate;
    const DIRECTION: Direction = Direction::Response;

    fn write(&self, version: i16, w: &mut Writer) {
        w.i16(self.error_code);
        w.nullable_string(self.error_message.as_deref());
        w.bytes(&self.auth_bytes);
        if version >= 1 {
            w.i64(self.session_lifetime_ms);
        }
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut response = SaslAuthenticateResponse {
            error_code: r.i16()?,
            error_message: r.nullable_string()?,
            auth_bytes: r.slice()?.to_vec(),
            session_lifetime_ms: 0,
        };
        if version >= 1 {
            response.session_lifetime_ms = r.i64()?;
        }
        r.skip_tags()?;
        Ok(response)
    }
}
