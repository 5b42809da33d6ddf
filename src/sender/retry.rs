//! What happens to a batch that was not delivered: again, or failed, in the order of acceptance.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::{Refusal, persistence};
use super::broker::Broker;
use super::track::Flight;
use super::{Engine, Timer};
use crate::accumulator::{Batch, Topic, Unsealed};
use crate::completion::{LogLevel, Persistence};
use crate::error::ErrorCode;
use crate::network::RequestId;

/// How long an old leader may still answer for a batch after a new one is known, when a second copy would be
/// a duplicate.
const SUPERSEDED_GRACE: Duration = Duration::from_secs(1);
/// When a batch is tried again that the end of the transaction before stood in the way of.
const CONCURRENT_WAIT: Duration = Duration::from_millis(20);

impl Engine {
    /// Puts the batch back at its place, to be sent again after the backoff, unless its time or its retries
    /// are over.
    pub(super) fn retry(
        &mut self,
        track_id: usize,
        mut batch: Box<Batch>,
        refusal: Refusal,
        now: Instant,
    ) {
        if self.transactor.is_aborting() {
            // It fails with the others, in their order.
            return self.tracks[track_id].put_back(batch);
        }
        let out_of_time = self.expires(&batch).is_some_and(|at| at <= now);
        let is_over = out_of_time || batch.attempts.count > self.config.retries;
        if is_over {
            self.fail_waiting(track_id, &refusal);
        }
        if is_over && !self.tracks[track_id].has_older(&batch) {
            return self.fail_batch(track_id, *batch, &refusal);
        }
        self.count(&self.shared.counters.batch_retries, 1);
        let refusal_code = refusal.code;
        self.shared.log.log(LogLevel::Debug, || {
            let told = self.describe(track_id, &batch, &refusal);
            format!("to be sent again: {told}")
        });
        batch.attempts.last_error = Some((refusal.code, refusal.message));
        let track = &mut self.tracks[track_id];
        // A new leader has done nothing to be spared for (KIP-951), and one without a connection is spared by the
        // backoff of its connection.
        let leader = self.brokers.get(&track.leader);
        let to_spare =
            batch.attempts.leader == track.leader && leader.is_some_and(Broker::is_ready);
        track.lineage.doubt();
        track.put_back(batch);
        // Up to five come back of one mishap, which is one reason to wait.
        let waits = track.not_before.is_some_and(|at| at > now);
        if to_spare && !waits {
            let wait = match refusal_code {
                // The coordinator is about to be done with the transaction before.
                ErrorCode::CONCURRENT_TRANSACTIONS => CONCURRENT_WAIT,
                _ => track.backoff.next(&self.rng),
            };
            track.not_before = Some(now + wait);
        }
    }

    /// When the batch has had its time: `None` never.
    pub(super) fn expires(&self, batch: &Batch) -> Option<Instant> {
        batch.created.checked_add(self.time_to_live()?)
    }

    /// `delivery.timeout.ms` where set, else `request.timeout.ms` after the time that the batch may linger, from its first
    /// record. An idempotent batch has all the time there is, unless a limit is set.
    pub(super) fn time_to_live(&self) -> Option<Duration> {
        let without_limit = match self.config.enable_idempotence {
            true => None,
            false => Some(self.config.own_time_to_live()),
        };
        let limit = self.config.delivery_timeout.or(without_limit)?;
        // Beyond the transaction's own time the coordinator has aborted it.
        Some(match self.transactor.is_transactional() {
            true => limit.min(self.config.transaction_timeout),
            false => limit,
        })
    }

    /// As `time_to_live`, for a record that waits for its topic's metadata: it is no batch yet, so its time is limited
    /// with idempotence too.
    fn parked_time_to_live(&self) -> Duration {
        self.config
            .delivery_timeout
            .unwrap_or(self.config.request_timeout)
    }

    pub(super) fn arm_expiry(&mut self, id: usize) {
        let Some(ttl) = self.time_to_live() else {
            return;
        };
        let track = &mut self.tracks[id];
        if track.expiry_armed {
            return;
        }
        let flight = match self.config.delivery_timeout {
            Some(_) => track.in_flight.front().map(|flight| flight.batch.created),
            None => None,
        };
        let waiting = track.retry.front().map(|batch| batch.created);
        let oldest = match flight.into_iter().chain(waiting).min() {
            Some(created) => Some(created),
            None => track.partition.oldest(),
        };
        if let Some(at) = oldest.and_then(|oldest| oldest.checked_add(ttl)) {
            track.expiry_armed = true;
            self.timers.at(at, Timer::Expiry(id));
        }
    }

