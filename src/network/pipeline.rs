//! The requests of one connection: waiting, being written, awaiting their answers; always in send order.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::time::Instant;

use super::connection::Outbox;
use super::handshake::HandshakeRequest;
use super::{CloseKind, OutgoingRequest, RequestId, WriteState};
use crate::protocol::{ApiKey, RequestHeader};

/// How many parts one vectored write takes at most. A request of many small batches has three parts for each.
pub(super) const MAX_SLICES: usize = 256;
/// Requests are encoded ahead of the socket up to here.
const WINDOW: usize = 1024 * 1024;
/// Length, header and a client id of usual length.
const HEAD: usize = 64;
const LENGTH: usize = 4;

/// `waiting` → `writing` (parts encoded) → `flushing` (given to the stream) → `awaiting` (handed to the socket).
pub(super) struct Pipeline {
    client_id: Option<String>,
    next_correlation: i32,
    /// While held, the caller's requests wait: the handshake has the connection.
    held: bool,
    waiting: VecDeque<OutgoingRequest>,
    parts: VecDeque<Bytes>,
    part_bytes: usize,
    writing: VecDeque<Writing>,
    flushing: VecDeque<Sent>,
    awaiting: VecDeque<Sent>,
    /// No deadline is earlier. It may be that of a request answered long ago.
    earliest: Option<Instant>,
}

struct Writing {
    request: Sent,
    size: usize,
    left: usize,
}

pub(super) struct Sent {
    pub(super) owner: Owner,
    pub(super) api: ApiKey,
    pub(super) version: i16,
    correlation: i32,
    expects_response: bool,
    timeout: Option<Duration>,
    deadline: Option<Instant>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Caller(RequestId),
    Handshake,
}

impl Pipeline {
    pub(super) fn new(client_id: Option<String>) -> Self {
        Pipeline {
            client_id,
            next_correlation: 0,
            held: true,
            waiting: VecDeque::new(),
            parts: VecDeque::new(),
            part_bytes: 0,
            writing: VecDeque::new(),
            flushing: VecDeque::new(),
            awaiting: VecDeque::new(),
            earliest: None,
        }
    }

    pub(super) fn push(&mut self, request: OutgoingRequest) {
        self.waiting.push_back(request);
    }

    pub(super) fn hold(&mut self) {
        self.held = true;
    }

    pub(super) fn release(&mut self) {
        self.held = false;
    }

    /// Nothing is under way. Held requests may wait.
    pub(super) fn is_quiet(&self) -> bool {
        self.writing.is_empty() && self.flushing.is_empty() && self.awaiting.is_empty()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_quiet() && self.waiting.is_empty()
    }

    /// Puts a request of the handshake behind what is being written and before what waits.
    pub(super) fn push_handshake(
        &mut self,
        request: HandshakeRequest,
        now: Instant,
    ) -> Result<(), CloseKind> {
        let HandshakeRequest { api, version, body } = request;
        let head = self.head(api, version, body.len())?;
        self.enqueue(
            head,
            vec![body],
            Sent::new(Owner::Handshake, api, version),
            now,
        );
        Ok(())
    }

    /// Encodes waiting requests as far as the window goes.
    pub(super) fn fill(&mut self, now: Instant) -> Result<(), CloseKind> {
        while !self.held && self.parts.len() < MAX_SLICES && self.part_bytes < WINDOW {
            let Some(next) = self.waiting.front() else {
                return Ok(());
            };
            let body_size = next.body.iter().map(Bytes::len).sum();
            let head = self.head(next.api, next.version, body_size)?;
            let Some(request) = self.waiting.pop_front() else {
                return Ok(());
            };
            let sent = Sent {
                expects_response: request.expects_response,
                timeout: Some(request.timeout),
                ..Sent::new(Owner::Caller(request.id), request.api, request.version)
            };
            self.enqueue(head, request.body, sent, now);
        }
        Ok(())
    }

    /// Length and header of the next request.
    fn head(&self, api: ApiKey, version: i16, body_size: usize) -> Result<Bytes, CloseKind> {
        let refused = |why: &dyn std::fmt::Display| {
            CloseKind::Protocol(format!("{api} cannot be encoded: {why}"))
        };
        let mut head = BytesMut::with_capacity(HEAD);
        head.put_i32(0);
        RequestHeader::encode(
            &mut head,
            api,
            version,
            self.next_correlation,
            self.client_id.as_deref(),
        )
        .map_err(|error| refused(&error))?;
        let length =
            i32::try_from(head.len() - LENGTH + body_size).map_err(|error| refused(&error))?;
        head[..LENGTH].copy_from_slice(&length.to_be_bytes());
        Ok(head.freeze())
    }

    fn enqueue(&mut self, head: Bytes, body: Vec<Bytes>, request: Sent, now: Instant) {
        let correlation = self.next_correlation;
        self.next_correlation = correlation.wrapping_add(1) & i32::MAX;
        let size = head.len() + body.iter().map(Bytes::len).sum::<usize>();
        self.parts.push_back(head);
        self.parts
            .extend(body.into_iter().filter(|part| !part.is_empty()));
        self.part_bytes += size;
        self.writing.push_back(Writing {
            request: Sent {
                correlation,
                ..request
            },
            size,
            left: size,
        });
        if self.writing.len() == 1 {
            self.time_the_head(now);
        }
    }

