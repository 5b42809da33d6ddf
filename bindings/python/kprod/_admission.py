"""Whether a record may be sent now: the producer's state, and the topic's metadata."""

from __future__ import annotations

import asyncio
import copy
import functools
from typing import Callable, NamedTuple, Optional

from ._driver import Driver
from ._failures import exception
from ._library import AUTHENTICATION_FAILED, CLOSED
from ._outgoing import Outgoing
from .errors import (
    IllegalOperation,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    KafkaProtocolError,
    KafkaTimeoutError,
)

Topic = tuple[int, int]
"""The topic's handle and the number of its partitions."""
Reason = Callable[[], Exception]


def _not_started() -> Exception:
    return IllegalStateError("the producer is not started: await start() first")


def _is_closed() -> Exception:
    return exception(CLOSED, "the producer is stopped")


class _Lookup(NamedTuple):
    answer: asyncio.Future[int]
    deadline: float
    """When the library gives up."""


class Admission:
    def __init__(self, driver: Driver, outgoing: Outgoing) -> None:
        self.open: dict[str, int] = {}
        """The handles of the topics to which records may be sent at once: of the known ones, or none. It stays the same
        object."""
        self.known: dict[str, Topic] = {}
        """By their names. It stays the same object."""
        self._reason: Optional[Reason] = _not_started
        # Whether the reason stays for good.
        self._is_final = False
        # Counts the times in which sending was allowed: with transactions, those.
        self._era = 0
        self._driver = driver
        self._outgoing = outgoing
        self._lookups: dict[str, _Lookup] = {}

    def allow(self) -> None:
        if self._is_final or self._reason is None:
            return
        self._reason = None
        self._era += 1
        self.open.update({name: handle for name, (handle, _) in self.known.items()})

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

    def recount(self, topic: str) -> int:
        """The partitions of a known topic, which may have got more since."""
        handle, count = self.known[topic]
        try:
            now = self._driver.partition_count(handle)
        except KafkaError:
            return count
        if now != count:
            self.known[topic] = (handle, now)
        return now

    async def look_up(self, topic: str, deadline: float) -> Topic:
        """Asks for the topic's partitions, once for all that want to know. Each waits until its own deadline."""
        if not isinstance(topic, str):
            raise TypeError(f"topic has to be a str, not {topic!r}")
        handle = self._driver.topic(topic)
        try:
            known = (handle, await self._count(topic, handle, deadline))
        except KafkaError as error:
            if not _is_out_of_reach(error):
                raise
            late = KafkaTimeoutError(f"there is no metadata of topic {topic}: {error}")
            late.code, late.retriable = error.code, error.retriable
            raise late from error
        self.known[topic] = known
        if self._reason is None:
            self.open[topic] = handle
        return known

    async def _count(self, topic: str, handle: int, deadline: float) -> int:
        while True:
            lookup = self._lookups.get(topic) or self._begin_lookup(topic, handle)
            timeout = max(deadline - self._driver.loop.time(), 0)
            done, _ = await asyncio.wait([lookup.answer], timeout=timeout)
            if not done:
                self._driver.check_alive()
                return self._driver.partition_count(handle)
            error = lookup.answer.exception()
            if error is None:
                return lookup.answer.result()
            if lookup.deadline >= deadline:
                raise copy.copy(error)
            # It was begun for a call before, whose time is up.

    def _begin_lookup(self, topic: str, handle: int) -> _Lookup:
        count = self._driver.operation(self._driver.library.kprod_partitions_for_async, handle)
        lookup = _Lookup(count, self._driver.loop.time() + self._driver.max_block)
        self._lookups[topic] = lookup
        count.add_done_callback(functools.partial(self._looked_up, topic))
        return lookup

    def _looked_up(self, topic: str, count: asyncio.Future[int]) -> None:
        self._lookups.pop(topic, None)
        # All that wanted to know may have given up: then nobody else looks at the exception.
        if not count.cancelled():
            count.exception()


def _is_out_of_reach(error: KafkaError) -> bool:
    """Whether no broker has said anything of the topic. What one says is told as it is."""
    return isinstance(error, (KafkaConnectionError, KafkaProtocolError)) or error.code == AUTHENTICATION_FAILED
