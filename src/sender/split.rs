//! A batch that is too large for the broker, cut into smaller ones (KIP-126).

use tokio::time::Instant;

use super::Engine;
use super::answer::Refusal;
use super::sequence::share_place;
use crate::accumulator::Batch;
use crate::error::ErrorCode;

impl Engine {
    /// Halves the batch. The halves take its place, keep its age, and a flush waits for them as for the whole.
    /// Nothing of it was written: the broker refused it whole.
    pub(super) fn split(&mut self, id: usize, batch: Batch, now: Instant) {
        let stamp = batch.stamp();
        match batch.halve(&self.accumulator.memory) {
            Ok((mut first, mut second)) => {
                share_place(stamp, &mut first, &mut second);
                self.count(&self.shared.counters.batch_splits, 1);
                let track = &mut self.tracks[id];
                // One more batch than before.
                track.partition.add_load();
                track.put_back(first);
                track.put_back(second);
            }
            Err((batch, message)) => {
                let refusal = Refusal {
                    code: ErrorCode::MESSAGE_TOO_LARGE,
                    message: Some(message.into()),
                };
                self.fail_batch(id, *batch, &refusal);
            }
        }
        self.examine(id, now);
    }
}
