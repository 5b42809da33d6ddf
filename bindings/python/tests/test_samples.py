"""The samples of aiokafka's documentation of its producer. Their import is of this package, and the brokers that they
name are the test's."""

from __future__ import annotations

import asyncio
import textwrap
import unittest
import warnings

from cluster import TXN_OFFSET_COMMIT
from support import ClusterTestCase, soon

from kprod import RecordMetadata

FIRST = """
import kprod as aiokafka

producer = aiokafka.AIOKafkaProducer(
    loop=loop, bootstrap_servers='localhost:9092')
await producer.start()
try:
    await producer.send_and_wait("my_topic", b"Super message")
finally:
    await producer.stop()
"""

BUFFERING = """
# Will add the message to 1st partition's batch. If this method times out,
# we can say for sure that message will never be sent.

fut = await producer.send("my_topic", b"Super message", partition=1)

# Message will either be delivered or an unrecoverable error will occur.
# Cancelling this future will not cancel the send.
msg = await fut
"""

TIMEOUT = """
await asyncio.wait_for(producer.send(...), timeout=timeout)
"""

IDEMPOTENT = """
import kprod as aiokafka

producer = aiokafka.AIOKafkaProducer(
    loop=loop, bootstrap_servers='localhost:9092',
    enable_idempotence=True)
await producer.start()
try:
    await producer.send_and_wait("my_topic", b"Super message")
finally:
    await producer.stop()
"""

TRANSACTIONAL = """
import kprod as aiokafka

producer = aiokafka.AIOKafkaProducer(
    loop=loop, bootstrap_servers='localhost:9092',
    transactional_id="transactional_test")
await producer.start()
try:
    async with producer.transaction():
        res = await producer.send_and_wait(
            "test-topic", b"Super transactional message")
finally:
    await producer.stop()
"""

OFFSETS = """
from kprod import TopicPartition

async with producer.transaction():
    commit_offsets = {
        TopicPartition("some-topic", 0): 100
    }
    await producer.send_offsets_to_transaction(
        commit_offsets, "some-consumer-group")
"""

BATCH = """
# Create the batch without queueing for delivery.
batch = producer.create_batch()

# Populate the batch. The append() method will return metadata for the
# added message or None if batch is full.
for i in range(2):
    metadata = batch.append(value=b"msg %d" % i, key=None, timestamp=None)
    assert metadata is not None

# Optionally close the batch to further submission. If left open, the batch
# may be appended to by producer.send().
batch.close()

# Add the batch to the first partition's submission queue. If this method
# times out, we can say for sure that batch will never be sent.
fut = await producer.send_batch(batch, "my_topic", partition=1)

# Batch will either be delivered or an unrecoverable error will occur.
# Cancelling this future will not cancel the send.
record = await fut
"""


class Samples(ClusterTestCase):
    async def run_sample(self, sample: str, **names: object) -> dict[str, object]:
        """Runs it as the body of a coroutine, and gives the names that it has bound."""
        body = textwrap.indent(sample.replace("localhost:9092", self.cluster.bootstrap), "    ")
        scope: dict[str, object] = {"asyncio": asyncio, "loop": asyncio.get_running_loop(), **names}
        exec(f"async def sample():\n{body}\n    return locals()", scope)
        with warnings.catch_warnings():
            # They were written when `loop` was still wanted.
            warnings.simplefilter("ignore", DeprecationWarning)
            bound: dict[str, object] = await soon(scope["sample"]())  # type: ignore[operator]
        return bound

    async def test_most_simple_usage(self) -> None:
        self.cluster.create_topic("my_topic", 1)
        await self.run_sample(FIRST)
        self.assertEqual(self.cluster.record_count("my_topic", 0), 1)

    async def test_message_buffering(self) -> None:
        self.cluster.create_topic("my_topic", 2)
        bound = await self.run_sample(BUFFERING, producer=await self.producer())
        message = bound["msg"]
        assert isinstance(message, RecordMetadata)
        self.assertEqual(
            (message.topic, message.partition, message.offset, message.timestamp_type), ("my_topic", 1, 0, 0)
        )
        self.assertEqual(self.cluster.record_count("my_topic", 1), 1)

    async def test_idempotent_produce(self) -> None:
        self.cluster.create_topic("my_topic", 1)
        await self.run_sample(IDEMPOTENT)
        self.assertEqual(self.cluster.record_count("my_topic", 0), 1)

    async def test_transactional_producer(self) -> None:
        self.cluster.create_topic("test-topic", 1)
        bound = await self.run_sample(TRANSACTIONAL)
        self.assertIsInstance(bound["res"], RecordMetadata)
        self.assertEqual(self.committed("test-topic"), ["Super transactional message"])

    async def test_offsets_in_a_transaction(self) -> None:
        producer = await self.producer(transactional_id="transactional_test")
        self.cluster.create_topic("some-topic", 1)
        await self.run_sample(OFFSETS, producer=producer)
        self.assertEqual(self.cluster.request_count(TXN_OFFSET_COMMIT), 1)

    async def test_direct_batch_control(self) -> None:
        self.cluster.create_topic("my_topic", 2)
        producer = await self.producer()
        await soon(producer.send_and_wait("my_topic", b"before", partition=1))
        bound = await self.run_sample(BATCH, producer=producer)
        record = bound["record"]
        assert isinstance(record, RecordMetadata)
        self.assertEqual((record.topic, record.partition, record.offset), ("my_topic", 1, 1))
        self.assertEqual(self.committed("my_topic"), ["before", "msg 0", "msg 1"])

    async def test_a_timeout_for_send(self) -> None:
        producer = await self.producer()
        sample = TIMEOUT.replace("...", '"my_topic", b"x", partition=0')
        await self.run_sample(sample, producer=producer, timeout=10)
        await soon(producer.flush())
        self.assertEqual(self.cluster.record_count("my_topic", 0), 1)


if __name__ == "__main__":
    unittest.main()
