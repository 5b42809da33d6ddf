"""Idempotence and transactions."""

from __future__ import annotations

import asyncio
import unittest
from collections import namedtuple
from typing import Any

from cluster import END_TXN, ERROR, SWALLOW_AFTER_WORK, TXN_OFFSET_COMMIT
from support import ClusterTestCase, soon

from kprod import KprodProducer, OffsetAndMetadata, TopicPartition
from kprod.errors import IllegalOperation, KafkaError, ProducerFenced, TopicAuthorizationFailedError

TOPIC_AUTHORIZATION_FAILED = 29


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
