//! Batches into Produce requests: when one batch of a broker is due, all that it can take go with it.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::broker::{Link, Subject};
use super::track::Flight;
use super::{Engine, Timer};
use crate::accumulator::Batch;
use crate::config::Acks;
use crate::network::{ConnectionId, OutgoingRequest, RequestId};
use crate::protocol::{ApiKey, ProduceFrame, ProduceHead, ProduceOverhead, Uuid};

/// Since 13 topics go by id alone.
const BY_ID: i16 = 13;
/// The version of Produce without topic ids.
const BY_NAME: i16 = 12;
/// The newest version that is spoken.
const MAX_PRODUCE: i16 = 13;
/// Since 12 a batch of a transaction makes its partition part of it (KIP-890).
const BEFORE_IMPLICIT_JOIN: i16 = 11;

/// A request that was handed to a connection and has not ended.
#[derive(Debug)]
pub enum Outstanding {
    Produce(ProduceRequest),
    Metadata(Question),
    /// Which features the cluster has finalized.
    Features(Question),
    /// About identity or transaction.
    Step(Question),
}

/// A request without records.
#[derive(Debug)]
pub struct Question {
    pub api: ApiKey,
    pub broker: i32,
    pub conn: ConnectionId,
    pub sent: Instant,
}

#[derive(Debug)]
pub struct ProduceRequest {
    pub broker: i32,
    pub conn: ConnectionId,
    pub items: Vec<Item>,
    pub sent: Instant,
}

/// One batch of a request. The batch itself stands in its partition's track, unless it was detached.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    pub track: usize,
    pub topic: u32,
    pub index: i32,
    pub topic_id: Uuid,
    /// It was answered, or taken away to be sent elsewhere.
    pub settled: bool,
}

impl Outstanding {
    /// None where records were sent.
    pub fn question(&self) -> Option<&Question> {
        match self {
            Outstanding::Produce(_) => None,
            Outstanding::Metadata(question)
            | Outstanding::Features(question)
            | Outstanding::Step(question) => Some(question),
        }
    }

    pub fn broker(&self) -> i32 {
        match self {
            Outstanding::Produce(request) => request.broker,
            Outstanding::Metadata(question)
            | Outstanding::Features(question)
            | Outstanding::Step(question) => question.broker,
        }
    }

    pub fn connection(&self) -> ConnectionId {
        match self {
            Outstanding::Produce(request) => request.conn,
            Outstanding::Metadata(question)
            | Outstanding::Features(question)
            | Outstanding::Step(question) => question.conn,
        }
    }

    pub fn subject(&self) -> Subject {
        match self {
            Outstanding::Produce(_) | Outstanding::Step(_) => Subject::Work,
            Outstanding::Metadata(_) | Outstanding::Features(_) => Subject::Metadata,
        }
    }

    fn sent(&self) -> Instant {
        match self {
            Outstanding::Produce(request) => request.sent,
            Outstanding::Metadata(question)
            | Outstanding::Features(question)
            | Outstanding::Step(question) => question.sent,
        }
    }
}

impl Engine {
    pub(super) fn drain_all(&mut self, now: Instant) {
        let mut cursor = i32::MIN;
        while let Some((&id, broker)) = self.brokers.range(cursor..).next() {
            if broker.due.is_some_and(|due| due <= now) {
                self.drain_broker(id, now);
            }
            if id == i32::MAX {
                break;
            }
            cursor = id + 1;
        }
    }

    /// Sends requests to one broker until nothing is due or it can take no more.
    fn drain_broker(&mut self, id: i32, now: Instant) {
        loop {
            let Some(broker) = self.brokers.get_mut(&id) else {
                return;
            };
            if broker.list.is_empty() {
                broker.due = None;
                broker.blocked_since = None;
                return;
            }
            if broker.due.is_none_or(|due| due > now) {
                return;
            }
            broker.blocked_since.get_or_insert(now);
            match &broker.link {
                Link::Ready { .. } => {}
                Link::Idle | Link::Backoff { .. } => return self.connect(id, now),
                Link::Connecting { .. } => return,
            }
            if broker.in_flight >= self.config.max_in_flight || broker.is_throttled(now) {
                return;
            }
            let batches = self.take_batches(id, now);
            if batches.is_empty() {
                return;
            }
            self.send_produce(id, batches, now);
        }
    }

