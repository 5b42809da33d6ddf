//! A partition's log: batches at their offsets, as they were produced.

use super::producers::{ProducerRules, Producers, Verdict};
use crate::error::ErrorCode;
use crate::protocol::fetch::AbortedTransaction;
use crate::record::header::{CRC_START, HEADER_LEN};
use crate::record::reader::{Batch, BatchError, RawBatch};
use crate::record::{Attributes, BatchHeader, Codec, TimestampType, frame};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// The key of a control record that commits: version 0, type 1.
const COMMIT_KEY: [u8; 4] = [0, 0, 0, 1];
/// The key of one that aborts.
const ABORT_KEY: [u8; 4] = [0; 4];
/// The value of a control record: version 0, coordinator epoch 0.
const CONTROL_VALUE: [u8; 6] = [0; 6];
/// No batch decompresses to more than this.
const MAX_DECOMPRESSED: usize = 256 << 20;
/// How far ahead of the broker's clock a record may be (`message.timestamp.after.max.ms`).
const MAX_AHEAD_MS: i64 = 3_600_000;

/// A batch in the log, as consumers get it.
#[derive(Clone, Debug)]
pub struct StoredBatch {
    pub header: BatchHeader,
    /// The whole batch, header included.
    pub bytes: Bytes,
}

/// The end of a producer's transaction in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marker {
    pub producer_id: i64,
    pub producer_epoch: i16,
    /// Commit, else abort.
    pub commit: bool,
}

impl StoredBatch {
    /// What a control batch says.
    pub fn marker(&self) -> Option<Marker> {
        if !self.header.attributes.is_control() {
            return None;
        }
        let key = self.open().first().and_then(|record| record.key.clone());
        Some(Marker {
            producer_id: self.header.producer_id,
            producer_epoch: self.header.producer_epoch,
            commit: key.as_deref() == Some(&COMMIT_KEY),
        })
    }

    fn last_offset(&self) -> i64 {
        self.header.base_offset + i64::from(self.header.last_offset_delta)
    }

    /// The producer's records; a control batch has none.
    fn records(&self) -> Vec<StoredRecord> {
        match self.header.attributes.is_control() {
            true => Vec::new(),
            false => self.open(),
        }
    }

    /// What it holds. The batch was judged at the append, so that none is unreadable.
    fn open(&self) -> Vec<StoredRecord> {
        let opened = RawBatch {
            header: self.header,
            bytes: &self.bytes,
        }
        .open(MAX_DECOMPRESSED);
        let Ok(batch) = opened else { return Vec::new() };
        batch
            .records()
            .map_while(Result::ok)
            .map(|record| self.stored(&batch, record))
            .collect()
    }

    fn stored(&self, batch: &Batch, record: crate::record::reader::Record<'_>) -> StoredRecord {
        let timestamp_type = self.header.attributes.timestamp_type();
        let share = |bytes: &[u8]| batch.section().slice_ref(bytes);
        StoredRecord {
            offset: self.header.base_offset + i64::from(record.offset_delta),
            timestamp: match timestamp_type {
                TimestampType::CreateTime => record.timestamp,
                TimestampType::LogAppendTime => self.header.max_timestamp,
            },
            timestamp_type,
            key: record.key.map(share),
            value: record.value.map(share),
            headers: record
                .headers
                .iter()
                .map(|header| (share(header.key), header.value.map(share)))
                .collect(),
        }
    }
}

/// A record in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    pub offset: i64,
    pub timestamp: i64,
    pub timestamp_type: TimestampType,
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// How far a batch came that was not appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its transaction was not confirmed.
    Verification,
    Append,
}

/// Why a batch was not appended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: ErrorCode,
    pub message: String,
    /// The records at fault (KIP-467).
    pub records: Vec<(i32, String)>,
    pub stage: Stage,
}

impl Refusal {
    pub fn in_verification(self) -> Self {
        Refusal {
            stage: Stage::Verification,
            ..self
        }
    }

    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Refusal {
            code,
            message: message.into(),
            records: Vec::new(),
            stage: Stage::Append,
        }
    }
}

