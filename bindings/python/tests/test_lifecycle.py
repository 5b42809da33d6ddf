"""From the constructor to stop()."""

from __future__ import annotations

import asyncio
import gc
import operator
import os
import socket
import unittest
from typing import Any

from cluster import DISCONNECT, METADATA, SWALLOW
from support import PATIENCE, ClusterTestCase, soon

from kprod import AIOKafkaProducer, KprodProducer
from kprod.errors import IllegalStateError, KafkaConnectionError, KafkaError, ProducerClosed


def unused_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Lifecycle(ClusterTestCase):
    async def test_async_with_starts_and_stops(self) -> None:
        async with KprodProducer(bootstrap_servers=self.cluster.bootstrap) as producer:
            future = await producer.send("topic", b"x", partition=0)
        self.assertEqual(future.result().offset, 0)
        with self.assertRaises(ProducerClosed):
            await producer.send("topic", b"x")

    async def test_async_with_stops_after_an_exception(self) -> None:
        with self.assertRaises(KeyError):
            async with KprodProducer(bootstrap_servers=self.cluster.bootstrap) as producer:
                future = await producer.send("topic", b"x", partition=0)
                raise KeyError("the program's own")
        self.assertEqual(future.result().offset, 0)
        for call in (
            producer.send("topic", b"x"),
            producer.flush(),
            producer.start(),
            producer.partitions_for("topic"),
        ):
            with self.assertRaises(ProducerClosed):
                await call

    async def test_stop_sends_what_was_accepted_and_may_come_twice(self) -> None:
        producer = await self.producer(linger_ms=60000)
        futures = [await producer.send("topic", b"x", partition=0) for _ in range(2000)]
        await soon(producer.stop())
        self.assertEqual([future.result().offset for future in futures], list(range(2000)))
        await producer.stop()

    async def test_a_producer_that_was_not_started(self) -> None:
        producer = KprodProducer(bootstrap_servers=self.cluster.bootstrap)
        for call in (
            lambda: producer.send("topic", b"x"),
            producer.flush,
            lambda: producer.partitions_for("topic"),
            lambda: producer.send_batch(producer.create_batch(), "topic", partition=0),
        ):
            with self.assertRaises(IllegalStateError):
                await soon(call())
        await soon(producer.stop())

    async def test_partitions_are_told_outside_of_transactions(self) -> None:
        self.cluster.create_topic("topic", 3)
        producer = await self.producer(transactional_id="id")
        self.assertEqual(await soon(producer.partitions_for("topic")), {0, 1, 2})
        await soon(producer.flush())

    async def test_a_stop_that_is_cancelled_ends_the_producer_all_the_same(self) -> None:
        producer = await self.producer()
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.cluster.inject(SWALLOW, times=-1)
        future = await producer.send("topic", b"x", partition=0)
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(producer.stop(), 0.05)
        with self.assertRaises(ProducerClosed):
            future.result()

    async def test_a_topic_that_nobody_waits_for_any_more_fails_in_silence(self) -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        producer = await self.producer()
        self.cluster.inject(SWALLOW, api=METADATA, times=-1)
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(producer.send("topic", b"x"), 0.05)
        await soon(producer.stop())
        gc.collect()
        self.assertEqual(told, [])

    async def test_stop_leaves_nothing_behind(self) -> None:
        async def once() -> None:
            async with KprodProducer(bootstrap_servers=self.cluster.bootstrap) as producer:
                await producer.send_and_wait("topic", b"x")

        def held() -> list[int]:
            return [len(os.listdir(f"/proc/self/{what}")) for what in ("fd", "task")]

        await soon(once())
        first = held()
        for _ in range(5):
            await soon(once())
            # The mock cluster, which is in this process too, closes its end of a connection a little later.
            await self.eventually(lambda: all(map(operator.le, held(), first)))

    async def test_start_fails_where_nobody_answers(self) -> None:
        producer = KprodProducer(bootstrap_servers=f"127.0.0.1:{unused_port()}", request_timeout_ms=500)
        with self.assertRaises(KafkaConnectionError) as caught:
            await soon(producer.start())
        self.assertIsInstance(caught.exception.__cause__, KafkaError)
        await soon(producer.stop())

    async def test_start_may_be_called_again(self) -> None:
        self.cluster.inject(DISCONNECT, api=METADATA, times=-1)
        config = {"reconnect.backoff.max.ms": 10, "retry.backoff.max.ms": 10}
        producer = KprodProducer(bootstrap_servers=[self.cluster.bootstrap], request_timeout_ms=2000, config=config)
        with self.assertRaises(KafkaConnectionError):
            await soon(producer.start())
        self.cluster.clear_faults()
        await soon(producer.start())
        self.assertEqual((await soon(producer.send_and_wait("topic", b"x", partition=0))).offset, 0)
        await soon(producer.stop())

    async def test_the_loop_goes_on_while_a_broker_is_slow(self) -> None:
        producer = await self.producer()
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.cluster.inject(0, delay_ms=300)
        waiting = asyncio.ensure_future(producer.send_and_wait("topic", b"x", partition=0))
        turns = 0
        while not waiting.done():
            await asyncio.sleep(0.005)
            turns += 1
        self.assertGreater(turns, 10)

    async def test_two_producers_in_one_loop(self) -> None:
        one, two = await self.producer(), await self.producer()
        done = await soon(asyncio.gather(*[p.send_and_wait("topic", b"x", partition=0) for p in (one, two)]))
        self.assertEqual({metadata.offset for metadata in done}, {0, 1})

    async def test_the_child_of_a_fork_is_told(self) -> None:
        producer = await self.producer()
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        child = os.fork()
        if child == 0:
            # No loop runs here, so the call is driven by hand.
            try:
                producer.partitions_for("topic").send(None)
            except IllegalStateError:
                os._exit(7)
            finally:
                os._exit(1)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 7)
        self.assertEqual((await soon(producer.send_and_wait("topic", b"x", partition=0))).offset, 1)

    async def test_a_child_that_drops_its_copy_leaves_the_parent_s_alone(self) -> None:
        """The child shares the loop's epoll object with its parent."""

        def drop(kept: list[KprodProducer]) -> None:
            kept.clear()
            gc.collect()

        def stop(kept: list[KprodProducer]) -> None:
            asyncio.run(asyncio.wait_for(kept[0].stop(), PATIENCE))
            drop(kept)

        for number, in_the_child in enumerate((drop, stop)):
            with self.subTest(in_the_child=in_the_child.__name__):
                producers = [KprodProducer(bootstrap_servers=self.cluster.bootstrap)]
                await soon(producers[0].start())
                await soon(producers[0].send_and_wait("topic", b"x", partition=number))
                unread, to_parent = os.pipe()
                child = os.fork()
                if child == 0:
                    try:
                        os.dup2(to_parent, 2)
                        in_the_child(producers)
                        os._exit(0)
                    finally:
                        os._exit(1)
                os.close(to_parent)
                _, status = await asyncio.to_thread(os.waitpid, child, 0)
                with os.fdopen(unread) as told:
                    self.assertEqual((os.waitstatus_to_exitcode(status), told.read()), (0, ""))
                metadata = await soon(producers[0].send_and_wait("topic", b"x", partition=number))
                self.assertEqual(metadata.offset, 1)
                await soon(producers[0].stop())

    async def test_aiokafka_s_name_and_its_loop(self) -> None:
        with self.assertWarns(DeprecationWarning):
            producer = AIOKafkaProducer(loop=asyncio.get_running_loop(), bootstrap_servers=self.cluster.bootstrap)
        await soon(producer.start())
        await soon(producer.send_and_wait("topic", b"x"))
        await soon(producer.stop())


class WithoutALoop(unittest.TestCase):
    def test_a_producer_wants_a_loop(self) -> None:
        with self.assertRaises(RuntimeError):
            KprodProducer()


if __name__ == "__main__":
    unittest.main()
