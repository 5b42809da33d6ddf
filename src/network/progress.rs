//! How far the set-up of a connection has got, for whoever is tired of waiting for it.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::time::Instant;

use super::{BrokerAddress, SetupStep};
use crate::config::SecurityProtocol;

/// Written by the connection, read by all.
#[derive(Debug)]
pub struct Progress {
    broker: BrokerAddress,
    security: SecurityProtocol,
    begun: Instant,
    /// An index into [`STEPS`].
    step: AtomicU8,
}

const STEPS: [SetupStep; 6] = [
    SetupStep::Resolve,
    SetupStep::Connect,
    SetupStep::Tls,
    SetupStep::ApiVersions,
    SetupStep::Sasl,
    SetupStep::Done,
];

impl Progress {
    pub(super) fn new(broker: BrokerAddress, security: SecurityProtocol) -> Self {
        Progress {
            broker,
            security,
            begun: Instant::now(),
            step: AtomicU8::new(0),
        }
    }

    pub(super) fn reach(&self, step: SetupStep) {
        let index = STEPS.iter().position(|one| *one == step);
        self.step
            .store(index.unwrap_or(STEPS.len() - 1) as u8, Ordering::Relaxed);
    }

    fn step(&self) -> SetupStep {
        let index = usize::from(self.step.load(Ordering::Relaxed));
        STEPS.get(index).copied().unwrap_or(SetupStep::Done)
    }

    pub fn broker(&self) -> &BrokerAddress {
        &self.broker
    }

    pub fn begun(&self) -> Instant {
        self.begun
    }
}

/// Which step has not been completed, and since when it has been waited for.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = self.step();
        if step == SetupStep::Done {
            return write!(f, "{} has just been connected to", self.broker);
        }
        write!(
            f,
            "{} has not completed the {} after {:.1?}{}",
            self.broker,
            step.name(),
            self.begun.elapsed(),
            step.hint(self.security)
        )
    }
}
