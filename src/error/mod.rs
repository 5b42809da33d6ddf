//! Error codes, their names, texts and classes, and the error object of slow calls.
//!
//! One `i32` space: 0 is success, codes above 0 and −1 are Kafka's own, unchanged
//! (<https://kafka.apache.org/protocol#protocol_error_codes>), −299 to −100 are the client's.

mod broker;
mod client;

use std::fmt;

use crate::sys::NoMemory;

/// An error code of the C API. 0 means success and never stands in an `Err`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(transparent)]
pub struct ErrorCode(pub i32);

impl From<NoMemory> for ErrorCode {
    fn from(_: NoMemory) -> Self {
        ErrorCode::OUT_OF_MEMORY
    }
}

/// What an error leaves the user to do, unless the report of it says otherwise: that depends on
/// the request as well as on the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Doing the same again fails again; other calls and records are not affected.
    Permanent,
    /// Doing the same again may succeed.
    Retriable,
    /// The transaction must be aborted, then the producer goes on.
    Abortable,
    /// The producer is of no more use.
    Fatal,
}

/// One row of the table of codes.
#[derive(Clone, Copy, Debug)]
pub struct ErrorInfo {
    pub code: ErrorCode,
    /// As in the C API, without the prefix `KPROD_ERR_`.
    pub name: &'static str,
    /// What it means and what to do.
    pub text: &'static str,
    pub class: Class,
}

/// Rows of the table, each also a constant of [`ErrorCode`] documented by its text.
macro_rules! codes {
    ($($name:ident = $value:literal, $class:ident, $text:literal;)*) => {
        impl $crate::error::ErrorCode {
            $(#[doc = $text] pub const $name: $crate::error::ErrorCode = $crate::error::ErrorCode($value);)*
        }
        pub(super) const ROWS: &[$crate::error::ErrorInfo] = &[$($crate::error::ErrorInfo {
            code: $crate::error::ErrorCode($value),
            name: stringify!($name),
            text: $text,
            class: $crate::error::Class::$class,
        },)*];
    };
}
use codes;

const COUNT: usize = client::ROWS.len() + broker::ROWS.len();

/// Every code this version knows: the client's (success first), then Kafka's.
pub static ALL: [ErrorInfo; COUNT] = {
    let mut all = [client::ROWS[0]; COUNT];
    let mut i = 0;
    while i < COUNT {
        all[i] = if i < client::ROWS.len() {
            client::ROWS[i]
        } else {
            broker::ROWS[i - client::ROWS.len()]
        };
        i += 1;
    }
    all
};

impl ErrorCode {
    /// A broker's code. Kafka has none below −1: those are the client's own, or nobody's.
    pub fn of_broker(code: i16) -> Self {
        match code {
            -1.. => ErrorCode(i32::from(code)),
            _ => ErrorCode::UNKNOWN_SERVER_ERROR,
        }
    }

    /// `None` for a code that a newer broker may send.
    pub fn info(self) -> Option<&'static ErrorInfo> {
        ALL.iter().find(|info| info.code == self)
    }

    /// The name in the C API without its prefix; `UNKNOWN_CODE` for one not in the table.
    pub fn name(self) -> &'static str {
        self.info().map_or("UNKNOWN_CODE", |info| info.name)
    }

    pub fn text(self) -> &'static str {
        let unknown = "This version of the library does not know the code. The broker's version \
                       may document it.";
        self.info().map_or(unknown, |info| info.text)
    }

    /// The text in the report of a record: it was accepted, and so the words for refused calls do not fit.
    pub fn text_for_accepted(self) -> &'static str {
        match self {
            ErrorCode::CLOSED => "the producer was closed before the record's outcome was known",
            other => other.text(),
        }
    }

    /// An unknown code counts as permanent: nothing says that trying again would help.
    pub fn class(self) -> Class {
        self.info().map_or(Class::Permanent, |info| info.class)
    }

    pub fn is_retriable(self) -> bool {
        self.class() == Class::Retriable
    }

    pub fn is_abortable(self) -> bool {
        self.class() == Class::Abortable
    }

    pub fn is_fatal(self) -> bool {
        self.class() == Class::Fatal
    }

    /// The bits of its class, see [`Class::report_flags`].
    pub fn report_flags(self) -> u32 {
        self.class().report_flags()
    }
}

