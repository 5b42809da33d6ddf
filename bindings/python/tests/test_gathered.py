"""Records that are gathered during a turn of the loop and handed over in one buffer."""

from __future__ import annotations

import asyncio
import ctypes
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
from typing import Any, Optional
from unittest.mock import patch

from support import ClusterTestCase, soon

from kprod import KprodProducer, _library, _packed, errors
from kprod._packed import Extra, Pack, pack_headers

PACKED = "<QqIiIiiIII"
"""kprod_packed_t"""
ROOT = pathlib.Path(__file__).resolve().parents[3]


class Gathered(ClusterTestCase):
    async def plain(self, **arguments: Any) -> KprodProducer:
        """A producer that knows the topic: sends to it do not wait."""
        self.cluster.create_topic("topic", 1)
        producer = await self.producer(**arguments)
        await soon(producer.partitions_for("topic"))
        return producer

    async def test_what_there_is_no_room_for_follows_later_in_order(self) -> None:
        """A turn has several times as many bytes as buffer.memory: each call takes a part."""
        producer = await self.plain(linger_ms=1, config={"buffer.memory": 65536})
        calls = []
        real = producer._driver.library.kprod_send_packed

        def send(*arguments: Any) -> int:
            accepted = int(real(*arguments))
            calls.append((accepted, arguments[4], arguments[5]._obj.value))
            return accepted

        with patch.object(producer._driver.library, "kprod_send_packed", send):
            futures = [await producer.send("topic", b"%4d" % number * 200) for number in range(2000)]
            done = await soon(asyncio.gather(*futures))
        self.assertEqual([metadata.offset for metadata in done], list(range(2000)))
        partly = {why for accepted, count, why in calls if 0 < accepted < count}
        self.assertEqual(partly, {_library.QUEUE_FULL})
        lines = await asyncio.to_thread(self.cluster.consume, "topic", "%s")
        self.assertEqual([int(line[:4]) for line in lines], list(range(2000)))

    async def test_one_that_is_refused_takes_no_other_along(self) -> None:
        """send() itself cannot tell of what the library says at the turn's end; the future does."""
        producer = await self.plain()
        before = await producer.send("topic", b"before")
        producer._outgoing.add(wrong := self.future(), 1, b"wrong", Extra(None, partition=5), now=False)
        after = await producer.send("topic", b"after")
        self.assertEqual((await soon(before)).offset, 0)
        with self.assertRaises(errors.UnknownTopicOrPartitionError):
            await soon(wrong)
        self.assertEqual((await soon(after)).offset, 1)

    def future(self) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().create_future()

    async def test_plain_records_among_others(self) -> None:
        """A turn with keys leaves nothing in its places for the plain ones after it."""
        producer = await self.plain()
        sent = []
        for turn in range(6):
            for number in range(40):
                value = b"%d.%d" % (turn, number)
                if turn % 2 and number % 3 == 0:
                    await producer.send("topic", value, b"key", timestamp_ms=1000 + number)
                    sent.append(f"{1000 + number} key {value.decode()}")
                else:
                    await producer.send("topic", value, timestamp_ms=None if turn % 2 == 0 else 5)
                    sent.append(f"now  {value.decode()}" if turn % 2 == 0 else f"5  {value.decode()}")
            await asyncio.sleep(0)
        await soon(producer.flush())
        lines = await asyncio.to_thread(self.cluster.consume, "topic", "%T %k %s")
        now = [line if int(line.split(" ")[0]) < 10000 else "now " + line.split(" ", 1)[1] for line in lines]
        self.assertEqual(now, sent)

    async def test_stop_delivers_what_was_gathered(self) -> None:
        producer = await self.plain(linger_ms=60000)
        futures = [await producer.send("topic", b"%d" % number) for number in range(300)]
        self.assertEqual(len(producer._outgoing.values), 300)
        await soon(producer.stop())
        self.assertEqual([future.result().offset for future in futures], list(range(300)))

    async def test_cancelling_the_future_of_a_gathered_record_leaves_the_send(self) -> None:
        producer = await self.plain()
        futures = [await producer.send("topic", b"%d" % number) for number in range(10)]
        self.assertTrue(futures[4].cancel())
        self.assertEqual((await soon(futures[9])).offset, 9)
        self.assertTrue(futures[4].cancelled())
        self.assertEqual(self.cluster.record_count("topic", 0), 10)

    async def test_a_send_that_is_cancelled_before_its_turn_is_not_made(self) -> None:
        producer = await self.plain()
        tasks = [asyncio.ensure_future(producer.send("topic", b"%d" % number)) for number in range(1500)]
        await asyncio.sleep(0)
        waiting = [number for number, task in enumerate(tasks) if not task.done()]
        self.assertGreater(len(waiting), 500)
        for number in waiting[::2]:
            tasks[number].cancel()
        outcomes = await soon(asyncio.gather(*tasks, return_exceptions=True))
        await soon(producer.flush())
        kept = [number for number in range(1500) if number not in set(waiting[::2])]
        self.assertEqual([number for number, out in enumerate(outcomes) if isinstance(out, asyncio.Future)], kept)
        lines = await asyncio.to_thread(self.cluster.consume, "topic", "%s")
        self.assertEqual(lines, [str(number) for number in kept])


