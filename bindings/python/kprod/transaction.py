"""The producer's transactions."""

from __future__ import annotations

import asyncio
import copy
import ctypes
from collections.abc import Awaitable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from ctypes import byref
from enum import Enum
from types import TracebackType
from typing import Any, Callable, Optional, Protocol, Union

from . import _library
from ._admission import Admission
from ._driver import Driver
from ._failures import exception
from ._library import ABORTED, GroupMetadata, GroupOffset
from ._outgoing import Outgoing
from ._packed import as_int
from .errors import IllegalOperation, KafkaError, KafkaTimeoutError, ProducerClosed
from .structs import OffsetAndMetadata, TopicPartition

_LARGEST_OFFSET, _LARGEST_PARTITION = (1 << 63) - 1, (1 << 31) - 1


class Partition(Protocol):
    """What TopicPartition has, here and in aiokafka."""

    @property
    def topic(self) -> str: ...

    @property
    def partition(self) -> int: ...


Offsets = Mapping[Partition, Union[int, tuple[int, str], OffsetAndMetadata]]


class State(Enum):
    UNINITIALIZED = "not started"
    READY = "no transaction"
    IN_TRANSACTION = "in a transaction"
    CHANGING = "beginning or ending a transaction"
    ABORTABLE_ERROR = "to be aborted"
    FATAL_ERROR = "failed for good"


