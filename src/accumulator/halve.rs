//! Cutting a batch in two.

use std::sync::Arc;

use super::accepted::Accepted;
use super::batch::{BATCH_OVERHEAD, Batch, NoRoom};
use super::memory::Memory;
use crate::completion::RecordMeta;
use crate::record::encode::{Header, Payload};
use crate::record::reader::{RawBatch, Record};

type Halves = (Box<Batch>, Box<Batch>);

impl Batch {
    /// Two batches with the same records, or the batch and why not.
    pub fn halve(mut self, memory: &Arc<Memory>) -> Result<Halves, (Box<Batch>, String)> {
        let blob = match self.frame() {
            Some((header, sealed)) => {
                let mut blob = header.to_vec();
                sealed
                    .parts()
                    .iter()
                    .for_each(|part| blob.extend_from_slice(part));
                blob
            }
            None => return Err((Box::new(self), "the batch is not sealed".to_owned())),
        };
        let most = self.size().saturating_mul(2);
        let opened = RawBatch::take(&mut &blob[..]).and_then(|raw| raw.open(most));
        let records = opened
            .as_ref()
            .map_err(ToString::to_string)
            .and_then(|batch| {
                let records: Result<Vec<Record<'_>>, _> = batch.records().collect();
                records.map_err(|error| error.to_string())
            });
        let records = match records {
            Ok(records) if records.len() == self.record_count() && records.len() > 1 => records,
            Ok(_) => return Err((Box::new(self), "it cannot be split".to_owned())),
            Err(error) => return Err((Box::new(self), error)),
        };
        let middle = records.len() / 2;
        let (created, number, first, attempts) =
            (self.created, self.number, self.first, self.attempts.clone());
        let (mut accepted, _) = self.into_parts();
        let rest = accepted.split_off(middle);
        let build = |accepted: Accepted, records: &[Record<'_>], first: u32| {
            let own = memory.reserve_over(BATCH_OVERHEAD);
            let mut batch = Batch::encoded(number, accepted, records, own, memory);
            batch.created = created;
            batch.first = first;
            batch.attempts = attempts.clone();
            batch
        };
        let front = build(accepted, &records[..middle], first);
        let back = build(rest, &records[middle..], first + middle as u32);
        Ok((front, back))
    }

    /// A closed batch of records that were accepted before.
    fn encoded(
        number: u64,
        accepted: Accepted,
        records: &[Record<'_>],
        own: super::memory::Reservation,
        memory: &Arc<Memory>,
    ) -> Box<Batch> {
        let metas: Vec<RecordMeta> = accepted.metas().to_vec();
        let placeholder = accepted.empty_twin();
        let mut batch = Batch::new(number, placeholder, own, None);
        for (record, meta) in records.iter().zip(metas) {
            let headers: Vec<Header<'_>> = record
                .headers
                .iter()
                .map(|header| Header {
                    key: header.key,
                    value: header.value,
                })
                .collect();
            let payload = Payload {
                key: record.key,
                value: record.value,
                headers: &headers,
            };
            // The records' bytes take the place of those of the batch that was split.
            while let Err((NoRoom::Memory { wanted, least }, _)) =
                batch.try_append(&payload, meta, None, usize::MAX)
            {
                batch.grow(memory.reserve_over(wanted.max(least)), least);
            }
        }
        batch.accepted.settle_as(accepted);
        batch
    }
}