impl From<BatchError> for Refusal {
    fn from(error: BatchError) -> Self {
        let code = match error {
            BatchError::Truncated { .. } | BatchError::Length(_) | BatchError::Checksum { .. } => {
                ErrorCode::CORRUPT_MESSAGE
            }
            _ => ErrorCode::INVALID_RECORD,
        };
        Refusal::new(code, error.to_string())
    }
}

/// Where a batch is in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Appended {
    pub base_offset: i64,
    /// −1 on a topic that keeps the records' own timestamps.
    pub log_append_time: i64,
}

/// What the topic and the moment say about an append.
#[derive(Clone, Copy, Debug)]
pub(super) struct AppendRules {
    pub timestamp_type: TimestampType,
    pub max_bytes: usize,
    pub leader_epoch: i32,
    /// The broker's clock.
    pub wall_millis: i64,
    pub producers: ProducerRules,
}

/// A transaction that was aborted: its records lie between the two offsets.
#[derive(Clone, Copy, Debug)]
struct Aborted {
    producer_id: i64,
    first_offset: i64,
    marker_offset: i64,
}

/// The log of a partition.
#[derive(Debug, Default)]
pub(super) struct PartitionLog {
    batches: VecDeque<StoredBatch>,
    producers: Producers,
    aborted: Vec<Aborted>,
    start_offset: i64,
    end_offset: i64,
    bytes: usize,
}

impl PartitionLog {
    pub fn start_offset(&self) -> i64 {
        self.start_offset
    }

    pub fn end_offset(&self) -> i64 {
        self.end_offset
    }

    pub fn batches(&self) -> impl Iterator<Item = &StoredBatch> {
        self.batches.iter()
    }

    pub fn records(&self) -> Vec<StoredRecord> {
        self.batches.iter().flat_map(StoredBatch::records).collect()
    }

    /// Up to here every transaction is decided.
    pub fn last_stable_offset(&self) -> i64 {
        self.producers.first_open().unwrap_or(self.end_offset)
    }

    /// The records of decided and not aborted transactions, and those of none.
    pub fn committed_records(&self) -> Vec<StoredRecord> {
        let stable = self.last_stable_offset();
        let visible = |batch: &&StoredBatch| {
            let header = &batch.header;
            let was_aborted = |aborted: &Aborted| {
                aborted.producer_id == header.producer_id
                    && (aborted.first_offset..aborted.marker_offset).contains(&header.base_offset)
            };
            batch.last_offset() < stable
                && !(header.attributes.is_transactional() && self.aborted.iter().any(was_aborted))
        };
        let batches = self.batches.iter().filter(visible);
        batches.flat_map(StoredBatch::records).collect()
    }

    /// The aborted transactions with records between two offsets.
    pub fn aborted(&self, from: i64, to: i64) -> Vec<AbortedTransaction> {
        let within = |a: &&Aborted| a.marker_offset >= from && a.first_offset < to;
        let aborted = self.aborted.iter().filter(within);
        aborted
            .map(|aborted| AbortedTransaction {
                producer_id: aborted.producer_id,
                first_offset: aborted.first_offset,
            })
            .collect()
    }

    pub fn producers(&mut self) -> &mut Producers {
        &mut self.producers
    }

    /// Ends a producer's transaction.
    pub fn append_marker(&mut self, marker: &Marker, leader_epoch: i32, wall_millis: i64) {
        let section = control_record(marker.commit);
        let header = BatchHeader {
            base_offset: self.end_offset,
            partition_leader_epoch: leader_epoch,
            attributes: Attributes::new(Codec::None, true).with_control(),
            last_offset_delta: 0,
            base_timestamp: wall_millis,
            max_timestamp: wall_millis,
            producer_id: marker.producer_id,
            producer_epoch: marker.producer_epoch,
            record_count: 1,
            ..BatchHeader::default()
        };
        let front = frame(&header, std::slice::from_ref(&section));
        let stored = StoredBatch {
            header: BatchHeader::read(&front),
            bytes: [&front[..], &section].concat().into(),
        };
        self.end_transaction(&stored.header, marker.commit);
        self.bytes += stored.bytes.len();
        self.end_offset += 1;
        self.batches.push_back(stored);
    }

