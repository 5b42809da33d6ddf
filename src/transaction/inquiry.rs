//! Who coordinates by now, asked of another broker because that of the outstanding step is silent.

use super::step::Step;
use crate::network::RequestId;

/// The one inquiry that may be under way.
#[derive(Debug, Default)]
pub struct Inquiry(Option<(RequestId, Step)>);

impl Inquiry {
    pub fn pending(&self) -> Option<RequestId> {
        self.0.map(|(id, _)| id)
    }

    pub fn asked(&mut self, id: RequestId, step: Step) {
        self.0 = Some((id, step));
    }

    /// What the request asks for, if it is the inquiry.
    pub fn of(&self, request: RequestId) -> Option<Step> {
        let (id, step) = self.0?;
        (id == request).then_some(step)
    }

    /// What the request asked for, which is over with this, if it was the inquiry.
    pub fn ended(&mut self, request: RequestId) -> Option<Step> {
        let step = self.of(request)?;
        self.0 = None;
        Some(step)
    }
}
