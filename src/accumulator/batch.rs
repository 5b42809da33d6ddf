//! A batch on its way: open (records are encoded into it), closed, sealed, framed.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use tokio::time::Instant;

use super::accepted::Accepted;
use super::memory::Reservation;
use crate::completion::{Persistence, RecordMeta, SendCallback};
use crate::config::{Compression, CompressionType};
use crate::error::ErrorCode;
use crate::record::encode::{Payload, SLACK, ShortPayload};
use crate::record::{
    Attributes, BatchHeader, Codec, CompressContext, CompressionError, HEADER_LEN, Stamp, compress,
    frame,
};
use crate::sys::{NoMemory, room_for_more};

/// Records added to the metadata's capacity at a time, at least.
const META_STEP: usize = 16;
/// What one record's metadata counts in `buffer.memory`.
const META_BYTES: usize = size_of::<RecordMeta>();
/// What an open batch counts beside its buffers.
pub const BATCH_OVERHEAD: usize = 256;
/// The smallest and the largest buffer that a batch asks for at a time (but for larger records).
const MIN_CHUNK: usize = 2 * 1024;
const MAX_CHUNK: usize = 64 * 1024;

/// One buffer of a batch and its part of the budget; both go back when it is dropped.
#[derive(Debug)]
struct Chunk {
    bytes: Vec<u8>,
    reserved: Reservation,
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.reserved.give_back(std::mem::take(&mut self.bytes));
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The encoded records of a batch, as far along as they are.
#[derive(Debug)]
enum Records {
    /// As encoded by the senders; more may come while the batch is open.
    Raw(SmallVec<[Chunk; 2]>),
    /// A thread is compressing them.
    Sealing,
    Sealed(Sealed),
    /// Sealed, with the header of their first request: immutable until the outcome is definite.
    Framed {
        header: [u8; HEADER_LEN],
        sealed: Sealed,
    },
}

/// Records as they go over the wire.
#[derive(Clone, Debug)]
pub struct Sealed {
    parts: SmallVec<[Bytes; 2]>,
    len: usize,
    codec: Codec,
}

/// Uncompressed records, taken out of a batch to be sealed.
#[derive(Debug)]
pub struct Raw(SmallVec<[Chunk; 2]>);

/// Why a record did not go into an open batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoom {
    /// The batch is full: close it and open another.
    BatchFull,
    /// This much memory is needed first: preferably, and at the very least.
    Memory { wanted: usize, least: usize },
}

/// A user's or the accumulator's batch, bound to its partition.
#[derive(Debug)]
pub struct Batch {
    /// Its place in the order of its partition's batches.
    pub number: u64,
    /// Its first record's index in the batch that it is a part of; 0 unless that was split.
    pub first: u32,
    pub created: Instant,
    pub accepted: Accepted,
    /// Its user has closed it: nobody adds to it.
    pub closed: bool,
    /// Which sticky lane is to be credited with its bytes.
    pub lane: Option<u8>,
    base_timestamp: i64,
    max_timestamp: i64,
    /// Encoded, before compression, without the header.
    record_bytes: usize,
    /// The buffer that records are encoded into while the batch is open.
    tail: Vec<u8>,
    tail_reserved: Reservation,
    /// The filled buffers before it.
    records: Records,
    reserved: Reservation,
    pub attempts: Attempts,
    /// Its place in the sequence of an idempotent producer, from its first request on.
    stamp: Option<Stamp>,
}

/// What is known of a batch that was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// It is not in the log.
    None,
    /// A broker may have written it although no answer says so.
    InDoubt,
    /// It was in doubt, and the broker does not know it: those behind it will show why.
    NotRemembered,
    /// It is not in the log, and the broker finds that it is not the next one: those behind it will show why.
    Misplaced,
}

/// What is known of a batch's place in its log's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Nothing behind it can be in a log without it.
    Kept,
    /// The topic was made anew while it was under way: the new log may have taken one behind it.
    Unclear,
    /// A log that did not know the producer has one behind it. Whether it can have this one all the same.
    Overtaken(Persistence),
}

/// What has been tried with a batch so far.
#[derive(Clone, Debug)]
pub struct Attempts {
    pub count: u32,
    pub trace: Trace,
    pub last_error: Option<(ErrorCode, Option<Arc<str>>)>,
    /// Whom the last attempt went to.
    pub leader: i32,
    /// It was sent to a topic by its name, and so perhaps to another than was meant.
    pub by_name: bool,
    pub order: Order,
}

impl Default for Attempts {
    fn default() -> Self {
        Attempts {
            count: 0,
            trace: Trace::None,
            last_error: None,
            leader: -1,
            by_name: false,
            order: Order::Kept,
        }
    }
}

