"""Records on their way into the library: gathered during a turn of the event loop, handed over together.

A record is accepted when it is in `pending`, which is then bounded by the turn's size. What the library has no room
for stays there, in order, until there is.
"""

from __future__ import annotations

import asyncio
import ctypes
from array import array
from collections import deque
from collections.abc import Iterable
from ctypes import byref, c_char_p, c_int32, c_void_p
from itertools import accumulate
from typing import Any, Optional

from . import _library
from ._driver import Driver, fail
from ._failures import exception
from .errors import KafkaTimeoutError

TURN = 512
"""Records that are handed over at once. Then a sender waits for its next turn, so that others have theirs."""
SMALL = 4096
"""Bytes of a record that may wait for the end of the turn: that bounds what `pending` holds."""

# kprod_record_t and kprod_header_t in 64-bit words.
_RECORD_WORDS, _HEADER_WORDS = 13, 4
_HEADER_SIZE = 8 * _HEADER_WORDS
_KEY, _KEY_LENGTH, _VALUE, _VALUE_LENGTH, _HEADERS, _COUNT_AND_PARTITION, _TIMESTAMP, _TAG, _TOPIC = range(9)

_MINUS_ONE = memoryview(array("q", [-1] * TURN))
_NO_HEADERS = memoryview(array("i", [0] * TURN))

Headers = list[tuple[bytes, Optional[bytes]]]
Record = tuple["asyncio.Future[Any]", int, int, Optional[bytes], Optional[bytes], int, Optional[Headers]]
"""Future, topic handle, partition or -1, key, value, timestamp or -1, headers."""


