//! The engine: drains batches to brokers, keeps order through retries, completes every batch once.
//!
//! One task owns everything here. It is driven by news from senders, events of connections, and time;
//! `run` is the pump, all else is plain functions on [`Engine`].
//!
//! ```text
//! inbox.rs     commands and news from senders      drain.rs    batches into requests
//! events.rs    connections come and go             answer.rs   responses to outcomes
//! cluster.rs   metadata out and in                 retry.rs    again, split, expire, fail
//! sequence.rs  places of an idempotent producer    transact.rs transactions and their calls
//! coordinate.rs, questions.rs: what is asked about identity and transaction
//! user_batches.rs  users' batches that wait   hindrance.rs  what the cluster lacks, in words
//! ```

mod answer;
mod ask;
mod broker;
mod cluster;
mod coordinate;
mod drain;
mod end;
mod events;
mod hindrance;
mod inbox;
mod loss;
mod questions;
mod retry;
mod sequence;
mod shared;
mod split;
mod timers;
mod track;
mod transact;
mod user_batches;
mod verdict;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::accumulator::{Accumulator, Finished, Head, Inbox, Partition, Topic, publish};
use crate::completion::Operation;
use crate::config::ProducerConfig;
use crate::error::{Error, ErrorCode};
use crate::metadata::Metadata;
use crate::network::{Backoff, ConnectionEvent, ConnectionId, Network, RequestId};
use crate::sys::Rng;
use crate::transaction::Transactor;

use answer::Refusal;
use broker::Broker;
use drain::Outstanding;
use hindrance::Told;
use timers::{Timer, Timers};
use track::Track;
use user_batches::Lines;

pub use end::fail_everything;
pub use shared::{Counters, Lifecycle, Shared};

/// The most events that are handled before what they led to is sent and reported.
const EVENTS_PER_TURN: usize = 256;
/// How long those who wait for memory wait for an answer to bring it.
const MEMORY_PATIENCE: Duration = Duration::from_millis(20);
/// How late an answer is when the engine asks others who leads and who coordinates now, and again twice in that time.
const STALL_CHECK: Duration = Duration::from_secs(1);

/// Owns the connections and all batches that have left their queues.
pub struct Engine {
    config: Arc<ProducerConfig>,
    shared: Arc<Shared>,
    accumulator: Arc<Accumulator>,
    network: Network,
    events: mpsc::UnboundedReceiver<ConnectionEvent>,
    rng: Rng,
    brokers: BTreeMap<i32, Broker>,
    /// Which broker a connection belongs to.
    connections: HashMap<ConnectionId, i32>,
    /// By partition id; a partition is tracked from its creation.
    tracks: Vec<Track>,
    requests: BTreeMap<RequestId, Outstanding>,
    metadata: Metadata,
    timers: Timers,
    /// Outcomes of this turn, reported together at its end.
    finished: Vec<Finished>,
    starts: Vec<(Instant, Operation)>,
    counts: Vec<(u32, Instant, Operation)>,
    lines: Lines,
    next_id: u64,
    /// When outcomes were last reported, and memory given back with them.
    last_finish: Instant,
    closing: Option<Instant>,
    all_down: bool,
    /// Brokers whose partitions are not chosen for records without a key.
    avoided: Vec<i32>,
    /// The broker that was last asked for metadata.
    asked_last: Option<i32>,
    /// Topics whose logs may have lost records, for each of which a timer is set.
    suspects: BTreeSet<u32>,
    /// The earliest time for which a look around is set, so that it is set once.
    next_look: Option<Instant>,
    /// When it is looked again at what keeps the records that somebody waits for.
    holder_due: Instant,
    told: Option<Told>,
    stall_checked: Option<Instant>,
    /// Identity and transaction.
    transactor: Transactor,
    /// The first sequence number of each partition: 0, but for tests of the sequence's end.
    first_sequence: i32,
    /// By topic handle: whether the broker's times were seen to count.
    has_append_time: Vec<Option<bool>>,
    /// What ends the producer, to be acted on at the end of the turn.
    pending_fatal: Option<Error>,
    /// The same of the transaction: what is in the engine's hands until then is reported before what waits behind it.
    pending_doom: Option<Error>,
    each_turn: Option<EachTurn>,
    ended: bool,
}

/// Something of a test's, see `producer::Environment`.
pub type EachTurn = Box<dyn FnMut() + Send>;

