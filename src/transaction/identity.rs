//! A producer id with its epoch.

/// What a broker knows a producer by (KIP-98).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub id: i64,
    pub epoch: i16,
}

impl Identity {
    /// The same id with the next epoch, which a producer without transactions may take without asking; `None` when
    /// the id has no more and another is to be asked for.
    pub fn bumped(self) -> Option<Identity> {
        let epoch = self.epoch.checked_add(1)?;
        Some(Identity { epoch, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_end() {
        let last = Identity {
            id: 7,
            epoch: i16::MAX,
        };
        let before = Identity {
            epoch: i16::MAX - 1,
            ..last
        };
        assert_eq!(before.bumped(), Some(last));
        assert_eq!(last.bumped(), None);
    }
}