class Outgoing:
    def __init__(self, driver: Driver) -> None:
        self.room = TURN
        """How many records may be added without waiting."""
        self.pending: list[Record] = []
        """Accepted, and not in the library yet."""
        self._driver = driver
        self._scheduled = False
        self._full = self._full_of_reports = False
        # Senders that wait for their turn, in order, each with the time at which it gives up.
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._alarm: Optional[asyncio.TimerHandle] = None
        self._emptied: list[asyncio.Future[None]] = []
        self._records = (ctypes.c_uint64 * (TURN * _RECORD_WORDS))()
        # All zero but for the columns that _describe writes.
        words = memoryview(self._records).cast("B")
        self._words, self._halves = words.cast("q"), words.cast("i")
        driver.on_writable = self._writable
        driver.on_polled = self._polled

    def add(self, record: Record) -> None:
        """Accepts a small record."""
        self.pending.append(record)
        self.room -= 1
        if not self._scheduled:
            self._schedule()

    def add_now(self, record: Record) -> None:
        """Accepts a record of any size, and hands it over at once with those before it. If the library refuses it, its
        future has the reason."""
        self.pending.append(record)
        self.room -= 1
        self.hand_over()

    async def turn(self) -> None:
        """Waits until it is a sender's turn. When it raises, also for being cancelled, it has changed nothing."""
        loop = self._driver.loop
        future = loop.create_future()
        self._waiting.append((loop.time() + self._driver.max_block, future))
        self.room = 0
        if self._full:
            self._set_alarm()
        elif not self._scheduled:
            self._schedule()
        await future

    async def empty(self) -> None:
        """Waits until the library has all that was accepted."""
        self.hand_over()
        if self.pending:
            future = self._driver.loop.create_future()
            self._emptied.append(future)
            await future

    def fail(self, error: Exception) -> None:
        """Refuses what the library has not got, and wakes who waits, to learn why."""
        if self._driver.loop.is_closed():
            return
        records = list(self.pending)
        self.pending.clear()
        for record in records:
            fail(record[0], error)
        emptied, self._emptied = self._emptied, []
        for future in emptied:
            _wake(future)
        self.dismiss()

    def dismiss(self) -> None:
        """Wakes all senders that wait, to learn that there is nothing to wait for."""
        waiting, self._waiting = self._waiting, deque()
        for _, future in waiting:
            _wake(future)

    def _schedule(self) -> None:
        self._scheduled = True
        self._driver.loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self.hand_over()
        self._let_in()

    def _let_in(self) -> None:
        """Wakes as many senders as there is room for. Some may have been cancelled meanwhile, so there is another turn
        as long as any wait."""
        self.room = 0 if self._full else TURN - len(self.pending)
        while self._waiting and self.room > 0:
            _wake(self._waiting.popleft()[1])
            self.room -= 1
        if self._waiting:
            self.room = 0
            if self._full:
                self._set_alarm()
            elif not self._scheduled:
                self._schedule()

    def _set_alarm(self) -> None:
        """For the first of those that wait until the library has room, which may take long."""
        if self._alarm is None:
            self._alarm = self._driver.loop.call_at(self._waiting[0][0], self._time_is_up)

    def _time_is_up(self) -> None:
        self._alarm = None
        now = self._driver.loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            error = KafkaTimeoutError("there was no room in buffer.memory in time, so the record will not be sent")
            fail(self._waiting.popleft()[1], error)
        if self._waiting:
            self._set_alarm()

    def _writable(self) -> None:
        self._full = self._full_of_reports = False
        self._turn()

    def _polled(self) -> None:
        if self._full_of_reports:
            self._writable()

    def hand_over(self) -> None:
        """Gives the library what is pending, as far as it has room."""
        pending = self.pending
        start = 0
        while start < len(pending) and not self._full and self._driver.handle:
            start += self._hand_over_some(pending[start : start + TURN])
        if start:
            del pending[:start]
        if not pending and self._emptied:
            emptied, self._emptied = self._emptied, []
            for future in emptied:
                _wake(future)

    def _hand_over_some(self, records: list[Record]) -> int:
        """How many of them are settled: accepted by the library, or refused."""
        driver = self._driver
        count = len(records)
        tag = driver.next_tag
        futures = [record[0] for record in records]
        kept = self._describe(records, tag)
        why = c_int32()
        accepted = driver.library.kprod_send_many(driver.handle, self._records, count, byref(why))
        del kept
        if accepted < 0:
            accepted, code = 0, accepted
        else:
            code = why.value
        if accepted:
            driver.futures.update(zip(range(tag, tag + accepted), futures))
            driver.next_tag = tag + accepted
        if code == _library.OK:
            return count
        if code == _library.QUEUE_FULL:
            self._full = True
            return int(accepted)
        if code == _library.REPORT_QUEUE_FULL:
            # Taking reports, which there are, ends this.
            self._full = self._full_of_reports = True
            return int(accepted)
        error = exception(code)
        if code == _library.FATAL:
            error = driver.fatal_error()
            driver.on_trouble(error, _library.FLAG_FATAL)
        fail(futures[accepted], error)
        return int(accepted) + 1

    def _describe(self, records: list[Record], tag: int) -> Any:
        """Writes the array of kprod_record_t, column by column, for that is what Python is quick at. What is returned
        has to live until the array has been used."""
        count = len(records)
        end = count * _RECORD_WORDS
        words = self._words
        _, topics, partitions, keys, values, timestamps, headers = zip(*records)
        value_lengths, lengths = _lengths(values)
        if keys.count(None) == count:
            data = b"".join(_bytes(values, value_lengths))
            words[_KEY_LENGTH:end:_RECORD_WORDS] = _MINUS_ONE[:count]
            starts = array("q", accumulate(lengths, initial=_address(data)))
            words[_VALUE:end:_RECORD_WORDS] = starts[:count]
        else:
            key_lengths, sizes = _lengths(keys)
            words[_KEY_LENGTH:end:_RECORD_WORDS] = key_lengths
            data = b"".join([*_bytes(keys, key_lengths), *_bytes(values, value_lengths)])
            starts = array("q", accumulate([*sizes, *lengths], initial=_address(data)))
            words[_KEY:end:_RECORD_WORDS] = starts[:count]
            words[_VALUE:end:_RECORD_WORDS] = starts[count : 2 * count]
        words[_VALUE_LENGTH:end:_RECORD_WORDS] = value_lengths
        words[_TIMESTAMP:end:_RECORD_WORDS] = array("q", timestamps)
        words[_TAG:end:_RECORD_WORDS] = array("q", range(tag, tag + count))
        words[_TOPIC:end:_RECORD_WORDS] = array("q", topics)
        halves = self._halves
        halves[2 * _COUNT_AND_PARTITION + 1 : 2 * end : 2 * _RECORD_WORDS] = array("i", partitions)
        if headers.count(None) == count:
            halves[2 * _COUNT_AND_PARTITION : 2 * end : 2 * _RECORD_WORDS] = _NO_HEADERS[:count]
            return data
        counts = [len(of_record or ()) for of_record in headers]
        array_of_headers, kept = _describe_headers(
            [header for of_record in headers if of_record for header in of_record]
        )
        places = accumulate(counts[:-1], lambda place, before: place + before * _HEADER_SIZE, initial=array_of_headers)
        words[_HEADERS:end:_RECORD_WORDS] = array("q", places)
        halves[2 * _COUNT_AND_PARTITION : 2 * end : 2 * _RECORD_WORDS] = array("i", counts)
        return data, kept


def _describe_headers(headers: Headers) -> tuple[int, Any]:
    """The address of an array of kprod_header_t, and what has to live as long as it is used."""
    keys, values = zip(*headers)
    key_lengths, sizes = _lengths(keys)
    value_lengths, more_sizes = _lengths(values)
    data = b"".join([*keys, *_bytes(values, value_lengths)])
    starts = list(accumulate([*sizes, *more_sizes], initial=_address(data)))
    described = array("q", bytes(len(headers) * _HEADER_SIZE))
    described[0::_HEADER_WORDS] = array("q", starts[: len(headers)])
    described[1::_HEADER_WORDS] = key_lengths
    described[2::_HEADER_WORDS] = array("q", starts[len(headers) : -1])
    described[3::_HEADER_WORDS] = value_lengths
    return described.buffer_info()[0], (data, described)


def _lengths(parts: tuple[Optional[bytes], ...]) -> tuple[array[int], list[int]]:
    """As the library wants them, with -1 for None, and as they are."""
    try:
        lengths = list(map(len, parts))  # type: ignore[arg-type]
        return array("q", lengths), lengths
    except TypeError:
        pass
    return array("q", [-1 if part is None else len(part) for part in parts]), [len(part or b"") for part in parts]


def _bytes(parts: tuple[Optional[bytes], ...], lengths: array[int]) -> Iterable[bytes]:
    return [part or b"" for part in parts] if -1 in lengths else parts  # type: ignore[return-value]


def _address(data: bytes) -> int:
    return ctypes.cast(c_char_p(data), c_void_p).value or 0


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
