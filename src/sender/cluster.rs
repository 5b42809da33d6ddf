//! Metadata: asking some broker, and taking in who leads what.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::time::Instant;

use super::broker::{Broker, Subject};
use super::drain::{self, Outstanding};
use super::{Engine, STALL_CHECK, Timer};
use crate::accumulator::Topic;
use crate::completion::LogLevel;
use crate::config::MetadataRecovery;
use crate::error::{Error, ErrorCode};
use crate::metadata::{Question, TopicId};
use crate::network::RequestId;
use crate::protocol::metadata::{
    MetadataPartition, MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataTopic,
};
use crate::protocol::{ApiKey, Message, ProtocolError, Uuid};

/// The newest version of Metadata that is asked for.
const MAX_METADATA: i16 = 13;

impl Engine {
    /// Asks for metadata if there is something to ask, or opens a connection for it.
    pub(super) fn refresh_metadata(&mut self, now: Instant) {
        let any_in_use = !self.accumulator.topics.is_empty();
        if self.metadata.is_overdue(now, STALL_CHECK) {
            self.metadata.abandon_request(now, &self.rng);
        }
        let Some(question) = self.metadata.question(now, any_in_use) else {
            if let Some(at) = self.metadata.next_look(now, any_in_use) {
                self.look_at(at);
            }
            return;
        };
        // Another one than last time: one that is behind the times would give the same answer again.
        let Some(broker) = self.broker_to_ask(self.asked_last, now) else {
            return self.connect_somewhere(now);
        };
        self.asked_last = Some(broker);
        if let Question::AllInUse(_) = &question {
            self.ask_features(broker, now);
        }
        let topics = match &question {
            Question::Cluster => Vec::new(),
            Question::Topics(topics) => topics.clone(),
            Question::AllInUse(wanted) => self.topics_in_use(wanted),
        };
        if let Some(id) = self.send_metadata(broker, topics, now) {
            self.metadata.asked(id, now, &question);
            self.look_at(now + STALL_CHECK);
        }
    }

    pub(super) fn look_at(&mut self, at: Instant) {
        if self.next_look.is_none_or(|next| at < next) {
            self.next_look = Some(at);
            self.timers.at(at, Timer::Look);
        }
    }

    /// A connected broker with the least to do; nodes before bootstrap servers, and any other before `unlike`. One that
    /// has been silent for long would not answer this either, so it is asked only where no other can be.
    pub(super) fn broker_to_ask(&self, unlike: Option<i32>, now: Instant) -> Option<i32> {
        let is_stalled = |broker: &Broker| broker.is_silent(now);
        let best = self
            .brokers
            .values()
            .filter(|broker| broker.is_ready() && !broker.is_throttled(now))
            .min_by_key(|broker| {
                let is_unlike = unlike == Some(broker.id);
                let is_bootstrap = broker.is_bootstrap();
                (
                    is_stalled(broker),
                    is_bootstrap,
                    is_unlike,
                    broker.in_flight,
                )
            })?;
        let others = || {
            self.brokers
                .values()
                .any(|broker| broker.is_connecting() || broker.may_connect(now))
        };
        (!is_stalled(best) || !others()).then_some(best.id)
    }

    /// Opens one more connection, unless one is being opened; known nodes first, then bootstrap servers.
    pub(super) fn connect_somewhere(&mut self, now: Instant) {
        if self.brokers.values().any(|broker| broker.is_connecting()) {
            return;
        }
        self.rebootstrap_if_lost(now);
        let open: Vec<(bool, i32)> = self
            .brokers
            .values()
            .filter(|broker| broker.may_connect(now))
            .map(|broker| (broker.is_bootstrap(), broker.id))
            .collect();
        let nodes_first = open.iter().any(|(bootstrap, _)| !bootstrap);
        let candidates: Vec<i32> = open
            .into_iter()
            .filter(|(bootstrap, _)| *bootstrap != nodes_first)
            .map(|(_, id)| id)
            .collect();
        if candidates.is_empty() {
            // Their backoffs end with timers of their own.
            return;
        }
        let at = self.rng.below(candidates.len() as u64) as usize;
        self.connect(candidates[at], now);
    }

