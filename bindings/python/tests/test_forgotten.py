"""Producers that are dropped without stop(): whichever thread the garbage collector comes in, they end, and are told
of."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
import unittest
import warnings
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Callable

from cluster import SWALLOW, Cluster
from support import PATIENCE, ClusterTestCase, soon

from kprod import KprodProducer
from kprod.errors import ProducerClosed


def in_another_thread(work: Callable[[], Any]) -> None:
    """While this one stands still."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def engines() -> int:
    """The library's threads in this process, those of the mock cluster among them."""
    names = []
    for task in os.listdir("/proc/self/task"):
        # It may have ended meanwhile.
        with suppress(OSError), open(f"/proc/self/task/{task}/comm") as comm:
            names.append(comm.read())
    return sum(name.startswith("kprod") for name in names)


class Forgotten(ClusterTestCase):
    async def asyncSetUp(self) -> None:
        await super().asyncSetUp()
        self.told: list[dict[str, Any]] = []
        self.told_in: list[threading.Thread] = []
        asyncio.get_running_loop().set_exception_handler(self.tell)
        catching = warnings.catch_warnings(record=True)
        self.warned = catching.__enter__()
        self.addCleanup(catching.__exit__, None, None, None)
        warnings.simplefilter("always")

    def tell(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.told.append(context)
        self.told_in.append(threading.current_thread())

    async def started(self) -> list[KprodProducer]:
        """One that only this list and a cycle of its own know."""
        producer: Any = KprodProducer(bootstrap_servers=self.cluster.bootstrap)
        producer.itself = producer
        await soon(producer.start())
        await soon(producer.partitions_for("topic"))
        return [producer]

    async def assert_told(self) -> None:
        await self.eventually(lambda: bool(self.told))
        self.assertEqual([context["message"] for context in self.told], ["Unclosed KprodProducer"])
        self.assertEqual(self.told_in, [threading.current_thread()])
        self.assertEqual([warning.category for warning in self.warned], [ResourceWarning])

    async def test_it_ends_and_its_records_are_told(self) -> None:
        producer, kept = await self.producer(), await self.started()
        self.cluster.inject(SWALLOW)
        future = await kept[0].send("topic", b"x", partition=0)
        kept.clear()
        gc.collect()
        with self.assertRaises(ProducerClosed):
            await soon(future)
        await self.assert_told()
        self.cluster.disconnect(1)
        await soon(producer.send_and_wait("topic", b"x", partition=1))

    async def test_the_loop_s_thread_ends_what_another_collects(self) -> None:
        for collected in (True, False):
            with self.subTest(collected=collected):
                self.told.clear()
                self.told_in.clear()
                self.warned.clear()
                kept = await self.started()
                driver = kept[0]._driver
                if not collected:
                    del kept[0].itself  # type: ignore[attr-defined]

                def drop(kept: list[KprodProducer] = kept) -> None:
                    kept.clear()
                    gc.collect()

                in_another_thread(drop)
                # The loop's thread may have been in a call.
                self.assertTrue(driver.handle)
                await self.eventually(lambda driver=driver: not driver.handle)  # type: ignore[misc]
                await self.assert_told()

    async def test_the_loop_s_own_thread_ends_it_after_the_call_it_is_in(self) -> None:
        kept = await self.started()
        driver = kept[0]._driver
        kept.clear()
        gc.collect()
        self.assertTrue(driver.handle)
        await self.assert_told()
        self.assertFalse(driver.handle)

    async def test_one_that_was_not_started(self) -> None:
        kept: list[Any] = [KprodProducer(bootstrap_servers=self.cluster.bootstrap)]
        kept[0].itself = kept[0]
        threads = engines()

        def drop() -> None:
            kept.clear()
            gc.collect()

        in_another_thread(drop)
        await self.assert_told()
        await self.eventually(lambda: engines() < threads)

    async def test_a_warning_that_is_an_exception_leaves_nothing(self) -> None:
        kept = await self.started()
        driver = kept[0]._driver
        unraisable: list[Any] = []
        hook, sys.unraisablehook = sys.unraisablehook, lambda told: unraisable.append(told.exc_type)
        try:
            warnings.simplefilter("error")
            kept.clear()
            gc.collect()
        finally:
            sys.unraisablehook = hook
        self.assertEqual(unraisable, [ResourceWarning])
        await self.eventually(lambda: not driver.handle)

    async def test_a_stop_that_is_forgotten(self) -> None:
        producer = await self.producer()
        await soon(producer.send_and_wait("topic", b"x", partition=0))
        self.cluster.inject(SWALLOW, times=-1)
        future = await producer.send("topic", b"x", partition=0)
        stopping: list[Coroutine[Any, Any, None]] = [producer.stop()]
        stopping[0].send(None)
        in_another_thread(stopping.clear)
        self.assertTrue(producer._driver.handle)
        with self.assertRaises(ProducerClosed):
            await soon(future)
        self.assertFalse(producer._driver.handle)


class WithAClosedLoop(unittest.TestCase):
    def setUp(self) -> None:
        self.cluster = Cluster()
        self.addCleanup(self.cluster.destroy)

    def test_nothing_stays(self) -> None:
        """Whether it is dropped before or after its loop is closed."""
        self.once(dropped_first=False, in_a_cycle=False)
        before = self.held()
        for dropped_first in (False, True):
            for in_a_cycle in (False, True):
                with self.subTest(dropped_first=dropped_first, in_a_cycle=in_a_cycle):
                    self.once(dropped_first, in_a_cycle)
                    # A thread that has ended may be seen a little longer.
                    deadline = time.monotonic() + PATIENCE
                    while self.held() != before:
                        self.assertLess(time.monotonic(), deadline, f"{self.held()} and not {before}")
                        time.sleep(0.001)

    def held(self) -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), engines()

    def once(self, dropped_first: bool, in_a_cycle: bool) -> None:
        loop = asyncio.new_event_loop()
        loop.set_exception_handler(lambda _, context: None)

        async def make() -> Any:
            producer: Any = KprodProducer(bootstrap_servers=self.cluster.bootstrap)
            if in_a_cycle:
                producer.itself = producer
            await soon(producer.start())
            await soon(producer.send_and_wait("topic", b"x"))
            return producer

        producer = loop.run_until_complete(make())
        with self.assertWarns(ResourceWarning):
            if dropped_first:
                del producer
                in_another_thread(gc.collect)
                loop.close()
            else:
                loop.close()
                del producer
                in_another_thread(gc.collect)
        # The warning knew it.
        in_another_thread(gc.collect)


if __name__ == "__main__":
    unittest.main()
