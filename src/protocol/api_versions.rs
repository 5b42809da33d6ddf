//! ApiVersions: what a broker speaks, and which features the cluster has finalized.

use super::codec::{Reader, Writer};
use super::{ApiKey, Direction, Message, Result};

/// The error with which a broker answers, in version 0, a version that it does not know.
pub const UNSUPPORTED_VERSION: i16 = 35;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersionsRequest {
    pub client_software_name: String,
    pub client_software_version: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersionsResponse {
    pub error_code: i16,
    pub api_keys: Vec<ApiVersion>,
    pub throttle_time_ms: i32,
    pub supported_features: Vec<SupportedFeature>,
    /// −1: unknown.
    pub finalized_features_epoch: i64,
    pub finalized_features: Vec<FinalizedFeature>,
}

/// The versions offered of one API, which need not be one that is spoken here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersion {
    pub api_key: i16,
    pub min_version: i16,
    pub max_version: i16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SupportedFeature {
    pub name: String,
    pub min_version: i16,
    pub max_version: i16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FinalizedFeature {
    pub name: String,
    pub max_version_level: i16,
    pub min_version_level: i16,
}

impl Default for ApiVersionsResponse {
    fn default() -> Self {
        ApiVersionsResponse {
            error_code: 0,
            api_keys: Vec::new(),
            throttle_time_ms: 0,
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
        }
    }
}

impl Message for ApiVersionsRequest {
    const API: ApiKey = ApiKey::ApiVersions;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, version: i16, w: &mut Writer) {
        if version >= 3 {
            w.string(&self.client_software_name);
            w.string(&self.client_software_version);
        }
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut request = ApiVersionsRequest::default();
        if version >= 3 {
            request.client_software_name = r.string()?;
            request.client_software_version = r.string()?;
        }
        r.skip_tags()?;
        Ok(request)
    }
}

impl Message for ApiVersionsResponse {
    const API: ApiKey = ApiKey::ApiVersions;
    const DIRECTION: Direction = Direction::Response;

    fn write(&self, version: i16, w: &mut Writer) {
        w.i16(self.error_code);
        let version = version_of_form(self.error_code, version);
        w.set_flexible(Self::API.is_flexible(version));
        w.array(&self.api_keys, |w, api| {
            w.i16(api.api_key);
            w.i16(api.min_version);
            w.i16(api.max_version);
            w.no_tags();
        });
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        w.tags(|tags| {
            if !self.supported_features.is_empty() {
                tags.field(0, |w| w.array(&self.supported_features, write_supported));
            }
            if self.finalized_features_epoch != -1 {
                tags.field(1, |w| w.i64(self.finalized_features_epoch));
            }
            if !self.finalized_features.is_empty() {
                tags.field(2, |w| w.array(&self.finalized_features, write_finalized));
            }
        });
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut response = ApiVersionsResponse {
            error_code: r.i16()?,
            ..Self::default()
        };
        let version = version_of_form(response.error_code, version);
        r.set_flexible(Self::API.is_flexible(version));
        response.api_keys = r.array(6, |r| {
            let api = ApiVersion {
                api_key: r.i16()?,
                min_version: r.i16()?,
                max_version: r.i16()?,
            };
            r.skip_tags()?;
            Ok(api)
        })?;
        if version >= 1 {
            response.throttle_time_ms = r.i32()?;
        }
        r.tags(|tag, r| {
            match tag {
                0 => response.supported_features = r.array(6, read_supported)?,
                1 => response.finalized_features_epoch = r.i64()?,
                2 => response.finalized_features = r.array(6, read_finalized)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(response)
    }
}

/// An answer with the error [`UNSUPPORTED_VERSION`] has the form of version 0, whatever was asked: who asked need not
/// know that version's form (KIP-511).
fn version_of_form(error_code: i16, asked: i16) -> i16 {
    match error_code {
        UNSUPPORTED_VERSION => 0,
        _ => asked,
    }
}

fn write_supported(w: &mut Writer, feature: &SupportedFeature) {
    w.string(&feature.name);
    w.i16(feature.min_version);
    w.i16(feature.max_version);
    w.no_tags();
}

fn read_supported(r: &mut Reader<'_>) -> Result<SupportedFeature> {
    let feature = SupportedFeature {
        name: r.string()?,
        min_version: r.i16()?,
        max_version: r.i16()?,
    };
    r.skip_tags()?;
    Ok(feature)
}

fn write_finalized(w: &mut Writer, feature: &FinalizedFeature) {
    w.string(&feature.name);
    w.i16(feature.max_version_level);
    w.i16(feature.min_version_level);
    w.no_tags();
}

fn read_finalized(r: &mut Reader<'_>) -> Result<FinalizedFeature> {
    let feature = FinalizedFeature {
        name: r.string()?,
        max_version_level: r.i16()?,
        min_version_level: r.i16()?,
    };
    r.skip_tags()?;
    Ok(feature)
}
