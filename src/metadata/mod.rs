//! When to ask the cluster for what: topics in use, soon for those that are wanted, all of them by age.
//!
//! Driven by the engine; it holds no sockets and knows no records.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::config::ProducerConfig;
use crate::network::{Backoff, RequestId};
use crate::protocol::Uuid;
use crate::sys::Rng;

#[derive(Debug)]
pub struct Metadata {
    max_age: Duration,
    backoff: Backoff,
    /// Topics to ask for as soon as possible.
    wanted: BTreeSet<u32>,
    /// Topics that are asked for again until they are known, and until when.
    unknown: BTreeMap<u32, Instant>,
    cluster_wanted: bool,
    state: State,
    /// The last successful answer.
    known_since: Option<Instant>,
    full_refresh_at: Instant,
    ids: HashMap<u32, Uuid>,
    by_id: HashMap<Uuid, u32>,
}

/// The one request that may be under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Quiet,
    /// The last attempt failed.
    Waiting(Instant),
    Asked(RequestId, Instant),
}

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Brokers only.
    Cluster,
    Topics(Vec<u32>),
    /// Every topic in use.
    AllInUse,
}

impl Metadata {
    pub fn new(config: &ProducerConfig, now: Instant) -> Self {
        Metadata {
            max_age: config.metadata.max_age,
            backoff: Backoff::new(config.retry_backoff, config.retry_backoff_max),
            wanted: BTreeSet::new(),
            unknown: BTreeMap::new(),
            cluster_wanted: false,
            state: State::Quiet,
            known_since: None,
            full_refresh_at: now,
            ids: HashMap::new(),
            by_id: HashMap::new(),
        }
    }

    /// Whether the cluster has answered since the start (or the last rebootstrap).
    pub fn is_known(&self) -> bool {
        self.known_since.is_some()
    }

    pub fn known_since(&self) -> Option<Instant> {
        self.known_since
    }

    pub fn want_cluster(&mut self) {
        self.cluster_wanted = true;
    }

    /// Something about the topic may have changed.
    pub fn want(&mut self, topic: u32) {
        self.wanted.insert(topic);
    }

    /// Keeps asking until the topic is known or the time is up.
    pub fn want_until(&mut self, topic: u32, until: Instant) {
        let deadline = self.unknown.entry(topic).or_insert(until);
        *deadline = until.max(*deadline);
        self.want(topic);
    }

    /// The topic needs no more asking for now.
    pub fn found(&mut self, topic: u32) {
        self.unknown.remove(&topic);
    }

    /// Whether somebody waits for the topic to be known.
    pub fn is_unknown_wanted(&self, topic: u32, now: Instant) -> bool {
        self.unknown.get(&topic).is_some_and(|until| *until > now)
    }

    pub fn forget(&mut self, topic: u32) {
        self.wanted.remove(&topic);
        self.unknown.remove(&topic);
    }

    /// What to ask now, if anything.
    pub fn question(&mut self, now: Instant, any_in_use: bool) -> Option<Question> {
        match self.state {
            State::Asked(..) => return None,
            State::Waiting(until) if until > now => return None,
            State::Waiting(_) | State::Quiet => {}
        }
        self.unknown.retain(|_, until| *until > now);
        if any_in_use && self.known_since.is_some() && self.full_refresh_at <= now {
            return Some(Question::AllInUse);
        }
        if !self.wanted.is_empty() {
            return Some(Question::Topics(self.wanted.iter().copied().collect()));
        }
        self.cluster_wanted.then_some(Question::Cluster)
    }

    /// When to look again.
    pub fn next_look(&self, now: Instant, any_in_use: bool) -> Option<Instant> {
        match self.state {
            State::Asked(..) => None,
            State::Waiting(until) if until > now => Some(until),
            // A wait that is over, with nothing left to ask, is no reason to look again.
            State::Waiting(_) | State::Quiet => {
                (any_in_use && self.is_known()).then_some(self.full_refresh_at)
            }
        }
    }

    pub fn asked(&mut self, id: RequestId, now: Instant, question: &Question) {
        self.state = State::Asked(id, now);
        match question {
            Question::Cluster => {}
            Question::Topics(topics) => {
                for topic in topics {
                    self.wanted.remove(topic);
                }
            }
            Question::AllInUse => self.wanted.clear(),
        }
        self.cluster_wanted = false;
    }

    /// Whether the answer is so late that another broker is to be asked.
    pub fn is_overdue(&self, now: Instant, patience: Duration) -> bool {
        matches!(self.state, State::Asked(_, since) if now.duration_since(since) >= patience)
    }

    pub fn is_asked(&self) -> bool {
        matches!(self.state, State::Asked(..))
    }

    /// The request was not answered: what it asked for is still wanted.
    pub fn abandon_request(&mut self, now: Instant, rng: &Rng) {
        if self.is_asked() {
            self.wanted.extend(self.unknown.keys());
            if self.known_since.is_none() {
                self.cluster_wanted = true;
            } else {
                self.full_refresh_at = now;
            }
            self.state = State::Waiting(now + self.backoff.next(rng));
        }
    }

