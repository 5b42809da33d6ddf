//! The structs, constants and callback types that C sees. Their layout is frozen: they grow into reserved space only.

/// What a caller passes to kprod_create: the version of the API that this header describes.
pub const KPROD_API_VERSION: u32 = 1;

/// As a length: there is no key, no value. A length of 0 is an empty one, which Kafka tells apart.
pub const KPROD_NULL: i64 = -1;
/// As a record's partition: the partitioner chooses.
pub const KPROD_PARTITION_UNASSIGNED: i32 = -1;
/// As a record's timestamp: the time of the send.
pub const KPROD_TIMESTAMP_NOW: i64 = -1;
/// As a timeout: the limit that the configuration gives, unless the function says another.
pub const KPROD_TIMEOUT_CONFIGURED: i32 = -1;

/// kprod_delivery_t.kind: the outcome of one record.
pub const KPROD_KIND_RECORD: u32 = 1;
/// kprod_delivery_t.kind: the outcome of a batch of the caller's own, with the number of its records in `count`.
pub const KPROD_KIND_BATCH: u32 = 2;
/// kprod_delivery_t.kind: the result of an _async call, with the tag given to it.
pub const KPROD_KIND_OPERATION: u32 = 3;
/// kprod_delivery_t.kind: something happened to the producer (kprod.events=true); `error` says what.
pub const KPROD_KIND_EVENT: u32 = 4;
/// kprod_delivery_t.kind: what was refused with KPROD_ERR_QUEUE_FULL may be tried again: a quarter of buffer.memory is
/// free and that fits, or a batch of the caller's own has left its partition's queue.
pub const KPROD_KIND_WRITABLE: u32 = 5;

/// kprod_delivery_t.flags: sending the record again may succeed.
pub const KPROD_FLAG_RETRIABLE: u32 = 1;
/// kprod_delivery_t.flags: the transaction must be aborted.
pub const KPROD_FLAG_ABORTABLE: u32 = 2;
/// kprod_delivery_t.flags: the producer is of no more use.
pub const KPROD_FLAG_FATAL: u32 = 4;
/// kprod_delivery_t.flags: the bits that hold one of KPROD_PERSISTED_*.
pub const KPROD_PERSISTENCE_MASK: u32 = 48;
/// kprod_delivery_t.flags & KPROD_PERSISTENCE_MASK: the record is not in the log.
pub const KPROD_PERSISTED_NOT: u32 = 0;
/// kprod_delivery_t.flags & KPROD_PERSISTENCE_MASK: the record may or may not be in the log.
pub const KPROD_PERSISTED_POSSIBLY: u32 = 16;
/// kprod_delivery_t.flags & KPROD_PERSISTENCE_MASK: the record is in the log.
pub const KPROD_PERSISTED_YES: u32 = 32;

/// kprod_delivery_t.timestamp_type: no timestamp is known.
pub const KPROD_TIMESTAMP_NONE: i32 = -1;
/// kprod_delivery_t.timestamp_type: the timestamp is the record's own.
pub const KPROD_TIMESTAMP_CREATE_TIME: i32 = 0;
/// kprod_delivery_t.timestamp_type: the timestamp is the broker's, at its append.
pub const KPROD_TIMESTAMP_LOG_APPEND_TIME: i32 = 1;

/// kprod_purge: drop what no request has carried yet.
pub const KPROD_PURGE_QUEUED: u32 = 1;
/// kprod_purge: stop waiting for what requests under way carry.
pub const KPROD_PURGE_IN_FLIGHT: u32 = 2;

/// The level of a log message (syslog's severities): errors.
pub const KPROD_LOG_ERROR: i32 = 3;
/// The level of a log message: warnings.
pub const KPROD_LOG_WARNING: i32 = 4;
/// The level of a log message: normal but significant.
pub const KPROD_LOG_NOTICE: i32 = 5;
/// The level of a log message: information.
pub const KPROD_LOG_INFO: i32 = 6;
/// The level of a log message: debugging.
pub const KPROD_LOG_DEBUG: i32 = 7;

/// One header of a record. The caller owns it and what it points to; both are borrowed for the call only.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kprod_header_t {
    /// The key's bytes; may be NULL when key_len is 0.
    pub key: *const u8,
    /// The key's length, 0 or more. Keys may repeat.
    pub key_len: i64,
    /// The value's bytes; ignored when value_len is KPROD_NULL.
    pub value: *const u8,
    /// The value's length, or KPROD_NULL for no value.
    pub value_len: i64,
}

