"""The buffer and the array of kprod_packed_t that the library is given, written column by column, for that is what
Python is quick at."""

from __future__ import annotations

import ctypes
import operator
import struct
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple, Optional

from ._library import NO_LENGTH
from .errors import InvalidTimestampError

# kprod_packed_t in 64-bit words and in 32-bit halves.
_WORDS, _HALVES = 6, 12
_TAG, _TIMESTAMP = 0, 1
_TOPIC, _PARTITION, _OFFSET, _KEY_LENGTH, _VALUE_LENGTH, _HEADERS_LENGTH, _HEADER_COUNT = range(4, 11)

UNASSIGNED = -1
NOW = -1

Headers = list[tuple[bytes, Optional[bytes]]]


class Extra(NamedTuple):
    """What a record has besides its topic and its value."""

    key: Optional[bytes]
    partition: int = UNASSIGNED
    timestamp: int = NOW
    headers: bytes = b""
    """As the library wants them: each with its lengths."""
    header_count: int = 0


_MOST = 1 << 30
"""Bytes of more than one record: their offsets have to fit in 32 bits."""
_LARGEST = (1 << 63) - 1
_NO_EXTRA = Extra(None)
_length = struct.Struct("i").pack


class Pack:
    """Places for `capacity` records. All but the columns that every record fills stay as they are for plain ones."""

    def __init__(self, capacity: int) -> None:
        self.records = (ctypes.c_uint64 * (capacity * _WORDS))()
        self._capacity = capacity
        self._words = memoryview(self.records).cast("B").cast("l")
        self._halves = memoryview(self.records).cast("B").cast("i")
        self._are_plain = False
        # One way to write all offsets or lengths: a format for each count would be compiled each time.
        self._whole_words = struct.Struct(f"{capacity}l").pack
        self._whole_halves = struct.Struct(f"{capacity}i").pack

    def write(
        self, tag: int, topics: list[int], values: list[Optional[bytes]], extras: dict[int, Extra]
    ) -> tuple[bytes, int]:
        """Describes as many records as there is place for, with tags from `tag` on: their bytes and their number."""
        count = min(len(values), self._capacity)
        if count < len(values):
            topics, values = topics[:count], values[:count]
        halves, end = self._halves, count * _HALVES
        lengths, sizes, parts = _measure(values)
        if extras:
            parts, sizes = self._write_extras([extras.get(place, _NO_EXTRA) for place in range(count)], parts, sizes)
        elif not self._are_plain:
            self._write_plain()
        offsets = list(accumulate(sizes, initial=0))
        if offsets.pop() > _MOST and count > 1:
            return self.write(tag, topics[: count // 2], values[: count // 2], extras)
        halves[_OFFSET:end:_HALVES] = self._as_halves(offsets)
        halves[_VALUE_LENGTH:end:_HALVES] = self._as_halves(lengths)
        halves[_TOPIC:end:_HALVES] = self._as_halves(topics)
        self._words[_TAG : count * _WORDS : _WORDS] = self._as_words(range(tag, tag + count))
        return b"".join(parts), count

    def _write_plain(self) -> None:
        """What plain records have in common, for all places."""
        none = self._as_halves([-1] * self._capacity)
        nothing = self._as_halves([0] * self._capacity)
        for column, content in (
            (_PARTITION, none),
            (_KEY_LENGTH, none),
            (_HEADERS_LENGTH, nothing),
            (_HEADER_COUNT, nothing),
        ):
            self._halves[column::_HALVES] = content
        self._words[_TIMESTAMP::_WORDS] = self._as_words([NOW] * self._capacity)
        self._are_plain = True

    def _write_extras(
        self, extras: list[Extra], values: Sequence[bytes], sizes: list[int]
    ) -> tuple[list[bytes], list[int]]:
        """The bytes of keys, values and headers in their order, and how many each record has."""
        self._are_plain = False
        end = len(extras) * _HALVES
        keys, partitions, timestamps, headers, counts = zip(*extras)
        lengths, key_sizes, keys = _measure(keys)
        header_sizes = list(map(len, headers))
        halves = self._halves
        halves[_PARTITION:end:_HALVES] = self._as_halves(partitions)
        halves[_KEY_LENGTH:end:_HALVES] = self._as_halves(lengths)
        halves[_HEADERS_LENGTH:end:_HALVES] = self._as_halves(header_sizes)
        halves[_HEADER_COUNT:end:_HALVES] = self._as_halves(counts)
        self._words[_TIMESTAMP : len(extras) * _WORDS : _WORDS] = self._as_words(timestamps)
        parts = [part for of_record in zip(keys, values, headers) for part in of_record]
        return parts, [sum(of_record) for of_record in zip(key_sizes, sizes, header_sizes)]

    # Of the ways from Python's numbers to C's, struct is the quickest by far.
    def _as_words(self, numbers: Sequence[int]) -> memoryview:
        whole = len(numbers) == self._capacity
        packed = self._whole_words(*numbers) if whole else struct.pack(f"{len(numbers)}l", *numbers)
        return memoryview(packed).cast("l")

    def _as_halves(self, numbers: Sequence[int]) -> memoryview:
        whole = len(numbers) == self._capacity
        packed = self._whole_halves(*numbers) if whole else struct.pack(f"{len(numbers)}i", *numbers)
        return memoryview(packed).cast("i")


def pack_headers(headers: Headers) -> bytes:
    """Each key and value behind its length, as kprod_send_packed reads them."""
    parts = []
    for key, value in headers:
        parts += [_length(len(key)), key, _length(NO_LENGTH if value is None else len(value)), value or b""]
    return b"".join(parts)


def as_bytes(part: Any, what: str) -> Optional[bytes]:
    if part is None or type(part) is bytes:
        return part
    if isinstance(part, (bytes, bytearray, memoryview)):
        return bytes(part)
    raise TypeError(f"Not supported type for {what}: {type(part)}")


def as_int(number: Any, what: str) -> int:
    try:
        return operator.index(number)
    except TypeError:
        raise TypeError(f"{what} has to be an int, not {number!r}") from None


def as_timestamp(number: Any, what: str) -> int:
    if type(number) is not int:
        raise TypeError(f"{what} has to be an int, not {number!r}")
    if not 0 <= number <= _LARGEST:
        raise InvalidTimestampError(f"{what} is 0 to {_LARGEST} milliseconds since the epoch, not {number}")
    return number


def as_header(header: Any) -> tuple[bytes, Optional[bytes]]:
    try:
        key, value = header
    except (TypeError, ValueError):
        raise TypeError(f"headers have to be pairs of a str and bytes or None, not {header!r}") from None
    if not isinstance(key, str):
        raise TypeError(f"a key in headers has to be a str, not {key!r}")
    return key.encode(), as_bytes(value, "header")


def _measure(parts: Sequence[Optional[bytes]]) -> tuple[list[int], list[int], Any]:
    """The lengths as the library wants them, with NO_LENGTH for None; their sizes in bytes; and what there is of
    them."""
    try:
        sizes = list(map(len, parts))  # type: ignore[arg-type]
        return sizes, sizes, parts
    except TypeError:
        lengths = [NO_LENGTH if part is None else len(part) for part in parts]
        return lengths, [max(length, 0) for length in lengths], [part or b"" for part in parts]