    /// KIP-899, KIP-1102: known addresses that lead nowhere for too long are given up for the bootstrap ones.
    fn rebootstrap_if_lost(&mut self, now: Instant) {
        let settings = &self.config.metadata;
        let Some(known) = self.metadata.known_since() else {
            return;
        };
        let nodes_unreachable = self
            .brokers
            .values()
            .all(|broker| broker.is_bootstrap() || broker.is_backing_off());
        let lost = now.duration_since(known) >= settings.rebootstrap_trigger;
        if settings.recovery == MetadataRecovery::Rebootstrap && (nodes_unreachable || lost) {
            self.rebootstrap(now);
        }
    }

    pub(super) fn rebootstrap(&mut self, now: Instant) {
        self.shared.log.log(LogLevel::Notice, || {
            "starting over from the bootstrap servers".to_owned()
        });
        self.metadata.rebootstrap(now, &self.rng);
        let has_bootstrap = self.brokers.values().any(|broker| broker.is_bootstrap());
        if !has_bootstrap {
            self.add_bootstrap_brokers();
        }
    }

    /// Those that are wanted (ascending), and those that were used not long ago; the others are not followed any more.
    fn topics_in_use(&mut self, wanted: &[u32]) -> Vec<u32> {
        let age = self.shared.age_ms();
        let idle = self.config.metadata.max_idle.as_millis() as u64;
        let mut in_use = Vec::new();
        let topics: Vec<Arc<Topic>> = self.accumulator.topics.iter().cloned().collect();
        for topic in topics {
            if wanted.binary_search(&topic.handle).is_ok() {
                in_use.push(topic.handle);
                continue;
            }
            if !topic.followed.load(Ordering::Relaxed) {
                continue;
            }
            let busy = topic.partitions().any(|partition| partition.load() > 0)
                || topic.oldest_parked().is_some();
            if busy || age.saturating_sub(topic.last_used()) < idle {
                in_use.push(topic.handle);
            } else {
                // The next send has it followed again.
                topic.followed.store(false, Ordering::Relaxed);
                self.metadata.forget(topic.handle);
            }
        }
        in_use
    }

    pub(super) fn send_metadata(
        &mut self,
        broker_id: i32,
        topics: Vec<u32>,
        now: Instant,
    ) -> Option<RequestId> {
        let named = topics
            .iter()
            .filter_map(|handle| self.accumulator.topics.get(*handle))
            .map(|topic| MetadataRequestTopic {
                topic_id: Uuid::ZERO,
                name: Some(topic.name.to_string()),
            })
            .collect();
        let request = MetadataRequest {
            topics: Some(named),
            allow_auto_topic_creation: self.config.metadata.allow_auto_create_topics,
            ..MetadataRequest::default()
        };
        let versions = self.brokers.get(&broker_id)?.versions()?;
        let version = versions.pick(ApiKey::Metadata, MAX_METADATA)?;
        let body = request.encode(version).ok()?;
        let id = self.ask(
            broker_id,
            (ApiKey::Metadata, version, body),
            Outstanding::Metadata,
            now,
        )?;
        self.count(&self.shared.counters.metadata_requests, 1);
        Some(id)
    }

    pub(super) fn on_metadata_response(
        &mut self,
        id: RequestId,
        version: i16,
        body: &Bytes,
        now: Instant,
    ) -> Result<(), ProtocolError> {
        let response = MetadataResponse::decode(version, body)?;
        let Some(Outstanding::Metadata(question)) = self.take_request(id) else {
            return Ok(());
        };
        let throttle_ms = response.throttle_time_ms;
        self.note_answer(question.broker, Subject::Metadata, throttle_ms, now);
        if ErrorCode::of_broker(response.error_code) == ErrorCode::REBOOTSTRAP_REQUIRED {
            self.rebootstrap(now);
            return Ok(());
        }
        self.take_brokers(&response);
        let mut complete = true;
        for topic in &response.topics {
            complete &= self.take_topic(topic, &question, now);
        }
        self.metadata.answered(id, complete, now, &self.rng);
        self.shared.set_trouble(None);
        self.answer_starts();
        Ok(())
    }

