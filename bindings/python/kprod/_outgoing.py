"""Records on their way into the library: gathered during a turn of the event loop, handed over together.

A record is accepted when it is in the columns, which hold a turn's records at most. What the library has no room for
stays there, in order, until there is.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from ctypes import byref, c_int32
from functools import partial
from itertools import repeat, starmap
from typing import Any, Optional

from . import _library
from ._driver import Driver, fail
from ._lines import Lines, too_late
from ._packed import Extra, Pack
from .errors import KafkaTimeoutError

TURN = 512
"""Records that are handed over at once. Then a sender waits for its next turn, so that others have theirs."""
_BUNCH = 32
"""Futures that are made at once. The garbage collector runs when so many more objects were made than freed: a program
that frees old futures while it gets new ones never calls it, unless many are made ahead."""
SMALL = 4096
"""Bytes of a record that may wait for the end of the turn: that bounds what the columns hold."""

Slot = asyncio.Future[Any]
"""A record's future, made beforehand: who has none may not add a record."""


class Outgoing:
    def __init__(self, driver: Driver) -> None:
        # The columns. A record whose value is all there is to it adds to these three, else to `extras` as well, by its
        # place. The lists stay the same objects.
        self.futures: list[Slot] = []
        self.topics: list[int] = []
        self.values: list[Optional[bytes]] = []
        self.extras: dict[int, Extra] = {}
        self.slots: list[Slot] = []
        # How many more slots this turn may have.
        self._room = TURN
        self.scheduled = False
        self._driver = driver
        self._new_slot = partial(asyncio.Future, loop=driver.loop)
        self._full = self._full_of_reports = False
        # Senders that wait for a slot, in order, each with the time at which it gives up.
        self._waiting: deque[tuple[float, asyncio.Future[Slot]]] = deque()
        self._alarm: Optional[asyncio.TimerHandle] = None
        # Whose sender waits for what hand_over() says of it.
        self._asked: Optional[Slot] = None
        self._emptied: list[asyncio.Future[None]] = []
        # Why nothing goes out any more, for good: then there is nothing to wait for.
        self._ended: Optional[Exception] = None
        self._pack = Pack(TURN)
        self.batches = Lines(driver)
        driver.on_writable = self._writable
        driver.on_polled = self._polled

    def schedule(self) -> None:
        """Has the records handed over at the end of this turn."""
        self.scheduled = True
        self._driver.loop.call_soon(self._turn)

    def add(self, slot: Slot, topic: int, value: Optional[bytes], extra: Optional[Extra], now: bool) -> None:
        """Accepts a record; `now` hands it over, and all before it, at once. If the library refuses it then, the slot
        has the reason."""
        self._check()
        if extra is not None:
            self.extras[len(self.values)] = extra
        self.futures.append(slot)
        self.topics.append(topic)
        self.values.append(value)
        if now:
            self._asked = slot
            self.hand_over()
            self._asked = None
        elif not self.scheduled:
            self.schedule()

    def more_slots(self) -> list[Slot]:
        """The slots, with more of them if this turn has room and nobody waits for one."""
        if not self._waiting:
            self._make_slots()
        return self.slots

    async def turn(self, deadline: float) -> Slot:
        """Waits until it is a sender's turn, for room until the deadline. When it raises, also for being cancelled, it
        has changed nothing."""
        self._check()
        loop = self._driver.loop
        future: asyncio.Future[Slot] = loop.create_future()
        # The times stay in order, for one alarm; who has waited for something else before needs one of its own.
        last = self._waiting[-1][0] if self._waiting else deadline
        alarm = loop.call_at(deadline, fail, future, _no_room()) if deadline < last else None
        self._waiting.append((max(deadline, last), future))
        if self._full:
            self._set_alarm()
        elif not self.scheduled:
            self.schedule()
        try:
            return await future
        finally:
            if alarm is not None:
                alarm.cancel()

    async def empty(self, deadline: Optional[float] = None) -> None:
        """Waits until the library has all that was accepted, for the sake of a batch until the deadline."""
        self._check()
        self.hand_over()
        if self.values:
            loop = self._driver.loop
            future: asyncio.Future[None] = loop.create_future()
            self._emptied.append(future)
            alarm = None if deadline is None else loop.call_at(deadline, fail, future, too_late())
            try:
                await future
            finally:
                if alarm is not None:
                    alarm.cancel()

    def drop(self, error: Exception) -> None:
        """Refuses what the library has not got."""
        for slot in self.futures:
            fail(slot, error, "no")
        self._drop(len(self.futures))
        self._tell_emptied()

    def end(self, error: Exception) -> None:
        """As `drop()`, and lets nobody in any more. Again is nothing."""
        if self._ended is not None:
            return
        self._ended = error
        if self._driver.loop.is_closed():
            return
        emptied, self._emptied = self._emptied, []
        for future in emptied:
            fail(future, error)
        self.drop(error)
        self.dismiss(error)

    def _check(self) -> None:
        if self._ended is not None:
            raise copy.copy(self._ended)

    def dismiss(self, error: Exception) -> None:
        """Ends the waiting of all senders."""
        waiting, self._waiting = self._waiting, deque()
        for _, future in waiting:
            fail(future, error)
        self.batches.dismiss(error)

    def _turn(self) -> None:
        self.scheduled = False
        self.hand_over()
        self._let_in()

    def _let_in(self) -> None:
        """Gives slots to those that wait, or for whoever comes. Some may have been cancelled meanwhile, so there is
        another turn as long as any wait."""
        self._room = 0 if self._full else TURN - len(self.values) - len(self.slots)
        while self._waiting and (self.slots or self._make_slots()):
            future = self._waiting.popleft()[1]
            if not future.done():
                future.set_result(self.slots.pop())
        if self._waiting:
            if self._full:
                self._set_alarm()
            elif not self.scheduled:
                self.schedule()

    def _make_slots(self) -> list[Slot]:
        count = min(self._room, _BUNCH)
        self._room -= count
        self.slots.extend(starmap(self._new_slot, repeat((), count)))
        return self.slots

    def _set_alarm(self) -> None:
        """For the first of those that wait until the library has room, which may take long."""
        if self._alarm is None:
            self._alarm = self._driver.loop.call_at(self._waiting[0][0], self._time_is_up)

    def _time_is_up(self) -> None:
        self._alarm = None
        now = self._driver.loop.time()
        while self._waiting and self._waiting[0][0] <= now:
            fail(self._waiting.popleft()[1], _no_room())
        if self._waiting:
            self._set_alarm()

    def _writable(self) -> None:
        self._full = self._full_of_reports = False
        self._turn()
        self.batches.call()

    def _polled(self) -> None:
        if self._full_of_reports:
            self._writable()
        elif self.batches.full_of_reports:
            self.batches.call()

    def hand_over(self) -> None:
        """Gives the library what is pending, as far as it has room."""
        while self.values and not self._full and self._driver.handle:
            self._hand_over_once()
        self._tell_emptied()

    def _tell_emptied(self) -> None:
        if not self.values and self._emptied:
            emptied, self._emptied = self._emptied, []
            for future in emptied:
                if not future.done():
                    future.set_result(None)

    def _hand_over_once(self) -> None:
        driver = self._driver
        tag = driver.next_tag
        try:
            data, count = self._write(tag)
        except Exception as unwritten:
            self._refuse(0, unwritten, _library.FLAG_ABORTABLE)
            return
        why = c_int32()
        send = driver.library.kprod_send_packed
        accepted = send(driver.handle, data, len(data), self._pack.records, count, byref(why))
        code = why.value if accepted >= 0 else accepted
        accepted = max(accepted, 0)
        driver.futures.update(zip(range(tag, tag + accepted), self.futures))
        driver.next_tag = tag + accepted
        if code in (_library.OK, _library.QUEUE_FULL, _library.REPORT_QUEUE_FULL):
            self._drop(accepted)
            self._full = code != _library.OK
            # Taking reports, which there are, ends this; the other is ended by an entry.
            self._full_of_reports = code == _library.REPORT_QUEUE_FULL
            if self._full:
                self.slots.clear()
                self._room = 0
            return
        flags = _library.FLAG_FATAL if code == _library.FATAL else _library.FLAG_ABORTABLE
        self._refuse(accepted, driver.refusal(code), flags)

    def _write(self, tag: int) -> tuple[bytes, int]:
        """Describes the records, or as many of the first as can be: one that cannot must not hold up the others. Raises
        when the very first cannot."""
        topics, values = self.topics, self.values
        while True:
            try:
                return self._pack.write(tag, topics, values, self.extras)
            except Exception:
                if len(values) == 1:
                    raise
                half = len(values) // 2
                topics, values = topics[:half], values[:half]

    def _refuse(self, place: int, error: Exception, flags: int) -> None:
        """The record at this place will not be sent, and those before it are the library's."""
        refused = self.futures[place]
        self._drop(place + 1)
        fail(refused, error, "no")
        # A transaction must not be committed without a record whose sender has its future and may not look at it.
        if refused is not self._asked or flags & _library.FLAG_FATAL:
            self._driver.on_trouble(error, flags)

    def _drop(self, count: int) -> None:
        """Takes the first records out of the columns."""
        del self.futures[:count], self.topics[:count], self.values[:count]
        if self.extras:
            left = {place - count: extra for place, extra in self.extras.items() if place >= count}
            self.extras.clear()
            self.extras.update(left)


def _no_room() -> KafkaTimeoutError:
    return KafkaTimeoutError("there was no room in buffer.memory in time, so the record will not be sent")