class Transactions:
    """Their state, as far as it decides what may be called. The library has the transaction itself."""

    def __init__(self, driver: Driver, outgoing: Outgoing, admission: Admission) -> None:
        self.state = State.UNINITIALIZED
        self._error: Optional[Exception] = None
        self._driver = driver
        self._outgoing = outgoing
        self._admission = admission
        # What goes on although its caller was cancelled.
        self._step: Optional[asyncio.Task[None]] = None
        self._sending: set[asyncio.Task[None]] = set()

    def started(self) -> None:
        if self.state is State.UNINITIALIZED:
            self.state = State.READY
            self._admission.refuse(_outside)

    def has_failed(self) -> bool:
        """Whether the producer is of no more use."""
        return self.state is State.FATAL_ERROR

    def trouble(self, error: Exception, flags: int) -> None:
        """Something failed with what that means for the transaction."""
        if flags & _library.FLAG_FATAL:
            self.state, self._error = State.FATAL_ERROR, error
        elif self.state in (State.IN_TRANSACTION, State.CHANGING):
            self.state, self._error = State.ABORTABLE_ERROR, error
            self._admission.refuse(_outside)

    async def begin(self) -> None:
        await self._settle()
        if self.state is State.ABORTABLE_ERROR:
            error = self._failure()
            raise IllegalOperation(f"the transaction before has failed and has to be aborted first: {error}") from error
        self._enter(State.READY)
        began = self._start(self._begin())
        try:
            await asyncio.shield(began)
        except asyncio.CancelledError:
            # Nobody will end what the caller does not know to have begun.
            if not began.cancelled():
                self._start(self._undo(began))
            raise

    async def commit(self) -> None:
        await self._settle()
        if self.state is State.ABORTABLE_ERROR:
            raise self._failure()
        self._enter(State.IN_TRANSACTION)
        self._admission.refuse(_outside)
        await asyncio.shield(self._start(self._commit()))

    async def abort(self) -> None:
        await self._settle()
        self._enter(State.IN_TRANSACTION, State.ABORTABLE_ERROR)
        self._admission.refuse(_outside)
        await asyncio.shield(self._start(self._abort()))

    def abandon(self) -> None:
        """Nobody will end the transaction any more: unless the commit under way succeeds, it is aborted."""
        if self._step is not None:
            self._start(self._undo(self._step))

    async def send_offsets(self, offsets: Offsets, group_id: str) -> None:
        if self.state is not State.IN_TRANSACTION:
            raise IllegalOperation("Not in the middle of a transaction")
        if not group_id or not isinstance(group_id, str):
            raise ValueError(group_id)
        described, kept = _describe(_checked(offsets))
        group = GroupMetadata()
        self._driver.library.kprod_group_metadata_init(byref(group))
        encoded = group_id.encode()
        group.group_id, group.group_id_len = encoded, len(encoded)
        call = self._driver.library.kprod_send_offsets_to_transaction_async

        async def send() -> None:
            arguments = (described, len(described), byref(group))
            await self._until_done(call, *arguments, wanted=lambda: self.state is State.IN_TRANSACTION)
            del kept[:]

        sending = self._driver.loop.create_task(send())
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        await asyncio.shield(sending)

    async def _settle(self) -> None:
        """An earlier call was cancelled, and what it had begun is not done yet."""
        while self._step is not None and not self._step.done():
            await asyncio.wait([self._step])

    def _enter(self, *allowed: State) -> None:
        """A step begins, which fits only these states."""
        if self.state is State.FATAL_ERROR:
            raise self._failure()
        assert self.state in allowed, f"Invalid state of the transaction: {self.state.value}"
        self.state = State.CHANGING

    def _start(self, step: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        self._step = self._driver.loop.create_task(step)
        self._step.add_done_callback(_look_at)
        return self._step

    async def _begin(self) -> None:
        try:
            await self._until_done(self._driver.library.kprod_begin_transaction_async)
        except BaseException:
            self._leave(State.READY)
            raise
        self._leave(State.IN_TRANSACTION)
        if self.state is State.IN_TRANSACTION:
            self._admission.allow()

    async def _undo(self, step: asyncio.Task[None]) -> None:
        await asyncio.wait([step])
        if self.state not in (State.IN_TRANSACTION, State.ABORTABLE_ERROR):
            return
        self._enter(State.IN_TRANSACTION, State.ABORTABLE_ERROR)
        self._admission.refuse(_outside)
        # If that fails, the state tells the next call.
        with suppress(KafkaError):
            await self._abort()

    async def _commit(self) -> None:
        with self._ending():
            await self._outgoing.empty()
            await self._sent_offsets()
            if self.state is not State.CHANGING:
                raise self._failure()
            await self._until_done(self._driver.library.kprod_commit_transaction_async)

    async def _abort(self) -> None:
        with self._ending():
            self._outgoing.drop(exception(ABORTED, "the transaction was aborted before the record was sent"))
            await self._sent_offsets()
            await self._until_done(self._driver.library.kprod_abort_transaction_async)

    @contextmanager
    def _ending(self) -> Iterator[None]:
        """The state after an end of the transaction, which stays open only to be aborted if that fails."""
        try:
            yield
        except Exception as error:
            if self.state is State.CHANGING:
                self.state, self._error = State.ABORTABLE_ERROR, error
            raise
        except BaseException:
            self._leave(State.IN_TRANSACTION)
            raise
        if not self.has_failed():
            self.state = State.READY

    async def _sent_offsets(self) -> None:
        """Offsets whose sender was cancelled may still be on their way, and nothing else may begin before."""
        if self._sending:
            await asyncio.wait(self._sending)

    def _leave(self, state: State) -> None:
        """A step has ended, and no failure has decided on the state meanwhile."""
        if self.state is State.CHANGING:
            self.state = state

    async def _until_done(
        self, call: Callable[..., int], *arguments: Any, wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """As in aiokafka, without a limit: after its time the call goes on and is to be made again, as long as its
        result is wanted."""
        while True:
            try:
                await self._driver.operation(call, *arguments)
                return
            except KafkaTimeoutError as error:
                if error.code != _library.TIMED_OUT or not wanted():
                    raise

    def _failure(self) -> Exception:
        assert self._error is not None
        return copy.copy(self._error)


class TransactionContext:
    """``async with producer.transaction()``: commits at the end, aborts after an exception."""

    def __init__(
        self, transactions: Transactions, begin: Callable[[], Awaitable[None]], commit: Callable[[], Awaitable[None]]
    ) -> None:
        self._transactions = transactions
        self._begin = begin
        self._commit = commit

    async def __aenter__(self) -> TransactionContext:
        await self._begin()
        return self

    async def __aexit__(
        self, exc_type: Optional[type[BaseException]], exc: Optional[BaseException], tb: Optional[TracebackType]
    ) -> None:
        if exc_type is None:
            try:
                await self._commit()
            except asyncio.CancelledError:
                self._transactions.abandon()
                raise
            except Exception:
                # What cannot be committed any more must not stay open.
                if self._transactions.state is State.ABORTABLE_ERROR:
                    await self._transactions.abort()
                raise
        elif self._transactions.state in (State.IN_TRANSACTION, State.ABORTABLE_ERROR):
            try:
                await self._transactions.abort()
            except KafkaError as error:
                # The abort may show that the producer is of no more use, or is stopped, which aborts as well. Then what
                # led here says more.
                if not (self._transactions.has_failed() or isinstance(error, ProducerClosed)):
                    raise
        elif self._transactions.state is State.CHANGING:
            # A commit or an abort that was begun here has lost its caller.
            self._transactions.abandon()


def _look_at(step: asyncio.Task[None]) -> None:
    """Where its caller was cancelled, the state tells the next one of a failure, and asyncio need not."""
    if not step.cancelled():
        step.exception()


def _outside() -> Exception:
    return IllegalOperation("Can't send messages while not in transaction")


def _checked(offsets: Any) -> dict[TopicPartition, OffsetAndMetadata]:
    """With aiokafka's exceptions."""
    if not offsets or not isinstance(offsets, dict):
        raise ValueError(offsets)
    checked = {}
    for partition, value in offsets.items():
        if isinstance(value, int):
            offset, metadata = value, ""
        else:
            try:
                offset, metadata = value
            except Exception as error:
                raise ValueError(offsets) from error
            if not isinstance(metadata, str):
                raise TypeError("Metadata should be a string")
        offset = _within(as_int(offset, "an offset"), "an offset", _LARGEST_OFFSET)
        checked[_partition(partition)] = OffsetAndMetadata(offset, metadata)
    return checked


def _partition(given: Any) -> TopicPartition:
    """By its fields: a program that consumes with aiokafka has aiokafka's TopicPartition."""
    try:
        topic, number = given.topic, given.partition
    except AttributeError:
        raise TypeError("Key should be TopicPartition instance") from None
    if not isinstance(topic, str):
        raise TypeError(f"a topic has to be a str, not {topic!r}")
    return TopicPartition(topic, _within(as_int(number, "a partition"), "a partition", _LARGEST_PARTITION))


def _within(number: int, what: str, most: int) -> int:
    if not 0 <= number <= most:
        raise ValueError(f"{what} is 0 to {most}, not {number}")
    return number


def _describe(offsets: dict[TopicPartition, OffsetAndMetadata]) -> tuple[ctypes.Array[GroupOffset], list[bytes]]:
    """The library's array, and what has to live as long as it is used."""
    described = (GroupOffset * len(offsets))()
    kept = []
    for place, (partition, value) in zip(described, offsets.items()):
        topic, metadata = partition.topic.encode(), value.metadata.encode()
        kept += [topic, metadata]
        place.topic_name, place.topic_name_len, place.partition = topic, len(topic), partition.partition
        place.offset, place.leader_epoch = value.offset, -1
        place.metadata, place.metadata_len = metadata, len(metadata)
    return described, kept
