//! Records through the C functions to a mock cluster: whatever their fields say, what is accepted is reported once, and
//! nothing beyond the caller's memory is touched.

use std::collections::BTreeSet;
use std::ffi::c_char;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use kprod::ffi::{
    KPROD_NULL, kprod_config_free, kprod_config_new, kprod_config_set, kprod_create,
    kprod_delivery_t, kprod_flush, kprod_header_t, kprod_partitions_for, kprod_poll,
    kprod_producer_t, kprod_record_init, kprod_record_t, kprod_send, kprod_send_many, kprod_topic,
    kprod_try_send,
};

use crate::Target;

/// An input is a choice of function, and then records in the form that [`Maker`] reads.
pub const TARGET: Target = Target {
    name: "records",
    run: |input| {
        if let Some((function, rest)) = input.split_first() {
            let mut maker = Maker::new(rest);
            let records = maker.records();
            let accepted = Producer::get().send(*function, &records);
            Producer::get().expect_reports(accepted);
        }
    },
    seeds: || {
        let plain = [HANDLE, 3, b'k', b'e', b'y', 2, b'v', b'!', 0, 1, 1, 0];
        let headed = [
            NAME, 1, b't', ABSENT, 1, b'v', 2, 1, b'h', ABSENT, 0, 1, 1, 0,
        ];
        (0..3)
            .flat_map(|function| {
                [
                    [&[function], &plain[..]].concat(),
                    [&[function], &plain[..], &headed, &plain].concat(),
                ]
            })
            .collect()
    },
};

pub const RECORDS_AT_MOST: usize = 16;

/// Lengths that no memory goes with, each behind a byte from 255 downwards.
const LENGTHS: [i64; 9] = [
    KPROD_NULL,
    -2,
    i64::MIN,
    i64::MAX,
    i32::MAX as i64 + 1,
    u32::MAX as i64,
    1 << 32,
    (1 << 32) + 1,
    5,
];
const ABSENT: u8 = 255;
/// A field of 70000 bytes, more than a batch holds.
const LARGE: u8 = 240;

const HANDLE: u8 = 0;
const NAME: u8 = 1;

/// Makes records of bytes. Each piece of memory that they point to is allocated by itself and has exactly the length
/// that the record says, so that a byte more is a sanitizer's report.
struct Maker<'a> {
    input: &'a [u8],
    memory: Vec<Box<[u8]>>,
    headers: Vec<Box<[kprod_header_t]>>,
}

impl<'a> Maker<'a> {
    fn new(input: &'a [u8]) -> Self {
        Maker {
            input,
            memory: Vec::new(),
            headers: Vec::new(),
        }
    }

    fn byte(&mut self) -> u8 {
        let (first, rest) = self.input.split_first().unwrap_or((&0, &[]));
        self.input = rest;
        *first
    }

    fn number(&mut self) -> i64 {
        match self.byte() {
            0 => self.byte().into(),
            1 => -1,
            2 => -2,
            3 => i32::MAX.into(),
            4 => i32::MIN.into(),
            5 => i64::MAX,
            6 => i64::MIN,
            n => i64::from(n) << 40,
        }
    }

    fn bytes(&mut self) -> (*const u8, i64) {
        let selector = self.byte();
        if let Some(length) = LENGTHS.get(usize::from(ABSENT - selector)) {
            return (ptr::null(), *length);
        }
        let memory = match selector {
            LARGE => vec![self.byte(); 70_000],
            length => {
                let (taken, rest) = self.input.split_at(self.input.len().min(length.into()));
                self.input = rest;
                taken.to_vec()
            }
        };
        self.keep(memory)
    }

    fn keep(&mut self, memory: Vec<u8>) -> (*const u8, i64) {
        let memory = memory.into_boxed_slice();
        let field = (memory.as_ptr(), memory.len() as i64);
        self.memory.push(memory);
        field
    }

    /// A topic is for ever, so there may only be a few.
    fn name(&mut self) -> (*const c_char, i64) {
        let (name, length) = self.bytes();
        let Some(memory) = self
            .memory
            .last_mut()
            .filter(|memory| memory.as_ptr() == name)
        else {
            return (name.cast(), length);
        };
        let legal = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        if memory.iter().all(legal) && length > 1 {
            let first = vec![memory[0]];
            let (name, length) = self.keep(first);
            return (name.cast(), length);
        }
        (name.cast(), length)
    }

    fn headers(&mut self) -> (*const kprod_header_t, u32) {
        match self.byte() {
            255 => (ptr::null(), 1),
            254 => (ptr::NonNull::dangling().as_ptr(), u32::MAX),
            count => {
                let headers: Box<[kprod_header_t]> = (0..count / 2)
                    .map(|_| {
                        let ((key, key_len), (value, value_len)) = (self.bytes(), self.bytes());
                        kprod_header_t {
                            key,
                            key_len,
                            value,
                            value_len,
                        }
                    })
                    .collect();
                let field = (headers.as_ptr(), headers.len() as u32);
                self.headers.push(headers);
                field
            }
        }
    }