    /// Takes one batch of each listed partition, as many as fit into one request.
    fn take_batches(&mut self, id: i32, now: Instant) -> Vec<(usize, Box<Batch>)> {
        let transactional_id = self.transactor.transactional_id().map_or(0, str::len);
        let overhead = ProduceOverhead::request(self.client_id_len(), transactional_id);
        let mut room = self.config.max_request_size.saturating_sub(overhead);
        let mut batches = Vec::new();
        let mut looked_at = self.brokers.get(&id).map_or(0, |broker| broker.list.len());
        let mut left_over = false;
        while looked_at > 0 {
            looked_at -= 1;
            let Some(broker) = self.brokers.get_mut(&id) else {
                break;
            };
            let Some(track_id) = broker.list.pop_front() else {
                break;
            };
            let track = &mut self.tracks[track_id];
            let framing = ProduceOverhead::topic(BY_NAME, track.topic.name.len())
                + ProduceOverhead::PARTITION;
            // A request holds at least one batch, however large.
            let limit = match batches.is_empty() {
                true => usize::MAX,
                false => room.saturating_sub(framing),
            };
            match self.take_batch(track_id, limit) {
                Taken::Batch(batch) => {
                    self.tracks[track_id].listed_on = None;
                    room = room.saturating_sub(batch.wire_size() + framing);
                    batches.push((track_id, batch));
                }
                Taken::Nothing => {
                    self.tracks[track_id].listed_on = None;
                    self.examine(track_id, now);
                }
                Taken::TooLarge => {
                    // It is the first of the next request.
                    if let Some(broker) = self.brokers.get_mut(&id) {
                        broker.list.push_front(track_id);
                    }
                    left_over = true;
                    break;
                }
            }
        }
        if let Some(broker) = self.brokers.get_mut(&id) {
            if left_over {
                broker.due = Some(now);
            } else if broker.list.is_empty() {
                broker.due = None;
            }
        }
        batches
    }

    /// The next batch of a partition, sealed.
    fn take_batch(&mut self, id: usize, limit: usize) -> Taken {
        // Things may have changed since it was listed.
        if !self.may_fly(id) || !self.has_place(id) {
            return Taken::Nothing;
        }
        let mut batch = match self.take_head(id, limit) {
            Taken::Batch(batch) => batch,
            other => return other,
        };
        // Nobody has sealed an open batch, nor the halves of a split one.
        match self.accumulator.seal_now(&mut batch) {
            Ok(()) if self.place(id, &mut batch) => Taken::Batch(batch),
            Ok(()) => {
                self.tracks[id].put_back(batch);
                Taken::Nothing
            }
            Err(why) => {
                self.fail_unsealed(id, batch, why);
                Taken::Nothing
            }
        }
    }

    fn take_head(&mut self, id: usize, limit: usize) -> Taken {
        let track = &mut self.tracks[id];
        if let Some(batch) = track.retry.remove(track.next_retry()) {
            if batch.wire_size() > limit {
                track.put_back(batch);
                return Taken::TooLarge;
            }
            return Taken::Batch(batch);
        }
        let (taken, credit) = track.partition.take(limit);
        if let Some((lane, bytes)) = credit {
            let index = track.partition.index;
            self.accumulator
                .credit_lane(&track.topic, index, lane, bytes);
        }
        match taken {
            Some(batch) => Taken::Batch(batch),
            None if track.partition.has_ready() => Taken::TooLarge,
            None => Taken::Nothing,
        }
    }

    fn send_produce(
        &mut self,
        broker_id: i32,
        mut batches: Vec<(usize, Box<Batch>)>,
        now: Instant,
    ) {
        // One entry per topic: the frame announces how many partitions follow.
        batches.sort_by_key(|(id, _)| {
            let track = &self.tracks[*id];
            (track.topic.handle, track.partition.index)
        });
        let request = self.next_request_id();
        let Some((version, body, items)) = self.encode_produce(broker_id, &mut batches) else {
            return self.put_back_all(batches, now);
        };
        let expects_response = self.config.acks != Acks::None;
        let bytes: usize = batches.iter().map(|(_, batch)| batch.wire_size()).sum();
        let count = batches.len() as u64;
        let Some(broker) = self.brokers.get_mut(&broker_id) else {
            return self.put_back_all(batches, now);
        };
        let Link::Ready { conn, handle, .. } = &broker.link else {
            return self.put_back_all(batches, now);
        };
        let conn = *conn;
        let outgoing = OutgoingRequest {
            id: request,
            api: ApiKey::Produce,
            version,
            body,
            expects_response,
            timeout: self.config.request_timeout,
        };
        if handle.send(outgoing).is_err() {
            // Its end is on the way as an event.
            return self.put_back_all(batches, now);
        }
        broker.in_flight += 1;
        broker.blocked_since = None;
        broker.waiting_since.get_or_insert(now);
        // Ids are for all or none.
        let by_name = items.iter().any(|item| item.topic_id.is_zero());
        let outstanding = Outstanding::Produce(ProduceRequest {
            broker: broker_id,
            conn,
            items,
            sent: now,
        });
        self.requests.insert(request, outstanding);
        for (id, mut batch) in batches {
            batch.attempts.count += 1;
            batch.attempts.leader = broker_id;
            batch.attempts.by_name |= by_name;
            let track = &mut self.tracks[id];
            track.of_old_log &= !track.in_flight.is_empty();
            track.in_flight.push_back(Flight { request, batch });
            match self.may_fly(id) {
                // More may follow it at once.
                true => self.examine(id, now),
                false => self.tracks[id].partition.set_busy(),
            }
        }
        self.transactor.note_started();
        let counters = &self.shared.counters;
        self.count(&counters.produce_requests, 1);
        self.count(&counters.requests_in_flight, 1);
        self.count(&counters.batches_sent, count);
        self.count(&counters.bytes_sent, bytes as u64);
    }

