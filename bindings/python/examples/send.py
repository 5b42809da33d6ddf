"""Sends a record and waits for its outcome, then many at a high rate. Run: python3 send.py [BOOTSTRAP]"""

import asyncio
import sys

from kprod import KprodProducer
from kprod.errors import KafkaError

# Without a broker to name: a mock cluster inside the library.
CLUSTER = {"bootstrap_servers": sys.argv[1]} if len(sys.argv) > 1 else {"config": {"test.mock.num.brokers": 1}}


async def main() -> None:
    async with KprodProducer(**CLUSTER, linger_ms=5) as producer:
        metadata = await producer.send_and_wait("greetings", b"hello", key=b"en", headers=[("from", b"example")])
        print(f"partition {metadata.partition}, offset {metadata.offset}")

        # send() waits only while there is no room, and gives a future for each record.
        outcomes = [await producer.send("numbers", b"%d" % number) for number in range(100_000)]
        failed = 0
        for outcome in outcomes:
            try:
                await outcome
            except KafkaError as error:
                # error.persisted tells whether the record may stand in the log all the same.
                failed += 1
                print(f"not sent: {error} (persisted: {error.persisted})", file=sys.stderr)
        print(f"{len(outcomes) - failed} records delivered")


asyncio.run(main())