    /// The answer was taken in. `complete`: nothing in it has to be asked again.
    pub fn answered(&mut self, now: Instant, question_was_all: bool, complete: bool, rng: &Rng) {
        self.known_since = Some(now);
        if question_was_all || self.full_refresh_at <= now {
            self.full_refresh_at = now + self.max_age;
        }
        self.state = if complete {
            self.backoff.reset();
            State::Quiet
        } else {
            State::Waiting(now + self.backoff.next(rng))
        };
    }

    /// All that is known of the cluster is void: begin at the bootstrap servers.
    pub fn rebootstrap(&mut self) {
        self.known_since = None;
        self.cluster_wanted = true;
        self.state = State::Quiet;
    }

    /// Zero while the cluster has given none.
    pub fn topic_id(&self, topic: u32) -> Uuid {
        self.ids.get(&topic).copied().unwrap_or(Uuid::ZERO)
    }

    pub fn topic_by_id(&self, id: Uuid) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Notes a topic's id; true if it had another one before: it was deleted and made anew.
    pub fn set_topic_id(&mut self, topic: u32, id: Uuid) -> bool {
        let before = self.ids.insert(topic, id).unwrap_or(Uuid::ZERO);
        if before == id {
            return false;
        }
        self.by_id.remove(&before);
        if !id.is_zero() {
            self.by_id.insert(id, topic);
        }
        !before.is_zero() && !id.is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn metadata(now: Instant) -> Metadata {
        let mut config = Config::new();
        config.set("bootstrap.servers", "a").unwrap();
        config.set("metadata.max.age.ms", "10000").unwrap();
        config.set("retry.backoff.ms", "100").unwrap();
        Metadata::new(&config.build().unwrap(), now)
    }

    fn rng() -> Rng {
        Rng::from_seed(1)
    }

    const ID: RequestId = RequestId(1);

    #[test]
    fn nothing_is_asked_that_nobody_wants() {
        let now = Instant::now();
        let mut metadata = metadata(now);
        assert_eq!(metadata.question(now, true), None);
        metadata.want_cluster();
        assert_eq!(metadata.question(now, false), Some(Question::Cluster));
    }

    #[test]
    fn one_question_at_a_time_and_what_comes_meanwhile_is_next() {
        let now = Instant::now();
        let mut metadata = metadata(now);
        metadata.want(7);
        let question = metadata.question(now, true).unwrap();
        assert_eq!(question, Question::Topics(vec![7]));
        metadata.asked(ID, now, &question);
        metadata.want(8);
        assert_eq!(metadata.question(now, true), None);
        metadata.answered(now, false, true, &rng());
        assert_eq!(
            metadata.question(now, true),
            Some(Question::Topics(vec![8]))
        );
    }

    #[test]
    fn an_answer_without_leaders_is_asked_again_after_a_backoff() {
        let now = Instant::now();
        let mut metadata = metadata(now);
        metadata.want(7);
        let question = metadata.question(now, true).unwrap();
        metadata.asked(ID, now, &question);
        metadata.want(7);
        metadata.answered(now, false, false, &rng());
        assert_eq!(metadata.question(now, true), None);
        let soon = now + Duration::from_millis(130);
        assert_eq!(metadata.question(soon, true), Some(question));
    }

    #[test]
    fn a_lost_question_is_still_a_question() {
        let now = Instant::now();
        let mut metadata = metadata(now);
        metadata.want_until(7, now + Duration::from_secs(5));
        let question = metadata.question(now, true).unwrap();
        metadata.asked(ID, now, &question);
        assert!(metadata.is_overdue(now + Duration::from_secs(1), Duration::from_secs(1)));
        metadata.abandon_request(now, &rng());
        let soon = now + Duration::from_millis(130);
        assert_eq!(metadata.question(soon, true), Some(question));
        let late = now + Duration::from_secs(6);
        assert!(!metadata.is_unknown_wanted(7, late));
    }

    #[test]
    fn all_topics_in_use_are_asked_for_by_age() {
        let now = Instant::now();
        let mut metadata = metadata(now);
        metadata.want_cluster();
        let question = metadata.question(now, false).unwrap();
        metadata.asked(ID, now, &question);
        metadata.answered(now, true, true, &rng());
        assert_eq!(metadata.question(now, true), None);
        let aged = metadata.next_look(now, true).unwrap();
        assert_eq!(aged, now + Duration::from_secs(10));
        assert_eq!(metadata.question(aged, true), Some(Question::AllInUse));
        assert_eq!(metadata.next_look(now, false), None);
    }

    #[test]
    fn another_id_means_another_topic() {
        let mut metadata = metadata(Instant::now());
        let ids = [1u8, 2].map(|byte| Uuid([byte; 16]));
        assert!(!metadata.set_topic_id(7, Uuid::ZERO));
        assert!(!metadata.set_topic_id(7, ids[0]));
        assert!(!metadata.set_topic_id(7, ids[0]));
        assert!(metadata.set_topic_id(7, ids[1]));
        assert_eq!(metadata.topic_by_id(ids[1]), Some(7));
        assert_eq!(metadata.topic_by_id(ids[0]), None);
    }
}
