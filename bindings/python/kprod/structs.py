"""The plain data that the producer takes and gives, field for field as in aiokafka."""

from __future__ import annotations

from typing import NamedTuple, Optional


class TopicPartition(NamedTuple):
    """A topic and the number of one of its partitions."""

    topic: str
    partition: int


class OffsetAndMetadata(NamedTuple):
    """An offset to commit, and a note that is stored with it."""

    offset: int
    metadata: str


class RecordMetadata(NamedTuple):
    """Where a record is in the log."""

    topic: str
    partition: int
    topic_partition: TopicPartition
    offset: int
    """Its offset, or -1: not known (``acks=0``, or a duplicate whose offset the broker has forgotten)."""
    timestamp: Optional[int]
    """Milliseconds since the epoch; whose clock, ``timestamp_type`` says."""
    timestamp_type: int
    """0: the record's own (CreateTime); 1: the broker's (LogAppendTime)."""
    log_start_offset: Optional[int]
    """The first offset that the partition still holds, or None: not known."""
