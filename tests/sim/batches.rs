//! A user with batches of his own: fills, closes, sends, frees them, and sends those again that were refused.

use std::collections::BTreeMap;

use kprod::completion::{Report, ReportKind};
use kprod::error::ErrorCode;
use kprod::producer::{Producer, UserBatch};
use kprod::sys::Rng;

use super::model::{BATCH, Draft, Model, OFFER};
use super::plan::{Plan, one_in};
use super::stage::in_batch;

#[derive(Default)]
pub struct Batches {
    made: u64,
    /// Asynchronous sends without an answer, by its tag.
    offered: BTreeMap<u64, (UserBatch, Draft)>,
    /// Refused, and to be sent again.
    refused: Vec<(UserBatch, Draft)>,
}

impl Batches {
    /// Does something with a batch for this topic and partition, and says what.
    pub fn act(
        &mut self,
        producer: &Producer,
        model: &mut Model,
        rng: &Rng,
        plan: &Plan,
        (topic, partition): (u32, i32),
    ) -> Vec<String> {
        if one_in(rng, 8)
            && let Some((tag, (batch, _))) = self.offered.pop_first()
        {
            drop(batch);
            return vec![format!("free the batch that answer {tag} is awaited for")];
        }
        let again = match one_in(rng, 2) {
            true => self.refused.pop(),
            false => None,
        };
        let (batch, draft) = match again {
            Some(again) => again,
            None => match producer.create_batch() {
                Ok(batch) => {
                    let tags = fill(&batch, model, rng, plan);
                    self.made += 1;
                    let draft = Draft {
                        number: self.made,
                        tags,
                        topic,
                        partition,
                    };
                    (batch, draft)
                }
                Err(code) => {
                    assert!(plan.fatal && code == ErrorCode::FATAL, "{code:?}");
                    return Vec::new();
                }
            },
        };
        vec![self.send(producer, model, rng, plan, batch, draft)]
    }

    fn send(
        &mut self,
        producer: &Producer,
        model: &mut Model,
        rng: &Rng,
        plan: &Plan,
        batch: UserBatch,
        draft: Draft,
    ) -> String {
        let (number, topic, partition) = (draft.number, draft.topic, draft.partition);
        let tag = BATCH + number;
        let records = draft.tags.clone().count();
        assert_eq!(batch.record_count(), Ok(records), "changed while refused");
        let patient = one_in(rng, 2);
        let result = match patient {
            true => producer.send_batch_async(&batch, topic, partition, tag, OFFER + number),
            false => producer.try_send_batch(&batch, topic, partition, tag),
        };
        let said = format!("batch {draft:?}, patient: {patient}: {result:?}");
        match result {
            Ok(()) if patient => {
                model.offer_batch(draft.clone());
                self.offered.insert(OFFER + number, (batch, draft));
            }
            Ok(()) => {
                model.accept_batch(draft, false);
                let again = producer.try_send_batch(&batch, topic, partition, tag);
                let codes = [ErrorCode::ILLEGAL_STATE, ErrorCode::FATAL];
                assert!(codes.contains(&again.unwrap_err()), "sent twice");
            }
            Err(ErrorCode::QUEUE_FULL) => {
                model.on_queue_full();
                self.refused.push((batch, draft));
            }
            Err(ErrorCode::UNKNOWN_PARTITION) => {}
            Err(ErrorCode::FATAL) if plan.fatal => {}
            Err(other) => panic!("a batch: {other:?}"),
        }
        said
    }

    pub fn on_report(&mut self, report: &Report) {
        if report.kind != ReportKind::Operation {
            return;
        }
        if let Some((batch, draft)) = self.offered.remove(&report.tag)
            && report.error != ErrorCode::OK
        {
            self.refused.push((batch, draft));
        }
    }
}

/// Fills a batch with records of the next tags.
fn fill(batch: &UserBatch, model: &mut Model, rng: &Rng, plan: &Plan) -> std::ops::Range<u64> {
    let first = model.next_tag();
    for _ in 0..rng.below(30) {
        let tag = model.next_tag();
        let mut value = vec![0u8; 8 + rng.below(plan.largest_value + 1) as usize];
        if one_in(rng, 2) {
            value.fill_with(|| rng.next_u64() as u8);
        }
        value[..8].copy_from_slice(&tag.to_be_bytes());
        match batch.append(&in_batch(&value)) {
            Ok(added) => assert_eq!(added.offset as u64, tag - first),
            Err(ErrorCode::BATCH_FULL) => break,
            Err(other) => panic!("append: {other:?}"),
        }
        model.draft();
    }
    if one_in(rng, 2) {
        batch.close().unwrap();
    }
    first..model.next_tag()
}
