//! The requests about identity and transaction.

use std::fmt;

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

/// Whom a step goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    Any,
    Node(i32),
}
