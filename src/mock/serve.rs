//! The sans-I/O entry of the mock cluster: a request frame comes in, what the broker does comes out.

use super::cluster::MockCluster;
use super::fault::{Errors, FaultKind, Strike, Touched, When};
use super::requests::{RequestEntry, produced_batches};
use crate::protocol::add_offsets_to_txn::AddOffsetsToTxnRequest;
use crate::protocol::add_partitions_to_txn::AddPartitionsToTxnRequest;
use crate::protocol::api_versions::ApiVersionsRequest;
use crate::protocol::end_txn::EndTxnRequest;
use crate::protocol::fetch::FetchRequest;
use crate::protocol::find_coordinator::FindCoordinatorRequest;
use crate::protocol::init_producer_id::InitProducerIdRequest;
use crate::protocol::list_offsets::ListOffsetsRequest;
use crate::protocol::metadata::MetadataRequest;
use crate::protocol::produce::{ProduceRequest, TopicProduceData};
use crate::protocol::sasl::{SaslAuthenticateRequest, SaslHandshakeRequest};
use crate::protocol::txn_offset_commit::TxnOffsetCommitRequest;
use crate::protocol::{self, ApiKey, Message, RequestHeader, Uuid, encode_response_header};
use bytes::{BufMut, Bytes, BytesMut};
use std::time::Duration;

/// What a broker does with a connection. Times are since the cluster's beginning; the actions of a connection
/// happen in the order in which they were given, none before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Sends these bytes, frame length included.
    Send { at: Duration, bytes: Bytes },
    /// Closes the connection.
    Close { at: Duration },
}

/// A request's header and circumstances.
#[derive(Clone, Copy)]
struct Head {
    broker: i32,
    connection: u64,
    now: Duration,
    api: ApiKey,
    version: i16,
    correlation_id: i32,
}

/// What answering a request needs to know beside it.
pub(super) struct Call<'a> {
    pub broker: i32,
    pub connection: u64,
    pub version: i16,
    pub now: Duration,
    pub throttle_ms: i32,
    pub errors: &'a Errors,
}

/// What a request got.
pub(super) enum Answer {
    Body(Bytes),
    /// A body that is held back this long.
    Later(Bytes, Duration),
    /// A body after which the connection is closed.
    Last(Bytes),
    /// acks=0, and all went well.
    Nothing,
    /// acks=0, and it did not: the only way to tell.
    Close,
}

/// A request that was read.
enum Request {
    Produce(ProduceRequest),
    Fetch(FetchRequest),
    ListOffsets(ListOffsetsRequest),
    Metadata(MetadataRequest),
    FindCoordinator(FindCoordinatorRequest),
    ApiVersions,
    InitProducerId(InitProducerIdRequest),
    AddPartitionsToTxn(AddPartitionsToTxnRequest),
    AddOffsetsToTxn(AddOffsetsToTxnRequest),
    TxnOffsetCommit(TxnOffsetCommitRequest),
    EndTxn(EndTxnRequest),
    SaslHandshake(SaslHandshakeRequest),
    SaslAuthenticate(SaslAuthenticateRequest),
}

impl Request {
    fn decode(api: ApiKey, version: i16, body: &Bytes) -> protocol::Result<Request> {
        fn read<M: Message>(
            version: i16,
            body: &Bytes,
            kind: fn(M) -> Request,
        ) -> protocol::Result<Request> {
            M::decode_shared(version, body).map(kind)
        }
        match api {
            ApiKey::Produce => read(version, body, Request::Produce),
            ApiKey::Fetch => read(version, body, Request::Fetch),
            ApiKey::ListOffsets => read(version, body, Request::ListOffsets),
            ApiKey::Metadata => read(version, body, Request::Metadata),
            ApiKey::FindCoordinator => read(version, body, Request::FindCoordinator),
            ApiKey::ApiVersions => {
                read(version, body, |_: ApiVersionsRequest| Request::ApiVersions)
            }
            ApiKey::InitProducerId => read(version, body, Request::InitProducerId),
            ApiKey::AddPartitionsToTxn => read(version, body, Request::AddPartitionsToTxn),
            ApiKey::AddOffsetsToTxn => read(version, body, Request::AddOffsetsToTxn),
            ApiKey::TxnOffsetCommit => read(version, body, Request::TxnOffsetCommit),
            ApiKey::EndTxn => read(version, body, Request::EndTxn),
            ApiKey::SaslHandshake => read(version, body, Request::SaslHandshake),
            ApiKey::SaslAuthenticate => read(version, body, Request::SaslAuthenticate),
        }
    }

