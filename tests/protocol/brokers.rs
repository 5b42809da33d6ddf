//! ApiVersions, FindCoordinator and SASL: getting to know a broker.

use crate::oracle::{Peer, peers};
use crate::sample::{Gen, optional_text, text};
use kafka_protocol::messages::{self as theirs, BrokerId};
use kprod::protocol::api_versions::*;
use kprod::protocol::find_coordinator::*;
use kprod::protocol::sasl::*;
use kprod::protocol::{ApiKey, Message, VersionSet};

peers! {
    api_versions_request: ApiVersionsRequest;
    api_versions_response: ApiVersionsResponse;
    find_coordinator_request: FindCoordinatorRequest;
    find_coordinator_response: FindCoordinatorResponse;
    sasl_handshake_request: SaslHandshakeRequest;
    sasl_handshake_response: SaslHandshakeResponse;
    sasl_authenticate_request: SaslAuthenticateRequest;
    sasl_authenticate_response: SaslAuthenticateResponse;
}

/// A broker from before KIP-511 answers a version that it does not know in version 0.
#[test]
fn an_unsupported_version_is_answered_in_version_0() {
    let offer = ApiVersion {
        api_key: 18,
        min_version: 0,
        max_version: 2,
    };
    let answer = ApiVersionsResponse {
        error_code: UNSUPPORTED_VERSION,
        api_keys: vec![offer],
        ..Default::default()
    };
    let bytes = answer.encode(0).unwrap();
    for asked in 0..=4 {
        assert_eq!(ApiVersionsResponse::decode(asked, &bytes).unwrap(), answer);
        assert_eq!(answer.encode(asked).unwrap(), bytes);
    }
}

#[test]
fn the_version_picked_is_the_newest_that_both_speak() {
    let offer = |api: ApiKey, min_version, max_version| ApiVersion {
        api_key: api.code(),
        min_version,
        max_version,
    };
    let level = FinalizedFeature {
        name: "transaction.version".into(),
        max_version_level: 2,
        min_version_level: 1,
    };
    let set = VersionSet::new(&ApiVersionsResponse {
        api_keys: vec![
            offer(ApiKey::Produce, 0, 7),
            offer(ApiKey::Metadata, 12, 99),
            offer(ApiKey::Fetch, 13, 18),
            ApiVersion {
                api_key: 999,
                min_version: 0,
                max_version: 1,
            },
        ],
        finalized_features_epoch: 7,
        finalized_features: vec![level],
        ..Default::default()
    });
    assert_eq!(set.pick(ApiKey::Produce, i16::MAX), Some(7));
    assert_eq!(set.pick(ApiKey::Produce, 5), Some(5));
    assert_eq!(
        set.pick(ApiKey::Produce, 2),
        None,
        "below what is spoken here"
    );
    assert_eq!(set.pick(ApiKey::Metadata, i16::MAX), Some(13));
    assert_eq!(
        set.pick(ApiKey::Metadata, 11),
        None,
        "below what is offered"
    );
    assert_eq!(
        set.pick(ApiKey::Fetch, i16::MAX),
        None,
        "ranges that do not meet"
    );
    assert_eq!(set.pick(ApiKey::EndTxn, i16::MAX), None, "not offered");
    assert_eq!(set.feature("transaction.version"), 2);
    assert_eq!(set.feature("metadata.version"), 0);
    assert_eq!(set.features_epoch(), 7);
}

/// What a client says and hears while it authenticates must not reach a log.
#[test]
fn the_bytes_of_authentication_are_not_shown() {
    let request = SaslAuthenticateRequest {
        auth_bytes: b"\0user\0hunter2".to_vec(),
    };
    let response = SaslAuthenticateResponse {
        auth_bytes: b"hunter2".to_vec(),
        ..Default::default()
    };
    let hidden = format!("{:?}", b"hunter2".to_vec());
    for shown in [format!("{request:?}"), format!("{response:?}")] {
        assert!(!shown.contains("hunter2") && !shown.contains(hidden.trim_matches(['[', ']'])));
    }
}

impl Peer for ApiVersionsRequest {
    type Theirs = theirs::ApiVersionsRequest;

    fn sample(g: &mut Gen, version: i16) -> Self {
        match version >= 3 {
            true => ApiVersionsRequest {
                client_software_name: g.string(),
                client_software_version: g.string(),
            },
            false => ApiVersionsRequest::default(),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        Self::Theirs::default()
            .with_client_software_name(text(&self.client_software_name))
            .with_client_software_version(text(&self.client_software_version))
    }
}

impl Peer for ApiVersionsResponse {
    type Theirs = theirs::ApiVersionsResponse;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let error_code = if g.bool() { 0 } else { 41 };
        let api_keys = g.vec(|g| ApiVersion {
            api_key: g.i16(),
            min_version: g.i16(),
            max_version: g.i16(),
        });
        let mut response = ApiVersionsResponse {
            error_code,
            api_keys,
            ..Default::default()
        };
        if version >= 1 {
            response.throttle_time_ms = g.i32();
        }
        if version >= 3 {
            response.supported_features = g.vec(|g| SupportedFeature {
                name: g.string(),
                min_version: g.i16(),
                max_version: g.i16(),
            });
            response.finalized_features_epoch = g.option(Gen::i64).unwrap_or(-1);
            response.finalized_features = g.vec(|g| FinalizedFeature {
                name: g.string(),
                max_version_level: g.i16(),
                min_version_level: g.i16(),
            });
        }
        response
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        use theirs::api_versions_response as t;
        let api = |api: &ApiVersion| {
            t::ApiVersion::default()
                .with_api_key(api.api_key)
                .with_min_version(api.min_version)
                .with_max_version(api.max_version)
        };
        let supported = |feature: &SupportedFeature| {
            t::SupportedFeatureKey::default()
                .with_name(text(&feature.name))
                .with_min_version(feature.min_version)
                .with_max_version(feature.max_version)
        };
        let finalized = |feature: &FinalizedFeature| {
            t::FinalizedFeatureKey::default()
                .with_name(text(&feature.name))
                .with_max_version_level(feature.max_version_level)
                .with_min_version_level(feature.min_version_level)
        };
        Self::Theirs::default()
            .with_error_code(self.error_code)
            .with_api_keys(self.api_keys.iter().map(api).collect())
            .with_throttle_time_ms(self.throttle_time_ms)
            .with_supported_features(self.supported_features.iter().map(supported).collect())
            .with_finalized_features_epoch(self.finalized_features_epoch)
            .with_finalized_features(self.finalized_features.iter().map(finalized).collect())
    }
}

