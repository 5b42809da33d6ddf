//! Properties of the cluster: bootstrap, metadata, sockets.

use super::*;
use Importance::{High, Low, Medium};

/// The size of a socket buffer.
const SOCKET_BUFFER: Kind = bytes(&[(-1, I32_MAX)]);

pub(super) static PROPERTIES: &[Property] = &[
    Property::new(
        "bootstrap.servers",
        Kind::Servers,
        None,
        High,
        "Where to find the cluster: `host[:port]`, several with commas, IPv6 addresses in \
         brackets; the port is 9092 unless said. One reachable broker is enough. Required, unless \
         `test.mock.num.brokers` stands in.",
    )
    .also(&[
        aiokafka("bootstrap_servers"),
        librdkafka("metadata.broker.list"),
    ]),
    Property::new(
        "client.id",
        Kind::Text {
            min: 0,
            max: PROTOCOL_TEXT,
        },
        Some(""),
        Medium,
        "The name of this producer in the brokers' logs, metrics and quotas. Empty: one is made \
         up.",
    )
    .also(&[aiokafka("client_id")]),
    Property::new(
        "client.software.name",
        Kind::Software,
        Some("libkprod"),
        Low,
        "What brokers are told is connecting (KIP-511). For bindings.",
    ),
    Property::new(
        "client.software.version",
        Kind::Software,
        Some(env!("CARGO_PKG_VERSION")),
        Low,
        "The version that goes with `client.software.name`.",
    ),
    Property::new(
        "allow.auto.create.topics",
        Kind::Bool,
        Some("true"),
        Low,
        "Whether a record to a topic that does not exist makes the broker create it, if it is \
         configured to.",
    ),
    Property::new(
        "metadata.max.age.ms",
        MILLIS_FROM_1,
        Some("300000"),
        Low,
        "The age at which metadata, and for transactions the cluster's features, are fetched again \
         though nothing called for it.",
    )
    .also(&[
        aiokafka("metadata_max_age_ms"),
        librdkafka("topic.metadata.refresh.interval.ms"),
    ]),
    Property::new(
        "metadata.max.idle.ms",
        MILLIS_FROM_1,
        Some("300000"),
        Low,
        "How long a topic stays in the metadata after its last record.",
    ),
    Property::new(
        "metadata.recovery.strategy",
        Kind::Choice(&[word("rebootstrap"), word("none")]),
        Some("rebootstrap"),
        Low,
        "What happens when none of the known brokers answers: start again from \
         `bootstrap.servers`, or keep trying the known ones.",
    ),
    Property::new(
        "metadata.recovery.rebootstrap.trigger.ms",
        MILLIS,
        Some("300000"),
        Low,
        "How long metadata may be unobtainable before the client starts again from \
         `bootstrap.servers`.",
    ),
    Property::new(
        "client.dns.lookup",
        Kind::Choice(&[word("use_all_dns_ips")]),
        Some("use_all_dns_ips"),
        Low,
        "How names become addresses: all addresses of a name are tried in turn. Canonical names, \
         which only Kerberos asks for, are not looked up.",
    ),
    Property::new(
        "broker.address.family",
        Kind::Choice(&[word("any"), word("v4"), word("v6")]),
        Some("any"),
        Low,
        "Which addresses of a broker are used.",
    ),
    Property::new(
        "reconnect.backoff.ms",
        MILLIS_FROM_1,
        Some("50"),
        Low,
        "The wait before connecting again to a broker; it doubles with each failure in a row, with \
         20 % of jitter. Where it alone is set, `reconnect.backoff.max.ms` is at least this.",
    ),
    Property::new(
        "reconnect.backoff.max.ms",
        MILLIS_FROM_1,
        Some("1000"),
        Low,
        "The longest wait before connecting again. Where it alone is set, `reconnect.backoff.ms` \
         is at most this.",
    ),
    Property::new(
        "socket.connection.setup.timeout.ms",
        MILLIS_FROM_1,
        Some("10000"),
        Medium,
        "How long one attempt to connect may take, handshakes included; it doubles with each \
         failure in a row. Where it alone is set, the maximum is at least this.",
    ),
    Property::new(
        "socket.connection.setup.timeout.max.ms",
        MILLIS_FROM_1,
        Some("30000"),
        Medium,
        "The longest time for one attempt to connect. Where it alone is set, the first attempt's \
         is at most this.",
    ),
    Property::new(
        "connections.max.idle.ms",
        Kind::Int {
            ranges: &[(-1, I32_MAX)],
            unit: Unit::Millis,
        },
        Some("540000"),
        Low,
        "A connection without traffic for this long is closed. `-1` or `0`: never.",
    )
    .also(&[aiokafka("connections_max_idle_ms")]),
    Property::new(
        "send.buffer.bytes",
        SOCKET_BUFFER,
        Some("-1"),
        Low,
        "The size of a socket's send buffer. `-1` or `0`: the system's, which adapts.",
    )
    .also(&[librdkafka("socket.send.buffer.bytes")]),
    Property::new(
        "receive.buffer.bytes",
        SOCKET_BUFFER,
        Some("-1"),
        Low,
        "The size of a socket's receive buffer. `-1` or `0`: the system's, which adapts.",
    )
    .also(&[librdkafka("socket.receive.buffer.bytes")]),
    Property::new(
        "socket.keepalive.enable",
        Kind::Bool,
        Some("false"),
        Low,
        "Whether the system probes idle connections (SO_KEEPALIVE).",
    ),
    Property::new(
        "socket.nagle.disable",
        Kind::Bool,
        Some("true"),
        Low,
        "Whether small writes go out at once (TCP_NODELAY).",
    ),
    Property::new(
        "receive.message.max.bytes",
        bytes(&[(1000, I32_MAX)]),
        Some("100000000"),
        Low,
        "The largest answer taken from a broker. A larger one closes the connection.",
    ),
];
