//! Requests about identity and transaction: to whom they go, and what follows from the answers.

use bytes::Bytes;
use tokio::time::Instant;

use super::Engine;
use super::broker::Subject;
use super::drain::Outstanding;
use super::questions::{Answer, Said};
use crate::error::{Class, Error, ErrorCode};
use crate::network::RequestId;
use crate::protocol::ProtocolError;
use crate::transaction::{Destination, Step, Verdict, verdict};

impl Engine {
    /// Sends the step's request, or does what has to come first.
    pub(super) fn take_step(&mut self, step: Step, now: Instant) {
        let node = match self.transactor.destination(step) {
            Destination::Any => match self.broker_to_ask(None, now) {
                Some(node) => node,
                None => return self.connect_somewhere(now),
            },
            Destination::Node(node) => node,
        };
        match self.brokers.get(&node) {
            Some(broker) if broker.is_ready() => {}
            Some(broker) if broker.is_connecting() && !broker.is_silent(now) => return,
            Some(broker) if broker.may_connect(now) => return self.connect(node, now),
            // Gone or not to be reached: another may coordinate by now.
            Some(_) | None => return self.again(step, ErrorCode::NETWORK_EXCEPTION, true, now),
        }
        match self.send_step(step, node, now) {
            Ok(Some(id)) => self.transactor.asked(id, step),
            Ok(None) => self.again(step, ErrorCode::NETWORK_EXCEPTION, true, now),
            Err(error) => self.pending_fatal = Some(error),
        }
    }

    /// `Ok(None)`: the connection has just ended.
    fn send_step(
        &mut self,
        step: Step,
        node: i32,
        now: Instant,
    ) -> Result<Option<RequestId>, Error> {
        let Some(versions) = self.brokers.get(&node).and_then(|broker| broker.versions()) else {
            return Ok(None);
        };
        let request = self.encode_step(step, versions)?;
        Ok(self.ask(node, request, Outstanding::Step, now))
    }

    pub(super) fn on_step_response(
        &mut self,
        id: RequestId,
        version: i16,
        body: &Bytes,
        now: Instant,
    ) -> Result<(), ProtocolError> {
        if let Some(inquiry) = self.transactor.inquiry.of(id) {
            let answer = Answer::read(inquiry, version, body)?;
            self.on_inquiry_answered(id, answer, now);
            return Ok(());
        }
        let Some(step) = self.transactor.outstanding(id) else {
            self.take_request(id);
            return Ok(());
        };
        // What cannot be read leaves the request outstanding: it is lost with its connection.
        let answer = Answer::read(step, version, body)?;
        let Some(request) = self.take_request(id) else {
            return Ok(());
        };
        self.transactor.answered(id);
        let broker = request.broker();
        self.note_answer(broker, Subject::Work, answer.throttle_ms, now);
        self.on_answer(step, broker, answer, now);
        Ok(())
    }

    /// The broker that was asked is silent: it may not coordinate any more, and others know who does.
    pub(super) fn doubt_step(&mut self, stalled: &[i32], now: Instant) {
        let asked = |id: RequestId| self.requests.get(&id).map(Outstanding::broker);
        let is_stalled = |id: RequestId| asked(id).is_some_and(|node| stalled.contains(&node));
        let Some((id, step)) = self.transactor.pending().filter(|(id, _)| is_stalled(*id)) else {
            return;
        };
        if self
            .transactor
            .inquiry
            .pending()
            .is_some_and(|id| !is_stalled(id))
        {
            return;
        }
        let Some(other) = self
            .broker_to_ask(None, now)
            .filter(|other| !stalled.contains(other))
        else {
            return self.connect_somewhere(now);
        };
        match self.transactor.inquiry_about(step) {
            // The answer, should it come after all, is nothing to anybody.
            None => self.on_step_lost(id, now),
            Some(inquiry) => match self.send_step(inquiry, other, now) {
                Ok(Some(id)) => self.transactor.inquiry.asked(id, inquiry),
                // It is asked again when the silence lasts.
                Ok(None) => {}
                Err(error) => self.pending_fatal = Some(error),
            },
        }
    }

