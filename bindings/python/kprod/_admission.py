"""Whether a record may be sent now: the producer's state, and the topic's metadata."""

from __future__ import annotations

import asyncio
import copy
import functools
from typing import Callable, Optional

from ._driver import Driver
from ._failures import exception
from ._library import CLOSED
from ._outgoing import Outgoing
from .errors import IllegalOperation, IllegalStateError

Topic = tuple[int, int]
"""The topic's handle and the number of its partitions."""
Reason = Callable[[], Exception]


def _not_started() -> Exception:
    return IllegalStateError("the producer is not started: await start() first")


def _is_closed() -> Exception:
    return exception(CLOSED, "the producer is stopped")


class Admission:
    def __init__(self, driver: Driver, outgoing: Outgoing) -> None:
        self.open: dict[str, int] = {}
        """The handles of the topics to which records may be sent at once: of the known ones, or none. It stays the same
        object."""
        self._known: dict[str, Topic] = {}
        self._reason: Optional[Reason] = _not_started
        # Whether the reason stays for good.
        self._is_final = False
        # Counts the times in which sending was allowed: with transactions, those.
        self._era = 0
        self._driver = driver
        self._outgoing = outgoing
        self._lookups: dict[str, asyncio.Future[int]] = {}

    def allow(self) -> None:
        if self._is_final or self._reason is None:
            return
        self._reason = None
        self._era += 1
        self.open.update({name: handle for name, (handle, _) in self._known.items()})

    def refuse(self, reason: Reason) -> None:
        """From now on nothing is sent, for this reason."""
        if not self._is_final:
            self._set(reason)

    def fail(self, error: Exception) -> None:
        """Nothing will be sent any more: the producer has failed for good."""
        if not self._is_final:
            self._is_final = True
            self._set(lambda: copy.copy(error))

    def close(self) -> None:
        """Nothing will be sent any more: the producer is being stopped, which is the last that can be said of it."""
        self._is_final = True
        self._set(_is_closed)

    def _set(self, reason: Reason) -> None:
        self._reason = reason
        self.open.clear()
        self._outgoing.dismiss(reason())

    def enter(self) -> int:
        """Whether something may be sent, and when it is: for `check()` before it is, if something was waited for."""
        if self._reason is not None:
            raise self._reason()
        return self._era

    def check(self, era: int) -> None:
        """Whether what has entered may still be sent: what belongs to one transaction goes into no other."""
        if self.enter() != era:
            raise IllegalOperation("the transaction in which it was to be sent has ended meanwhile")

    def check_started(self) -> None:
        """For what needs no more: before, nothing would answer."""
        if self._reason is _not_started:
            raise _not_started()

    async def find(self, topic: str) -> Topic:
        """Waits until the topic is known."""
        known = self._known.get(topic)
        return known if known is not None else await self.look_up(topic)

    async def look_up(self, topic: str) -> Topic:
        """Asks for the topic's partitions, once for all that want to know."""
        if not isinstance(topic, str):
            raise TypeError(f"topic has to be a str, not {topic!r}")
        handle = self._driver.topic(topic)
        lookup = self._lookups.get(topic)
        if lookup is None:
            lookup = self._driver.operation(self._driver.library.kprod_partitions_for_async, handle)
            self._lookups[topic] = lookup
            lookup.add_done_callback(functools.partial(self._looked_up, topic))
        known = (handle, await asyncio.shield(lookup))
        self._known[topic] = known
        if self._reason is None:
            self.open[topic] = handle
        return known

    def _looked_up(self, topic: str, lookup: asyncio.Future[int]) -> None:
        self._lookups.pop(topic, None)
        # All that wanted to know may have given up: then nobody else looks at the exception.
        if not lookup.cancelled():
            lookup.exception()
