//! The places of an idempotent producer's batches: given at their first request, kept until the outcome is definite,
//! and begun anew where a place was lost.

use std::sync::Arc;

use tokio::time::Instant;

use super::Engine;
use super::answer::{Refusal, delivered};
use crate::accumulator::{Batch, Order, Trace};
use crate::completion::Persistence;
use crate::config::DataLoss;
use crate::error::ErrorCode;
use crate::record::Stamp;
use crate::transaction::after;

impl Engine {
    /// Whether a batch of the partition may be sent now. After trouble what is to be tried again goes first,
    /// and not before everything that was sent has come back.
    pub(super) fn may_fly(&self, id: usize) -> bool {
        let track = &self.tracks[id];
        if self.transactor.is_aborting() && !track.in_flight.is_empty() {
            // What waits is dropped when they have their outcome.
            return false;
        }
        let depth = match self.transactor.is_idempotent() {
            true => track.lineage.depth(self.config.max_in_flight),
            false => 1,
        };
        match track.retry.is_empty() {
            // Those behind the oldest in doubt that were acknowledged take the broker's memory too.
            true => track.in_flight.len() + track.held.len() < depth,
            false => track.in_flight.is_empty(),
        }
    }

    /// Whether the partition's next batch has a place in its sequence, or can be given one.
    pub(super) fn has_place(&mut self, id: usize) -> bool {
        if !self.transactor.is_idempotent() {
            return true;
        }
        let track = &mut self.tracks[id];
        if !track.in_flight.is_empty() {
            return !track.lineage.is_broken();
        }
        let keeps_place = track.retry.front().is_some_and(|head| {
            // What may be in the log is asked for under the old place, even where that leads nowhere; and those before
            // it are, lest they come behind it.
            let is_ordered = head.attempts.order == Order::Kept;
            let renews = track.lineage.is_broken() && is_ordered && track.witness().is_none();
            head.stamp().is_some() && !renews
        });
        if keeps_place {
            return true;
        }
        let old = track.lineage.identity();
        let new = match track.lineage.is_broken() {
            true => self.transactor.renew(old),
            false => self.transactor.identity(),
        };
        let Some(new) = new else {
            self.transactor.want_identity();
            return false;
        };
        let track = &mut self.tracks[id];
        if track.lineage.is_broken() || old != Some(new) {
            track.give_up_places();
            track.lineage.adopt(new);
            self.count(&self.shared.counters.sequences_begun, 1);
        }
        true
    }

    /// Whether the transaction knows of the partition.
    pub(super) fn has_joined(&mut self, id: usize) -> bool {
        let track = &mut self.tracks[id];
        self.transactor.join(id, &mut track.joined)
    }

    /// Gives the batch its place, at its first request. False: there is none.
    pub(super) fn place(&mut self, id: usize, batch: &mut Batch) -> bool {
        if !self.transactor.is_idempotent() || batch.stamp().is_some() {
            return true;
        }
        let transactional = self.transactor.is_transactional();
        let lineage = &mut self.tracks[id].lineage;
        let stamp = lineage.assign(batch.record_count(), transactional);
        batch.set_stamp(stamp);
        stamp.is_some()
    }

    /// The batch leaves without being in the log for certain: so does its place.
    pub(super) fn release_place(&mut self, id: usize, batch: &Batch) {
        let Some(stamp) = batch.stamp() else {
            return;
        };
        let track = &mut self.tracks[id];
        let lineage = &mut track.lineage;
        lineage.release(stamp, batch.record_count(), batch.attempts.maybe_written());
        lineage.doubt();
        if lineage.is_broken() {
            self.transactor.note_broken();
        }
    }

