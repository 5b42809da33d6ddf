//! From settings to the typed configuration.

use std::time::Duration;

use super::check;
use super::settings::Settings;
use super::typed::*;
use super::value::Value;
use crate::error::{Error, ErrorCode};

/// Checks everything before it gives up, so that the user sees all problems at once.
pub(super) fn build(settings: &Settings) -> Result<ProducerConfig, Error> {
    let mut problems = check::problems(settings);
    let tls = tls(settings, &mut problems);
    let sasl = sasl(settings, &mut problems);
    if problems.is_empty() {
        return Ok(producer(settings, tls, sasl));
    }
    Err(Error::new(
        ErrorCode::INVALID_CONFIG,
        format!("invalid configuration: {}", problems.join("; ")),
    ))
}

fn producer(
    settings: &Settings,
    tls: Option<TlsSettings>,
    sasl: Option<SaslSettings>,
) -> ProducerConfig {
    let (retry_backoff, retry_backoff_max) =
        growing(settings, "retry.backoff.ms", "retry.backoff.max.ms");
    ProducerConfig {
        profile: match settings.word("kprod.profile") {
            "modern" => Profile::Modern,
            _ => Profile::Default,
        },
        bootstrap_servers: match settings.value("bootstrap.servers") {
            Some(Value::Servers(servers)) => servers,
            _ => Vec::new(),
        },
        client_id: settings.text("client.id").filter(|id| !id.is_empty()),
        acks: match settings.word("acks") {
            "0" => Acks::None,
            "1" => Acks::Leader,
            _ => Acks::All,
        },
        retries: settings.number("retries"),
        retry_backoff,
        retry_backoff_max,
        request_timeout: settings.millis("request.timeout.ms"),
        delivery_timeout: settings
            .value("delivery.timeout.ms")
            .map(|_| settings.millis("delivery.timeout.ms")),
        max_in_flight: settings.number("max.in.flight.requests.per.connection"),
        enable_idempotence: settings.flag("enable.idempotence"),
        transactional_id: settings.text("transactional.id"),
        transaction_timeout: settings.millis("transaction.timeout.ms"),
        data_loss: match settings.word("kprod.data.loss") {
            "stop" => DataLoss::Stop,
            _ => DataLoss::Continue,
        },
        linger: Duration::from_micros(settings.micros("linger.ms").unsigned_abs()),
        batch_size: settings.number("batch.size"),
        buffer_memory: settings.number("buffer.memory"),
        max_request_size: settings.number("max.request.size"),
        max_block: settings.millis("max.block.ms"),
        compression: compression(settings),
        partitioner: partitioner(settings),
        metadata: metadata(settings),
        connection: connection(settings, tls, sasl),
        delivery_reports: match settings.word("kprod.delivery.reports") {
            "errors" => DeliveryReports::Errors,
            "none" => DeliveryReports::None,
            _ => DeliveryReports::All,
        },
        delivery_queue_max: settings.number("kprod.delivery.queue.max"),
        events: settings.flag("kprod.events"),
        io_threads: settings.number("kprod.io.threads"),
        log_level: settings.number("log_level"),
        mock_brokers: settings.number("test.mock.num.brokers"),
    }
}

/// The first and the longest wait. The one that is explicit moves the other.
fn growing(settings: &Settings, first: &'static str, max: &'static str) -> (Duration, Duration) {
    let (low, high) = (settings.millis(first), settings.millis(max));
    if settings.explicit(max) {
        (low.min(high), high)
    } else {
        (low, low.max(high))
    }
}

fn compression(settings: &Settings) -> Compression {
    let codec = match settings.word("compression.type") {
        "gzip" => CompressionType::Gzip,
        "snappy" => CompressionType::Snappy,
        "lz4" => CompressionType::Lz4,
        "zstd" => CompressionType::Zstd,
        _ => CompressionType::None,
    };
    let own = match codec {
        CompressionType::Gzip => Some("compression.gzip.level"),
        CompressionType::Zstd => Some("compression.zstd.level"),
        CompressionType::None | CompressionType::Snappy | CompressionType::Lz4 => None,
    };
    let level = own.map(|own| {
        let general = settings.int("compression.level");
        if settings.explicit("compression.level") && !settings.explicit(own) && general != -1 {
            settings.number("compression.level")
        } else {
            settings.number(own)
        }
    });
    // gzip's −1 is its library's own default.
    let level = level.filter(|level| codec != CompressionType::Gzip || *level != -1);
    Compression { codec, level }
}

fn partitioner(settings: &Settings) -> PartitionerSettings {
    PartitionerSettings {
        kind: match settings.word("partitioner") {
            "random" => PartitionerKind::Random,
            "consistent" => PartitionerKind::Consistent,
            "consistent_random" => PartitionerKind::ConsistentRandom,
            "murmur2" => PartitionerKind::Murmur2,
            "murmur2_random" => PartitionerKind::Murmur2Random,
            "fnv1a" => PartitionerKind::Fnv1a,
            "fnv1a_random" => PartitionerKind::Fnv1aRandom,
            "round_robin" => PartitionerKind::RoundRobin,
            _ => PartitionerKind::Default,
        },
        adaptive: settings.flag("partitioner.adaptive.partitioning.enable"),
        availability_timeout: settings.millis_above_0("partitioner.availability.timeout.ms"),
        ignore_keys: settings.flag("partitioner.ignore.keys"),
    }
}