/// One record to send. The caller owns it and what it points to; everything is borrowed for the call only and may
/// be reused when the call returns. Set it up with kprod_record_init: an all-zero record has an empty key and
/// goes to partition 0 with timestamp 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kprod_record_t {
    /// The key's bytes; ignored when key_len is KPROD_NULL.
    pub key: *const u8,
    /// The key's length, or KPROD_NULL for no key.
    pub key_len: i64,
    /// The value's bytes; ignored when value_len is KPROD_NULL.
    pub value: *const u8,
    /// The value's length, or KPROD_NULL for no value (a tombstone).
    pub value_len: i64,
    /// header_count headers, kept in their order; may be NULL when header_count is 0.
    pub headers: *const kprod_header_t,
    /// The number of headers.
    pub header_count: u32,
    /// The partition, or KPROD_PARTITION_UNASSIGNED.
    pub partition: i32,
    /// Milliseconds since the epoch, or KPROD_TIMESTAMP_NOW.
    pub timestamp_ms: i64,
    /// The caller's word for the record: comes back in its report.
    pub tag: u64,
    /// The topic's handle from kprod_topic (the fast way), or 0: topic_name names it.
    pub topic: u32,
    /// Must be 0.
    pub reserved0: u32,
    /// The topic's name in UTF-8, not necessarily NUL-terminated; ignored unless topic is 0.
    pub topic_name: *const core::ffi::c_char,
    /// The length of topic_name in bytes.
    pub topic_name_len: i64,
    /// Must be 0.
    pub reserved: [u64; 2],
}

/// What kprod_batch_append says of the record that it took. The memory is the caller's.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kprod_batch_append_t {
    /// The record's timestamp.
    pub timestamp_ms: i64,
    /// The record's place in the batch: 0 for the first.
    pub offset: i64,
    /// The bytes that the record takes in the batch, before compression.
    pub size: i64,
    /// 0.
    pub reserved: [u64; 3],
}

/// One outcome: of a record that was accepted, of a batch, or of an _async call. The library fills it in; the
/// memory is the caller's (kprod_poll, kprod_send_wait) or valid during the callback. Numbers that do not apply
/// are −1 (topic and count 0). Kinds that a caller does not know are to be skipped.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kprod_delivery_t {
    /// One of KPROD_KIND_*.
    pub kind: u32,
    /// 0, or why the record is not known to be in the log: one of KPROD_ERR_* or a newer broker's code.
    pub error: i32,
    /// The tag of the record or the call.
    pub tag: u64,
    /// The topic's handle; its name: kprod_topic_name.
    pub topic: u32,
    /// The partition.
    pub partition: i32,
    /// The record's offset in the partition (a batch's first record's); −1 where it is not known: with acks=0, and of a
    /// record that was found in the log after the broker had forgotten where.
    pub offset: i64,
    /// Milliseconds since the epoch; whose: timestamp_type.
    pub timestamp_ms: i64,
    /// One of KPROD_TIMESTAMP_NONE, _CREATE_TIME, _LOG_APPEND_TIME.
    pub timestamp_type: i32,
    /// The records of a batch; the partitions that kprod_partitions_for_async found; else 0 or 1.
    pub count: u32,
    /// KPROD_FLAG_* and one of KPROD_PERSISTED_*. They, and not the code alone, say what to do.
    pub flags: u32,
    /// 0.
    pub reserved0: u32,
    /// For kprod_error_detail; 0 when there is no more to tell.
    pub detail: u64,
    /// The first offset that the partition still holds.
    pub log_start_offset: i64,
    /// 0.
    pub reserved: [u64; 1],
}

/// What a user's partitioner is told. Everything is borrowed for the callback only.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kprod_partition_request_t {
    /// The topic's name in UTF-8, not NUL-terminated.
    pub topic_name: *const core::ffi::c_char,
    /// The length of topic_name in bytes.
    pub topic_name_len: i64,
    /// The record's key; NULL when key_len is KPROD_NULL.
    pub key: *const u8,
    /// The key's length, or KPROD_NULL.
    pub key_len: i64,
    /// The record's value; NULL when value_len is KPROD_NULL.
    pub value: *const u8,
    /// The value's length, or KPROD_NULL.
    pub value_len: i64,
    /// available_count partitions that have a leader now.
    pub available: *const i32,
    /// The number of partitions that have a leader now; may be 0.
    pub available_count: u32,
    /// The number of the topic's partitions.
    pub partition_count: i32,
    /// The topic's handle.
    pub topic: u32,
    /// 0.
    pub reserved0: u32,
    /// 0.
    pub reserved: [u64; 2],
}

