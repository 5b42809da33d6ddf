//! Produce responses: per batch delivered, tried again, split or failed, and reported once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::broker::Subject;
use super::drain::{Item, Outstanding, ProduceRequest};
use super::track::Track;
use super::verdict::{Guarantee, Verdict, verdict};
use super::{Engine, Timer};
use crate::accumulator::Batch;
use crate::completion::{Outcome, Persistence, RecordFailure};
use crate::config::Acks;
use crate::error::{Error, ErrorCode};
use crate::network::RequestId;
use crate::protocol::produce_view::{PartitionResponseRef, TopicRef};
use crate::protocol::{ProduceResponseView, ProtocolError};

/// What a broker said of a batch.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: ErrorCode,
    /// The broker's own words, if it had any.
    pub message: Option<Arc<str>>,
}

impl Refusal {
    fn of(answer: &PartitionResponseRef<'_>) -> Refusal {
        let said = answer.error_message;
        Refusal {
            code: ErrorCode::of_broker(answer.error_code),
            message: match answer.error_code {
                -1.. => said.map(Arc::from),
                code => {
                    let said = said.unwrap_or("no more is said");
                    let what = format!("code {code}, which Kafka does not have: {said}");
                    Some(what.into())
                }
            },
        }
    }
}

impl Engine {
    /// acks=0: the socket took the bytes, and that is all that will be known.
    pub(super) fn on_written(&mut self, id: RequestId, now: Instant) {
        let is_produce = matches!(self.requests.get(&id), Some(Outstanding::Produce(_)));
        if self.config.acks != Acks::None || !is_produce {
            return;
        }
        let Some(Outstanding::Produce(request)) = self.take_request(id) else {
            return;
        };
        for item in &request.items {
            if let Some(batch) = self.tracks[item.track].land(id) {
                let outcome = Outcome {
                    flags: Outcome::persistence_flag(Persistence::Possibly),
                    ..delivered(&self.tracks[item.track], -1)
                };
                self.finish(item.track, *batch, outcome, Vec::new());
            }
            self.examine(item.track, now);
        }
        self.note_success(request.broker, Subject::Work);
    }

    pub(super) fn on_produce_response(
        &mut self,
        id: RequestId,
        version: i16,
        body: &Bytes,
        now: Instant,
    ) -> Result<(), ProtocolError> {
        let view = ProduceResponseView::parse(version, body)?;
        let Some(Outstanding::Produce(mut request)) = self.take_request(id) else {
            return Ok(());
        };
        self.note_answer(request.broker, Subject::Work, view.throttle_time_ms, now);
        for endpoint in view.node_endpoints() {
            self.learn_broker(endpoint.node_id, endpoint.host, endpoint.port);
        }
        let mut cursor = 0;
        for (topic, partition) in view.partitions() {
            let partition = partition.without_nonsense();
            let Some(at) = self.find_item(&request, cursor, topic, partition.index) else {
                continue;
            };
            cursor = at + 1;
            if !std::mem::replace(&mut request.items[at].settled, true) {
                self.on_partition_answer(id, &request, at, &partition, now);
            }
        }
        // A batch that the broker says nothing of may have been written.
        for item in &request.items {
            if !item.settled {
                let refusal = Refusal {
                    code: ErrorCode::NETWORK_EXCEPTION,
                    message: Some("the broker's answer leaves the partition out".into()),
                };
                self.on_refusal(id, item.track, refusal, now);
            }
        }
        Ok(())
    }

    /// Brokers answer in the order of the request, mostly: so look behind the last one first.
    fn find_item(
        &self,
        request: &ProduceRequest,
        cursor: usize,
        topic: TopicRef<'_>,
        index: i32,
    ) -> Option<usize> {
        let is_it = |item: &Item| {
            item.index == index
                && match topic {
                    TopicRef::Id(id) => item.topic_id == id,
                    TopicRef::Name(name) => {
                        let topic = self.accumulator.topics.get(item.topic);
                        topic.is_some_and(|topic| &*topic.name == name)
                    }
                }
        };
        if request.items.get(cursor).is_some_and(is_it) {
            return Some(cursor);
        }
        request.items.iter().position(is_it)
    }

