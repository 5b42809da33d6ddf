//! Records on their way from the senders to the engine: per-partition batches within a memory budget.

mod accepted;
mod append_vec;
mod batch;
mod choose;
mod command;
mod halve;
mod incomplete;
mod memory;
mod park;
mod partition;
mod pool;
mod ready;
mod seal;
mod topic;
mod topics;
mod user_batch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use smallvec::SmallVec;

pub use accepted::{Accepted, Finished, publish};
pub use batch::{Attempts, Batch, Order, Sealed, Trace};
pub use choose::Choice;
pub use command::Command;
pub use incomplete::{Incomplete, Token};
pub use memory::{LOOK_EVERY, Memory, Reservation};
pub use partition::{Append, AppendError, Appended, Head, News, Partition};
pub use ready::{Inbox, Ready};
pub use topic::{Park, Parked, Topic};
pub use topics::{Topics, is_valid_topic_name};
pub use user_batch::{BatchRecord, Hurdle, Offer, Offerer, UserBatch};

use crate::completion::Completions;
use crate::config::{PartitionerKind, PartitionerSettings, ProducerConfig};
use crate::error::ErrorCode;
use crate::partitioner::{Load, UserPartitioner, choose};
use crate::sys::Rng;
pub use seal::Unsealed;
use seal::{SealThread, Sealer};

/// Whether records are accepted. Each partition and each topic has one, changed under its lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// For who came in this transaction; 0 without transactions.
    Open(u64),
    /// Refuses what is new. What was parked before still passes.
    Shut(ErrorCode),
    /// Nobody sends any more: refuses everything.
    Ended(ErrorCode),
}

/// Everything that senders and the engine share.
pub struct Accumulator {
    pub batch_size: usize,
    pub linger: Duration,
    sealer: Arc<Sealer>,
    partitioner: PartitionerSettings,
    user_partitioner: Option<UserPartitioner>,
    /// The default partitioner, with its default treatment of keys.
    chooses_quickly: bool,
    pub memory: Arc<Memory>,
    pub hub: Arc<Completions>,
    pub incomplete: Arc<Incomplete>,
    pub ready: Arc<Ready<Command>>,
    pub topics: Topics,
    pub rng: Rng,
    seal_thread: Arc<SealThread>,
    standing: Mutex<Standing>,
    transaction: AtomicU64,
}

/// The gate that all partitions and topics have.
#[derive(Clone, Copy, Debug)]
struct Standing {
    gate: Gate,
    /// It stays shut: the producer closes or has failed.
    for_good: bool,
}

impl Accumulator {
    pub fn new(
        config: &ProducerConfig,
        user_partitioner: Option<UserPartitioner>,
        hub: Arc<Completions>,
        rng: Rng,
    ) -> Arc<Self> {
        // A transactional producer accepts records within a transaction only.
        let gate = match config.transactional_id {
            Some(_) => Gate::Shut(ErrorCode::ILLEGAL_STATE),
            None => Gate::Open(0),
        };
        let announce = hub.clone();
        let memory = Memory::new(config.buffer_memory, Box::new(move || announce.writable()));
        let sealer = Arc::new(Sealer::new(config.compression));
        Arc::new(Accumulator {
            batch_size: config.batch_size,
            linger: config.linger,
            sealer: sealer.clone(),
            partitioner: config.partitioner.clone(),
            chooses_quickly: user_partitioner.is_none()
                && config.partitioner.kind == PartitionerKind::Default
                && !config.partitioner.ignore_keys,
            user_partitioner,
            memory,
            incomplete: Incomplete::new(hub.clone()),
            hub,
            ready: Arc::new(Ready::default()),
            topics: Topics::default(),
            rng,
            seal_thread: SealThread::new(sealer),
            standing: Mutex::new(Standing {
                gate,
                for_good: false,
            }),
            transaction: AtomicU64::new(0),
        })
    }

    /// Whether partitions are chosen by a function of the user's.
    pub fn asks_user(&self) -> bool {
        self.user_partitioner.is_some()
    }

    /// Whether a full batch is compressed by whoever filled it.
    #[inline]
    fn seals_early(&self) -> bool {
        self.sealer.compresses()
    }

    /// The one way to memory for records: what the caller holds already, filled up from the budget, or the budget alone.
    fn reserve(
        &self,
        wanted: usize,
        least: usize,
        credit: &mut Option<Reservation>,
    ) -> Option<Reservation> {
        let wanted = wanted.max(least);
        let held = credit.as_mut().filter(|held| held.bytes() >= least);
        let Some(held) = held else {
            return self.memory.try_reserve_some(wanted, least);
        };
        let mut reserved = held.split(wanted);
        if let Some(more) = self.memory.try_reserve(wanted - reserved.bytes()) {
            reserved.merge(more);
        }
        Some(reserved)
    }