impl Attempts {
    pub fn maybe_written(&self) -> bool {
        matches!(self.trace, Trace::InDoubt | Trace::NotRemembered)
    }

    /// Whether those behind it are to show what became of it.
    pub fn awaits_witness(&self) -> bool {
        matches!(self.trace, Trace::NotRemembered | Trace::Misplaced)
    }

    /// Those behind it have shown nothing: it is asked for once more.
    pub fn ask_anew(&mut self) {
        self.trace = match self.trace {
            Trace::NotRemembered => Trace::InDoubt,
            Trace::Misplaced => Trace::None,
            Trace::InDoubt | Trace::None => self.trace,
        };
    }

    /// A log that did not know the producer has one behind it, and cannot have this one if `is_out`.
    pub fn note_overtaken(&mut self, is_out: bool) {
        self.order = match (is_out, self.order) {
            (true, _) | (_, Order::Overtaken(Persistence::Not)) => {
                Order::Overtaken(Persistence::Not)
            }
            (false, _) => Order::Overtaken(Persistence::Possibly),
        };
    }

    /// An attempt ended without an answer, or with one that does not say whether it was written.
    pub fn note_doubt(&mut self) {
        self.trace = Trace::InDoubt;
    }
}

impl Batch {
    /// It is not in the log: it gets a place in a sequence anew.
    pub fn give_up_place(&mut self) {
        self.stamp = None;
        self.attempts.trace = Trace::None;
        self.attempts.order = Order::Kept;
    }

    pub fn new(
        number: u64,
        accepted: Accepted,
        mut reserved: Reservation,
        lane: Option<u8>,
    ) -> Box<Self> {
        Box::new(Batch {
            number,
            first: 0,
            created: Instant::now(),
            accepted,
            closed: false,
            lane,
            base_timestamp: 0,
            max_timestamp: i64::MIN,
            record_bytes: 0,
            tail: Vec::new(),
            tail_reserved: reserved.split(0),
            records: Records::Raw(SmallVec::new()),
            reserved,
            attempts: Attempts::default(),
            stamp: None,
        })
    }

    /// Its place in the order of its partition.
    pub fn place(&self) -> (u64, u32) {
        (self.number, self.first)
    }

    pub fn record_count(&self) -> usize {
        self.accepted.len()
    }

    /// Encoded size with the header, before compression.
    pub fn size(&self) -> usize {
        HEADER_LEN + self.record_bytes
    }

    /// Bytes on the wire, once sealed; an upper bound before.
    pub fn wire_size(&self) -> usize {
        match &self.records {
            Records::Raw(_) | Records::Sealing => self.size(),
            Records::Sealed(sealed) | Records::Framed { sealed, .. } => HEADER_LEN + sealed.len,
        }
    }

    /// What it counts in `buffer.memory`.
    pub fn footprint(&self) -> usize {
        let filled = match &self.records {
            Records::Raw(chunks) => chunks.iter().map(|chunk| chunk.reserved.bytes()).sum(),
            Records::Sealing | Records::Sealed(_) | Records::Framed { .. } => 0,
        };
        filled + self.tail_reserved.bytes() + self.reserved.bytes()
    }

    /// Counts it in another budget from now on, of which `paid` is its footprint.
    pub fn charge(&mut self, mut paid: Reservation) {
        if let Records::Raw(chunks) = &mut self.records {
            for chunk in chunks {
                chunk.reserved = paid.split(chunk.reserved.bytes());
            }
        }
        self.tail_reserved = paid.split(self.tail_reserved.bytes());
        self.reserved = paid;
    }

    /// Encodes a record behind others where that needs nothing but room in the buffer: the way of nearly all
    /// records. False: nothing has changed.
    #[inline(always)]
    pub fn try_push(
        &mut self,
        payload: &ShortPayload<'_>,
        meta: RecordMeta,
        batch_size: usize,
    ) -> bool {
        let count = self.accepted.len();
        let delta = meta.timestamp.wrapping_sub(self.base_timestamp);
        let left = batch_size.saturating_sub(self.size());
        if count == 0 || self.accepted.room() == 0 {
            return false;
        }
        let Some(total) = payload.append(&mut self.tail, delta, count, left) else {
            return false;
        };
        self.note_written(total, meta);
        self.accepted.push_plain(meta);
        true
    }

