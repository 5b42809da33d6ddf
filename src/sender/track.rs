//! The engine's side of a partition: who leads it, what is in flight, what is to be tried again.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::loss::Suspicion;
use crate::accumulator::{Batch, Order, Partition, Topic, Trace};
use crate::completion::Outcome;
use crate::network::{Backoff, RequestId};
use crate::transaction::{Lineage, Place};

/// A batch in a request that has not been answered.
#[derive(Debug)]
pub struct Flight {
    pub request: RequestId,
    pub batch: Box<Batch>,
}

#[derive(Debug)]
pub struct Track {
    pub topic: Arc<Topic>,
    pub partition: Arc<Partition>,
    /// −1 while unknown.
    pub leader: i32,
    /// Never goes back for the same topic id (KIP-320).
    pub leader_epoch: i32,
    pub in_flight: VecDeque<Flight>,
    /// Delivered, but behind one without an outcome: their reports wait for its.
    pub held: VecDeque<(Box<Batch>, Outcome)>,
    /// Before everything in the partition's queue, in order.
    pub retry: VecDeque<Box<Batch>>,
    pub backoff: Backoff,
    /// Nothing is sent before that.
    pub not_before: Option<Instant>,
    /// The broker whose list it stands in.
    pub listed_on: Option<i32>,
    pub expiry_armed: bool,
    /// A newer leader is known while the old one owes an answer: since when.
    pub superseded_since: Option<Instant>,
    /// What is in flight went to a topic that was made anew since: its offsets are another log's.
    pub of_old_log: bool,
    /// When that was seen: what is said of leaders in answer to what was asked before is of another topic.
    pub made_anew: Option<Instant>,
    pub suspicion: Option<Suspicion>,
    /// The topic was made anew without this partition.
    pub is_gone: bool,
    /// The sequence of an idempotent producer.
    pub lineage: Lineage,
    /// The transaction that the partition was made part of last.
    pub joined: u64,
}

impl Track {
    pub fn new(
        topic: Arc<Topic>,
        partition: Arc<Partition>,
        backoff: Backoff,
        first_sequence: i32,
    ) -> Self {
        Track {
            topic,
            partition,
            leader: -1,
            leader_epoch: -1,
            in_flight: VecDeque::new(),
            held: VecDeque::new(),
            retry: VecDeque::new(),
            backoff,
            not_before: None,
            listed_on: None,
            expiry_armed: false,
            superseded_since: None,
            of_old_log: false,
            made_anew: None,
            suspicion: None,
            is_gone: false,
            lineage: Lineage::new(first_sequence),
            joined: 0,
        }
    }

    /// None of those that are to be tried again is in the log: they get places anew.
    pub fn give_up_places(&mut self) {
        for batch in &mut self.retry {
            batch.give_up_place();
        }
    }

    /// Puts batches back before all others, keeping the order in which they were accepted.
    pub fn put_back(&mut self, batch: Box<Batch>) {
        let at = self
            .retry
            .partition_point(|other| other.place() < batch.place());
        self.retry.insert(at, batch);
    }

    /// The place of the one that is to be tried again next: where the oldest waits for what one behind it will show, the
    /// next one that can.
    pub fn next_retry(&self) -> usize {
        match self.awaits_witness() {
            true => self.witness().unwrap_or(0),
            false => 0,
        }
    }

    /// Whether the oldest waits for what one behind it will show.
    pub fn awaits_witness(&self) -> bool {
        let head = self.retry.front();
        head.is_some_and(|head| head.attempts.awaits_witness())
    }

    /// The place of the first one of which nobody knows whether it is in the log.
    pub fn witness(&self) -> Option<usize> {
        let mut traces = self.retry.iter().map(|batch| batch.attempts.trace);
        traces.position(|trace| trace == Trace::InDoubt)
    }

    /// The oldest, if it waits for what one behind it will show.
    pub fn pop_waiting(&mut self) -> Option<Box<Batch>> {
        self.retry
            .pop_front_if(|head| head.attempts.awaits_witness())
    }

    /// The topic was made anew: its new log knows none of those that are under way, and takes any of them as the first,
    /// if any can have been sent to it.
    pub fn note_anew(&mut self, now: Instant) {
        self.made_anew = Some(now);
        self.of_old_log = !self.in_flight.is_empty();
        let by_name = self.sent().any(|(batch, _)| batch.attempts.by_name);
        for (batch, _) in self.sent() {
            batch.attempts.ask_anew();
            if by_name && batch.attempts.order == Order::Kept {
                batch.attempts.order = Order::Unclear;
            }
        }
    }