    /// The transactional id and the group that it names, or whatever keys it asks the coordinators of.
    fn keys(&self) -> Vec<String> {
        let one = |key: &String| vec![key.clone()];
        match self {
            Request::Produce(request) => request.transactional_id.iter().cloned().collect(),
            Request::FindCoordinator(request) => request.keys.clone(),
            Request::InitProducerId(request) => request.transactional_id.iter().cloned().collect(),
            Request::AddPartitionsToTxn(request) => one(&request.transactional_id),
            Request::EndTxn(request) => one(&request.transactional_id),
            Request::AddOffsetsToTxn(request) => {
                vec![request.transactional_id.clone(), request.group_id.clone()]
            }
            Request::TxnOffsetCommit(request) => {
                vec![request.transactional_id.clone(), request.group_id.clone()]
            }
            Request::Fetch(_)
            | Request::ListOffsets(_)
            | Request::Metadata(_)
            | Request::ApiVersions
            | Request::SaslHandshake(_)
            | Request::SaslAuthenticate(_) => Vec::new(),
        }
    }
}

impl MockCluster {
    /// Serves one request: `frame` is what came in on the connection, without its length.
    pub fn handle(
        &mut self,
        broker: i32,
        connection: u64,
        now: Duration,
        frame: Bytes,
    ) -> Vec<Action> {
        self.advance(now);
        let close = vec![Action::Close { at: now }];
        let bytes = frame.len();
        let mut body = frame;
        let Ok(header) = RequestHeader::decode(&mut body) else {
            return close;
        };
        let Some(api) = header.api().filter(|_| self.is_up(broker)) else {
            return close;
        };
        let head = Head {
            broker,
            connection,
            now,
            api,
            version: header.api_version,
            correlation_id: header.correlation_id,
        };
        if !self
            .offer(broker)
            .is_some_and(|offer| offer.serves(api, head.version))
        {
            return self.refuse_version(&head);
        }
        let sasl = self.sasl.as_ref();
        if sasl.is_some_and(|sasl| !sasl.allows(connection, api, now)) {
            return close;
        }
        let Ok(request) = Request::decode(api, head.version, &body) else {
            return close;
        };
        let touched = self.touched(&request);
        let entry = self.entry(&head, &request, &touched);
        self.requests.push(RequestEntry {
            client_id: header.client_id,
            bytes,
            ..entry
        });
        let strike = self.faults.strike(api, broker, &touched, &request.keys());
        let actions = self.perform(&head, &request, &strike);
        self.advance(now);
        actions
    }

    fn entry(&self, head: &Head, request: &Request, touched: &[Touched]) -> RequestEntry {
        let mut topics: Vec<String> = touched.iter().map(|t| t.topic.clone()).collect();
        topics.dedup();
        let (acks, batches) = match request {
            Request::Produce(produce) => {
                let name = |data: &TopicProduceData| self.topic_name(&data.name, data.topic_id);
                let names: Vec<String> = produce.topics.iter().map(name).collect();
                (Some(produce.acks), produced_batches(produce, &names))
            }
            _ => (None, Vec::new()),
        };
        RequestEntry {
            at: head.now,
            broker: head.broker,
            connection: head.connection,
            api: head.api,
            version: head.version,
            correlation_id: head.correlation_id,
            client_id: None,
            bytes: 0,
            acks,
            batches,
            topics,
            keys: request.keys(),
            committed: match request {
                Request::EndTxn(end) => Some(end.committed),
                _ => None,
            },
        }
    }

