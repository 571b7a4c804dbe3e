"""The log on a Redis Cluster with a replica each: masters die and freeze, and slots move.

`python -m tests.chaos.cluster --seed 1 --seconds 600` appends from several producers, which give up
waiting at any moment, and reads as an aggregator does. At the end what was accepted is in the log
once, and so is what the reader saw, at the place where it saw it.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import redis

from services.log import keys
from services.log.errors import LogError
from services.log.interface import Log
from services.log.open import open_log
from tests.integration.test_redis_cluster_log import PARTITIONS, SITES, Entries
from tests.servers.redis_cluster import FAILING_MS, Node, RedisCluster

PRODUCERS = 3
FAULTS = ("kill", "freeze", "stutter", "move", "move")

Place = tuple[int, str, int]
"""Partition, producer and sequence of an entry."""


class Run:
    """What was given, taken, refused and seen."""

    def __init__(self, cluster: RedisCluster, seed: int) -> None:
        self.cluster = cluster
        self.given: list[Entries] = []
        self.refused: Counter[str] = Counter()
        self.seen: list[tuple[Place, int]] = []
        self.faults: Counter[str] = Counter()
        self._chance = random.Random(seed)
        self._over = asyncio.Event()

    async def run(self, seconds: float) -> list[str]:
        """Run so long, and return what is wrong."""
        log = open_log(self.cluster.url(), partitions=PARTITIONS, answer_seconds=2.0)
        log.require_replicas(1)
        async with asyncio.TaskGroup() as together:
            for number in range(PRODUCERS):
                together.create_task(self._append(log, f"producer-{number}"))
            together.create_task(self._read(log))
            await asyncio.to_thread(self._break, seconds)
            self._over.set()
        try:
            return await self._compare(log)
        finally:
            await log.close()

    async def _append(self, log: Log, name: str) -> None:
        producer = log.producer()
        entries = Entries(name)
        self.given.append(entries)
        while not self._over.is_set():
            given = entries.next(*self._chance.sample(SITES, self._chance.randint(1, len(SITES))))
            while True:
                try:
                    async with asyncio.timeout(self._chance.choice((0.02, 0.3, 1.0))):
                        await producer.append(given)
                except TimeoutError:
                    self.refused["too late"] += 1
                    await producer.abandon()
                except LogError as error:
                    self.refused[type(error).__name__] += 1
                    await asyncio.sleep(0.05)
                else:
                    break
            await asyncio.sleep(0.005)
        await producer.close()

    async def _read(self, log: Log) -> None:
        at = dict.fromkeys(range(PARTITIONS), 0)
        while not self._over.is_set():
            with suppress(LogError):
                for place, position in await _records(log, at, wait=0.2):
                    self.seen.append((place, position))

    async def _compare(self, log: Log) -> list[str]:
        expected = Counter(
            (entry.partition, entry.producer, entry.sequence)
            for entries in self.given
            for entry in entries.given
        )
        found: dict[Place, int] = {}
        times: Counter[Place] = Counter()
        at = dict.fromkeys(range(PARTITIONS), 0)
        while True:
            try:
                records = await _records(log, at)
            except LogError:
                await asyncio.sleep(0.1)
                continue
            if not records:
                break
            found |= dict(records)
            times.update(place for place, _ in records)
        moved = [place for place, position in self.seen if found.get(place) != position]
        wrong = {
            "accepted, and not in the log": expected - times,
            "in the log twice, or never given": times - expected,
            "seen, and not there": Counter(moved),
        }
        sys.stdout.write(
            f"{len(expected)} entries accepted, {len(self.seen)} seen;"
            f" faults {dict(self.faults)}; not taken at once {dict(self.refused)}\n"
        )
        return [f"{what}: {places.total()}" for what, places in wrong.items() if places]

    def _break(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            fault = self._chance.choice(FAULTS)
            stream = keys.stream(self._chance.randrange(PARTITIONS))
            # A node that changes its part refuses what a test asks of it, too.
            with suppress(redis.RedisError):
                self._fault(fault, stream, self.cluster.owner(stream))
                self.faults[fault] += 1
            time.sleep(self._chance.random() * 2)

    def _fault(self, fault: str, stream: str, master: Node) -> None:
        if fault == "move":
            others = [node for node in self.cluster.masters() if node is not master]
            for _ in self.cluster.moving(stream, self._chance.choice(others)):
                time.sleep(self._chance.random() * 0.3)
        elif fault == "stutter":
            master.freeze()
            time.sleep(self._chance.random())
            master.thaw()
        elif fault == "freeze":
            master.freeze()
            try:
                self.cluster.master_after(master, stream)
            finally:
                master.thaw()
            master.wait_until_replica()
        else:
            master.kill()
            self.cluster.master_after(master, stream)
            master.start()
            master.wait_until_replica()


async def _records(log: Log, at: dict[int, int], wait: float = 0.0) -> list[tuple[Place, int]]:
    """Return entries and their positions from these positions on, which are moved behind them."""
    found: list[tuple[Place, int]] = []
    for number, records in (await log.reader.read(at, limit=1000, wait=wait)).items():
        for record in records:
            producer, sequence = record.headers["p"].decode(), int(record.headers["s"])
            found.append(((number, producer, sequence), record.position))
            at[number] = record.position + 1
    return found


def main() -> int:
    """Run once; return 1 where something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=600.0)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        RedisCluster(Path(folder), replicas=True, timeout_ms=FAILING_MS) as cluster,
    ):
        wrong = asyncio.run(_run(cluster, given.seed, given.seconds))
    sys.stdout.write(f"seed {given.seed}: {'; '.join(wrong) or 'all is right'}\n")
    return 1 if wrong else 0


async def _run(cluster: RedisCluster, seed: int, seconds: float) -> list[str]:
    return await Run(cluster, seed).run(seconds)


if __name__ == "__main__":
    sys.exit(main())