    /// The broker finds that the batch is not the next one, or does not know the producer (any more). `by_id` as for
    /// `note_acknowledged`.
    pub(super) fn on_out_of_sequence(
        &mut self,
        id: usize,
        mut batch: Box<Batch>,
        refusal: Refusal,
        log_start_offset: i64,
        by_id: bool,
        now: Instant,
    ) {
        let track = &mut self.tracks[id];
        track.lineage.doubt();
        let has_older = track.has_older(&batch);
        if !track.in_flight.is_empty() || (has_older && !track.awaits_witness()) {
            // One before it was refused, and this one for that reason alone, or one behind it may be in the log.
            batch.attempts.count = batch.attempts.count.saturating_sub(1);
            return track.put_back(batch);
        }
        let unknown = refusal.code == ErrorCode::UNKNOWN_PRODUCER_ID;
        match batch.attempts.order {
            Order::Kept => {}
            Order::Unclear if unknown && !self.transactor.is_transactional() => {
                // The new log has nothing of the producer's.
                batch.give_up_place();
                self.tracks[id].give_up_places();
                return self.retry(id, batch, refusal, now);
            }
            // Those before it go first.
            Order::Unclear | Order::Overtaken(_) if has_older => {}
            Order::Unclear | Order::Overtaken(_) => {
                return self.fail_overtaken(id, *batch, refusal.code);
            }
        }
        if unknown && log_start_offset < 0 {
            return self.retry(id, batch, refusal, now);
        }
        let Some(mut batch) = self.judge_unknown(id, batch) else {
            return;
        };
        if batch.attempts.order != Order::Kept {
            return self.fail_overtaken(id, *batch, refusal.code);
        }
        // What the broker has deleted by age is not lost.
        let track = &self.tracks[id];
        let acknowledged = track.lineage.acknowledged().map(|(_, offset)| offset);
        let retention = unknown && acknowledged.is_none_or(|offset| offset < log_start_offset);
        let is_loss = !track.lineage.is_broken()
            && refusal.code != ErrorCode::INVALID_PRODUCER_EPOCH
            && !retention;
        batch.attempts.trace = Trace::None;
        if let Some(offset) = acknowledged.filter(|_| is_loss) {
            if by_id || self.is_without_id(id) {
                if !self.note_loss(id, offset, log_start_offset) {
                    return self.fail_batch(id, *batch, &refusal);
                }
            } else {
                self.suspect(id, offset, batch.attempts.leader);
                if self.config.data_loss == DataLoss::Stop && !self.transactor.is_transactional() {
                    // Nothing goes behind what may be lost.
                    return self.retry(id, batch, refusal, now);
                }
                self.tracks[id].lineage.forget_offsets();
            }
        }
        if self.transactor.is_transactional() {
            if !(unknown && retention) {
                // The broker would refuse what follows in the next transaction too.
                self.tracks[id].lineage.end();
                self.transactor.note_broken();
                return self.fail_batch(id, *batch, &refusal);
            }
            self.tracks[id].lineage.restart();
            self.tracks[id].give_up_places();
        } else {
            self.tracks[id].lineage.end();
        }
        batch.give_up_place();
        self.retry(id, batch, refusal, now);
    }

    /// What it means that a broker does not know a batch. It remembers the last of a producer's batches alone, and
    /// after a restart only the very last. So one that was in doubt is in the log if one behind it is, acknowledged or
    /// still to be asked for, and one that was refused before is left out of that log: then there is nothing left to do,
    /// `None`. Else it is the oldest of those that were asked for that is not in the log.
    fn judge_unknown(&mut self, id: usize, mut batch: Box<Batch>) -> Option<Box<Batch>> {
        batch.attempts.trace = match batch.attempts.maybe_written() {
            true => Trace::NotRemembered,
            false => Trace::Misplaced,
        };
        let track = &mut self.tracks[id];
        track.put_back(batch);
        if !track.held.is_empty() {
            self.settle_waiting(id);
            return None;
        }
        if track.witness().is_some() {
            return None;
        }
        let oldest = track.pop_waiting();
        for other in &mut track.retry {
            other.attempts.ask_anew();
        }
        oldest
    }

