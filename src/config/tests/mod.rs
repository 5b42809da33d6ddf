//! What a user of the configuration notices: names, ranges, conversions, contradictions, secrets.

mod checks;
mod names;
mod values;

use super::property::Kind;
use super::unsupported::UNSUPPORTED;
use super::*;

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n";

fn config(settings: &[(&str, &str)]) -> Config {
    let mut config = Config::new();
    for (key, value) in settings {
        config.set(key, value).expect("the value is allowed");
    }
    config
}

/// Built with these settings and a bootstrap server.
fn built(settings: &[(&str, &str)]) -> ProducerConfig {
    let mut config = config(settings);
    config.set("bootstrap.servers", "broker").unwrap();
    config.build().expect("the settings agree")
}

/// What is wrong with these settings, beside nothing else.
fn problem(settings: &[(&str, &str)]) -> String {
    let mut config = config(settings);
    config.set("bootstrap.servers", "broker").unwrap();
    let error = config.build().expect_err("the settings contradict");
    assert_eq!(error.code, ErrorCode::INVALID_CONFIG);
    error.message
}

fn refused(key: &str, value: &str) -> Error {
    let mut config = Config::new();
    let error = config.set(key, value).expect_err("the value is refused");
    assert!(config.entries.values().all(Vec::is_empty), "{key}");
    error
}