/// Counters since creation and gauges of now.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kprod_metrics_t {
    /// Records that were reported without an error.
    pub records_delivered: u64,
    /// Records that were reported with an error.
    pub records_failed: u64,
    /// Batches handed to requests, each attempt counted.
    pub batches_sent: u64,
    /// Attempts after a batch's first.
    pub batch_retries: u64,
    /// Batches split because they were too large for the broker.
    pub batch_splits: u64,
    /// Produce requests written.
    pub produce_requests: u64,
    /// Bytes of record batches written, each attempt counted.
    pub bytes_sent: u64,
    /// Milliseconds for which brokers asked to be left alone.
    pub throttle_ms: u64,
    /// Metadata requests written.
    pub metadata_requests: u64,
    /// Connections that were established.
    pub connections_opened: u64,
    /// Gauge: bytes of buffer.memory that are free.
    pub buffer_available: u64,
    /// Gauge: reports waiting to be polled or called back.
    pub reports_queued: u64,
    /// Gauge: Produce requests without an answer yet.
    pub requests_in_flight: u64,
    /// Times that a partition began a sequence under another producer id or epoch (idempotence).
    pub sequences_begun: u64,
    /// Times that acknowledged records were found to be lost by the cluster (idempotence).
    pub data_losses: u64,
    /// 0.
    pub reserved: [u64; 17],
}

/// Tells the outcomes of `count` records or operations, in order within each partition (but see kprod_purge). Called on
/// the producer's callback thread, one call at a time; `reports` dies when it returns. It must not throw, unwind or longjmp.
pub type kprod_delivery_fn =
    Option<unsafe extern "C" fn(context: u64, reports: *const kprod_delivery_t, count: u64)>;

/// One record of kprod_send_packed: where its bytes lie in the buffer. The caller owns it; borrowed for the call.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kprod_packed_t {
    /// The caller's word for the record: comes back in its report.
    pub tag: u64,
    /// Milliseconds since the epoch, or KPROD_TIMESTAMP_NOW.
    pub timestamp_ms: i64,
    /// The topic's handle from kprod_topic.
    pub topic: u32,
    /// The partition, or KPROD_PARTITION_UNASSIGNED.
    pub partition: i32,
    /// Where the record's bytes begin in the buffer.
    pub offset: u32,
    /// The key's length, or KPROD_NULL for no key.
    pub key_len: i32,
    /// The value's length, or KPROD_NULL for no value (a tombstone).
    pub value_len: i32,
    /// The bytes of all headers with their lengths.
    pub headers_len: u32,
    /// The number of headers.
    pub header_count: u32,
    /// Must be 0.
    pub reserved: u32,
}

/// The offset up to which a consumer group has consumed a partition. The caller owns it and what it points to;
/// everything is borrowed for the call only.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kprod_group_offset_t {
    /// The topic's name in UTF-8, not necessarily NUL-terminated.
    pub topic_name: *const core::ffi::c_char,
    /// The length of topic_name in bytes.
    pub topic_name_len: i64,
    /// The next offset to be consumed, 0 or more.
    pub offset: i64,
    /// The committed metadata in UTF-8; ignored when metadata_len is KPROD_NULL.
    pub metadata: *const core::ffi::c_char,
    /// The length of metadata in bytes, or KPROD_NULL for none.
    pub metadata_len: i64,
    /// The partition.
    pub partition: i32,
    /// The leader epoch of the last consumed record, or -1.
    pub leader_epoch: i32,
    /// Must be 0.
    pub reserved: [u64; 2],
}

/// Which consumer's offsets are sent: what the consumer says of its group (KIP-447). The caller owns it and what it
/// points to; everything is borrowed for the call only. Set it up with kprod_group_metadata_init.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct kprod_group_metadata_t {
    /// The group's id in UTF-8; not empty.
    pub group_id: *const core::ffi::c_char,
    /// The length of group_id in bytes.
    pub group_id_len: i64,
    /// The member's id in UTF-8; empty: no member is checked.
    pub member_id: *const core::ffi::c_char,
    /// The length of member_id in bytes.
    pub member_id_len: i64,
    /// The static member's instance id in UTF-8; ignored when group_instance_id_len is KPROD_NULL.
    pub group_instance_id: *const core::ffi::c_char,
    /// The length of group_instance_id in bytes, or KPROD_NULL.
    pub group_instance_id_len: i64,
    /// The group's generation or the member's epoch; -1 for none, and nothing below.
    pub generation_id: i32,
    /// Must be 0.
    pub reserved0: u32,
    /// Must be 0.
    pub reserved: [u64; 3],
}

impl kprod_group_metadata_t {
    pub(super) const EMPTY: Self = kprod_group_metadata_t {
        group_id: std::ptr::null(),
        group_id_len: 0,
        member_id: std::ptr::null(),
        member_id_len: 0,
        group_instance_id: std::ptr::null(),
        group_instance_id_len: -1,
        generation_id: -1,
        reserved0: 0,
        reserved: [0; 3],
    };
}

