//! Properties of delivery: acknowledgement, retries, timeouts, batches, memory, codecs, partitions.

use super::*;
use Importance::{High, Low, Medium};

pub(super) static PROPERTIES: &[Property] = &[
    Property::new(
        "acks",
        Kind::Choice(&[
            word("0"),
            word("1"),
            Choice {
                word: "all",
                synonyms: &["-1"],
            },
        ]),
        Some("1"),
        High,
        "How many acknowledgements make a record delivered. `0`: none, the record is reported once \
         the socket took it, without an offset and as possibly persisted. `1`: the leader's. `all` \
         (or `-1`): those of all in-sync replicas. With `enable.idempotence` it is `all` unless \
         set, and must be.",
    )
    .also(&[librdkafka("request.required.acks")]),
    Property::new(
        "retries",
        count(&[(0, I32_MAX)]),
        Some("2147483647"),
        Low,
        "How often a batch is sent again after a retriable error. The default leaves the end to \
         the timeouts. Order is kept through retries in every mode.",
    )
    .also(&[librdkafka("message.send.max.retries")]),
    Property::new(
        "retry.backoff.ms",
        MILLIS_FROM_1,
        Some("100"),
        Low,
        "The wait before the first retry; it doubles with each further one, with 20 % of jitter. \
         A batch whose leader moved or whose connection was lost does not wait for it: where it \
         goes next has not refused it, and `reconnect.backoff.ms` spares a broker that is down. \
         Where it alone is set, `retry.backoff.max.ms` is at least this.",
    )
    .also(&[aiokafka("retry_backoff_ms")]),
    Property::new(
        "retry.backoff.max.ms",
        MILLIS_FROM_1,
        Some("1000"),
        Low,
        "The longest wait before a retry. Where it alone is set, `retry.backoff.ms` is at most \
         this.",
    ),
    Property::new(
        "request.timeout.ms",
        MILLIS_FROM_1,
        Some("40000"),
        Medium,
        "How long an answer is waited for, from the moment the request was written. Without \
         `delivery.timeout.ms` it is also the age, beyond `linger.ms`, at which a batch that is not \
         idempotent expires, and the age at which a record expires that `kprod_try_send` has parked \
         for want of its topic's metadata, idempotent or not. \
         librdkafka's property of this name means only the broker's own wait; what it calls \
         `socket.timeout.ms` is this one.",
    )
    .also(&[aiokafka("request_timeout_ms")]),
    Property::new(
        "delivery.timeout.ms",
        MILLIS_FROM_1,
        None,
        Medium,
        "The longest time from accepting a record to its report, retries included. It must not be \
         shorter than `linger.ms` plus `request.timeout.ms`. Not set: a batch that is not \
         idempotent expires after `linger.ms` plus `request.timeout.ms`, an idempotent one does \
         not expire. A record that `kprod_try_send` has parked, because its topic is not known yet, \
         expires after this time or, not set, after `request.timeout.ms`, with idempotence too. \
         A record of a transaction expires after `transaction.timeout.ms` at the \
         latest, if this is set.",
    )
    .also(&[alias(
        "message.timeout.ms",
        Origin::Librdkafka,
        Convert::ZeroIsNoLimit,
    )]),
    Property::new(
        "max.in.flight.requests.per.connection",
        count(&[(1, 1_000_000)]),
        Some("5"),
        Low,
        "How many requests may await their answers on a connection. At most 5 with \
         `enable.idempotence`. It does not weaken order: without idempotence a partition has one \
         batch in flight.",
    )
    .also(&[librdkafka("max.in.flight")]),
    Property::new(
        "enable.idempotence",
        Kind::Bool,
        Some("false"),
        Medium,
        "Whether the broker discards what arrives twice, so that a retry cannot duplicate records. \
         Needs `acks=all`, `retries` above 0 and at most 5 requests in flight. Implied by \
         `transactional.id`.",
    )
    .also(&[aiokafka("enable_idempotence")]),
    Property::new(
        "transactional.id",
        Kind::Text {
            min: 1,
            max: PROTOCOL_TEXT,
        },
        None,
        Medium,
        "The name under which this producer's transactions outlive it. Setting it makes the \
         producer transactional and idempotent.",
    )
    .also(&[aiokafka("transactional_id")]),
    Property::new(
        "transaction.timeout.ms",
        MILLIS_FROM_1,
        Some("60000"),
        Low,
        "How long the coordinator lets a transaction stay open before it aborts it. The broker \
         refuses more than its own transaction.max.timeout.ms. It bounds `delivery.timeout.ms` for \
         the transaction's records.",
    )
    .also(&[aiokafka("transaction_timeout_ms")]),
    Property::new(
        "linger.ms",
        Kind::FractionalMillis { max: I32_MAX },
        Some("0"),
        High,
        "How long a batch waits for further records, at most, counted from its first. `0`: a batch \
         goes as soon as the previous one of its partition is answered.",
    )
    .also(&[aiokafka("linger_ms"), librdkafka("queue.buffering.max.ms")]),
    Property::new(
        "batch.size",
        bytes(&[(0, I32_MAX)]),
        Some("16384"),
        High,
        "The size at which a batch is full, before compression. A larger record gets a batch of \
         its own. `0`: every record does.",
    )
    .also(&[aiokafka("max_batch_size")]),
    Property::new(
        "buffer.memory",
        bytes(&[(2048, 1 << 40)]),
        Some("33554432"),
        High,
        "The memory for records that have no outcome yet: keys, values, headers and overhead. When \
         it is used up, `kprod_send` waits up to `max.block.ms` and `kprod_try_send` answers \
         QUEUE_FULL. A batch's own bookkeeping is counted too, about 1 KiB: the largest record is, \
         encoded and with its batch's header, 1024 bytes smaller than this, and one that is larger \
         is RECORD_TOO_LARGE.",
    )
    .also(&[alias(
        "queue.buffering.max.kbytes",
        Origin::Librdkafka,
        Convert::Kibibytes,
    )]),
    Property::new(
        "max.block.ms",
        MILLIS,
        Some("40000"),
        Medium,
        "How long a send may wait for memory and for a topic's metadata.",
    ),
    Property::new(
        "max.request.size",
        bytes(&[(1, I32_MAX)]),
        Some("1048576"),
        Medium,
        "The largest request, and so the largest record, before compression; a batch that is larger, \
         as `batch.size` may allow, goes alone. The broker's own limit, message.max.bytes, is about \
         batches after compression.",
    )
    .also(&[
        aiokafka("max_request_size"),
        librdkafka("message.max.bytes"),
    ]),
    Property::new(
        "compression.type",
        Kind::Choice(&[
            word("none"),
            word("gzip"),
            word("snappy"),
            word("lz4"),
            word("zstd"),
        ]),
        Some("none"),
        High,
        "The codec of whole batches. A batch that compression would make larger is sent as it is. \
         zstd needs brokers from 2.1.",
    )
    .also(&[
        aiokafka("compression_type"),
        librdkafka("compression.codec"),
    ]),
    Property::new(
        "compression.level",
        count(&[(-131_072, 22)]),
        Some("-1"),
        Low,
        "librdkafka's name for the level of whichever codec `compression.type` chooses. `-1`: the \
         codec's default. The level must be one the codec has: gzip 1..9, zstd -131072..22, lz4 \
         and snappy none but -1 and 0.",
    ),
    Property::new(
        "compression.gzip.level",
        count(&[(-1, -1), (1, 9)]),
        Some("-1"),
        Low,
        "gzip's level. `-1`: its default, 6.",
    ),
    Property::new(
        "compression.lz4.level",
        count(&[(9, 9)]),
        Some("9"),
        Low,
        "lz4's level. `9` is Java's default and stands for the fast compressor, there and here.",
    )
    .note("lz4_flex, the codec's library, has only the fast compressor, which Kafka calls level 9"),
    Property::new(
        "compression.zstd.level",
        count(&[(-131_072, 22)]),
        Some("3"),
        Low,
        "zstd's level; negative ones are faster still. `0` is zstd's default, 3.",
    ),
    Property::new(
        "partitioner",
        Kind::Choice(&[
            word("default"),
            word("random"),
            word("consistent"),
            word("consistent_random"),
            word("murmur2"),
            word("murmur2_random"),
            word("fnv1a"),
            word("fnv1a_random"),
            word("round_robin"),
        ]),
        Some("default"),
        Medium,
        "Who chooses the partition of a record that names none. `default`: as Java, murmur2 of the \
         key, and without a key a partition that changes every `batch.size` bytes. `round_robin`: \
         the available partitions in turn. The others are librdkafka's of the same names; \
         librdkafka's own default is `consistent_random`.",
    ),
    Property::new(
        "partitioner.adaptive.partitioning.enable",
        Kind::Bool,
        Some("true"),
        Low,
        "Whether records without a key go more to the partitions of brokers that answer faster \
         (`partitioner=default`).",
    ),
    Property::new(
        "partitioner.availability.timeout.ms",
        MILLIS,
        Some("0"),
        Low,
        "A broker that has taken nothing for this long, though batches were ready, gets no records \
         without a key. `0`: not looked at. Needs \
         `partitioner.adaptive.partitioning.enable=true`.",
    ),
    Property::new(
        "partitioner.ignore.keys",
        Kind::Bool,
        Some("false"),
        Low,
        "Whether records with a key are partitioned as if they had none (`partitioner=default`).",
    ),
];