    /// The body of a request, in parts that share the batches' memory.
    fn encode_produce(
        &self,
        broker: i32,
        batches: &mut [(usize, Box<Batch>)],
    ) -> Option<(i16, Vec<bytes::Bytes>, Vec<Item>)> {
        let versions = self.brokers.get(&broker)?.versions()?;
        let ids: Vec<Uuid> = batches
            .iter()
            .map(|(id, _)| self.metadata.topic_id(self.tracks[*id].topic.handle))
            .collect();
        // Ids all or none: a broker may offer 13 and yet not have given an id for each topic.
        let cap = match ids.iter().all(|id| !id.is_zero()) {
            true => MAX_PRODUCE,
            false => BY_NAME,
        };
        let (least, cap) = self.versions_for_transaction(cap);
        let version = versions.pick(ApiKey::Produce, cap)?;
        if version < least {
            return None;
        }
        let topics = batches
            .chunk_by(|(a, _), (b, _)| self.tracks[*a].topic.handle == self.tracks[*b].topic.handle)
            .count();
        let mut frame = ProduceFrame::new(ProduceHead {
            version,
            transactional_id: self.transactor.transactional_id(),
            acks: self.config.acks.wire(),
            timeout_ms: i32::try_from(self.config.request_timeout.as_millis()).unwrap_or(i32::MAX),
            topics,
            partitions: batches.len(),
        });
        let mut items = Vec::with_capacity(batches.len());
        let mut current = 0;
        for at in 0..batches.len() {
            let track = &self.tracks[batches[at].0];
            let handle = track.topic.handle;
            if handle != current {
                current = handle;
                let partitions = batches[at..]
                    .iter()
                    .take_while(|(id, _)| self.tracks[*id].topic.handle == handle)
                    .count();
                frame.topic(&track.topic.name, ids[at], partitions);
            }
            let index = track.partition.index;
            let (header, sealed) = batches[at].1.frame()?;
            frame.partition(index, &header, sealed.parts());
            items.push(Item {
                track: batches[at].0,
                topic: handle,
                index,
                topic_id: if version >= BY_ID {
                    ids[at]
                } else {
                    Uuid::ZERO
                },
                settled: false,
            });
        }
        let body = frame.finish().ok()?;
        Some((version, body, items))
    }

    /// The version of Produce says how partitions join a transaction: at least, at most.
    fn versions_for_transaction(&self, cap: i16) -> (i16, i16) {
        match (
            self.transactor.is_transactional(),
            self.transactor.is_second_protocol(),
        ) {
            (false, _) => (0, cap),
            (true, false) => (0, cap.min(BEFORE_IMPLICIT_JOIN)),
            (true, true) => (BEFORE_IMPLICIT_JOIN + 1, cap),
        }
    }

    /// Batches that could not be sent after all go back to where they were.
    fn put_back_all(&mut self, batches: Vec<(usize, Box<Batch>)>, now: Instant) {
        for (id, batch) in batches {
            self.tracks[id].put_back(batch);
            // Not at once: what stood in the way is to be dealt with first.
            self.tracks[id].not_before = Some(now + self.config.retry_backoff);
            self.timers
                .at(now + self.config.retry_backoff, Timer::Partition(id));
            self.examine(id, now);
        }
    }

    fn client_id_len(&self) -> usize {
        self.config.client_id.as_ref().map_or(0, String::len)
    }

    pub(super) fn take_request(&mut self, id: RequestId) -> Option<Outstanding> {
        let outstanding = self.requests.remove(&id)?;
        self.note_end(id);
        if let Outstanding::Produce(_) = &outstanding {
            let in_flight = &self.shared.counters.requests_in_flight;
            in_flight.fetch_sub(1, Ordering::Relaxed);
        }
        let conn = outstanding.connection();
        let oldest = self
            .requests
            .values()
            .filter(|other| other.connection() == conn)
            .map(Outstanding::sent)
            .min();
        if let Some(broker) = self.brokers.get_mut(&outstanding.broker()) {
            // The end of an earlier connection says nothing of the present one.
            if broker.connection() == Some(conn) {
                broker.in_flight = broker.in_flight.saturating_sub(1);
                broker.waiting_since = oldest;
            }
        }
        if outstanding.question().is_some() {
            self.note_awaited();
        }
        Some(outstanding)
    }
}

/// What a partition had for a request.
enum Taken {
    Batch(Box<Batch>),
    Nothing,
    /// The next batch does not fit any more.
    TooLarge,
}
