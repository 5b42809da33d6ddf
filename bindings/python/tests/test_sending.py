"""Records that are sent, and what their futures tell."""

from __future__ import annotations

import asyncio
import time
import unittest
from unittest import mock

from support import ClusterTestCase, soon

from kprod import KprodProducer, RecordMetadata, TopicPartition
from kprod.errors import InvalidTimestampError, InvalidTopicError, MessageSizeTooLargeError


class Sending(ClusterTestCase):
    async def test_a_future_tells_where_the_record_is(self) -> None:
        producer = await self.producer()
        before = int(time.time() * 1000)
        future = await producer.send("greetings", b"hello", partition=0)
        self.assertIsInstance(future, asyncio.Future)
        metadata = await soon(future)
        self.assertIsInstance(metadata, RecordMetadata)
        self.assertEqual(metadata[:4], ("greetings", 0, TopicPartition("greetings", 0), 0))
        self.assertTrue(before <= metadata.timestamp <= time.time() * 1000)
        self.assertEqual((metadata.timestamp_type, metadata.log_start_offset), (0, 0))
        again = await soon(producer.send_and_wait("greetings", b"again", partition=0, timestamp_ms=123123123))
        self.assertEqual((again.offset, again.timestamp), (1, 123123123))
        self.assertEqual(self.cluster.record_count("greetings", 0), 2)

    async def test_another_client_reads_what_was_sent(self) -> None:
        producer = await self.producer()
        self.cluster.create_topic("mixed", 1)
        headers = [("a", b"1"), ("b", None), ("a", b"")]
        await producer.send("mixed", b"value", b"key", timestamp_ms=1000, headers=headers)
        await producer.send("mixed", None, b"key", timestamp_ms=2000)
        await producer.send("mixed", b"", timestamp_ms=3000)
        await producer.send("mixed", bytearray(b"bytes"), memoryview(b"view"), timestamp_ms=4000)
        await producer.send("mixed", b"last", timestamp_ms=5000, headers=(pair for pair in [("c", b"2")]))
        await soon(producer.flush())
        lines = await asyncio.to_thread(self.cluster.consume, "mixed", "%T %K:%k %S:%s %h")
        self.assertEqual(
            lines,
            [
                "1000 3:key 5:value a=1,b=NULL,a=",
                "2000 3:key -1: ",
                "3000 -1: 0: ",
                "4000 4:view 5:bytes ",
                "5000 -1: 4:last c=2",
            ],
        )

    async def test_many_at_once_keep_their_order(self) -> None:
        producer = await self.producer()
        self.cluster.create_topic("many", 3)

        async def send(number: int) -> tuple[int, RecordMetadata]:
            return number, await producer.send_and_wait("many", b"%d" % number, partition=number % 3)

        done = await soon(asyncio.gather(*[send(number) for number in range(5000)]))
        for number, metadata in done:
            self.assertEqual((metadata.partition, metadata.offset), (number % 3, number // 3))
        lines = await asyncio.to_thread(self.cluster.consume, "many", "%p %o %s")
        self.assertEqual(sorted(lines), sorted(f"{number % 3} {number // 3} {number}" for number in range(5000)))

    async def test_one_task_that_never_waits_leaves_the_others_their_turn(self) -> None:
        producer = await self.producer()
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        futures = [await producer.send("busy", b"x", partition=0) for _ in range(20000)]
        self.assertGreater(turns, 20)
        task.cancel()
        done = await soon(asyncio.gather(*futures))
        self.assertEqual([metadata.offset for metadata in done], list(range(20000)))

    async def test_what_is_not_bytes_is_refused(self) -> None:
        producer = await self.producer()
        with self.assertRaises(TypeError):
            await producer.send("types", "text")
        with self.assertRaises(TypeError):
            await producer.send("types", b"", key=5)
        with self.assertRaises(TypeError):
            await producer.send("types", b"", timestamp_ms=1.5)  # type: ignore[arg-type]
        with self.assertRaises(TypeError):
            await producer.send("types", b"", headers=[("a", "text")])  # type: ignore[list-item]
        with self.assertRaises(AssertionError):
            await producer.send("types")
        with self.assertRaises(InvalidTimestampError):
            await producer.send("types", b"", timestamp_ms=-2)
        with self.assertRaises(InvalidTopicError):
            await producer.send("no topic's name", b"")
        metadata = await soon(producer.send_and_wait("types", b"bytes", partition=0))
        self.assertEqual(metadata.offset, 0)

    async def test_serializers(self) -> None:
        producer = await self.producer(key_serializer=lambda key: key.upper(), value_serializer=str.encode)
        first = await soon(producer.send_and_wait("texts", "some text", key=b"key"))
        second = await soon(producer.send_and_wait("texts", "more", key=b"KEY"))
        self.assertEqual((first.partition, first.offset + 1), (second.partition, second.offset))
        self.assertEqual(await asyncio.to_thread(self.cluster.consume, "texts", "%k %s"), ["KEY some text", "KEY more"])

    async def test_a_record_that_is_too_large_is_refused_by_send(self) -> None:
        producer = await self.producer(max_request_size=1000)
        with self.assertRaises(MessageSizeTooLargeError):
            await producer.send("sizes", b"x" * 1000, partition=0)
        with self.assertRaises(MessageSizeTooLargeError):
            await producer.send("sizes", b"x", partition=0, headers=[("header", b"x" * 1000)])
        self.assertEqual((await soon(producer.send_and_wait("sizes", b"x" * 800, partition=0))).offset, 0)

    async def test_a_large_record_keeps_its_place(self) -> None:
        producer = await self.producer()
        sizes = [1, 100_000, 2, 500_000, 3]
        futures = [await producer.send("sizes", b"x" * size, partition=0) for size in sizes]
        done = await soon(asyncio.gather(*futures))
        self.assertEqual([metadata.offset for metadata in done], [0, 1, 2, 3, 4])
        lines = await asyncio.to_thread(self.cluster.consume, "sizes", "%S")
        self.assertEqual(lines, [str(size) for size in sizes])

    async def test_partitions(self) -> None:
        producer = await self.producer()
        self.cluster.create_topic("two", 2)
        self.assertEqual(await soon(producer.partitions_for("two")), {0, 1})
        self.assertEqual((await soon(producer.send_and_wait("two", b"", partition=1))).partition, 1)
        with self.assertRaises(AssertionError):
            await producer.send("two", b"", partition=2)
        with self.assertRaises(AssertionError):
            await producer.send("two", b"", partition=-1)

    async def test_the_key_chooses_as_in_java(self) -> None:
        self.cluster.create_topic("keys", 1000)
        producer = await self.producer()
        for key, partition in [(b"", 681), (b"a", 524), (b"ab", 434), (b"abc", 107), (b"123456789", 566)]:
            self.assertEqual((await soon(producer.send_and_wait("keys", b"", key=key))).partition, partition)

    async def test_a_partitioner_of_ones_own(self) -> None:
        asked = []

        def choose(key: bytes, partitions: list[int], available: list[int]) -> int:
            asked.append((key, partitions, available))
            return partitions[-1]

        self.cluster.create_topic("chosen", 3)
        producer = await self.producer(partitioner=choose, key_serializer=str.encode)
        self.assertEqual((await soon(producer.send_and_wait("chosen", b"", key="key"))).partition, 2)
        self.assertEqual((await soon(producer.send_and_wait("chosen", b"", key="key", partition=0))).partition, 0)
        self.assertEqual(asked, [(b"key", [0, 1, 2], [0, 1, 2])])

    async def test_a_partitioner_is_asked_with_the_partitions_that_were_added(self) -> None:
        """As soon as the library knows of them."""
        asked = []

        def choose(key: bytes, partitions: list[int], available: list[int]) -> int:
            asked.append(len(partitions))
            return 0

        self.cluster.create_topic("growing", 2)
        producer = await self.producer(partitioner=choose)
        await soon(producer.send_and_wait("growing", b"x"))
        # The mock cluster's topics do not grow.
        with mock.patch.object(producer._driver, "partition_count", return_value=4):
            await soon(producer.send_and_wait("growing", b"x"))
        await soon(producer.send_and_wait("growing", b"x"))
        self.assertEqual(asked, [2, 4, 2])

    async def test_every_codec(self) -> None:
        for codec in ("gzip", "snappy", "lz4", "zstd", None):
            async with KprodProducer(bootstrap_servers=self.cluster.bootstrap, compression_type=codec) as producer:
                value = b"text that can be made smaller " * 20
                await soon(producer.send_and_wait(f"codec-{codec}", value, partition=0))
            lines = await asyncio.to_thread(self.cluster.consume, f"codec-{codec}", "%s")
            self.assertEqual(lines, [value.decode()])

    async def test_without_acknowledgement_there_is_no_offset(self) -> None:
        producer = await self.producer(acks=0)
        metadata = await soon(producer.send_and_wait("unseen", b"", partition=0))
        self.assertEqual((metadata.topic, metadata.partition, metadata.offset), ("unseen", 0, -1))
        await self.eventually(lambda: self.cluster.record_count("unseen", 0) == 1)

    async def test_flush_waits_for_all(self) -> None:
        producer = await self.producer(linger_ms=60000)
        futures = [await producer.send("lingering", b"x", partition=number % 2) for number in range(100)]
        self.assertFalse(any(future.done() for future in futures))
        await soon(producer.flush())
        self.assertTrue(all(future.done() for future in futures))

    async def test_cancelling_a_future_leaves_the_send(self) -> None:
        producer = await self.producer()
        future = await producer.send("cancelled", b"x", partition=0)
        self.assertTrue(future.cancel())
        self.assertEqual((await soon(producer.send_and_wait("cancelled", b"y", partition=0))).offset, 1)


if __name__ == "__main__":
    unittest.main()
