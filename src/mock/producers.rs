//! What a partition remembers of each producer id: its epoch, the last five batches, by which a retry is recognised,
//! and where its open transaction begins.

use super::log::Refusal;
use crate::error::ErrorCode;
use crate::record::BatchHeader;
use std::collections::{BTreeMap, VecDeque};

/// A broker remembers this many batches of a producer id.
const REMEMBERED: usize = 5;

/// A batch that is in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remembered {
    first_sequence: i32,
    last_sequence: i32,
    pub base_offset: i64,
    pub max_timestamp: i64,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    batches: VecDeque<Remembered>,
    /// The first offset of its open transaction.
    open_from: Option<i64>,
}

impl Producer {
    fn new(epoch: i16) -> Self {
        Producer {
            epoch,
            batches: VecDeque::new(),
            open_from: None,
        }
    }

    fn set_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.epoch = epoch;
            self.batches.clear();
        }
    }
}

/// A producer id whose transaction is being verified, until a batch of it is appended: later batches must not
/// overtake one that failed meanwhile.
#[derive(Clone, Copy, Debug)]
struct Verifying {
    epoch: i16,
    lowest_sequence: i32,
    /// Transactions of version 2.
    bumps_epoch: bool,
}

/// What a broker of some release makes of a producer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ProducerRules {
    /// Brokers before 2.5 refuse a producer id that they have no state of, unless it begins with sequence 0.
    pub refuses_unknown: bool,
}

/// The producer ids of a partition.
#[derive(Debug, Default)]
pub(super) struct Producers {
    by_id: BTreeMap<i64, Producer>,
    verifying: BTreeMap<i64, Verifying>,
}

/// What is to be done with a batch.
#[derive(Debug)]
pub(super) enum Verdict {
    Append,
    /// It is in the log already.
    Duplicate(Remembered),
}

impl Producers {
    /// Judges a batch as a broker does, in the broker's order.
    pub fn judge(&self, header: &BatchHeader, rules: &ProducerRules) -> Result<Verdict, Refusal> {
        let known = self.by_id.get(&header.producer_id);
        if let Some(duplicate) = known.and_then(|known| known.duplicate(header)) {
            return Ok(Verdict::Duplicate(*duplicate));
        }
        self.judge_epoch(header.producer_id, header.producer_epoch)?;
        let is_transactional = header.attributes.is_transactional();
        self.judge_sequence(header, rules)?;
        if !is_transactional && known.is_some_and(|known| known.open_from.is_some()) {
            let message = "a batch outside of the producer's open transaction";
            return Err(Refusal::new(ErrorCode::INVALID_TXN_STATE, message));
        }
        Ok(Verdict::Append)
    }

    /// An error if the partition knows a newer epoch.
    pub fn judge_epoch(&self, producer_id: i64, epoch: i16) -> Result<(), Refusal> {
        match self.by_id.get(&producer_id) {
            Some(known) if epoch < known.epoch => {
                let known = known.epoch;
                let message =
                    format!("producer id {producer_id} has epoch {known}, the batch {epoch}");
                Err(Refusal::new(ErrorCode::INVALID_PRODUCER_EPOCH, message))
            }
            _ => Ok(()),
        }
    }

    /// A producer id that is not known may begin with any sequence; a new epoch begins with 0.
    fn judge_sequence(&self, header: &BatchHeader, rules: &ProducerRules) -> Result<(), Refusal> {
        let (id, epoch, first) = (
            header.producer_id,
            header.producer_epoch,
            header.base_sequence,
        );
        let out_of_order = |expected: i32| {
            let message =
                format!("producer id {id} epoch {epoch}: sequence {first}, expected {expected}");
            Err(Refusal::new(
                ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
                message,
            ))
        };
        let known = self.by_id.get(&id);
        if let Some(verifying) = self.verifying.get(&id) {
            if verifying.bumps_epoch && known.is_none() && first != 0 {
                return out_of_order(0);
            }
            if first > verifying.lowest_sequence {
                return out_of_order(verifying.lowest_sequence);
            }
        }
        match known {
            None if rules.refuses_unknown && first != 0 => {
                let message = format!("nothing is known of producer id {id}");
                Err(Refusal::new(ErrorCode::UNKNOWN_PRODUCER_ID, message))
            }
            None => Ok(()),
            Some(known) => match known.expected_sequence(epoch) {
                expected if expected == first => Ok(()),
                expected => out_of_order(expected),
            },
        }
    }

