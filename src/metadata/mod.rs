//! When to ask the cluster for what: topics in use, soon for those that are wanted, all of them by age.
//!
//! Driven by the engine; it holds no sockets and knows no records.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use smallvec::SmallVec;
use tokio::time::Instant;

use crate::config::ProducerConfig;
use crate::network::{Backoff, RequestId};
use crate::protocol::Uuid;
use crate::sys::Rng;

/// Questions are repeated up to this many times in `retry.backoff.max.ms`: how late an election is heard of is time in
/// which its partitions stand still.
const IMPATIENCE: u32 = 4;

/// So many ids that a topic had before are remembered.
const FORMER: usize = 4;

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
    ids: HashMap<u32, KnownId>,
    by_id: HashMap<Uuid, u32>,
}

#[derive(Clone, Debug)]
struct KnownId {
    id: Uuid,
    since: Instant,
    /// What it was before, the last one first.
    former: SmallVec<[Uuid; FORMER]>,
}

/// The one request that may be under way.
#[derive(Debug)]
enum State {
    Quiet,
    /// The last attempt failed.
    Waiting(Instant),
    Asked {
        id: RequestId,
        since: Instant,
        scope: Scope,
        topics: Vec<u32>,
    },
}

/// What the request under way asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Cluster,
    SomeTopics,
    AllInUse,
}

/// What to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Brokers only.
    Cluster,
    Topics(Vec<u32>),
    /// Every topic in use, and these.
    AllInUse(Vec<u32>),
}

/// What the id that an answer gives to a topic says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicId {
    AsBefore,
    /// The topic was deleted and made anew. `again`: it has had this id before, so that brokers disagree.
    Another {
        again: bool,
    },
    /// There was none before, or there is none any more: whether it is the same topic is not known.
    Unclear,
    /// It is a former one, in an answer to a question that is older than what is known.
    Outdated,
}

impl Metadata {
    pub fn new(config: &ProducerConfig, now: Instant) -> Self {
        Metadata {
            max_age: config.metadata.max_age,
            backoff: Backoff::new(
                config.retry_backoff,
                (config.retry_backoff_max / IMPATIENCE).max(config.retry_backoff),
            ),
            wanted: BTreeSet::new(),
            unknown: BTreeMap::new(),
            cluster_wanted: false,
            state: State::Quiet,
            known_since: None,
            full_refresh_at: now + config.metadata.max_age,
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
            State::Asked { .. } => return None,
            State::Waiting(until) if until > now => return None,
            State::Waiting(_) | State::Quiet => {}
        }
        self.unknown.retain(|_, until| *until > now);
        let wanted: Vec<u32> = self.wanted.iter().copied().collect();
        if any_in_use && self.is_known() && self.full_refresh_at <= now {
            return Some(Question::AllInUse(wanted));
        }
        if !wanted.is_empty() {
            return Some(Question::Topics(wanted));
        }
        self.cluster_wanted.then_some(Question::Cluster)
    }

    /// When to look again.
    pub fn next_look(&self, now: Instant, any_in_use: bool) -> Option<Instant> {
        match self.state {
            State::Asked { .. } => None,
            State::Waiting(until) if until > now => Some(until),
            // A wait that is over, with nothing left to ask, is no reason to look again.
            State::Waiting(_) | State::Quiet => {
                (any_in_use && self.is_known()).then_some(self.full_refresh_at)
            }
        }
    }

    pub fn asked(&mut self, id: RequestId, now: Instant, question: &Question) {
        let (topics, scope): (&[u32], Scope) = match question {
            Question::Cluster => (&[], Scope::Cluster),
            Question::Topics(topics) => (topics, Scope::SomeTopics),
            Question::AllInUse(topics) => (topics, Scope::AllInUse),
        };
        for topic in topics {
            self.wanted.remove(topic);
        }
        self.cluster_wanted = false;
        self.state = State::Asked {
            id,
            since: now,
            scope,
            topics: topics.to_vec(),
        };
    }

    /// Whether the answer is so late that another broker is to be asked.
    pub fn is_overdue(&self, now: Instant, patience: Duration) -> bool {
        matches!(self.state, State::Asked { since, .. } if now.duration_since(since) >= patience)
    }