    /// Answers those who wait for the start, once all that belongs to it is there.
    pub(super) fn answer_starts(&mut self) {
        let identified = !self.transactor.is_idempotent() || self.transactor.identity().is_some();
        if !self.metadata.is_known() || !identified {
            return;
        }
        self.shared.note_started();
        for (_, operation) in self.starts.drain(..) {
            operation.complete(Ok(0));
        }
    }

    /// The cluster's brokers are those that it names; bootstrap servers are let go once one is known.
    fn take_brokers(&mut self, response: &MetadataResponse) {
        if response.brokers.is_empty() {
            return;
        }
        for broker in &response.brokers {
            self.learn_broker(broker.node_id, &broker.host, broker.port);
        }
        let named = |id: i32| response.brokers.iter().any(|broker| broker.node_id == id);
        let gone: Vec<i32> = self
            .brokers
            .values()
            .filter(|broker| {
                let removable = !broker.is_ready() || broker.in_flight == 0;
                !named(broker.id) && removable && broker.list.is_empty()
            })
            .map(|broker| broker.id)
            .collect();
        for id in gone {
            if let Some(broker) = self.brokers.remove(&id)
                && let Some(conn) = broker.connection()
            {
                self.connections.remove(&conn);
            }
        }
    }

    /// Takes in what the answer says of one topic. False: it is to be asked for again.
    fn take_topic(
        &mut self,
        answer: &MetadataTopic,
        question: &drain::Question,
        now: Instant,
    ) -> bool {
        let handle = match &answer.name {
            Some(name) => self.accumulator.topics.find(name),
            None => self.metadata.topic_by_id(answer.topic_id),
        };
        let Some(topic) = handle
            .and_then(|handle| self.accumulator.topics.get(handle))
            .cloned()
        else {
            return true;
        };
        let code = ErrorCode::of_broker(answer.error_code);
        if code != ErrorCode::OK || answer.partitions.is_empty() {
            return self.take_topic_error(&topic, code, now);
        }
        let said = self
            .metadata
            .set_topic_id(topic.handle, answer.topic_id, question.sent, now);
        match said {
            TopicId::AsBefore => {}
            TopicId::Another { .. } => {
                self.on_recreated(&topic, answer.partitions.len() as i32, now);
            }
            TopicId::Unclear => self.forget_offsets(&topic),
            TopicId::Outdated => return self.has_leaders(&topic),
        }
        self.judge_suspicions(&topic, answer.topic_id, question);
        let count = self.add_partitions(&topic, &answer.partitions);
        for partition in &answer.partitions {
            self.take_leader(&topic, partition, now);
        }
        self.note_available(&topic);
        self.metadata.found(topic.handle);
        if count > topic.partition_count() {
            self.accumulator.unpark(&topic, count);
        } else {
            topic.set_error(None);
        }
        self.answer_counts(&topic, &Ok(count as u32));
        for partition in topic.partitions() {
            self.examine_if_waiting(partition.id, now);
        }
        if said == (TopicId::Another { again: true }) {
            // Brokers that disagree are asked again until they do not.
            self.metadata.want(topic.handle);
            return false;
        }
        self.has_leaders(&topic)
    }

    /// False: some are wanted, and the topic is to be asked for again. A partition without a leader, or whose leader is
    /// gone, is only worth a hurry if something waits for it.
    fn has_leaders(&mut self, topic: &Topic) -> bool {
        let lacks = self.lacks_leader(topic);
        if lacks {
            self.metadata.want(topic.handle);
        }
        !lacks
    }

