//! Keeps a connection's stream going: requests in, writes, reads, handshakes, deadlines.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep, sleep_until};

use super::connection::Connection;
use super::frame::FrameReader;
use super::handshake::{Handshake, Next};
use super::pipeline::{MAX_SLICES, Owner, earlier};
use super::setup::Link;
use super::transport::Stream;
use super::{CloseKind, SetupStep, tls};
use crate::config::ConnectionSettings;
use crate::protocol::{VersionSet, correlation_id, split_response};

/// A session is renewed when this part of its lifetime is over, plus up to `RENEWAL_SPREAD` (as Java does).
const RENEWAL: f64 = 0.85;
const RENEWAL_SPREAD: f64 = 0.10;
/// A broker that names shorter sessions does not get a storm of authentications.
const SHORTEST_RENEWAL: Duration = Duration::from_millis(100);

pub(super) struct Pump<'a> {
    connection: &'a mut Connection,
    settings: &'a ConnectionSettings,
    stream: Box<dyn Stream>,
    reader: FrameReader,
    stage: Stage<'a>,
    setup_timeout: Duration,
    /// A request of the caller has been answered.
    proven: bool,
    versions: Option<VersionSet>,
    renew_at: Option<Instant>,
    last_use: Instant,
    timer: Pin<Box<Sleep>>,
    /// When the timer goes off; it may be earlier than need be, never later.
    armed: Option<Instant>,
}

enum Stage<'a> {
    /// The first handshake, or a later authentication.
    Handshake {
        handshake: Box<Handshake<'a>>,
        deadline: Option<Instant>,
    },
    Ready,
    /// Holds new requests until those under way are answered, to authenticate then.
    Draining,
}

impl<'a> Pump<'a> {
    pub(super) fn start(
        connection: &'a mut Connection,
        settings: &'a ConnectionSettings,
        link: Link,
    ) -> Result<Self, CloseKind> {
        let Link {
            stream,
            setup_timeout,
            ..
        } = link;
        let now = Instant::now();
        let (handshake, request) = Handshake::start(settings)?;
        let handshake = Box::new(handshake);
        connection.progress.reach(handshake.step());
        connection.pipeline.push_handshake(request, now)?;
        let stage = Stage::Handshake {
            handshake,
            deadline: now.checked_add(setup_timeout),
        };
        Ok(Pump {
            connection,
            settings,
            stream,
            reader: FrameReader::new(settings.receive_message_max),
            stage,
            setup_timeout,
            proven: false,
            versions: None,
            renew_at: None,
            last_use: now,
            timer: Box::pin(sleep_until(now)),
            armed: None,
        })
    }

    /// Runs until there is a reason to close.
    pub(super) async fn run(&mut self) -> CloseKind {
        poll_fn(|cx| match self.poll(cx) {
            Ok(()) => Poll::Pending,
            Err(kind) => Poll::Ready(kind),
        })
        .await
    }

    pub(super) fn was_ready(&self) -> bool {
        self.versions.is_some()
    }

    /// Tells the peer, as far as that goes without waiting.
    pub(super) async fn say_goodbye(&mut self) {
        poll_fn(|cx| {
            let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
            Poll::Ready(())
        })
        .await;
    }

    /// Does all that can be done now and leaves wakers for the rest.
    fn poll(&mut self, cx: &mut Context<'_>) -> Result<(), CloseKind> {
        loop {
            self.take_requests(cx)?;
            self.derive(cx)?;
            self.write(cx)?;
            // Answers that have come count before deadlines that have passed.
            let read = self.read(cx)?;
            if read.is_pending() && !self.watch_time(cx)? {
                return Ok(());
            }
        }
    }

    fn take_requests(&mut self, cx: &mut Context<'_>) -> Result<(), CloseKind> {
        if Pin::new(&mut self.connection.lifeline).poll(cx).is_ready() {
            return Err(CloseKind::Requested);
        }
        while let Poll::Ready(Some(request)) = self.connection.requests.poll_recv(cx) {
            self.connection.pipeline.push(request);
            self.last_use = Instant::now();
        }
        Ok(())
    }

