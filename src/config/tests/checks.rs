//! Contradictions: what `build` refuses, and what it makes of the rest.

use std::time::Duration;

use super::*;

#[test]
fn bootstrap_servers_are_required_unless_mocked() {
    let error = Config::new().build().unwrap_err();
    assert_eq!(error.code, ErrorCode::INVALID_CONFIG);
    assert!(error.message.contains("bootstrap.servers is missing"));
    let mocked = config(&[("test.mock.num.brokers", "3")]).build().unwrap();
    assert_eq!(
        (mocked.mock_brokers, mocked.bootstrap_servers.len()),
        (3, 0)
    );
    assert!(problem(&[("test.mock.num.brokers", "3")]).contains("set only one"));
}

#[test]
fn idempotence_is_checked() {
    let needs = "invalid configuration: enable.idempotence=true needs";
    for (key, value, expected) in [
        ("acks", "1", format!("{needs} acks=all, but acks=1")),
        ("acks", "0", format!("{needs} acks=all, but acks=0")),
        (
            "retries",
            "0",
            format!("{needs} retries above 0, but retries=0"),
        ),
        (
            "max.in.flight",
            "6",
            format!(
                "{needs} at most 5 requests in flight, but \
                 max.in.flight.requests.per.connection=6 (set as max.in.flight)"
            ),
        ),
    ] {
        assert_eq!(
            problem(&[("enable.idempotence", "true"), (key, value)]),
            expected
        );
        built(&[(key, value)]);
    }
    let fine = built(&[("enable.idempotence", "true")]);
    assert_eq!((fine.acks, fine.enable_idempotence), (Acks::All, true));
    assert_eq!(
        config(&[("enable.idempotence", "true")])
            .get("acks")
            .unwrap()
            .unwrap(),
        "all"
    );
}

#[test]
fn a_transactional_id_implies_idempotence() {
    let config = built(&[("transactional_id", "t")]);
    assert!(config.enable_idempotence);
    assert_eq!(
        (config.acks, config.transactional_id.as_deref()),
        (Acks::All, Some("t"))
    );
    assert_eq!(
        problem(&[("transactional.id", "t"), ("enable.idempotence", "false")]),
        "invalid configuration: transactional.id needs enable.idempotence=true, but \
         enable.idempotence=false"
    );
    assert!(
        problem(&[("transactional.id", "t"), ("acks", "1")])
            .contains("enable.idempotence=true (implied by transactional.id) needs acks=all")
    );
}

#[test]
fn a_transactional_id_has_a_name_in_it() {
    let error = Config::new().set("transactional.id", "").unwrap_err();
    assert_eq!(error.code, ErrorCode::INVALID_CONFIG);
    assert_eq!(
        error.message,
        "transactional.id: \"\" is empty; allowed: text of 1 to 32767 bytes"
    );
}

#[test]
fn an_availability_timeout_needs_what_it_is_a_part_of() {
    let timeout = ("partitioner.availability.timeout.ms", "500");
    let adaptive = "partitioner.adaptive.partitioning.enable";
    assert_eq!(
        problem(&[timeout, (adaptive, "false")]),
        "invalid configuration: partitioner.availability.timeout.ms=500 needs \
         partitioner.adaptive.partitioning.enable=true, but \
         partitioner.adaptive.partitioning.enable=false"
    );
    built(&[timeout]);
    built(&[
        ("partitioner.availability.timeout.ms", "0"),
        (adaptive, "false"),
    ]);
}

#[test]
fn data_loss_shows_in_sequences_only() {
    let stop = ("kprod.data.loss", "stop");
    assert_eq!(
        problem(&[stop]),
        "invalid configuration: kprod.data.loss=stop needs enable.idempotence=true, but \
         enable.idempotence=false (the default)"
    );
    built(&[stop, ("enable.idempotence", "true")]);
    built(&[stop, ("transactional.id", "me")]);
    built(&[("kprod.data.loss", "continue")]);
}

#[test]
fn the_profiles_documentation_names_its_whole_group() {
    let profile = properties()
        .find(|property| property.name == "kprod.profile")
        .unwrap();
    for (name, value) in super::super::table::MODERN {
        assert!(profile.doc.contains(&format!("`{name}={value}`")), "{name}");
        assert_eq!(
            config(&[("kprod.profile", "modern")]).get(name).unwrap(),
            Some((*value).to_owned())
        );
    }
}

