//! The broker's side of one connection, whatever carries it.

use super::handle::{MockHandle, Ticket};
use super::serve::Action;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};

/// Longer requests are not read: Kafka's own `socket.request.max.bytes`.
const MAX_FRAME: usize = 100 << 20;

/// Serves a connection until the client leaves or is cut off.
pub(super) async fn serve<S>(stream: S, handle: MockHandle, broker: i32)
where
    S: AsyncRead + AsyncWrite,
{
    if let Some(ticket) = handle.open(broker) {
        converse(stream, &handle, &ticket).await;
        handle.close(&ticket);
    }
}

/// Reads requests and performs the cluster's actions, in order.
async fn converse<S>(stream: S, handle: &MockHandle, ticket: &Ticket)
where
    S: AsyncRead + AsyncWrite,
{
    let mut control = handle.subscribe();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut incoming = BytesMut::new();
    let mut outgoing = Outgoing::default();
    while handle.is_alive(ticket) {
        let now = Instant::now();
        if outgoing.advance(handle, now) == Next::Close {
            return;
        }
        tokio::select! {
            biased;
            changed = control.changed() => {
                if changed.is_err() {
                    return;
                }
            }
            written = writer.write(&outgoing.writing), if !outgoing.writing.is_empty() => {
                match written {
                    Ok(n) if n > 0 => outgoing.writing.advance(n),
                    _ => return,
                }
            }
            () = outgoing.due(handle), if outgoing.writing.is_empty() => {}
            read = reader.read_buf(&mut incoming) => {
                let open = matches!(read, Ok(n) if n > 0);
                if !open || !take_frames(&mut incoming, handle, ticket, &mut outgoing) {
                    return;
                }
            }
        }
    }
}

/// Serves the whole frames that have come in; `false` where the connection is of no more use.
fn take_frames(
    incoming: &mut BytesMut,
    handle: &MockHandle,
    ticket: &Ticket,
    outgoing: &mut Outgoing,
) -> bool {
    while let Some(length) = incoming.first_chunk() {
        let length = match usize::try_from(i32::from_be_bytes(*length)) {
            Ok(length) if length <= MAX_FRAME => length,
            _ => return false,
        };
        if incoming.len() - 4 < length {
            break;
        }
        incoming.advance(4);
        let frame = incoming.split_to(length).freeze();
        match handle.handle(ticket, frame) {
            Some(actions) => outgoing.waiting.extend(actions),
            None => return false,
        }
    }
    true
}

/// What is still to be done on a connection.
#[derive(Default)]
struct Outgoing {
    waiting: VecDeque<Action>,
    writing: Bytes,
}

#[derive(PartialEq, Eq)]
enum Next {
    GoOn,
    Close,
}

impl Outgoing {
    /// Begins the next action if it is due and the one before is done.
    fn advance(&mut self, handle: &MockHandle, now: Instant) -> Next {
        while self.writing.is_empty() && self.next_at(handle).is_some_and(|at| at <= now) {
            match self.waiting.pop_front() {
                Some(Action::Send { bytes, .. }) => self.writing = bytes,
                Some(Action::Close { .. }) => return Next::Close,
                None => {}
            }
        }
        Next::GoOn
    }

    fn next_at(&self, handle: &MockHandle) -> Option<Instant> {
        self.waiting.front().map(|action| match action {
            Action::Send { at, .. } | Action::Close { at } => handle.instant(*at),
        })
    }

    /// Waits for the time of the next action.
    async fn due(&self, handle: &MockHandle) {
        match self.next_at(handle) {
            Some(at) => sleep_until(at).await,
            None => std::future::pending().await,
        }
    }
}
