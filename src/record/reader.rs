//! Reading record batches v2 as a broker or a consumer does: every claim of the bytes is checked.

use super::compression::{Codec, CompressionError, decompress};
use super::header::{BatchHeader, CRC_START, HEADER_LEN, LENGTH_OVERHEAD, MAGIC_V2};
use super::varint::{VarintError, read_varint, read_varlong};
use bytes::Bytes;

/// What is wrong with a record batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// The bytes end before the batch does.
    Truncated {
        needed: usize,
        left: usize,
    },
    /// `batch_length` is less than the header's own rest.
    Length(i32),
    Magic(i8),
    Checksum {
        stored: u32,
        computed: u32,
    },
    UnknownCodec(u8),
    Compression(CompressionError),
    /// `record_count` and `last_offset_delta` do not agree, or there is no record.
    Count {
        count: i32,
        last_offset_delta: i32,
    },
    /// `record_count` records would need more bytes than there are.
    TooFewBytes {
        count: i32,
        bytes: usize,
    },
    /// Record `index` has not the offset delta `index`.
    OffsetDelta {
        index: i32,
        found: i32,
    },
    /// Record `index` can't be read.
    Record {
        index: i32,
        error: RecordError,
    },
    /// Bytes follow the last record.
    Trailing(usize),
    /// `max_timestamp` is not the largest of the records' timestamps.
    MaxTimestamp {
        stated: i64,
        largest: i64,
    },
    /// A producer id without a sequence.
    Sequence(i32),
}

/// What is wrong with one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    Varint(VarintError),
    /// A length is negative where it must not be, or larger than the bytes left.
    Length {
        field: &'static str,
        length: i32,
        left: usize,
    },
    /// The record's fields take fewer bytes than its length says.
    Trailing(usize),
    /// base timestamp and delta overflow.
    Timestamp,
}

impl From<VarintError> for RecordError {
    fn from(error: VarintError) -> Self {
        RecordError::Varint(error)
    }
}

impl std::fmt::Display for RecordError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RecordError::Varint(error) => error.fmt(f),
            RecordError::Length {
                field,
                length,
                left,
            } => write!(f, "{field} length {length} with {left} bytes left"),
            RecordError::Trailing(bytes) => write!(f, "{bytes} bytes beyond its fields"),
            RecordError::Timestamp => f.write_str("its timestamp overflows"),
        }
    }
}

impl std::fmt::Display for BatchError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BatchError::Truncated { needed, left } => {
                write!(f, "a batch of {needed} bytes with {left} bytes left")
            }
            BatchError::Length(length) => write!(f, "batch length {length}"),
            BatchError::Magic(magic) => write!(f, "magic {magic}, not 2"),
            BatchError::Checksum { stored, computed } => {
                write!(f, "checksum {stored:08x}, computed {computed:08x}")
            }
            BatchError::UnknownCodec(id) => write!(f, "codec {id}"),
            BatchError::Compression(error) => error.fmt(f),
            BatchError::Count {
                count,
                last_offset_delta,
            } => write!(
                f,
                "{count} records with last offset delta {last_offset_delta}"
            ),
            BatchError::TooFewBytes { count, bytes } => {
                write!(f, "{count} records announced in {bytes} bytes")
            }
            BatchError::OffsetDelta { index, found } => {
                write!(f, "record {index} has offset delta {found}")
            }
            BatchError::Record { index, error } => write!(f, "record {index}: {error}"),
            BatchError::Trailing(bytes) => write!(f, "{bytes} bytes after the last record"),
            BatchError::MaxTimestamp { stated, largest } => {
                write!(f, "max timestamp {stated}, but the largest is {largest}")
            }
            BatchError::Sequence(sequence) => {
                write!(f, "a producer id with base sequence {sequence}")
            }
        }
    }
}

impl std::error::Error for RecordError {}
impl std::error::Error for BatchError {}

