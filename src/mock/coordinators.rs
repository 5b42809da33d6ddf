//! Which broker coordinates a group or transactional id, and FindCoordinator.

use super::cluster::{BrokerState, MockCluster};
use super::serve::Call;
use super::wire;
use crate::error::ErrorCode;
use crate::protocol::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse, KEY_TYPE_GROUP,
    KEY_TYPE_TRANSACTION,
};
use std::collections::BTreeMap;
use std::time::Duration;

/// Partitions of a broker's topics `__transaction_state` and `__consumer_offsets`.
const PARTITIONS: i32 = 50;

/// What a coordinator coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CoordinatorKind {
    Group,
    Transaction,
}

/// The coordinators that are not where the hash of their key puts them.
#[derive(Debug, Default)]
pub(super) struct Coordinators {
    moved: BTreeMap<(CoordinatorKind, String), i32>,
    loading: BTreeMap<(CoordinatorKind, String), Duration>,
}

impl MockCluster {
    /// The coordinator of a group or transactional id; `None` while no broker is there.
    pub fn coordinator(&self, kind: CoordinatorKind, key: &str) -> Option<i32> {
        let listed = |id: &i32| !matches!(self.broker_state(*id), None | Some(BrokerState::Down));
        let moved = self.coordinators.moved.get(&(kind, key.to_owned()));
        let ids: Vec<i32> = self.brokers.keys().copied().collect();
        let home = moved
            .and_then(|moved| ids.iter().position(|id| id == moved))
            .unwrap_or((java_hash(key) & i32::MAX) as usize % PARTITIONS as usize);
        // The next broker takes over from one that is down.
        let candidates = ids.iter().cycle().skip(home % ids.len().max(1));
        candidates.take(ids.len()).copied().find(listed)
    }

    /// Moves a coordinator to another broker, which is loading its state until `loading` is over.
    pub fn move_coordinator(
        &mut self,
        kind: CoordinatorKind,
        key: &str,
        broker: i32,
        loading: Duration,
    ) {
        let key = (kind, key.to_owned());
        let until = self.now + loading;
        self.coordinators.loading.insert(key.clone(), until);
        self.coordinators.moved.insert(key, broker);
    }

    /// An error unless the broker that is asked coordinates the key and has loaded its state.
    pub(super) fn check_coordinator(
        &self,
        call: &Call<'_>,
        kind: CoordinatorKind,
        key: &str,
    ) -> Result<(), ErrorCode> {
        if self.coordinator(kind, key) != Some(call.broker) {
            return Err(ErrorCode::NOT_COORDINATOR);
        }
        self.check_loaded(kind, key, call.now)
    }

    fn check_loaded(
        &self,
        kind: CoordinatorKind,
        key: &str,
        now: Duration,
    ) -> Result<(), ErrorCode> {
        let loading = self.coordinators.loading.get(&(kind, key.to_owned()));
        match loading.is_some_and(|&until| now < until) {
            true => Err(ErrorCode::COORDINATOR_LOAD_IN_PROGRESS),
            false => Ok(()),
        }
    }

    /// An error unless another broker can ask the transaction's coordinator.
    pub(super) fn reach_coordinator(&self, key: &str, now: Duration) -> Result<(), ErrorCode> {
        let kind = CoordinatorKind::Transaction;
        match self.coordinator(kind, key) {
            None => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
            Some(id) if !self.is_up(id) => Err(ErrorCode::NETWORK_EXCEPTION),
            Some(_) => self.check_loaded(kind, key, now),
        }
    }

    pub(super) fn find_coordinator(
        &self,
        call: &Call<'_>,
        request: &FindCoordinatorRequest,
    ) -> FindCoordinatorResponse {
        let kind = match request.key_type {
            KEY_TYPE_GROUP => Ok(CoordinatorKind::Group),
            KEY_TYPE_TRANSACTION => Ok(CoordinatorKind::Transaction),
            _ => Err(ErrorCode::INVALID_REQUEST),
        };
        let find = |key: &str| match call.errors.error() {
            Some(error) => Err(error.code),
            None => self
                .coordinator(kind?, key)
                .ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE),
        };
        let coordinator = |key: &String| {
            let found = find(key).map(|id| (id, self.endpoint(id).unwrap_or_default()));
            let (error_code, (node_id, (host, port))) = match found {
                Ok((id, (host, port))) => (0, (id, (host, i32::from(port)))),
                Err(code) => (wire(code), (-1, ("", -1))),
            };
            Coordinator {
                key: key.clone(),
                node_id,
                host: host.to_owned(),
                port,
                error_code,
                error_message: None,
            }
        };
        FindCoordinatorResponse {
            throttle_time_ms: call.throttle_ms,
            coordinators: request.keys.iter().map(coordinator).collect(),
        }
    }
}

/// Java's `String.hashCode`, by which brokers choose the partition that keeps a key.
fn java_hash(key: &str) -> i32 {
    key.encode_utf16().fold(0, |hash: i32, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    })
}
