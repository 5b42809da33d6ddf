"""Batches that the program fills itself."""

from __future__ import annotations

import asyncio
import gc
import time
import unittest
from typing import Any

from cluster import ERROR, PRODUCE, SWALLOW
from support import ClusterTestCase, soon

from kprod import KprodProducer
from kprod.errors import (
    IllegalOperation,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    ProducerClosed,
    TopicAuthorizationFailedError,
)


class Batches(ClusterTestCase):
    async def test_a_batch_is_filled_and_sent(self) -> None:
        producer = await self.producer(max_batch_size=1000)
        batch = producer.create_batch()
        self.assertEqual((batch.size(), batch.record_count(), batch.closed()), (61, 0, False))
        first = batch.append(timestamp=5000, key=b"key", value=b"value", headers=[("a", b"1"), ("b", None)])
        assert first is not None
        self.assertEqual((first.offset, first.timestamp, first.crc), (0, 5000, None))
        self.assertEqual((batch.size(), batch.record_count()), (61 + first.size, 1))
        second = batch.append(timestamp=None, key=None, value=b"x" * 100)
        assert second is not None
        self.assertEqual(second.offset, 1)
        batch.close()
        batch.close()
        self.assertIsNone(batch.append(timestamp=None, key=None, value=b"late"))
        metadata = await soon(await soon(producer.send_batch(batch, "topic", partition=1)))
        self.assertEqual((metadata.topic, metadata.partition, metadata.offset), ("topic", 1, 0))
        self.assertEqual(batch.record_count(), 2)
        lines = await asyncio.to_thread(self.cluster.consume, "topic", "%K:%k %S %h")
        self.assertEqual(lines, ["3:key 5 a=1,b=NULL", "-1: 100 "])

    async def test_a_batch_of_another_producer_is_refused(self) -> None:
        producer, other = await self.producer(), await self.producer()
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"value")
        with self.assertRaises(ValueError):
            await soon(other.send_batch(batch, "topic", partition=0))
        metadata = await soon(await soon(producer.send_batch(batch, "topic", partition=0)))
        self.assertEqual(metadata.offset, 0)

    async def test_what_is_no_batch_is_refused(self) -> None:
        producer = await self.producer()
        with self.assertRaisesRegex(TypeError, "batch has to be .*, not b'batch'"):
            await producer.send_batch(b"batch", "topic", partition=0)  # type: ignore[arg-type]

    async def test_a_full_batch_closes_itself(self) -> None:
        producer = await self.producer(max_batch_size=1000)
        batch = producer.create_batch()
        count = 0
        while batch.append(timestamp=None, key=None, value=b"x" * 100) is not None:
            count += 1
        self.assertTrue(batch.closed())
        self.assertEqual((count, batch.record_count()), (8, 8))
        oversize = producer.create_batch()
        self.assertIsNotNone(oversize.append(timestamp=None, key=None, value=b"x" * 2000))
        self.assertIsNone(oversize.append(timestamp=None, key=None, value=b""))
        futures = [await soon(producer.send_batch(each, "topic", partition=0)) for each in (batch, oversize)]
        done = await soon(asyncio.gather(*futures))
        self.assertEqual([metadata.offset for metadata in done], [0, 8])
        self.assertEqual(self.cluster.record_count("topic", 0), 9)

    async def test_a_batch_goes_behind_the_records_before_it(self) -> None:
        producer = await self.producer(linger_ms=60000)
        records = [await producer.send("topic", b"%d" % number, partition=0) for number in range(300)]
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"batch")
        batch.close()
        future = await soon(producer.send_batch(batch, "topic", partition=0))
        last = await producer.send("topic", b"last", partition=0)
        await soon(producer.flush())
        self.assertEqual([record.result().offset for record in records], list(range(300)))
        self.assertEqual((future.result().offset, last.result().offset), (300, 301))

    async def test_send_may_add_to_an_open_batch(self) -> None:
        producer = await self.producer(linger_ms=60000)
        before = self.cluster.request_count(PRODUCE)
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"batch")
        future = await soon(producer.send_batch(batch, "topic", partition=0))
        added = await producer.send("topic", b"added", partition=0)
        await soon(producer.flush())
        self.assertEqual((future.result().offset, added.result().offset), (0, 1))
        self.assertEqual(self.cluster.request_count(PRODUCE) - before, 1)

    async def test_an_empty_batch_needs_no_request(self) -> None:
        producer = await self.producer()
        metadata = await soon(await soon(producer.send_batch(producer.create_batch(), "topic", partition=0)))
        self.assertEqual(metadata.offset, -1)
        self.assertEqual(self.cluster.request_count(PRODUCE), 0)

    async def test_serializers_and_types(self) -> None:
        producer = await self.producer(key_serializer=str.encode, value_serializer=str.encode)
        batch = producer.create_batch()
        batch.append(timestamp=None, key="key", value="value")
        plain = (await self.producer()).create_batch()
        with self.assertRaises(TypeError):
            plain.append(timestamp=None, key=None, value="text")
        with self.assertRaises(TypeError):
            plain.append(timestamp=1.5, key=None, value=b"")  # type: ignore[arg-type]
        with self.assertRaises(MessageSizeTooLargeError):
            plain.append(timestamp=None, key=None, value=b"x" * 2_000_000)
        await soon(await soon(producer.send_batch(batch, "topic", partition=0)))
        self.assertEqual(await asyncio.to_thread(self.cluster.consume, "topic", "%k %s"), ["key value"])

    async def test_a_failure_is_the_batch_s(self) -> None:
        producer = await self.producer()
        self.cluster.inject(ERROR, error=29)
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"x")
        with self.assertRaises(TopicAuthorizationFailedError):
            await soon(await soon(producer.send_batch(batch, "topic", partition=0)))

    async def test_calls_that_do_not_fit(self) -> None:
        producer = await self.producer()
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"x")
        with self.assertRaises(AssertionError):
            await producer.send_batch(batch, "topic", partition=100)
        await soon(await soon(producer.send_batch(batch, "topic", partition=0)))
        with self.assertRaises(IllegalOperation):
            await soon(producer.send_batch(batch, "topic", partition=0))
        open_batch = producer.create_batch()
        await soon(producer.stop())
        with self.assertRaises(ProducerClosed):
            await producer.send_batch(open_batch, "topic", partition=0)
        with self.assertRaises(ProducerClosed):
            producer.create_batch()

    async def waiting(self, **arguments: object) -> KprodProducer:
        """A producer in whose partition 0 a batch waits, behind one that has no answer."""
        producer = await self.producer(**arguments)
        await soon(producer.send_and_wait("topic", b"first", partition=0))
        self.cluster.inject(SWALLOW, times=-1)
        for value in (b"in flight", b"queued"):
            batch = producer.create_batch()
            batch.append(timestamp=None, key=None, value=value)
            batch.close()
            outcome = await soon(producer.send_batch(batch, "topic", partition=0))
            outcome.add_done_callback(lambda future: future.exception())
        return producer

    async def test_one_that_times_out_is_not_sent_and_may_be_sent_again(self) -> None:
        producer = await self.waiting(request_timeout_ms=60000, config={"max.block.ms": 200})
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"patient")
        with self.assertRaises(KafkaTimeoutError):
            await soon(producer.send_batch(batch, "topic", partition=0))
        self.cluster.clear_faults()
        self.cluster.disconnect(1)
        await soon(producer.flush())
        metadata = await soon(await soon(producer.send_batch(batch, "topic", partition=0)))
        self.assertEqual(metadata.offset, 3)
        self.assertEqual(self.committed("topic"), ["first", "in flight", "queued", "patient"])

    async def test_one_times_out_behind_records_that_the_library_has_no_room_for(self) -> None:
        config = {"max.block.ms": 300, "buffer.memory": 20000}
        producer = await self.producer(request_timeout_ms=60000, config=config)
        await soon(producer.send_and_wait("topic", b"first", partition=0))
        self.cluster.inject(SWALLOW, times=-1)
        sent = []
        with self.assertRaises(KafkaTimeoutError):
            while True:
                sent.append(await soon(producer.send("topic", b"x" * 100, partition=0)))
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"batch")
        with self.assertRaises(KafkaTimeoutError):
            await soon(producer.send_batch(batch, "topic", partition=1))
        self.cluster.clear_faults()
        self.cluster.disconnect(1)
        await soon(await soon(producer.send_batch(batch, "topic", partition=1)))
        await soon(asyncio.gather(*sent))
        self.assertEqual(self.cluster.record_count("topic", 1), 1)

    async def test_one_that_is_cancelled_is_not_sent_and_may_be_sent_again(self) -> None:
        producer = await self.waiting(request_timeout_ms=60000)
        batch = producer.create_batch()
        batch.append(timestamp=5, key=b"key", value=b"value", headers=[("a", b"1"), ("b", None)])
        batch.append(timestamp=6, key=None, value=None)
        size = batch.size()
        for _ in range(2):
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(producer.send_batch(batch, "topic", partition=0), 0.05)
        self.assertEqual((batch.size(), batch.record_count(), batch.closed()), (size, 2, False))
        batch.append(timestamp=7, key=None, value=b"more")
        batch.close()
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(producer.send_batch(batch, "topic", partition=0), 0.05)
        self.assertEqual((batch.record_count(), batch.closed()), (3, True))
        self.cluster.clear_faults()
        self.cluster.disconnect(1)
        await soon(producer.flush())
        self.assertEqual(self.committed("topic"), ["first", "in flight", "queued"])
        metadata = await soon(await soon(producer.send_batch(batch, "topic", partition=0)))
        self.assertEqual(metadata.offset, 3)
        lines = await asyncio.to_thread(self.cluster.consume, "topic", "%T %K:%k %S:%s %h")
        self.assertEqual(lines[3:], ["5 3:key 5:value a=1,b=NULL", "6 -1: -1: ", "7 -1: 4:more "])
        with self.assertRaises(IllegalOperation):
            await soon(producer.send_batch(batch, "topic", partition=0))

    async def test_one_that_is_being_sent_is_neither_sent_again_nor_added_to(self) -> None:
        producer = await self.waiting(request_timeout_ms=60000)
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"once")
        sending = asyncio.ensure_future(producer.send_batch(batch, "topic", partition=0))
        await asyncio.sleep(0)
        with self.assertRaises(IllegalOperation):
            await soon(producer.send_batch(batch, "topic", partition=0))
        with self.assertRaises(IllegalOperation):
            batch.append(timestamp=None, key=None, value=b"late")
        # Cancelled, it may be sent again at once.
        sending.cancel()
        with self.assertRaises(asyncio.CancelledError):
            await soon(sending)
        batch.append(timestamp=None, key=None, value=b"more")
        self.cluster.clear_faults()
        self.cluster.disconnect(1)
        await soon(await soon(producer.send_batch(batch, "topic", partition=0)))
        self.assertEqual(self.committed("topic"), ["first", "in flight", "queued", "once", "more"])

    async def test_one_that_is_cancelled_at_its_turn_is_not_sent(self) -> None:
        producer = await self.waiting(request_timeout_ms=60000)
        batches = []
        for value in (b"cancelled", b"next"):
            batch = producer.create_batch()
            batch.append(timestamp=None, key=None, value=value)
            batches.append(asyncio.ensure_future(producer.send_batch(batch, "topic", partition=0)))
        await asyncio.sleep(0)
        lines = producer._outgoing.batches
        call = lines.call

        def call_and_cancel() -> None:
            call()
            batches[0].cancel()

        lines.call = call_and_cancel  # type: ignore[method-assign]
        self.cluster.clear_faults()
        self.cluster.disconnect(1)
        with self.assertRaises(asyncio.CancelledError):
            await soon(batches[0])
        await soon(await soon(batches[1]))
        self.assertEqual(self.committed("topic"), ["first", "in flight", "queued", "next"])

    async def test_a_cancellation_is_neither_lost_nor_told_of_what_is_sent(self) -> None:
        producer = await self.producer()
        sent = []

        async def work(name: str, partition: int) -> None:
            while True:
                batch = producer.create_batch()
                batch.append(timestamp=None, key=None, value=name.encode())
                batch.close()
                outcome = await producer.send_batch(batch, "topic", partition=partition)
                sent.append((name, outcome))

        for turn in range(100):
            workers = [asyncio.ensure_future(work(f"{turn} {number}", number % 2)) for number in range(3)]
            while len(sent) < 5 * turn:
                await asyncio.sleep(0)
            # What the library does in its own threads, it does while the loop is busy too.
            time.sleep(0.0005 * (turn % 2))
            for worker in workers:
                worker.cancel()
            for worker in workers:
                with self.assertRaises(asyncio.CancelledError):
                    await soon(worker)
        await soon(producer.flush())
        names = [name for name, outcome in sent if outcome.result().offset >= 0]
        self.assertEqual(sorted(names), sorted(self.committed("topic")))

    async def test_those_that_wait_go_in_their_order(self) -> None:
        producer = await self.waiting(request_timeout_ms=60000)
        sending = []
        for number in range(5):
            batch = producer.create_batch()
            batch.append(timestamp=None, key=None, value=b"%d" % number)
            batch.close()
            sending.append(asyncio.ensure_future(producer.send_batch(batch, "topic", partition=0)))
        await asyncio.sleep(0)
        sending[2].cancel()
        self.cluster.clear_faults()
        self.cluster.disconnect(1)
        for number in (0, 1, 3, 4):
            await soon(await soon(sending[number]))
        self.assertEqual(self.committed("topic"), ["first", "in flight", "queued", "0", "1", "3", "4"])

    async def test_one_that_is_cancelled_as_the_producer_ends(self) -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        producer = await self.waiting(request_timeout_ms=60000)
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"never")
        sending = asyncio.ensure_future(producer.send_batch(batch, "topic", partition=0))
        await asyncio.sleep(0)
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(producer.stop(), 0.05)
        sending.cancel()
        with self.assertRaises((asyncio.CancelledError, ProducerClosed)):
            await soon(sending)
        with self.assertRaises(ProducerClosed):
            await soon(producer.send_batch(batch, "topic", partition=0))
        del sending
        gc.collect()
        self.assertEqual(told, [])


if __name__ == "__main__":
    unittest.main()