/// A header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader<'a> {
    pub key: &'a [u8],
    pub value: Option<&'a [u8]>,
}

/// A record, borrowed from its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub offset_delta: i32,
    pub timestamp: i64,
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
    pub headers: Vec<RecordHeader<'a>>,
}

/// The batches of `blob`, one after the other. After an error there is no further one.
pub fn batches(blob: &[u8]) -> Batches<'_> {
    Batches { rest: blob }
}

/// Iterator of [`batches`].
pub struct Batches<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<RawBatch<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let taken = RawBatch::take(&mut self.rest);
        if taken.is_err() {
            self.rest = &[];
        }
        Some(taken)
    }
}

/// A batch as it is on the wire: only its frame is known to be right.
#[derive(Clone, Copy, Debug)]
pub struct RawBatch<'a> {
    pub header: BatchHeader,
    /// The whole batch, header included.
    pub bytes: &'a [u8],
}

impl<'a> RawBatch<'a> {
    /// Takes one batch off the front of `input`.
    pub fn take(input: &mut &'a [u8]) -> Result<Self, BatchError> {
        let Some(header) = input.first_chunk() else {
            return Err(BatchError::Truncated {
                needed: HEADER_LEN,
                left: input.len(),
            });
        };
        let header = BatchHeader::read(header);
        if header.magic != MAGIC_V2 {
            return Err(BatchError::Magic(header.magic));
        }
        let length = usize::try_from(header.batch_length)
            .ok()
            .filter(|&length| length >= HEADER_LEN - LENGTH_OVERHEAD)
            .ok_or(BatchError::Length(header.batch_length))?;
        let needed = LENGTH_OVERHEAD + length;
        let Some((bytes, rest)) = input.split_at_checked(needed) else {
            return Err(BatchError::Truncated {
                needed,
                left: input.len(),
            });
        };
        *input = rest;
        Ok(RawBatch { header, bytes })
    }

    /// Checks checksum and counts and decompresses the records section, to at most `max_output` bytes.
    pub fn open(&self, max_output: usize) -> Result<Batch, BatchError> {
        let computed = crc32c::crc32c(&self.bytes[CRC_START..]);
        if computed != self.header.crc {
            return Err(BatchError::Checksum {
                stored: self.header.crc,
                computed,
            });
        }
        let codec = self.codec()?;
        let (count, last_offset_delta) = (self.header.record_count, self.header.last_offset_delta);
        if count < 1 || last_offset_delta != count - 1 {
            return Err(BatchError::Count {
                count,
                last_offset_delta,
            });
        }
        let section = decompress(codec, &self.bytes[HEADER_LEN..], max_output)
            .map_err(BatchError::Compression)?;
        if (section.len() / MIN_RECORD) < count as usize {
            return Err(BatchError::TooFewBytes {
                count,
                bytes: section.len(),
            });
        }
        Ok(Batch {
            header: self.header,
            section: Bytes::from(section),
        })
    }

    pub fn codec(&self) -> Result<Codec, BatchError> {
        self.header
            .attributes
            .codec()
            .map_err(BatchError::UnknownCodec)
    }
}

/// Length, attributes, two deltas, key and value length, header count: a byte each.
const MIN_RECORD: usize = 7;
/// Key length and value length.
const MIN_HEADER: usize = 2;

/// A batch whose checksum and counts are right, decompressed.
#[derive(Clone, Debug)]
pub struct Batch {
    pub header: BatchHeader,
    section: Bytes,
}