    /// Does what an append left to be done, with no lock held. `blocking`: the caller may spend time on
    /// compressing a large batch.
    #[inline]
    pub fn settle(
        &self,
        topic: &Topic,
        partition: &Arc<Partition>,
        appended: Appended,
        blocking: bool,
    ) {
        if !appended.is_nothing() {
            self.settle_all(topic, partition, appended, blocking);
        }
    }

    fn settle_all(
        &self,
        topic: &Topic,
        partition: &Arc<Partition>,
        appended: Appended,
        blocking: bool,
    ) {
        if let Some((lane, bytes)) = appended.credit {
            self.credit_lane(topic, partition.index, lane, bytes);
        }
        if let Some((number, raw)) = appended.to_seal {
            let later = !blocking && raw.len() > seal::INLINE_LIMIT;
            match later.then(|| self.seal_thread.ensure_started()) {
                Some(Ok(())) => {
                    let job = seal::Job {
                        partition: partition.clone(),
                        number,
                        raw,
                        hub: self.hub.clone(),
                        ready: self.ready.clone(),
                    };
                    self.seal_thread.push(job);
                }
                // Where there is no thread to be had, the caller does it.
                Some(Err(_)) | None => {
                    let sealed = self.sealer.seal(raw, &self.hub);
                    let news = partition.finish_seal(number, sealed);
                    self.ready.push(partition, news);
                }
            }
        }
        self.ready.push(partition, appended.news);
    }

    /// Seals a batch that nobody has sealed yet.
    pub fn seal_now(&self, batch: &mut Batch) -> Result<(), Unsealed> {
        if let Some(raw) = batch.claim_seal() {
            batch.finish_seal(self.sealer.seal(raw, &self.hub)?);
        }
        Ok(())
    }

    /// Counts a closed batch's bytes for the sticky lane that chose its partition.
    pub fn credit_lane(&self, topic: &Topic, partition: i32, lane: u8, bytes: usize) {
        topic
            .lanes
            .credit(lane, partition, bytes, self.batch_size, || {
                self.choose_sticky(topic, topic.partition_count())
            });
    }

    /// A sticky choice among the partitions that have a leader, else among all.
    pub fn choose_sticky(&self, topic: &Topic, count: i32) -> i32 {
        let available = topic.available();
        let load = |partition: i32| Load {
            partition,
            queued: topic.partition(partition).map_or(0, |p| p.load()),
        };
        let loads: SmallVec<[Load; 32]> = if available.is_empty() {
            (0..count).map(load).collect()
        } else {
            available.iter().copied().map(load).collect()
        };
        choose(&loads, self.partitioner.adaptive, &self.rng).unwrap_or(0)
    }

    /// Shuts every gate for good: nothing is accepted after this returns.
    pub fn shut(&self, reason: ErrorCode) {
        let mut standing = self.standing.lock();
        *standing = Standing {
            gate: Gate::Shut(reason),
            for_good: true,
        };
        self.sweep(standing.gate);
    }

    /// Opens or shuts every gate; false if they are shut for good.
    pub fn set_gate(&self, gate: Gate) -> bool {
        let mut standing = self.standing.lock();
        if standing.for_good {
            return false;
        }
        standing.gate = gate;
        if let Gate::Open(transaction) = gate {
            self.transaction.store(transaction, Ordering::Release);
        }
        self.sweep(gate);
        true
    }

    /// The transaction that was begun last: what is sent now goes into this one or none.
    pub fn transaction(&self) -> u64 {
        self.transaction.load(Ordering::Acquire)
    }

    /// The gate that all partitions and topics have.
    pub fn gate(&self) -> Gate {
        self.standing.lock().gate
    }

    fn sweep(&self, gate: Gate) {
        for topic in self.topics.iter() {
            topic.set_gate(gate);
            for partition in topic.partitions() {
                partition.set_gate(gate);
            }
        }
    }

    /// The handle of a topic, made if need be.
    pub fn add_topic(&self, name: &str) -> u32 {
        let standing = self.standing.lock();
        self.topics.find_or_add(name, standing.gate)
    }

    /// Makes a partition of the topic, with the next index. Called by the engine alone.
    pub fn add_partition(&self, topic: &Topic) -> Arc<Partition> {
        let standing = self.standing.lock();
        let id = self.topics.next_partition_id();
        let index = topic.known_partitions() as i32;
        let partition = Partition::new(id, topic.handle, index, standing.gate);
        topic.add_partition(partition.clone());
        partition
    }

    pub fn stop_threads(&self) {
        self.seal_thread.stop();
    }
}

impl std::fmt::Debug for Accumulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accumulator")
            .field("batch_size", &self.batch_size)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}