    /// Whether the partition holds an open transaction of this id and epoch.
    pub fn is_ongoing(&self, producer_id: i64, epoch: i16) -> bool {
        let known = self.by_id.get(&producer_id);
        known.is_some_and(|known| known.epoch == epoch && known.open_from.is_some())
    }

    /// Notes that a batch, or an offset commit, waits for the coordinator to confirm its transaction.
    pub fn begin_verification(
        &mut self,
        producer_id: i64,
        epoch: i16,
        sequence: i32,
        bumps_epoch: bool,
    ) {
        let new = Verifying {
            epoch,
            lowest_sequence: sequence,
            bumps_epoch,
        };
        let verifying = self.verifying.entry(producer_id).or_insert(new);
        if epoch == verifying.epoch {
            verifying.lowest_sequence = verifying.lowest_sequence.min(sequence);
        } else if epoch > verifying.epoch {
            verifying.epoch = epoch;
            verifying.lowest_sequence = sequence;
        }
    }

    /// Remembers a batch that was judged and appended.
    pub fn remember(&mut self, header: &BatchHeader, base_offset: i64, max_timestamp: i64) {
        let epoch = header.producer_epoch;
        let producer = self.entry(header.producer_id, epoch);
        producer.set_epoch(epoch);
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Remembered {
            first_sequence: header.base_sequence,
            last_sequence: advance(header.base_sequence, header.last_offset_delta),
            base_offset,
            max_timestamp,
        });
        if header.attributes.is_transactional() {
            producer.open_from.get_or_insert(base_offset);
            self.verifying.remove(&header.producer_id);
        }
    }

    /// Remembers something without a sequence, which is part of a transaction: an offset commit.
    pub fn open(&mut self, producer_id: i64, epoch: i16) {
        let producer = self.entry(producer_id, epoch);
        producer.set_epoch(epoch);
        producer.open_from.get_or_insert(0);
        self.verifying.remove(&producer_id);
    }

    /// Ends a producer's transaction by a marker in `epoch`; its first offset, if it wrote anything here.
    pub fn end_transaction(&mut self, producer_id: i64, epoch: i16) -> Option<i64> {
        let producer = self.entry(producer_id, epoch);
        producer.set_epoch(epoch);
        let open_from = producer.open_from.take();
        let next_begun = |v: &Verifying| v.bumps_epoch && v.epoch == epoch;
        if !self.verifying.get(&producer_id).is_some_and(next_begun) {
            self.verifying.remove(&producer_id);
        }
        open_from
    }

    /// Where the oldest open transaction begins.
    pub fn first_open(&self) -> Option<i64> {
        self.by_id.values().filter_map(|p| p.open_from).min()
    }

    /// Forgets every producer id, as a broker does when they expire.
    pub fn clear(&mut self) {
        self.by_id.clear();
        self.verifying.clear();
    }

    /// Remembers of every producer id the last batch alone, as a snapshot does.
    pub fn restore(&mut self) {
        for producer in self.by_id.values_mut() {
            let last = producer.batches.pop_back();
            producer.batches = last.into_iter().collect();
        }
    }

    fn entry(&mut self, producer_id: i64, epoch: i16) -> &mut Producer {
        let entry = self.by_id.entry(producer_id);
        entry.or_insert_with(|| Producer::new(epoch))
    }
}

impl Producer {
    fn duplicate(&self, header: &BatchHeader) -> Option<&Remembered> {
        let first = header.base_sequence;
        let bounds = (first, advance(first, header.last_offset_delta));
        let mut batches = self.batches.iter();
        batches.find(|b| {
            header.producer_epoch == self.epoch && (b.first_sequence, b.last_sequence) == bounds
        })
    }

    fn expected_sequence(&self, epoch: i16) -> i32 {
        match self.batches.back() {
            Some(newest) if epoch == self.epoch => advance(newest.last_sequence, 1),
            _ => 0,
        }
    }
}

