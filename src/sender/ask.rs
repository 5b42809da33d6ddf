//! Requests without records: handing them over, and asking a broker again what the cluster has finalized.

use bytes::Bytes;
use tokio::time::Instant;

use super::Engine;
use super::broker::{Link, Subject};
use super::drain::{Outstanding, Question};
use crate::error::ErrorCode;
use crate::network::{OutgoingRequest, RequestId, version_question};
use crate::protocol::api_versions::ApiVersionsResponse;
use crate::protocol::{ApiKey, Message, ProtocolError, VersionSet};

/// Answers of older versions name no features.
const FIRST_WITH_FEATURES: i16 = 3;

impl Engine {
    /// Hands a request to the broker's connection. `None`: there is none, or it has just ended.
    pub(super) fn ask(
        &mut self,
        node: i32,
        (api, version, body): (ApiKey, i16, Bytes),
        kind: fn(Question) -> Outstanding,
        now: Instant,
    ) -> Option<RequestId> {
        let id = self.next_request_id();
        let broker = self.brokers.get_mut(&node)?;
        let Link::Ready { conn, handle, .. } = &broker.link else {
            return None;
        };
        let outgoing = OutgoingRequest {
            id,
            api,
            version,
            body: vec![body],
            expects_response: true,
            timeout: self.config.request_timeout,
        };
        handle.send(outgoing).ok()?;
        let question = Question {
            api,
            broker: node,
            conn: *conn,
            sent: now,
        };
        broker.in_flight += 1;
        broker.waiting_since.get_or_insert(now);
        self.requests.insert(id, kind(question));
        self.note_awaited();
        Some(id)
    }

    /// A connection says at its beginning what the cluster has finalized, and may last for days: transactions follow a
    /// feature's change without waiting for its end.
    pub(super) fn ask_features(&mut self, node: i32, now: Instant) {
        if !self.transactor.is_transactional() {
            return;
        }
        let offered = self.brokers.get(&node).and_then(|broker| broker.versions());
        let version = offered
            .and_then(|offered| offered.pick(ApiKey::ApiVersions, i16::MAX))
            .filter(|version| *version >= FIRST_WITH_FEATURES);
        let request = version_question(&self.config.connection);
        if let Some(version) = version
            && let Ok(body) = request.encode(version)
        {
            let request = (ApiKey::ApiVersions, version, body);
            // Where the connection has just ended, the next one begins with the same question.
            self.ask(node, request, Outstanding::Features, now);
        }
    }

    pub(super) fn on_features_response(
        &mut self,
        id: RequestId,
        version: i16,
        body: &Bytes,
        now: Instant,
    ) -> Result<(), ProtocolError> {
        let response = ApiVersionsResponse::decode(version, body)?;
        let Some(Outstanding::Features(question)) = self.take_request(id) else {
            return Ok(());
        };
        let throttle_ms = response.throttle_time_ms;
        self.note_answer(question.broker, Subject::Metadata, throttle_ms, now);
        if ErrorCode::of_broker(response.error_code) == ErrorCode::OK {
            self.learn_features(&VersionSet::new(&response));
        }
        Ok(())
    }

    pub(super) fn learn_features(&mut self, versions: &VersionSet) {
        let level = versions.feature("transaction.version");
        self.transactor
            .learn_feature(versions.features_epoch(), level);
    }
}
