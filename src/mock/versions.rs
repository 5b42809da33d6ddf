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
                (AddPartitionsToTxn, 0, 1),
                (AddOffsetsToTxn, 0, 1),
                (EndTxn, 0, 1),
                (TxnOffsetCommit, 0, 2),
            ],
            KafkaVersion::V2_8 => &[
                (Produce, 0, 9),
                (Fetch, 0, 12),
                (ListOffsets, 0, 6),
                (Metadata, 0, 11),
                (FindCoordinator, 0, 3),
                (ApiVersions, 0, 3),
                (InitProducerId, 0, 4),
                (AddPartitionsToTxn, 0, 3),
                (AddOffsetsToTxn, 0, 3),
                (EndTxn, 0, 3),
                (TxnOffsetCommit, 0, 3),
            ],
            KafkaVersion::V3_9 => &[
                (Produce, 0, 11),
                (Fetch, 0, 12),
                (ListOffsets, 0, 6),
                (Metadata, 0, 12),
                (FindCoordinator, 0, 6),
                (ApiVersions, 0, 4),
                (InitProducerId, 0, 5),
                (AddPartitionsToTxn, 0, 5),
                (AddOffsetsToTxn, 0, 4),
                (EndTxn, 0, 4),
                (TxnOffsetCommit, 0, 4),
            ],
            KafkaVersion::V4_3 => &[
                (Produce, 0, 13),
                (Fetch, 4, 12),
                (ListOffsets, 1, 6),
                (Metadata, 0, 13),
                (FindCoordinator, 0, 6),
                (ApiVersions, 0, 4),
                (InitProducerId, 0, 5),
                (AddPartitionsToTxn, 0, 5),
                (AddOffsetsToTxn, 0, 4),
                (EndTxn, 0, 5),
                (TxnOffsetCommit, 0, 5),
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
    /// Counts the changes of the features; an answer of a lower one is older.
    features_epoch: i64,
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
        let mut offer = Offer {
            release: version,
            ranges: ranges.collect(),
            features: Vec::new(),
            features_epoch: 0,
        };
        if version >= KafkaVersion::V4_3 {
            offer.set_feature("transaction.version", 2);
        }
        offer
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

    /// Finalizes a feature at a level; at 0 it is as if there were none.
    pub fn set_feature(&mut self, name: &str, level: i16) {
        self.features_epoch += 1;
        self.features.retain(|feature| feature.name != name);
        if level > 0 {
            self.features.push(FinalizedFeature {
                name: name.to_owned(),
                max_version_level: level,
                min_version_level: level,
            });
        }
    }

    /// The finalized level of a feature.
    pub fn feature(&self, name: &str) -> i16 {
        let found = self.features.iter().find(|feature| feature.name == name);
        found.map_or(0, |feature| feature.max_version_level)
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
            finalized_features_epoch: match offer.features_epoch {
                0 => -1,
                epoch => epoch,
            },
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
