"""Fills batches itself and sends each to a partition of its choice. Run: python3 batch.py [BOOTSTRAP]"""

import asyncio
import sys

from kprod import KprodProducer

# Without a broker to name: a mock cluster inside the library.
CLUSTER = {"bootstrap_servers": sys.argv[1]} if len(sys.argv) > 1 else {"config": {"test.mock.num.brokers": 1}}


async def main() -> None:
    async with KprodProducer(**CLUSTER) as producer:
        partitions = await producer.partitions_for("measurements")
        batch = producer.create_batch()
        sent = []
        for number in range(10_000):
            value = b"measurement %d" % number
            if batch.append(key=None, value=value, timestamp=None) is None:
                # It is full and closed.
                sent.append(await producer.send_batch(batch, "measurements", partition=len(sent) % len(partitions)))
                batch = producer.create_batch()
                batch.append(key=None, value=value, timestamp=None)
        batch.close()
        sent.append(await producer.send_batch(batch, "measurements", partition=len(sent) % len(partitions)))
        for metadata in await asyncio.gather(*sent):
            print(f"partition {metadata.partition}, from offset {metadata.offset}")


asyncio.run(main())
