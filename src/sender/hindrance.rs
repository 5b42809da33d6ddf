//! What stands between the producer and the cluster, for the errors of those who wait in vain.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use super::answer::Refusal;
use super::broker::{Broker, Link, Silence};
use super::drain::Outstanding;
use super::track::Track;
use super::{Engine, STALL_CHECK, Shared};
use crate::accumulator::{Batch, Topic};
use crate::error::{Error, ErrorCode};
use crate::network::{BrokerAddress, Progress, RequestId};
use crate::protocol::ApiKey;
use crate::transaction::{Place, Refused};

/// How long something is waited for before that is worth a word.
const PATIENCE: Duration = Duration::from_millis(100);

/// How often it is looked at what keeps the records that somebody waits for, and how long what was found is told.
const HOLDER_LOOK: Duration = Duration::from_millis(200);
const HOLDER_TOLD: Duration = Duration::from_millis(500);

/// What is known of it. The engine writes, everybody reads.
#[derive(Debug, Default)]
pub struct Hindrance {
    /// Why the cluster could not be reached or used lately.
    trouble: Mutex<Option<Error>>,
    /// What the engine waits for now.
    awaited: Mutex<Option<Awaited>>,
    refused: Mutex<Option<Refused>>,
    /// What keeps the records whose end somebody waits for, and when that was seen.
    holder: Mutex<Option<(Instant, Holder)>>,
    /// Threads that wait for one record's outcome.
    awaiting: AtomicUsize,
}

/// A thread waits for a record's outcome as long as this lives.
#[derive(Debug)]
pub struct Awaiting<'a>(&'a Hindrance);

impl Drop for Awaiting<'_> {
    fn drop(&mut self) {
        self.0.awaiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What keeps records.
#[derive(Clone, Debug)]
enum Holder {
    Said(String),
    /// Parked records of this topic, as long as it has any.
    Parked(Arc<Topic>),
}

impl Holder {
    fn text(self) -> Option<String> {
        match self {
            Holder::Said(text) => Some(text),
            Holder::Parked(topic) => topic.oldest_parked().map(|_| parked_for(&topic)),
        }
    }
}

/// What is said to keep a batch, until that is over.
#[derive(Debug)]
pub(super) struct Told {
    track: usize,
    /// Its place, if it has been sent.
    place: Option<Place>,
    /// The request that has no answer, if that is said.
    request: Option<RequestId>,
    /// What is left to say once it has.
    refusal: Option<String>,
}

/// Something without which nothing is learnt of the cluster, or no transaction gets on.
#[derive(Clone, Debug)]
enum Awaited {
    SetUp(Arc<Progress>),
    Answer {
        api: ApiKey,
        broker: BrokerAddress,
        since: Instant,
    },
    /// The end of a silence.
    Silence(BrokerAddress, Silence),
}

impl Awaited {
    /// That of a broker, if it is not over.
    fn silence(broker: &Broker, now: Instant) -> Option<Awaited> {
        let silence = broker.silence.filter(|silence| silence.until > now)?;
        Some(Awaited::Silence(broker.address.clone(), silence))
    }

    /// Whether it is still waited for, as far as time tells.
    fn lasts(&self, now: Instant) -> bool {
        match self {
            Awaited::SetUp(_) | Awaited::Answer { .. } => true,
            Awaited::Silence(_, silence) => silence.until > now,
        }
    }

    fn broker(&self) -> &BrokerAddress {
        match self {
            Awaited::SetUp(progress) => progress.broker(),
            Awaited::Answer { broker, .. } | Awaited::Silence(broker, _) => broker,
        }
    }

    fn since(&self) -> Instant {
        match self {
            Awaited::SetUp(progress) => progress.begun(),
            Awaited::Answer { since, .. } => *since,
            Awaited::Silence(_, silence) => silence.since,
        }
    }
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Awaited::SetUp(progress) => progress.fmt(f),
            Awaited::Answer { api, broker, since } => {
                let waited = since.elapsed();
                write!(f, "{broker} has not answered {api} after {waited:.1?}")
            }
            Awaited::Silence(broker, silence) => {
                let left = silence.until.saturating_duration_since(Instant::now());
                let left = left.as_secs_f64();
                write!(
                    f,
                    "{broker} asked for silence for {left:.1}s more (throttle_time_ms)"
                )
            }
        }
    }
}

