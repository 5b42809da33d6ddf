//! What can be wrong with bytes on the wire, and where.

use super::ApiKey;
use std::fmt;

/// Which side sends a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    Request,
    Response,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes end before the field does.
    Truncated { needed: usize, left: usize },
    /// A length that is negative, or an array that cannot fit into the bytes left.
    BadLength { length: i64, left: usize },
    /// A variable-length integer that does not fit its type.
    BadVarint,
    /// A number that counts from 0 and is negative.
    BadIndex { index: i32 },
    /// A string that is not UTF-8.
    BadUtf8,
    /// Null where the schema has no null.
    UnexpectedNull,
    /// A version that this library does not speak.
    UnsupportedVersion { version: i16 },
    /// The system has no memory for what the bytes say.
    NoMemory,
    /// A value to be encoded that its field has no room for.
    TooLong { length: usize },
    /// A message to be encoded that this version cannot express.
    NotExpressible(&'static str),
}

/// Bytes that are not the message they should be, or a message that cannot become bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    pub kind: ErrorKind,
    /// How far into the body (or header) the field begins.
    pub offset: usize,
    /// The message, where it is known.
    pub message: Option<(ApiKey, Direction, i16)>,
}

impl ProtocolError {
    pub(crate) fn new(kind: ErrorKind, offset: usize) -> Self {
        ProtocolError {
            kind,
            offset,
            message: None,
        }
    }

    pub(crate) fn in_message(mut self, api: ApiKey, direction: Direction, version: i16) -> Self {
        self.message = Some((api, direction, version));
        self
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Truncated { needed, left } => {
                write!(f, "truncated: {needed} bytes needed, {left} left")
            }
            ErrorKind::BadLength { length, left } => {
                write!(f, "length {length} is impossible with {left} bytes left")
            }
            ErrorKind::BadVarint => f.write_str("variable-length integer out of range"),
            ErrorKind::BadIndex { index } => write!(f, "{index} where a number from 0 is due"),
            ErrorKind::BadUtf8 => f.write_str("string is not UTF-8"),
            ErrorKind::UnexpectedNull => f.write_str("null in a field that has no null"),
            ErrorKind::UnsupportedVersion { version } => {
                write!(f, "version {version} is not supported")
            }
            ErrorKind::NoMemory => f.write_str("there is no memory for it"),
            ErrorKind::TooLong { length } => {
                write!(f, "value of length {length} is too long for its field")
            }
            ErrorKind::NotExpressible(what) => write!(f, "not expressible: {what}"),
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message {
            Some((api, Direction::Request, version)) => write!(f, "{api} request v{version}: ")?,
            Some((api, Direction::Response, version)) => write!(f, "{api} response v{version}: ")?,
            None => f.write_str("header: ")?,
        }
        write!(f, "{} (at byte {})", self.kind, self.offset)
    }
}

impl std::error::Error for ProtocolError {}
