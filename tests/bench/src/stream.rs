//! One connection's bytes: fields are read in place, record bytes are passed over where they lie.

use std::io::{self, Read, Write};

/// Large enough that a broker under load takes many requests with one system call.
const BUFFER: usize = 1 << 20;
/// The longest field that is ever read in one piece.
const MAX_FIELD: usize = 64 << 10;

pub struct Stream<S> {
    socket: S,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// What the frame being read still has.
    frame_left: usize,
}

impl<S: Read + Write> Stream<S> {
    pub fn new(socket: S) -> Stream<S> {
        Stream {
            socket,
            buffer: vec![0; BUFFER],
            start: 0,
            end: 0,
            frame_left: 0,
        }
    }

    /// Begins the next frame; false when the peer has closed the connection between two frames.
    pub fn next_frame(&mut self) -> io::Result<bool> {
        if self.start == self.end && !self.fill()? {
            return Ok(false);
        }
        self.frame_left = 4;
        let length = self.i32()?;
        self.frame_left = usize::try_from(length).map_err(|_| malformed("frame length"))?;
        Ok(true)
    }

    /// Passes over what is left of the frame.
    pub fn end_frame(&mut self) -> io::Result<()> {
        self.skip(self.frame_left)
    }

    pub fn answer(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }

    pub fn take(&mut self, length: usize) -> io::Result<&[u8]> {
        if length > MAX_FIELD {
            return Err(malformed("a field is too long"));
        }
        self.leave(length)?;
        if self.start + length > self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < length {
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        self.start += length;
        Ok(&self.buffer[self.start - length..self.start])
    }

    pub fn skip(&mut self, mut length: usize) -> io::Result<()> {
        self.leave(length)?;
        loop {
            let here = length.min(self.end - self.start);
            self.start += here;
            length -= here;
            if length == 0 {
                return Ok(());
            }
            if !self.fill()? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Counts bytes as read; the sender's lengths must stay within its frame.
    fn leave(&mut self, length: usize) -> io::Result<()> {
        self.frame_left = self
            .frame_left
            .checked_sub(length)
            .ok_or_else(|| malformed("a length beyond the frame"))?;
        Ok(())
    }

    fn fill(&mut self) -> io::Result<bool> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        let got = self.socket.read(&mut self.buffer[self.end..])?;
        self.end += got;
        Ok(got > 0)
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.take(N)?);
        Ok(bytes)
    }

    pub fn i16(&mut self) -> io::Result<i16> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub fn i32(&mut self) -> io::Result<i32> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    fn uvarint(&mut self) -> io::Result<usize> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(malformed("a varint does not end"))
    }

    /// The length of an array or of bytes; null counts as empty.
    pub fn length(&mut self, flexible: bool) -> io::Result<usize> {
        if flexible {
            return Ok(self.uvarint()?.saturating_sub(1));
        }
        Ok(usize::try_from(self.i32()?).unwrap_or(0))
    }

    /// The bytes of a string; null counts as empty.
    pub fn string(&mut self, flexible: bool) -> io::Result<&[u8]> {
        let length = if flexible {
            self.uvarint()?.saturating_sub(1)
        } else {
            usize::try_from(self.i16()?).unwrap_or(0)
        };
        self.take(length)
    }

    pub fn tags(&mut self, flexible: bool) -> io::Result<()> {
        if flexible {
            for _ in 0..self.uvarint()? {
                self.uvarint()?;
                let length = self.uvarint()?;
                self.skip(length)?;
            }
        }
        Ok(())
    }
}

pub fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_string())
}
