//! Cuts the bytes of a stream into frames, trusting no length.

use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::AsyncReadExt;

use super::transport::Stream;
use crate::sys::NoMemory;

/// What one read may bring, and the least that a frame's buffer grows by.
const CHUNK: usize = 8 * 1024;
/// A larger frame keeps the buffer that has grown for it; a smaller one is copied out.
const KEEP: usize = 64 * 1024;
const PREFIX: usize = 4;
/// A response has a correlation id at least.
const LEAST: usize = 4;

pub(super) struct FrameReader {
    buffer: Vec<u8>,
    /// What has been cut off at the buffer's front.
    taken: usize,
    max: usize,
    first: bool,
}

impl FrameReader {
    pub(super) fn new(max: usize) -> Self {
        FrameReader {
            buffer: Vec::new(),
            taken: 0,
            max,
            first: true,
        }
    }

    /// One read. 0 is the end of the stream; an error of the kind OutOfMemory is none of it.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        stream: &mut dyn Stream,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.len() == self.buffer.capacity()
            && let Err(none) = self.grow()
        {
            return Poll::Ready(Err(none.into()));
        }
        let read = ready!(pin!(stream.read_buf(&mut self.buffer)).poll(cx));
        Poll::Ready(read)
    }

    /// Makes room for as much as has come already, not for as much as a length announces.
    fn grow(&mut self) -> Result<(), NoMemory> {
        self.buffer.drain(..std::mem::take(&mut self.taken));
        let missing = match self.announced() {
            Some(size) => (PREFIX + size as usize).saturating_sub(self.buffer.len()),
            None => CHUNK,
        };
        let more = missing.min(self.buffer.len()).max(CHUNK);
        Ok(self.buffer.try_reserve_exact(more)?)
    }

    /// What has come and is not cut off.
    fn rest(&self) -> &[u8] {
        &self.buffer[self.taken..]
    }

    /// The next whole frame without its length. The error says what is wrong with the stream.
    pub(super) fn next_frame(&mut self) -> Result<Option<Bytes>, String> {
        let Some(size) = self.announced() else {
            return Ok(None);
        };
        self.check(size)?;
        let size = size as usize;
        if self.rest().len() < PREFIX + size {
            return Ok(None);
        }
        self.first = false;
        let begin = self.taken + PREFIX;
        let end = begin + size;
        if size <= KEEP {
            let frame = Bytes::copy_from_slice(&self.buffer[begin..end]);
            self.taken = end;
            if end == self.buffer.len() {
                self.buffer.clear();
                self.taken = 0;
            }
            return Ok(Some(frame));
        }
        // Behind it there is no more than one read has brought.
        let behind = self.buffer.split_off(end);
        self.taken = 0;
        let whole = std::mem::replace(&mut self.buffer, behind);
        Ok(Some(Bytes::from(whole).slice(begin..)))
    }

    fn announced(&self) -> Option<i32> {
        self.rest()
            .first_chunk::<PREFIX>()
            .map(|prefix| i32::from_be_bytes(*prefix))
    }

    fn check(&self, size: i32) -> Result<(), String> {
        let acceptable = usize::try_from(size).is_ok_and(|size| (LEAST..=self.max).contains(&size));
        match other_protocol(self.rest()) {
            Some(what) if self.first || !acceptable => Err(what.to_owned()),
            _ if acceptable => Ok(()),
            _ => Err(format!(
                "a response of {size} bytes was announced, {LEAST} to {} are accepted (receive.message.max.bytes)",
                self.max
            )),
        }
    }
}