    /// Encodes a record behind the others, or says what that needs.
    pub fn try_append(
        &mut self,
        payload: &Payload<'_>,
        meta: RecordMeta,
        callback: Option<SendCallback>,
        batch_size: usize,
    ) -> Result<(), (NoRoom, Option<SendCallback>)> {
        let count = self.accepted.len();
        if count == 0 {
            self.base_timestamp = meta.timestamp;
        }
        let delta = meta.timestamp.wrapping_sub(self.base_timestamp);
        let staged = payload.stage(delta, count as i32);
        let is_full = count > 0 && self.size() + staged.total > batch_size;
        if is_full || !matches!(self.records, Records::Raw(_)) {
            return Err((NoRoom::BatchFull, callback));
        }
        if !self.has_room(staged.total) {
            return Err((self.memory_needed(staged.total, batch_size), callback));
        }
        staged.write(payload, &mut self.tail);
        self.note_written(staged.total, meta);
        self.accepted.push(meta, callback);
        Ok(())
    }

    #[inline]
    fn has_room(&self, total: usize) -> bool {
        self.tail.capacity() - self.tail.len() >= total + SLACK && self.accepted.room() > 0
    }

    #[inline]
    fn note_written(&mut self, total: usize, meta: RecordMeta) {
        self.record_bytes += total;
        self.max_timestamp = self.max_timestamp.max(meta.timestamp);
    }

    #[cold]
    fn memory_needed(&self, total: usize, batch_size: usize) -> NoRoom {
        let least = total + SLACK + META_STEP * META_BYTES;
        if self.tail.capacity() - self.tail.len() >= total + SLACK {
            // Only the records' metadata needs more.
            let wanted = self.accepted.len().max(META_STEP) / 4 * META_BYTES;
            return NoRoom::Memory {
                wanted: wanted.max(META_STEP * META_BYTES),
                least: META_STEP * META_BYTES,
            };
        }
        let left = batch_size.saturating_sub(self.size()).min(MAX_CHUNK);
        let growth = if self.record_bytes == 0 {
            MIN_CHUNK
        } else {
            self.record_bytes.next_power_of_two() * 4
        };
        let wanted = growth.clamp(MIN_CHUNK, left.max(MIN_CHUNK));
        NoRoom::Memory {
            wanted: wanted.max(least),
            least,
        }
    }

    /// Gives the batch a further buffer of what was reserved for it, of which one record needs `least`.
    /// Where the system has no memory for it, the batch is as it was.
    pub fn grow(&mut self, mut reserved: Reservation, least: usize) -> Result<(), NoMemory> {
        if least == META_STEP * META_BYTES {
            self.accepted.reserve_exact(reserved.bytes() / META_BYTES)?;
            self.reserved.merge(reserved);
            return Ok(());
        }
        if self.accepted.room() == 0 {
            // Guess from the records so far how many more the new buffer will hold.
            let mean = self
                .record_bytes
                .checked_div(self.accepted.len())
                .unwrap_or(128);
            let fits = reserved.bytes() / (mean + META_BYTES).max(1);
            let spare = (reserved.bytes().saturating_sub(least)) / META_BYTES + META_STEP;
            let records = fits.max(META_STEP).min(spare);
            self.accepted.reserve_exact(records)?;
            self.reserved.merge(reserved.split(records * META_BYTES));
        }
        // A buffer with room enough stays the last; only metadata was short.
        if self.tail.capacity() - self.tail.len() < reserved.bytes() {
            let buffer = reserved.buffer()?;
            self.keep_tail();
            self.tail = buffer;
            self.tail_reserved = reserved;
        } else {
            self.reserved.merge(reserved);
        }
        Ok(())
    }

    /// Gives an empty batch all that is expected to be needed: `records` records in `reserved` bytes.
    pub fn grow_for(
        &mut self,
        mut reserved: Reservation,
        least: usize,
        records: usize,
    ) -> Result<(), NoMemory> {
        let spare = reserved.bytes().saturating_sub(least) / META_BYTES;
        let records = records.clamp(META_STEP, spare.max(META_STEP));
        self.accepted.reserve_exact(records)?;
        self.reserved.merge(reserved.split(records * META_BYTES));
        self.tail = reserved.buffer()?;
        self.tail_reserved = reserved;
        Ok(())
    }

    /// Puts the buffer in progress behind the filled ones.
    fn keep_tail(&mut self) {
        let nothing = self.reserved.split(0);
        let chunk = Chunk {
            bytes: std::mem::take(&mut self.tail),
            reserved: std::mem::replace(&mut self.tail_reserved, nothing),
        };
        if let (false, Records::Raw(chunks)) = (chunk.bytes.is_empty(), &mut self.records) {
            chunks.push(chunk);
        }
    }

    /// Hands the records out to be compressed; `None` when there is nothing to do or another does it.
    pub fn claim_seal(&mut self) -> Option<Raw> {
        self.keep_tail();
        match std::mem::replace(&mut self.records, Records::Sealing) {
            Records::Raw(chunks) => Some(Raw(chunks)),
            other => {
                self.records = other;
                None
            }
        }
    }