impl Hindrance {
    fn told(&self, otherwise: ErrorCode) -> Option<Error> {
        let trouble = self.trouble.lock().clone();
        let awaited = self.awaited.lock().clone();
        let now = Instant::now();
        let awaited =
            awaited.filter(|awaited| awaited.since().elapsed() >= PATIENCE && awaited.lasts(now));
        let refused = *self.refused.lock();
        let refused = refused.filter(|refused| refused.since.elapsed() >= PATIENCE);
        let holder = self.holder.lock().clone();
        let holder = holder.filter(|(seen, _)| seen.elapsed() < HOLDER_TOLD);
        let kept = refused
            .map(|refused| refused.to_string())
            .or_else(|| holder.and_then(|(_, holder)| holder.text()));
        match (trouble, awaited) {
            (None, None) => kept.map(|text| Error::new(otherwise, text)),
            (None, Some(awaited)) => {
                let text = match kept {
                    Some(kept) => format!("{awaited}; {kept}"),
                    None => awaited.to_string(),
                };
                Some(Error::new(otherwise, text))
            }
            // What is awaited of a broker that has failed before is nothing new.
            (Some(trouble), Some(awaited))
                if !trouble.message.contains(&awaited.broker().to_string()) =>
            {
                let message = format!("{}; {awaited}", trouble.message);
                Some(Error { message, ..trouble })
            }
            (Some(trouble), _) => Some(trouble),
        }
    }
}

/// What the topic's parked records wait for.
fn parked_for(topic: &Topic) -> String {
    if topic.deciding().is_some() {
        return format!(
            "topic {}: the partitioner is waited for, with records that were sent before",
            topic.name
        );
    }
    let said = topic.error().map(|error| error.message);
    said.unwrap_or_else(|| format!("topic {} is not known yet", topic.name))
}

impl Shared {
    /// Somebody waited in vain for the topic's parked records to move on.
    pub fn note_parked(&self, topic: &Arc<Topic>) {
        let holder = Holder::Parked(topic.clone());
        *self.hindrance.holder.lock() = Some((Instant::now(), holder));
    }

    /// As long as the answer lives it is noted what keeps records.
    pub fn await_outcome(&self) -> Awaiting<'_> {
        self.hindrance.awaiting.fetch_add(1, Ordering::SeqCst);
        Awaiting(&self.hindrance)
    }

    /// Why the cluster cannot be reached or used, or what is being waited for; none when all is well. The code is
    /// `otherwise` where nothing has failed yet.
    pub fn hindrance(&self, otherwise: ErrorCode) -> Option<Error> {
        self.hindrance.told(otherwise)
    }

    /// Why the cluster could not be reached or used lately, if so.
    pub(super) fn trouble(&self) -> Option<Error> {
        self.hindrance.trouble.lock().clone()
    }

    pub(super) fn set_trouble(&self, trouble: Option<Error>) {
        *self.hindrance.trouble.lock() = trouble;
    }
}

impl Engine {
    /// Notes the step that is tried in vain, if one is.
    pub(super) fn note_refused(&self) {
        *self.shared.hindrance.refused.lock() = self.transactor.refused();
    }

    /// Why nothing is written to a broker for now, if it asked for that.
    pub(super) fn silence_of(&self, broker: i32) -> Option<String> {
        let broker = self.brokers.get(&broker)?;
        Some(Awaited::silence(broker, Instant::now())?.to_string())
    }

    /// While somebody waits for room or for outcomes: notes what keeps the oldest records.
    pub(super) fn note_holder(&mut self, now: Instant) {
        if !self.is_end_awaited() {
            self.holder_due = now + PATIENCE;
            return;
        }
        if self.holder_due <= now {
            self.holder_due = now + HOLDER_LOOK;
            let (holder, told) = self.holder(now).unzip();
            self.told = told.flatten();
            *self.shared.hindrance.holder.lock() = holder.map(|holder| (now, holder));
        }
        self.look_at(self.holder_due);
    }

    fn is_end_awaited(&self) -> bool {
        self.accumulator.memory.is_exhausted()
            || self.accumulator.incomplete.is_flushing()
            || !self.lines.is_empty()
            || self.shared.hindrance.awaiting.load(Ordering::Relaxed) > 0
    }

    /// A batch has an outcome: it keeps nobody waiting any more.
    pub(super) fn note_outcome(&mut self, track: usize, place: Place) {
        let is_it = |told: &Told| told.track == track && told.place.is_none_or(|it| it <= place);
        if self.told.as_ref().is_some_and(is_it) {
            self.untell();
        }
    }

