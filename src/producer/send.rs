//! The way of one record from the caller into its partition's open batch, on the caller's thread.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::record::{PlainRecord, Record, ShortField, ShortPayload, TopicRef};
use crate::accumulator::{
    Append, AppendError, Appended, Choice, Command, Reservation, Topic, is_valid_topic_name,
};
use crate::completion::{RecordMeta, SendCallback, in_callback};
use crate::error::ErrorCode;
use crate::record::HEADER_LEN;
use crate::record::encode::Payload;
use crate::sender::Shared;
use crate::sys;

/// Whether a send may wait for space and metadata, and until when.
#[derive(Clone, Copy, Debug)]
pub enum Patience {
    None,
    /// `max.block.ms`, counted from the first time that there is something to wait for.
    Configured,
    Until(Instant),
}

/// How a record is sent.
#[derive(Debug)]
pub struct SendOptions {
    pub patience: Patience,
    pub callback: Option<SendCallback>,
    /// Skip linger.
    pub urgent: bool,
}

impl Shared {
    /// The way of nearly all records: the topic is known and its partition has an open batch with room. False:
    /// nothing has changed; `send` does the same and all that can come between.
    #[inline(always)]
    pub fn send_quickly<'a>(
        &self,
        record: &PlainRecord<'a, impl Fn() -> Option<ShortField<'a>>>,
    ) -> bool {
        let accumulator = &*self.accumulator;
        let Some(topic) = accumulator.topics.get(record.topic) else {
            return false;
        };
        let count = topic.partition_count();
        if count == 0
            || record.timestamp < 0
            || !topic.followed.load(Ordering::Relaxed)
            || self.hub.is_overloaded()
        {
            return false;
        }
        let chosen = match record.partition {
            -1 => accumulator.choose_quickly(topic, count, record.key.bytes()),
            given => given,
        };
        // As unsigned numbers the negative ones are too large as well.
        let (chosen, count) = (chosen as u32, count as u32);
        if chosen >= count {
            return false;
        }
        let Some(partition) = topic.partition_at(chosen as usize) else {
            return false;
        };
        let Some(value) = (record.value)() else {
            return false;
        };
        let payload = ShortPayload {
            key: record.key,
            value,
        };
        if payload.key.size() + payload.value.size() > self.quick_size {
            return false;
        }
        let meta = RecordMeta {
            tag: record.tag,
            timestamp: record.timestamp,
        };
        partition.try_push(&payload, meta, accumulator.batch_size)
    }

    #[cold]
    #[inline(never)]
    pub fn send(&self, record: &Record<'_>, options: SendOptions) -> Result<(), ErrorCode> {
        let topic = self.resolve(record.topic)?;
        let payload = Payload {
            key: record.key,
            value: record.value,
            headers: record.headers,
        };
        let meta = RecordMeta {
            tag: record.tag,
            timestamp: match record.timestamp {
                None => sys::unix_millis(),
                Some(given) if given >= 0 => given,
                Some(_) => return Err(ErrorCode::INVALID_TIMESTAMP_ARG),
            },
        };
        if payload.upper_bound() + HEADER_LEN > self.max_record {
            return Err(ErrorCode::RECORD_TOO_LARGE);
        }
        if self.hub.is_overloaded() {
            return Err(ErrorCode::REPORT_QUEUE_FULL);
        }
        self.place(topic, record, &payload, meta, options)
    }

    /// Finds a place for the record, waiting as long as the caller allows.
    fn place(
        &self,
        topic: &Arc<Topic>,
        record: &Record<'_>,
        payload: &Payload<'_>,
        meta: RecordMeta,
        options: SendOptions,
    ) -> Result<(), ErrorCode> {
        let mut patience = options.patience;
        // Waiting in a callback could wait for what only that callback's thread can do.
        let blocking = !matches!(patience, Patience::None) && !in_callback();
        let mut credit: Option<Reservation> = None;
        let mut append = Append {
            payload,
            meta,
            callback: options.callback,
            lane: None,
            urgent: options.urgent,
            transaction: self.accumulator.transaction(),
            parked: None,
            since: None,
        };
        let mut asked = None;
        self.follow(topic);
        loop {
            let count = topic.partition_count();
            if count == 0 {
                let deciding = topic.deciding();
                if blocking && deciding.is_none() {
                    topic.wait_known(self.deadline(&mut patience), || self.want(topic))?;
                    continue;
                }
                let partition = match deciding {
                    Some(count) => {
                        self.decide(topic, count, record.partition, payload, &mut asked)?
                    }
                    None => record.partition,
                };
                match self.accumulator.park(topic, &mut append, partition) {
                    Ok(Some(first)) => {
                        if first {
                            self.want(topic);
                        }
                        return Ok(());
                    }
                    Ok(None) => {}
                    // Its place in a partition takes less.
                    Err(ErrorCode::QUEUE_FULL) if blocking => {
                        topic
                            .wait_published(self.deadline(&mut patience))
                            .inspect_err(|_| self.note_parked(topic))?;
                    }
                    Err(ErrorCode::QUEUE_FULL) => {
                        return Err(self.queue_full(self.accumulator.parked_size(payload)));
                    }
                    Err(code) => return Err(code),
                }
                continue;
            }
            let partition = self.decide(topic, count, record.partition, payload, &mut asked)?;
            match self.append(topic, partition, count, &mut append, &mut credit, blocking) {
                Ok(()) => return Ok(()),
                Err(AppendError::Refused(code)) => return Err(code),
                Err(AppendError::Moved) => {}
                Err(AppendError::Memory { least }) if !blocking => {
                    return Err(self.queue_full(least));
                }
                Err(AppendError::Memory { least }) => {
                    drop(credit.take());
                    let deadline = self.deadline(&mut patience);
                    let accumulator = &self.accumulator;
                    let waited = accumulator
                        .memory
                        .reserve_until(least, deadline, || accumulator.ready.wake());
                    credit = Some(waited?);
                }
            }
        }
    }

    /// The record's own partition, checked, or that which the user's partitioner chooses: it is asked once. `None`: the
    /// choice is the library's.
    fn decide(
        &self,
        topic: &Topic,
        count: i32,
        own: Option<i32>,
        payload: &Payload<'_>,
        asked: &mut Option<(i32, i32)>,
    ) -> Result<Option<i32>, ErrorCode> {
        let chosen = match (own, *asked) {
            (None, _) if !self.accumulator.asks_user() => return Ok(None),
            (Some(own), _) => own,
            (None, Some((of, chosen))) if of == count => chosen,
            (None, _) => self.accumulator.choose(topic, count, payload)?.partition,
        };
        *asked = Some((count, chosen));
        match (0..count).contains(&chosen) {
            true => Ok(Some(chosen)),
            false => Err(ErrorCode::UNKNOWN_PARTITION),
        }
    }

    fn append(
        &self,
        topic: &Arc<Topic>,
        decided: Option<i32>,
        count: i32,
        append: &mut Append<'_>,
        credit: &mut Option<Reservation>,
        blocking: bool,
    ) -> Result<(), AppendError> {
        let accumulator = &*self.accumulator;
        let mut choice = match decided {
            Some(partition) => Choice::fixed(partition),
            None => accumulator
                .choose(topic, count, append.payload)
                .map_err(AppendError::Refused)?,
        };
        let unknown = AppendError::Refused(ErrorCode::UNKNOWN_PARTITION);
        let Some(mut partition) = topic.partition(choice.partition) else {
            return Err(unknown);
        };
        let mut queue = match (partition.try_lock(), choice.lane) {
            (Some(queue), _) => queue,
            (None, None) => partition.lock(),
            (None, Some(_)) => {
                // Another thread is at it: better to part than to meet at every record.
                choice = accumulator.sticky_elsewhere(topic, count, choice.partition);
                partition = topic.partition(choice.partition).ok_or(unknown)?;
                partition.lock()
            }
        };
        append.lane = choice.lane;
        let mut appended = Appended::nothing();
        let may_open = || {
            // A choice made before another thread moved on may finish a batch but not begin one.
            choice
                .lane
                .is_none_or(|lane| topic.lanes.current(lane) == choice.partition)
        };
        let result = partition.append(
            &mut queue,
            append,
            credit,
            accumulator,
            may_open,
            &mut appended,
        );
        drop(queue);
        if !appended.is_nothing() {
            topic.touch(self.age_ms());
            accumulator.settle(topic, partition, appended, blocking);
        }
        result
    }

    /// Answers QUEUE_FULL for want of these bytes, after which exactly one WRITABLE entry follows.
    #[cold]
    pub(super) fn queue_full(&self, bytes: usize) -> ErrorCode {
        self.hub.want_writable();
        if self.accumulator.memory.watch(bytes) {
            // What lingers goes now, to make room.
            self.accumulator.ready.command(Command::MakeRoom);
        }
        ErrorCode::QUEUE_FULL
    }

    /// Has the topic's metadata asked for regularly, if it is not yet.
    pub(super) fn follow(&self, topic: &Arc<Topic>) {
        if !topic.followed.load(Ordering::Relaxed) && !topic.followed.swap(true, Ordering::Relaxed)
        {
            self.want(topic);
        }
    }

    #[cold]
    pub(super) fn want(&self, topic: &Arc<Topic>) {
        topic.touch(self.age_ms());
        self.accumulator.ready.command(Command::Want(topic.clone()));
    }

    fn deadline(&self, patience: &mut Patience) -> Option<Instant> {
        let until = match *patience {
            Patience::None => Instant::now(),
            Patience::Configured => Instant::now() + self.config.max_block,
            Patience::Until(at) => at,
        };
        *patience = Patience::Until(until);
        Some(until)
    }

    #[inline]
    pub fn resolve(&self, topic: TopicRef<'_>) -> Result<&Arc<Topic>, ErrorCode> {
        let topics = &self.accumulator.topics;
        let handle = match topic {
            TopicRef::Handle(handle) => handle,
            TopicRef::Name(name) => self.topic(name)?,
        };
        topics.get(handle).ok_or(ErrorCode::UNKNOWN_TOPIC_HANDLE)
    }

    /// The handle of a topic, made if need be.
    pub fn topic(&self, name: &str) -> Result<u32, ErrorCode> {
        let topics = &self.accumulator.topics;
        if let Some(handle) = topics.find(name) {
            return Ok(handle);
        }
        self.refusal()?;
        if !is_valid_topic_name(name) {
            return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        Ok(self.accumulator.add_topic(name))
    }
}
