//! Properties of security: TLS and SASL.

use super::*;
use Importance::{High, Low, Medium};

/// A user name.
const NAME: Kind = Kind::Text {
    min: 1,
    max: 65_535,
};

pub(super) static PROPERTIES: &[Property] = &[
    Property::new(
        "security.protocol",
        Kind::Choice(&[
            word("PLAINTEXT"),
            word("SSL"),
            word("SASL_PLAINTEXT"),
            word("SASL_SSL"),
        ]),
        Some("PLAINTEXT"),
        High,
        "How brokers are spoken to: with or without TLS, with or without SASL. The `ssl.` and \
         `sasl.` properties apply only where it asks for them.",
    )
    .also(&[aiokafka("security_protocol")]),
    Property::new(
        "ssl.ca.location",
        Kind::Path,
        None,
        Medium,
        "A file of certificates (PEM) to trust. Without it and `ssl.truststore.certificates` those \
         of the system are trusted.",
    ),
    Property::new(
        "ssl.truststore.certificates",
        Kind::Pem { secret: false },
        None,
        Medium,
        "Certificates to trust, as text.",
    )
    .also(&[librdkafka("ssl.ca.pem")]),
    Property::new(
        "ssl.certificate.location",
        Kind::Path,
        None,
        Medium,
        "A file with this client's certificate and its chain (PEM).",
    ),
    Property::new(
        "ssl.keystore.certificate.chain",
        Kind::Pem { secret: false },
        None,
        Medium,
        "This client's certificate and its chain, as text.",
    )
    .also(&[librdkafka("ssl.certificate.pem")]),
    Property::new(
        "ssl.key.location",
        Kind::Path,
        None,
        Medium,
        "A file with the key of this client's certificate (PEM).",
    ),
    Property::new(
        "ssl.keystore.key",
        Kind::Pem { secret: true },
        None,
        Medium,
        "The key of this client's certificate, as text.",
    )
    .also(&[librdkafka("ssl.key.pem")]),
    Property::new(
        "ssl.key.password",
        Kind::Secret,
        None,
        Medium,
        "The password of an encrypted key (PKCS#8 with PBES2, as `openssl pkcs8 -topk8` writes it).",
    ),
    Property::new(
        "ssl.endpoint.identification.algorithm",
        Kind::Choice(&[
            word("https"),
            Choice {
                word: "none",
                synonyms: &[""],
            },
        ]),
        Some("https"),
        Low,
        "Whether a broker's certificate must name its host. `none` (or empty): it need not.",
    ),
    Property::new(
        "enable.ssl.certificate.verification",
        Kind::Bool,
        Some("true"),
        Low,
        "Whether brokers' certificates are verified. Without, anybody can stand in for a broker: \
         for tests only.",
    ),
    Property::new(
        "sasl.mechanism",
        Kind::Choice(&[
            word("PLAIN"),
            word("SCRAM-SHA-256"),
            word("SCRAM-SHA-512"),
            word("OAUTHBEARER"),
        ]),
        Some("PLAIN"),
        Medium,
        "How this client proves who it is.",
    )
    .also(&[aiokafka("sasl_mechanism"), librdkafka("sasl.mechanisms")])
    .note("this library has no GSSAPI (Kerberos)"),
    Property::new(
        "sasl.username",
        NAME,
        None,
        Medium,
        "The user name for PLAIN and SCRAM.",
    )
    .also(&[aiokafka("sasl_plain_username")]),
    Property::new(
        "sasl.password",
        Kind::Secret,
        None,
        Medium,
        "The password for PLAIN and SCRAM.",
    )
    .also(&[aiokafka("sasl_plain_password")]),
    Property::new(
        "sasl.oauthbearer.token",
        Kind::Secret,
        None,
        Medium,
        "The token for OAUTHBEARER, sent as it is.",
    ),
];
