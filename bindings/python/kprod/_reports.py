"""From the library's array of reports to the results of futures."""

from __future__ import annotations

import asyncio
import ctypes
import struct
from array import array
from collections import deque
from collections.abc import Iterator
from itertools import repeat
from typing import Any, Callable

from . import _library
from ._library import DELIVERY_SIZE
from .structs import RecordMetadata, TopicPartition

CAPACITY = 512
"""Reports taken in one turn of the loop: about a millisecond's work, after which others have theirs."""

_WORDS = DELIVERY_SIZE // 8
# Where kprod_delivery_t has what in 64-bit words.
_KIND_AND_ERROR, _TAG, _TOPIC_AND_PARTITION, _OFFSET, _TIMESTAMP, _TIMESTAMP_TYPE, _LOG_START = 0, 1, 2, 3, 4, 5, 8
_DELIVERED = memoryview(array("q", [_library.KIND_RECORD] * CAPACITY))
_CREATE_TIMES = memoryview(array("i", [0] * CAPACITY))
_NOT_KNOWN = memoryview(array("q", [-1] * CAPACITY))
_unpack = struct.Struct(_library.DELIVERY).iter_unpack

Futures = dict[int, "asyncio.Future[Any]"]
Entry = tuple[int, int, int, int, int, int, int, int, int, int, int, int]
"""Kind, error, tag, topic, partition, offset, timestamp, timestamp type, count, flags, detail, log start offset."""


class Reports:
    def __init__(self) -> None:
        self.buffer = (ctypes.c_char * (CAPACITY * DELIVERY_SIZE))()
        self._bytes = memoryview(self.buffer).cast("B")
        self._words, self._halves = self._bytes.cast("q"), self._bytes.cast("i")
        # What the records of a partition share, by topic and partition as one number.
        self._names: dict[int, str] = {}
        self._partitions: dict[int, int] = {}
        self._topic_partitions: dict[int, TopicPartition] = {}

    def are_deliveries(self, count: int) -> bool:
        """Whether the first `count` are all of records that were delivered."""
        kinds = self._words[_KIND_AND_ERROR : count * _WORDS : _WORDS]
        return kinds == _DELIVERED[:count]

    def deliver(self, count: int, futures: Futures, topic_name: Callable[[int], str]) -> None:
        """Resolves the futures of `count` deliveries, column by column, for that is what Python is quick at."""
        words = self._words
        end = count * _WORDS
        places = words[_TOPIC_AND_PARTITION:end:_WORDS].tolist()
        for place in set(places).difference(self._names):
            # Little-endian: the topic is the lower half.
            topic, partition = place & 0xFFFFFFFF, place >> 32
            self._names[place], self._partitions[place] = topic_name(topic), partition
            self._topic_partitions[place] = TopicPartition(topic_name(topic), partition)
        # Columns that have the same everywhere, as most do, need no number made for each record.
        types: Any = self._halves[2 * _TIMESTAMP_TYPE : 2 * end : 2 * _WORDS]
        starts: Any = words[_LOG_START:end:_WORDS]
        rows = zip(
            map(self._names.__getitem__, places),
            map(self._partitions.__getitem__, places),
            map(self._topic_partitions.__getitem__, places),
            words[_OFFSET:end:_WORDS].tolist(),
            words[_TIMESTAMP:end:_WORDS].tolist(),
            repeat(0) if types == _CREATE_TIMES[:count] else types.tolist(),
            repeat(None) if starts == _NOT_KNOWN[:count] else _log_starts(starts.tolist()),
        )
        tags = words[_TAG:end:_WORDS].tolist()
        _resolve(
            map(asyncio.Future.set_result, map(futures.pop, tags), map(tuple.__new__, repeat(RecordMetadata), rows))
        )

    def entries(self, count: int) -> Iterator[Entry]:
        """The first `count`, one by one."""
        return _unpack(self._bytes[: count * DELIVERY_SIZE])


def metadata(name: str, entry: Entry) -> RecordMetadata:
    """What the entry tells of a record, or of a batch's first."""
    _, _, _, _, partition, offset, timestamp, timestamp_type, _, _, _, log_start = entry
    log_start_offset = log_start if log_start >= 0 else None
    place = TopicPartition(name, partition)
    return RecordMetadata(name, partition, place, offset, timestamp, timestamp_type, log_start_offset)


def _log_starts(offsets: list[int]) -> list[Any]:
    return [offset if offset >= 0 else None for offset in offsets] if min(offsets) < 0 else offsets


def _resolve(results: Iterator[None]) -> None:
    while True:
        try:
            deque(results, maxlen=0)
            return
        except asyncio.InvalidStateError:
            # The user has cancelled a future, which has no effect on the send. The others follow.
            pass