    pub fn finish_seal(&mut self, sealed: Sealed) {
        self.records = Records::Sealed(sealed);
    }

    pub fn is_sealing(&self) -> bool {
        matches!(self.records, Records::Sealing)
    }

    /// Header and records for a request. The header is written at the first call and kept.
    pub fn frame(&mut self) -> Option<([u8; HEADER_LEN], Sealed)> {
        let records = std::mem::replace(&mut self.records, Records::Sealing);
        let (header, sealed) = match records {
            Records::Sealed(sealed) => {
                let header = self.header(&sealed);
                (frame(&header, &sealed.parts), sealed)
            }
            Records::Framed { header, sealed } => (header, sealed),
            other => {
                self.records = other;
                return None;
            }
        };
        self.records = Records::Framed {
            header,
            sealed: sealed.clone(),
        };
        Some((header, sealed))
    }

    pub fn stamp(&self) -> Option<Stamp> {
        self.stamp
    }

    /// Gives the batch its place, or takes it away. A header that was written for another is dropped: so only for a
    /// batch that is known not to be in the log.
    pub fn set_stamp(&mut self, stamp: Option<Stamp>) {
        if self.stamp == stamp {
            return;
        }
        self.stamp = stamp;
        self.records = match std::mem::replace(&mut self.records, Records::Sealing) {
            Records::Framed { sealed, .. } => Records::Sealed(sealed),
            other => other,
        };
    }

    fn header(&self, sealed: &Sealed) -> BatchHeader {
        let stamp = self.stamp.unwrap_or(Stamp::NONE);
        BatchHeader {
            base_offset: 0,
            batch_length: 0,
            partition_leader_epoch: -1,
            magic: 2,
            crc: 0,
            attributes: Attributes::new(sealed.codec, stamp.transactional),
            last_offset_delta: self.record_count() as i32 - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer_id: stamp.producer_id,
            producer_epoch: stamp.producer_epoch,
            base_sequence: stamp.base_sequence,
            record_count: self.record_count() as i32,
        }
    }

    /// The largest timestamp of its records.
    pub fn max_timestamp(&self) -> i64 {
        self.max_timestamp
    }

    /// The sealed records, to be split into smaller batches.
    pub fn into_parts(self) -> (Accepted, Option<Sealed>) {
        let sealed = match self.records {
            Records::Sealed(sealed) | Records::Framed { sealed, .. } => Some(sealed),
            Records::Raw(_) | Records::Sealing => None,
        };
        (self.accepted, sealed)
    }
}

impl Raw {
    pub fn len(&self) -> usize {
        self.0.iter().map(|chunk| chunk.bytes.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As they are.
    pub fn freeze(self) -> Sealed {
        let len = self.len();
        Sealed {
            parts: self.0.into_iter().map(Bytes::from_owner).collect(),
            len,
            codec: Codec::None,
        }
    }

    /// Compressed, unless that makes them larger or the system has no memory for it.
    pub fn compress(
        mut self,
        compression: &Compression,
        context: &mut CompressContext,
    ) -> Result<Sealed, CompressionError> {
        let total = self.len();
        let codec = codec_of(compression.codec);
        let smaller = compress(codec, compression.level, &self.0, total, context);
        let bytes = match smaller {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(self.freeze()),
            // The libraries of the codecs do not say why they failed.
            Err(error) if error == CompressionError::NoMemory || room_for_more().is_err() => {
                *context = CompressContext::default();
                return Ok(self.freeze());
            }
            Err(error) => return Err(error),
        };
        // What the records took covers what is left of them; the rest of the budget goes back.
        let mut reserved = self.0[0].reserved.split(0);
        for chunk in &mut self.0 {
            let all = chunk.reserved.bytes();
            reserved.merge(chunk.reserved.split(all));
        }
        let keep = reserved.split(bytes.len());
        drop(reserved);
        let len = bytes.len();
        let chunk = Chunk {
            bytes,
            reserved: keep,
        };
        Ok(Sealed {
            parts: SmallVec::from_elem(Bytes::from_owner(chunk), 1),
            len,
            codec,
        })
    }
}

/// The wire's word for the configured codec.
fn codec_of(compression: CompressionType) -> Codec {
    match compression {
        CompressionType::None => Codec::None,
        CompressionType::Gzip => Codec::Gzip,
        CompressionType::Snappy => Codec::Snappy,
        CompressionType::Lz4 => Codec::Lz4,
        CompressionType::Zstd => Codec::Zstd,
    }
}

impl Sealed {
    pub fn parts(&self) -> &[Bytes] {
        &self.parts
    }

    pub fn codec(&self) -> Codec {
        self.codec
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}