    fn on_partition_answer(
        &mut self,
        id: RequestId,
        request: &ProduceRequest,
        at: usize,
        answer: &PartitionResponseRef<'_>,
        now: Instant,
    ) {
        let track_id = request.items[at].track;
        let by_id = !request.items[at].topic_id.is_zero();
        let code = ErrorCode::of_broker(answer.error_code);
        if code != ErrorCode::OK
            && let Some(hint) = answer.current_leader
        {
            self.on_leader_hint(track_id, hint.leader_id, hint.leader_epoch, request.sent);
        }
        let records = self.tracks[track_id]
            .in_flight
            .iter()
            .find(|flight| flight.request == id)
            .map(|flight| flight.batch.record_count());
        let Some(records) = records else {
            // Sent elsewhere or purged meanwhile: the late answer is for nobody.
            return;
        };
        match verdict(code, records, self.guarantee()) {
            Verdict::Delivered | Verdict::DeliveredBefore => {
                let Some(batch) = self.tracks[track_id].land(id) else {
                    return;
                };
                self.tracks[track_id].backoff.reset();
                let count = batch.record_count() as i64;
                // A log that ends beyond the last offset there is does not exist.
                let behind = answer
                    .base_offset
                    .checked_add(count)
                    .filter(|_| code == ErrorCode::OK && answer.base_offset >= 0);
                let known = behind.is_some();
                let topic = self.tracks[track_id].topic.handle;
                let outcome = Outcome {
                    base_offset: if known { answer.base_offset } else { -1 },
                    log_append_time: match known {
                        true => self.append_time(topic, &batch, answer.log_append_time_ms),
                        false => None,
                    },
                    log_start_offset: answer.log_start_offset,
                    ..delivered(&self.tracks[track_id], answer.base_offset)
                };
                self.note_acknowledged(track_id, &batch, behind, by_id);
                self.settle_waiting(track_id);
                match self.tracks[track_id].has_older(&batch) {
                    true => self.tracks[track_id].hold(batch, outcome),
                    false => self.finish(track_id, *batch, outcome, Vec::new()),
                }
                self.examine(track_id, now);
            }
            Verdict::Fail { maybe_written } => {
                let Some(mut batch) = self.tracks[track_id].land(id) else {
                    return;
                };
                if maybe_written {
                    batch.attempts.note_doubt();
                }
                let refusal = Refusal::of(answer);
                self.fail_waiting(track_id, &refusal);
                if self.tracks[track_id].has_older(&batch) {
                    // Its turn to be reported has not come: the broker will say the same again.
                    self.tracks[track_id].put_back(batch);
                } else {
                    self.fail_for_answer(track_id, *batch, &refusal, answer);
                }
                self.examine(track_id, now);
            }
            Verdict::OutOfSequence => {
                let Some(batch) = self.tracks[track_id].land(id) else {
                    return;
                };
                let refusal = Refusal::of(answer);
                let begins = answer.log_start_offset;
                self.on_out_of_sequence(track_id, batch, refusal, begins, by_id, now);
                self.examine(track_id, now);
            }
            Verdict::Retry { .. } | Verdict::Split | Verdict::Fatal => {
                let refusal = Refusal::of(answer);
                self.on_refusal(id, track_id, refusal, now);
            }
        }
    }

    /// Anything but a definite answer to a batch in flight.
    pub(super) fn on_refusal(
        &mut self,
        id: RequestId,
        track_id: usize,
        refusal: Refusal,
        now: Instant,
    ) {
        let Some(mut batch) = self.tracks[track_id].land(id) else {
            return self.examine(track_id, now);
        };
        let verdict = verdict(refusal.code, batch.record_count(), self.guarantee());
        if !matches!(verdict, Verdict::Retry { .. }) {
            self.fail_waiting(track_id, &refusal);
        }
        match verdict {
            // It will be said again when its turn to be reported has come.
            Verdict::Split | Verdict::Fail { .. } if self.tracks[track_id].has_older(&batch) => {
                self.tracks[track_id].put_back(batch);
            }
            // What may be in the log as a whole is not to be there in parts as well.
            Verdict::Split if batch.stamp().is_some() && batch.attempts.maybe_written() => {
                self.fail_batch(track_id, *batch, &refusal);
            }
            Verdict::Split => {
                self.split(track_id, *batch, now);
            }
            Verdict::Retry {
                maybe_written,
                refresh,
            } => {
                if maybe_written {
                    batch.attempts.note_doubt();
                }
                if refresh {
                    self.metadata.want(self.tracks[track_id].topic.handle);
                }
                self.retry(track_id, batch, refusal, now);
            }
            Verdict::Fatal => {
                let message = self.describe(track_id, &batch, &refusal);
                self.pending_fatal
                    .get_or_insert(Error::new(refusal.code, message));
                match self.tracks[track_id].has_older(&batch) {
                    // It fails with them, in their order.
                    true => self.tracks[track_id].put_back(batch),
                    false => self.fail_batch(track_id, *batch, &refusal),
                }
            }
            Verdict::Delivered
            | Verdict::DeliveredBefore
            | Verdict::OutOfSequence
            | Verdict::Fail { .. } => {
                self.fail_batch(track_id, *batch, &refusal);
            }
        }
        self.examine(track_id, now);
    }