#[test]
fn the_modern_profile_sets_its_group_and_explicit_keys_win() {
    let modern = built(&[("kprod.profile", "modern")]);
    assert_eq!(modern.profile, Profile::Modern);
    assert_eq!((modern.acks, modern.enable_idempotence), (Acks::All, true));
    assert_eq!(modern.linger, Duration::from_millis(5));
    assert_eq!(modern.delivery_timeout, Some(Duration::from_secs(120)));
    assert_eq!(modern.max_block, Duration::from_secs(60));
    let mixed = built(&[
        ("enable.idempotence", "false"),
        ("acks", "1"),
        ("kprod.profile", "modern"),
        ("linger.ms", "0"),
    ]);
    assert_eq!(
        (mixed.acks, mixed.enable_idempotence),
        (Acks::Leader, false)
    );
    assert_eq!(
        (mixed.linger, mixed.max_block),
        (Duration::ZERO, Duration::from_secs(60))
    );
    assert_eq!(
        problem(&[("kprod.profile", "modern"), ("acks", "1")]),
        "invalid configuration: enable.idempotence=true (set by kprod.profile=modern) needs \
         acks=all, but acks=1"
    );
    assert!(
        problem(&[
            ("kprod.profile", "modern"),
            ("request.timeout.ms", "120000")
        ])
        .contains("delivery.timeout.ms=120000 (set by kprod.profile=modern) is less than")
    );
}

#[test]
fn the_delivery_timeout_covers_linger_and_request() {
    let at = |delivery| {
        [
            ("linger.ms", "0.5"),
            ("request.timeout.ms", "1000"),
            ("delivery.timeout.ms", delivery),
        ]
    };
    assert_eq!(
        problem(&at("1000")),
        "invalid configuration: delivery.timeout.ms=1000 is less than linger.ms=0.5 plus \
         request.timeout.ms=1000"
    );
    built(&at("1001"));
    let max = i32::MAX.to_string();
    for key in ["linger.ms", "request.timeout.ms", "delivery.timeout.ms"] {
        assert!(config(&[(key, &max)]).set(key, "2147483648").is_err());
    }
    let longest = [("linger.ms", &*max), ("request.timeout.ms", &max)];
    assert!(
        problem(&[
            longest[0],
            longest[1],
            ("delivery.timeout.ms", "2147483646")
        ])
        .contains("is less than")
    );
    // The longest there is, and none at all, are never too short.
    built(&[longest[0], longest[1], ("delivery.timeout.ms", &max)]);
    built(&[longest[0], longest[1], ("message.timeout.ms", "0")]);
}

#[test]
fn sizes_fit_the_memory() {
    let small = ("buffer.memory", "10000");
    assert_eq!(built(&[small]).buffer_memory, 10_000);
    assert_eq!(
        problem(&[small, ("batch.size", "10001")]),
        "invalid configuration: batch.size=10001 is more than buffer.memory=10000"
    );
    assert!(
        problem(&[("max.request.size", "33554433")]).contains(
            "max.request.size=33554433 is more than buffer.memory=33554432 (the default)"
        )
    );
    built(&[
        small,
        ("batch.size", "10000"),
        ("max.request.size", "10000"),
    ]);
}

#[test]
fn a_backoff_and_its_maximum_agree() {
    for (first, max) in [
        ("retry.backoff.ms", "retry.backoff.max.ms"),
        ("reconnect.backoff.ms", "reconnect.backoff.max.ms"),
        (
            "socket.connection.setup.timeout.ms",
            "socket.connection.setup.timeout.max.ms",
        ),
    ] {
        let message = problem(&[(first, "20"), (max, "19")]);
        assert!(message.ends_with(&format!("{first}=20 is more than {max}=19")));
        built(&[(first, "20"), (max, "20")]);
    }
    let higher = built(&[("retry.backoff.ms", "5000")]);
    assert_eq!(higher.retry_backoff_max, Duration::from_secs(5));
    let lower = built(&[("retry.backoff.max.ms", "10")]);
    assert_eq!(lower.retry_backoff, Duration::from_millis(10));
}

