"""Which exception an error code of the library becomes."""

from __future__ import annotations

from typing import Callable, Optional

from . import _library, errors
from .errors import KafkaError

# libkprod's own codes; the brokers' have classes by number in `errors`.
_OWN: dict[int, Callable[[str], Exception]] = {
    -101: errors.IllegalArgumentError,  # INVALID_ARG
    -102: ValueError,  # UNKNOWN_CONFIG
    -103: ValueError,  # INVALID_CONFIG
    -105: errors.ProducerClosed,  # CLOSED
    -106: errors.IllegalStateError,  # FORKED
    -108: errors.IllegalOperation,  # ILLEGAL_STATE
    -109: errors.KafkaTimeoutError,  # TIMED_OUT
    -110: errors.KafkaTimeoutError,  # QUEUE_FULL
    -111: errors.KafkaTimeoutError,  # REPORT_QUEUE_FULL
    -113: errors.MessageSizeTooLargeError,  # RECORD_TOO_LARGE
    -115: errors.UnknownTopicOrPartitionError,  # UNKNOWN_PARTITION
    -116: errors.Cancelled,  # PURGED_QUEUED
    -117: errors.Cancelled,  # PURGED_IN_FLIGHT
    -118: errors.RequestTimedOutError,  # DELIVERY_TIMED_OUT
    -119: errors.KafkaConnectionError,  # NO_BROKERS
    -120: errors.KafkaConnectionError,  # RESOLVE
    -121: errors.KafkaProtocolError,  # PROTOCOL
    -122: errors.KafkaConnectionError,  # TLS
    -127: errors.InvalidTimestampError,  # INVALID_TIMESTAMP_ARG
    -132: errors.Cancelled,  # ABORTED
    # The brokers' codes that aiokafka names otherwise than its table of numbers.
    13: errors.KafkaConnectionError,  # NETWORK_EXCEPTION
    47: errors.ProducerFenced,  # INVALID_PRODUCER_EPOCH
    90: errors.ProducerFenced,  # PRODUCER_FENCED
}
_PERSISTED = ("no", "possibly", "yes")


def exception(
    code: int, message: Optional[str] = None, flags: Optional[int] = None, *, record: bool = False
) -> Exception:
    """The exception for a code. `flags` are those of the entry that told of it."""
    make = _OWN.get(code)
    if make is None:
        make = errors.for_code(code) if code > -100 else KafkaError
    error = make(message or _library.describe(code))
    if isinstance(error, KafkaError):
        error.code = code
        if flags is not None:
            error.retriable = bool(flags & _library.FLAG_RETRIABLE)
        if record and flags is not None:
            error.persisted = _PERSISTED[min(flags >> _library.PERSISTENCE_SHIFT & 3, 2)]
    return error


def from_failure(failure: _library.Failure) -> Exception:
    return exception(failure.code, failure.message)
