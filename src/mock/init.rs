//! InitProducerId.

use super::cluster::MockCluster;
use super::serve::Call;
use super::wire;
use crate::error::ErrorCode;
use crate::protocol::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

impl MockCluster {
    pub(super) fn init_producer_id(
        &mut self,
        call: &Call<'_>,
        request: &InitProducerIdRequest,
    ) -> InitProducerIdResponse {
        let half_given = (request.producer_id == -1) != (request.producer_epoch == -1);
        let error_code = match call.errors.code() {
            0 if half_given || request.transactional_id.is_some() => {
                wire(ErrorCode::INVALID_REQUEST)
            }
            code => code,
        };
        let mut response = InitProducerIdResponse {
            throttle_time_ms: call.throttle_ms,
            error_code,
            ..InitProducerIdResponse::default()
        };
        if error_code == 0 {
            // Whoever names no transactional id gets a new id, whatever id and epoch it had.
            response.producer_id = self.new_producer_id();
            response.producer_epoch = std::mem::take(&mut self.next_producer_epoch);
        }
        response
    }

    fn new_producer_id(&mut self) -> i64 {
        self.next_producer_id += 1;
        self.next_producer_id - 1
    }
}
