"""Failures, and what a program can tell from them."""

from __future__ import annotations

import asyncio
import unittest
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Callable
from unittest import mock

from cluster import CRASHED, ERROR, SWALLOW, UP
from support import ClusterTestCase, soon

from kprod import KprodProducer, RecordMetadata, errors
from kprod._failures import exception

NOT_ENOUGH_REPLICAS, TOPIC_AUTHORIZATION_FAILED, INVALID_RECORD = 19, 29, 87


class Failures(ClusterTestCase):
    async def test_a_broker_s_refusal(self) -> None:
        producer = await self.producer()
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.cluster.inject(ERROR, error=TOPIC_AUTHORIZATION_FAILED)
        with self.assertRaises(errors.TopicAuthorizationFailedError) as caught:
            await soon(producer.send_and_wait("topic", b"x", partition=0))
        error = caught.exception
        self.assertEqual((error.errno, error.code, error.persisted), (29, 29, "no"))
        self.assertFalse(error.retriable)
        self.assertIn("topic", str(error))
        self.assertTrue(str(error).startswith("[Error 29] TopicAuthorizationFailedError: "))

    async def test_each_record_of_a_batch_has_an_exception_of_its_own(self) -> None:
        producer = await self.producer(linger_ms=50)
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.cluster.inject(ERROR, error=TOPIC_AUTHORIZATION_FAILED)
        futures = [await producer.send("topic", b"x", partition=0) for _ in range(3)]
        failures = [await soon(self.failure(future)) for future in futures]
        self.assertEqual({type(failure) for failure in failures}, {errors.TopicAuthorizationFailedError})
        self.assertEqual(len({id(failure) for failure in failures}), 3)

    async def failure(self, future: asyncio.Future[object]) -> BaseException:
        with self.assertRaises(errors.KafkaError) as caught:
            await future
        return caught.exception

    async def test_a_code_without_a_class_is_told_as_it_is(self) -> None:
        producer = await self.producer()
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.cluster.inject(ERROR, error=INVALID_RECORD)
        with self.assertRaises(errors.UnknownError) as caught:
            await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.assertEqual(caught.exception.code, INVALID_RECORD)

    async def test_what_can_be_retried_is_retried(self) -> None:
        producer = await self.producer(retry_backoff_ms=1)
        self.cluster.inject(ERROR, error=NOT_ENOUGH_REPLICAS, times=2)
        self.assertEqual((await soon(producer.send_and_wait("topic", b"x", partition=0))).offset, 0)

    async def test_the_last_error_is_raised_when_the_time_is_up(self) -> None:
        producer = await self.producer(retry_backoff_ms=20, request_timeout_ms=200)
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.cluster.inject(ERROR, error=NOT_ENOUGH_REPLICAS, times=-1)
        with self.assertRaises(errors.NotEnoughReplicasError) as caught:
            await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.assertTrue(caught.exception.retriable)

    async def test_no_answer_leaves_it_open_whether_it_was_written(self) -> None:
        producer = await self.producer(request_timeout_ms=200)
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.cluster.inject(SWALLOW, times=-1)
        with self.assertRaises(errors.RequestTimedOutError) as caught:
            await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.assertEqual(caught.exception.persisted, "possibly")

    async def test_a_topic_that_does_not_come(self) -> None:
        config = {"allow.auto.create.topics": False, "retry.backoff.max.ms": 50}
        producer = await self.producer(request_timeout_ms=500, retry_backoff_ms=50, config=config)
        with self.assertRaises(errors.UnknownTopicOrPartitionError):
            await soon(producer.send("missing", b"x"))
        self.cluster.create_topic("missing", 1)
        self.assertEqual((await soon(producer.send_and_wait("missing", b"x"))).offset, 0)

    async def test_a_send_that_waits_for_metadata_is_cancelled(self) -> None:
        producer = await self.producer(config={"allow.auto.create.topics": False})
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(producer.send("late", b"cancelled"), 0.05)
        waiting = asyncio.ensure_future(producer.send_and_wait("late", b"patient"))
        await asyncio.sleep(0)
        self.cluster.create_topic("late", 1)
        self.assertEqual((await soon(waiting)).offset, 0)
        self.assertEqual(self.cluster.record_count("late", 0), 1)

    async def test_a_broker_comes_back(self) -> None:
        producer = await self.producer(retry_backoff_ms=10, config={"reconnect.backoff.ms": 10})
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.cluster.set_broker_state(1, CRASHED)
        future = await producer.send("topic", b"x", partition=0)
        self.cluster.set_broker_state(1, UP)
        self.assertEqual((await soon(future)).offset, 1)


