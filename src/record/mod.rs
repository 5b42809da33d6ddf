//! Record batch v2: its header, records, compression and checksum.

pub mod compression;
pub mod encode;
pub mod header;
mod lz4;
pub mod reader;
#[cfg(test)]
pub(crate) mod samples;
pub mod varint;

pub use compression::{Codec, CompressContext, CompressionError, compress, decompress};
pub use header::{Attributes, BatchHeader, HEADER_LEN, Stamp, TimestampType, frame};
