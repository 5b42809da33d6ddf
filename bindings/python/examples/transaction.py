"""Sends records in transactions: one that is committed, one that an exception ends. Run: python3 transaction.py
[BOOTSTRAP]"""

import asyncio
import sys

from kprod import KprodProducer, TopicPartition

# Without a broker to name: a mock cluster inside the library.
CLUSTER = {"bootstrap_servers": sys.argv[1]} if len(sys.argv) > 1 else {"config": {"test.mock.num.brokers": 1}}


async def main() -> None:
    async with KprodProducer(**CLUSTER, transactional_id="example") as producer:
        async with producer.transaction():
            for order in (b"first", b"second"):
                await producer.send("orders", order)
            await producer.send_and_wait("payments", b"both")
            # What was consumed is committed with what was made of it.
            await producer.send_offsets_to_transaction({TopicPartition("orders", 0): 1}, "shop")
        print("committed")

        try:
            async with producer.transaction():
                await producer.send("orders", b"third")
                raise ValueError("the customer has changed her mind")
        except ValueError as error:
            print(f"aborted: {error}")


asyncio.run(main())
