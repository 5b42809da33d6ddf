//! The messages of the last failures, so that reports stay small and the hot path formats nothing.

use std::collections::VecDeque;

use parking_lot::Mutex;

use crate::error::Error;

/// How many failures back a message can be asked for.
pub const KEPT: usize = 1024;

#[derive(Debug, Default)]
pub struct Details {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the newest message; 0 before the first.
    newest: u64,
    errors: VecDeque<Error>,
}

impl Details {
    /// Keeps an error and gives the number to ask for it with.
    pub fn keep(&self, error: Error) -> u64 {
        let mut state = self.state.lock();
        if state.errors.len() == KEPT {
            state.errors.pop_front();
        }
        state.errors.push_back(error);
        state.newest += 1;
        state.newest
    }

    pub fn get(&self, number: u64) -> Option<Error> {
        let state = self.state.lock();
        let age = state.newest.checked_sub(number)?;
        let last = state.errors.len().checked_sub(1)?;
        let index = last.checked_sub(usize::try_from(age).ok()?)?;
        state.errors.get(index).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn failure(message: &str) -> Error {
        Error::new(ErrorCode::NO_BROKERS, message)
    }

    #[test]
    fn the_last_1024_can_be_asked_for() {
        let details = Details::default();
        assert_eq!(details.get(0), None);
        assert_eq!(details.get(1), None);
        let first = details.keep(failure("first"));
        assert_eq!(details.get(first).unwrap().message, "first");
        for n in 0..KEPT {
            details.keep(failure(&n.to_string()));
        }
        assert_eq!(details.get(first), None);
        assert_eq!(details.get(first + 1).unwrap().message, "0");
        assert_eq!(details.get(first + KEPT as u64).unwrap().message, "1023");
        assert_eq!(details.get(first + KEPT as u64 + 1), None);
    }
}