    /// Newer brokers close the connection of who asks for what they do not offer, but ApiVersions is how one
    /// finds out (KIP-511).
    fn refuse_version(&self, head: &Head) -> Vec<Action> {
        let known = Some(self.unknown_api_versions(head.broker));
        let answer = known.filter(|_| head.api == ApiKey::ApiVersions);
        match answer.map(|response| response.encode(0)) {
            Some(Ok(body)) => vec![Action::Send {
                at: head.now + self.round_trip(head.broker),
                bytes: frame(head.api, 0, head.correlation_id, &body),
            }],
            _ => vec![Action::Close { at: head.now }],
        }
    }

    fn perform(&mut self, head: &Head, request: &Request, strike: &Strike) -> Vec<Action> {
        match strike.kind {
            FaultKind::Swallow(When::BeforeWork) => return Vec::new(),
            FaultKind::Disconnect(When::BeforeWork) => {
                return vec![Action::Close { at: head.now }];
            }
            _ => {}
        }
        let call = Call {
            broker: head.broker,
            connection: head.connection,
            version: head.version,
            now: head.now,
            throttle_ms: strike.throttle.as_millis().try_into().unwrap_or(i32::MAX),
            errors: &strike.errors,
        };
        let at = head.now + self.round_trip(head.broker) + strike.delay;
        let whole = |body: &[u8]| frame(head.api, head.version, head.correlation_id, body);
        match self.answer(&call, request) {
            Ok(Answer::Body(body)) => deliver(&strike.kind, at, whole(&body)),
            Ok(Answer::Later(body, wait)) => deliver(&strike.kind, at + wait, whole(&body)),
            Ok(Answer::Last(body)) => {
                let mut actions = deliver(&strike.kind, at, whole(&body));
                actions.push(Action::Close { at });
                actions
            }
            Ok(Answer::Nothing) => Vec::new(),
            Ok(Answer::Close) | Err(_) => vec![Action::Close { at }],
        }
    }

    fn answer(&mut self, call: &Call<'_>, request: &Request) -> protocol::Result<Answer> {
        let version = call.version;
        let body = match request {
            Request::Produce(request) => return self.produce(call, request),
            Request::Fetch(request) => return self.fetch(call, request),
            Request::ListOffsets(request) => self.list_offsets(call, request).encode(version),
            Request::Metadata(request) => self.metadata(call, request).encode(version),
            Request::FindCoordinator(request) => {
                self.find_coordinator(call, request).encode(version)
            }
            Request::ApiVersions => self.api_versions(call).encode(version),
            Request::InitProducerId(request) => {
                self.init_producer_id(call, request).encode(version)
            }
            Request::AddPartitionsToTxn(request) => {
                self.add_partitions_to_txn(call, request).encode(version)
            }
            Request::AddOffsetsToTxn(request) => {
                self.add_offsets_to_txn(call, request).encode(version)
            }
            Request::TxnOffsetCommit(request) => {
                self.txn_offset_commit(call, request).encode(version)
            }
            Request::EndTxn(request) => self.end_txn(call, request).encode(version),
            Request::SaslHandshake(request) => self.sasl_handshake(call, request).encode(version),
            Request::SaslAuthenticate(request) => {
                let response = self.sasl_authenticate(call, request);
                let body = response.encode(version)?;
                return Ok(match response.error_code {
                    0 => Answer::Body(body),
                    _ => Answer::Last(body),
                });
            }
        };
        body.map(Answer::Body)
    }

    fn round_trip(&self, broker: i32) -> Duration {
        let broker = self.brokers.get(&broker);
        broker.map_or(Duration::ZERO, |broker| broker.round_trip)
    }

