"""The end of a producer is the last word: nothing that is under way opens it again, and nothing waits for good."""

from __future__ import annotations

import asyncio
import unittest
from typing import Any, Callable

from cluster import SWALLOW
from support import ClusterTestCase, soon

from kprod import KprodProducer
from kprod.errors import Cancelled, KafkaError, ProducerClosed

ABORTED, CLOSED = -132, -105
TURNS = range(8)


class TheEndIsFinal(ClusterTestCase):
    async def transactional(self, number: int) -> KprodProducer:
        producer = await self.producer(transactional_id=f"id-{number}")
        await soon(producer.partitions_for("topic"))
        return producer

    async def assert_ended(self, producer: KprodProducer) -> None:
        for call in (
            lambda: producer.send("topic", b"late"),
            producer.flush,
            producer.begin_transaction,
            producer.commit_transaction,
            producer.abort_transaction,
        ):
            with self.assertRaises(ProducerClosed) as caught:
                await soon(call())
            self.assertEqual(caught.exception.code, CLOSED)

    async def stop_during(self, turns: int, step: Callable[[], Any], producer: KprodProducer) -> None:
        """Stops it so many turns of the loop after the step has begun."""
        began = asyncio.ensure_future(step())
        for _ in range(turns):
            await asyncio.sleep(0)
        await soon(producer.stop())
        await soon(asyncio.wait([began]))
        if began.exception() is not None:
            self.assertIsInstance(began.exception(), KafkaError)

    async def test_a_stop_while_a_transaction_begins(self) -> None:
        for turns in TURNS:
            with self.subTest(turns=turns):
                producer = await self.transactional(turns)
                await self.stop_during(turns, producer.begin_transaction, producer)
                await self.assert_ended(producer)

    async def test_a_stop_while_a_transaction_ends(self) -> None:
        for turns in TURNS:
            for name in ("commit_transaction", "abort_transaction"):
                with self.subTest(turns=turns, step=name):
                    producer = await self.transactional(turns)
                    await soon(producer.begin_transaction())
                    future = await producer.send("topic", b"x")
                    await self.stop_during(turns, getattr(producer, name), producer)
                    await self.assert_ended(producer)
                    self.assertTrue(future.done())
                    future.exception()

    async def test_a_stop_while_it_starts(self) -> None:
        for turns in TURNS:
            with self.subTest(turns=turns):
                producer = KprodProducer(bootstrap_servers=self.cluster.bootstrap)
                starting = asyncio.ensure_future(producer.start())
                for _ in range(turns):
                    await asyncio.sleep(0)
                await soon(producer.stop())
                if turns:
                    await soon(asyncio.wait([starting]))
                    self.assertIsInstance(starting.exception(), (ProducerClosed, type(None)))
                starting.cancel()
                with self.assertRaises(ProducerClosed):
                    await soon(producer.send("topic", b"late"))

    async def test_an_exception_in_a_transaction_is_let_out_when_the_producer_was_stopped(self) -> None:
        producer = await self.transactional(0)
        with self.assertRaises(KeyError):
            async with producer.transaction():
                await soon(producer.stop())
                raise KeyError("the program's own")


class WhatTheEndSays(ClusterTestCase):
    """Of records that have no outcome when the producer or the transaction ends."""

    async def test_a_record_that_the_library_has_may_have_been_written(self) -> None:
        producer = await self.producer()
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.cluster.inject(SWALLOW, times=-1)
        future = await producer.send("topic", b"x", partition=0)
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"x")
        of_batch = await soon(producer.send_batch(batch, "topic", partition=0))
        flush = asyncio.ensure_future(producer.flush())
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(producer.stop(), 0.05)
        for ended, persisted in ((future, "possibly"), (of_batch, "possibly"), (flush, None)):
            with self.assertRaises(ProducerClosed) as caught:
                await soon(ended)
            self.assertEqual((caught.exception.code, caught.exception.persisted), (CLOSED, persisted))

    async def full(self, **arguments: Any) -> tuple[KprodProducer, list[asyncio.Task[Any]]]:
        """A producer without room, in a transaction if it has them, and the senders of its records."""
        producer = await self.producer(config={"buffer.memory": 40_000}, **arguments)
        await soon(producer.partitions_for("topic"))
        if arguments:
            await soon(producer.begin_transaction())
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.cluster.inject(SWALLOW, times=-1)
        sending = [asyncio.ensure_future(producer.send("topic", b"x" * 1000, partition=0)) for _ in range(100)]
        await self.eventually(lambda: producer._outgoing._full)
        self.assertTrue(producer._outgoing.values)
        return producer, sending

    async def test_a_record_that_the_library_has_not_got_was_not_written(self) -> None:
        producer, sending = await self.full()
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(producer.stop(), 0.05)
        failures: Any = [future.result().exception() for future in sending if future.exception() is None]
        self.assertEqual({(type(failure), failure.code) for failure in failures}, {(ProducerClosed, CLOSED)})
        told = [failure.persisted for failure in failures]
        self.assertEqual(set(told), {"possibly", "no"})
        self.assertEqual(told, sorted(told, reverse=True), "the first ones are the library's")

    async def test_a_record_that_an_abort_drops_was_not_written(self) -> None:
        producer, _ = await self.full(transactional_id="id")
        dropped = list(producer._outgoing.futures)
        aborting = asyncio.ensure_future(producer.abort_transaction())
        await self.eventually(lambda: not producer._outgoing.values)
        self.cluster.clear_faults()
        self.cluster.disconnect(1)
        await soon(aborting)
        for future in dropped:
            with self.assertRaises(Cancelled) as caught:
                future.result()
            self.assertEqual((caught.exception.code, caught.exception.persisted), (ABORTED, "no"))


if __name__ == "__main__":
    unittest.main()