class Bytes(unittest.TestCase):
    """What the library is given."""

    def described(self, pack: Pack, values: list[Optional[bytes]], extras: dict[int, Extra]) -> tuple[bytes, list[Any]]:
        data, count = pack.write(100, [7] * len(values), values, extras)
        rows = memoryview(pack.records).cast("B")[: 48 * count]
        return data, list(_packed.struct.iter_unpack(PACKED, rows))

    def test_plain_ones(self) -> None:
        data, rows = self.described(Pack(4), [b"ab", None, b"", b"c"], {})
        self.assertEqual(data, b"abc")
        places = zip(range(100, 104), (0, 2, 2, 2), (2, -1, 0, 1))
        expected = [(tag, -1, 7, -1, offset, -1, length, 0, 0, 0) for tag, offset, length in places]
        self.assertEqual(rows, expected)

    def test_keys_and_headers(self) -> None:
        pack = Pack(4)
        headers = pack_headers([(b"h", b"xy"), (b"", None)])
        extras = {1: Extra(b"key", 3, 9, headers, 2), 2: Extra(b"")}
        data, rows = self.described(pack, [b"ab", None, b"z"], extras)
        self.assertEqual(data, b"abkey" + headers + b"z")
        self.assertEqual(headers, _packed.struct.pack("=i1si2sii", 1, b"h", 2, b"xy", 0, -1))
        self.assertEqual(rows[1], (101, 9, 7, 3, 2, 3, -1, len(headers), 2, 0))
        self.assertEqual(rows[2], (102, -1, 7, -1, 5 + len(headers), 0, 1, 0, 0, 0))
        self.assertEqual(self.described(pack, [b"p"], {})[1], [(100, -1, 7, -1, 0, -1, 1, 0, 0, 0)])

    def test_no_more_than_there_are_places_for_and_offsets_have_bits_for(self) -> None:
        self.assertEqual(len(self.described(Pack(2), [b"a"] * 5, {})[1]), 2)
        with patch.object(_packed, "_MOST", 10):
            data, rows = self.described(Pack(8), [b"abcd"] * 8, {})
            self.assertEqual((data, len(rows)), (b"abcdabcd", 2))
            self.assertEqual(len(self.described(Pack(8), [b"x" * 50] * 3, {})[1]), 1)

    def test_the_layout_is_the_library_s(self) -> None:
        self.assertEqual(_packed.struct.calcsize(PACKED), 48)
        self.assertEqual(ctypes.sizeof(Pack(3).records), 3 * 48)


class RealBroker(unittest.IsolatedAsyncioTestCase):
    def setUp(self) -> None:
        self.directory = tempfile.mkdtemp()
        self.script = str(ROOT / "script" / "kafka")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        started = subprocess.run(
            [self.script, "start", "--dir", self.directory], capture_output=True, text=True, timeout=180
        )
        self.assertEqual(started.returncode, 0, started.stderr)
        self.addCleanup(subprocess.run, [self.script, "stop", "--dir", self.directory], check=True, timeout=120)
        self.bootstrap = started.stdout.split()[-1]

    async def test_kcat_reads_what_was_sent(self) -> None:
        asyncio.get_running_loop().slow_callback_duration = 60
        async with KprodProducer(bootstrap_servers=self.bootstrap, acks="all", compression_type="lz4") as producer:
            futures = []
            for number in range(3000):
                value, key = b"%d" % number, b"k" if number % 10 == 0 else None
                headers = [("h", b"%d" % number)] if number % 100 == 0 else None
                futures.append(await producer.send("packed", value, key, partition=0, headers=headers))
            done = await asyncio.wait_for(asyncio.gather(*futures), 60)
        self.assertEqual([metadata.offset for metadata in done], list(range(3000)))
        command = ["kcat", "-C", "-b", self.bootstrap, "-t", "packed", "-e", "-q", "-f", "%o %K %s %h\\n"]
        read = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=60, check=True, env=dict(os.environ)
        )
        expected = [
            f"{number} {-1 if number % 10 else 1} {number} {'' if number % 100 else f'h={number}'}"
            for number in range(3000)
        ]
        self.assertEqual(read.stdout.splitlines(), expected)


if __name__ == "__main__":
    unittest.main()
