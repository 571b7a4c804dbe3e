"""`python -m benchmarks.bare_consumer URL HITS`: the ceiling of who reads a log in Kafka.

A consumer of the client's library that decodes so many hits as the aggregator does, and nothing
else. Prints the seconds of that, and the processor time, as JSON.
"""

import asyncio
import sys
import time

import msgspec
from aiokafka import AIOKafkaConsumer

from benchmarks.ceilings import Cost
from services.aggregator.folding import choose
from services.log import batch
from services.log.interface import READ_BYTES
from services.log.kafka.address import KafkaAddress

POLL_MS = 200
LONGEST_SECONDS = 180.0


async def measure(url: str, hits: int) -> Cost:
    """Read what is committed of a log, from its beginning."""
    address = KafkaAddress.parse(url)
    consumer = AIOKafkaConsumer(
        address.topic,
        bootstrap_servers=list(address.brokers),
        isolation_level="read_committed",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=READ_BYTES,
        max_partition_fetch_bytes=READ_BYTES,
    )
    folding, cost, read = choose("auto"), Cost(), 0
    await consumer.start()
    try:
        deadline = time.monotonic() + LONGEST_SECONDS
        with cost.timed():
            while read < hits:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{read} of {hits} hits in {LONGEST_SECONDS:.0f} s")
                for records in (await consumer.getmany(timeout_ms=POLL_MS)).values():
                    reads = folding.reads()
                    for record in records:
                        count = int(dict(record.headers)["n"])
                        reads.add(
                            record.offset,
                            record.timestamp,
                            record.value,
                            count,
                            batch.SCHEMA_VERSION,
                        )
                        read += count
    finally:
        await consumer.stop()
    return cost


if __name__ == "__main__":
    print(msgspec.json.encode(asyncio.run(measure(sys.argv[1], int(sys.argv[2])))).decode())
