//! Which versions each mock broker offers, and ApiVersions.

use super::cluster::MockCluster;
use super::serve::Call;
use super::wire;
use crate::error::ErrorCode;
use crate::protocol::ApiKey;
use crate::protocol::VersionRange;
use crate::protocol::api_versions::{ApiVersion, ApiVersionsResponse, FinalizedFeature};
use std::collections::BTreeMap;

/// A Kafka release whose version ranges a mock broker can offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KafkaVersion {
    V2_1,
    V2_8,
    V3_9,
    V4_3,
}

impl KafkaVersion {
    fn sasl_ranges(self) -> &'static [(ApiKey, i16, i16)] {
        use ApiKey::{SaslAuthenticate, SaslHandshake};
        match self {
            KafkaVersion::V2_1 => &[(SaslHandshake, 0, 1), (SaslAuthenticate, 0, 0)],
            _ => &[(SaslHandshake, 0, 1), (SaslAuthenticate, 0, 2)],
        }
    }

    fn ranges(self) -> &'static [(ApiKey, i16, i16)] {
        use ApiKey::*;
        match self {
            KafkaVersion::V2_1 => &[
                (Produce, 0, 7),
                (Fetch, 0, 10),
                (ListOffsets, 0, 4),
                (Metadata, 0, 7),
                (FindCoordinator, 0, 2),
                (ApiVersions, 0, 2),
                (InitProducerId, 0, 1),
            ],
            KafkaVersion::V2_8 => &[
                (Produce, 0, 9),
                (Fetch, 0, 12),
                (ListOffsets, 0, 6),
                (Metadata, 0, 11),
                (FindCoordinator, 0, 3),
                (ApiVersions, 0, 3),
                (InitProducerId, 0, 4),
            ],
            KafkaVersion::V3_9 => &[
                (Produce, 0, 11),
                (Fetch, 0, 12),
                (ListOffsets, 0, 6),
                (Metadata, 0, 12),
                (FindCoordinator, 0, 6),
                (ApiVersions, 0, 4),
                (InitProducerId, 0, 5),
            ],
            KafkaVersion::V4_3 => &[
                (Produce, 0, 13),
                (Fetch, 4, 12),
                (ListOffsets, 1, 6),
                (Metadata, 0, 13),
                (FindCoordinator, 0, 6),
                (ApiVersions, 0, 4),
                (InitProducerId, 0, 5),
            ],
        }
    }
}

/// What one broker offers.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    release: KafkaVersion,
    ranges: BTreeMap<ApiKey, VersionRange>,
    features: Vec<FinalizedFeature>,
}

impl Offer {
    /// What `version` offers, of the APIs that the mock serves. Where it offers more than the mock can serve,
    /// such as Produce before version 3, the connection of who asks for it is closed, as newer brokers do.
    pub fn of(version: KafkaVersion) -> Self {
        let ranges = version
            .ranges()
            .iter()
            .chain(version.sasl_ranges())
            .map(|&(api, min, max)| (api, VersionRange { min, max }));
        Offer {
            release: version,
            ranges: ranges.collect(),
            features: Vec::new(),
        }
    }

    pub fn release(&self) -> KafkaVersion {
        self.release
    }

    pub fn set(&mut self, api: ApiKey, range: Option<VersionRange>) {
        match range {
            Some(range) => self.ranges.insert(api, range),
            None => self.ranges.remove(&api),
        };
    }

    pub fn set_feature(&mut self, name: &str, level: i16) {
        self.features.retain(|feature| feature.name != name);
        self.features.push(FinalizedFeature {
            name: name.to_owned(),
            max_version_level: level,
            min_version_level: level,
        });
    }

    /// Whether a request of this version is offered and can be served.
    pub fn serves(&self, api: ApiKey, version: i16) -> bool {
        let within = |range: VersionRange| (range.min..=range.max).contains(&version);
        within(api.versions()) && self.ranges.get(&api).copied().is_some_and(within)
    }
}

impl MockCluster {
    pub(super) fn api_versions(&self, call: &Call<'_>) -> ApiVersionsResponse {
        let Some(offer) = self.offer(call.broker) else {
            return ApiVersionsResponse::default();
        };
        ApiVersionsResponse {
            error_code: call.errors.code(),
            api_keys: offer.ranges.iter().map(listed).collect(),
            throttle_time_ms: call.throttle_ms,
            finalized_features_epoch: if offer.features.is_empty() { -1 } else { 1 },
            finalized_features: offer.features.clone(),
            ..ApiVersionsResponse::default()
        }
    }

    /// The answer, in the form of version 0, to a version of ApiVersions that the broker does not know.
    pub(super) fn unknown_api_versions(&self, broker: i32) -> ApiVersionsResponse {
        let own = self
            .offer(broker)
            .and_then(|offer| offer.ranges.get_key_value(&ApiKey::ApiVersions));
        ApiVersionsResponse {
            error_code: wire(ErrorCode::UNSUPPORTED_VERSION),
            api_keys: own.map(listed).into_iter().collect(),
            ..ApiVersionsResponse::default()
        }
    }
}

fn listed((api, range): (&ApiKey, &VersionRange)) -> ApiVersion {
    ApiVersion {
        api_key: api.code(),
        min_version: range.min,
        max_version: range.max,
    }
}
