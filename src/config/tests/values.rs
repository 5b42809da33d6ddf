//! Values: defaults, ranges, conversions, lists of servers.

use std::time::Duration;

use super::*;

#[test]
fn every_default_is_what_the_table_says() {
    let config = Config::new();
    for property in properties() {
        let shown = config.get(property.name).unwrap();
        assert_eq!(shown.as_deref(), property.default, "{}", property.name);
    }
}

#[test]
fn typed_defaults_are_the_specifications() {
    let config = built(&[]);
    let expected = ProducerConfig {
        profile: Profile::Default,
        bootstrap_servers: vec![HostPort {
            host: "broker".into(),
            port: 9092,
        }],
        client_id: None,
        acks: Acks::Leader,
        retries: i32::MAX as u32,
        retry_backoff: Duration::from_millis(100),
        retry_backoff_max: Duration::from_secs(1),
        request_timeout: Duration::from_secs(40),
        delivery_timeout: None,
        max_in_flight: 5,
        enable_idempotence: false,
        transactional_id: None,
        transaction_timeout: Duration::from_secs(60),
        data_loss: DataLoss::Continue,
        linger: Duration::ZERO,
        batch_size: 16 * 1024,
        buffer_memory: 32 * 1024 * 1024,
        max_request_size: 1024 * 1024,
        max_block: Duration::from_secs(40),
        compression: Compression {
            codec: CompressionType::None,
            level: None,
        },
        partitioner: PartitionerSettings {
            kind: PartitionerKind::Default,
            adaptive: true,
            availability_timeout: None,
            ignore_keys: false,
        },
        metadata: MetadataSettings {
            max_age: Duration::from_secs(300),
            max_idle: Duration::from_secs(300),
            recovery: MetadataRecovery::Rebootstrap,
            rebootstrap_trigger: Duration::from_secs(300),
            allow_auto_create_topics: true,
        },
        connection: ConnectionSettings {
            security_protocol: SecurityProtocol::Plaintext,
            tls: None,
            sasl: None,
            reconnect_backoff: Duration::from_millis(50),
            reconnect_backoff_max: Duration::from_secs(1),
            setup_timeout: Duration::from_secs(10),
            setup_timeout_max: Duration::from_secs(30),
            max_idle: Some(Duration::from_secs(540)),
            address_family: AddressFamily::Any,
            send_buffer: None,
            receive_buffer: None,
            keepalive: false,
            nodelay: true,
            receive_message_max: 100_000_000,
            software_name: "libkprod".into(),
            software_version: env!("CARGO_PKG_VERSION").into(),
        },
        delivery_reports: DeliveryReports::All,
        delivery_queue_max: 1_000_000,
        events: false,
        io_threads: 1,
        log_level: 6,
        mock_brokers: 0,
    };
    assert_eq!(config, expected);
}

#[test]
fn every_range_holds_at_its_edges() {
    for property in properties() {
        match &property.kind {
            Kind::Int { ranges, .. } => {
                for &(low, high) in *ranges {
                    let mut config = Config::new();
                    config.set(property.name, &low.to_string()).unwrap();
                    config.set(property.name, &high.to_string()).unwrap();
                }
                let (low, high) = (ranges[0].0, ranges[ranges.len() - 1].1);
                for outside in [low - 1, high + 1, i64::MIN, i64::MAX] {
                    let message = refused(property.name, &outside.to_string()).message;
                    assert!(message.contains("out of range"), "{message}");
                    assert!(message.contains(&property.allowed()), "{message}");
                }
            }
            Kind::FractionalMillis { max } => {
                config(&[(property.name, &max.to_string())]);
                refused(property.name, &format!("{max}.001"));
                refused(property.name, "-1");
            }
            Kind::Choice(choices) => {
                for choice in *choices {
                    let words = [&choice.word].into_iter().chain(choice.synonyms);
                    for word in words {
                        let set = config(&[(property.name, &word.to_uppercase())]);
                        let shown = set.get(property.name).unwrap();
                        assert_eq!(shown.as_deref(), Some(choice.word));
                    }
                }
                refused(property.name, "no such word");
            }
            Kind::Text { min, max } => {
                config(&[(property.name, &"x".repeat(*min))]);
                config(&[(property.name, &"x".repeat(*max))]);
                refused(property.name, &"x".repeat(max + 1));
                if *min > 0 {
                    refused(property.name, "");
                }
            }
            Kind::Bool => {
                refused(property.name, "yes please");
            }
            Kind::Software | Kind::Path | Kind::Pem { .. } | Kind::Servers => {
                refused(property.name, "");
            }
            Kind::Secret => {
                refused(property.name, "null\0character");
            }
        }
    }
}

#[test]
fn a_gap_in_a_range_is_refused() {
    let error = refused("compression.gzip.level", "0");
    assert_eq!(error.code, ErrorCode::INVALID_CONFIG);
    assert_eq!(
        error.message,
        "compression.gzip.level: \"0\" is out of range; allowed: -1, 1..9"
    );
}

#[test]
fn a_refused_value_names_property_value_and_range() {
    assert_eq!(
        refused("linger_ms", "soon").message,
        "linger_ms (linger.ms): \"soon\" is not a number; allowed: 0..2147483647, with up to three \
         decimals"
    );
    assert_eq!(
        refused("queue.buffering.max.kbytes", "0").message,
        "queue.buffering.max.kbytes (buffer.memory): \"0\" is out of range; allowed: 2..1073741824"
    );
    assert_eq!(
        refused("compression.type", "brotli").message,
        "compression.type: \"brotli\" is none of its values; allowed: none, gzip, snappy, lz4, zstd"
    );
    assert!(
        refused("sasl.mechanism", "GSSAPI")
            .message
            .contains("no GSSAPI")
    );
    assert!(
        refused("compression.lz4.level", "3")
            .message
            .contains("lz4_flex")
    );
    let long = refused("acks", &"9".repeat(100_000)).message;
    assert!(long.len() < 300, "{long}");
    assert!(
        refused("batch.size", "１２")
            .message
            .contains("whole number")
    );
}

