//! A member of a consumer group: Java's consumer in the helper, which joins, reads, and leaves or dies.

use std::time::Duration;

use super::admin::number;
use super::helper::{Answer, Helper, from_hex};

pub struct Member {
    name: String,
}

/// What one poll brought, and as whom the group knows its reader now.
pub struct Polled {
    /// Partition, offset and value.
    pub records: Vec<(i32, i64, Vec<u8>)>,
    pub generation: i32,
    pub member: String,
}

impl Member {
    /// Under a name that no other member has; `protocol` is "classic" or "consumer" (KIP-848).
    #[track_caller]
    pub fn join(name: &str, bootstrap: &str, group: &str, topic: &str, protocol: &str) -> Member {
        let member = Member { name: name.into() };
        member.ask("member-join", &[bootstrap, group, topic, protocol]);
        member
    }

    #[track_caller]
    pub fn poll(&self, limit: Duration) -> Polled {
        let answer = self.ask("member-poll", &[&limit.as_millis().to_string()]);
        let record = |row: &Vec<String>| {
            let value = from_hex(&row[2]).expect("a value");
            (number(&row[0]) as i32, number(&row[1]), value)
        };
        Polled {
            records: answer.rows.iter().map(record).collect(),
            generation: number(&answer.result[0]) as i32,
            member: answer.result[1].clone(),
        }
    }

    /// Back to the group's offsets.
    #[track_caller]
    pub fn rewind(&self) {
        self.ask("member-rewind", &[]);
    }

    #[track_caller]
    pub fn leave(self) {
        self.ask("member-leave", &[]);
    }

    /// Without a word to the group.
    #[track_caller]
    pub fn die(self) {
        self.ask("member-die", &[]);
    }

    #[track_caller]
    fn ask(&self, command: &str, arguments: &[&str]) -> Answer {
        let mut all = vec![self.name.as_str()];
        all.extend(arguments);
        Helper::get()
            .ask(command, &all)
            .unwrap_or_else(|error| panic!("{command} {}: {error}", self.name))
    }
}
