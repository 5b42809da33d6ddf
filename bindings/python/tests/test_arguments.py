"""Arguments that are wrong: send() itself refuses them, and no other record feels it."""

from __future__ import annotations

import asyncio
import unittest
from typing import Any, Callable

from support import ClusterTestCase, soon

from kprod import KprodProducer
from kprod._packed import Extra
from kprod.errors import InvalidTimestampError, KafkaError


class Arguments(ClusterTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.cluster.create_topic("topic", 2)

    async def among_others(self, producer: KprodProducer, wrong: Callable[[], Any], expected: type[Exception]) -> str:
        """Sends what is wrong between two that are right, and gives the message."""
        before = await soon(producer.send("topic", b"before", partition=0))
        with self.assertRaises(expected) as caught:
            await soon(wrong())
        after = await soon(producer.send("topic", b"after", partition=0))
        first, second = await soon(asyncio.gather(before, after))
        self.assertEqual(second.offset, first.offset + 1)
        return str(caught.exception)

    async def test_numbers(self) -> None:
        producer = await self.producer()
        for name, number, expected in (
            ("partition", 1.0, TypeError),
            ("partition", "1", TypeError),
            ("partition", float("nan"), TypeError),
            ("partition", -1, AssertionError),
            ("partition", 2**40, AssertionError),
            ("timestamp_ms", 5.0, TypeError),
            ("timestamp_ms", -1, InvalidTimestampError),
            ("timestamp_ms", 2**63, InvalidTimestampError),
        ):
            with self.subTest(name=name, number=number):
                wrong: dict[str, Any] = {name: number}
                message = await self.among_others(producer, lambda: producer.send("topic", b"x", **wrong), expected)
                if expected is not AssertionError:
                    self.assertIn(name, message)
        await soon(producer.stop())

    async def test_what_a_partitioner_chooses(self) -> None:
        chosen: list[Any] = []
        producer = await self.producer(partitioner=lambda *_: chosen[-1])
        for choice, expected in ((1.0, TypeError), (None, TypeError), ("0", TypeError), (2, AssertionError)):
            chosen.append(choice)
            with self.subTest(choice=choice):
                await self.among_others(producer, lambda: producer.send("topic", b"x", b"key"), expected)

    async def test_numbers_of_other_kinds(self) -> None:
        class Number:
            def __index__(self) -> int:
                return 1

        producer = await self.producer()
        self.assertEqual((await soon(producer.send_and_wait("topic", b"x", partition=Number()))).partition, 1)

    async def test_topics_and_headers(self) -> None:
        producer = await self.producer()
        for arguments, named in (
            ({"topic": None}, "topic"),
            ({"topic": b"topic"}, "topic"),
            ({"topic": "topic", "headers": [(b"key", b"value")]}, "headers"),
            ({"topic": "topic", "headers": [("key", "value")]}, "header"),
            ({"topic": "topic", "headers": {"k": b"value"}}, "headers"),
            ({"topic": "topic", "headers": [5]}, "headers"),
        ):
            with self.subTest(arguments=arguments):
                message = await self.among_others(producer, lambda: producer.send(value=b"x", **arguments), TypeError)
                self.assertIn(named, message)

    async def test_a_batch_s_timestamp_and_partition(self) -> None:
        producer = await self.producer()
        batch = producer.create_batch()
        for timestamp in (-1, 2**63, 2**64 + 7):
            with self.assertRaises(InvalidTimestampError):
                batch.append(timestamp=timestamp, key=None, value=b"x")
        self.assertEqual(batch.record_count(), 0)
        batch.append(timestamp=7, key=None, value=b"x")
        await self.among_others(producer, lambda: producer.send_batch(batch, "topic", partition=0.0), TypeError)
        self.assertEqual((await soon(await soon(producer.send_batch(batch, "topic", partition=1)))).offset, 0)

    async def test_a_record_that_cannot_be_described_fails_alone(self) -> None:
        """What send() lets through all the same, whatever it is, has its own future fail."""
        producer = await self.producer()
        await soon(producer.send_and_wait("topic", b"first", partition=0))
        futures = []
        for number in range(20):
            if number in (0, 7, 8, 19):
                future = asyncio.get_running_loop().create_future()
                wrong: Any = "no number"
                producer._outgoing.add(future, 1, b"wrong", Extra(None, wrong), now=False)
                futures.append(future)
            else:
                futures.append(await producer.send("topic", b"right", partition=0))
        done = await soon(asyncio.gather(*futures, return_exceptions=True))
        failed = [number for number, outcome in enumerate(done) if isinstance(outcome, Exception)]
        self.assertEqual(failed, [0, 7, 8, 19])
        self.assertEqual([outcome.offset for outcome in done if not isinstance(outcome, Exception)], [*range(1, 17)])
        self.assertFalse(any(isinstance(outcome, KafkaError) for outcome in done))
        await soon(producer.stop())


if __name__ == "__main__":
    unittest.main()