impl Engine {
    pub fn new(
        shared: Arc<Shared>,
        network: Network,
        events: mpsc::UnboundedReceiver<ConnectionEvent>,
        rng: Rng,
    ) -> Self {
        let config = shared.config.clone();
        let transactor = Transactor::new(
            config.enable_idempotence,
            config.transactional_id.as_deref(),
            (config.retry_backoff, config.retry_backoff_max),
        );
        let mut engine = Engine {
            accumulator: shared.accumulator.clone(),
            metadata: Metadata::new(&config, Instant::now()),
            config,
            shared,
            network,
            events,
            rng,
            brokers: BTreeMap::new(),
            connections: HashMap::new(),
            tracks: Vec::new(),
            requests: BTreeMap::new(),
            timers: Timers::default(),
            finished: Vec::new(),
            starts: Vec::new(),
            counts: Vec::new(),
            lines: Lines::default(),
            next_id: 0,
            last_finish: Instant::now(),
            closing: None,
            all_down: false,
            avoided: Vec::new(),
            asked_last: None,
            suspects: BTreeSet::new(),
            next_look: None,
            holder_due: Instant::now(),
            told: None,
            stall_checked: None,
            transactor,
            first_sequence: 0,
            has_append_time: Vec::new(),
            pending_fatal: None,
            pending_doom: None,
            each_turn: None,
            ended: false,
        };
        engine.add_bootstrap_brokers();
        engine
    }

    pub fn at_each_turn(self, each_turn: Option<EachTurn>) -> Self {
        Engine { each_turn, ..self }
    }

    pub fn with_first_sequence(self, first_sequence: i32) -> Self {
        Engine {
            first_sequence,
            ..self
        }
    }

    /// The pump: everything that has happened, then what follows from it, then sleep.
    pub async fn run(mut self) {
        let mut inbox = Inbox::default();
        while !self.ended {
            self.shared.accumulator.ready.awake();
            self.take_inbox(&mut inbox);
            self.take_events();
            let now = Instant::now();
            self.take_timers(now);
            self.look_around(now);
            self.drain_all(now);
            self.serve_lines(now);
            self.check_availability(now);
            if let Some(act) = &mut self.each_turn {
                act();
            }
            self.report();
            self.pursue(now);
            self.check_close(now);
            if self.ended {
                break;
            }
            let until = self.next_wake();
            if !self.shared.accumulator.ready.may_sleep(until) {
                // Let connections have their turn all the same.
                tokio::task::yield_now().await;
                continue;
            }
            self.sleep(until).await;
        }
        self.leave_all_open();
        self.dismiss_call();
        let code = self.shared.refusal().err();
        self.dismiss_lines(code.unwrap_or(ErrorCode::CLOSED));
    }