class Room(ClusterTestCase):
    """buffer.memory is full, because the broker does not answer."""

    async def full(self, max_block_ms: int) -> tuple[KprodProducer, list[asyncio.Future[RecordMetadata]]]:
        """A producer without room, and the futures of what it has accepted."""
        config = {"buffer.memory": 100_000, "max.block.ms": max_block_ms}
        producer = await self.producer(request_timeout_ms=60000, config=config)
        await soon(producer.send_and_wait("topic", b"first", partition=0))
        self.cluster.inject(SWALLOW, times=-1)
        futures = []
        sending = asyncio.ensure_future(self.fill(producer, futures))
        await self.eventually(lambda: producer._outgoing._full)
        sending.cancel()
        await asyncio.sleep(0)
        return producer, futures

    async def fill(self, producer: KprodProducer, futures: list[asyncio.Future[RecordMetadata]]) -> None:
        while True:
            futures.append(await producer.send("topic", b"x" * 1000, partition=0))

    def recover(self) -> None:
        self.cluster.clear_faults()
        self.cluster.disconnect(1)

    async def test_sends_wait_for_room_and_then_all_are_delivered_in_order(self) -> None:
        producer, futures = await self.full(60000)
        waiting = [asyncio.ensure_future(producer.send("topic", b"late", partition=0)) for _ in range(1500)]
        await asyncio.sleep(0.05)
        self.assertFalse(any(future.done() for future in [*futures, *waiting]))
        waiting.pop(700).cancel()
        self.recover()
        late = await soon(asyncio.gather(*waiting))
        done = await soon(asyncio.gather(*futures, *late))
        self.assertEqual([metadata.offset for metadata in done], list(range(1, len(done) + 1)))
        # The send that was cancelled was not made.
        self.assertEqual(self.cluster.record_count("topic", 0), len(done) + 1)

    async def test_a_send_gives_up_in_time_and_is_not_made(self) -> None:
        producer, futures = await self.full(300)
        failures = await soon(asyncio.gather(*[self.refused(producer) for _ in range(10)]))
        self.assertEqual(failures, [errors.KafkaTimeoutError] * 10)
        self.recover()
        done = await soon(asyncio.gather(*futures))
        self.assertEqual(self.cluster.record_count("topic", 0), len(done) + 1)

    async def refused(self, producer: KprodProducer) -> type[BaseException]:
        with self.assertRaises(errors.KafkaError) as caught:
            await producer.send("topic", b"late", partition=0)
        return type(caught.exception)

    async def test_flush_waits_for_what_had_no_room(self) -> None:
        producer, futures = await self.full(60000)
        flush = asyncio.ensure_future(producer.flush())
        await asyncio.sleep(0.05)
        self.assertFalse(flush.done())
        self.recover()
        await soon(flush)
        self.assertTrue(all(future.done() for future in futures))

    async def test_a_flush_that_waits_for_room_ends_with_the_producer(self) -> None:
        producer, futures = await self.full(60000)
        flush = asyncio.ensure_future(producer.flush())
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(producer.stop(), 0.05)
        for ended in (flush, *futures):
            with self.assertRaises(errors.ProducerClosed):
                await soon(ended)

    async def test_many_unread_reports_only_slow_it_down(self) -> None:
        producer = await self.producer(config={"kprod.delivery.queue.max": 50})
        futures = [await producer.send("topic", b"x", partition=0) for _ in range(3000)]
        done = await soon(asyncio.gather(*futures))
        self.assertEqual([metadata.offset for metadata in done], list(range(3000)))

    async def test_each_waits_for_room_until_its_own_deadline(self) -> None:
        producer, _ = await self.full(60000)
        now = asyncio.get_running_loop().time()
        patient = asyncio.ensure_future(producer._outgoing.turn(now + 60))
        late = asyncio.ensure_future(producer._outgoing.turn(now + 0.05))
        last = asyncio.ensure_future(producer._outgoing.turn(now + 60))
        with self.assertRaises(errors.KafkaTimeoutError):
            await soon(late)
        self.assertFalse(patient.done())
        self.recover()
        await soon(asyncio.gather(patient, last))

    async def test_the_whole_call_has_one_deadline(self) -> None:
        producer, futures = await self.full(300)
        admission, outgoing = producer._admission, producer._outgoing
        with mock.patch.object(admission, "look_up", wraps=admission.look_up) as look_up:
            with mock.patch.object(outgoing, "turn", wraps=outgoing.turn) as turn:
                # The library still knows the topic, so it tells at once.
                del admission.known["topic"]
                self.assertIs(await soon(self.refused(producer)), errors.KafkaTimeoutError)
        self.assertEqual(look_up.call_args.args[1:], turn.call_args.args)
        self.recover()
        await soon(asyncio.gather(*futures))


