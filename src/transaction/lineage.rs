//! The sequence of one partition's batches under one producer id and epoch.
//!
//! A broker accepts a batch only behind the one that it has last, and knows those that it has seen among its last
//! five. So a batch keeps its place until it is known whether it is in the log; and where a place was given up, the
//! sequence ends: what follows begins anew, with another epoch.

use super::identity::Identity;
use crate::record::Stamp;

/// A broker remembers so many batches of a producer in a partition.
const REMEMBERED: usize = 5;

#[derive(Debug)]
pub struct Lineage {
    identity: Option<Identity>,
    /// The next record's sequence number.
    next: i32,
    /// The broker has acknowledged something of this sequence since its last trouble, so it has state to judge by.
    proven: bool,
    /// A batch that has a place was given up, so nothing can follow.
    broken: bool,
    acknowledged: Option<Acknowledged>,
}

/// The last batch in the partition's order that was acknowledged with an offset.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    place: Place,
    /// Of its last record.
    offset: i64,
}

/// A batch's place in the order of its partition.
pub type Place = (u64, u32);

impl Lineage {
    /// `first`: the first sequence number, which is not 0 for tests of its end only.
    pub fn new(first: i32) -> Self {
        Lineage {
            identity: None,
            next: first,
            proven: false,
            broken: false,
            acknowledged: None,
        }
    }

    pub fn identity(&self) -> Option<Identity> {
        self.identity
    }

    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// How many batches may be in flight: one until the broker has shown that it knows the sequence, since a broker
    /// without state takes any batch as the first.
    pub fn depth(&self, limit: usize) -> usize {
        match self.proven {
            true => limit.min(REMEMBERED),
            false => 1,
        }
    }

    /// Begins anew under an identity. Nothing of the old sequence is in flight or waits.
    pub fn adopt(&mut self, identity: Identity) {
        if self.identity.is_some() {
            self.next = 0;
        }
        self.identity = Some(identity);
        self.proven = false;
        self.broken = false;
    }

    /// Begins anew under the same identity, at a broker that knows nothing of it.
    pub fn restart(&mut self) {
        self.next = 0;
        self.proven = false;
        self.broken = false;
    }

    /// The place of the next batch. `None` without an identity.
    pub fn assign(&mut self, records: usize, transactional: bool) -> Option<Stamp> {
        let Identity { id, epoch } = self.identity?;
        let stamp = Stamp {
            producer_id: id,
            producer_epoch: epoch,
            base_sequence: self.next,
            transactional,
        };
        self.next = after(self.next, records);
        Some(stamp)
    }

    /// The broker has a batch of this sequence.
    pub fn acknowledge(&mut self, stamp: Stamp) {
        self.proven |= self.is_own(stamp);
    }

    /// The last place that was acknowledged with an offset, if any, and that offset.
    pub fn acknowledged(&self) -> Option<(Place, i64)> {
        self.acknowledged.map(|last| (last.place, last.offset))
    }

    /// The broker has the batch of this place at these offsets. Gives the offset that was acknowledged for a place
    /// before it and has come again, if so: where a batch is in the log for long, as one that is asked for again may
    /// be, those before it are further up all the same.
    pub fn note_offsets(&mut self, place: Place, first: i64, last: i64) -> Option<i64> {
        let before = self.acknowledged;
        if before.is_some_and(|before| place < before.place) {
            return None;
        }
        self.acknowledged = Some(Acknowledged {
            place,
            offset: last,
        });
        before
            .map(|before| before.offset)
            .filter(|before| first <= *before)
    }

    /// The log is another one: what it held says nothing of what it holds.
    pub fn forget_log(&mut self) {
        self.acknowledged = None;
        self.proven = false;
    }

    /// What was acknowledged says nothing of the offsets to come.
    pub fn forget_offsets(&mut self) {
        self.acknowledged = None;
    }

    /// Something went wrong: what the broker knows is to be shown again.
    pub fn doubt(&mut self) {
        self.proven = false;
    }

    /// Ends the sequence: a broker does not know it any more.
    pub fn end(&mut self) {
        self.broken = true;
    }

    /// A batch is given up. Its place is free again if nobody can have it and nothing follows it.
    pub fn release(&mut self, stamp: Stamp, records: usize, maybe_written: bool) {
        if !self.is_own(stamp) {
            return;
        }
        if !maybe_written && after(stamp.base_sequence, records) == self.next && !self.broken {
            self.next = stamp.base_sequence;
        } else {
            self.broken = true;
        }
    }

