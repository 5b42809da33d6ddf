"""Idempotence and transactions."""

from __future__ import annotations

import asyncio
import unittest
from collections import namedtuple
from typing import Any

from cluster import END_TXN, ERROR, METADATA, SWALLOW_AFTER_WORK, TXN_OFFSET_COMMIT
from support import ClusterTestCase, soon

from kprod import KprodProducer, OffsetAndMetadata, TopicPartition
from kprod._packed import Extra
from kprod.errors import (
    IllegalOperation,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

TOPIC_AUTHORIZATION_FAILED = 29
UNKNOWN_TOPIC = 3


class Idempotence(ClusterTestCase):
    async def test_a_retry_makes_no_second_record(self) -> None:
        producer = await self.producer(enable_idempotence=True, request_timeout_ms=300)
        await soon(producer.send_and_wait("topic", b"first", partition=0))
        self.cluster.inject(SWALLOW_AFTER_WORK)
        self.assertEqual((await soon(producer.send_and_wait("topic", b"second", partition=0))).offset, 1)
        self.assertEqual(self.cluster.record_count("topic", 0), 2)


class Transactions(ClusterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cluster.create_topic("topic", 1)

    async def transactional(self, **arguments: Any) -> KprodProducer:
        return await self.producer(transactional_id="id", **arguments)

    async def test_a_commit_makes_all_visible(self) -> None:
        producer = await self.transactional(linger_ms=60000)
        await soon(producer.begin_transaction())
        futures = [await producer.send("topic", b"%d" % number) for number in range(3)]
        await soon(producer.commit_transaction())
        self.assertEqual([future.result().offset for future in futures], [0, 1, 2])
        self.assertEqual(self.committed("topic"), ["0", "1", "2"])

    async def test_an_abort_makes_nothing_visible(self) -> None:
        producer = await self.transactional()
        await soon(producer.begin_transaction())
        await soon(producer.send_and_wait("topic", b"aborted"))
        unsent = await producer.send("topic", b"aborted too")
        await soon(producer.abort_transaction())
        self.assertTrue(unsent.done())
        unsent.exception()
        async with producer.transaction():
            await producer.send("topic", b"committed")
        self.assertEqual(self.committed("topic"), ["committed"])

    async def test_the_context_aborts_after_an_exception(self) -> None:
        producer = await self.transactional()
        with self.assertRaises(KeyError):
            async with producer.transaction():
                await soon(producer.send_and_wait("topic", b"aborted"))
                raise KeyError("the program's own")
        async with producer.transaction():
            await soon(producer.send_and_wait("topic", b"committed"))
        self.assertEqual(self.committed("topic"), ["committed"])

    async def test_the_context_aborts_what_cannot_be_committed(self) -> None:
        producer = await self.transactional()
        async with producer.transaction():
            await soon(producer.send_and_wait("topic", b"first"))
        self.cluster.inject(ERROR, error=TOPIC_AUTHORIZATION_FAILED)
        with self.assertRaises(TopicAuthorizationFailedError):
            async with producer.transaction():
                (await producer.send("topic", b"refused")).add_done_callback(lambda future: future.exception())
        async with producer.transaction():
            await soon(producer.send_and_wait("topic", b"last"))
        self.assertEqual(self.committed("topic"), ["first", "last"])

    async def test_a_failed_record_leaves_only_the_abort(self) -> None:
        producer = await self.transactional()
        await soon(producer.begin_transaction())
        self.cluster.inject(ERROR, error=TOPIC_AUTHORIZATION_FAILED)
        with self.assertRaises(TopicAuthorizationFailedError):
            await soon(producer.send_and_wait("topic", b"refused"))
        with self.assertRaises(IllegalOperation):
            await producer.send("topic", b"more")
        with self.assertRaises(TopicAuthorizationFailedError):
            await soon(producer.commit_transaction())
        await soon(producer.abort_transaction())
        async with producer.transaction():
            await soon(producer.send_and_wait("topic", b"committed"))
        self.assertEqual(self.committed("topic"), ["committed"])

    async def test_what_waits_for_a_topic_goes_into_no_other_transaction(self) -> None:
        producer = await self.producer(transactional_id="id")
        await soon(producer.begin_transaction())
        self.cluster.inject(ERROR, api=METADATA, error=UNKNOWN_TOPIC, topic=b"late", times=-1)
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"batch")
        sending = [
            asyncio.ensure_future(producer.send("late", b"record")),
            asyncio.ensure_future(producer.send_batch(batch, "late", partition=0)),
        ]
        await asyncio.sleep(0)
        await soon(producer.abort_transaction())
        await soon(producer.begin_transaction())
        self.cluster.clear_faults()
        self.cluster.create_topic("late", 1)
        for sent in sending:
            with self.assertRaises(IllegalOperation):
                await soon(sent)
        await soon(producer.send_and_wait("late", b"own"))
        await soon(producer.commit_transaction())
        self.assertEqual(await asyncio.to_thread(self.committed, "late"), ["own"])

    async def test_an_empty_transaction_costs_nothing(self) -> None:
        producer = await self.transactional()
        async with producer.transaction():
            pass
        self.assertEqual(self.cluster.request_count(END_TXN), 0)

    async def test_a_second_producer_fences_the_first(self) -> None:
        first = await self.transactional()
        await soon(first.begin_transaction())
        await soon(first.send_and_wait("topic", b"aborted"))
        second = await self.transactional()
        with self.assertRaises(ProducerFenced):
            await soon(first.send_and_wait("topic", b"fenced"))
        for step in (first.abort_transaction, first.begin_transaction, first.abort_transaction):
            with self.assertRaises(ProducerFenced):
                await soon(step())
        with self.assertRaises(KafkaError):
            await soon(first.send("topic", b"fenced"))
        async with second.transaction():
            await soon(second.send_and_wait("topic", b"committed"))
        self.assertEqual(self.committed("topic"), ["committed"])

    async def test_the_context_lets_out_what_ended_the_producer(self) -> None:
        first = await self.transactional()
        with self.assertRaises(ProducerFenced):
            async with first.transaction():
                await self.transactional()
                await soon(first.send_and_wait("topic", b"fenced"))

    async def test_a_commit_goes_on_when_its_caller_is_cancelled(self) -> None:
        producer = await self.transactional()
        await soon(producer.begin_transaction())
        await soon(producer.send_and_wait("topic", b"committed"))
        self.cluster.inject(0, api=END_TXN, delay_ms=200)
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(producer.commit_transaction(), 0.02)
        # Waits for the commit.
        await soon(producer.begin_transaction())
        await soon(producer.abort_transaction())
        self.assertEqual(self.committed("topic"), ["committed"])

    def refused_later(self, producer: KprodProducer, partition: Any = 5) -> asyncio.Future[Any]:
        """The future of a record that send() has taken, and the library then has not."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        future.add_done_callback(lambda failed: failed.exception())
        (handle,) = producer._driver.topics
        producer._outgoing.add(future, handle, b"refused", Extra(None, partition), now=False)
        return future

    async def test_no_commit_without_a_record_that_was_refused_after_send(self) -> None:
        producer = await self.transactional()
        for partition, expected in ((5, UnknownTopicOrPartitionError), ("no number", Exception)):
            with self.subTest(partition=partition):
                await soon(producer.begin_transaction())
                await soon(producer.send_and_wait("topic", b"aborted"))
                future = self.refused_later(producer, partition)
                with self.assertRaises(expected):
                    await soon(producer.commit_transaction())
                self.assertTrue(future.done())
                with self.assertRaises(IllegalOperation):
                    await soon(producer.send("topic", b"more"))
                await soon(producer.abort_transaction())
        with self.assertRaises(UnknownTopicOrPartitionError):
            async with producer.transaction():
                await soon(producer.send("topic", b"aborted"))
                future = self.refused_later(producer)
                # It may be refused long before the commit.
                await asyncio.wait([future])
        async with producer.transaction():
            await soon(producer.send("topic", b"committed"))
        self.assertEqual(self.committed("topic"), ["committed"])

    async def test_what_send_itself_has_refused_is_its_caller_s_matter(self) -> None:
        producer = await self.transactional(max_request_size=1000)
        async with producer.transaction():
            await soon(producer.send("topic", b"before"))
            for size in (950, 1000, 2000):
                with self.assertRaises(MessageSizeTooLargeError):
                    await soon(producer.send("topic", b"x" * size))
            await soon(producer.send("topic", b"after"))
        self.assertEqual(self.committed("topic"), ["before", "after"])

    async def cancelled_commit(self, producer: KprodProducer) -> None:
        """A commit whose caller is cancelled, and which is refused then."""
        await soon(producer.begin_transaction())
        self.cluster.inject(ERROR, error=TOPIC_AUTHORIZATION_FAILED)
        (await producer.send("topic", b"refused")).add_done_callback(lambda future: future.exception())
        commit = asyncio.ensure_future(producer.commit_transaction())
        await asyncio.sleep(0)
        commit.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await soon(commit)

    async def test_a_commit_that_is_refused_after_its_caller_was_cancelled(self) -> None:
        producer = await self.transactional()
        async with producer.transaction():
            await soon(producer.send_and_wait("topic", b"first"))
        await self.cancelled_commit(producer)
        with self.assertRaisesRegex(IllegalOperation, "aborted first") as caught:
            await soon(producer.begin_transaction())
        self.assertIsInstance(caught.exception.__cause__, TopicAuthorizationFailedError)
        with self.assertRaises(TopicAuthorizationFailedError):
            await soon(producer.commit_transaction())
        await soon(producer.abort_transaction())
        # The abort, too, waits for the commit.
        await self.cancelled_commit(producer)
        await soon(producer.abort_transaction())
        async with producer.transaction():
            await soon(producer.send_and_wait("topic", b"last"))
        self.assertEqual(self.committed("topic"), ["first", "last"])

    async def test_an_abort_after_a_commit_whose_caller_was_cancelled(self) -> None:
        producer = await self.transactional()
        await soon(producer.begin_transaction())
        await soon(producer.send_and_wait("topic", b"committed"))
        commit = asyncio.ensure_future(producer.commit_transaction())
        await asyncio.sleep(0)
        commit.cancel()
        with self.assertRaisesRegex(AssertionError, "no transaction"):
            await soon(producer.abort_transaction())
        self.assertTrue(commit.cancelled())
        self.assertEqual(self.committed("topic"), ["committed"])

    async def test_the_context_aborts_what_is_refused_after_its_caller_was_cancelled(self) -> None:
        producer = await self.transactional()

        async def at_the_end(leaving: asyncio.Event) -> None:
            async with producer.transaction():
                (await producer.send("topic", b"refused")).add_done_callback(lambda future: future.exception())
                leaving.set()

        async def in_the_body(leaving: asyncio.Event) -> None:
            async with producer.transaction():
                (await producer.send("topic", b"refused")).add_done_callback(lambda future: future.exception())
                leaving.set()
                await producer.commit_transaction()

        for transact in (at_the_end, in_the_body):
            with self.subTest(commit=transact.__name__):
                async with producer.transaction():
                    await soon(producer.send_and_wait("topic", b"before"))
                self.cluster.inject(ERROR, error=TOPIC_AUTHORIZATION_FAILED)
                leaving = asyncio.Event()
                task = asyncio.ensure_future(transact(leaving))
                await soon(leaving.wait())
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await soon(task)
                async with producer.transaction():
                    await soon(producer.send_and_wait("topic", b"after"))
        self.assertEqual(self.committed("topic"), ["before", "after"] * 2)

    async def test_offsets(self) -> None:
        producer = await self.transactional()
        partition = TopicPartition("topic", 0)
        async with producer.transaction():
            await soon(producer.send_offsets_to_transaction({partition: 5}, "group"))
            await soon(producer.send_offsets_to_transaction({partition: (6, "note")}, "group"))
            await soon(producer.send_offsets_to_transaction({partition: OffsetAndMetadata(7, "")}, "group"))
        self.assertEqual(self.cluster.request_count(TXN_OFFSET_COMMIT), 3)
        with self.assertRaises(IllegalOperation):
            await producer.send_offsets_to_transaction({partition: 5}, "group")
        async with producer.transaction():
            for offsets, group, expected in (
                ({partition: 5}, "", ValueError),
                ({partition: 5}, 5, ValueError),
                ({}, "group", ValueError),
                ([5], "group", ValueError),
                ({("topic", 0): 5}, "group", TypeError),
                ({partition: (5, 6)}, "group", TypeError),
                ({partition: (5,)}, "group", ValueError),
            ):
                with self.assertRaises(expected):
                    await producer.send_offsets_to_transaction(offsets, group)  # type: ignore[arg-type]

    async def test_offsets_of_another_package_s_types(self) -> None:
        """As a program has them that consumes with aiokafka."""
        self.cluster.create_topic("two", 2)
        partition = namedtuple("TopicPartition", ["topic", "partition"])  # type: ignore[misc]
        noted = namedtuple("OffsetAndMetadata", ["offset", "metadata"])  # type: ignore[misc]
        producer = await self.transactional()
        async with producer.transaction():
            offsets = {partition("topic", 0): 5, partition("two", 1): noted(6, "note")}
            await soon(producer.send_offsets_to_transaction(offsets, "group"))
        self.assertEqual(self.cluster.request_count(TXN_OFFSET_COMMIT), 1)

    async def test_offsets_that_are_none(self) -> None:
        producer = await self.transactional()
        async with producer.transaction():
            for partition, offset, expected in (
                (TopicPartition("topic", 0), 2**64 + 7, ValueError),
                (TopicPartition("topic", 0), -1, ValueError),
                (TopicPartition("topic", 0), (2**63, "note"), ValueError),
                (TopicPartition("topic", 0), (5.0, "note"), TypeError),
                (TopicPartition("topic", 2**32), 5, ValueError),
                (TopicPartition("topic", -1), 5, ValueError),
                (TopicPartition("topic", 0.0), 5, TypeError),  # type: ignore[arg-type]
                (TopicPartition(b"topic", 0), 5, TypeError),  # type: ignore[arg-type]
            ):
                with self.subTest(partition=partition, offset=offset), self.assertRaises(expected):
                    await soon(producer.send_offsets_to_transaction({partition: offset}, "group"))  # type: ignore
        self.assertEqual(self.cluster.request_count(TXN_OFFSET_COMMIT), 0)

    async def test_calls_that_do_not_fit(self) -> None:
        producer = await self.transactional()
        with self.assertRaises(IllegalOperation):
            await producer.send("topic", b"outside")
        for call in (producer.commit_transaction, producer.abort_transaction):
            with self.assertRaises(AssertionError):
                await call()
        async with producer.transaction():
            with self.assertRaises(AssertionError):
                await producer.begin_transaction()
        with self.assertRaises(IllegalOperation):
            await producer.send("topic", b"outside")
        plain = await self.producer()
        for plain_call in (
            plain.begin_transaction(),
            plain.commit_transaction(),
            plain.abort_transaction(),
            plain.send_offsets_to_transaction({TopicPartition("topic", 0): 5}, "group"),
        ):
            with self.assertRaises(IllegalOperation):
                await plain_call


if __name__ == "__main__":
    unittest.main()
