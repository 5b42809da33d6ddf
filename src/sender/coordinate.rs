//! Requests about identity and transaction: to whom they go, and what follows from the answers.

use bytes::Bytes;
use tokio::time::Instant;

use super::Engine;
use super::broker::Link;
use super::drain::{Outstanding, StepRequest};
use super::questions::{Answer, Said};
use crate::error::{Class, Error, ErrorCode};
use crate::network::{OutgoingRequest, RequestId};
use crate::protocol::ProtocolError;
use crate::transaction::{Destination, Step, Verdict, verdict};

impl Engine {
    /// Sends the step's request, or does what has to come first.
    pub(super) fn take_step(&mut self, step: Step, now: Instant) {
        let node = match self.transactor.destination(step) {
            Destination::Any => match self.broker_to_ask(now) {
                Some(node) => node,
                None => return self.connect_somewhere(now),
            },
            Destination::Node(node) => node,
        };
        let broker = self.brokers.get(&node);
        let may_connect = broker.is_some_and(|broker| broker.may_connect(now));
        match broker.map(|broker| &broker.link) {
            Some(Link::Ready { .. }) => {}
            Some(Link::Connecting { .. }) => return,
            Some(_) if may_connect => return self.connect(node, now),
            // Gone or not to be reached: another may coordinate by now.
            Some(Link::Backoff { .. } | Link::Idle) | None => {
                return self.again(step, ErrorCode::NETWORK_EXCEPTION, true, now);
            }
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
        let (api, version, body) = self.encode_step(step, versions)?;
        let id = self.next_request_id();
        let outgoing = OutgoingRequest {
            id,
            api,
            version,
            body: vec![body],
            expects_response: true,
            timeout: self.config.request_timeout,
        };
        let Some(broker) = self.brokers.get_mut(&node) else {
            return Ok(None);
        };
        let Link::Ready { conn, handle, .. } = &broker.link else {
            return Ok(None);
        };
        let conn = *conn;
        if handle.send(outgoing).is_err() {
            return Ok(None);
        }
        broker.in_flight += 1;
        broker.waiting_since.get_or_insert(now);
        let request = StepRequest {
            broker: node,
            conn,
            sent: now,
        };
        self.requests.insert(id, Outstanding::Step(request));
        Ok(Some(id))
    }

    pub(super) fn on_step_response(
        &mut self,
        id: RequestId,
        version: i16,
        body: &Bytes,
        now: Instant,
    ) -> Result<(), ProtocolError> {
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
        self.note_success(broker);
        self.throttle(broker, answer.throttle_ms, now);
        self.on_answer(step, broker, answer, now);
        Ok(())
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
                let error = self.step_error(step, broker, &answer);
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
        let id = self.transactor.transactional_id();
        let whose = id.map_or_else(String::new, |id| format!(" of transactional.id {id}"));
        let place = match self.brokers.get(&broker) {
            Some(broker) => format!("broker {} ({})", broker.id, broker.address),
            None => format!("broker {broker}"),
        };
        let code = answer.code;
        Error::new(
            code,
            format!(
                "{step}{whose} at {place}: {}{about}: {}",
                code.name(),
                code.text()
            ),
        )
    }
}
