//! Users' batches that wait to be accepted: for metadata, for the one before them, for memory, up to a deadline.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Engine, Shared, Timer};
use crate::accumulator::{Gate, Hurdle, LOOK_EVERY, Offer, Offerer};
use crate::completion::Operation;
use crate::error::{Error, ErrorCode};

/// Who waits, in order, by topic and partition.
pub(super) type Lines = BTreeMap<(u32, i32), Vec<Waiting>>;

/// A send of a batch that has no answer yet. The offer goes first: whoever is answered has his batch back.
#[derive(Debug)]
pub(super) struct Waiting {
    offer: Box<Offer>,
    operation: Operation,
    deadline: Instant,
}

impl Engine {
    pub(super) fn on_send_batch(
        &mut self,
        offer: Box<Offer>,
        operation: Operation,
        deadline: Instant,
        now: Instant,
    ) {
        let waiting = Waiting {
            offer,
            operation,
            deadline,
        };
        if let Gate::Shut(code) | Gate::Ended(code) = self.accumulator.gate() {
            return waiting.answer(Err(code));
        }
        let topic = waiting.offer.topic.clone();
        if topic.partition_count() == 0 {
            self.on_want(&topic, now);
        }
        self.timers.at(deadline, Timer::Look);
        let line = self.lines.entry((topic.handle, waiting.offer.partition));
        line.or_default().push(waiting);
    }

    /// Offers the first of each line to its partition, and the next where that one is accepted.
    pub(super) fn serve_lines(&mut self, now: Instant) {
        if self.lines.is_empty() {
            return;
        }
        let mut lines = std::mem::take(&mut self.lines);
        let mut accepted = false;
        for line in lines.values_mut() {
            accepted |= self.serve(line, now);
            let late = |waiting: &mut Waiting| waiting.deadline <= now;
            let late: Vec<Waiting> = line.extract_if(.., late).collect();
            for waiting in late {
                let error = waiting.reason(&self.shared);
                waiting.refuse(error);
            }
        }
        lines.retain(|_, line| !line.is_empty());
        self.lines = lines;
        if accepted && self.transactor.is_ending() {
            // What was accepted this late must not linger.
            self.hasten(now);
        }
    }

    /// Whether any was accepted.
    fn serve(&mut self, line: &mut Vec<Waiting>, now: Instant) -> bool {
        let mut accepted = false;
        while let Some(first) = line.first_mut() {
            let offer = &mut first.offer;
            let answer = match offer.accept(&self.accumulator, Offerer::Engine) {
                Ok(()) => Ok(()),
                Err(Hurdle::UnknownTopic) => match offer.topic_refusal() {
                    Some(code) => Err(code),
                    None => break,
                },
                Err(Hurdle::Occupied) => break,
                Err(Hurdle::Memory { .. }) => {
                    self.look_at(now + LOOK_EVERY);
                    break;
                }
                Err(Hurdle::Refused(code)) => Err(code),
                Err(Hurdle::Withdrawn) => Err(ErrorCode::PURGED_QUEUED),
            };
            offer.topic.touch(self.shared.age_ms());
            accepted |= answer.is_ok();
            line.remove(0).answer(answer);
        }
        accepted
    }

    /// Lets those go whose batch was freed.
    pub(super) fn sweep_lines(&mut self) {
        for line in self.lines.values_mut() {
            let gone = |waiting: &mut Waiting| waiting.offer.is_withdrawn();
            let gone: Vec<Waiting> = line.extract_if(.., gone).collect();
            for waiting in gone {
                waiting.answer(Err(ErrorCode::PURGED_QUEUED));
            }
        }
    }

    /// None of those who wait is accepted any more.
    pub(super) fn dismiss_lines(&mut self, code: ErrorCode) {
        for waiting in std::mem::take(&mut self.lines).into_values().flatten() {
            waiting.answer(Err(code));
        }
    }
}

impl Waiting {
    /// Why its time has passed: what the cluster says of the topic tells more than that it has.
    fn reason(&self, shared: &Shared) -> Error {
        let topic = &self.offer.topic;
        let code = ErrorCode::TIMED_OUT;
        match (topic.error(), shared.hindrance(code)) {
            (Some(said), _) if topic.partition_count() == 0 => said,
            (_, Some(hindrance)) => Error::new(
                code,
                format!("kprod_send_batch timed out: {}", hindrance.message),
            ),
            (_, None) => Error::new(code, code.text()),
        }
    }

    fn answer(self, answer: Result<(), ErrorCode>) {
        match answer {
            // Its report follows the answer: an empty one has it from the offer.
            Ok(()) => {
                self.operation.complete_now(Ok(0));
                drop(self.offer);
            }
            Err(code) => self.refuse(Error::new(code, code.text())),
        }
    }

    fn refuse(self, error: Error) {
        drop(self.offer);
        self.operation.complete_now(Err(error));
    }
}
