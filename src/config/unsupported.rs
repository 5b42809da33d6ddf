//! Properties of other clients that have no place here, each with what to do instead.

/// What to say to a user of a known name that this library does not have.
pub(super) fn remedy(name: &str) -> Option<&'static str> {
    UNSUPPORTED
        .iter()
        .find(|(names, _)| names.contains(&name))
        .map(|(_, remedy)| *remedy)
}

/// Names and the remedy they share.
pub(super) static UNSUPPORTED: &[(&[&str], &str)] = &[
    (
        &[
            "key.serializer",
            "value.serializer",
            "key_serializer",
            "value_serializer",
        ],
        "keys and values are bytes: serialize before sending",
    ),
    (
        &["partitioner.class", "partitioner_cb"],
        "set partitioner to one of its choices, or give a partitioner function",
    ),
    (
        &["partitioner.rack.aware", "client.rack", "client_rack"],
        "racks have no part in choosing partitions here: remove it",
    ),
    (
        &["sticky.partitioning.linger.ms"],
        "partitioner=default changes the partition of records without a key by bytes, not by \
         time: remove it",
    ),
    (
        &["loop", "api_version"],
        "there is no event loop to choose, and versions are always negotiated: remove it",
    ),
    (
        &["ssl_context"],
        "set ssl.ca.location, ssl.certificate.location and ssl.key.location",
    ),
    (
        &["batch.num.messages"],
        "a batch is bounded by bytes: set batch.size",
    ),
    (
        &["queue.buffering.max.messages"],
        "memory is bounded by bytes, reports by number: set buffer.memory and \
         kprod.delivery.queue.max",
    ),
    (
        &[
            "queue.buffering.backpressure.threshold",
            "message.copy.max.bytes",
        ],
        "batches are sent as soon as the connection takes them, and copied once: remove it",
    ),
    (
        &["socket.timeout.ms", "metadata.request.timeout.ms"],
        "set request.timeout.ms, which is how long any answer is waited for",
    ),
    (
        &["delivery_cb", "dr_cb", "dr_msg_cb", "on_delivery"],
        "outcomes are reported by kprod_poll or by a callback given to the library's functions",
    ),
    (
        &[
            "error_cb",
            "throttle_cb",
            "background_event_cb",
            "enabled_events",
        ],
        "set kprod.events=true and read the events among the reports",
    ),
    (
        &[
            "log_cb",
            "log.queue",
            "log.thread.name",
            "log.connection.close",
        ],
        "set log_level, and give a log callback to the library's functions",
    ),
    (&["debug"], "set log_level=7"),
    (
        &[
            "stats_cb",
            "statistics.interval.ms",
            "metric.reporters",
            "metrics.num.samples",
            "metrics.recording.level",
            "metrics.sample.window.ms",
        ],
        "there are no statistics to configure: remove it",
    ),
    (
        &["enable.metrics.push"],
        "metrics are never pushed to brokers: remove it",
    ),
    (
        &[
            "interceptor.classes",
            "interceptors",
            "plugin.library.paths",
        ],
        "there are no interceptors or plugins: call your code before sending and on the report",
    ),
    (
        &[
            "config.providers",
            "security.providers",
            "opaque",
            "default_topic_conf",
        ],
        "it names code of another client: remove it",
    ),
    (
        &[
            "enable.gapless.guarantee",
            "queuing.strategy",
            "msg_order_cmp",
        ],
        "records of a partition are always sent in the order in which they were accepted: remove it",
    ),
    (
        &["produce.offset.report"],
        "every report has its offset: remove it",
    ),
    (
        &["transaction.two.phase.commit.enable"],
        "transactions are committed in one phase: remove it",
    ),
    (
        &["buffer.memory.allocation.strategy"],
        "memory is always taken in chunks as it is needed: remove it",
    ),
    (
        &[
            "topic.metadata.refresh.fast.interval.ms",
            "topic.metadata.refresh.fast.cnt",
        ],
        "metadata is fetched again after retry.backoff.ms, up to retry.backoff.max.ms",
    ),
    (
        &["topic.metadata.refresh.sparse", "topic.blacklist"],
        "metadata is only ever fetched for the topics in use: remove it",
    ),
    (
        &["topic.metadata.propagation.max.ms"],
        "an unknown topic is looked up until max.block.ms or until its records expire",
    ),
    (
        &["bootstrap.resolve.timeout.ms"],
        "names are resolved within socket.connection.setup.timeout.ms",
    ),
    (
        &["metadata.cluster.check.enable", "enable.sparse.connections"],
        "there is nothing to switch: remove it",
    ),
    (
        &[
            "api.version.request",
            "api.version.request.timeout.ms",
            "api.version.fallback.ms",
            "broker.version.fallback",
        ],
        "versions are always negotiated; brokers from 2.1 are spoken to: remove it",
    ),
    (
        &["reconnect.backoff.jitter.ms"],
        "the jitter is always 20 %: set reconnect.backoff.ms and reconnect.backoff.max.ms",
    ),
    (
        &["socket.blocking.max.ms", "socket.max.fails"],
        "a connection is closed when a request times out: set request.timeout.ms",
    ),
    (
        &["broker.address.ttl"],
        "names are resolved at each attempt to connect: remove it",
    ),
    (
        &[
            "socket_cb",
            "connect_cb",
            "closesocket_cb",
            "open_cb",
            "resolve_cb",
        ],
        "sockets cannot be replaced: remove it",
    ),
    (
        &[
            "enable.random.seed",
            "internal.termination.signal",
            "builtin.features",
        ],
        "there is nothing to switch: remove it",
    ),
    (
        &[
            "ssl.truststore.location",
            "ssl.truststore.password",
            "ssl.truststore.type",
            "ssl.trustmanager.algorithm",
        ],
        "certificates are in PEM form: set ssl.ca.location or ssl.truststore.certificates",
    ),
    (
        &[
            "ssl.keystore.location",
            "ssl.keystore.password",
            "ssl.keystore.type",
            "ssl.keymanager.algorithm",
        ],
        "certificate and key are in PEM form: set ssl.certificate.location and ssl.key.location",
    ),
    (
        &["ssl.ca", "ssl_ca", "ssl.ca.certificate.stores"],
        "set ssl.ca.location, or leave it unset to trust the system's certificates",
    ),
    (
        &["ssl_certificate", "ssl_key"],
        "set ssl.certificate.pem and ssl.key.pem",
    ),
    (
        &[
            "ssl.protocol",
            "ssl.enabled.protocols",
            "ssl.cipher.suites",
            "ssl.curves.list",
            "ssl.sigalgs.list",
            "ssl.provider",
            "ssl.providers",
            "ssl.engine.factory.class",
            "ssl.engine.id",
            "ssl.engine.location",
            "ssl.secure.random.implementation",
        ],
        "TLS 1.2 and 1.3 are spoken with the safe ciphers only: remove it",
    ),
    (
        &["ssl.crl.location", "ssl.certificate.verify_cb"],
        "certificates are verified against ssl.ca.location only: remove it",
    ),
    (
        &["sasl.jaas.config"],
        "set sasl.username and sasl.password, or sasl.oauthbearer.token",
    ),
    (
        &[
            "sasl.kerberos.service.name",
            "sasl.kerberos.principal",
            "sasl.kerberos.keytab",
            "sasl.kerberos.kinit.cmd",
            "sasl.kerberos.min.time.before.relogin",
            "sasl_kerberos_service_name",
            "sasl_kerberos_domain_name",
        ],
        "there is no Kerberos: use sasl.mechanism=SCRAM-SHA-512 or another of its choices",
    ),
    (
        &[
            "sasl_oauth_token_provider",
            "oauth_cb",
            "oauthbearer_token_refresh_cb",
            "enable.sasl.oauthbearer.unsecure.jwt",
            "sasl.login.callback.handler.class",
            "sasl.client.callback.handler.class",
            "sasl.oauthbearer.client.id",
            "sasl.oauthbearer.client.secret",
            "sasl.oauthbearer.config",
            "sasl.oauthbearer.extensions",
            "sasl.oauthbearer.method",
            "sasl.oauthbearer.scope",
            "sasl.oauthbearer.token.endpoint.url",
        ],
        "fetch the token yourself and set sasl.oauthbearer.token",
    ),
    (
        &[
            "group.id",
            "group.instance.id",
            "auto.offset.reset",
            "enable.auto.commit",
            "auto.commit.interval.ms",
            "session.timeout.ms",
            "heartbeat.interval.ms",
            "max.poll.interval.ms",
            "isolation.level",
            "key.deserializer",
            "value.deserializer",
        ],
        "it belongs to a consumer: remove it",
    ),
];