    /// One behind them is in the log, and so are those that were in doubt, if it is the log that they were sent to; where,
    /// nobody knows any more.
    pub(super) fn settle_waiting(&mut self, id: usize) {
        while let Some(batch) = self.tracks[id].pop_waiting() {
            match (batch.attempts.trace, batch.attempts.order) {
                (Trace::NotRemembered, Order::Kept) => {
                    let outcome = delivered(&self.tracks[id], -1);
                    self.finish(id, *batch, outcome, Vec::new());
                }
                _ => {
                    let code = ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER;
                    self.fail_overtaken(id, *batch, code);
                }
            }
        }
    }

    /// The log has what followed it, and would have it behind that.
    fn fail_overtaken(&mut self, id: usize, mut batch: Batch, code: ErrorCode) {
        if batch.attempts.order == Order::Overtaken(Persistence::Not) {
            batch.attempts.trace = Trace::None;
        }
        let advice = match batch.attempts.maybe_written() {
            true => "Whether it has this one too is not known",
            false => "Send it again, if it may come behind those",
        };
        let message = format!(
            "the log did not know the producer, and has taken one behind it: the topic was made anew, or its log is not \
             what it was. {advice}"
        );
        let refusal = Refusal {
            code,
            message: Some(message.into()),
        };
        self.fail_batch(id, batch, &refusal);
    }

    /// Nothing will show any more whether they are in the log.
    pub(super) fn fail_waiting(&mut self, id: usize, refusal: &Refusal) {
        while let Some(batch) = self.tracks[id].pop_waiting() {
            self.fail_batch(id, *batch, refusal);
        }
    }

    /// The broker has the batch, behind which the log went on at this offset, if it said so. `by_id`: the topic that it
    /// was asked to write to was named by its id.
    pub(super) fn note_acknowledged(
        &mut self,
        id: usize,
        batch: &Batch,
        behind: Option<i64>,
        by_id: bool,
    ) {
        let track = &mut self.tracks[id];
        let Some(stamp) = batch.stamp() else {
            return;
        };
        track.lineage.acknowledge(stamp);
        track.note_taken(batch.place());
        let Some(behind) = behind.filter(|_| !track.of_old_log) else {
            return;
        };
        let first = behind - batch.record_count() as i64;
        track.note_overtaken(batch.place(), first);
        let again = track.lineage.note_offsets(batch.place(), first, behind - 1);
        match again {
            Some(offset) if by_id => {
                self.doom_for(id, "records that it may have written are lost");
                self.note_loss(id, offset, -1);
            }
            Some(offset) => self.suspect(id, offset, batch.attempts.leader),
            None => self.note_witness(id, batch.attempts.leader),
        }
    }

    /// The broker's time of a batch, where the topic has such times. The answer to a batch that came twice gives the
    /// largest timestamp in its place, whatever the topic has: what the topic has is known from other answers.
    pub(super) fn append_time(&mut self, topic: u32, batch: &Batch, said: i64) -> Option<i64> {
        let said = (said != -1).then_some(said);
        let at = topic as usize;
        if self.has_append_time.len() <= at {
            self.has_append_time.resize(at + 1, None);
        }
        let known = &mut self.has_append_time[at];
        if said.is_none() || batch.attempts.count <= 1 {
            *known = Some(said.is_some());
            return said;
        }
        match *known {
            Some(true) => said,
            Some(false) => None,
            None => said.filter(|time| *time != batch.max_timestamp()),
        }
    }
}

/// The halves of a split batch share its place.
pub(super) fn share_place(whole: Option<Stamp>, first: &mut Batch, second: &mut Batch) {
    first.set_stamp(whole);
    let rest = whole.map(|whole| Stamp {
        base_sequence: after(whole.base_sequence, first.record_count()),
        ..whole
    });
    second.set_stamp(rest);
}

/// The reason for refusing what belongs to a transaction that can only be aborted.
pub(super) fn aborted() -> Refusal {
    Refusal {
        code: ErrorCode::ABORTED,
        message: Some(Arc::from("its transaction was aborted")),
    }
}
