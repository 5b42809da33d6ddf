//! What a partition remembers of each producer id: the last five batches, by which a retry is recognised.

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
}

/// The producer ids of a partition.
#[derive(Debug, Default)]
pub(super) struct Producers {
    by_id: BTreeMap<i64, Producer>,
}

/// What is to be done with a batch.
#[derive(Debug)]
pub(super) enum Verdict {
    Append,
    /// It is in the log already.
    Duplicate(Remembered),
}

impl Producers {
    /// Judges the sequence of a batch. A producer id that is not known may begin with any sequence, as on a
    /// broker; a new epoch begins with 0.
    pub fn judge(&self, header: &BatchHeader) -> Result<Verdict, (ErrorCode, String)> {
        let Some(known) = self.by_id.get(&header.producer_id) else {
            return Ok(Verdict::Append);
        };
        if header.producer_epoch < known.epoch {
            let message = format!(
                "producer id {} has epoch {}, the batch {}",
                header.producer_id, known.epoch, header.producer_epoch
            );
            return Err((ErrorCode::INVALID_PRODUCER_EPOCH, message));
        }
        let first = header.base_sequence;
        let last = advance(first, header.last_offset_delta);
        let same_epoch = header.producer_epoch == known.epoch;
        let duplicate = known
            .batches
            .iter()
            .find(|b| same_epoch && (b.first_sequence, b.last_sequence) == (first, last));
        if let Some(duplicate) = duplicate {
            return Ok(Verdict::Duplicate(*duplicate));
        }
        let expected = match known.batches.back() {
            Some(newest) if same_epoch => advance(newest.last_sequence, 1),
            _ => 0,
        };
        if first != expected {
            let message = format!(
                "producer id {} epoch {}: sequence {first}, expected {expected}",
                header.producer_id, header.producer_epoch
            );
            return Err((ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER, message));
        }
        Ok(Verdict::Append)
    }

    /// Remembers a batch that was judged and appended.
    pub fn remember(&mut self, header: &BatchHeader, base_offset: i64, max_timestamp: i64) {
        let epoch = header.producer_epoch;
        let producer = self
            .by_id
            .entry(header.producer_id)
            .and_modify(|known| {
                if known.epoch != epoch {
                    known.epoch = epoch;
                    known.batches.clear();
                }
            })
            .or_insert_with(|| Producer {
                epoch,
                batches: VecDeque::new(),
            });
        if producer.batches.len() == REMEMBERED {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Remembered {
            first_sequence: header.base_sequence,
            last_sequence: advance(header.base_sequence, header.last_offset_delta),
            base_offset,
            max_timestamp,
        });
    }

    /// Forgets every producer id, as a broker does when they expire.
    pub fn clear(&mut self) {
        self.by_id.clear();
    }
}

/// The sequence `by` records later; after the largest comes 0.
fn advance(sequence: i32, by: i32) -> i32 {
    ((i64::from(sequence) + i64::from(by)) % (i64::from(i32::MAX) + 1)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

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
        match producers.judge(&header) {
            Ok(Verdict::Append) => {
                producers.remember(&header, offset, 0);
                Ok(())
            }
            Ok(Verdict::Duplicate(known)) => panic!("a duplicate of {}", known.base_offset),
            Err((code, _)) => Err(code),
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
            match producers.judge(&batch(0, sequence, 1)) {
                Ok(Verdict::Duplicate(known)) => {
                    assert_eq!(known.base_offset, 100 + i64::from(sequence))
                }
                other => panic!("{other:?}"),
            }
        }
        let oldest = producers.judge(&batch(0, 0, 1)).expect_err("forgotten");
        assert_eq!(oldest.0, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        let rebatched = producers.judge(&batch(0, 4, 2)).expect_err("other bounds");
        assert_eq!(rebatched.0, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
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
}
