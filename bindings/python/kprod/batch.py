"""Batches that the program fills itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from ctypes import byref, c_char_p, c_void_p, cast
from typing import Any, Callable, NamedTuple, Optional

from . import _library
from ._driver import Driver
from ._failures import exception
from ._library import BatchAppend, Header, Record
from ._packed import as_bytes, as_header, as_timestamp
from .errors import IllegalOperation, KafkaError
from .structs import RecordMetadata


class BatchRecord(NamedTuple):
    """What ``append()`` tells of the record."""

    offset: int
    """Its place in the batch: 0 for the first."""
    size: int
    """The bytes that it takes."""
    timestamp: int

    @property
    def crc(self) -> None:
        """Of records there is none since Kafka 0.11."""
        return None


_Content = tuple[int, Optional[bytes], Optional[bytes], list[tuple[bytes, Optional[bytes]]]]
"""A record's timestamp, key, value and headers."""


class BatchBuilder:
    """Made by ``create_batch()``, filled with ``append()``, sent by ``send_batch()``."""

    def __init__(
        self,
        driver: Driver,
        key_serializer: Optional[Callable[[Any], Optional[bytes]]],
        value_serializer: Optional[Callable[[Any], Optional[bytes]]],
    ) -> None:
        self._library = driver.library
        self._driver = driver
        self._key_serializer = key_serializer
        self._value_serializer = value_serializer
        self._handle = driver.create_batch()
        self._record = Record()
        self._library.kprod_record_init(byref(self._record))
        self._closed = False
        # What it holds, to be filled in again; None while it is being sent and afterwards.
        self._content: Optional[list[_Content]] = []

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            self._library.kprod_batch_free(handle)

    def append(
        self,
        *,
        timestamp: Optional[int],
        key: Optional[Any],
        value: Optional[Any],
        headers: Optional[Iterable[tuple[str, Optional[bytes]]]] = (),
    ) -> Optional[BatchRecord]:
        """Adds a record; None: it has no room and the batch is closed now, or was closed or sent before.

        Arguments:
            timestamp: milliseconds since the epoch, or None: now
            key: bytes, what the producer's ``key_serializer`` makes bytes of, or None
            value: as the key
            headers: pairs of a name and bytes or None
        """
        if self._closed:
            return None
        if timestamp is None:
            timestamp = int(time.time() * 1000)
        else:
            timestamp = as_timestamp(timestamp, "timestamp")
        if self._key_serializer is not None:
            key = self._key_serializer(key)
        if self._value_serializer is not None:
            value = self._value_serializer(value)
        if self._content is None:
            raise _is_being_sent()
        record = (timestamp, as_bytes(key, "key"), as_bytes(value, "value"), list(map(as_header, headers or ())))
        appended = BatchAppend()
        code = self._fill(record, appended)
        if code == _library.BATCH_FULL:
            self._closed = True
            return None
        if code != _library.OK:
            raise exception(code)
        self._content.append(record)
        return BatchRecord(appended.offset, appended.size, appended.timestamp_ms)

    def _fill(self, content: _Content, appended: BatchAppend) -> int:
        timestamp, key, value, headers = content
        record, array = self._record, (Header * len(headers))()
        record.timestamp_ms = timestamp
        record.key, record.key_len = _part(key)
        record.value, record.value_len = _part(value)
        record.headers, record.header_count = cast(array, c_void_p), len(headers)
        for place, (name, of_header) in zip(array, headers):
            place.key, place.key_len = _part(name)
            place.value, place.value_len = _part(of_header)
        return int(self._library.kprod_batch_append(self._handle, byref(record), byref(appended)))

    def close(self) -> None:
        """Ends the adding. A batch that is sent while it is open may be added to by ``send()``."""
        if not self._closed:
            self._driver.check(self._library.kprod_batch_close(self._handle))
            self._closed = True

    def closed(self) -> bool:
        return self._closed

    def size(self) -> int:
        """Its bytes before compression, with the 61 of its header."""
        return self._number(self._library.kprod_batch_size)

    def record_count(self) -> int:
        return self._number(self._library.kprod_batch_record_count)

    def _number(self, ask: Callable[[Any], int]) -> int:
        number = ask(self._handle)
        if number < 0:
            raise exception(number)
        return int(number)

    async def _send(self, topic: int, partition: int) -> asyncio.Future[RecordMetadata]:
        """Waits until the batch is accepted. When it raises, also for being cancelled, it will not be sent."""
        if self._content is None:
            raise _is_being_sent()
        content, self._content = self._content, None
        tag, outcome = self._driver.expect()
        try:
            send = self._library.kprod_send_batch_async
            await self._accepted(self._driver.operation(send, self._handle, topic, partition, tag), content)
        except BaseException:
            self._driver.futures.pop(tag, None)
            self._content = content
            if outcome.done():
                # The caller never gets it, and asyncio would say that nobody has looked at it.
                outcome.exception()
            raise
        self._closed = True
        return outcome

    async def _accepted(self, accepted: asyncio.Future[int], content: list[_Content]) -> None:
        cancelled: Optional[asyncio.CancelledError] = None
        while not accepted.done():
            try:
                await asyncio.wait([accepted])
            except asyncio.CancelledError as error:
                if cancelled is None:
                    self._replace(content)
                cancelled = error
        if cancelled is not None and accepted.exception() is not None:
            raise cancelled
        accepted.result()

    def _replace(self, content: list[_Content]) -> None:
        """The library takes back a batch that is not accepted yet only by freeing it, and its answer tells whether that
        was in time. Another with the same content takes its place."""
        handle, self._handle = self._handle, c_void_p()
        self._library.kprod_batch_free(handle)
        try:
            self._handle = self._driver.create_batch()
            for record in content:
                self._driver.check(self._fill(record, BatchAppend()))
            if self._closed:
                self._driver.check(self._library.kprod_batch_close(self._handle))
        except KafkaError:
            # A producer that has ended makes none, and says so to whoever sends it. Half a batch is none.
            self._library.kprod_batch_free(self._handle)
            self._handle = c_void_p()


def _is_being_sent() -> Exception:
    return IllegalOperation("the batch is sent already, or on its way")


def _part(part: Optional[bytes]) -> tuple[Optional[c_void_p], int]:
    if part is None:
        return None, _library.NO_LENGTH
    return cast(c_char_p(part), c_void_p), len(part)
