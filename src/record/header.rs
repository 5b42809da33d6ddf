//! The 61-byte header of a record batch v2 and its checksum.

use super::compression::Codec;
use bytes::Bytes;
use crc_fast::{CrcAlgorithm, Digest};

/// The bytes before a batch's records section.
pub const HEADER_LEN: usize = 61;
/// The bytes that `batch_length` does not count: base offset and the length itself.
pub const LENGTH_OVERHEAD: usize = 12;
/// The checksum covers everything from here on: attributes to the last record.
pub const CRC_START: usize = 21;
/// The only record batch format this library writes and reads.
pub const MAGIC_V2: i8 = 2;

/// Whose clock the timestamps of a batch come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The record's own.
    CreateTime,
    /// The broker's at the append.
    LogAppendTime,
}

/// The attribute bits of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Attributes(pub i16);

impl Attributes {
    const CODEC_MASK: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;

    /// What a producer sets.
    pub fn new(codec: Codec, transactional: bool) -> Self {
        let transactional = if transactional {
            Self::TRANSACTIONAL
        } else {
            0
        };
        Attributes(i16::from(codec.id()) | transactional)
    }

    /// The codec, or its unknown number.
    pub fn codec(self) -> Result<Codec, u8> {
        let id = (self.0 & Self::CODEC_MASK) as u8;
        Codec::from_id(id).ok_or(id)
    }

    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    pub fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        match timestamp_type {
            TimestampType::CreateTime => Attributes(self.0 & !Self::LOG_APPEND_TIME),
            TimestampType::LogAppendTime => Attributes(self.0 | Self::LOG_APPEND_TIME),
        }
    }

    pub fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// The attributes of a control batch, as only brokers write them.
    pub fn with_control(self) -> Self {
        Attributes(self.0 | Self::CONTROL)
    }

    pub fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }
}

/// Who wrote a batch, and where it stands among that producer's records in its partition (KIP-98). A broker knows a
/// batch that comes twice by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub transactional: bool,
}

impl Stamp {
    /// A batch of no producer id.
    pub const NONE: Stamp = Stamp {
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        transactional: false,
    };
}

/// The header of a record batch, field by field in wire order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: i64,
    /// The bytes after this field: the rest of the header and the records section.
    pub batch_length: i32,
    pub partition_leader_epoch: i32,
    pub magic: i8,
    pub crc: u32,
    pub attributes: Attributes,
    pub last_offset_delta: i32,
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub record_count: i32,
}

impl Default for BatchHeader {
    /// A batch of no producer id, before its records are known.
    fn default() -> Self {
        BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: -1,
            magic: MAGIC_V2,
            crc: 0,
            attributes: Attributes(0),
            last_offset_delta: -1,
            base_timestamp: -1,
            max_timestamp: -1,
            producer_id: -1,
            producer_epoch: -1,
            base_sequence: -1,
            record_count: 0,
        }
    }
}