    async fn sleep(&mut self, until: Option<Instant>) {
        let ready = self.accumulator.ready.clone();
        let timer = async {
            match until {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            event = self.events.recv() => {
                if let Some(event) = event {
                    self.on_event(event);
                }
            }
            () = ready.notified() => {}
            () = timer => {}
        }
    }

    fn take_events(&mut self) {
        for _ in 0..EVENTS_PER_TURN {
            match self.events.try_recv() {
                Ok(event) => self.on_event(event),
                Err(_) => break,
            }
        }
    }

    fn take_timers(&mut self, now: Instant) {
        while let Some(timer) = self.timers.pop_due(now) {
            match timer {
                Timer::Partition(id) => self.examine(id, now),
                Timer::Expiry(id) => self.check_expiry(id, now),
                Timer::Suspicion(topic) => self.pursue_suspicions(topic, now),
                Timer::Detach(id) => self.detach_superseded(id, now),
                Timer::Parked(topic) => self.check_parked(topic, now),
                // Looked at below in any case; its silence may be over.
                Timer::Broker(_) => self.note_awaited(),
                Timer::Look => self.next_look = None,
            }
        }
    }

    /// What does not depend on a single event: metadata, deadlines of operations, the end.
    fn look_around(&mut self, now: Instant) {
        self.check_stalls(now);
        self.refresh_metadata(now);
        self.check_operations(now);
        self.note_holder(now);
        if self.is_urgent() {
            self.all_due(now);
        } else if self.accumulator.memory.is_short() {
            self.look_at(self.last_finish + MEMORY_PATIENCE);
        }
    }

    /// Reports the outcomes of this turn in the order in which they became known.
    fn report(&mut self) {
        if !self.finished.is_empty() {
            publish(&self.accumulator.hub, self.finished.drain(..));
            self.last_finish = Instant::now();
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let brokers = self
            .brokers
            .values()
            .filter_map(|broker| broker.next_drain(self.config.max_in_flight));
        brokers.chain(self.timers.next()).min()
    }

    /// Whether nothing waits for company: somebody flushes, closes, or waits for memory.
    fn is_urgent(&self) -> bool {
        self.closing.is_some()
            || self.accumulator.incomplete.is_flushing()
            || self.is_memory_stuck(Instant::now())
    }

    /// Whether somebody waits for memory that does not come back by itself: then batches that linger go as they
    /// are. While others are answered they are left to be filled.
    fn is_memory_stuck(&self, now: Instant) -> bool {
        let in_flight = &self.shared.counters.requests_in_flight;
        self.accumulator.memory.is_short()
            && (in_flight.load(Ordering::Relaxed) == 0
                || now.duration_since(self.last_finish) >= MEMORY_PATIENCE)
    }

    /// Looks whether a partition has something to send, and to whom.
    fn examine(&mut self, id: usize, now: Instant) {
        let urgent = self.is_urgent();
        let linger = self.config.linger;
        if id >= self.tracks.len() {
            return;
        }
        if let Some(refusal) = self.is_hopeless(id) {
            self.drop_queued(id, &refusal);
        }
        if !self.may_fly(id) {
            return self.wait(id);
        }
        let track = &mut self.tracks[id];
        if let Some(at) = track.not_before {
            if at > now {
                track.partition.set_busy();
                self.timers.at(at, Timer::Partition(id));
                return self.arm_expiry(id);
            }
            track.not_before = None;
        }
        let head = track.partition.look();
        let due = match head {
            _ if !track.retry.is_empty() => now,
            Head::Empty | Head::Sealing => return self.strike(id),
            Head::Due => now,
            Head::Lingering(_) if urgent => now,
            Head::Lingering(since) => since + linger,
        };
        self.arm_expiry(id);
        if !self.has_place(id) || !self.has_joined(id) {
            return self.wait(id);
        }
        self.enlist(id, due);
    }

    /// Why nothing of the partition is to be sent any more, if so.
    fn is_hopeless(&self, id: usize) -> Option<Refusal> {
        let track = &self.tracks[id];
        if !track.in_flight.is_empty() {
            // Reports keep the partition's order.
            return None;
        }
        if self.transactor.is_aborting() {
            return Some(sequence::aborted());
        }
        track.is_gone.then(|| Refusal {
            code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            message: Some("the topic was made anew with fewer partitions".into()),
        })
    }

    /// Something has to happen first, after which the partition is looked at again.
    fn wait(&mut self, id: usize) {
        self.tracks[id].partition.set_busy();
        self.strike(id);
    }

    /// Looks at all partitions that have something to send.
    pub(super) fn examine_all(&mut self, now: Instant) {
        for id in 0..self.tracks.len() {
            if self.tracks[id].partition.load() > 0 {
                self.examine(id, now);
            }
        }
    }

    /// Puts a partition into its leader's list, or asks who leads it.
    fn enlist(&mut self, id: usize, due: Instant) {
        let track = &mut self.tracks[id];
        let leader = track.leader;
        if track.listed_on == Some(leader)
            && let Some(broker) = self.brokers.get_mut(&leader)
        {
            return broker.make_due(due);
        }
        self.strike(id);
        let track = &mut self.tracks[id];
        match self.brokers.get_mut(&leader) {
            Some(broker) => {
                track.listed_on = Some(leader);
                broker.enlist(id, due);
            }
            None => {
                let topic = track.topic.handle;
                self.metadata.want(topic);
            }
        }
    }

    fn strike(&mut self, id: usize) {
        let listed_on = self.tracks[id].listed_on.take();
        if let Some(broker) = listed_on.and_then(|leader| self.brokers.get_mut(&leader)) {
            broker.strike(id);
        }
    }

    fn track_partition(&mut self, topic: &Arc<Topic>, partition: Arc<Partition>) {
        debug_assert_eq!(partition.id, self.tracks.len());
        let backoff = Backoff::new(self.config.retry_backoff, self.config.retry_backoff_max);
        self.tracks.push(Track::new(
            topic.clone(),
            partition,
            backoff,
            self.first_sequence,
        ));
    }

    fn next_request_id(&mut self) -> RequestId {
        self.next_id += 1;
        RequestId(self.next_id)
    }

    fn next_connection_id(&mut self) -> ConnectionId {
        self.next_id += 1;
        ConnectionId(self.next_id)
    }

    fn count(&self, counter: &std::sync::atomic::AtomicU64, by: u64) {
        counter.fetch_add(by, Ordering::Relaxed);
    }
}