#[test]
fn levels_belong_to_their_codec() {
    let level = |settings: &[(&str, &str)]| built(settings).compression.level;
    assert_eq!(level(&[("compression.type", "gzip")]), None);
    assert_eq!(level(&[("compression.type", "zstd")]), Some(3));
    assert_eq!(level(&[("compression.type", "lz4")]), None);
    assert_eq!(
        level(&[
            ("compression.type", "zstd"),
            ("compression.zstd.level", "-7")
        ]),
        Some(-7)
    );
    assert_eq!(
        level(&[("compression.type", "gzip"), ("compression.level", "9")]),
        Some(9)
    );
    assert_eq!(
        level(&[("compression.type", "zstd"), ("compression.level", "-1")]),
        Some(3)
    );
    assert_eq!(
        level(&[("compression.type", "snappy"), ("compression.level", "0")]),
        None
    );
    assert_eq!(level(&[("compression.level", "12")]), None);
    for (codec, wrong) in [("gzip", "0"), ("gzip", "10"), ("lz4", "9"), ("snappy", "1")] {
        let message = problem(&[("compression.type", codec), ("compression.level", wrong)]);
        assert!(message.contains(&format!("compression.level={wrong} is no level of")));
    }
    assert!(
        problem(&[
            ("compression.type", "gzip"),
            ("compression.level", "9"),
            ("compression.gzip.level", "1"),
        ])
        .contains("compression.level=9 and compression.gzip.level=1 differ")
    );
}

#[test]
fn tls_settings_are_checked() {
    let tls = built(&[
        ("security.protocol", "ssl"),
        ("ssl.ca.location", "/ca.pem"),
        ("ssl.certificate.pem", CERTIFICATE),
        ("ssl.key.location", "/key.pem"),
        ("ssl.key.password", "hunter2"),
        ("ssl.endpoint.identification.algorithm", ""),
    ])
    .connection
    .tls
    .unwrap();
    assert_eq!(tls.ca, Some(Pem::File("/ca.pem".into())));
    let identity = tls.identity.unwrap();
    assert_eq!(identity.certificate, Pem::Text(Secret::new(CERTIFICATE)));
    assert_eq!(identity.key, Pem::File("/key.pem".into()));
    assert_eq!(identity.key_password.unwrap().expose(), "hunter2");
    assert!(!tls.verify_hostname && tls.verify_certificate);
    let ssl = ("security.protocol", "SSL");
    assert!(problem(&[ssl, ("ssl.key.pem", KEY)]).contains("needs its certificate"));
    assert!(problem(&[ssl, ("ssl.certificate.location", "c")]).contains("needs its key"));
    assert!(
        problem(&[ssl, ("ssl.ca.pem", CERTIFICATE), ("ssl.ca.location", "c")])
            .contains("ssl.ca.location and ssl.truststore.certificates say the same")
    );
    assert!(
        refused("ssl.ca.pem", "/ca.pem")
            .message
            .contains("no PEM block")
    );
    assert_eq!(
        built(&[("ssl.ca.location", "/ca.pem")]).connection.tls,
        None
    );
}

#[test]
fn sasl_needs_its_credentials() {
    let sasl = ("security.protocol", "SASL_SSL");
    let message = problem(&[sasl, ("sasl.mechanisms", "SCRAM-SHA-256")]);
    assert!(message.contains("needs sasl.username") && message.contains("needs sasl.password"));
    assert!(problem(&[sasl, ("sasl.username", "u")]).contains("needs sasl.password"));
    assert!(
        problem(&[sasl, ("sasl.mechanism", "OAUTHBEARER")])
            .contains("needs sasl.oauthbearer.token")
    );
    let scram = built(&[
        sasl,
        ("sasl.mechanism", "scram-sha-512"),
        ("sasl.username", "u"),
        ("sasl.password", "p"),
    ]);
    let expected = SaslSettings::Scram {
        hash: ScramHash::Sha512,
        username: "u".into(),
        password: Secret::new("p"),
    };
    assert_eq!(scram.connection.sasl, Some(expected));
    assert!(scram.connection.tls.is_some());
    let oauth = built(&[
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "OAUTHBEARER"),
        ("sasl.oauthbearer.token", "t"),
    ]);
    let token = Secret::new("t");
    assert_eq!(
        oauth.connection.sasl,
        Some(SaslSettings::OauthBearer { token })
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let config = config(&[
        ("transactional.id", "t"),
        ("acks", "1"),
        ("retries", "0"),
        ("max.in.flight", "9"),
        ("delivery.timeout.ms", "1"),
        ("security.protocol", "SASL_SSL"),
        ("ssl.key.location", "k"),
    ]);
    let message = config.build().unwrap_err().message;
    for part in [
        "bootstrap.servers is missing",
        "needs acks=all",
        "needs retries above 0",
        "needs at most 5",
        "delivery.timeout.ms=1 is less",
        "needs sasl.username",
        "needs sasl.password",
        "needs its certificate",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}