    /// The log has a batch of this place. Had it known the producer, it would have taken none before one that it has
    /// refused; from now on it does.
    pub fn note_taken(&mut self, place: Place) {
        let is_before = |batch: &Batch| batch.place() < place;
        let is_left_out =
            |(batch, flies): (&mut Batch, bool)| is_before(batch) && is_out(batch, flies);
        let left_out = self.sent().any(is_left_out);
        let of_old_log = self.of_old_log;
        for (batch, flies) in self.sent() {
            match batch.attempts.order {
                _ if is_before(batch) && left_out => {
                    batch.attempts.note_overtaken(is_out(batch, flies));
                }
                Order::Unclear if !is_before(batch) && !of_old_log => {
                    batch.attempts.order = Order::Kept;
                }
                Order::Kept | Order::Unclear | Order::Overtaken(_) => {}
            }
        }
    }

    /// Those that have a place in the sequence and no outcome, and whether each is in flight.
    fn sent(&mut self) -> impl Iterator<Item = (&mut Batch, bool)> {
        let flying = self.in_flight.iter_mut();
        let flying = flying.map(|flight| (&mut *flight.batch, true));
        let waiting = self.retry.iter_mut().map(|batch| (&mut **batch, false));
        let all = flying.chain(waiting);
        all.filter(|(batch, _)| batch.stamp().is_some())
    }

    /// Whether the partition has one before this without an outcome.
    pub fn has_older(&self, batch: &Batch) -> bool {
        let is_older = |other: &Batch| other.place() < batch.place();
        self.retry.iter().any(|other| is_older(other))
            || self.in_flight.iter().any(|other| is_older(&other.batch))
    }

    /// The log has a batch of this place at this offset. It takes a producer's batches in their order, unless it does not
    /// know the producer: then it takes any, and none that was before. That shows where there is no room for those
    /// between it and what was acknowledged last.
    pub fn note_overtaken(&mut self, place: Place, offset: i64) {
        let last = self.lineage.acknowledged();
        let before = last.map(|(place, _)| place);
        let mut between: Vec<_> = self
            .sent()
            .filter(|(batch, _)| before < Some(batch.place()) && batch.place() < place)
            .collect();
        let records: i64 = between
            .iter()
            .map(|(batch, _)| batch.record_count() as i64)
            .sum();
        // In another log than before they are behind its beginning, if anywhere.
        let is_same_log = |last: &i64| *last < offset;
        let end = last.map(|(_, last)| last).filter(is_same_log);
        let room = offset - 1 - end.unwrap_or(-1);
        if records <= room && (end.is_some() || last.is_none()) {
            return;
        }
        for (batch, flies) in &mut between {
            // The log may be another than that which acknowledged the last, or have lost it.
            let fits = batch.record_count() as i64 <= offset;
            let is_out = is_out(batch, *flies) || !fits;
            batch.attempts.note_overtaken(is_out);
        }
    }

    /// Keeps a delivered batch whose turn to be reported has not come.
    pub fn hold(&mut self, batch: Box<Batch>, outcome: Outcome) {
        let at = self
            .held
            .partition_point(|(other, _)| other.place() < batch.place());
        self.held.insert(at, (batch, outcome));
    }

    /// The next delivered batch whose turn has come.
    pub fn unhold(&mut self) -> Option<(Box<Batch>, Outcome)> {
        let (batch, _) = self.held.front()?;
        match self.has_older(batch) {
            true => None,
            false => self.held.pop_front(),
        }
    }

    /// The oldest batch that has left the queue, and whether it is in flight.
    pub fn oldest(&self) -> Option<(&Batch, bool)> {
        let flying = self.in_flight.front().map(|flight| (&*flight.batch, true));
        let waiting = self.retry.front().map(|batch| (&**batch, false));
        flying
            .into_iter()
            .chain(waiting)
            .min_by_key(|(batch, _)| batch.place())
    }

    /// Takes the oldest batch that has left the queue. One in flight is given up, and may be in the log.
    pub fn take_oldest(&mut self) -> Option<Box<Batch>> {
        let (_, flies) = self.oldest()?;
        if !flies {
            return self.retry.pop_front();
        }
        let request = self.in_flight.front()?.request;
        let mut batch = self.land(request)?;
        batch.attempts.note_doubt();
        Some(batch)
    }

    /// Takes the batch out of the flight that the request stands for.
    pub fn land(&mut self, request: RequestId) -> Option<Box<Batch>> {
        let at = self
            .in_flight
            .iter()
            .position(|flight| flight.request == request)?;
        let flight = self.in_flight.remove(at)?;
        if self.in_flight.is_empty() {
            // Nothing of the old leader's is left to be taken back.
            self.superseded_since = None;
        }
        Some(flight.batch)
    }
}

/// Whether the batch is not in the log for certain.
fn is_out(batch: &Batch, flies: bool) -> bool {
    !flies && !batch.attempts.maybe_written()
}