impl Class {
    /// The class as the bits of a report's flags: 1 retriable, 2 abortable, 4 fatal.
    pub fn report_flags(self) -> u32 {
        match self {
            Class::Permanent => 0,
            Class::Retriable => 1,
            Class::Abortable => 2,
            Class::Fatal => 4,
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.info() {
            Some(info) => f.write_str(info.name),
            None => write!(f, "unknown code {}", self.0),
        }
    }
}

/// An error with its culprit named: what slow calls and failed reports give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub code: ErrorCode,
    /// What it leaves the user to do, here.
    pub class: Class,
    pub message: String,
}

impl Error {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Error {
            code,
            class: code.class(),
            message: message.into(),
        }
    }

    /// The same error where it means more or less than its code alone.
    pub fn of_class(self, class: Class) -> Self {
        Error { class, ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_kafka_code_has_its_row() {
        for code in -1..=133 {
            assert!(ErrorCode(code).info().is_some(), "{code}");
        }
        for row in broker::ROWS {
            assert!((-1..=133).contains(&row.code.0), "{}", row.name);
        }
    }

    #[test]
    fn client_codes_lie_in_their_range() {
        for row in client::ROWS.iter().filter(|row| row.code != ErrorCode::OK) {
            assert!((-299..=-100).contains(&row.code.0), "{}", row.name);
        }
        assert_eq!(ALL[0].code, ErrorCode::OK);
    }

    #[test]
    fn codes_and_names_are_unique() {
        let codes: HashSet<_> = ALL.iter().map(|info| info.code).collect();
        let names: HashSet<_> = ALL.iter().map(|info| info.name).collect();
        assert_eq!(codes.len(), ALL.len());
        assert_eq!(names.len(), ALL.len());
    }

    #[test]
    fn texts_are_sentences_on_one_line() {
        for info in &ALL {
            assert!(info.text.ends_with('.'), "{}", info.name);
            assert!(!info.text.contains("  "), "{}", info.name);
            assert!(!info.text.contains('\n'), "{}", info.name);
        }
    }

    #[test]
    fn names_and_texts_are_found_by_code() {
        assert_eq!(ErrorCode(6).name(), "NOT_LEADER_OR_FOLLOWER");
        assert_eq!(ErrorCode(0).name(), "OK");
        assert_eq!(ErrorCode::QUEUE_FULL.to_string(), "QUEUE_FULL");
        assert_eq!(format!("{:?}", ErrorCode(10)), "MESSAGE_TOO_LARGE(10)");
        assert!(ErrorCode::QUEUE_FULL.text().contains("buffer.memory"));
    }

    #[test]
    fn codes_of_newer_brokers_are_no_surprise() {
        for code in [134, i32::MAX, -2, -99, -300, i32::MIN] {
            let code = ErrorCode(code);
            assert_eq!(code.to_string(), format!("unknown code {}", code.0));
            assert_eq!(code.name(), "UNKNOWN_CODE");
            assert!(code.text().contains("does not know"));
            assert_eq!(code.class(), Class::Permanent);
        }
    }

    #[test]
    fn report_flags_are_the_reports_bits() {
        use crate::completion::flags;
        assert_eq!(ErrorCode::OK.report_flags(), 0);
        assert_eq!(ErrorCode::QUEUE_FULL.report_flags(), flags::RETRIABLE);
        assert_eq!(ErrorCode(120).report_flags(), flags::ABORTABLE);
        assert_eq!(ErrorCode::FATAL.report_flags(), flags::FATAL);
    }

    /// Java's exception classes and the table of transactional answers, as far as they do not
    /// depend on the request.
    #[test]
    fn classes_are_those_of_kafkas_clients() {
        let of = |class| {
            let rows = broker::ROWS.iter().filter(|row| row.class == class);
            rows.map(|row| row.code.0).collect::<Vec<_>>()
        };
        assert_eq!(
            of(Class::Retriable),
            [
                2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 41, 51, 56, 70, 71, 72, 74, 75, 78,
                80, 83, 84, 88, 89, 100, 103, 106, 122, 123, 129, 133
            ]
        );
        assert_eq!(of(Class::Abortable), [22, 25, 30, 55, 69, 82, 113, 120]);
        assert_eq!(of(Class::Fatal), [31, 48, 49, 53, 90]);
    }
}
