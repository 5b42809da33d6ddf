//! EndTxn: commits or aborts a transaction.

use super::codec::{Reader, Writer};
use super::{ApiKey, Direction, Message, Result};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndTxnRequest {
    pub transactional_id: String,
    pub producer_id: i64,
    pub producer_epoch: i16,
    /// Commit, else abort.
    pub committed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndTxnResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
    /// For the next transaction (version 5, KIP-890); −1: as before.
    pub producer_id: i64,
    pub producer_epoch: i16,
}

impl Default for EndTxnResponse {
    fn default() -> Self {
        EndTxnResponse {
            throttle_time_ms: 0,
            error_code: 0,
            producer_id: -1,
            producer_epoch: -1,
        }
    }
}

impl Message for EndTxnRequest {
    const API: ApiKey = ApiKey::EndTxn;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, _version: i16, w: &mut Writer) {
        w.string(&self.transactional_id);
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        w.bool(self.committed);
        w.no_tags();
    }

    fn read(_version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let request = EndTxnRequest {
            transactional_id: r.string()?,
            producer_id: r.i64()?,
            producer_epoch: r.i16()?,
            committed: r.bool()?,
        };
        r.skip_tags()?;
        Ok(request)
    }
}

impl Message for EndTxnResponse {
    const API: ApiKey = ApiKey::EndTxn;
    const DIRECTION: Direction = Direction::Response;

    fn write(&self, version: i16, w: &mut Writer) {
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        if version >= 5 {
            w.i64(self.producer_id);
            w.i16(self.producer_epoch);
        }
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut response = EndTxnResponse {
            throttle_time_ms: r.i32()?,
            error_code: r.i16()?,
            ..Self::default()
        };
        if version >= 5 {
            response.producer_id = r.i64()?;
            response.producer_epoch = r.i16()?;
        }
        r.skip_tags()?;
        Ok(response)
    }
}