    fn record(&mut self) -> kprod_record_t {
        let producer = Producer::get();
        // SAFETY: plain numbers and pointers, which the call below sets.
        let mut record: kprod_record_t = unsafe { std::mem::zeroed() };
        // SAFETY: a record to write to.
        unsafe { kprod_record_init(&mut record) };
        match self.byte() {
            HANDLE => record.topic = producer.topic,
            NAME => (record.topic_name, record.topic_name_len) = self.name(),
            handle => record.topic = handle.into(),
        }
        (record.key, record.key_len) = self.bytes();
        (record.value, record.value_len) = self.bytes();
        (record.headers, record.header_count) = self.headers();
        record.partition = self.number() as i32;
        record.timestamp_ms = self.number();
        record.reserved[0] = u64::from(self.byte() == 255);
        record.tag = producer.next_tag.fetch_add(1, Ordering::Relaxed);
        record
    }

    fn records(&mut self) -> Box<[kprod_record_t]> {
        let mut records = Vec::new();
        while !self.input.is_empty() && records.len() < RECORDS_AT_MOST {
            records.push(self.record());
        }
        records.into_boxed_slice()
    }
}

/// The one that all inputs have in common.
pub struct Producer {
    pub handle: *mut kprod_producer_t,
    pub topic: u32,
    pub next_tag: AtomicU64,
}

// SAFETY: a producer is for any thread.
unsafe impl Send for Producer {}
// SAFETY: as above.
unsafe impl Sync for Producer {}

impl Producer {
    pub fn get() -> &'static Producer {
        static PRODUCER: OnceLock<Producer> = OnceLock::new();
        PRODUCER.get_or_init(Producer::new)
    }

    fn new() -> Producer {
        let settings = [
            (c"test.mock.num.brokers", c"1"),
            // What cannot be accepted is refused soon.
            (c"max.block.ms", c"2"),
            (c"linger.ms", c"0"),
        ];
        let (mut handle, mut topic) = (ptr::null_mut(), 0);
        let name = c"fuzzed";
        // SAFETY: as the header wants it.
        unsafe {
            let config = kprod_config_new();
            for (name, value) in settings {
                let set = kprod_config_set(config, name.as_ptr(), value.as_ptr(), ptr::null_mut());
                assert_eq!(set, 0);
            }
            let version = kprod::ffi::kprod_api_version();
            assert_eq!(
                kprod_create(config, version, &mut handle, ptr::null_mut()),
                0
            );
            kprod_config_free(config);
            let length = name.count_bytes() as i64;
            assert_eq!(kprod_topic(handle, name.as_ptr(), length, &mut topic), 0);
            let mut count = 0;
            let known = kprod_partitions_for(handle, topic, 30_000, &mut count, ptr::null_mut());
            assert_eq!(known, 0);
        }
        Producer {
            handle,
            topic,
            next_tag: AtomicU64::new(0),
        }
    }

    /// The tags of those that were accepted.
    fn send(&self, function: u8, records: &[kprod_record_t]) -> BTreeSet<u64> {
        // SAFETY: the records point to nothing, or to memory of the length that they say.
        let one = |record: &&kprod_record_t| unsafe {
            match function {
                0 => kprod_send(self.handle, *record) == 0,
                _ => kprod_try_send(self.handle, *record) == 0,
            }
        };
        match function {
            0 | 1 => records
                .iter()
                .filter(one)
                .map(|record| record.tag)
                .collect(),
            _ => {
                let mut why = 0;
                let count = records.len() as u64;
                // SAFETY: as above.
                let accepted =
                    unsafe { kprod_send_many(self.handle, records.as_ptr(), count, &mut why) };
                let accepted = usize::try_from(accepted).expect("the call itself is right");
                assert_eq!(accepted == records.len(), why == 0);
                records[..accepted]
                    .iter()
                    .map(|record| record.tag)
                    .collect()
            }
        }
    }

    pub fn expect_reports(&self, mut accepted: BTreeSet<u64>) {
        // SAFETY: a producer; the reports fit into the array.
        unsafe {
            assert_eq!(kprod_flush(self.handle, 30_000, ptr::null_mut()), 0);
            let mut reports: [kprod_delivery_t; RECORDS_AT_MOST] = std::mem::zeroed();
            let capacity = reports.len() as u64;
            let count = kprod_poll(self.handle, reports.as_mut_ptr(), capacity, 0);
            for report in &reports[..usize::try_from(count).expect("a number of reports")] {
                assert!(accepted.remove(&report.tag), "reported, but not accepted");
            }
        }
        assert!(accepted.is_empty(), "without a report: {accepted:?}");
    }
}