class WithoutMetadata(ClusterTestCase):
    def calls(self, producer: KprodProducer, topic: str) -> list[Callable[[], Coroutine[Any, Any, object]]]:
        batch = producer.create_batch()
        batch.append(timestamp=None, key=None, value=b"x")
        return [
            lambda: producer.send(topic, b"x", partition=0),
            lambda: producer.send_batch(batch, topic, partition=0),
            lambda: producer.partitions_for(topic),
        ]

    async def test_a_broker_that_is_gone(self) -> None:
        producer = await self.producer(request_timeout_ms=200, config={"reconnect.backoff.max.ms": 50})
        self.cluster.set_broker_state(1, CRASHED)
        for call in self.calls(producer, "topic"):
            with self.assertRaisesRegex(errors.KafkaTimeoutError, "no metadata of topic topic") as caught:
                await soon(call())
            self.assertIsInstance(caught.exception.__cause__, errors.KafkaConnectionError)
            self.assertIn(str(caught.exception.__cause__), str(caught.exception))
        self.cluster.set_broker_state(1, UP)
        self.assertEqual((await soon(self.sent(producer, "topic"))).offset, 0)

    async def sent(self, producer: KprodProducer, topic: str) -> RecordMetadata:
        """As soon as the broker has been found again."""
        while True:
            with suppress(errors.KafkaTimeoutError):
                return await producer.send_and_wait(topic, b"x", partition=0)

    async def test_each_call_has_its_own_deadline(self) -> None:
        config = {"allow.auto.create.topics": False, "retry.backoff.max.ms": 50}
        producer = await self.producer(request_timeout_ms=600, retry_backoff_ms=10, config=config)
        for number in range(3):
            with self.subTest(number=number):
                topic = f"late-{number}"
                first = asyncio.ensure_future(producer.send(topic, b"x"))
                await asyncio.sleep(0.3)
                second = asyncio.ensure_future(self.calls(producer, topic)[number]())
                with self.assertRaises(errors.UnknownTopicOrPartitionError):
                    await soon(first)
                self.assertFalse(second.done())
                self.cluster.create_topic(topic, 1)
                await soon(second)

    async def test_a_call_gives_up_a_look_up_that_goes_on(self) -> None:
        """For another call, with a later deadline."""
        producer = await self.producer(config={"allow.auto.create.topics": False})
        waiting = asyncio.ensure_future(producer.send("late", b"x"))
        await asyncio.sleep(0)
        with self.assertRaises(errors.KafkaError):
            await soon(producer._admission.look_up("late", asyncio.get_running_loop().time() + 0.05))
        self.assertFalse(waiting.done())
        self.cluster.create_topic("late", 1)
        await soon(waiting)


class Codes(unittest.TestCase):
    def test_codes_become_aiokafka_s_exceptions(self) -> None:
        for code, expected in {
            3: errors.UnknownTopicOrPartitionError,
            7: errors.RequestTimedOutError,
            13: errors.KafkaConnectionError,
            29: errors.TopicAuthorizationFailedError,
            45: errors.OutOfOrderSequenceNumber,
            47: errors.ProducerFenced,
            90: errors.ProducerFenced,
            9999: errors.UnknownError,
            -105: errors.ProducerClosed,
            -109: errors.KafkaTimeoutError,
            -113: errors.MessageSizeTooLargeError,
            -118: errors.RequestTimedOutError,
            -9999: errors.KafkaError,
        }.items():
            self.assertIs(type(exception(code)), expected, code)

    def test_every_broker_error_has_its_number(self) -> None:
        self.assertEqual(set(errors.kafka_errors), {-1, *range(73), 79})
        for number, error in errors.kafka_errors.items():
            self.assertIs(errors.for_code(number), error)
            self.assertTrue(issubclass(error, errors.KafkaError) and issubclass(error, RuntimeError))


if __name__ == "__main__":
    unittest.main()
