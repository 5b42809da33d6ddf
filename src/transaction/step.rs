//! The requests about identity and transaction.

use std::fmt;

use tokio::time::Instant;

use crate::error::ErrorCode;

/// One request about identity or transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Who coordinates the transactional id.
    FindCoordinator,
    /// Who coordinates the consumer group.
    FindGroup,
    InitProducerId,
    AddPartitions,
    AddOffsets,
    CommitOffsets,
    End {
        commit: bool,
    },
}

impl fmt::Display for Step {
    /// The name in Kafka's protocol.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::FindCoordinator | Step::FindGroup => "FindCoordinator",
            Step::InitProducerId => "InitProducerId",
            Step::AddPartitions => "AddPartitionsToTxn",
            Step::AddOffsets => "AddOffsetsToTxn",
            Step::CommitOffsets => "TxnOffsetCommit",
            Step::End { .. } => "EndTxn",
        })
    }
}

/// A step that has been tried in vain, since when, and what came of it last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    pub step: Step,
    pub code: ErrorCode,
    pub since: Instant,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, code) = (self.step, self.code);
        match code {
            ErrorCode::NETWORK_EXCEPTION => {
                write!(f, "{step} had no answer before its connection ended")
            }
            _ => write!(
                f,
                "{step} was answered with {}: {}",
                code.name(),
                code.text()
            ),
        }
    }
}

/// Whom a step goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    Any,
    Node(i32),
}