/// The sequence `by` records later; after the largest comes 0.
fn advance(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) % (i64::from(i32::MAX) + 1)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODERN: ProducerRules = ProducerRules {
        refuses_unknown: false,
    };

    fn batch(epoch: i16, sequence: i32, records: i32) -> BatchHeader {
        BatchHeader {
            producer_id: 9,
            producer_epoch: epoch,
            base_sequence: sequence,
            last_offset_delta: records - 1,
            record_count: records,
            ..BatchHeader::default()
        }
    }

    fn append(
        producers: &mut Producers,
        header: BatchHeader,
        offset: i64,
    ) -> Result<(), ErrorCode> {
        match producers.judge(&header, &MODERN) {
            Ok(Verdict::Append) => {
                producers.remember(&header, offset, 0);
                Ok(())
            }
            Ok(Verdict::Duplicate(known)) => panic!("a duplicate of {}", known.base_offset),
            Err(refusal) => Err(refusal.code),
        }
    }

    #[test]
    fn sequences_follow_one_another_and_wrap() {
        let mut producers = Producers::default();
        append(&mut producers, batch(0, i32::MAX - 1, 2), 0).expect("any first sequence");
        append(&mut producers, batch(0, 0, 3), 2).expect("0 follows the largest");
        let gap = append(&mut producers, batch(0, 4, 1), 5);
        assert_eq!(gap, Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
        append(&mut producers, batch(0, 3, 1), 5).expect("3 follows 2");
    }

    #[test]
    fn the_last_five_batches_are_recognised() {
        let mut producers = Producers::default();
        for sequence in 0..6 {
            append(
                &mut producers,
                batch(0, sequence, 1),
                100 + i64::from(sequence),
            )
            .expect("in order");
        }
        for sequence in 1..6 {
            match producers.judge(&batch(0, sequence, 1), &MODERN) {
                Ok(Verdict::Duplicate(known)) => {
                    assert_eq!(known.base_offset, 100 + i64::from(sequence))
                }
                other => panic!("{other:?}"),
            }
        }
        let oldest = producers
            .judge(&batch(0, 0, 1), &MODERN)
            .expect_err("forgotten");
        assert_eq!(oldest.code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        let rebatched = producers
            .judge(&batch(0, 4, 2), &MODERN)
            .expect_err("other bounds");
        assert_eq!(rebatched.code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
    }

    #[test]
    fn what_was_restored_knows_the_last_batch_alone() {
        let mut producers = Producers::default();
        for sequence in 0..3 {
            append(&mut producers, batch(0, sequence, 1), 0).expect("in order");
        }
        producers.restore();
        let before = append(&mut producers, batch(0, 1, 1), 3);
        assert_eq!(before, Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
        let last = producers.judge(&batch(0, 2, 1), &MODERN);
        assert!(matches!(last, Ok(Verdict::Duplicate(_))), "{last:?}");
        append(&mut producers, batch(0, 3, 1), 3).expect("the next one");
    }

    #[test]
    fn a_new_epoch_begins_at_zero_and_fences_the_old() {
        let mut producers = Producers::default();
        append(&mut producers, batch(3, 0, 5), 0).expect("a first batch");
        let not_zero = append(&mut producers, batch(4, 5, 1), 5);
        assert_eq!(not_zero, Err(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
        append(&mut producers, batch(4, 0, 5), 5).expect("the same bounds in a new epoch are new");
        let old = append(&mut producers, batch(3, 5, 1), 10);
        assert_eq!(old, Err(ErrorCode::INVALID_PRODUCER_EPOCH));
        producers.clear();
        append(&mut producers, batch(0, 77, 1), 10).expect("nothing is known any more");
    }

    #[test]
    fn an_old_broker_knows_no_producer_that_begins_in_the_middle() {
        let old = ProducerRules {
            refuses_unknown: true,
        };
        let producers = Producers::default();
        let refusal = producers.judge(&batch(0, 5, 1), &old).expect_err("unknown");
        assert_eq!(refusal.code, ErrorCode::UNKNOWN_PRODUCER_ID);
        assert!(producers.judge(&batch(0, 0, 1), &old).is_ok());
    }
}