    fn end_transaction(&mut self, marker: &BatchHeader, commit: bool) {
        let (producer_id, epoch) = (marker.producer_id, marker.producer_epoch);
        let opened = self.producers.end_transaction(producer_id, epoch);
        if let Some(first_offset) = opened.filter(|_| !commit) {
            self.aborted.push(Aborted {
                producer_id,
                first_offset,
                marker_offset: marker.base_offset,
            });
        }
    }

    /// Judges the records of a Produce request as a broker does, and appends them.
    pub fn append(&mut self, records: &Bytes, rules: &AppendRules) -> Result<Appended, Refusal> {
        let raw = only_batch(records)?;
        if raw.bytes.len() > rules.max_bytes {
            let message = format!(
                "a batch of {} bytes, max.message.bytes is {}",
                raw.bytes.len(),
                rules.max_bytes
            );
            return Err(Refusal::new(ErrorCode::MESSAGE_TOO_LARGE, message));
        }
        let batch = raw.open(MAX_DECOMPRESSED)?;
        let max_timestamp = batch.validate()?;
        if batch.header.attributes.is_control() {
            let message = "a control batch from a client";
            return Err(Refusal::new(ErrorCode::INVALID_RECORD, message));
        }
        if rules.timestamp_type == TimestampType::CreateTime {
            refuse_future(&batch, rules.wall_millis)?;
        }
        if batch.header.producer_id >= 0 {
            let verdict = self.producers.judge(&batch.header, &rules.producers)?;
            if let Verdict::Duplicate(known) = verdict {
                // A broker answers a duplicate with the batch's time even on a CreateTime topic.
                return Ok(Appended {
                    base_offset: known.base_offset,
                    log_append_time: known.max_timestamp,
                });
            }
        }
        Ok(self.push(&raw, max_timestamp, rules))
    }

    fn push(&mut self, raw: &RawBatch<'_>, max_timestamp: i64, rules: &AppendRules) -> Appended {
        let base_offset = self.end_offset;
        let (max_timestamp, log_append_time) = match rules.timestamp_type {
            TimestampType::CreateTime => (max_timestamp, -1),
            TimestampType::LogAppendTime => (rules.wall_millis, rules.wall_millis),
        };
        let header = BatchHeader {
            base_offset,
            partition_leader_epoch: rules.leader_epoch,
            max_timestamp,
            attributes: raw
                .header
                .attributes
                .with_timestamp_type(rules.timestamp_type),
            ..raw.header
        };
        let stored = store(header, raw.bytes);
        if header.producer_id >= 0 {
            self.producers.remember(&header, base_offset, max_timestamp);
        }
        self.bytes += stored.bytes.len();
        self.end_offset = stored.last_offset() + 1;
        self.batches.push_back(stored);
        Appended {
            base_offset,
            log_append_time,
        }
    }

    /// Drops the oldest batches until at most `keep` bytes are left; the newest batch stays.
    pub fn retain_bytes(&mut self, keep: usize) {
        while self.bytes > keep && self.batches.len() > 1 {
            if let Some(dropped) = self.batches.pop_front() {
                self.bytes -= dropped.bytes.len();
                self.start_offset = dropped.last_offset() + 1;
            }
        }
    }

    /// Drops every batch, as retention or DeleteRecords may.
    pub fn truncate_all(&mut self) {
        self.batches.clear();
        self.bytes = 0;
        self.start_offset = self.end_offset;
    }