    /// What to write next, as many parts as `slices` holds.
    pub(super) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slot, part) in slices.iter_mut().zip(&self.parts) {
            *slot = IoSlice::new(part);
            count += 1;
        }
        count
    }

    pub(super) fn has_parts(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The stream took this many bytes.
    pub(super) fn advance(&mut self, mut taken: usize, now: Instant) {
        self.part_bytes = self.part_bytes.saturating_sub(taken);
        self.drop_parts(taken);
        let mut finished = false;
        while let Some(head) = self.writing.front_mut() {
            let of_this = head.left.min(taken);
            head.left -= of_this;
            taken -= of_this;
            if head.left > 0 {
                break;
            }
            self.flushing
                .extend(self.writing.pop_front().map(|done| done.request));
            finished = true;
        }
        if finished {
            self.time_the_head(now);
        }
    }

    fn drop_parts(&mut self, mut taken: usize) {
        while let Some(part) = self.parts.front_mut() {
            if part.len() > taken {
                let _ = part.split_to(taken);
                return;
            }
            taken -= part.len();
            self.parts.pop_front();
        }
    }

    /// The request now at the head of the writes has its timeout to get through.
    fn time_the_head(&mut self, now: Instant) {
        if let Some(head) = self.writing.front_mut() {
            head.request.start_clock(now);
            self.earliest = earlier(self.earliest, head.request.deadline);
        }
    }

    pub(super) fn needs_flush(&self) -> bool {
        !self.flushing.is_empty()
    }

    /// All that the stream took has been handed to the socket.
    pub(super) fn flushed(&mut self, now: Instant, outbox: &Outbox) {
        while let Some(request) = self.flushing.pop_front() {
            self.written(request, now, outbox);
        }
    }

    fn written(&mut self, mut request: Sent, now: Instant, outbox: &Outbox) {
        if let Owner::Caller(id) = request.owner {
            outbox.written(id, now);
        }
        if request.expects_response {
            request.start_clock(now);
            self.earliest = earlier(self.earliest, request.deadline);
            self.awaiting.push_back(request);
        }
    }

    /// The request that a response with this correlation id answers.
    pub(super) fn answered(
        &mut self,
        correlation: i32,
        now: Instant,
        outbox: &Outbox,
    ) -> Result<Sent, CloseKind> {
        // An answer to what is still being flushed proves that the flush has got that far.
        while self.awaiting.is_empty() {
            let Some(request) = self.flushing.pop_front() else {
                return Err(CloseKind::Protocol(
                    "a response came that no request asked for".into(),
                ));
            };
            self.written(request, now, outbox);
        }
        match self.awaiting.pop_front() {
            Some(request) if request.correlation == correlation => Ok(request),
            Some(request) => {
                let due = request.correlation;
                self.awaiting.push_front(request);
                Err(CloseKind::Protocol(format!(
                    "a response to request {correlation} came where {due} was due"
                )))
            }
            None => Err(CloseKind::Protocol(
                "a response came that no request asked for".into(),
            )),
        }
    }

    /// The response could not be read: the request counts as unanswered again.
    pub(super) fn unanswer(&mut self, request: Sent) {
        self.awaiting.push_front(request);
    }

    /// No deadline is earlier than this.
    pub(super) fn earliest_deadline(&self) -> Option<Instant> {
        self.earliest
    }

    /// The first request whose time is over, if there is one.
    pub(super) fn expired(&mut self, now: Instant) -> Option<CloseKind> {
        if self.earliest.is_none_or(|earliest| now < earliest) {
            return None;
        }
        let written = self.awaiting.iter().map(|request| (request, true));
        let unwritten = self
            .flushing
            .iter()
            .chain(self.writing.front().map(|head| &head.request));
        let mut earliest = None;
        for (request, written) in written.chain(unwritten.map(|request| (request, false))) {
            if let (Owner::Caller(id), Some(timeout), true) = (
                request.owner,
                request.timeout,
                request.deadline.is_some_and(|deadline| deadline <= now),
            ) {
                return Some(CloseKind::RequestTimeout {
                    id,
                    api: request.api,
                    timeout,
                    written,
                });
            }
            earliest = earlier(earliest, request.deadline);
        }
        self.earliest = earliest;
        None
    }

    /// Takes all that was never answered, in send order.
    pub(super) fn take_unanswered(&mut self) -> Vec<(RequestId, WriteState)> {
        self.parts.clear();
        let sent = self
            .awaiting
            .drain(..)
            .chain(self.flushing.drain(..))
            .map(|request| (request.owner, WriteState::Written));
        let writing = self
            .writing
            .drain(..)
            .map(|writing| match writing.left == writing.size {
                true => (writing.request.owner, WriteState::NotWritten),
                false => (writing.request.owner, WriteState::PartlyWritten),
            });
        let waiting = self
            .waiting
            .drain(..)
            .map(|request| (Owner::Caller(request.id), WriteState::NotWritten));
        let all = sent.chain(writing).chain(waiting);
        all.filter_map(|(owner, state)| match owner {
            Owner::Caller(id) => Some((id, state)),
            Owner::Handshake => None,
        })
        .collect()
    }
}

impl Sent {
    fn new(owner: Owner, api: ApiKey, version: i16) -> Self {
        Sent {
            owner,
            api,
            version,
            correlation: 0,
            expects_response: true,
            timeout: None,
            deadline: None,
        }
    }

    fn start_clock(&mut self, now: Instant) {
        self.deadline = self.timeout.and_then(|timeout| now.checked_add(timeout));
    }
}

pub(super) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