impl BatchHeader {
    /// Writes the header as it is: length and checksum included.
    pub fn write(&self, out: &mut [u8; HEADER_LEN]) {
        out[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        out[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        out[12..16].copy_from_slice(&self.partition_leader_epoch.to_be_bytes());
        out[16] = self.magic as u8;
        out[17..21].copy_from_slice(&self.crc.to_be_bytes());
        out[21..23].copy_from_slice(&self.attributes.0.to_be_bytes());
        out[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        out[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        out[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        out[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        out[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        out[57..61].copy_from_slice(&self.record_count.to_be_bytes());
    }

    /// Reads a header without judging it.
    pub fn read(bytes: &[u8; HEADER_LEN]) -> Self {
        BatchHeader {
            base_offset: i64::from_be_bytes(field(bytes, 0)),
            batch_length: i32::from_be_bytes(field(bytes, 8)),
            partition_leader_epoch: i32::from_be_bytes(field(bytes, 12)),
            magic: i8::from_be_bytes(field(bytes, 16)),
            crc: u32::from_be_bytes(field(bytes, 17)),
            attributes: Attributes(i16::from_be_bytes(field(bytes, 21))),
            last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
            base_timestamp: i64::from_be_bytes(field(bytes, 27)),
            max_timestamp: i64::from_be_bytes(field(bytes, 35)),
            producer_id: i64::from_be_bytes(field(bytes, 43)),
            producer_epoch: i16::from_be_bytes(field(bytes, 51)),
            base_sequence: i32::from_be_bytes(field(bytes, 53)),
            record_count: i32::from_be_bytes(field(bytes, 57)),
        }
    }
}

#[inline]
fn field<const N: usize>(bytes: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[at + i])
}

/// The finished header of a batch whose records section is `records`: `batch_length` and `crc` are computed,
/// whatever `header` says of them. The section is smaller than 2 GiB, as a request is.
pub fn frame(header: &BatchHeader, records: &[Bytes]) -> [u8; HEADER_LEN] {
    let section: usize = records.iter().map(Bytes::len).sum();
    let length = HEADER_LEN - LENGTH_OVERHEAD + section;
    debug_assert!(i32::try_from(length).is_ok(), "a batch of {length} bytes");
    let mut out = [0; HEADER_LEN];
    BatchHeader {
        batch_length: length as i32,
        crc: 0,
        ..*header
    }
    .write(&mut out);
    // Everything that is sent passes here, so it is the fastest there is; what is read is checked by another.
    let mut crc = Digest::new(CrcAlgorithm::Crc32Iscsi);
    crc.update(&out[CRC_START..]);
    records.iter().for_each(|chunk| crc.update(chunk));
    let crc = crc.finalize() as u32;
    out[17..21].copy_from_slice(&crc.to_be_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> BatchHeader {
        BatchHeader {
            base_offset: 1,
            batch_length: 2,
            partition_leader_epoch: 3,
            magic: 2,
            crc: 0xdead_beef,
            attributes: Attributes::new(Codec::Zstd, true),
            last_offset_delta: 5,
            base_timestamp: -6,
            max_timestamp: 7,
            producer_id: 8,
            producer_epoch: 9,
            base_sequence: 10,
            record_count: 6,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut out = [0; HEADER_LEN];
        sample().write(&mut out);
        assert_eq!(BatchHeader::read(&out), sample());
    }

    #[test]
    fn the_checksum_is_the_one_that_readers_compute() {
        let data: Vec<u8> = (0..5000u32).map(|i| (i * 31) as u8).collect();
        for length in (0..300).chain([1000, 4095, 4096, 5000]) {
            let (front, back) = data[..length].split_at(length / 3);
            let parts = [Bytes::copy_from_slice(front), Bytes::copy_from_slice(back)];
            let framed = frame(&sample(), &parts);
            let mut covered = framed[CRC_START..].to_vec();
            covered.extend_from_slice(&data[..length]);
            let said = BatchHeader::read(&framed).crc;
            assert_eq!(said, crc32c::crc32c(&covered), "{length} bytes");
        }
    }

    #[test]
    fn attributes_name_their_bits() {
        let attributes = Attributes::new(Codec::Lz4, true);
        assert_eq!(attributes.0, 0x13);
        assert_eq!(attributes.codec(), Ok(Codec::Lz4));
        assert!(attributes.is_transactional() && !attributes.is_control());
        assert_eq!(attributes.timestamp_type(), TimestampType::CreateTime);
        let appended = attributes.with_timestamp_type(TimestampType::LogAppendTime);
        assert_eq!(appended.0, 0x1b);
        assert_eq!(appended.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!(
            appended.with_timestamp_type(TimestampType::CreateTime),
            attributes
        );
        assert_eq!(Attributes(7).codec(), Err(7));
    }

    #[test]
    fn the_checksum_does_not_depend_on_chunks_or_on_what_the_broker_rewrites() {
        let whole = frame(&sample(), &[Bytes::from_static(b"abcdef")]);
        let parts = [
            Bytes::from_static(b"ab"),
            Bytes::new(),
            Bytes::from_static(b"cdef"),
        ];
        assert_eq!(frame(&sample(), &parts), whole);
        let moved = BatchHeader {
            base_offset: 99,
            partition_leader_epoch: 44,
            ..sample()
        };
        let moved = BatchHeader::read(&frame(&moved, &parts));
        assert_eq!(moved.crc, BatchHeader::read(&whole).crc);
        assert_eq!(moved.batch_length, 49 + 6);
    }
}
