//! Logs that lack what was acknowledged: how that shows, and what follows.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::broker::Broker;
use super::drain::Question;
use super::{Engine, Timer};
use crate::accumulator::Topic;
use crate::completion::LogLevel;
use crate::config::DataLoss;
use crate::error::{Error, ErrorCode};
use crate::protocol::Uuid;

/// How long after a broker took records as their leader it surely knows which topic they are of. (With ZooKeeper a
/// broker is told so by two requests; with KRaft it knows at once.) It is asked as often.
const SETTLED: Duration = Duration::from_secs(1);
/// How long it is tried to find out whether records were lost.
const PATIENCE: Duration = Duration::from_secs(60);

const NO_IDS: &str = "brokers that give no topic ids do not tell which";

/// An acknowledged offset has come again, or what follows it is not taken: the topic was made anew, or its log is not
/// what it was.
#[derive(Clone, Copy, Debug)]
pub struct Suspicion {
    offset: i64,
    /// Who has acknowledged something since, and so knows the topic: others may be behind the times.
    witness: i32,
    /// From then on it is to be asked.
    due: Instant,
    end: Instant,
}

impl Engine {
    /// An acknowledged offset has come again, or what follows it is not taken, by the answer to a request that named the
    /// topic and not its id.
    pub(super) fn suspect(&mut self, id: usize, offset: i64, witness: i32) {
        let due = Instant::now() + SETTLED;
        let track = &mut self.tracks[id];
        track.suspicion.get_or_insert(Suspicion {
            offset,
            witness,
            due,
            end: due + PATIENCE,
        });
        let topic = track.topic.handle;
        self.note_witness(id, witness);
        self.metadata.want(topic);
        self.look_into(topic, due);
        self.doom_for(id, "records that it may have written are lost");
    }

    /// The partition's leader has acknowledged something, or refused what follows.
    pub(super) fn note_witness(&mut self, id: usize, leader: i32) {
        if let Some(suspicion) = &mut self.tracks[id].suspicion
            && suspicion.witness != leader
        {
            suspicion.witness = leader;
            suspicion.due = Instant::now() + SETTLED;
        }
    }

    fn look_into(&mut self, topic: u32, at: Instant) {
        if self.suspects.insert(topic) {
            self.timers.at(at, Timer::Suspicion(topic));
        }
    }

    /// Asks those who know whether the topic was made anew, each once.
    pub(super) fn pursue_suspicions(&mut self, handle: u32, now: Instant) {
        self.suspects.remove(&handle);
        let Some(topic) = self.accumulator.topics.get(handle).cloned() else {
            return;
        };
        let mut witnesses = BTreeSet::new();
        for partition in topic.partitions() {
            let Some(suspicion) = self.tracks[partition.id].suspicion else {
                continue;
            };
            if suspicion.end <= now {
                self.leave_open(partition.id, "its leader could not be asked which");
                continue;
            }
            self.look_into(handle, now + SETTLED);
            if suspicion.due <= now {
                witnesses.insert(suspicion.witness);
            }
        }
        for witness in witnesses {
            let can_answer = |broker: &Broker| broker.is_ready() && !broker.is_throttled(now);
            if self.brokers.get(&witness).is_some_and(can_answer) {
                self.send_metadata(witness, vec![handle], now);
            }
        }
    }

    /// By the answer to this question the topic, which has this id, was not made anew: then records were lost, if the
    /// broker that was asked knows.
    pub(super) fn judge_suspicions(&mut self, topic: &Topic, topic_id: Uuid, question: &Question) {
        for partition in topic.partitions() {
            let Some(suspicion) = self.tracks[partition.id].suspicion else {
                continue;
            };
            if question.broker != suspicion.witness || question.sent < suspicion.due {
                continue;
            }
            match topic_id.is_zero() {
                true => self.leave_open(partition.id, NO_IDS),
                false => {
                    self.note_loss(partition.id, suspicion.offset, -1);
                }
            }
        }
    }

    /// Whether it is still the same topic cannot be said: what was acknowledged says nothing of the offsets to come.
    pub(super) fn forget_offsets(&mut self, topic: &Topic) {
        for partition in topic.partitions() {
            self.tracks[partition.id].lineage.forget_offsets();
            self.leave_open(partition.id, NO_IDS);
        }
    }

    /// The producer ends with suspicions.
    pub(super) fn leave_all_open(&mut self) {
        for id in 0..self.tracks.len() {
            self.leave_open(
                id,
                "the producer was closed before its leader was asked which",
            );
        }
    }

    /// Whether the brokers do not tell whether the topic is another by now.
    pub(super) fn is_without_id(&self, id: usize) -> bool {
        let topic = self.tracks[id].topic.handle;
        self.metadata.topic_id(topic).is_zero()
    }

    fn leave_open(&mut self, id: usize, why: &str) {
        let track = &mut self.tracks[id];
        let Some(suspicion) = track.suspicion.take() else {
            return;
        };
        self.shared.log.log(LogLevel::Warning, || {
            format!(
                "topic {} partition {}: offset {}, which was acknowledged, is not where it was in the log. The topic was \
                 deleted and made anew, or its log has lost records: {why}",
                track.topic.name, track.partition.index, suspicion.offset,
            )
        });
    }

    /// What the partition held of the transaction may be gone, and is not to be committed without.
    pub(super) fn doom_for(&mut self, id: usize, why: &str) {
        let track = &self.tracks[id];
        if self.transactor.is_transactional() && track.joined == self.transactor.number() {
            let message = format!(
                "topic {} partition {}: {why}",
                track.topic.name, track.partition.index
            );
            let error = Error::new(ErrorCode::DATA_LOSS, message);
            self.pending_doom.get_or_insert(error);
        }
    }

    /// The log lacks what was acknowledged. False: the producer is not to go on.
    pub(super) fn note_loss(
        &mut self,
        id: usize,
        acknowledged: i64,
        log_start_offset: i64,
    ) -> bool {
        let or_anew = match self.is_without_id(id) {
            true => {
                ", or for a topic that was made anew, which looks the same where brokers give no topic ids"
            }
            false => "",
        };
        let track = &self.tracks[id];
        let begins = match log_start_offset {
            ..0 => String::new(),
            known => format!("; it begins at {known}"),
        };
        let message = format!(
            "topic {} partition {}: records that were acknowledged, up to offset {acknowledged}, are not in \
             the log any more{begins}. Look for an unclean leader election or deleted data{or_anew}",
            track.topic.name, track.partition.index,
        );
        self.tracks[id].lineage.forget_log();
        self.tracks[id].suspicion = None;
        self.count(&self.shared.counters.data_losses, 1);
        let error = Error::new(ErrorCode::DATA_LOSS, message);
        self.shared
            .log
            .log(LogLevel::Error, || error.message.clone());
        match self.config.data_loss {
            DataLoss::Continue => {
                self.accumulator.hub.event(&error);
                true
            }
            DataLoss::Stop => {
                self.pending_fatal.get_or_insert(error);
                false
            }
        }
    }
}