    fn is_own(&self, stamp: Stamp) -> bool {
        self.identity
            .is_some_and(|own| (own.id, own.epoch) == (stamp.producer_id, stamp.producer_epoch))
    }
}

/// The sequence number `records` later; 0 comes after 2^31 − 1.
pub fn after(sequence: i32, records: usize) -> i32 {
    ((sequence as u32).wrapping_add(records as u32) & (i32::MAX as u32)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Identity = Identity { id: 1, epoch: 0 };
    const B: Identity = Identity { id: 1, epoch: 1 };

    fn lineage() -> Lineage {
        let mut lineage = Lineage::new(0);
        lineage.adopt(A);
        lineage
    }

    fn place(lineage: &mut Lineage, records: usize) -> Stamp {
        lineage.assign(records, false).unwrap()
    }

    #[test]
    fn places_follow_one_another_and_wrap_to_0() {
        let mut lineage = Lineage::new(i32::MAX - 1);
        assert_eq!(lineage.assign(1, false), None);
        lineage.adopt(A);
        assert_eq!(place(&mut lineage, 1).base_sequence, i32::MAX - 1);
        assert_eq!(place(&mut lineage, 3).base_sequence, i32::MAX);
        assert_eq!(place(&mut lineage, 1).base_sequence, 2);
    }

    #[test]
    fn one_is_in_flight_until_the_broker_has_acknowledged_something() {
        let mut lineage = lineage();
        let stamp = place(&mut lineage, 2);
        assert_eq!(lineage.depth(5), 1);
        lineage.acknowledge(stamp);
        assert_eq!((lineage.depth(3), lineage.depth(9)), (3, 5));
        lineage.doubt();
        assert_eq!(lineage.depth(5), 1);
        lineage.acknowledge(stamp);
        assert_eq!(lineage.depth(5), 5);
        lineage.adopt(B);
        assert_eq!(lineage.depth(5), 1);
        // What was written under another epoch proves nothing.
        lineage.acknowledge(stamp);
        assert_eq!(lineage.depth(5), 1);
    }

    #[test]
    fn offsets_that_come_again_behind_an_acknowledged_batch_are_told() {
        let mut lineage = lineage();
        assert_eq!(lineage.note_offsets((3, 0), 40, 41), None);
        assert_eq!(lineage.note_offsets((5, 0), 44, 45), None);
        // One before them, which was asked for again, and the rest of the last one.
        assert_eq!(lineage.note_offsets((4, 0), 42, 43), None);
        assert_eq!(lineage.note_offsets((5, 2), 46, 46), None);
        assert_eq!(lineage.acknowledged(), Some(((5, 2), 46)));
        assert_eq!(lineage.note_offsets((6, 0), 46, 50), Some(46));
        assert_eq!(lineage.note_offsets((7, 0), 0, 0), Some(50));
        assert_eq!(lineage.note_offsets((8, 0), 1, 1), None);
        lineage.forget_log();
        assert_eq!(lineage.note_offsets((9, 0), 0, 0), None);
    }

    #[test]
    fn the_newest_place_is_free_again_if_nobody_has_it() {
        let mut lineage = lineage();
        let (first, second) = (place(&mut lineage, 2), place(&mut lineage, 3));
        lineage.release(second, 3, false);
        lineage.release(first, 2, false);
        assert!(!lineage.is_broken());
        assert_eq!(place(&mut lineage, 1).base_sequence, 0);
    }

    #[test]
    fn a_place_that_is_followed_or_perhaps_taken_ends_the_sequence() {
        let mut followed = lineage();
        let first = place(&mut followed, 2);
        let second = place(&mut followed, 1);
        followed.release(first, 2, false);
        assert!(followed.is_broken());
        followed.release(second, 1, false);
        assert!(followed.is_broken());

        let mut taken = lineage();
        let only = place(&mut taken, 2);
        taken.release(only, 2, true);
        assert!(taken.is_broken());
        taken.adopt(B);
        assert!(!taken.is_broken());
        assert_eq!(place(&mut taken, 1).base_sequence, 0);
        // Of the old sequence nothing matters any more.
        taken.release(only, 2, true);
        assert!(!taken.is_broken());
    }
}