    /// Fails the batches of a partition whose time is over, from its head on. Without a delivery timeout, what
    /// is in flight is looked at when it is answered.
    pub(super) fn check_expiry(&mut self, id: usize, now: Instant) {
        self.tracks[id].expiry_armed = false;
        let ttl = self.time_to_live();
        let Some(before) = ttl.and_then(|ttl| now.checked_sub(ttl)) else {
            return self.arm_expiry(id);
        };
        while let Some(batch) = self.take_expired(id, before) {
            let refusal = self.reason_of_expiry(id, &batch);
            self.fail_batch(id, *batch, &refusal);
        }
        let track = &mut self.tracks[id];
        if !track.in_flight.is_empty() && self.config.delivery_timeout.is_none() {
            // Reports keep the partition's order: those behind wait for the one in flight.
            return;
        }
        if track.in_flight.is_empty() && track.retry.is_empty() {
            for batch in track.partition.take_older(before) {
                let refusal = self.reason_of_expiry(id, &batch);
                self.fail_batch(id, *batch, &refusal);
            }
        }
        self.arm_expiry(id);
        self.examine(id, now);
    }

    /// The partition's oldest batch among those that have left its queue, if its time is over. A late answer for one
    /// in flight is for nobody.
    fn take_expired(&mut self, id: usize, before: Instant) -> Option<Box<Batch>> {
        let track = &mut self.tracks[id];
        let (oldest, flies) = track.oldest()?;
        // Without a delivery timeout one in flight is looked at when it is answered.
        if oldest.created > before || (flies && self.config.delivery_timeout.is_none()) {
            return None;
        }
        track.take_oldest()
    }

    /// The last error, or why there was no attempt.
    fn reason_of_expiry(&self, id: usize, batch: &Batch) -> Refusal {
        if let Some((code, message)) = &batch.attempts.last_error {
            return Refusal {
                code: *code,
                message: message.clone(),
            };
        }
        let track = &self.tracks[id];
        if let Some(error) = track.topic.error() {
            return Refusal {
                code: error.code,
                message: Some(error.message.into()),
            };
        }
        // Its leader's trouble before that of any other broker.
        let of_leader = self.brokers.get(&track.leader);
        let trouble = of_leader
            .and_then(|broker| broker.trouble.clone())
            .or_else(|| self.silence_of(track.leader).map(Into::into))
            .or_else(|| self.shared.trouble().map(|error| error.message.into()));
        let code = match (track.leader, &trouble) {
            (_, Some(_)) => ErrorCode::DELIVERY_TIMED_OUT,
            (-1, None) => ErrorCode::LEADER_NOT_AVAILABLE,
            (_, None) => ErrorCode::DELIVERY_TIMED_OUT,
        };
        Refusal {
            code,
            message: trouble.or_else(|| self.end_of_transaction()),
        }
    }

    /// What the transaction's limit is called, where a record's own would be later.
    fn end_of_transaction(&self) -> Option<Arc<str>> {
        let limit = self.config.transaction_timeout;
        let own = self.config.delivery_timeout?;
        (self.transactor.is_transactional() && limit < own).then(|| {
            let text = format!(
                "The record expired with its transaction, after transaction.timeout.ms ({} ms). \
                 Look at the brokers' state, or raise it.",
                limit.as_millis()
            );
            text.into()
        })
    }

    /// Fails parked records whose time is over, and looks again when the next one's is.
    pub(super) fn check_parked(&mut self, handle: u32, now: Instant) {
        let Some(topic) = self.accumulator.topics.get(handle).cloned() else {
            return;
        };
        let ttl = self.parked_time_to_live();
        if let Some(before) = now.checked_sub(ttl) {
            // Behind what was before them in their partitions.
            self.report();
            while let Some(mut parked) = topic.take_expired(before) {
                let Some(accepted) = parked.take_accepted() else {
                    continue;
                };
                // Who reads the report finds the memory free.
                drop(parked);
                let (code, message) = self.reason_of_parked_expiry(&topic, ttl);
                accepted.fail_saying(code, Persistence::Not, || message);
            }
        }
        if let Some(oldest) = topic.oldest_parked() {
            self.metadata
                .want_until(handle, oldest.checked_add(ttl).unwrap_or(now));
            if let Some(at) = oldest.checked_add(ttl) {
                // What is over its time already waits for those before it in its partition.
                let at = match at > now {
                    true => at,
                    false => now + self.config.retry_backoff,
                };
                self.timers.at(at, Timer::Parked(handle));
            }
        }
    }

