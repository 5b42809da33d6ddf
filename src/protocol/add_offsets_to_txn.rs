//! AddOffsetsToTxn: a transaction will commit a group's offsets.

use super::codec::{Reader, Writer};
use super::{ApiKey, Direction, Message, Result};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddOffsetsToTxnRequest {
    pub transactional_id: String,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub group_id: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddOffsetsToTxnResponse {
    pub throttle_time_ms: i32,
    pub error_code: i16,
}

impl Message for AddOffsetsToTxnRequest {
    const API: ApiKey = ApiKey::AddOffsetsToTxn;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, _version: i16, w: &mut Writer) {
        w.string(&self.transactional_id);
        w.i64(self.producer_id);
        w.i16(self.producer_epoch);
        w.string(&self.group_id);
        w.no_tags();
    }

    fn read(_version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let request = AddOffsetsToTxnRequest {
            transactional_id: r.string()?,
            producer_id: r.i64()?,
            producer_epoch: r.i16()?,
            group_id: r.string()?,
        };
        r.skip_tags()?;
        Ok(request)
    }
}

impl Message for AddOffsetsToTxnResponse {
    const API: ApiKey = ApiKey::AddOffsetsToTxn;
    const DIRECTION: Direction = Direction::Response;

    fn write(&self, _version: i16, w: &mut Writer) {
        w.i32(self.throttle_time_ms);
        w.i16(self.error_code);
        w.no_tags();
    }

    fn read(_version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let response = AddOffsetsToTxnResponse {
            throttle_time_ms: r.i32()?,
            error_code: r.i16()?,
        };
        r.skip_tags()?;
        Ok(response)
    }
}