    /// The request will not be answered. One that was given up before is no loss.
    pub fn lost(&mut self, request: RequestId, now: Instant, rng: &Rng) {
        if matches!(self.state, State::Asked { id, .. } if id == request) {
            self.abandon_request(now, rng);
        }
    }

    /// The answer to what was asked is not waited for any more: what it asked for is still wanted.
    pub fn abandon_request(&mut self, now: Instant, rng: &Rng) {
        if matches!(self.state, State::Asked { .. }) {
            self.wanted.extend(self.unknown.keys());
            self.cluster_wanted |= self.known_since.is_none();
            self.full_refresh_at = now;
            self.state = State::Waiting(now + self.backoff.next(rng));
        }
    }

    /// The request's answer was taken in. `complete`: nothing in it has to be asked again.
    pub fn answered(&mut self, request: RequestId, complete: bool, now: Instant, rng: &Rng) {
        self.known_since = Some(now);
        if !matches!(self.state, State::Asked { id, .. } if id == request) {
            // It was given up, and what it asked for has been asked for again.
            return;
        }
        let State::Asked { scope, topics, .. } = std::mem::replace(&mut self.state, State::Quiet)
        else {
            return;
        };
        let complete = !self.want_left_out(&topics, now) && complete;
        if scope == Scope::AllInUse {
            self.full_refresh_at = now + self.max_age;
        }
        self.state = if complete {
            // That the cluster answers does not say that its brokers can be reached.
            if scope != Scope::Cluster {
                self.backoff.reset();
            }
            State::Quiet
        } else {
            State::Waiting(now + self.backoff.next(rng))
        };
    }

    /// An answer need not speak of all that was asked for: what is still waited for is asked for again.
    fn want_left_out(&mut self, asked: &[u32], now: Instant) -> bool {
        let is_left_out =
            |topic: &&u32| !self.wanted.contains(*topic) && self.is_unknown_wanted(**topic, now);
        let left_out: Vec<u32> = asked.iter().filter(is_left_out).copied().collect();
        self.wanted.extend(&left_out);
        !left_out.is_empty()
    }

    /// All that is known of the cluster is void: begin at the bootstrap servers, where what was being asked is asked
    /// again. Not at once: they may only ever name brokers that cannot be reached.
    pub fn rebootstrap(&mut self, now: Instant, rng: &Rng) {
        self.known_since = None;
        self.cluster_wanted = true;
        self.full_refresh_at = now;
        self.state = State::Waiting(now + self.backoff.next(rng));
    }

    /// Zero while the cluster has given none.
    pub fn topic_id(&self, topic: u32) -> Uuid {
        self.ids.get(&topic).map_or(Uuid::ZERO, |known| known.id)
    }

    pub fn topic_by_id(&self, id: Uuid) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// Notes the id that the answer to a question gives to a topic, unless that is outdated.
    pub fn set_topic_id(&mut self, topic: u32, id: Uuid, asked: Instant, now: Instant) -> TopicId {
        let Some(known) = self.ids.get_mut(&topic) else {
            let known = KnownId {
                id,
                since: now,
                former: SmallVec::new(),
            };
            self.ids.insert(topic, known);
            if !id.is_zero() {
                self.by_id.insert(id, topic);
            }
            return TopicId::Unclear;
        };
        let before = known.id;
        let again = known.former.contains(&id);
        if before == id {
            return TopicId::AsBefore;
        }
        if again && asked < known.since {
            return TopicId::Outdated;
        }
        (known.id, known.since) = (id, now);
        self.by_id.remove(&before);
        if !id.is_zero() {
            self.by_id.insert(id, topic);
        }
        if before.is_zero() || id.is_zero() {
            return TopicId::Unclear;
        }
        known.former.truncate(FORMER - 1);
        known.former.insert(0, before);
        TopicId::Another { again }
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
        metadata.answered(ID, true, now, &rng());
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
        metadata.answered(ID, false, now, &rng());
        assert_eq!(metadata.question(now, true), None);
        let soon = now + Duration::from_millis(130);
        assert_eq!(metadata.question(soon, true), Some(question));
    }

