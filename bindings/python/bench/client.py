"""One contestant in a process of its own: sends records and prints what that took. compare.py starts it."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections import deque
from collections.abc import Awaitable
from typing import Any, Callable

TOPIC = "bench"
# Futures that are kept before they are waited for, as by a program that checks each outcome.
WINDOW = 10_000
TASKS = 1_000


class Clock:
    def __init__(self) -> None:
        self.wall, self.cpu = self.now()

    def now(self) -> tuple[float, float]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return time.perf_counter(), usage.ru_utime + usage.ru_stime

    def report(self, records: int, version: str) -> None:
        wall, cpu = self.now()
        print(json.dumps({"records": records, "wall": wall - self.wall, "cpu": cpu - self.cpu, "version": version}))


async def in_windows(producer: Any, value: bytes, records: int) -> None:
    """Sends a window, waits for all of it, and goes on: between windows nothing is sent."""
    left = records
    while left:
        window = min(left, WINDOW)
        left -= window
        for future in [await producer.send(TOPIC, value) for _ in range(window)]:
            assert (await future).offset >= 0


async def steadily(producer: Any, value: bytes, records: int) -> None:
    """Sends without a break, and looks at each outcome when the window is full."""
    futures: deque[Any] = deque()
    for _ in range(records):
        if len(futures) == WINDOW:
            assert (await futures.popleft()).offset >= 0
        futures.append(await producer.send(TOPIC, value))
    for future in futures:
        assert (await future).offset >= 0


async def by_tasks(producer: Any, value: bytes, records: int) -> None:
    """Many tasks, of which each waits for one record's outcome before it sends the next."""

    async def task() -> None:
        for _ in range(records // TASKS):
            assert (await producer.send_and_wait(TOPIC, value)).offset >= 0

    await asyncio.gather(*[task() for _ in range(TASKS)])


WAYS: dict[str, Callable[[Any, bytes, int], Awaitable[None]]] = {
    "windows": in_windows,
    "steady": steadily,
    "tasks": by_tasks,
}


async def by_asyncio(module: Any, producer_class: Any, servers: str, value: bytes, records: int, way: str) -> None:
    send_all = WAYS[way]
    producer = producer_class(bootstrap_servers=servers, acks=1, linger_ms=5)
    await producer.start()
    await send_all(producer, value, records // 10)
    clock = Clock()
    await send_all(producer, value, records)
    clock.report(records, module.__version__)
    await producer.stop()


def by_confluent(servers: str, value: bytes, records: int) -> None:
    import confluent_kafka

    producer = confluent_kafka.Producer({"bootstrap.servers": servers, "acks": 1, "linger.ms": 5})
    delivered = 0

    def on_delivery(error: Any, message: Any) -> None:
        nonlocal delivered
        assert error is None and message.offset() >= 0
        delivered += 1

    def send_all(records: int) -> None:
        nonlocal delivered
        delivered = 0
        for _ in range(records):
            while True:
                try:
                    producer.produce(TOPIC, value, on_delivery=on_delivery)
                    break
                except BufferError:
                    producer.poll(0.001)
            producer.poll(0)
        producer.flush()
        assert delivered == records

    send_all(records // 10)
    clock = Clock()
    send_all(records)
    clock.report(records, confluent_kafka.__version__)


def main() -> None:
    contestant, way, servers, size, records = *sys.argv[1:4], *map(int, sys.argv[4:])
    value = b"x" * size
    if contestant == "confluent-kafka":
        by_confluent(servers, value, records)
    elif contestant == "aiokafka":
        import aiokafka

        asyncio.run(by_asyncio(aiokafka, aiokafka.AIOKafkaProducer, servers, value, records, way))
    else:
        import kprod

        asyncio.run(by_asyncio(kprod, kprod.KprodProducer, servers, value, records, way))


main()
