//! FindCoordinator: which broker coordinates a group or a transactional id.

use super::codec::{Reader, Writer};
use super::{ApiKey, Direction, ErrorKind, Message, Result};

/// Asks for a group's coordinator.
pub const KEY_TYPE_GROUP: i8 = 0;
/// Asks for a transactional id's coordinator (version 1 and newer).
pub const KEY_TYPE_TRANSACTION: i8 = 1;

/// Before version 4 there is exactly one key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindCoordinatorRequest {
    pub key_type: i8,
    pub keys: Vec<String>,
}

/// Before version 4 there is exactly one coordinator, and its key is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindCoordinatorResponse {
    pub throttle_time_ms: i32,
    pub coordinators: Vec<Coordinator>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coordinator {
    pub key: String,
    pub node_id: i32,
    pub host: String,
    pub port: i32,
    pub error_code: i16,
    pub error_message: Option<String>,
}

impl Message for FindCoordinatorRequest {
    const API: ApiKey = ApiKey::FindCoordinator;
    const DIRECTION: Direction = Direction::Request;

    fn write(&self, version: i16, w: &mut Writer) {
        if version < 4 {
            match self.keys.as_slice() {
                [key] => w.string(key),
                _ => w.fail(ErrorKind::NotExpressible(
                    "other than one key before version 4",
                )),
            }
        }
        if version >= 1 {
            w.i8(self.key_type);
        } else if self.key_type != KEY_TYPE_GROUP {
            w.fail(ErrorKind::NotExpressible(
                "a key that is no group before version 1",
            ));
        }
        if version >= 4 {
            w.array(&self.keys, |w, key| w.string(key));
        }
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut request = FindCoordinatorRequest::default();
        if version < 4 {
            request.keys.push(r.string()?);
        }
        if version >= 1 {
            request.key_type = r.i8()?;
        }
        if version >= 4 {
            request.keys = r.array(1, Reader::string)?;
        }
        r.skip_tags()?;
        Ok(request)
    }
}

impl Message for FindCoordinatorResponse {
    const API: ApiKey = ApiKey::FindCoordinator;
    const DIRECTION: Direction = Direction::Response;

    fn write(&self, version: i16, w: &mut Writer) {
        if version >= 1 {
            w.i32(self.throttle_time_ms);
        }
        if version >= 4 {
            w.array(&self.coordinators, write_coordinator);
        } else {
            match self.coordinators.as_slice() {
                [only] => write_only_coordinator(version, w, only),
                _ => w.fail(ErrorKind::NotExpressible(
                    "other than one coordinator before version 4",
                )),
            }
        }
        w.no_tags();
    }

    fn read(version: i16, r: &mut Reader<'_>) -> Result<Self> {
        let mut response = FindCoordinatorResponse::default();
        if version >= 1 {
            response.throttle_time_ms = r.i32()?;
        }
        response.coordinators = match version >= 4 {
            true => r.array(14, read_coordinator)?,
            false => vec![read_only_coordinator(version, r)?],
        };
        r.skip_tags()?;
        Ok(response)
    }
}

fn write_coordinator(w: &mut Writer, coordinator: &Coordinator) {
    w.string(&coordinator.key);
    w.i32(coordinator.node_id);
    w.string(&coordinator.host);
    w.i32(coordinator.port);
    w.i16(coordinator.error_code);
    w.nullable_string(coordinator.error_message.as_deref());
    w.no_tags();
}

fn read_coordinator(r: &mut Reader<'_>) -> Result<Coordinator> {
    let coordinator = Coordinator {
        key: r.string()?,
        node_id: r.i32()?,
        host: r.string()?,
        port: r.i32()?,
        error_code: r.i16()?,
        error_message: r.nullable_string()?,
    };
    r.skip_tags()?;
    Ok(coordinator)
}

fn write_only_coordinator(version: i16, w: &mut Writer, coordinator: &Coordinator) {
    w.i16(coordinator.error_code);
    if version >= 1 {
        w.nullable_string(coordinator.error_message.as_deref());
    }
    w.i32(coordinator.node_id);
    w.string(&coordinator.host);
    w.i32(coordinator.port);
}

fn read_only_coordinator(version: i16, r: &mut Reader<'_>) -> Result<Coordinator> {
    let mut coordinator = Coordinator {
        error_code: r.i16()?,
        ..Coordinator::default()
    };
    if version >= 1 {
        coordinator.error_message = r.nullable_string()?;
    }
    coordinator.node_id = r.i32()?;
    coordinator.host = r.string()?;
    coordinator.port = r.i32()?;
    Ok(coordinator)
}