    /// A request has ended: it is not without an answer any more.
    pub(super) fn note_end(&mut self, request: RequestId) {
        let Some(told) = self
            .told
            .as_mut()
            .filter(|told| told.request == Some(request))
        else {
            return;
        };
        told.request = None;
        match told.refusal.take() {
            Some(refusal) => {
                let holder = Holder::Said(refusal);
                *self.shared.hindrance.holder.lock() = Some((Instant::now(), holder));
            }
            None => self.untell(),
        }
    }

    fn untell(&mut self) {
        self.told = None;
        *self.shared.hindrance.holder.lock() = None;
    }

    fn holder(&self, now: Instant) -> Option<(Holder, Option<Told>)> {
        let old = |since: &Instant| *since + PATIENCE <= now;
        let of_topic = |topic: &Arc<Topic>| Some((topic.oldest_parked()?, topic.clone()));
        let topics = self.accumulator.topics.iter();
        let parked = topics
            .filter_map(of_topic)
            .min_by_key(|(since, _)| *since)
            .filter(|(since, _)| old(since));
        let since = |track: &Track| {
            let sent = track.oldest().map(|(batch, _)| batch.created);
            sent.or_else(|| track.partition.oldest())
        };
        let tracks = self.tracks.iter().enumerate();
        let waiting = tracks
            .filter_map(|(id, track)| Some((since(track)?, id)))
            .min()
            .filter(|(since, _)| old(since));
        match (parked, waiting) {
            (Some((parked, topic)), waiting) if waiting.is_none_or(|(since, _)| parked < since) => {
                Some((Holder::Parked(topic), None))
            }
            (_, Some((_, id))) => {
                let (text, told) = self.holder_in(id, now)?;
                Some((Holder::Said(text), Some(told)))
            }
            (_, None) => None,
        }
    }

    /// Why the oldest batch of the partition is not done.
    fn holder_in(&self, id: usize, now: Instant) -> Option<(String, Told)> {
        let track = &self.tracks[id];
        let told = |batch: Option<&Batch>| Told {
            track: id,
            place: batch.map(Batch::place),
            request: None,
            refusal: None,
        };
        let unled = || {
            let (topic, partition) = (&track.topic.name, track.partition.index);
            (track.leader < 0).then(|| format!("topic {topic} partition {partition} has no leader"))
        };
        let Some((batch, flies)) = track.oldest() else {
            return unled().map(|text| (text, told(None)));
        };
        let told = told(Some(batch));
        let refusal = batch.attempts.last_error.clone();
        let refusal =
            refusal.map(|(code, message)| self.describe(id, batch, &Refusal { code, message }));
        let flight = track.in_flight.front().filter(|_| flies);
        let request = flight.map(|flight| flight.request);
        // One that was refused is asked for again and again: that is not worth a word each time.
        let limit = if refusal.is_some() {
            STALL_CHECK
        } else {
            PATIENCE
        };
        let unanswered = request
            .and_then(|request| self.unanswered(request))
            .filter(|unanswered| unanswered.since() + limit <= now);
        let text = match (unanswered, &refusal) {
            (None, _) => return refusal.or_else(unled).map(|text| (text, told)),
            (Some(unanswered), None) => unanswered.to_string(),
            (Some(unanswered), Some(refusal)) => format!("{unanswered}; before that: {refusal}"),
        };
        let told = Told {
            request,
            refusal,
            ..told
        };
        Some((text, told))
    }

    fn unanswered(&self, request: RequestId) -> Option<Awaited> {
        let Outstanding::Produce(request) = self.requests.get(&request)? else {
            return None;
        };
        Some(Awaited::Answer {
            api: ApiKey::Produce,
            broker: self.brokers.get(&request.broker)?.address.clone(),
            since: request.sent,
        })
    }

    /// Notes what has been waited for longest, after a connection, a question or a silence has begun or ended.
    pub(super) fn note_awaited(&self) {
        let connecting = self.brokers.values().filter_map(|broker| {
            let Link::Connecting { handle, .. } = &broker.link else {
                return None;
            };
            Some(Awaited::SetUp(handle.progress().clone()))
        });
        let asked = self.requests.values().filter_map(|outstanding| {
            let question = outstanding.question()?;
            Some(Awaited::Answer {
                api: question.api,
                broker: self.brokers.get(&question.broker)?.address.clone(),
                since: question.sent,
            })
        });
        let now = Instant::now();
        let silences = self.brokers.values();
        let silences = silences.filter_map(|broker| Awaited::silence(broker, now));
        let all = connecting.chain(asked).chain(silences);
        let longest = all.min_by_key(Awaited::since);
        *self.shared.hindrance.awaited.lock() = longest;
    }
}
