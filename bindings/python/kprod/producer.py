"""The producer, with the surface of aiokafka's AIOKafkaProducer."""

from __future__ import annotations

import asyncio
import sys
import traceback
import warnings
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Callable, Optional, Union

from . import _config
from ._admission import Admission, Topic
from ._driver import Driver
from ._failures import exception
from ._library import AUTHENTICATION_FAILED, CLOSED, FLAG_FATAL, RECORD_TOO_LARGE
from ._outgoing import SMALL, Outgoing
from ._packed import NOW, UNASSIGNED, Extra, as_bytes, as_header, as_int, as_timestamp, pack_headers
from .batch import BatchBuilder
from .errors import IllegalOperation, KafkaConnectionError, KafkaError
from .structs import RecordMetadata
from .transaction import Offsets, TransactionContext, Transactions

Serializer = Callable[[Any], Optional[bytes]]
Partitioner = Callable[[Optional[bytes], list[int], list[int]], int]
MessageHeaders = Iterable[tuple[str, Optional[bytes]]]


class DefaultPartitioner:
    """The library's partitioner, or the one that the property ``partitioner`` names."""


_DEFAULT_PARTITIONER = DefaultPartitioner()


class KprodProducer:
    """Publishes records to a Kafka cluster, from one event loop.

    Arguments are those of aiokafka's AIOKafkaProducer, with its names and defaults, but for ``config``: more
    properties of libkprod by name (docs/configuration.md), such as ``{"buffer.memory": 67108864}``. An ``ssl_context``
    is refused: name PEM files in ``config``.

    It has to be made in the running loop, after any fork, and ended by ``stop()``, or used with ``async with``.
    """

    _closed: Optional[bool] = None
    _source_traceback: Optional[traceback.StackSummary] = None

    def __init__(
        self,
        *,
        loop: Optional[asyncio.AbstractEventLoop] = None,
        bootstrap_servers: Union[str, Iterable[str]] = "localhost",
        client_id: Optional[str] = None,
        metadata_max_age_ms: int = 300000,
        request_timeout_ms: int = 40000,
        api_version: Optional[str] = None,
        acks: Union[int, str] = _config.MISSING,
        key_serializer: Optional[Serializer] = None,
        value_serializer: Optional[Serializer] = None,
        compression_type: Optional[str] = None,
        max_batch_size: int = 16384,
        partitioner: Union[Partitioner, DefaultPartitioner, None] = _DEFAULT_PARTITIONER,
        max_request_size: int = 1048576,
        linger_ms: float = 0,
        retry_backoff_ms: int = 100,
        security_protocol: str = "PLAINTEXT",
        ssl_context: Optional[Any] = None,
        connections_max_idle_ms: Optional[int] = 540000,
        enable_idempotence: bool = False,
        transactional_id: Optional[str] = None,
        transaction_timeout_ms: int = 60000,
        sasl_mechanism: str = "PLAIN",
        sasl_plain_password: Optional[str] = None,
        sasl_plain_username: Optional[str] = None,
        sasl_kerberos_service_name: str = "kafka",
        sasl_kerberos_domain_name: Optional[str] = None,
        sasl_oauth_token_provider: Optional[Any] = None,
        config: Optional[Mapping[str, object]] = None,
    ) -> None:
        arguments = dict(locals())
        if loop is None:
            loop = _running_loop()
        else:
            _deprecated("The `loop` parameter is not needed: a producer is made in the running loop.")
        if api_version is not None:
            _deprecated("The `api_version` parameter does nothing: versions are always negotiated.")
        if loop.get_debug():
            self._source_traceback = traceback.extract_stack(sys._getframe(1))
        self._loop = loop
        self._key_serializer = key_serializer
        self._value_serializer = value_serializer
        self._partitioner = None if isinstance(partitioner, DefaultPartitioner) else partitioner
        self._driver = Driver(_config.properties(arguments, config), loop)
        self._outgoing = Outgoing(self._driver)
        self._admission = Admission(self._driver, self._outgoing)
        # A record beyond this may be too large to be sent, which send() itself has to tell.
        self._small = min(SMALL, self._driver.max_request_size // 2)
        # For send(), which everything goes through.
        self._quick = self._admission.open if self._is_plain() else {}
        self._known = self._admission.known
        self._slots = self._outgoing.slots
        self._futures = self._outgoing.futures
        self._topics = self._outgoing.topics
        self._values = self._outgoing.values
        self._transactions = Transactions(self._driver, self._outgoing, self._admission)
        self._transactional_id = transactional_id or (config or {}).get("transactional.id")
        self._attached = False
        self._closed = False
        _watch(self._driver, self._outgoing, self._admission, self._transactions)

    def _is_plain(self) -> bool:
        return self._key_serializer is None and self._value_serializer is None and self._partitioner is None

    def __del__(self, _warnings: Any = warnings) -> None:
        if self._closed is not False or self._driver.is_inherited():
            return
        self._closed = True
        context: dict[str, Any] = {"producer": self, "message": "Unclosed KprodProducer"}
        if self._source_traceback is not None:
            context["source_traceback"] = self._source_traceback
        self._leave(context)
        # The last, for it may be made an exception.
        _warnings.warn(f"Unclosed KprodProducer {self!r}", ResourceWarning, source=self)

    async def start(self) -> None:
        """Connects to the cluster. After a failure it may be called again.

        Raises:
            KafkaConnectionError: no broker could be reached, or none would have us; its cause says more
        """
        assert self._loop is _running_loop(), "Please create objects with the same loop as running with"
        self._check_open()
        if not self._attached:
            self._driver.attach()
            self._attached = True
        try:
            await self._driver.operation(self._driver.library.kprod_start_async)
        except KafkaError as error:
            # A broker's answers and refusals are told as they are; all else that keeps from one is a connection error.
            code = error.code or 0
            if self._closed or (code > 0 and code != AUTHENTICATION_FAILED):
                raise
            failure = KafkaConnectionError(f"Unable to bootstrap: {error}")
            failure.code = error.code
            raise failure from error
        self._check_open()
        if self._transactional_id is None:
            self._admission.allow()
        else:
            self._transactions.started()

    async def stop(self) -> None:
        """Sends what was accepted, waits for its outcome and ends the producer. When it is cancelled, what has no
        outcome yet fails with ProducerClosed. In the child of a fork it does nothing: the producer is the parent's."""
        if self._closed:
            return
        self._closed = True
        if self._driver.is_inherited():
            return
        self._admission.close()
        end = self._end
        try:
            if self._attached:
                await self._finish()
        except GeneratorExit:
            # Nobody runs this any more.
            end = self._leave
            raise
        finally:
            end()

    def _leave(self, context: Optional[dict[str, Any]] = None) -> None:
        """Ends it for the garbage collector, which comes in any thread and may come while the loop's is in a call: the
        loop does it, if it is not closed."""
        try:
            self._loop.call_soon_threadsafe(self._end_forgotten, context)
        except RuntimeError:
            self._end_forgotten(context)

    def _end_forgotten(self, context: Optional[dict[str, Any]]) -> None:
        self._end()
        if context is not None:
            self._loop.call_exception_handler(context)

    def _end(self) -> None:
        self._outgoing.end(exception(CLOSED, "the producer was ended before the record was sent"))
        self._driver.destroy()

    async def _finish(self) -> None:
        library = self._driver.library
        for step in (self._flush, lambda: self._driver.operation(library.kprod_close_async)):
            try:
                await step()
            except KafkaError:
                # A producer that has failed for good is only ended. Each record's future tells its own outcome.
                pass

    async def flush(self) -> None:
        """Waits until all records sent before have an outcome. Those that fail tell so by their futures."""
        self._check_open()
        self._admission.check_started()
        await self._flush()

    async def _flush(self) -> None:
        await self._outgoing.empty()
        await self._driver.operation(self._driver.library.kprod_flush_async)

    async def partitions_for(self, topic: str) -> set[int]:
        """The numbers of the topic's partitions. Waits for the topic's metadata as ``send()`` does."""
        self._admission.check_started()
        _, count = await self._admission.look_up(topic, self._deadline())
        return set(range(count))

    async def send(
        self,
        topic: str,
        value: Optional[Any] = None,
        key: Optional[Any] = None,
        partition: Optional[int] = None,
        timestamp_ms: Optional[int] = None,
        headers: Optional[MessageHeaders] = None,
    ) -> asyncio.Future[RecordMetadata]:
        """Takes a record, to be sent with others; waits for the topic's metadata and for room.

        When it raises, also for being cancelled, the record was not taken and will not be sent. Cancelling the future
        that it returns has no effect on the send.

        Arguments:
            topic: the topic's name
            value: bytes, or what ``value_serializer`` makes bytes of; None deletes the key in a compacted topic
            key: bytes, or what ``key_serializer`` makes bytes of; records of one key go to one partition
            partition: its number, else the partitioner chooses
            timestamp_ms: milliseconds since the epoch, else now
            headers: pairs of a name and bytes or None

        Raises:
            KafkaTimeoutError: no metadata, or no room in ``buffer.memory``, in ``request_timeout_ms`` for both; its
                cause says why the cluster could not be reached, if that is it
        """
        # The quick way, for a value and nothing else.
        handle = self._quick.get(topic)
        slots = self._slots
        if (
            handle is not None
            and (slots or self._outgoing.more_slots())
            and type(value) is bytes
            and len(value) <= self._small
            and key is None
            and partition is None
            and timestamp_ms is None
            and headers is None
        ):
            future = slots.pop()
            self._futures.append(future)
            self._topics.append(handle)
            self._values.append(value)
            if not self._outgoing.scheduled:
                self._outgoing.schedule()
            return future
        return await self._send(topic, value, key, partition, timestamp_ms, headers)

    async def _send(
        self,
        topic: str,
        value: Optional[Any],
        key: Optional[Any],
        partition: Optional[int],
        timestamp_ms: Optional[int],
        headers: Optional[MessageHeaders],
    ) -> asyncio.Future[RecordMetadata]:
        assert not (value is None and key is None), "Need at least one: key or value"
        era = self._admission.enter()
        # One for the whole call, if it has to wait.
        deadline: Optional[float] = None
        known = self._known.get(topic)
        if known is None:
            deadline = self._deadline()
            known = await self._admission.look_up(topic, deadline)
        if self._key_serializer is not None:
            key = self._key_serializer(key)
        if self._value_serializer is not None:
            value = self._value_serializer(value)
        key_bytes = key if key is None or type(key) is bytes else as_bytes(key, "key")
        value_bytes = value if type(value) is bytes else as_bytes(value, "value")
        if partition is not None or self._partitioner is not None:
            partition = self._partition(topic, known, partition, key_bytes)
        self._admission.check(era)
        if timestamp_ms is not None:
            timestamp_ms = as_timestamp(timestamp_ms, "timestamp_ms")
        described = list(map(as_header, headers)) if headers else []
        size = sum(map(_size, (key_bytes, value_bytes))) + sum(len(name) + _size(part) for name, part in described)
        if size > self._driver.max_request_size:
            raise exception(RECORD_TOO_LARGE)
        # Plain values stay plain: a turn that has nothing else is cheaper to describe.
        extra: Optional[Extra] = None
        if key_bytes is not None or partition is not None or timestamp_ms is not None or described:
            extra = Extra(
                key_bytes,
                UNASSIGNED if partition is None else partition,
                NOW if timestamp_ms is None else timestamp_ms,
                pack_headers(described),
                len(described),
            )
        slots = self._slots or self._outgoing.more_slots()
        if slots:
            slot = slots.pop()
        else:
            slot = await self._outgoing.turn(deadline or self._deadline())
            self._admission.check(era)
        self._outgoing.add(slot, known[0], value_bytes, extra, now=bool(size > self._small or described))
        if slot.done():
            # Nobody else knows the slot yet: the record was refused, so it was not taken.
            slot.result()
        return slot

    async def send_and_wait(
        self,
        topic: str,
        value: Optional[Any] = None,
        key: Optional[Any] = None,
        partition: Optional[int] = None,
        timestamp_ms: Optional[int] = None,
        headers: Optional[MessageHeaders] = None,
    ) -> RecordMetadata:
        """As ``send()``, and waits for the record's outcome."""
        return await (await self.send(topic, value, key, partition, timestamp_ms, headers))

    def create_batch(self) -> BatchBuilder:
        """An empty batch, which ``max_batch_size`` limits. It is not queued until ``send_batch()``."""
        return BatchBuilder(self._driver, self._key_serializer, self._value_serializer)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        """Takes a batch, to be sent behind all that was sent to the partition before; waits until the batch before it
        is on its way. Its future has the offset of its first record.

        When it raises, also for being cancelled or timed out, the batch was not taken and will not be sent. It may be
        sent again. All the waiting has ``request_timeout_ms``.
        """
        if not isinstance(batch, BatchBuilder):
            raise TypeError(f"batch has to be one of create_batch(), not {batch!r}")
        deadline = self._deadline()
        era = self._admission.enter()
        known = self._known.get(topic) or await self._admission.look_up(topic, deadline)
        partition = self._partition(topic, known, partition, None)
        # Behind what the library has not got yet.
        await self._outgoing.empty(deadline)
        self._admission.check(era)
        if batch._driver is not self._driver:
            # Its topics and transactions are others.
            raise ValueError("the batch was made by another producer")
        return await batch._send(self._outgoing.batches, known[0], partition, deadline)

    async def begin_transaction(self) -> None:
        """Begins a transaction: what is sent until its end becomes visible all at once, or never."""
        self._check_transactional()
        await self._transactions.begin()

    async def commit_transaction(self) -> None:
        """Waits for what was sent and commits it. Once begun it goes on, also when the caller is cancelled."""
        self._check_transactional()
        await self._transactions.commit()

    async def abort_transaction(self) -> None:
        """Drops what was sent in the transaction. Once begun it goes on, also when the caller is cancelled."""
        self._check_transactional()
        await self._transactions.abort()

    def transaction(self) -> TransactionContext:
        """``async with producer.transaction()``: commits at the end, aborts after an exception."""
        return TransactionContext(self._transactions, self.begin_transaction, self.commit_transaction)

    async def send_offsets_to_transaction(self, offsets: Offsets, group_id: str) -> None:
        """Commits a consumer group's offsets with the transaction.

        Arguments:
            offsets: the next offset to consume, or a pair of it and a note, by TopicPartition, also aiokafka's
            group_id: the consumer group
        """
        self._check_transactional()
        await self._transactions.send_offsets(offsets, group_id)

    def _check_transactional(self) -> None:
        if self._transactional_id is None:
            raise IllegalOperation("You need to configure transaction_id to use transactions")
        self._check_open()

    def _check_open(self) -> None:
        if self._closed:
            raise exception(CLOSED, "the producer is stopped")

    def _partition(self, topic: str, known: Topic, partition: Optional[int], key: Optional[bytes]) -> int:
        """The caller's choice, checked, or that of its partitioner."""
        if partition is None:
            if self._partitioner is None:
                raise TypeError("partition has to be an int: only send() has the library choose one")
            count = self._admission.recount(topic)
            partitions = list(range(count))
            partition = as_int(self._partitioner(key, partitions, partitions), "what the partitioner chooses")
        else:
            partition, count = as_int(partition, "partition"), known[1]
        assert partition >= 0, f"partition must not be below 0, but is {partition}"
        assert partition < count or partition < self._admission.recount(topic), "Unrecognized partition"
        return partition

    def _deadline(self) -> float:
        return self._loop.time() + self._driver.max_block

    async def __aenter__(self) -> KprodProducer:
        await self.start()
        return self

    async def __aexit__(
        self, exc_type: Optional[type[BaseException]], exc: Optional[BaseException], tb: Optional[TracebackType]
    ) -> None:
        await self.stop()


def _watch(driver: Driver, outgoing: Outgoing, admission: Admission, transactions: Transactions) -> None:
    """Lets a failure for good reach all that wait. The loop knows the driver, which must not know the producer, or
    nobody could tell that the program has forgotten it."""

    def trouble(error: Exception, flags: int) -> None:
        if flags & FLAG_FATAL:
            admission.fail(error)
            outgoing.end(error)
        transactions.trouble(error, flags)

    driver.on_trouble = trouble


def _running_loop() -> asyncio.AbstractEventLoop:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("The object should be created within an async function or provide loop directly.") from None


def _deprecated(message: str) -> None:
    warnings.warn(message, DeprecationWarning, stacklevel=3)


def _size(part: Optional[bytes]) -> int:
    return 0 if part is None else len(part)
