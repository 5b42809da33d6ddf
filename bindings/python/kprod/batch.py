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
from ._lines import Lines
from ._packed import as_bytes, as_header, as_timestamp
from .errors import IllegalOperation
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
        # While it waits to be accepted, and once it is.
        self._is_with_library = False

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
        if self._is_with_library:
            raise _is_being_sent()
        key_bytes, value_bytes = as_bytes(key, "key"), as_bytes(value, "value")
        described = list(map(as_header, headers or ()))
        record, array = self._record, (Header * len(described))()
        record.timestamp_ms = timestamp
        record.key, record.key_len = _part(key_bytes)
        record.value, record.value_len = _part(value_bytes)
        record.headers, record.header_count = cast(array, c_void_p), len(described)
        for place, (name, of_header) in zip(array, described):
            place.key, place.key_len = _part(name)
            place.value, place.value_len = _part(of_header)
        appended = BatchAppend()
        code = self._library.kprod_batch_append(self._handle, byref(record), byref(appended))
        if code == _library.BATCH_FULL:
            self._closed = True
            return None
        self._driver.check(code)
        return BatchRecord(appended.offset, appended.size, appended.timestamp_ms)

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

    async def _send(
        self, lines: Lines, topic: int, partition: int, deadline: float
    ) -> asyncio.Future[RecordMetadata]:
        """Waits until the batch is accepted. When it raises, also for being cancelled, it will not be sent."""
        if self._is_with_library:
            raise _is_being_sent()
        self._is_with_library = True
        driver = self._driver

        def attempt() -> int:
            driver.check_alive()
            send = self._library.kprod_try_send_batch
            return int(send(driver.handle, self._handle, topic, partition, driver.next_tag))

        try:
            code = await lines.take((topic, partition), attempt, deadline)
            if code != _library.OK:
                raise driver.refusal(code)
        except BaseException:
            self._is_with_library = False
            raise
        self._closed = True
        return driver.accepted()


def _is_being_sent() -> Exception:
    return IllegalOperation("the batch is sent already, or on its way")


def _part(part: Optional[bytes]) -> tuple[Optional[c_void_p], int]:
    if part is None:
        return None, _library.NO_LENGTH
    return cast(c_char_p(part), c_void_p), len(part)
