//! The wake pipe: makes a file descriptor readable, for hosts that wait in poll or epoll.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// A non-blocking, close-on-exec pipe that is written only to wake its reader.
///
/// It keeps a read end of its own: a host that closed the one it was given must not get SIGPIPE from a later wake.
#[derive(Debug)]
pub struct Pipe {
    reader: PipeReader,
    writer: PipeWriter,
}

impl Pipe {
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        set_nonblocking(reader.as_fd())?;
        set_nonblocking(writer.as_fd())?;
        Ok(Pipe { reader, writer })
    }

    /// A read end for the host, which owns it and closes it. End of file follows when the pipe is dropped.
    pub fn reader(&self) -> io::Result<OwnedFd> {
        self.reader.as_fd().try_clone_to_owned()
    }

    /// Writes one byte. Never blocks: in a full pipe there is a wake already.
    pub fn wake(&self) {
        loop {
            match (&self.writer).write(&[1]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                _ => return,
            }
        }
    }

    /// Takes all bytes out, for a reader within the library.
    pub fn drain(&self) {
        let mut bytes = [0u8; 64];
        loop {
            match (&self.reader).read(&mut bytes) {
                Ok(n) if n == bytes.len() => continue,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                _ => return,
            }
        }
    }
}

fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let fd = fd.as_raw_fd();
    // SAFETY: `fd` is open for the length of the borrow; the commands take and return plain flags.
    let result = unsafe {
        match libc::fcntl(fd, libc::F_GETFL) {
            -1 => -1,
            flags => libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK),
        }
    };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn flags(fd: BorrowedFd<'_>, command: libc::c_int) -> libc::c_int {
        // SAFETY: reads the flags of an open descriptor.
        unsafe { libc::fcntl(fd.as_raw_fd(), command) }
    }

    #[test]
    fn a_wake_is_one_byte_for_the_host() {
        let pipe = Pipe::new().unwrap();
        let mut host = File::from(pipe.reader().unwrap());
        let mut bytes = [0u8; 8];
        assert_eq!(
            host.read(&mut bytes).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
        pipe.wake();
        pipe.wake();
        assert_eq!(host.read(&mut bytes).unwrap(), 2);
        drop(pipe);
        assert_eq!(
            host.read(&mut bytes).unwrap(),
            0,
            "end of file after the pipe is gone"
        );
    }

    #[test]
    fn all_ends_are_nonblocking_and_close_on_exec() {
        let pipe = Pipe::new().unwrap();
        let host = pipe.reader().unwrap();
        for fd in [pipe.reader.as_fd(), pipe.writer.as_fd(), host.as_fd()] {
            assert_ne!(flags(fd, libc::F_GETFL) & libc::O_NONBLOCK, 0);
            assert_ne!(flags(fd, libc::F_GETFD) & libc::FD_CLOEXEC, 0);
        }
    }

    #[test]
    fn a_full_pipe_and_a_host_that_left_are_no_error() {
        let pipe = Pipe::new().unwrap();
        drop(pipe.reader().unwrap());
        for _ in 0..100_000 {
            pipe.wake();
        }
        pipe.drain();
        pipe.wake();
        let mut byte = [0u8; 8];
        assert_eq!((&pipe.reader).read(&mut byte).unwrap(), 1);
    }
}
