//! The Kafka wire protocol: schemas, version negotiation and framing, in both directions.
//!
//! A message is a struct that implements [`Message`]: `encode(version)` gives the bytes after the
//! header, `decode(version, body)` reads them back. Two hot paths have their own form:
//! [`ProduceFrame`] builds a Produce request around record bytes it never copies, and
//! [`ProduceResponseView`] reads the answer without allocating.
//!
//! What is decoded is hostile: no byte sequence panics, and no announced length takes memory
//! before it was checked against the bytes that are there.

mod api;
mod codec;
mod error;
mod header;
mod uuid;

pub mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub mod api_versions;
pub mod end_txn;
pub mod fetch;
pub mod find_coordinator;
pub mod init_producer_id;
pub mod list_offsets;
pub mod metadata;
pub mod produce;
pub mod produce_frame;
pub mod produce_view;
pub mod sasl;
pub mod txn_offset_commit;

pub use api::{ApiKey, VersionRange, VersionSet};
pub use codec::{Reader, TagWriter, Writer};
pub use error::{Direction, ErrorKind, ProtocolError};
pub use header::{RequestHeader, correlation_id, encode_response_header, split_response};
pub use produce_frame::{ProduceFrame, ProduceHead, ProduceOverhead};
pub use produce_view::ProduceResponseView;
pub use uuid::Uuid;

use bytes::Bytes;

/// What a decoding step answers.
pub type Result<T> = std::result::Result<T, ProtocolError>;

/// A request or response body in all its versions.
pub trait Message: Sized {
    /// The API it belongs to.
    const API: ApiKey;
    /// Whether a client or a broker sends it.
    const DIRECTION: Direction;

    /// Writes the fields that `version` has.
    fn write(&self, version: i16, w: &mut Writer);

    /// Reads the fields that `version` has; the others get Kafka's defaults.
    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self>;

    /// The body, to follow the header.
    fn encode(&self, version: i16) -> Result<Bytes> {
        let named = |e: ProtocolError| e.in_message(Self::API, Self::DIRECTION, version);
        Self::API.check(version).map_err(named)?;
        let mut w = Writer::new(Self::API.is_flexible(version));
        self.write(version, &mut w);
        w.finish().map_err(named)
    }

    /// Reads a body. Bytes left over are ignored, as Kafka's own clients do.
    fn decode(version: i16, body: &[u8]) -> Result<Self> {
        decode_with(version, Reader::new(body, Self::API.is_flexible(version)))
    }

    /// Reads a body; its record data are slices of `body` and not copies.
    fn decode_shared(version: i16, body: &Bytes) -> Result<Self> {
        decode_with(
            version,
            Reader::shared(body, Self::API.is_flexible(version)),
        )
    }
}

fn decode_with<M: Message>(version: i16, mut reader: Reader<'_>) -> Result<M> {
    M::API
        .check(version)
        .and_then(|()| M::read(version, &mut reader))
        .map_err(|e| e.in_message(M::API, M::DIRECTION, version))
}
