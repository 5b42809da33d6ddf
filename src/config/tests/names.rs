//! Names: aliases, misspelt and unsupported ones, clashes, secrets under every name.

use std::collections::HashSet;

use super::*;

/// A value that is allowed and is not the default.
fn sample(property: &Property) -> String {
    match &property.kind {
        Kind::Bool => (property.default == Some("false")).to_string(),
        Kind::Int { ranges, .. } => ranges[0].0.to_string(),
        Kind::FractionalMillis { .. } => "7.25".into(),
        Kind::Choice(choices) => choices[choices.len() - 1].word.into(),
        Kind::Text { .. } | Kind::Software | Kind::Path | Kind::Secret => "sample".into(),
        Kind::Pem { .. } => CERTIFICATE.into(),
        Kind::Servers => "one:1,two:2".into(),
    }
}

#[test]
fn every_name_is_unique_and_none_is_also_unsupported() {
    let aliases = properties().flat_map(|property| property.aliases);
    let names = properties().map(|property| property.name);
    let unsupported = UNSUPPORTED.iter().flat_map(|(names, _)| names.iter());
    let mut seen = HashSet::new();
    for name in names
        .chain(aliases.map(|alias| alias.name))
        .chain(unsupported.copied())
    {
        assert!(seen.insert(name), "{name} twice");
    }
}

#[test]
fn every_property_can_be_set_by_every_name() {
    for property in properties() {
        let value = sample(property);
        let own = [(property.name, Convert::Same)];
        let aliases = property.aliases.iter().map(|a| (a.name, a.convert));
        for (name, convert) in own.into_iter().chain(aliases) {
            let (given, expected) = match convert {
                Convert::Same | Convert::ZeroIsNoLimit => (value.as_str(), value.as_str()),
                Convert::Kibibytes => ("3", "3072"),
                Convert::OnlyErrors => ("true", "errors"),
            };
            let config = config(&[(name, given)]);
            let shown = config.get(name).unwrap().unwrap();
            if property.is_secret() {
                assert_eq!(shown, "[hidden]", "{name}");
            } else {
                assert_eq!(shown, expected, "{name}");
            }
            assert_eq!(config.get(property.name).unwrap().unwrap(), shown);
        }
    }
}

#[test]
fn an_unknown_key_names_the_nearest() {
    for (key, nearest) in [
        ("lingr.ms", "linger.ms"),
        ("bootstrap.server", "bootstrap.servers"),
        ("bootstap_servers", "bootstrap.servers"),
        ("buffer_memory", "buffer.memory"),
        ("compression", "compression.type"),
        ("ACKS", "acks"),
        ("akcs", "acks"),
        ("max.inflight", "max.in.flight"),
    ] {
        let error = refused(key, "1");
        assert_eq!(error.code, ErrorCode::UNKNOWN_CONFIG);
        let expected = format!("unknown property {key:?}; the nearest name is {nearest}");
        assert_eq!(error.message, expected);
    }
    assert_eq!(
        Config::new().get("lingr.ms").unwrap_err().code,
        ErrorCode::UNKNOWN_CONFIG
    );
    let odd = refused(&"x\n".repeat(100_000), "1").message;
    assert!(odd.len() < 500 && !odd.contains('\n'));
}

#[test]
fn a_key_like_none_is_sent_to_the_list_of_all() {
    for key in ["", "zzzzqqq", "x"] {
        let error = refused(key, "1");
        assert_eq!(error.code, ErrorCode::UNKNOWN_CONFIG);
        let expected =
            format!("unknown property {key:?}; docs/configuration.md lists all there are");
        assert_eq!(error.message, expected);
    }
}

#[test]
fn a_known_but_unsupported_name_says_what_to_use() {
    for (names, remedy) in UNSUPPORTED {
        for name in *names {
            let error = refused(name, "secret");
            assert_eq!(error.code, ErrorCode::NOT_SUPPORTED);
            assert!(error.message.starts_with(name) && error.message.ends_with(remedy));
            assert!(!error.message.contains("\"secret\""));
        }
    }
    assert!(
        refused("sasl.jaas.config", "x")
            .message
            .contains("sasl.username")
    );
    assert!(
        refused("socket.timeout.ms", "1")
            .message
            .contains("request.timeout.ms")
    );
}

#[test]
fn the_same_name_replaces_and_another_name_must_agree() {
    let mut config = config(&[("linger.ms", "5"), ("linger.ms", "6")]);
    assert_eq!(config.get("linger_ms").unwrap().unwrap(), "6");
    config.set("queue.buffering.max.ms", "6.0").unwrap();
    let error = config.set("linger_ms", "7").unwrap_err();
    assert_eq!(error.code, ErrorCode::INVALID_CONFIG);
    assert_eq!(
        error.message,
        "linger_ms (linger.ms): set twice, as \"7\" and, under its name linger.ms, as \"6\"; \
         linger_ms and linger.ms are names of one property, set only one"
    );
    assert!(config.set("linger.ms", "7").is_err());
    assert_eq!(config.get("linger.ms").unwrap().unwrap(), "6");
}

#[test]
fn secrets_are_shown_nowhere() {
    let secret = "hunter2";
    for property in properties().filter(|property| property.is_secret()) {
        let names = [property.name].into_iter();
        for name in names.chain(property.aliases.iter().map(|alias| alias.name)) {
            let value = match property.kind {
                Kind::Pem { .. } => KEY.to_owned(),
                _ => secret.to_owned(),
            };
            let config = config(&[(name, &value)]);
            assert_eq!(config.get(name).unwrap().unwrap(), "[hidden]");
            assert!(!format!("{config:?}").contains(secret), "{name}");
            let error = refused(name, &format!("{secret}\0"));
            assert!(!error.message.contains(secret), "{}", error.message);
            if let Some(alias) = property.aliases.first() {
                let mut twice = config.clone();
                let other = format!("{value}{value}");
                let key = if name == alias.name {
                    property.name
                } else {
                    alias.name
                };
                let error = twice.set(key, &other).unwrap_err();
                assert!(!error.message.contains(secret), "{}", error.message);
            }
        }
    }
    let all = built(&[
        ("security.protocol", "SASL_SSL"),
        ("sasl.username", "u"),
        ("sasl.password", secret),
        ("ssl.certificate.pem", CERTIFICATE),
        ("ssl.key.pem", KEY),
        ("ssl.key.password", secret),
    ]);
    assert!(!format!("{all:?}").contains(secret));
}