    /// Loses the batches from `offset` on, and what the producer ids did in them, as an unclean election does.
    pub fn lose_from(&mut self, offset: i64) {
        while let Some(last) = self
            .batches
            .pop_back_if(|batch| batch.last_offset() >= offset)
        {
            self.bytes -= last.bytes.len();
            self.end_offset = last.header.base_offset;
        }
        self.start_offset = self.start_offset.min(self.end_offset);
        self.producers.clear();
        self.aborted.clear();
        let left: Vec<(BatchHeader, Option<Marker>)> = self
            .batches
            .iter()
            .filter(|batch| batch.header.producer_id >= 0)
            .map(|batch| (batch.header, batch.marker()))
            .collect();
        for (header, marker) in left {
            match marker {
                Some(marker) => self.end_transaction(&header, marker.commit),
                None => self
                    .producers
                    .remember(&header, header.base_offset, header.max_timestamp),
            }
        }
    }

    pub fn forget_producers(&mut self) {
        self.producers.clear();
    }

    pub fn restore_producers(&mut self) {
        self.producers.restore();
    }

    /// The batches from the one that holds `offset` on, below `end`: at least one, then up to `max_bytes`.
    pub fn read(&self, offset: i64, end: i64, max_bytes: usize) -> Bytes {
        let first = self
            .batches
            .partition_point(|batch| batch.last_offset() < offset);
        let mut out = BytesMut::new();
        for batch in self.batches.range(first..) {
            let is_full = !out.is_empty() && out.len() + batch.bytes.len() > max_bytes;
            if is_full || batch.header.base_offset >= end {
                break;
            }
            out.extend_from_slice(&batch.bytes);
        }
        out.freeze()
    }

    /// The first record at or after `timestamp`: its offset and timestamp.
    pub fn find_timestamp(&self, timestamp: i64) -> Option<(i64, i64)> {
        self.batches
            .iter()
            .filter(|batch| batch.header.max_timestamp >= timestamp)
            .flat_map(StoredBatch::records)
            .find(|record| record.timestamp >= timestamp)
            .map(|record| (record.offset, record.timestamp))
    }
}

/// The records section of a control batch. Its value is a version and the coordinator's epoch.
fn control_record(commit: bool) -> Bytes {
    let key = if commit { COMMIT_KEY } else { ABORT_KEY };
    let (key_length, value_length) = (2 * key.len() as u8, 2 * CONTROL_VALUE.len() as u8);
    // Attributes, timestamp delta and offset delta before the key; no headers behind the value. Lengths are zigzag.
    let front = [0, 0, 0, key_length];
    let body = [&front[..], &key, &[value_length], &CONTROL_VALUE, &[0]].concat();
    [&[2 * body.len() as u8], &body[..]].concat().into()
}

fn only_batch(records: &Bytes) -> Result<RawBatch<'_>, Refusal> {
    let mut rest = &records[..];
    let raw = RawBatch::take(&mut rest)?;
    if rest.is_empty() {
        return Ok(raw);
    }
    let message = format!("{} bytes after the only batch of a partition", rest.len());
    Err(Refusal::new(ErrorCode::INVALID_RECORD, message))
}

fn refuse_future(batch: &Batch, wall_millis: i64) -> Result<(), Refusal> {
    let limit = wall_millis.saturating_add(MAX_AHEAD_MS);
    let ahead: Vec<(i32, String)> = batch
        .records()
        .map_while(Result::ok)
        .filter(|record| record.timestamp > limit)
        .map(|record| {
            let message = format!("timestamp {} is after {limit}", record.timestamp);
            (record.offset_delta, message)
        })
        .collect();
    if ahead.is_empty() {
        return Ok(());
    }
    Err(Refusal {
        records: ahead,
        ..Refusal::new(
            ErrorCode::INVALID_TIMESTAMP,
            "one or more records are too far in the future",
        )
    })
}

/// The batch with what a broker writes into its header, and the checksum that this takes.
fn store(header: BatchHeader, bytes: &[u8]) -> StoredBatch {
    let mut out = BytesMut::from(bytes);
    let mut front = [0; HEADER_LEN];
    header.write(&mut front);
    out[..HEADER_LEN].copy_from_slice(&front);
    let crc = crc32c::crc32c(&out[CRC_START..]);
    out[17..CRC_START].copy_from_slice(&crc.to_be_bytes());
    StoredBatch {
        header: BatchHeader { crc, ..header },
        bytes: out.freeze(),
    }
}
