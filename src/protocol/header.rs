//! Request and response headers, for clients and for brokers.

use super::codec::{Reader, Writer};
use super::{ApiKey, Result};
use bytes::{Buf, Bytes, BytesMut};

/// The header of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The number on the wire, which need not be one that is spoken here.
    pub api_key: i16,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<String>,
}

impl RequestHeader {
    /// Appends the header of a request, with neither the frame length before it nor the body after.
    pub fn encode(
        buf: &mut BytesMut,
        api: ApiKey,
        version: i16,
        correlation_id: i32,
        client_id: Option<&str>,
    ) -> Result<()> {
        // The client id keeps its two-byte length in every version of the header.
        let mut w = Writer::onto(std::mem::take(buf), false);
        w.i16(api.code());
        w.i16(version);
        w.i32(correlation_id);
        w.nullable_string(client_id);
        w.set_flexible(api.request_header_version(version) >= 2);
        w.no_tags();
        *buf = w.into_buffer()?;
        Ok(())
    }

    /// Reads the header at the front of a frame and leaves the body. Of an API not spoken here
    /// only the header's unchanging part is read.
    pub fn decode(frame: &mut Bytes) -> Result<RequestHeader> {
        let mut r = Reader::new(frame, false);
        let header = RequestHeader {
            api_key: r.i16()?,
            api_version: r.i16()?,
            correlation_id: r.i32()?,
            client_id: r.nullable_string()?,
        };
        if header
            .api()
            .is_some_and(|api| api.request_header_version(header.api_version) >= 2)
        {
            r.set_flexible(true);
            r.skip_tags()?;
        }
        let read = r.offset();
        frame.advance(read);
        Ok(header)
    }

    /// The API, if it is spoken here.
    pub fn api(&self) -> Option<ApiKey> {
        ApiKey::from_code(self.api_key)
    }
}

/// Appends the header of a response, with neither the frame length before it nor the body after.
pub fn encode_response_header(buf: &mut BytesMut, api: ApiKey, version: i16, correlation_id: i32) {
    buf.extend_from_slice(&correlation_id.to_be_bytes());
    if api.response_header_version(version) >= 1 {
        buf.extend_from_slice(&[0]);
    }
}

/// The correlation id at the front of a response: it tells which request, and so which versions.
pub fn correlation_id(frame: &[u8]) -> Result<i32> {
    Reader::new(frame, false).i32()
}

/// Splits a response into correlation id and body.
pub fn split_response(api: ApiKey, version: i16, mut frame: Bytes) -> Result<(i32, Bytes)> {
    let mut r = Reader::new(&frame, true);
    let id = r.i32()?;
    if api.response_header_version(version) >= 1 {
        r.skip_tags()?;
    }
    let read = r.offset();
    frame.advance(read);
    Ok((id, frame))
}
