//! What a broker's answer to a Produce request means for the batch: the error table for Produce.

use crate::error::ErrorCode;

/// What is done with a batch after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// A duplicate whose metadata the broker no longer has: it is in the log, offset unknown.
    DeliveredBefore,
    Retry {
        /// The broker may have kept the records all the same.
        maybe_written: bool,
        /// The leader may be another: ask for metadata.
        refresh: bool,
    },
    /// The batch is not the next of its producer's, or its producer is not known.
    OutOfSequence,
    /// Too large as a whole: try it in pieces.
    Split,
    Fail {
        maybe_written: bool,
    },
    /// The producer as a whole may not go on.
    Fatal,
}

const RETRY: Verdict = Verdict::Retry {
    maybe_written: false,
    refresh: false,
};
const RETRY_REFRESH: Verdict = Verdict::Retry {
    maybe_written: false,
    refresh: true,
};
const RETRY_AMBIGUOUS: Verdict = Verdict::Retry {
    maybe_written: true,
    refresh: false,
};
const FAIL: Verdict = Verdict::Fail {
    maybe_written: false,
};

/// What the producer promises of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guarantee {
    AtLeastOnce,
    Idempotent,
    Transactional,
}

/// `records` is the number of records in the batch.
pub fn verdict(code: ErrorCode, records: usize, guarantee: Guarantee) -> Verdict {
    match (guarantee, code) {
        (_, ErrorCode::PRODUCER_FENCED | ErrorCode::INVALID_PRODUCER_ID_MAPPING) => Verdict::Fatal,
        (Guarantee::AtLeastOnce, _) => plain_verdict(code, records),
        (_, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID)
        | (Guarantee::Idempotent, ErrorCode::INVALID_PRODUCER_EPOCH) => Verdict::OutOfSequence,
        (Guarantee::Transactional, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED) => {
            Verdict::Fatal
        }
        _ => plain_verdict(code, records),
    }
}

fn plain_verdict(code: ErrorCode, records: usize) -> Verdict {
    match code {
        ErrorCode::OK => Verdict::Delivered,
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::DeliveredBefore,
        ErrorCode::MESSAGE_TOO_LARGE if records > 1 => Verdict::Split,
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED => Verdict::Fatal,
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::LEADER_NOT_AVAILABLE
        | ErrorCode::NOT_LEADER_OR_FOLLOWER
        | ErrorCode::BROKER_NOT_AVAILABLE
        | ErrorCode::REPLICA_NOT_AVAILABLE
        | ErrorCode::KAFKA_STORAGE_ERROR
        | ErrorCode::FENCED_LEADER_EPOCH
        | ErrorCode::UNKNOWN_LEADER_EPOCH
        | ErrorCode::UNKNOWN_TOPIC_ID
        | ErrorCode::INCONSISTENT_TOPIC_ID => RETRY_REFRESH,
        ErrorCode::NETWORK_EXCEPTION => Verdict::Retry {
            maybe_written: true,
            refresh: true,
        },
        ErrorCode::REQUEST_TIMED_OUT | ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND => {
            RETRY_AMBIGUOUS
        }
        ErrorCode::UNKNOWN_SERVER_ERROR => Verdict::Fail {
            maybe_written: true,
        },
        // CORRUPT_MESSAGE, NOT_ENOUGH_REPLICAS, coordinators that load, quotas: nothing was written.
        code if code.is_retriable() => RETRY,
        _ => FAIL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Guarantee; 3] = [
        Guarantee::AtLeastOnce,
        Guarantee::Idempotent,
        Guarantee::Transactional,
    ];

    #[test]
    fn the_table_for_produce() {
        use ErrorCode as E;
        let ambiguous_refresh = Verdict::Retry {
            maybe_written: true,
            refresh: true,
        };
        let table = [
            (E::OK, Verdict::Delivered),
            (E::CORRUPT_MESSAGE, RETRY),
            (E::UNKNOWN_TOPIC_OR_PARTITION, RETRY_REFRESH),
            (E::LEADER_NOT_AVAILABLE, RETRY_REFRESH),
            (E::NOT_LEADER_OR_FOLLOWER, RETRY_REFRESH),
            (E::REQUEST_TIMED_OUT, RETRY_AMBIGUOUS),
            (E::MESSAGE_TOO_LARGE, Verdict::Split),
            (E::NETWORK_EXCEPTION, ambiguous_refresh),
            (E::INVALID_TOPIC_EXCEPTION, FAIL),
            (E::RECORD_LIST_TOO_LARGE, FAIL),
            (E::NOT_ENOUGH_REPLICAS, RETRY),
            (E::NOT_ENOUGH_REPLICAS_AFTER_APPEND, RETRY_AMBIGUOUS),
            (E::INVALID_REQUIRED_ACKS, FAIL),
            (E::TOPIC_AUTHORIZATION_FAILED, FAIL),
            (E::CLUSTER_AUTHORIZATION_FAILED, Verdict::Fatal),
            (E::INVALID_TIMESTAMP, FAIL),
            (E::DUPLICATE_SEQUENCE_NUMBER, Verdict::DeliveredBefore),
            (E::KAFKA_STORAGE_ERROR, RETRY_REFRESH),
            (E::FENCED_LEADER_EPOCH, RETRY_REFRESH),
            (E::UNKNOWN_LEADER_EPOCH, RETRY_REFRESH),
            (E::UNSUPPORTED_COMPRESSION_TYPE, FAIL),
            (E::INVALID_RECORD, FAIL),
            (E::THROTTLING_QUOTA_EXCEEDED, RETRY),
            (E::UNKNOWN_TOPIC_ID, RETRY_REFRESH),
            (E::INCONSISTENT_TOPIC_ID, RETRY_REFRESH),
            (ErrorCode(9999), FAIL),
        ];
        for (code, expected) in table {
            for guarantee in ALL {
                assert_eq!(verdict(code, 2, guarantee), expected, "{code}");
            }
        }
        assert_eq!(verdict(E::MESSAGE_TOO_LARGE, 1, ALL[0]), FAIL);
    }

    #[test]
    fn the_table_for_producers_with_an_id() {
        use ErrorCode as E;
        use Verdict::{Fatal, OutOfSequence};
        let table = [
            (
                E::OUT_OF_ORDER_SEQUENCE_NUMBER,
                FAIL,
                OutOfSequence,
                OutOfSequence,
            ),
            (E::UNKNOWN_PRODUCER_ID, FAIL, OutOfSequence, OutOfSequence),
            (E::INVALID_PRODUCER_EPOCH, FAIL, OutOfSequence, FAIL),
            (E::PRODUCER_FENCED, Fatal, Fatal, Fatal),
            (E::INVALID_PRODUCER_ID_MAPPING, Fatal, Fatal, Fatal),
            (E::TRANSACTIONAL_ID_AUTHORIZATION_FAILED, FAIL, FAIL, Fatal),
            (E::INVALID_TXN_STATE, FAIL, FAIL, FAIL),
            (E::TRANSACTION_ABORTABLE, FAIL, FAIL, FAIL),
            (E::CONCURRENT_TRANSACTIONS, RETRY, RETRY, RETRY),
        ];
        for (code, plain, idempotent, transactional) in table {
            let verdicts = ALL.map(|guarantee| verdict(code, 2, guarantee));
            assert_eq!(verdicts, [plain, idempotent, transactional], "{code}");
        }
    }
}