impl Batch {
    /// The records. After an error there is no further one; when all were read, nothing is left over.
    pub fn records(&self) -> Records<'_> {
        Records {
            header: &self.header,
            rest: &self.section,
            index: 0,
        }
    }

    /// The decompressed records section.
    pub fn section(&self) -> &Bytes {
        &self.section
    }

    /// Reads every record, as a broker does before it appends, and gives the largest timestamp. Beyond what a
    /// broker refuses, it refuses a wrong `max_timestamp`, which a broker corrects in silence.
    pub fn validate(&self) -> Result<i64, BatchError> {
        if self.header.producer_id >= 0 && self.header.base_sequence < 0 {
            return Err(BatchError::Sequence(self.header.base_sequence));
        }
        let mut largest = i64::MIN;
        for record in self.records() {
            largest = largest.max(record?.timestamp);
        }
        let stated = self.header.max_timestamp;
        if stated != largest {
            return Err(BatchError::MaxTimestamp { stated, largest });
        }
        Ok(largest)
    }
}

/// Iterator of [`Batch::records`].
pub struct Records<'a> {
    header: &'a BatchHeader,
    rest: &'a [u8],
    index: i32,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, BatchError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.index < self.header.record_count {
            let record = self.read();
            self.index = match record {
                Ok(_) => self.index + 1,
                Err(_) => self.stop(),
            };
            return Some(record);
        }
        let trailing = self.rest.len();
        self.stop();
        (trailing > 0).then_some(Err(BatchError::Trailing(trailing)))
    }
}

impl<'a> Records<'a> {
    fn stop(&mut self) -> i32 {
        self.rest = &[];
        self.index = self.header.record_count;
        self.index
    }

    fn read(&mut self) -> Result<Record<'a>, BatchError> {
        let index = self.index;
        let record = read_record(&mut self.rest, self.header.base_timestamp)
            .map_err(|error| BatchError::Record { index, error })?;
        if record.offset_delta != index {
            return Err(BatchError::OffsetDelta {
                index,
                found: record.offset_delta,
            });
        }
        Ok(record)
    }
}

fn read_record<'a>(input: &mut &'a [u8], base_timestamp: i64) -> Result<Record<'a>, RecordError> {
    let length = read_varint(input)?;
    let mut body = take(input, "record", length)?;
    // Attributes: unused, and not judged by brokers.
    take(&mut body, "attributes", 1)?;
    let timestamp_delta = read_varlong(&mut body)?;
    let offset_delta = read_varint(&mut body)?;
    let key = nullable(&mut body, "key")?;
    let value = nullable(&mut body, "value")?;
    let headers = read_headers(&mut body)?;
    if !body.is_empty() {
        return Err(RecordError::Trailing(body.len()));
    }
    let timestamp = base_timestamp
        .checked_add(timestamp_delta)
        .ok_or(RecordError::Timestamp)?;
    Ok(Record {
        offset_delta,
        timestamp,
        key,
        value,
        headers,
    })
}

fn read_headers<'a>(body: &mut &'a [u8]) -> Result<Vec<RecordHeader<'a>>, RecordError> {
    let length = read_varint(body)?;
    let count = usize::try_from(length)
        .ok()
        .filter(|&count| count <= body.len() / MIN_HEADER)
        .ok_or(RecordError::Length {
            field: "headers",
            length,
            left: body.len(),
        })?;
    let mut headers = Vec::with_capacity(count);
    for _ in 0..count {
        let length = read_varint(body)?;
        headers.push(RecordHeader {
            key: take(body, "header key", length)?,
            value: nullable(body, "header value")?,
        });
    }
    Ok(headers)
}

fn nullable<'a>(
    input: &mut &'a [u8],
    field: &'static str,
) -> Result<Option<&'a [u8]>, RecordError> {
    match read_varint(input)? {
        -1 => Ok(None),
        length => take(input, field, length).map(Some),
    }
}

fn take<'a>(
    input: &mut &'a [u8],
    field: &'static str,
    length: i32,
) -> Result<&'a [u8], RecordError> {
    let split = usize::try_from(length)
        .ok()
        .and_then(|length| input.split_at_checked(length));
    let Some((taken, rest)) = split else {
        return Err(RecordError::Length {
            field,
            length,
            left: input.len(),
        });
    };
    *input = rest;
    Ok(taken)
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
