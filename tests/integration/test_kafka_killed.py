"""A producer of a real Kafka is killed, and so is the broker: each entry is in the log once."""

import asyncio
import multiprocessing
import random
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Event

import pytest

from services.log.entries import LogEntry
from services.log.errors import LogError
from services.log.open import open_log
from tests.patience import PATIENCE_SECONDS
from tests.servers.kafka import KafkaServer

PARTITIONS = 4
PRODUCER = "killed"
KILLS, APPENDS = 6, 3
SECONDS_ALIVE = 0.7


@pytest.fixture
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server


def append_forever(url: str, opened: Event, appended: Event) -> None:
    """Append entries numbered from where the log stands, as a drain of a spool does."""
    asyncio.run(_append_forever(url, opened, appended))


async def _append_forever(url: str, opened: Event, appended: Event) -> None:
    log = open_log(url, partitions=PARTITIONS)
    producer = log.producer(20.0)
    appends = 0
    while True:
        try:
            last = await producer.open(PRODUCER)
            opened.set()
            sequence = max(last.values(), default=0)
            while True:
                # The same entries again after a failure: which of them are in the log is unknown.
                await producer.append(group(sequence))
                appends += 1
                if appends == APPENDS:
                    appended.set()
                sequence += 1
        except LogError:
            await producer.abandon()
            await asyncio.sleep(0.2)


def group(after: int) -> list[LogEntry]:
    """Return the entries of one append: each partition has one with the next sequence."""
    sequence = after + 1
    return [
        LogEntry(number, PRODUCER, sequence, 1, b"%d" % sequence) for number in range(PARTITIONS)
    ]


async def sequences(url: str) -> list[list[int]]:
    """Return the sequences that are in each partition, as they stand there."""
    log = open_log(url, partitions=PARTITIONS)
    found: list[list[int]] = [[] for _ in range(PARTITIONS)]
    at = dict.fromkeys(range(PARTITIONS), 0)
    while batch := await log.reader.read(at, limit=1000):
        for number, records in batch.items():
            found[number] += [int(record.headers["s"]) for record in records]
            at[number] = records[-1].position + 1
    await log.close()
    return found


async def last_sequences(url: str) -> dict[int, int]:
    """Return the last sequence in each partition, as a producer with the id is told."""
    log = open_log(url, partitions=PARTITIONS)
    producer = log.producer(20.0)
    last = await producer.open(PRODUCER)
    await producer.close()
    await log.close()
    return last


@pytest.mark.timeout(900)
async def test_each_entry_is_in_the_log_once_whatever_is_killed(
    kafka: KafkaServer, record_seed: Callable[[], int]
) -> None:
    chance = random.Random(record_seed())
    url = kafka.url("hits")
    spawn = multiprocessing.get_context("spawn")
    for number in range(KILLS):
        opened, appended = spawn.Event(), spawn.Event()
        process = spawn.Process(target=append_forever, args=(url, opened, appended))
        process.start()
        try:
            # Every other one may be killed before it has appended anything, others after some.
            begun = appended if number % 2 else opened
            assert await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
            await asyncio.sleep(chance.random() * SECONDS_ALIVE)
            if number % 3 == 2:
                await asyncio.to_thread(kafka.kill)
                await asyncio.to_thread(kafka.start)
                await asyncio.sleep(chance.random() * SECONDS_ALIVE)
        finally:
            process.kill()
            process.join()

    async with asyncio.timeout(PATIENCE_SECONDS):
        last = await last_sequences(url)
        while True:
            found = await sequences(url)
            if [each[-1:] for each in found] == [[last[number]] for number in range(PARTITIONS)]:
                break
            # Printed where this never ends.
            print(f"last {last}, found {[each[-3:] for each in found]}")  # noqa: T201
            await asyncio.sleep(1.0)
    for number, each in enumerate(found):
        assert each == list(range(1, last[number] + 1)), "none lost, none doubled, in order"
    assert min(last.values()) > KILLS, "something was appended between the kills"
