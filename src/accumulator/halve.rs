//! Cutting a batch in two.

use std::ops::Range;
use std::sync::Arc;

use super::batch::{BATCH_OVERHEAD, Batch, NoRoom};
use super::memory::Memory;
use crate::record::encode::{Header, Payload};
use crate::record::reader::{RawBatch, Record};
use crate::sys::NoMemory;

type Halves = (Box<Batch>, Box<Batch>);

const NO_MEMORY: &str = "there is no memory for its halves";

impl Batch {
    /// Two batches with the same records, or the batch and why not.
    pub fn halve(mut self, memory: &Arc<Memory>) -> Result<Halves, (Box<Batch>, String)> {
        let blob = match self.frame() {
            Some((header, sealed)) => {
                let mut blob = Vec::new();
                if blob.try_reserve_exact(header.len() + sealed.len()).is_err() {
                    return Err((Box::new(self), NO_MEMORY.to_owned()));
                }
                blob.extend_from_slice(&header);
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
        let front = self.part(&records, 0..middle, memory);
        let back = self.part(&records, middle..records.len(), memory);
        let (Ok(mut front), Ok(mut back)) = (front, back) else {
            return Err((Box::new(self), NO_MEMORY.to_owned()));
        };
        let (mut accepted, _) = self.into_parts();
        back.accepted.settle_as(accepted.split_off(middle));
        front.accepted.settle_as(accepted);
        Ok((front, back))
    }

    /// A closed batch of some of its `records`, which owes no reports yet.
    fn part(
        &self,
        records: &[Record<'_>],
        range: Range<usize>,
        memory: &Arc<Memory>,
    ) -> Result<Box<Batch>, NoMemory> {
        let own = memory.reserve_over(BATCH_OVERHEAD);
        let mut batch = Batch::new(self.number, self.accepted.empty_twin(), own, None);
        batch.created = self.created;
        batch.first = self.first + range.start as u32;
        batch.attempts = self.attempts.clone();
        let metas = &self.accepted.metas()[range.clone()];
        for (record, &meta) in records[range].iter().zip(metas) {
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
                batch.grow(memory.reserve_over(wanted.max(least)), least)?;
            }
        }
        Ok(batch)
    }
}