    /// A refusal for good; some records may be at fault and others not (KIP-467).
    fn fail_for_answer(
        &mut self,
        track_id: usize,
        batch: Batch,
        refusal: &Refusal,
        answer: &PartitionResponseRef<'_>,
    ) {
        let culprits: Vec<_> = answer
            .record_errors()
            .filter(|error| (0..batch.record_count() as i32).contains(&error.batch_index))
            .collect();
        if culprits.is_empty() {
            return self.fail_batch(track_id, batch, refusal);
        }
        let hub = &self.accumulator.hub;
        let track = &self.tracks[track_id];
        let place = format!(
            "topic {} partition {}",
            track.topic.name, track.partition.index
        );
        let persistence = persistence(&batch);
        let mut failures: Vec<RecordFailure> = culprits
            .iter()
            .map(|culprit| {
                let message = culprit.message.unwrap_or(refusal.code.text());
                RecordFailure {
                    index: culprit.batch_index as u32,
                    error: refusal.code,
                    flags: hub.failure_flags(refusal.code) | Outcome::persistence_flag(persistence),
                    detail: hub.detail(refusal.code, format!("{place}: record refused: {message}")),
                }
            })
            .collect();
        failures.sort_by_key(|failure| failure.index);
        failures.dedup_by_key(|failure| failure.index);
        let code = ErrorCode::RECORD_NEIGHBOUR;
        let detail = hub.detail(
            code,
            format!("{place}: not written because other records of the batch were refused"),
        );
        let outcome = batch.accepted.failure(code, persistence, detail);
        self.release_place(track_id, &batch);
        self.finish(track_id, batch, outcome, failures);
    }

    pub(super) fn guarantee(&self) -> Guarantee {
        match (
            self.transactor.is_transactional(),
            self.transactor.is_idempotent(),
        ) {
            (true, _) => Guarantee::Transactional,
            (false, true) => Guarantee::Idempotent,
            (false, false) => Guarantee::AtLeastOnce {
                replicated: self.config.acks == Acks::All,
            },
        }
    }

    /// The one exit of a batch: its outcome is reported at the end of the turn.
    pub(super) fn finish(
        &mut self,
        track_id: usize,
        batch: Batch,
        outcome: Outcome,
        failures: Vec<RecordFailure>,
    ) {
        self.tracks[track_id].partition.unload();
        self.note_outcome(track_id, batch.place());
        // Its memory goes back with it.
        let (accepted, _) = batch.into_parts();
        self.finished.push(accepted.finish(outcome, failures));
        if let Some((batch, outcome)) = self.tracks[track_id].unhold() {
            self.finish(track_id, *batch, outcome, Vec::new());
        }
    }

    /// A broker has answered, and says for how long it wants nothing more.
    pub(super) fn note_answer(
        &mut self,
        broker: i32,
        subject: Subject,
        throttle_ms: i32,
        now: Instant,
    ) {
        self.note_success(broker, subject);
        self.throttle(broker, throttle_ms, now);
    }

    fn note_success(&mut self, broker: i32, subject: Subject) {
        if let Some(broker) = self.brokers.get_mut(&broker) {
            broker.note_success(subject);
        }
    }

    /// Nothing is written to the broker for as long as it asks (KIP-219).
    fn throttle(&mut self, broker: i32, millis: i32, now: Instant) {
        let Ok(millis) = u64::try_from(millis) else {
            return;
        };
        if millis == 0 {
            return;
        }
        self.count(&self.shared.counters.throttle_ms, millis);
        if let Some(broker) = self.brokers.get_mut(&broker) {
            let until = now + Duration::from_millis(millis);
            broker.hush(now, until);
            let id = broker.id;
            self.timers.at(until, Timer::Broker(id));
            self.note_awaited();
        }
    }
}

pub(super) fn persistence(batch: &Batch) -> Persistence {
    match batch.attempts.maybe_written() {
        true => Persistence::Possibly,
        false => Persistence::Not,
    }
}

pub(super) fn delivered(track: &Track, base_offset: i64) -> Outcome {
    Outcome {
        topic: track.topic.handle,
        partition: track.partition.index,
        base_offset,
        log_append_time: None,
        log_start_offset: -1,
        error: ErrorCode::OK,
        flags: Outcome::persistence_flag(Persistence::Persisted),
        detail: 0,
    }
}