fn metadata(settings: &Settings) -> MetadataSettings {
    MetadataSettings {
        max_age: settings.millis("metadata.max.age.ms"),
        max_idle: settings.millis("metadata.max.idle.ms"),
        recovery: match settings.word("metadata.recovery.strategy") {
            "none" => MetadataRecovery::None,
            _ => MetadataRecovery::Rebootstrap,
        },
        rebootstrap_trigger: settings.millis("metadata.recovery.rebootstrap.trigger.ms"),
        allow_auto_create_topics: settings.flag("allow.auto.create.topics"),
    }
}

fn connection(
    settings: &Settings,
    tls: Option<TlsSettings>,
    sasl: Option<SaslSettings>,
) -> ConnectionSettings {
    let (reconnect_backoff, reconnect_backoff_max) =
        growing(settings, "reconnect.backoff.ms", "reconnect.backoff.max.ms");
    let (setup_timeout, setup_timeout_max) = growing(
        settings,
        "socket.connection.setup.timeout.ms",
        "socket.connection.setup.timeout.max.ms",
    );
    let buffer = |name| {
        let size = usize::try_from(settings.int(name)).unwrap_or(0);
        (size > 0).then_some(size)
    };
    ConnectionSettings {
        security_protocol: security_protocol(settings),
        tls,
        sasl,
        reconnect_backoff,
        reconnect_backoff_max,
        setup_timeout,
        setup_timeout_max,
        max_idle: settings.millis_above_0("connections.max.idle.ms"),
        address_family: match settings.word("broker.address.family") {
            "v4" => AddressFamily::V4,
            "v6" => AddressFamily::V6,
            _ => AddressFamily::Any,
        },
        send_buffer: buffer("send.buffer.bytes"),
        receive_buffer: buffer("receive.buffer.bytes"),
        keepalive: settings.flag("socket.keepalive.enable"),
        nodelay: settings.flag("socket.nagle.disable"),
        receive_message_max: settings.number("receive.message.max.bytes"),
        software_name: settings.text("client.software.name").unwrap_or_default(),
        software_version: settings.text("client.software.version").unwrap_or_default(),
    }
}

fn security_protocol(settings: &Settings) -> SecurityProtocol {
    match settings.word("security.protocol") {
        "SSL" => SecurityProtocol::Ssl,
        "SASL_PLAINTEXT" => SecurityProtocol::SaslPlaintext,
        "SASL_SSL" => SecurityProtocol::SaslSsl,
        _ => SecurityProtocol::Plaintext,
    }
}

fn tls(settings: &Settings, problems: &mut Vec<String>) -> Option<TlsSettings> {
    if !security_protocol(settings).uses_tls() {
        return None;
    }
    let mut pem = |location, text| pem(settings, problems, location, text);
    let ca = pem("ssl.ca.location", "ssl.truststore.certificates");
    let certificate = pem("ssl.certificate.location", "ssl.keystore.certificate.chain");
    let key = pem("ssl.key.location", "ssl.keystore.key");
    let identity = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsIdentity {
            certificate,
            key,
            key_password: settings.secret("ssl.key.password"),
        }),
        (None, None) => None,
        (Some(_), None) => {
            let missing = "ssl.key.location or ssl.keystore.key";
            problems.push(format!(
                "the client's certificate needs its key: set {missing}"
            ));
            None
        }
        (None, Some(_)) => {
            let missing = "ssl.certificate.location or ssl.keystore.certificate.chain";
            problems.push(format!(
                "the client's key needs its certificate: set {missing}"
            ));
            None
        }
    };
    Some(TlsSettings {
        ca,
        identity,
        verify_hostname: settings.word("ssl.endpoint.identification.algorithm") == "https",
        verify_certificate: settings.flag("enable.ssl.certificate.verification"),
    })
}

/// A file or a text, not both.
fn pem(
    settings: &Settings,
    problems: &mut Vec<String>,
    location: &'static str,
    text: &'static str,
) -> Option<Pem> {
    let inline = match settings.value(text) {
        Some(Value::Secret(secret)) => Some(secret),
        Some(value) => Some(Secret::new(value.show())),
        None => None,
    };
    match (settings.text(location), inline) {
        (Some(_), Some(_)) => {
            problems.push(format!("{location} and {text} say the same: set only one"));
            None
        }
        (Some(path), None) => Some(Pem::File(path.into())),
        (None, inline) => inline.map(Pem::Text),
    }
}

fn sasl(settings: &Settings, problems: &mut Vec<String>) -> Option<SaslSettings> {
    let protocol = security_protocol(settings);
    if !protocol.uses_sasl() {
        return None;
    }
    let mechanism = settings.word("sasl.mechanism");
    let mut needed = |name: &'static str| {
        problems.push(format!(
            "{} with {} needs {name}",
            settings.describe("security.protocol"),
            settings.describe("sasl.mechanism")
        ));
    };
    if mechanism == "OAUTHBEARER" {
        let token = settings.secret("sasl.oauthbearer.token");
        if token.is_none() {
            needed("sasl.oauthbearer.token");
        }
        return token.map(|token| SaslSettings::OauthBearer { token });
    }
    let username = settings.text("sasl.username");
    let password = settings.secret("sasl.password");
    if username.is_none() {
        needed("sasl.username");
    }
    if password.is_none() {
        needed("sasl.password");
    }
    let (username, password) = (username?, password?);
    let hash = match mechanism {
        "SCRAM-SHA-256" => ScramHash::Sha256,
        "SCRAM-SHA-512" => ScramHash::Sha512,
        _ => return Some(SaslSettings::Plain { username, password }),
    };
    Some(SaslSettings::Scram {
        hash,
        username,
        password,
    })
}