impl Peer for FindCoordinatorRequest {
    type Theirs = theirs::FindCoordinatorRequest;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let keys = if version >= 4 {
            g.vec(Gen::string)
        } else {
            vec![g.string()]
        };
        let key_type = if version >= 1 { g.i8() } else { KEY_TYPE_GROUP };
        FindCoordinatorRequest { key_type, keys }
    }

    fn theirs(&self, version: i16) -> Self::Theirs {
        let request = Self::Theirs::default().with_key_type(self.key_type);
        match version >= 4 {
            true => request.with_coordinator_keys(self.keys.iter().map(|k| text(k)).collect()),
            false => request.with_key(text(&self.keys[0])),
        }
    }
}

impl Peer for FindCoordinatorResponse {
    type Theirs = theirs::FindCoordinatorResponse;

    fn sample(g: &mut Gen, version: i16) -> Self {
        let coordinator = |g: &mut Gen| Coordinator {
            key: if version >= 4 {
                g.string()
            } else {
                String::new()
            },
            node_id: g.i32(),
            host: g.string(),
            port: g.i32(),
            error_code: g.i16(),
            error_message: if version >= 1 {
                g.option(Gen::string)
            } else {
                None
            },
        };
        let coordinators = match version >= 4 {
            true => g.vec(coordinator),
            false => vec![coordinator(g)],
        };
        let throttle_time_ms = if version >= 1 { g.i32() } else { 0 };
        FindCoordinatorResponse {
            throttle_time_ms,
            coordinators,
        }
    }

    fn theirs(&self, version: i16) -> Self::Theirs {
        let response = Self::Theirs::default().with_throttle_time_ms(self.throttle_time_ms);
        if version < 4 {
            let only = &self.coordinators[0];
            return response
                .with_error_code(only.error_code)
                .with_error_message(match version {
                    // Its default for a field that the version does not have.
                    0 => Some(text("")),
                    _ => optional_text(&only.error_message),
                })
                .with_node_id(BrokerId(only.node_id))
                .with_host(text(&only.host))
                .with_port(only.port);
        }
        let coordinator = |c: &Coordinator| {
            theirs::find_coordinator_response::Coordinator::default()
                .with_key(text(&c.key))
                .with_node_id(BrokerId(c.node_id))
                .with_host(text(&c.host))
                .with_port(c.port)
                .with_error_code(c.error_code)
                .with_error_message(optional_text(&c.error_message))
        };
        response.with_coordinators(self.coordinators.iter().map(coordinator).collect())
    }
}

impl Peer for SaslHandshakeRequest {
    type Theirs = theirs::SaslHandshakeRequest;

    fn sample(g: &mut Gen, _version: i16) -> Self {
        SaslHandshakeRequest {
            mechanism: g.string(),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        Self::Theirs::default().with_mechanism(text(&self.mechanism))
    }
}

impl Peer for SaslHandshakeResponse {
    type Theirs = theirs::SaslHandshakeResponse;

    fn sample(g: &mut Gen, _version: i16) -> Self {
        SaslHandshakeResponse {
            error_code: g.i16(),
            mechanisms: g.vec(Gen::string),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        Self::Theirs::default()
            .with_error_code(self.error_code)
            .with_mechanisms(self.mechanisms.iter().map(|m| text(m)).collect())
    }
}

impl Peer for SaslAuthenticateRequest {
    type Theirs = theirs::SaslAuthenticateRequest;

    fn sample(g: &mut Gen, _version: i16) -> Self {
        SaslAuthenticateRequest {
            auth_bytes: g.bytes(),
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        Self::Theirs::default().with_auth_bytes(self.auth_bytes.clone().into())
    }
}

impl Peer for SaslAuthenticateResponse {
    type Theirs = theirs::SaslAuthenticateResponse;

    fn sample(g: &mut Gen, version: i16) -> Self {
        SaslAuthenticateResponse {
            error_code: g.i16(),
            error_message: g.option(Gen::string),
            auth_bytes: g.bytes(),
            session_lifetime_ms: if version >= 1 { g.i64() } else { 0 },
        }
    }

    fn theirs(&self, _version: i16) -> Self::Theirs {
        Self::Theirs::default()
            .with_error_code(self.error_code)
            .with_error_message(optional_text(&self.error_message))
            .with_auth_bytes(self.auth_bytes.clone().into())
            .with_session_lifetime_ms(self.session_lifetime_ms)
    }
}
