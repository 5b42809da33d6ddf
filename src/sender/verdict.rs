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
    AtLeastOnce {
        /// acks=all: the leader writes, and answers when its followers have, or when it knows that they will not.
        replicated: bool,
    },
    Idempotent,
    Transactional,
}

impl Guarantee {
    fn is_replicated(self) -> bool {
        !matches!(self, Guarantee::AtLeastOnce { replicated: false })
    }
}

/// `records` is the number of records in the batch.
pub fn verdict(code: ErrorCode, records: usize, guarantee: Guarantee) -> Verdict {
    let replicated = guarantee.is_replicated();
    match (guarantee, code) {
        (_, ErrorCode::PRODUCER_FENCED | ErrorCode::INVALID_PRODUCER_ID_MAPPING) => Verdict::Fatal,
        (Guarantee::AtLeastOnce { .. }, _) => plain_verdict(code, records, replicated),
        (_, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER | ErrorCode::UNKNOWN_PRODUCER_ID)
        | (Guarantee::Idempotent, ErrorCode::INVALID_PRODUCER_EPOCH) => Verdict::OutOfSequence,
        (Guarantee::Transactional, ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED) => {
            Verdict::Fatal
        }
        _ => plain_verdict(code, records, replicated),
    }
}

fn plain_verdict(code: ErrorCode, records: usize, replicated: bool) -> Verdict {
    match code {
        ErrorCode::OK => Verdict::Delivered,
        ErrorCode::DUPLICATE_SEQUENCE_NUMBER => Verdict::DeliveredBefore,
        ErrorCode::MESSAGE_TOO_LARGE if records > 1 => Verdict::Split,
        ErrorCode::CLUSTER_AUTHORIZATION_FAILED => Verdict::Fatal,
        // A leader that stops to be one while it waits for its followers says so, too, of what it has written.
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        | ErrorCode::LEADER_NOT_AVAILABLE
        | ErrorCode::NOT_LEADER_OR_FOLLOWER
        | ErrorCode::BROKER_NOT_AVAILABLE
        | ErrorCode::REPLICA_NOT_AVAILABLE
        | ErrorCode::KAFKA_STORAGE_ERROR
        | ErrorCode::FENCED_LEADER_EPOCH
        | ErrorCode::UNKNOWN_LEADER_EPOCH
        | ErrorCode::UNKNOWN_TOPIC_ID
        | ErrorCode::INCONSISTENT_TOPIC_ID => Verdict::Retry {
            maybe_written: replicated,
            refresh: true,
        },
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
        Guarantee::AtLeastOnce { replicated: true },
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
            (E::UNKNOWN_TOPIC_OR_PARTITION, ambiguous_refresh),
            (E::LEADER_NOT_AVAILABLE, ambiguous_refresh),
            (E::NOT_LEADER_OR_FOLLOWER, ambiguous_refresh),
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
            (E::KAFKA_STORAGE_ERROR, ambiguous_refresh),
            (E::FENCED_LEADER_EPOCH, ambiguous_refresh),
            (E::UNKNOWN_LEADER_EPOCH, ambiguous_refresh),
            (E::UNSUPPORTED_COMPRESSION_TYPE, FAIL),
            (E::INVALID_RECORD, FAIL),
            (E::THROTTLING_QUOTA_EXCEEDED, RETRY),
            (E::UNKNOWN_TOPIC_ID, ambiguous_refresh),
            (E::INCONSISTENT_TOPIC_ID, ambiguous_refresh),
            (ErrorCode(9999), FAIL),
        ];
        for (code, expected) in table {
            for guarantee in ALL {
                assert_eq!(verdict(code, 2, guarantee), expected, "{code}");
            }
        }
        assert_eq!(verdict(E::MESSAGE_TOO_LARGE, 1, ALL[0]), FAIL);
        // With acks=1 nobody was waited for: what refuses has not written.
        let alone = Guarantee::AtLeastOnce { replicated: false };
        let elsewhere = Verdict::Retry {
            maybe_written: false,
            refresh: true,
        };
        assert_eq!(verdict(E::NOT_LEADER_OR_FOLLOWER, 2, alone), elsewhere);
        assert_eq!(verdict(E::NETWORK_EXCEPTION, 2, alone), ambiguous_refresh);
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
