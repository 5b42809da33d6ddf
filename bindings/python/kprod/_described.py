"""The array of kprod_record_t that the library is given, written column by column, for that is what Python is quick
at."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Sequence
from ctypes import c_char_p, c_void_p
from itertools import accumulate
from typing import Any, Optional

from ._library import NO_LENGTH

# kprod_record_t and kprod_header_t in 64-bit words.
_WORDS, _HEADER_WORDS = 13, 4
_HEADER_SIZE = 8 * _HEADER_WORDS
_KEY, _KEY_LENGTH, _VALUE, _VALUE_LENGTH, _HEADERS, _COUNT_AND_PARTITION, _TIMESTAMP, _TAG, _TOPIC = range(9)
# Its halves.
_HEADER_COUNT, _PARTITION = 2 * _COUNT_AND_PARTITION, 2 * _COUNT_AND_PARTITION + 1

UNASSIGNED = -1
NOW = -1

Headers = list[tuple[bytes, Optional[bytes]]]
Extra = tuple[Optional[bytes], int, int, Optional[Headers]]
"""A record's key, its partition or UNASSIGNED, its time or NOW, and its headers."""
_NO_EXTRA: Extra = (None, UNASSIGNED, NOW, None)


class Described:
    def __init__(self, capacity: int) -> None:
        self.records = (ctypes.c_uint64 * (capacity * _WORDS))()
        self._capacity = capacity
        self._words = memoryview(self.records).cast("B").cast("l")
        self._halves = memoryview(self.records).cast("B").cast("i")
        self._minus_ones = _words([-1] * capacity)
        self._minus_one_halves = _halves([-1] * capacity)
        self._no_headers = _halves([0] * capacity)
        # What the records point into.
        self._kept: Any = None

    def write(self, tag: int, topics: list[int], values: list[Optional[bytes]], extras: dict[int, Extra]) -> int:
        """Describes as many records as there is place for, with tags from `tag` on. Until `release` they are good."""
        count = min(len(values), self._capacity)
        if count < len(values):
            topics, values = topics[:count], values[:count]
        end = count * _WORDS
        words, halves = self._words, self._halves
        if extras:
            keys = self._write_extras([extras.get(place, _NO_EXTRA) for place in range(count)])
        else:
            keys = []
            words[_KEY_LENGTH:end:_WORDS] = words[_TIMESTAMP:end:_WORDS] = self._minus_ones[:count]
            halves[_PARTITION : 2 * end : 2 * _WORDS] = self._minus_one_halves[:count]
            halves[_HEADER_COUNT : 2 * end : 2 * _WORDS] = self._no_headers[:count]
        lengths, sizes = _lengths(values)
        data = b"".join([*keys, *_present(values)] if keys else _present(values))
        starts = _words(list(accumulate([*map(len, keys), *sizes] if keys else sizes, initial=_address(data))))
        self._kept = (data, self._kept)
        if keys:
            words[_KEY:end:_WORDS] = starts[:count]
        words[_VALUE:end:_WORDS] = starts[-1 - count : -1]
        words[_VALUE_LENGTH:end:_WORDS] = lengths
        words[_TAG:end:_WORDS] = _words(range(tag, tag + count))
        words[_TOPIC:end:_WORDS] = _words(topics)
        return count

    def release(self) -> None:
        self._kept = None

    def _write_extras(self, extras: list[Extra]) -> list[bytes]:
        """All but the keys' places; the keys, with nothing for None."""
        count = len(extras)
        end = count * _WORDS
        keys, partitions, timestamps, headers = zip(*extras)
        lengths, _ = _lengths(keys)
        self._words[_KEY_LENGTH:end:_WORDS] = lengths
        self._words[_TIMESTAMP:end:_WORDS] = _words(timestamps)
        self._halves[_PARTITION : 2 * end : 2 * _WORDS] = _halves(partitions)
        counts = [len(of_record or ()) for of_record in headers]
        self._halves[_HEADER_COUNT : 2 * end : 2 * _WORDS] = _halves(counts)
        if any(counts):
            start, self._kept = _describe_headers([header for of_record in headers for header in of_record or ()])
            places = accumulate([_HEADER_SIZE * of_record for of_record in counts[:-1]], initial=start)
            self._words[_HEADERS:end:_WORDS] = _words(list(places))
        return _present(keys)


def as_bytes(part: Any, what: str) -> Optional[bytes]:
    if part is None or type(part) is bytes:
        return part
    if isinstance(part, (bytes, bytearray, memoryview)):
        return bytes(part)
    raise TypeError(f"Not supported type for {what}: {type(part)}")


def _describe_headers(headers: Headers) -> tuple[int, Any]:
    """The address of an array of kprod_header_t, and what has to live as long as it is used."""
    keys, values = zip(*headers)
    key_lengths, key_sizes = _lengths(keys)
    value_lengths, value_sizes = _lengths(values)
    data = b"".join([*keys, *_present(values)])
    starts = list(accumulate([*key_sizes, *value_sizes], initial=_address(data)))
    described = bytearray(len(headers) * _HEADER_SIZE)
    words = memoryview(described).cast("l")
    words[0::_HEADER_WORDS] = _words(starts[: len(headers)])
    words[1::_HEADER_WORDS] = key_lengths
    words[2::_HEADER_WORDS] = _words(starts[len(headers) : -1])
    words[3::_HEADER_WORDS] = value_lengths
    return ctypes.addressof(ctypes.c_char.from_buffer(described)), (data, described)


def _lengths(parts: Sequence[Optional[bytes]]) -> tuple[memoryview, list[int]]:
    """As the library wants them, with NO_LENGTH for None, and in bytes."""
    try:
        sizes = list(map(len, parts))  # type: ignore[arg-type]
        return _words(sizes), sizes
    except TypeError:
        lengths = [NO_LENGTH if part is None else len(part) for part in parts]
        return _words(lengths), [max(length, 0) for length in lengths]


def _present(parts: Sequence[Optional[bytes]]) -> list[bytes]:
    return [part or b"" for part in parts]


# Of the ways from Python's numbers to C's, struct is the quickest by far.
def _words(numbers: Sequence[int]) -> memoryview:
    return memoryview(struct.pack(f"{len(numbers)}l", *numbers)).cast("l")


def _halves(numbers: Sequence[int]) -> memoryview:
    return memoryview(struct.pack(f"{len(numbers)}i", *numbers)).cast("i")


def _address(data: bytes) -> int:
    return ctypes.cast(c_char_p(data), c_void_p).value or 0