    fn reason_of_parked_expiry(&self, topic: &Topic, ttl: Duration) -> (ErrorCode, String) {
        let timed_out = ErrorCode::DELIVERY_TIMED_OUT;
        let name = &topic.name;
        if topic.deciding().is_some() {
            let why = "the partitioner has not answered for it or a record before it within";
            return (timed_out, format!("topic {name}: {why} {ttl:.1?}"));
        }
        let error = topic.error().or_else(|| self.shared.hindrance(timed_out));
        let (code, last) = match error {
            Some(error) => (error.code, error.message),
            None => (timed_out, "no answer".to_owned()),
        };
        let message = format!("topic {name}: no metadata within {ttl:.1?}: {last}");
        (code, message)
    }

    pub(super) fn fail_batch(&mut self, id: usize, batch: Batch, refusal: &Refusal) {
        let message = self.describe(id, &batch, refusal);
        let detail = self.accumulator.hub.detail(refusal.code, message);
        let outcome = batch
            .accepted
            .failure(refusal.code, persistence(&batch), detail);
        self.release_place(id, &batch);
        self.finish(id, batch, outcome, Vec::new());
    }

    pub(super) fn fail_unsealed(&mut self, id: usize, batch: Box<Batch>, why: Unsealed) {
        let outcome = batch
            .accepted
            .failure(why.code, Persistence::Not, why.detail);
        self.finish(id, *batch, outcome, Vec::new());
    }

    /// Says where, how often, how long, what, and what to do.
    pub(super) fn describe(&self, id: usize, batch: &Batch, refusal: &Refusal) -> String {
        let track = &self.tracks[id];
        let broker = match self.brokers.get(&track.leader) {
            Some(broker) => broker.to_string(),
            None => "no known leader".to_owned(),
        };
        let said = refusal.message.as_deref();
        let said = said.unwrap_or(refusal.code.text_for_accepted());
        format!(
            "topic {} partition {} at {broker}: {} after {} attempts in {:.1?}: {said}",
            track.topic.name,
            track.partition.index,
            refusal.code.name(),
            batch.attempts.count,
            batch.created.elapsed(),
        )
    }

    /// A newer leader is proven: what the old one still owes is sent to the new one. Where the old connection
    /// works, it gets a moment to answer first, for a second copy would stay in the log.
    pub(super) fn on_superseded(&mut self, id: usize, old_leader: i32, now: Instant) {
        let track = &mut self.tracks[id];
        let leader = track.leader;
        let is_elsewhere = |flight: &Flight| flight.batch.attempts.leader != leader;
        if !track.in_flight.iter().any(is_elsewhere) {
            // Nothing is, or it went to this one before the leader changed and changed back.
            track.superseded_since = None;
            return;
        }
        // An idempotent batch can only be there once.
        let may_repeat = self.transactor.is_idempotent();
        let alive = self
            .brokers
            .get(&old_leader)
            .is_some_and(|broker| broker.is_ready());
        if alive && !may_repeat {
            self.tracks[id].superseded_since.get_or_insert(now);
            self.timers
                .at(now + self.superseded_grace(), Timer::Detach(id));
        } else {
            self.detach(id, now);
        }
    }

    /// The old leader has had its moment, unless it answered and the timer is a leftover.
    pub(super) fn detach_superseded(&mut self, id: usize, now: Instant) {
        let since = self.tracks[id].superseded_since;
        if since.is_some_and(|since| since + self.superseded_grace() <= now) {
            self.detach(id, now);
        }
    }

    fn superseded_grace(&self) -> Duration {
        SUPERSEDED_GRACE.min(self.config.request_timeout / 4)
    }

    /// Takes the batches in flight back; late answers for them are ignored, their memory is kept until the
    /// write has ended.
    fn detach(&mut self, id: usize, now: Instant) {
        let track = &mut self.tracks[id];
        track.superseded_since = None;
        track.not_before = None;
        track.lineage.doubt();
        let flights: Vec<_> = track.in_flight.drain(..).collect();
        for mut flight in flights {
            flight.batch.attempts.note_doubt();
            flight.batch.attempts.last_error = Some((
                ErrorCode::NOT_LEADER_OR_FOLLOWER,
                Some("the leader moved before it answered".into()),
            ));
            self.settle_item(flight.request, id);
            self.tracks[id].put_back(flight.batch);
            self.count(&self.shared.counters.batch_retries, 1);
        }
        self.examine(id, now);
    }

    fn settle_item(&mut self, request: RequestId, track: usize) {
        if let Some(super::Outstanding::Produce(request)) = self.requests.get_mut(&request) {
            for item in &mut request.items {
                if item.track == track {
                    item.settled = true;
                }
            }
        }
    }
}