    fn on_inquiry_answered(&mut self, id: RequestId, answer: Answer, now: Instant) {
        let (Some(inquiry), Some(request)) =
            (self.transactor.inquiry.ended(id), self.take_request(id))
        else {
            return;
        };
        self.note_answer(request.broker(), Subject::Work, answer.throttle_ms, now);
        let (ErrorCode::OK, Said::Coordinator { node, host, port }) = (answer.code, answer.said)
        else {
            return;
        };
        let Some((silent, step)) = self.transactor.pending() else {
            return;
        };
        let moved = self
            .requests
            .get(&silent)
            .is_some_and(|request| request.broker() != node);
        if moved && self.transactor.inquiry_about(step) == Some(inquiry) {
            self.learn_broker(node, &host, port);
            self.transactor.redirect(inquiry, node, now, &self.rng);
        }
    }

    fn on_answer(&mut self, step: Step, broker: i32, answer: Answer, now: Instant) {
        match verdict(step, answer.code) {
            Verdict::Done => self.on_step_done(step, answer.said, now),
            Verdict::Retry => self.again(step, answer.code, false, now),
            Verdict::Elsewhere => self.again(step, answer.code, true, now),
            Verdict::Abortable => {
                let error = self.step_error(step, broker, &answer);
                self.transactor.step_failed(step);
                self.doom(error.of_class(Class::Abortable));
            }
            // Without transactions there is no call to make again: what was accepted would wait for ever.
            Verdict::Refused if !self.transactor.is_transactional() => {
                let error = self.step_error(step, broker, &answer);
                self.pending_fatal.get_or_insert(error);
            }
            Verdict::Refused => {
                // Whatever the code is elsewhere: once the permission is there, the call may be made again.
                let error = self.step_error(step, broker, &answer);
                let error = error.of_class(Class::Permanent);
                for (_, operation) in self.starts.drain(..) {
                    operation.complete(Err(error.clone()));
                }
                self.transactor.not_initialised(error);
            }
            Verdict::Fatal => {
                let error = self.step_error(step, broker, &answer);
                self.pending_fatal.get_or_insert(error);
            }
        }
    }

    fn on_step_done(&mut self, step: Step, said: Said, now: Instant) {
        match said {
            Said::Coordinator { node, host, port } => {
                self.learn_broker(node, &host, port);
                self.transactor.found(step, node);
            }
            Said::Identity(identity) => {
                self.transactor.initialised(identity);
                self.answer_starts();
                self.examine_all(now);
            }
            Said::Ended(next) => self.end(next),
            Said::Nothing => match step {
                Step::AddOffsets => self.transactor.added_offsets(),
                Step::CommitOffsets => self.transactor.committed_offsets(),
                _ => {
                    for id in self.transactor.added() {
                        self.tracks[id].joined = self.transactor.number();
                        self.examine(id, now);
                    }
                }
            },
        }
    }

    fn step_error(&self, step: Step, broker: i32, answer: &Answer) -> Error {
        let about = match answer.about.is_empty() {
            true => String::new(),
            false => format!(" ({})", answer.about),
        };
        let group = match step {
            Step::FindGroup | Step::AddOffsets | Step::CommitOffsets => self.transactor.offsets(),
            _ => None,
        };
        let whose = match (group, self.transactor.transactional_id()) {
            (Some(offsets), _) => format!(" of consumer group {}", offsets.group.group_id),
            (None, Some(id)) => format!(" of transactional.id {id}"),
            (None, None) => String::new(),
        };
        let place = match self.brokers.get(&broker) {
            Some(broker) => broker.to_string(),
            None => format!("broker {broker}"),
        };
        let code = answer.code;
        let fenced =
            code == ErrorCode::PRODUCER_FENCED || code == ErrorCode::INVALID_PRODUCER_EPOCH;
        let unanswered = self.transactor.refused().is_some_and(|refused| {
            (refused.step, refused.code) == (step, ErrorCode::NETWORK_EXCEPTION)
        });
        let own = match fenced && unanswered && step == Step::InitProducerId {
            true => " Or it was this producer's own request: the one before had no answer.",
            false => "",
        };
        let text = match (step, code) {
            (Step::CommitOffsets, ErrorCode::TOPIC_AUTHORIZATION_FAILED) => {
                "This user may not commit offsets of the topic. Grant it the operation Read on it."
            }
            _ => code.text(),
        };
        Error::new(
            code,
            format!(
                "{step}{whose} at {place}: {}{about}: {text}{own}",
                code.name()
            ),
        )
    }
}
