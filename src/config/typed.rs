//! The typed configuration that the engine runs with: every property, parsed and checked.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How many acknowledgements the leader must have before it answers a Produce request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// No answer is sent; a record counts as delivered once the socket took it.
    None,
    /// The leader has written the record.
    Leader,
    /// All in-sync replicas have written the record.
    All,
}

impl Acks {
    /// The value of the `acks` field of a Produce request.
    pub fn wire(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }
}

/// What a producer does when the cluster is seen to have lost acknowledged records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataLoss {
    /// Tells of it and goes on, with a new sequence.
    Continue,
    /// Fails for good.
    Stop,
}

/// A codec for the records of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CompressionType {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl CompressionType {
    /// The codec's number in the attributes of a record batch.
    pub fn wire(self) -> i16 {
        match self {
            CompressionType::None => 0,
            CompressionType::Gzip => 1,
            CompressionType::Snappy => 2,
            CompressionType::Lz4 => 3,
            CompressionType::Zstd => 4,
        }
    }
}

/// The codec of a producer and how hard it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    pub codec: CompressionType,
    /// The codec's own level (gzip, zstd); `None` where the codec has no levels or is left to its
    /// own default.
    pub level: Option<i32>,
}

/// Who chooses the partition of a record that names none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartitionerKind {
    /// Java's: murmur2 of the key; without a key the byte-based sticky partitioner (KIP-794).
    Default,
    Random,
    Consistent,
    ConsistentRandom,
    Murmur2,
    Murmur2Random,
    Fnv1a,
    Fnv1aRandom,
    RoundRobin,
}

/// Where records' outcomes are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryReports {
    All,
    Errors,
    None,
}

/// A named group of settings that applies where no explicit one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Default,
    Modern,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityProtocol {
    Plaintext,
    Ssl,
    SaslPlaintext,
    SaslSsl,
}

impl SecurityProtocol {
    pub fn uses_tls(self) -> bool {
        matches!(self, SecurityProtocol::Ssl | SecurityProtocol::SaslSsl)
    }

    pub fn uses_sasl(self) -> bool {
        matches!(
            self,
            SecurityProtocol::SaslPlaintext | SecurityProtocol::SaslSsl
        )
    }
}

/// Which addresses of a broker's name are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressFamily {
    Any,
    V4,
    V6,
}

/// What happens when none of the known brokers can be reached (KIP-899, KIP-1102).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataRecovery {
    Rebootstrap,
    None,
}

/// One entry of `bootstrap.servers`. An IPv6 address stands here without its brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    pub host: String,
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// A password, key or token: it is shown to nobody, only [`Secret::expose`] gives it away.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: impl Into<String>) -> Self {
        Secret(value.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether a text gives it away.
    pub fn is_in(&self, text: &str) -> bool {
        !self.0.is_empty() && text.contains(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// A certificate or key in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pem {
    File(PathBuf),
    Text(Secret),
}

/// What the `ssl.*` properties say. Present where `security.protocol` asks for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Certificates to trust; `None`: those of the system.
    pub ca: Option<Pem>,
    /// This client's certificate and key.
    pub identity: Option<TlsIdentity>,
    /// Whether the certificate must name the broker's host.
    pub verify_hostname: bool,
    /// Whether the broker's certificate is verified at all.
    pub verify_certificate: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsIdentity {
    pub certificate: Pem,
    pub key: Pem,
    pub key_password: Option<Secret>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramHash {
    Sha256,
    Sha512,
}

/// What the `sasl.*` properties say. Present where `security.protocol` asks for SASL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaslSettings {
    Plain {
        username: String,
        password: Secret,
    },
    Scram {
        hash: ScramHash,
        username: String,
        password: Secret,
    },
    OauthBearer {
        token: Secret,
    },
}

impl SaslSettings {
    /// The property that holds the secret, and the secret.
    pub fn secret(&self) -> (&'static str, &Secret) {
        match self {
            SaslSettings::Plain { password, .. } | SaslSettings::Scram { password, .. } => {
                ("sasl.password", password)
            }
            SaslSettings::OauthBearer { token } => ("sasl.oauthbearer.token", token),
        }
    }
}

/// How connections to brokers are made and kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    pub security_protocol: SecurityProtocol,
    pub tls: Option<TlsSettings>,
    pub sasl: Option<SaslSettings>,
    pub reconnect_backoff: Duration,
    pub reconnect_backoff_max: Duration,
    pub setup_timeout: Duration,
    pub setup_timeout_max: Duration,
    /// `None`: idle connections stay open.
    pub max_idle: Option<Duration>,
    pub address_family: AddressFamily,
    /// `None`: the system's default.
    pub send_buffer: Option<usize>,
    /// `None`: the system's default.
    pub receive_buffer: Option<usize>,
    pub keepalive: bool,
    pub nodelay: bool,
    /// Larger responses are refused and the connection is closed.
    pub receive_message_max: usize,
    pub software_name: String,
    pub software_version: String,
}

/// How the view of the cluster is kept fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataSettings {
    pub max_age: Duration,
    pub max_idle: Duration,
    pub recovery: MetadataRecovery,
    pub rebootstrap_trigger: Duration,
    pub allow_auto_create_topics: bool,
}

/// How a record without a partition gets one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionerSettings {
    pub kind: PartitionerKind,
    pub adaptive: bool,
    /// `None`: a slow partition is never left out.
    pub availability_timeout: Option<Duration>,
    pub ignore_keys: bool,
}

/// A complete and consistent configuration, made by [`Config::build`](super::Config::build).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerConfig {
    pub profile: Profile,
    /// Empty only where an embedded mock cluster stands in (`test.mock.num.brokers`).
    pub bootstrap_servers: Vec<HostPort>,
    /// `None`: the producer numbers itself.
    pub client_id: Option<String>,

    pub acks: Acks,
    pub retries: u32,
    pub retry_backoff: Duration,
    pub retry_backoff_max: Duration,
    pub request_timeout: Duration,
    /// `None`: a batch that is not idempotent expires after `own_time_to_live`, an idempotent one never.
    pub delivery_timeout: Option<Duration>,
    pub max_in_flight: usize,
    pub enable_idempotence: bool,
    pub transactional_id: Option<String>,
    pub transaction_timeout: Duration,
    pub data_loss: DataLoss,

    pub linger: Duration,
    pub batch_size: usize,
    pub buffer_memory: usize,
    pub max_request_size: usize,
    pub max_block: Duration,
    pub compression: Compression,
    pub partitioner: PartitionerSettings,

    pub metadata: MetadataSettings,
    pub connection: ConnectionSettings,

    pub delivery_reports: DeliveryReports,
    pub delivery_queue_max: usize,
    pub events: bool,
    pub io_threads: usize,
    /// As syslog's: 0 (emergency) to 7 (debug).
    pub log_level: u8,
    /// Brokers of an embedded mock cluster; 0: none.
    pub mock_brokers: usize,
}

impl ProducerConfig {
    /// How long a batch lives without `delivery.timeout.ms`: it may linger first, and then take `request.timeout.ms`.
    pub fn own_time_to_live(&self) -> Duration {
        self.linger.saturating_add(self.request_timeout)
    }
}