/// Recognises what answers on ports that are mistaken for a broker's.
fn other_protocol(bytes: &[u8]) -> Option<&'static str> {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    const MAJOR_VERSION: u8 = 3;
    match bytes {
        [b'H', b'T', b'T', b'P', ..] => {
            Some("the peer speaks HTTP: this is not the port of a Kafka broker")
        }
        [b'S', b'S', b'H', b'-', ..] => {
            Some("the peer speaks SSH: this is not the port of a Kafka broker")
        }
        [ALERT | HANDSHAKE, MAJOR_VERSION, ..] => {
            Some("the peer answers in TLS: set security.protocol to SSL or SASL_SSL")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    /// Feeds bytes as they would come in reads of `step` bytes.
    fn frames(bytes: &[u8], step: usize, max: usize) -> Result<Vec<Bytes>, String> {
        let mut reader = FrameReader::new(max);
        let mut frames = Vec::new();
        for part in bytes.chunks(step) {
            reader.buffer.extend_from_slice(part);
            while let Some(frame) = reader.next_frame()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    #[test]
    fn any_cut_of_the_stream_gives_the_same_frames() {
        let stream = [
            &[0, 0, 0, 5][..],
            b"hello",
            &[0, 0, 0, 4],
            b"four",
            &[0, 0, 0, 6],
            b"unfini",
        ]
        .concat();
        for step in 1..stream.len() {
            let frames = frames(&stream[..stream.len() - 1], step, 100).unwrap();
            assert_eq!(frames, [&b"hello"[..], b"four"], "step {step}");
        }
    }

    #[test]
    fn lengths_out_of_range_are_refused_on_sight() {
        for size in [101, i32::MAX, -1, i32::MIN, 0, 3] {
            let error = frames(&size.to_be_bytes(), 4, 100).unwrap_err();
            assert!(error.contains("receive.message.max.bytes"), "{error}");
        }
    }

    #[test]
    fn other_protocols_are_called_by_name_whatever_the_limit() {
        for max in [100, i32::MAX as usize] {
            assert!(
                frames(b"HTTP/1.1 400 Bad Request\r\n", 4, max)
                    .unwrap_err()
                    .contains("HTTP")
            );
            assert!(
                frames(&[21, 3, 3, 0, 2, 2, 40], 4, max)
                    .unwrap_err()
                    .contains("security.protocol")
            );
        }
    }

    #[tokio::test]
    async fn memory_follows_what_arrives_and_not_what_is_announced() {
        let (mut peer, mut stream) = tokio::io::duplex(64 * 1024);
        let mut reader = FrameReader::new(i32::MAX as usize);
        peer.write_all(&100_000_000i32.to_be_bytes()).await.unwrap();
        peer.write_all(&[7; 30_000]).await.unwrap();
        let mut arrived = 0;
        while arrived < 30_004 {
            arrived += std::future::poll_fn(|cx| reader.poll_read(cx, &mut stream))
                .await
                .unwrap();
            assert_eq!(reader.next_frame().unwrap(), None);
        }
        assert!(
            reader.buffer.capacity() < 128 * 1024,
            "{}",
            reader.buffer.capacity()
        );
    }

    #[tokio::test]
    async fn frames_of_all_sizes_come_through_reads_that_end_anywhere() {
        let sizes = (4..40)
            .map(|n| n * n * n)
            .chain([KEEP, KEEP + 1, 300_000, 4]);
        let sent: Vec<Vec<u8>> = sizes
            .zip(0u8..)
            .map(|(len, fill)| vec![fill; len])
            .collect();
        let stream: Vec<u8> = sent
            .iter()
            .flat_map(|frame| [&(frame.len() as i32).to_be_bytes(), &frame[..]].concat())
            .collect();
        for step in [7_001, 65_536] {
            let (mut peer, mut stream_end) = tokio::io::duplex(step);
            let bytes = stream.clone();
            let writer = tokio::spawn(async move { peer.write_all(&bytes).await });
            let mut reader = FrameReader::new(1_000_000);
            let mut frames = Vec::new();
            while std::future::poll_fn(|cx| reader.poll_read(cx, &mut stream_end))
                .await
                .unwrap()
                > 0
            {
                while let Some(frame) = reader.next_frame().unwrap() {
                    frames.push(frame);
                }
            }
            writer.await.unwrap().unwrap();
            assert!(frames.iter().eq(sent.iter()), "step {step}");
            assert!(reader.buffer.capacity() <= 2 * KEEP);
        }
    }

    #[test]
    fn a_large_frames_buffer_is_not_kept() {
        let mut reader = FrameReader::new(10_000_000);
        reader.buffer.extend_from_slice(&1_000_000i32.to_be_bytes());
        reader.buffer.extend_from_slice(&vec![1; 1_000_000]);
        reader.buffer.extend_from_slice(b"rest");
        assert_eq!(reader.next_frame().unwrap().unwrap().len(), 1_000_000);
        assert_eq!(&reader.buffer[..], b"rest");
        assert!(reader.buffer.capacity() < KEEP);
    }
}
