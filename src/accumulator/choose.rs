//! The configured way from a record to a partition.

use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use super::{Accumulator, Topic};
use crate::completion::CallbackScope;
use crate::config::PartitionerKind;
use crate::error::ErrorCode;
use crate::partitioner::{
    KeyPartitioner, PartitionRequest, UserPartitioner, murmur2, random_partition,
};
use crate::record::encode::Payload;

/// A partition, and the sticky lane that stands behind the choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub partition: i32,
    pub lane: Option<u8>,
}

impl Choice {
    /// Not that of a lane.
    pub fn fixed(partition: i32) -> Self {
        Choice {
            partition,
            lane: None,
        }
    }
}

impl Accumulator {
    /// The choice of the default partitioner where it needs no second thought; else −1, and perhaps a partition that
    /// does not exist. `count` is not 0.
    #[inline(always)]
    pub fn choose_quickly(&self, topic: &Topic, count: i32, key: Option<&[u8]>) -> i32 {
        if !self.chooses_quickly {
            return -1;
        }
        match key {
            None => topic.lanes.current(topic.lanes.own()),
            Some(key) => choose_by_key(key, count),
        }
    }

    /// Chooses among `count` partitions for a record that names none.
    #[inline]
    pub fn choose(
        &self,
        topic: &Topic,
        count: i32,
        payload: &Payload<'_>,
    ) -> Result<Choice, ErrorCode> {
        if let Some(user) = &self.user_partitioner {
            return ask_user(user, topic, count, payload).map(Choice::fixed);
        }
        if self.partitioner.kind == PartitionerKind::Default {
            return Ok(match payload.key {
                Some(key) if !self.partitioner.ignore_keys => {
                    Choice::fixed(choose_by_key(key, count))
                }
                _ => self.sticky(topic, count),
            });
        }
        Ok(self.choose_otherwise(topic, count, payload))
    }

    fn choose_otherwise(&self, topic: &Topic, count: i32, payload: &Payload<'_>) -> Choice {
        let partitions = NonZeroU32::new(count as u32).unwrap_or(NonZeroU32::MIN);
        let by_key = match self.partitioner.kind {
            PartitionerKind::Default => return self.sticky(topic, count),
            PartitionerKind::RoundRobin => {
                let turn = topic.turn.fetch_add(1, Ordering::Relaxed);
                let available = topic.available_in_turn(turn);
                let any = || (turn % u64::from(partitions.get())) as i32;
                return Choice::fixed(available.unwrap_or_else(any));
            }
            PartitionerKind::Random => KeyPartitioner::Random,
            PartitionerKind::Consistent => KeyPartitioner::Consistent,
            PartitionerKind::ConsistentRandom => KeyPartitioner::ConsistentRandom,
            PartitionerKind::Murmur2 => KeyPartitioner::Murmur2,
            PartitionerKind::Murmur2Random => KeyPartitioner::Murmur2Random,
            PartitionerKind::Fnv1a => KeyPartitioner::Fnv1a,
            PartitionerKind::Fnv1aRandom => KeyPartitioner::Fnv1aRandom,
        };
        match by_key.for_key(payload.key, partitions) {
            Some(partition) => Choice::fixed(partition as i32),
            None => {
                let random = self.rng.next_u64() as u32;
                Choice::fixed(random_partition(partitions, random) as i32)
            }
        }
    }

    #[inline]
    fn sticky(&self, topic: &Topic, count: i32) -> Choice {
        let lane = topic.lanes.own();
        let current = topic.lanes.current(lane);
        let partition = if (0..count).contains(&current) {
            current
        } else {
            let chosen = self.choose_sticky(topic, count);
            topic.lanes.switch(lane, current, chosen);
            chosen
        };
        Choice {
            partition,
            lane: Some(lane),
        }
    }

    /// The choice of a thread that found its sticky partition busy with another thread.
    #[cold]
    pub fn sticky_elsewhere(&self, topic: &Topic, count: i32, busy: i32) -> Choice {
        let lane = topic.lanes.part();
        let current = topic.lanes.current(lane);
        if current == busy || !(0..count).contains(&current) {
            let chosen = self.choose_sticky(topic, count);
            topic.lanes.switch(lane, current, chosen);
        }
        self.sticky(topic, count)
    }
}

/// Apart, so that records without a key need not make room for it.
#[inline(never)]
fn choose_by_key(key: &[u8], count: i32) -> i32 {
    (murmur2(key) & 0x7fff_ffff) as i32 % count
}

/// User code runs here: no lock is held, and calls back into the library know where they come from.
fn ask_user(
    user: &UserPartitioner,
    topic: &Topic,
    count: i32,
    payload: &Payload<'_>,
) -> Result<i32, ErrorCode> {
    let available = topic.available();
    let request = PartitionRequest {
        topic: &topic.name,
        topic_handle: topic.handle,
        key: payload.key,
        value: payload.value,
        partition_count: count,
        available: &available,
    };
    let scope = CallbackScope::enter();
    let answer = catch_unwind(AssertUnwindSafe(|| user(&request)));
    drop(scope);
    match answer {
        Ok(partition) if (0..count).contains(&partition) => Ok(partition),
        Ok(_) | Err(_) => Err(ErrorCode::PARTITIONER),
    }
}
