//! What a coordinator's error means: the error tables of the transactional requests.

use super::step::Step;
use crate::error::ErrorCode;

/// What is done after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Done,
    /// The same again after the backoff.
    Retry,
    /// The coordinator may be another: ask who it is, then the same again.
    Elsewhere,
    /// The transaction can only be aborted.
    Abortable,
    /// The call failed and changed nothing: it may be made again.
    Refused,
    /// The producer is of no more use.
    Fatal,
}

/// Whether what was answered so may have been done all the same: others say that it is under way, or that it is not known
/// whether it was noted.
pub fn may_be_done(code: ErrorCode) -> bool {
    !matches!(
        code,
        ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS
    )
}

/// `code` answers `step`.
pub fn verdict(step: Step, code: ErrorCode) -> Verdict {
    use ErrorCode as E;
    match code {
        E::OK => Verdict::Done,
        E::COORDINATOR_NOT_AVAILABLE | E::NOT_COORDINATOR => Verdict::Elsewhere,
        E::COORDINATOR_LOAD_IN_PROGRESS
        | E::CONCURRENT_TRANSACTIONS
        | E::NETWORK_EXCEPTION
        | E::THROTTLING_QUOTA_EXCEEDED => Verdict::Retry,
        // The member's group has moved to another coordinator, maybe.
        E::REQUEST_TIMED_OUT => Verdict::Elsewhere,
        E::PRODUCER_FENCED | E::INVALID_PRODUCER_EPOCH | E::INVALID_PRODUCER_ID_MAPPING => {
            Verdict::Fatal
        }
        _ => particular(step, code),
    }
}

fn particular(step: Step, code: ErrorCode) -> Verdict {
    use ErrorCode as E;
    match (step, code) {
        // An abort that "can only be aborted" would go round for ever (KAFKA-19250).
        (Step::End { commit }, E::TRANSACTION_ABORTABLE) => match commit {
            true => Verdict::Abortable,
            false => Verdict::Fatal,
        },
        (_, E::TRANSACTION_ABORTABLE) => Verdict::Abortable,
        // A missing permission may be given: the call can be made again.
        (
            Step::InitProducerId | Step::FindCoordinator,
            E::TRANSACTIONAL_ID_AUTHORIZATION_FAILED | E::CLUSTER_AUTHORIZATION_FAILED,
        ) => Verdict::Refused,
        (_, E::TRANSACTIONAL_ID_AUTHORIZATION_FAILED) => Verdict::Fatal,
        (
            Step::AddPartitions | Step::CommitOffsets,
            E::UNKNOWN_TOPIC_OR_PARTITION | E::UNKNOWN_TOPIC_ID | E::INCONSISTENT_TOPIC_ID,
        ) => Verdict::Retry,
        (Step::AddPartitions, E::INVALID_TXN_STATE | E::CLUSTER_AUTHORIZATION_FAILED) => {
            Verdict::Fatal
        }
        (Step::AddPartitions, _) => Verdict::Abortable,
        (
            Step::AddOffsets | Step::CommitOffsets | Step::FindGroup,
            E::GROUP_AUTHORIZATION_FAILED,
        ) => Verdict::Abortable,
        // The consumer group has moved on (KIP-447): what was read will be read again.
        (
            Step::CommitOffsets,
            E::ILLEGAL_GENERATION
            | E::UNKNOWN_MEMBER_ID
            | E::FENCED_INSTANCE_ID
            | E::STALE_MEMBER_EPOCH
            | E::GROUP_ID_NOT_FOUND
            | E::OFFSET_METADATA_TOO_LARGE
            | E::TOPIC_AUTHORIZATION_FAILED,
        ) => Verdict::Abortable,
        (Step::AddOffsets | Step::CommitOffsets, E::UNKNOWN_PRODUCER_ID) => Verdict::Abortable,
        (_, code) if code.is_retriable() => Verdict::Retry,
        _ => Verdict::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ErrorCode as E;
    use Verdict::*;

    const STEPS: [Step; 8] = [
        Step::FindCoordinator,
        Step::FindGroup,
        Step::InitProducerId,
        Step::AddPartitions,
        Step::AddOffsets,
        Step::CommitOffsets,
        Step::End { commit: true },
        Step::End { commit: false },
    ];

    #[test]
    fn the_table() {
        let everywhere = |verdict| [verdict; 8];
        #[rustfmt::skip]
        let table = [
            (E::OK, everywhere(Done)),
            (E::COORDINATOR_LOAD_IN_PROGRESS, everywhere(Retry)),
            (E::COORDINATOR_NOT_AVAILABLE, everywhere(Elsewhere)),
            (E::NOT_COORDINATOR, everywhere(Elsewhere)),
            (E::REQUEST_TIMED_OUT, everywhere(Elsewhere)),
            (E::CONCURRENT_TRANSACTIONS, everywhere(Retry)),
            (E::THROTTLING_QUOTA_EXCEEDED, everywhere(Retry)),
            (E::PRODUCER_FENCED, everywhere(Fatal)),
            (E::INVALID_PRODUCER_EPOCH, everywhere(Fatal)),
            (E::INVALID_PRODUCER_ID_MAPPING, everywhere(Fatal)),
            (E::TRANSACTION_ABORTABLE,
             [Abortable, Abortable, Abortable, Abortable, Abortable, Abortable, Abortable, Fatal]),
            (E::TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
             [Refused, Fatal, Refused, Fatal, Fatal, Fatal, Fatal, Fatal]),
            (E::CLUSTER_AUTHORIZATION_FAILED,
             [Refused, Fatal, Refused, Fatal, Fatal, Fatal, Fatal, Fatal]),
            (E::GROUP_AUTHORIZATION_FAILED,
             [Fatal, Abortable, Fatal, Abortable, Abortable, Abortable, Fatal, Fatal]),
            (E::TOPIC_AUTHORIZATION_FAILED,
             [Fatal, Fatal, Fatal, Abortable, Fatal, Abortable, Fatal, Fatal]),
            (E::UNKNOWN_TOPIC_OR_PARTITION,
             [Retry, Retry, Retry, Retry, Retry, Retry, Retry, Retry]),
            (E::ILLEGAL_GENERATION,
             [Fatal, Fatal, Fatal, Abortable, Fatal, Abortable, Fatal, Fatal]),
            (E::INVALID_TXN_STATE, everywhere(Fatal)),
            (E::INVALID_TRANSACTION_TIMEOUT,
             [Fatal, Fatal, Fatal, Abortable, Fatal, Fatal, Fatal, Fatal]),
            (ErrorCode(9999),
             [Fatal, Fatal, Fatal, Abortable, Fatal, Fatal, Fatal, Fatal]),
        ];
        for (code, expected) in table {
            let verdicts = STEPS.map(|step| verdict(step, code));
            assert_eq!(verdicts, expected, "{code}");
        }
    }
}
