//! What a topic holds, as Java's consumer reads it, and its batches, as Kafka's own code finds them on disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::admin::number;
use super::helper::{Helper, from_hex};

pub struct Consumer {
    bootstrap: String,
    isolation: Isolation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    ReadUncommitted,
    ReadCommitted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// A record as read; `V` is the value's bytes, or their digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<V = Vec<u8>> {
    pub partition: i32,
    pub offset: i64,
    pub timestamp: i64,
    pub timestamp_type: TimestampType,
    pub key: Option<Vec<u8>>,
    pub value: Option<V>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Stands for a value where many or large ones are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest {
    pub length: usize,
    pub crc32c: u32,
}

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        Digest {
            length: bytes.len(),
            crc32c: crc32c::crc32c(bytes),
        }
    }

    fn parse(text: &str) -> Option<Digest> {
        let (length, crc32c) = text.split_once(':')?;
        Some(Digest {
            length: number(length) as usize,
            crc32c: number(crc32c) as u32,
        })
    }
}

impl Consumer {
    pub fn new(bootstrap: impl Into<String>, isolation: Isolation) -> Consumer {
        Consumer {
            bootstrap: bootstrap.into(),
            isolation,
        }
    }

    /// All records there are now, each partition's in order. The way to see duplicates too.
    #[track_caller]
    pub fn read_all(&self, topic: &str) -> Vec<Record> {
        self.read(topic, "end", Duration::from_secs(120), "whole", from_hex)
    }

    /// As `read_all`, for many or large values.
    #[track_caller]
    pub fn read_digests(&self, topic: &str) -> Vec<Record<Digest>> {
        self.read(
            topic,
            "end",
            Duration::from_secs(120),
            "digest",
            Digest::parse,
        )
    }

    /// Waits until `count` records have come, whoever is still to write them; reads no further.
    #[track_caller]
    pub fn read_count(&self, topic: &str, count: usize, limit: Duration) -> Vec<Record> {
        self.read(topic, &count.to_string(), limit, "whole", from_hex)
    }

    #[track_caller]
    fn read<V>(
        &self,
        topic: &str,
        wanted: &str,
        limit: Duration,
        body: &str,
        value: fn(&str) -> Option<V>,
    ) -> Vec<Record<V>> {
        let isolation = match self.isolation {
            Isolation::ReadUncommitted => "read_uncommitted",
            Isolation::ReadCommitted => "read_committed",
        };
        let limit_ms = limit.as_millis().to_string();
        let arguments = [&self.bootstrap, topic, isolation, wanted, &limit_ms, body];
        let answer = Helper::get()
            .ask("consume", &arguments)
            .unwrap_or_else(|error| panic!("reading {topic}: {error}"));
        assert!(
            answer.result == ["complete"],
            "read only {} records of {topic} ({wanted} wanted) in {limit:?}",
            answer.rows.len()
        );
        answer.rows.iter().map(|row| record(row, value)).collect()
    }
}

fn record<V>(row: &[String], value: fn(&str) -> Option<V>) -> Record<V> {
    Record {
        partition: number(&row[0]) as i32,
        offset: number(&row[1]),
        timestamp: number(&row[2]),
        timestamp_type: timestamp_type(&row[3]),
        key: from_hex(&row[4]),
        value: value(&row[5]),
        headers: row[6..].chunks_exact(2).map(header).collect(),
    }
}

fn header(pair: &[String]) -> (String, Option<Vec<u8>>) {
    let key = from_hex(&pair[0]).expect("a header's key is not null");
    let key = String::from_utf8(key).expect("Java has made it UTF-8");
    (key, from_hex(&pair[1]))
}

fn timestamp_type(id: &str) -> TimestampType {
    match id {
        "0" => TimestampType::CreateTime,
        "1" => TimestampType::LogAppendTime,
        _ => panic!("unexpected timestamp type {id}"),
    }
}

pub fn by_partition<V>(records: Vec<Record<V>>) -> BTreeMap<i32, Vec<Record<V>>> {
    let mut partitions: BTreeMap<i32, Vec<Record<V>>> = BTreeMap::new();
    for record in records {
        partitions.entry(record.partition).or_default().push(record);
    }
    partitions
}

/// A record batch in a broker's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    pub base_offset: i64,
    pub last_offset: i64,
    pub count: i32,
    /// With its header.
    pub size: usize,
    /// none, gzip, snappy, lz4 or zstd.
    pub compression: String,
    pub timestamp_type: TimestampType,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub transactional: bool,
    pub control: bool,
    /// Its CRC is right and all its records can be read.
    pub valid: bool,
}

/// The batches in these segment files.
#[track_caller]
pub fn batches(segments: &[PathBuf]) -> Vec<Batch> {
    let names: Vec<&str> = segments
        .iter()
        .map(|path| path.to_str().expect("a path of ours is UTF-8"))
        .collect();
    let answer = Helper::get()
        .ask("batches", &names)
        .unwrap_or_else(|error| panic!("reading {names:?}: {error}"));
    answer.rows.iter().map(|row| batch(row)).collect()
}

fn batch(row: &[String]) -> Batch {
    Batch {
        base_offset: number(&row[0]),
        last_offset: number(&row[1]),
        count: number(&row[2]) as i32,
        size: number(&row[3]) as usize,
        compression: row[4].clone(),
        timestamp_type: timestamp_type(&row[5]),
        max_timestamp: number(&row[6]),
        producer_id: number(&row[7]),
        producer_epoch: number(&row[8]) as i16,
        base_sequence: number(&row[9]) as i32,
        transactional: row[10] == "true",
        control: row[11] == "true",
        valid: row[12] == "true",
    }
}