    /// A slice of a key derivation, so that other connections get their turn in between.
    fn derive(&mut self, cx: &mut Context<'_>) -> Result<(), CloseKind> {
        let Stage::Handshake { handshake, .. } = &mut self.stage else {
            return Ok(());
        };
        if !handshake.is_deriving() {
            return Ok(());
        }
        match handshake.derive()? {
            Some(next) => self.follow(next),
            None => {
                cx.waker().wake_by_ref();
                Ok(())
            }
        }
    }

    fn write(&mut self, cx: &mut Context<'_>) -> Result<(), CloseKind> {
        match self.try_write(cx) {
            Ok(result) => result,
            Err(error) => {
                // What the peer said before it left explains more than the failed write does.
                while self.read(cx)?.is_ready() {}
                Err(self.lost(error))
            }
        }
    }

    /// Flushes before it writes more: what has been flushed is known to be with the socket.
    fn try_write(&mut self, cx: &mut Context<'_>) -> io::Result<Result<(), CloseKind>> {
        loop {
            if self.connection.pipeline.needs_flush() {
                match Pin::new(&mut self.stream).poll_flush(cx)? {
                    Poll::Ready(()) => self
                        .connection
                        .pipeline
                        .flushed(Instant::now(), &self.connection.outbox),
                    Poll::Pending => return Ok(Ok(())),
                }
            }
            if let Err(kind) = self.connection.pipeline.fill(Instant::now()) {
                return Ok(Err(kind));
            }
            if !self.connection.pipeline.has_parts() {
                return Ok(Ok(()));
            }
            let mut slices = [IoSlice::new(&[]); MAX_SLICES];
            let count = self.connection.pipeline.slices(&mut slices);
            match Pin::new(&mut self.stream).poll_write_vectored(cx, &slices[..count])? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(taken) => self.connection.pipeline.advance(taken, Instant::now()),
                Poll::Pending => return Ok(Ok(())),
            }
        }
    }

    /// One read, and all the frames it completes.
    fn read(&mut self, cx: &mut Context<'_>) -> Result<Poll<()>, CloseKind> {
        match self.reader.poll_read(cx, &mut *self.stream) {
            Poll::Pending => return Ok(Poll::Pending),
            Poll::Ready(Ok(0)) => return Err(self.lost(io::ErrorKind::UnexpectedEof.into())),
            Poll::Ready(Err(error)) => return Err(self.lost(error)),
            Poll::Ready(Ok(_)) => {}
        }
        while let Some(frame) = self.reader.next_frame().map_err(CloseKind::Protocol)? {
            self.take_response(frame)?;
        }
        Ok(Poll::Ready(()))
    }

    fn take_response(&mut self, frame: Bytes) -> Result<(), CloseKind> {
        let malformed =
            |error: crate::protocol::ProtocolError| CloseKind::Protocol(error.to_string());
        let id = correlation_id(&frame).map_err(malformed)?;
        let now = Instant::now();
        let request = self
            .connection
            .pipeline
            .answered(id, now, &self.connection.outbox)?;
        let (_, body) = match split_response(request.api, request.version, frame) {
            Ok(split) => split,
            Err(error) => {
                self.connection.pipeline.unanswer(request);
                return Err(malformed(error));
            }
        };
        self.last_use = now;
        match request.owner {
            Owner::Caller(id) => {
                self.proven = true;
                self.connection.outbox.response(id, &request, body);
                Ok(())
            }
            Owner::Handshake => match &mut self.stage {
                Stage::Handshake { handshake, .. } => {
                    let next = handshake.answered(&body)?;
                    self.connection.progress.reach(handshake.step());
                    self.follow(next)
                }
                Stage::Ready | Stage::Draining => Ok(()),
            },
        }
    }

    fn follow(&mut self, next: Next) -> Result<(), CloseKind> {
        match next {
            Next::Send(request) => self
                .connection
                .pipeline
                .push_handshake(request, Instant::now()),
            Next::Derive => Ok(()),
            Next::Ready { versions, session } => {
                self.become_ready(versions, session);
                Ok(())
            }
        }
    }

    fn become_ready(&mut self, versions: VersionSet, session: Option<Duration>) {
        if self.versions.is_none() {
            self.connection.shared.trust(&self.connection.broker);
            self.connection.outbox.ready(versions.clone());
            self.versions = Some(versions);
        }
        self.renew_at = session.and_then(|lifetime| {
            let part = RENEWAL + RENEWAL_SPREAD * self.connection.shared.rng.unit();
            let wait = Duration::try_from_secs_f64(lifetime.as_secs_f64() * part).ok()?;
            Instant::now().checked_add(wait.max(SHORTEST_RENEWAL))
        });
        self.last_use = Instant::now();
        self.stage = Stage::Ready;
        self.connection.pipeline.release();
    }

    /// Acts on deadlines that have passed and arms the timer for the next. True: there is something to write.
    fn watch_time(&mut self, cx: &mut Context<'_>) -> Result<bool, CloseKind> {
        loop {
            let now = Instant::now();
            if self.check_deadlines(now)? {
                return Ok(true);
            }
            let Some(next) = self.next_deadline() else {
                return Ok(false);
            };
            if self.armed.is_none_or(|armed| next < armed) {
                self.timer.as_mut().reset(next);
                self.armed = Some(next);
            }
            match self.timer.as_mut().poll(cx) {
                Poll::Pending => return Ok(false),
                Poll::Ready(()) => self.armed = None,
            }
        }
    }

    fn check_deadlines(&mut self, now: Instant) -> Result<bool, CloseKind> {
        let passed = |deadline: Option<Instant>| deadline.is_some_and(|deadline| deadline <= now);
        if let Some(kind) = self.connection.pipeline.expired(now) {
            return Err(kind);
        }
        match &self.stage {
            Stage::Handshake {
                handshake,
                deadline,
            } if passed(*deadline) => Err(CloseKind::SetupTimeout {
                step: handshake.step(),
                timeout: self.setup_timeout,
            }),
            Stage::Ready if passed(self.renew_at) => {
                self.connection.pipeline.hold();
                self.stage = Stage::Draining;
                self.check_deadlines(now)
            }
            Stage::Draining if self.connection.pipeline.is_quiet() => self.renew(now),
            Stage::Ready if passed(self.idle_at()) => Err(CloseKind::Idle),
            Stage::Handshake { .. } | Stage::Ready | Stage::Draining => Ok(false),
        }
    }

    /// Begins to authenticate anew (KIP-368).
    fn renew(&mut self, now: Instant) -> Result<bool, CloseKind> {
        let Some(versions) = self.versions.clone() else {
            return Ok(false);
        };
        match Handshake::restart(self.settings, versions.clone())? {
            Some((handshake, request)) => {
                self.connection.pipeline.push_handshake(request, now)?;
                self.stage = Stage::Handshake {
                    handshake: Box::new(handshake),
                    deadline: now.checked_add(self.setup_timeout),
                };
            }
            None => self.become_ready(versions, None),
        }
        Ok(true)
    }

    fn idle_at(&self) -> Option<Instant> {
        let max_idle = self
            .settings
            .max_idle
            .filter(|_| self.connection.pipeline.is_empty())?;
        self.last_use.checked_add(max_idle)
    }

    fn next_deadline(&self) -> Option<Instant> {
        let of_stage = match &self.stage {
            Stage::Handshake { deadline, .. } => *deadline,
            Stage::Ready => earlier(self.renew_at, self.idle_at()),
            Stage::Draining => None,
        };
        earlier(of_stage, self.connection.pipeline.earliest_deadline())
    }

    /// A listener that requires SASL answers ApiVersions without it and disconnects at the first other request.
    fn may_lack_sasl(&self) -> bool {
        !self.proven && self.settings.sasl.is_none() && !self.connection.pipeline.is_quiet()
    }

    fn lost(&self, error: io::Error) -> CloseKind {
        if let Some(text) = tls::explain(&error) {
            return CloseKind::Tls(text);
        }
        if error.kind() == io::ErrorKind::OutOfMemory {
            return CloseKind::NoMemory;
        }
        let step = match &self.stage {
            Stage::Handshake { handshake, .. } => handshake.step(),
            Stage::Ready | Stage::Draining if self.may_lack_sasl() => SetupStep::FirstResponse,
            Stage::Ready | Stage::Draining => SetupStep::Done,
        };
        let cause = match error.kind() {
            io::ErrorKind::UnexpectedEof => "the broker closed the connection".to_owned(),
            _ => error.to_string(),
        };
        CloseKind::Disconnected { step, cause }
    }
}
