"""Batches that wait until their partition takes them.

The library takes a batch within a call that the loop makes when it is the sender's turn. So a sender that is cancelled
or whose time is over has either not been taken, or has its outcome already.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from typing import Callable, Optional

from . import _library
from ._driver import Driver
from .errors import KafkaTimeoutError

_FULL = (_library.QUEUE_FULL, _library.REPORT_QUEUE_FULL)


class _Place:
    """A sender in a line."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._turn: asyncio.Future[None] = loop.create_future()
        self._error: Optional[Exception] = None

    async def turn(self) -> None:
        """Waits for `call()`, or raises what it was dismissed with."""
        await self._turn
        if self._error is not None:
            raise copy.copy(self._error)
        self._turn = self._loop.create_future()

    def call(self) -> None:
        if not self._turn.done():
            self._turn.set_result(None)

    def dismiss(self, error: Exception) -> None:
        self._error = error
        self.call()


class Lines:
    """One for each partition that has no room, in the order in which the senders came."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._lines: dict[tuple[int, int], deque[_Place]] = {}
        self.full_of_reports = False
        """Whether taking reports makes room, which no entry tells."""

    async def take(self, partition: tuple[int, int], attempt: Callable[[], int], deadline: float) -> int:
        """Makes the attempt when it is the sender's turn, again as long as there is no room, and gives its code. When
        this raises, also for being cancelled, none has succeeded."""
        line = self._lines.get(partition)
        if line is None:
            code = self._attempt(attempt)
            if code not in _FULL:
                return code
            line = self._lines[partition] = deque()
        loop = self._driver.loop
        place = _Place(loop)
        line.append(place)
        alarm = loop.call_at(deadline, place.dismiss, too_late())
        try:
            while True:
                await place.turn()
                code = self._attempt(attempt)
                if code not in _FULL:
                    return code
        finally:
            alarm.cancel()
            line.remove(place)
            if line:
                # The library tells of room whoever was refused, which the next one was not yet.
                line[0].call()
            else:
                del self._lines[partition]

    def _attempt(self, attempt: Callable[[], int]) -> int:
        code = attempt()
        if code == _library.REPORT_QUEUE_FULL:
            self.full_of_reports = True
        return code

    def call(self) -> None:
        """The library may have room."""
        self.full_of_reports = False
        for line in self._lines.values():
            line[0].call()

    def dismiss(self, error: Exception) -> None:
        """Ends the waiting of all senders."""
        for line in self._lines.values():
            for place in line:
                place.dismiss(error)


def too_late() -> KafkaTimeoutError:
    return KafkaTimeoutError("there was no room for the batch in time, so it will not be sent")
