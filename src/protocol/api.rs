//! The APIs, the versions of them spoken here, and those a broker offers.

use super::api_versions::{ApiVersionsResponse, FinalizedFeature};
use super::{ErrorKind, ProtocolError, Result};
use std::fmt;

/// A range of versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    pub min: i16,
    pub max: i16,
}

struct Spec {
    code: i16,
    name: &'static str,
    versions: VersionRange,
    /// The first version with compact lengths and tagged fields, if there is one.
    flexible_from: Option<i16>,
}

macro_rules! apis {
    ($($name:ident = $code:literal, $min:literal..=$max:literal, $flexible:expr;)*) => {
        /// A request type, by Kafka's own name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum ApiKey { $($name,)* }

        /// In the order of [`ApiKey`].
        const SPECS: &[Spec] = &[$(Spec {
            code: $code,
            name: stringify!($name),
            versions: VersionRange { min: $min, max: $max },
            flexible_from: $flexible,
        },)*];

        impl ApiKey {
            /// Every API spoken here.
            pub const ALL: &[ApiKey] = &[$(ApiKey::$name,)*];

            /// The API with this number, if it is spoken here.
            pub fn from_code(code: i16) -> Option<ApiKey> {
                match code {
                    $($code => Some(ApiKey::$name),)*
                    _ => None,
                }
            }
        }
    };
}

apis! {
    Produce = 0, 3..=13, Some(9);
    Fetch = 1, 4..=12, Some(12);
    ListOffsets = 2, 1..=6, Some(6);
    Metadata = 3, 1..=13, Some(9);
    FindCoordinator = 10, 0..=6, Some(3);
    SaslHandshake = 17, 0..=1, None;
    ApiVersions = 18, 0..=4, Some(3);
    InitProducerId = 22, 0..=5, Some(2);
    AddPartitionsToTxn = 24, 0..=3, Some(3);
    AddOffsetsToTxn = 25, 0..=4, Some(3);
    EndTxn = 26, 0..=5, Some(3);
    TxnOffsetCommit = 28, 0..=5, Some(3);
    SaslAuthenticate = 36, 0..=2, Some(2);
}

impl ApiKey {
    fn spec(self) -> &'static Spec {
        &SPECS[self as usize]
    }

    /// Kafka's number of the API.
    pub fn code(self) -> i16 {
        self.spec().code
    }

    /// Kafka's name of the API.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The versions spoken here.
    pub fn versions(self) -> VersionRange {
        self.spec().versions
    }

    /// Whether this version has compact lengths and tagged fields.
    pub fn is_flexible(self, version: i16) -> bool {
        self.spec()
            .flexible_from
            .is_some_and(|from| version >= from)
    }

    /// The version of the request header that goes before this version of the request.
    pub fn request_header_version(self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// The version of the response header. That of ApiVersions never changes (KIP-511): its reader
    /// cannot know yet what the broker speaks.
    pub fn response_header_version(self, version: i16) -> i16 {
        let fixed = self == ApiKey::ApiVersions;
        if !fixed && self.is_flexible(version) {
            1
        } else {
            0
        }
    }

    /// An error unless the version is spoken here.
    pub(crate) fn check(self, version: i16) -> Result<()> {
        let VersionRange { min, max } = self.versions();
        if (min..=max).contains(&version) {
            return Ok(());
        }
        Err(ProtocolError::new(
            ErrorKind::UnsupportedVersion { version },
            0,
        ))
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a broker offers: its version ranges and the cluster's finalized features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionSet {
    ranges: [Option<VersionRange>; ApiKey::ALL.len()],
    features: Vec<FinalizedFeature>,
    features_epoch: i64,
}

impl VersionSet {
    /// Takes the offer from the broker's answer; APIs not spoken here are left out.
    pub fn new(response: &ApiVersionsResponse) -> VersionSet {
        let mut set = VersionSet {
            ranges: [None; ApiKey::ALL.len()],
            features: response.finalized_features.clone(),
            features_epoch: response.finalized_features_epoch,
        };
        for offer in &response.api_keys {
            if let Some(api) = ApiKey::from_code(offer.api_key) {
                set.ranges[api as usize] = Some(VersionRange {
                    min: offer.min_version,
                    max: offer.max_version,
                });
            }
        }
        set
    }

    /// What the broker offers of this API.
    pub fn offered(&self, api: ApiKey) -> Option<VersionRange> {
        self.ranges[api as usize]
    }

    /// The newest version that both sides speak and that is not above `our_cap`.
    pub fn pick(&self, api: ApiKey, our_cap: i16) -> Option<i16> {
        let theirs = self.offered(api)?;
        let ours = api.versions();
        let version = our_cap.min(ours.max).min(theirs.max);
        (version >= ours.min.max(theirs.min)).then_some(version)
    }

    /// The finalized level of a feature such as `transaction.version`; 0 where it is not finalized.
    pub fn feature(&self, name: &str) -> i16 {
        let found = self.features.iter().find(|f| f.name == name);
        found.map_or(0, |f| f.max_version_level)
    }

    /// The epoch of the finalized features; an answer with a lower one is older. −1: none known.
    pub fn features_epoch(&self) -> i64 {
        self.features_epoch
    }
}