    /// The topics and partitions that a request names.
    fn touched(&self, request: &Request) -> Vec<Touched> {
        let mut touched = Vec::new();
        let mut add = |topic: String, partition| touched.push(Touched { topic, partition });
        match request {
            Request::Produce(request) => {
                for data in &request.topics {
                    let topic = self.topic_name(&data.name, data.topic_id);
                    let partitions = data.partitions.iter();
                    partitions.for_each(|p| add(topic.clone(), Some(p.index)));
                }
            }
            Request::Fetch(request) => {
                for topic in &request.topics {
                    let partitions = topic.partitions.iter();
                    partitions.for_each(|p| add(topic.topic.clone(), Some(p.partition)));
                }
            }
            Request::ListOffsets(request) => {
                for topic in &request.topics {
                    let partitions = topic.partitions.iter();
                    partitions.for_each(|p| add(topic.name.clone(), Some(p.partition_index)));
                }
            }
            Request::Metadata(request) => {
                for topic in request.topics.iter().flatten() {
                    let name = topic.name.clone().unwrap_or_default();
                    add(self.topic_name(&name, topic.topic_id), None);
                }
            }
            Request::AddPartitionsToTxn(request) => {
                for topic in &request.topics {
                    let partitions = topic.partitions.iter();
                    partitions.for_each(|&p| add(topic.name.clone(), Some(p)));
                }
            }
            Request::TxnOffsetCommit(request) => {
                for topic in &request.topics {
                    let partitions = topic.partitions.iter();
                    partitions.for_each(|p| add(topic.name.clone(), Some(p.partition_index)));
                }
            }
            Request::FindCoordinator(_)
            | Request::ApiVersions
            | Request::InitProducerId(_)
            | Request::AddOffsetsToTxn(_)
            | Request::EndTxn(_)
            | Request::SaslHandshake(_)
            | Request::SaslAuthenticate(_) => {}
        }
        touched
    }

    /// A topic's name from a request that gives the name or the id.
    pub(super) fn topic_name(&self, name: &str, id: Uuid) -> String {
        if id.is_zero() {
            return name.to_owned();
        }
        let found = self.topics.iter().find(|(_, topic)| topic.id == id);
        found.map_or_else(|| name.to_owned(), |(name, _)| name.clone())
    }
}

/// The answer as it goes over the wire.
fn frame(api: ApiKey, version: i16, correlation_id: i32, body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(body.len() + 9);
    out.put_i32(0);
    encode_response_header(&mut out, api, version, correlation_id);
    out.extend_from_slice(body);
    relabel(&mut out);
    out.freeze()
}

/// Makes a frame's length what it is.
fn relabel(frame: &mut BytesMut) {
    let length = frame.len().saturating_sub(4) as i32;
    frame[..4].copy_from_slice(&length.to_be_bytes());
}

/// Sends a frame, or what a fault makes of it.
fn deliver(kind: &FaultKind, at: Duration, whole: Bytes) -> Vec<Action> {
    let send = |bytes| Action::Send { at, bytes };
    let mut bytes = BytesMut::from(&whole[..]);
    match kind {
        FaultKind::None | FaultKind::Error(_) => vec![send(whole)],
        FaultKind::Swallow(_) => Vec::new(),
        FaultKind::Disconnect(_) => vec![Action::Close { at }],
        FaultKind::Garbage(garbage) => vec![send(garbage.clone())],
        FaultKind::Truncate(keep) => {
            // The correlation id stays: without it the answer would be nobody's.
            bytes.truncate(bytes.len().min(8 + keep));
            relabel(&mut bytes);
            vec![send(bytes.freeze())]
        }
        FaultKind::Instead(other) => {
            bytes.truncate(8);
            bytes.extend_from_slice(other);
            relabel(&mut bytes);
            vec![send(bytes.freeze())]
        }
        FaultKind::CutFrame(keep) => {
            bytes.truncate(*keep);
            vec![send(bytes.freeze()), Action::Close { at }]
        }
        FaultKind::WrongCorrelationId => {
            let id = i32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
            bytes[4..8].copy_from_slice(&id.wrapping_add(1).to_be_bytes());
            vec![send(bytes.freeze())]
        }
        FaultKind::HostileLength(length) => {
            bytes[..4].copy_from_slice(&length.to_be_bytes());
            vec![send(bytes.freeze())]
        }
    }
}