    #[test]
    fn a_topic_that_the_answer_leaves_out_is_asked_for_again() {
        let now = Instant::now();
        let mut metadata = metadata(now);
        let until = now + Duration::from_secs(5);
        metadata.want_until(7, until);
        metadata.want_until(8, until);
        let question = metadata.question(now, true).unwrap();
        metadata.asked(ID, now, &question);
        metadata.found(8);
        metadata.answered(ID, true, now, &rng());
        assert_eq!(metadata.question(now, true), None, "not at once");
        let soon = now + Duration::from_millis(130);
        assert_eq!(
            metadata.question(soon, true),
            Some(Question::Topics(vec![7]))
        );
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
        metadata.answered(ID, true, now, &rng());
        assert_eq!(metadata.question(now, true), None);
        let aged = metadata.next_look(now, true).unwrap();
        assert_eq!(aged, now + Duration::from_secs(10));
        assert_eq!(
            metadata.question(aged, true),
            Some(Question::AllInUse(vec![]))
        );
        assert_eq!(metadata.next_look(now, false), None);
    }

    /// A cluster that is given up takes the question with it, not what was asked.
    #[test]
    fn what_was_asked_when_everything_began_anew_is_asked_again() {
        let now = Instant::now();
        let mut metadata = metadata(now);
        metadata.want(7);
        let question = metadata.question(now, true).unwrap();
        metadata.asked(ID, now, &question);
        metadata.rebootstrap(now, &rng());
        metadata.lost(ID, now, &rng());
        assert_eq!(metadata.question(now, true), None);
        let now = now + Duration::from_millis(130);
        let question = metadata.question(now, true).unwrap();
        assert_eq!(question, Question::Cluster);
        metadata.asked(RequestId(2), now, &question);
        metadata.answered(RequestId(2), true, now, &rng());
        assert_eq!(
            metadata.question(now, true),
            Some(Question::AllInUse(vec![]))
        );
    }

    #[test]
    fn the_end_of_a_request_given_up_is_not_that_of_the_next() {
        let now = Instant::now();
        let mut metadata = metadata(now);
        metadata.want(7);
        let question = metadata.question(now, true).unwrap();
        metadata.asked(ID, now, &question);
        metadata.abandon_request(now, &rng());
        let soon = now + Duration::from_millis(130);
        let question = metadata.question(soon, true).unwrap();
        metadata.asked(RequestId(2), soon, &question);
        metadata.lost(ID, soon, &rng());
        metadata.answered(ID, true, soon, &rng());
        assert_eq!(metadata.question(soon + Duration::from_secs(5), true), None);
    }

    #[test]
    fn another_id_means_another_topic() {
        let now = Instant::now();
        let mut metadata = metadata(now);
        let ids = [1u8, 2].map(|byte| Uuid([byte; 16]));
        let mut told = |id| metadata.set_topic_id(7, id, now, now);
        assert_eq!(told(Uuid::ZERO), TopicId::Unclear);
        assert_eq!(told(ids[0]), TopicId::Unclear);
        assert_eq!(told(ids[0]), TopicId::AsBefore);
        assert_eq!(told(ids[1]), TopicId::Another { again: false });
        assert_eq!(metadata.topic_by_id(ids[1]), Some(7));
        assert_eq!(metadata.topic_by_id(ids[0]), None);
    }

    #[test]
    fn a_former_id_is_believed_if_it_was_asked_for_since() {
        let now = Instant::now();
        let mut metadata = metadata(now);
        let ids = [1u8, 2, 3].map(|byte| Uuid([byte; 16]));
        let soon = now + Duration::from_millis(1);
        for id in ids {
            metadata.set_topic_id(7, id, now, soon);
        }
        let mut told = |id, asked| metadata.set_topic_id(7, id, asked, soon);
        assert_eq!(told(ids[0], now), TopicId::Outdated);
        assert_eq!(told(ids[1], now), TopicId::Outdated);
        assert_eq!(told(ids[2], now), TopicId::AsBefore);
        assert_eq!(told(ids[0], soon), TopicId::Another { again: true });
        assert_eq!(told(ids[2], soon), TopicId::Another { again: true });
        assert_eq!(metadata.topic_id(7), ids[2]);
    }
}
