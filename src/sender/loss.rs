//! Logs that lack what was acknowledged: how that shows, and what follows.

use std::time::Duration;

use tokio::time::Instant;

use super::drain::Question;
use super::{Engine, Timer};
use crate::completion::LogLevel;
use crate::config::DataLoss;
use crate::error::{Error, ErrorCode};
use crate::protocol::Uuid;

/// How long after a broker took records as their leader it surely knows which topic they are of. (With ZooKeeper a
/// broker is told so by two requests; with KRaft it knows at once.)
const SETTLED: Duration = Duration::from_secs(1);

/// An acknowledged offset has come again: the topic was made anew, or its log is not what it was.
#[derive(Clone, Copy, Debug)]
pub struct Suspicion {
    offset: i64,
    /// Who gave the offset again: others may be behind the times.
    leader: i32,
    /// From then on it is to be asked.
    due: Instant,
}

impl Engine {
    /// An acknowledged offset has come again.
    pub(super) fn suspect(&mut self, id: usize, offset: i64, leader: i32) {
        let due = Instant::now() + SETTLED;
        let track = &mut self.tracks[id];
        track.suspicion.get_or_insert(Suspicion {
            offset,
            leader,
            due,
        });
        self.metadata.want(track.topic.handle);
        self.timers.at(due, Timer::Suspicion(id));
        self.doom_for(id, "records that it may have written are lost");
    }

    /// Asks for the topic's metadata again, which judges.
    pub(super) fn pursue_suspicion(&mut self, id: usize) {
        let track = &self.tracks[id];
        if track.suspicion.is_some() {
            self.metadata.want(track.topic.handle);
        }
    }

    /// The broker whose answer would judge a suspicion, if there is one and it can be asked.
    pub(super) fn broker_to_judge(&self, now: Instant) -> Option<i32> {
        let due = self.tracks.iter().filter_map(|track| track.suspicion);
        let mut leaders = due.filter(|suspicion| suspicion.due <= now);
        let leader = leaders.find(|suspicion| self.can_ask(suspicion.leader, now));
        leader.map(|suspicion| suspicion.leader)
    }

    fn can_ask(&self, broker: i32, now: Instant) -> bool {
        let broker = self.brokers.get(&broker);
        broker.is_some_and(|broker| {
            broker.is_ready() && !broker.is_throttled(now) && !broker.is_silent(now)
        })
    }

    /// By an answer to this question the partition's topic, which has this id, was not made anew: then records were
    /// lost, if the answer is good enough to tell.
    pub(super) fn judge_suspicion(
        &mut self,
        id: usize,
        topic: Uuid,
        question: &Question,
        now: Instant,
    ) {
        let Some(suspicion) = self.tracks[id].suspicion else {
            return;
        };
        let is_witness =
            question.broker == suspicion.leader || !self.can_ask(suspicion.leader, now);
        if question.sent < suspicion.due || !is_witness {
            let next = suspicion.due.max(now + self.config.retry_backoff);
            return self.timers.at(next, Timer::Suspicion(id));
        }
        if !topic.is_zero() {
            self.note_loss(id, Some(suspicion.offset), -1);
            return;
        }
        let track = &mut self.tracks[id];
        track.suspicion = None;
        self.shared.log.log(LogLevel::Warning, || {
            format!(
                "topic {} partition {}: offset {}, which was acknowledged, has come again. The topic was deleted and \
                 made anew, or its log has lost records: brokers that give no topic ids do not tell which",
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
            self.doom(Error::new(ErrorCode::DATA_LOSS, message));
        }
    }

    /// The log lacks what was acknowledged. False: the producer is not to go on.
    pub(super) fn note_loss(
        &mut self,
        id: usize,
        acknowledged: Option<i64>,
        log_start_offset: i64,
    ) -> bool {
        let track = &self.tracks[id];
        let begins = match log_start_offset {
            ..0 => String::new(),
            known => format!("; it begins at {known}"),
        };
        let message = format!(
            "topic {} partition {}: records that were acknowledged, up to offset {}, are not in \
             the log any more{begins}. Look for an unclean leader election or deleted data",
            track.topic.name,
            track.partition.index,
            acknowledged.unwrap_or(-1),
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