#[test]
fn units_are_converted() {
    let config = built(&[
        ("queue.buffering.max.kbytes", "1048576"),
        ("queue.buffering.max.ms", "0.5"),
        ("message.timeout.ms", "0"),
        ("request.required.acks", "-1"),
        ("delivery.report.only.error", "true"),
        ("compression.codec", "ZSTD"),
        ("max.in.flight", "1"),
    ]);
    assert_eq!(config.buffer_memory, 1 << 30);
    assert_eq!(config.linger, Duration::from_micros(500));
    assert_eq!(
        config.delivery_timeout,
        Some(Duration::from_millis(i32::MAX as u64))
    );
    assert_eq!(config.acks, Acks::All);
    assert_eq!(config.delivery_reports, DeliveryReports::Errors);
    assert_eq!(config.compression.codec, CompressionType::Zstd);
    assert_eq!(config.max_in_flight, 1);
    let all = built(&[("delivery.report.only.error", "false")]);
    assert_eq!(all.delivery_reports, DeliveryReports::All);
    let same = self::config(&[
        ("buffer.memory", "2048"),
        ("queue.buffering.max.kbytes", "2"),
    ]);
    assert_eq!(
        same.get("queue.buffering.max.kbytes").unwrap().unwrap(),
        "2048"
    );
    refused("queue.buffering.max.kbytes", "9223372036854775807");
    refused("delivery.timeout.ms", "0");
    // With less, not even an empty record would fit.
    refused("buffer.memory", "2047");
}

#[test]
fn linger_takes_fractions_of_milliseconds() {
    for (text, micros, shown) in [
        ("0.001", 1, "0.001"),
        ("0.5", 500, "0.5"),
        (".25", 250, "0.25"),
        ("3.", 3_000, "3"),
        (" 5 ", 5_000, "5"),
        ("1.5000000", 1_500, "1.5"),
        ("10.010", 10_010, "10.01"),
    ] {
        assert_eq!(
            built(&[("linger.ms", text)]).linger,
            Duration::from_micros(micros)
        );
        assert_eq!(
            config(&[("linger.ms", text)])
                .get("linger.ms")
                .unwrap()
                .unwrap(),
            shown
        );
    }
    for text in [
        "",
        ".",
        "-",
        "-0.5",
        "1e3",
        "0.0001",
        "1.2.3",
        "NaN",
        "9".repeat(30).as_str(),
    ] {
        refused("linger.ms", text);
    }
}

#[test]
fn aiokafkas_forms_are_taken() {
    let config = built(&[
        ("acks", "all"),
        ("max_batch_size", "1000"),
        ("max_request_size", "2000"),
        ("enable_idempotence", "True"),
        ("sasl_mechanism", "PLAIN"),
        ("sasl_plain_username", "u"),
        ("sasl_plain_password", "p"),
        ("security_protocol", "SASL_PLAINTEXT"),
        ("connections_max_idle_ms", "-1"),
    ]);
    assert_eq!((config.batch_size, config.max_request_size), (1000, 2000));
    assert!(config.enable_idempotence && config.acks == Acks::All);
    assert_eq!(config.connection.max_idle, None);
    let sasl = SaslSettings::Plain {
        username: "u".into(),
        password: Secret::new("p"),
    };
    assert_eq!(config.connection.sasl, Some(sasl));
    for (text, acks) in [("0", Acks::None), ("1", Acks::Leader), ("-1", Acks::All)] {
        assert_eq!(built(&[("acks", text)]).acks, acks);
    }
}

#[test]
fn servers_are_parsed() {
    let config = config(&[(
        "bootstrap_servers",
        " a:1, b.c_d-e ,[::1]:2,[fe80::1%eth0],1.2.3.4:5,",
    )]);
    let servers = config.build().unwrap().bootstrap_servers;
    let shown: Vec<_> = servers.iter().map(HostPort::to_string).collect();
    let expected = [
        "a:1",
        "b.c_d-e:9092",
        "[::1]:2",
        "[fe80::1%eth0]:9092",
        "1.2.3.4:5",
    ];
    assert_eq!(shown, expected);
    assert_eq!(servers[2].host, "::1");
}

#[test]
fn every_bad_server_is_named() {
    let list =
        "good:1,bad:0,bad:65536,bad:+1,::1,[::1,[x]:1,[::1]1,:5,sp ace:1,SSL://h:1,h:,user@h";
    let error = refused("bootstrap.servers", list);
    assert_eq!(error.code, ErrorCode::INVALID_CONFIG);
    for bad in list.split(',').filter(|entry| *entry != "good:1") {
        assert!(
            error.message.contains(&format!("{bad:?} has"))
                || error.message.contains(&format!("{bad:?} lacks")),
            "{bad}: {}",
            error.message
        );
    }
    assert!(!error.message.contains("\"good:1\" has"));
    for nothing in ["", " , ,"] {
        assert!(
            refused("bootstrap.servers", nothing)
                .message
                .contains("names no server")
        );
    }
    refused("bootstrap.servers", &"h".repeat(256));
}
