"""What the tests share."""

from __future__ import annotations

import asyncio
import unittest
from collections.abc import Awaitable
from typing import Any, Callable, TypeVar

from cluster import Cluster

from kprod import KprodProducer

Result = TypeVar("Result")

PATIENCE = 30.0
"""Seconds after which what is waited for will not come."""


class ClusterTestCase(unittest.IsolatedAsyncioTestCase):
    """Has a mock cluster for itself, on which topics appear when they are asked for."""

    brokers = 1

    def setUp(self) -> None:
        self.cluster = Cluster(self.brokers)
        self.addCleanup(self.cluster.destroy)

    async def asyncSetUp(self) -> None:
        # The test cases' loops are in debug mode, where all is slow, and would say so.
        asyncio.get_running_loop().slow_callback_duration = PATIENCE

    async def producer(self, **arguments: Any) -> KprodProducer:
        """A started producer, stopped at the test's end."""
        producer = KprodProducer(bootstrap_servers=self.cluster.bootstrap, **arguments)
        self.addAsyncCleanup(producer.stop)
        await soon(producer.start())
        return producer

    def committed(self, topic: str) -> list[str]:
        """The values that a consumer of committed records sees."""
        return self.cluster.consume(topic, "%s")

    async def eventually(self, condition: Callable[[], bool]) -> None:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not condition():
            self.assertLess(asyncio.get_running_loop().time(), deadline, "it did not come to pass")
            await asyncio.sleep(0.005)


async def soon(awaitable: Awaitable[Result]) -> Result:
    return await asyncio.wait_for(awaitable, PATIENCE)