    fn take_topic_error(&mut self, topic: &Arc<Topic>, code: ErrorCode, now: Instant) -> bool {
        let code = match code {
            ErrorCode::OK => ErrorCode::LEADER_NOT_AVAILABLE,
            code => code,
        };
        let error = Error::new(
            code,
            format!("topic {}: {}: {}", topic.name, code.name(), code.text()),
        );
        topic.set_error(Some(error.clone()));
        if code.is_retriable() {
            let waited_for = self.is_waited_for(topic, now);
            if waited_for {
                self.metadata.want(topic.handle);
            }
            return !waited_for;
        }
        topic.fail_parked(code, code.text());
        self.metadata.forget(topic.handle);
        topic.followed.store(false, Ordering::Relaxed);
        self.answer_counts(topic, &Err(error));
        true
    }

    /// Whether somebody still waits for the topic to be known, or to have a leader.
    fn is_waited_for(&self, topic: &Topic, now: Instant) -> bool {
        self.metadata.is_unknown_wanted(topic.handle, now) || self.has_waiting(topic)
    }

    /// Whether something waits for a leader that there is none of, or that takes no connection: others may lead soon.
    fn lacks_leader(&self, topic: &Topic) -> bool {
        let is_gone = |leader: i32| {
            let broker = self.brokers.get(&leader);
            broker.is_none_or(Broker::is_backing_off)
        };
        let mut partitions = topic.partitions();
        partitions
            .any(|partition| partition.load() > 0 && is_gone(self.tracks[partition.id].leader))
    }

    fn has_waiting(&self, topic: &Topic) -> bool {
        topic.partitions().any(|partition| partition.load() > 0)
    }

    /// The topic was deleted and made anew: its leader epochs begin again, and the sequences in its partitions, of which
    /// there may be fewer.
    fn on_recreated(&mut self, topic: &Topic, count: i32, now: Instant) {
        let transactional = self.transactor.is_transactional();
        for partition in topic.partitions() {
            let track = &mut self.tracks[partition.id];
            track.leader_epoch = -1;
            track.is_gone = partition.index >= count;
            track.lineage.forget_log();
            track.note_anew(now);
            track.suspicion = None;
            if !transactional {
                track.lineage.end();
            }
            if track.is_gone {
                self.set_leader(partition.id, -1, -1, now);
            }
            let why = "the topic was deleted and made anew, and what was written to it is gone";
            self.doom_for(partition.id, why);
        }
        // Before the count, so that nobody chooses one of those that are gone.
        self.note_available(topic);
        topic.shrink(count);
    }

    /// Makes the partitions that are new; only a topic made anew has fewer.
    fn add_partitions(&mut self, topic: &Arc<Topic>, answer: &[MetadataPartition]) -> i32 {
        let highest = answer
            .iter()
            .map(|partition| partition.partition_index)
            .max();
        // An answer that leaves some out is not believed to have removed them; one that names a
        // partition beyond its own count is not believed to have made those between.
        let count = highest
            .map_or(0, |highest| highest.saturating_add(1))
            .min(answer.len() as i32);
        let count = count.max(topic.partition_count());
        while (topic.known_partitions() as i32) < count {
            let partition = self.accumulator.add_partition(topic);
            self.track_partition(topic, partition);
        }
        count
    }

    /// Takes in who leads a partition, unless it is older than what is known.
    fn take_leader(&mut self, topic: &Topic, answer: &MetadataPartition, now: Instant) {
        let Some(partition) = topic.partition(answer.partition_index) else {
            return;
        };
        let id = partition.id;
        let track = &self.tracks[id];
        let is_stale = answer.leader_epoch >= 0 && answer.leader_epoch < track.leader_epoch;
        if is_stale {
            return;
        }
        let leader = match self.brokers.contains_key(&answer.leader_id) {
            true => answer.leader_id,
            false => -1,
        };
        self.tracks[id].is_gone = false;
        self.set_leader(id, leader, answer.leader_epoch, now);
    }