/// Tells the outcome of one record or batch: called once, on the producer's callback thread, if and only if the send
/// returned 0, possibly before it returned. `report` dies when it returns. It must not throw, unwind or longjmp.
pub type kprod_record_fn =
    Option<unsafe extern "C" fn(context: u64, report: *const kprod_delivery_t)>;

/// Takes one log message: NUL-terminated UTF-8 of `length` bytes, without secrets, that dies when it returns.
/// Called on any thread, also on the producer's own: it must return soon, and it may call nothing that takes the
/// producer. It must not throw, unwind or longjmp.
pub type kprod_log_fn = Option<
    unsafe extern "C" fn(context: u64, level: i32, message: *const core::ffi::c_char, length: u64),
>;

/// Chooses a partition from 0 to partition_count − 1; any other answer refuses the record with
/// KPROD_ERR_PARTITIONER. Called on the sending thread, or on the callback thread for a record whose topic was
/// not known when it was sent; several calls at a time. It must not throw, unwind or longjmp.
pub type kprod_partitioner_fn =
    Option<unsafe extern "C" fn(context: u64, request: *const kprod_partition_request_t) -> i32>;

#[cfg(target_pointer_width = "64")]
mod layout {
    //! A changed number here is a broken ABI.

    use super::*;
    use std::mem::{align_of, offset_of, size_of};

    const _: () = {
        assert!(size_of::<kprod_header_t>() == 32);
        assert!(offset_of!(kprod_header_t, value_len) == 24);

        assert!(size_of::<kprod_record_t>() == 104);
        assert!(align_of::<kprod_record_t>() == 8);
        assert!(offset_of!(kprod_record_t, value) == 16);
        assert!(offset_of!(kprod_record_t, headers) == 32);
        assert!(offset_of!(kprod_record_t, header_count) == 40);
        assert!(offset_of!(kprod_record_t, partition) == 44);
        assert!(offset_of!(kprod_record_t, timestamp_ms) == 48);
        assert!(offset_of!(kprod_record_t, tag) == 56);
        assert!(offset_of!(kprod_record_t, topic) == 64);
        assert!(offset_of!(kprod_record_t, topic_name) == 72);
        assert!(offset_of!(kprod_record_t, topic_name_len) == 80);
        assert!(offset_of!(kprod_record_t, reserved) == 88);

        assert!(size_of::<kprod_packed_t>() == 48);
        assert!(offset_of!(kprod_packed_t, topic) == 16);
        assert!(offset_of!(kprod_packed_t, offset) == 24);
        assert!(offset_of!(kprod_packed_t, reserved) == 44);

        assert!(size_of::<kprod_group_offset_t>() == 64);
        assert!(offset_of!(kprod_group_offset_t, partition) == 40);
        assert!(offset_of!(kprod_group_offset_t, reserved) == 48);
        assert!(size_of::<kprod_group_metadata_t>() == 80);
        assert!(offset_of!(kprod_group_metadata_t, generation_id) == 48);
        assert!(offset_of!(kprod_group_metadata_t, reserved) == 56);

        assert!(size_of::<kprod_delivery_t>() == 80);
        assert!(align_of::<kprod_delivery_t>() == 8);
        assert!(offset_of!(kprod_delivery_t, error) == 4);
        assert!(offset_of!(kprod_delivery_t, tag) == 8);
        assert!(offset_of!(kprod_delivery_t, topic) == 16);
        assert!(offset_of!(kprod_delivery_t, partition) == 20);
        assert!(offset_of!(kprod_delivery_t, offset) == 24);
        assert!(offset_of!(kprod_delivery_t, timestamp_ms) == 32);
        assert!(offset_of!(kprod_delivery_t, timestamp_type) == 40);
        assert!(offset_of!(kprod_delivery_t, count) == 44);
        assert!(offset_of!(kprod_delivery_t, flags) == 48);
        assert!(offset_of!(kprod_delivery_t, detail) == 56);
        assert!(offset_of!(kprod_delivery_t, log_start_offset) == 64);
        assert!(offset_of!(kprod_delivery_t, reserved) == 72);

        assert!(size_of::<kprod_partition_request_t>() == 88);
        assert!(offset_of!(kprod_partition_request_t, available) == 48);
        assert!(offset_of!(kprod_partition_request_t, available_count) == 56);
        assert!(offset_of!(kprod_partition_request_t, partition_count) == 60);
        assert!(offset_of!(kprod_partition_request_t, topic) == 64);

        assert!(size_of::<kprod_batch_append_t>() == 48);
        assert!(offset_of!(kprod_batch_append_t, offset) == 8);
        assert!(offset_of!(kprod_batch_append_t, size) == 16);
        assert!(offset_of!(kprod_batch_append_t, reserved) == 24);

        assert!(size_of::<kprod_metrics_t>() == 256);
        assert!(offset_of!(kprod_metrics_t, requests_in_flight) == 96);
    };
}