    fn set_leader(&mut self, id: usize, leader: i32, epoch: i32, now: Instant) {
        let track = &mut self.tracks[id];
        let (old_leader, old_epoch) = (track.leader, track.leader_epoch);
        track.leader = leader;
        track.leader_epoch = epoch.max(old_epoch);
        track.partition.set_leader(leader);
        if leader == old_leader {
            return;
        }
        if leader < 0 {
            // What the old leader has not got yet waits for the next one.
            return self.strike(id);
        }
        // A new leader has done nothing to be spared for.
        track.not_before = None;
        let proven = epoch > old_epoch && old_leader >= 0;
        if proven {
            self.on_superseded(id, old_leader, now);
        }
        self.examine(id, now);
    }

    /// A broker that refuses a partition says who leads it (KIP-951), in answer to what was `sent` then.
    pub(super) fn on_leader_hint(&mut self, id: usize, leader: i32, epoch: i32, sent: Instant) {
        let now = Instant::now();
        let track = &self.tracks[id];
        let of_old_log = track.made_anew.is_some_and(|at| sent <= at);
        if of_old_log || epoch <= track.leader_epoch || !self.brokers.contains_key(&leader) {
            return;
        }
        let topic = track.topic.clone();
        self.set_leader(id, leader, epoch, now);
        self.note_available(&topic);
    }

    /// Tells senders which partitions can be chosen: those with a leader that takes what is due
    /// (`partitioner.availability.timeout.ms`).
    fn note_available(&self, topic: &Topic) {
        let takes = |id: i32| {
            let broker = self.brokers.get(&id);
            broker.is_some_and(|broker| !self.avoided.contains(&broker.id))
        };
        let led = topic
            .partitions()
            .filter(|partition| takes(partition.leader()))
            .map(|partition| partition.index)
            .collect();
        topic.set_available(led);
    }

    /// Looks which brokers have not taken what is due for too long (KIP-794).
    pub(super) fn check_availability(&mut self, now: Instant) {
        let Some(patience) = self.config.partitioner.availability_timeout else {
            return;
        };
        let mut avoided = Vec::new();
        let mut next: Option<Instant> = None;
        for broker in self.brokers.values() {
            let Some(since) = broker.blocked_since else {
                continue;
            };
            let at = since + patience;
            if at <= now {
                avoided.push(broker.id);
            } else {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        if let Some(at) = next {
            self.look_at(at);
        }
        if avoided != self.avoided {
            self.avoided = avoided;
            for topic in self.accumulator.topics.iter() {
                self.note_available(topic);
            }
        }
    }

    /// Answers all who asked for the number of the topic's partitions.
    fn answer_counts(&mut self, topic: &Topic, answer: &Result<u32, Error>) {
        let asked = |(waits_for, _, _): &mut (u32, _, _)| *waits_for == topic.handle;
        for (_, _, operation) in self.counts.extract_if(.., asked) {
            operation.complete(answer.clone());
        }
    }

    fn examine_if_waiting(&mut self, id: usize, now: Instant) {
        if self.tracks[id].partition.load() > 0 && self.tracks[id].listed_on.is_none() {
            self.examine(id, now);
        }
    }

    /// A broker that is silent for long may not lead any more what it was asked to write: others know.
    pub(super) fn check_stalls(&mut self, now: Instant) {
        if self.stall_checked.is_some_and(|at| at > now) {
            return;
        }
        let stalled: Vec<i32> = self
            .brokers
            .values()
            .filter(|broker| broker.is_silent(now))
            .map(|broker| broker.id)
            .collect();
        if !stalled.is_empty() {
            let topics: Vec<u32> = self
                .tracks
                .iter()
                .filter(|track| !track.in_flight.is_empty() || track.listed_on.is_some())
                .filter(|track| stalled.contains(&track.leader))
                .map(|track| track.topic.handle)
                .collect();
            for topic in topics {
                self.metadata.want(topic);
            }
            self.doubt_step(&stalled, now);
        }
        if self
            .brokers
            .values()
            .any(|broker| broker.waiting_since.is_some())
        {
            let next = now + STALL_CHECK / 2;
            self.stall_checked = Some(next);
            self.timers.at(next, Timer::Look);
        }
    }
}
