"""A log in memory, of the same shape as the one on Redis, and the transport for `memory://`."""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import ClassVar

from services.aggregator.transport import driver
from services.aggregator.transport.broker import Broker, Progress, Record, earlier
from services.model import position as positions_of


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class Log:
    """What a server would keep: streams, commits, leases. Several brokers may share one."""

    def __init__(self, clock: Callable[[], int] = _wall_clock_ms) -> None:
        self.clock = clock
        self.streams: dict[int, list[Record]] = {}
        self.commits: dict[str, dict[int, int]] = {}
        self.leases: dict[tuple[str, int], tuple[str, int]] = {}
        self.alive: dict[str, dict[str, int]] = {}
        self.topics: dict[str, list[tuple[bytes, dict[str, bytes]]]] = {}
        self.reachable = True
        self._last: dict[int, int] = {}
        self._changed = asyncio.Event()

    def append(
        self, partition: int, value: bytes, headers: Mapping[str, bytes] | None = None
    ) -> int:
        """Append an entry; return its position."""
        at = max(positions_of.encode(self.clock(), 0), self._last.get(partition, -1) + 1)
        self._last[partition] = at
        record = Record(partition, at, positions_of.time_ms(at), value, dict(headers or {}))
        self.streams.setdefault(partition, []).append(record)
        self._changed.set()
        return at

    def wipe(self, partition: int) -> None:
        """Forget a stream, as a deleted key would be; positions go on growing."""
        self.streams.pop(partition, None)

    async def changed(self, wait: float) -> None:
        """Wait up to `wait` seconds for an entry to be appended."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), wait)
        except TimeoutError:
            return


LOGS: dict[str, Log] = {}
"""Logs by the host of their URL: `memory://name`."""


class MemoryBroker(Broker):
    """One group of readers of a log in memory."""

    def __init__(self, log: Log, group: str) -> None:
        self._log = log
        self._group = group

    def _check(self) -> Log:
        if not self._log.reachable:
            raise ConnectionError("the log is out of reach")
        return self._log

    async def read(
        self, positions: Mapping[int, int], wait: float, limit: int
    ) -> dict[int, Sequence[Record]]:
        """See Broker."""
        if records := self._read_now(positions, limit):
            return records
        await self._log.changed(wait)
        return self._read_now(positions, limit)

    def _read_now(self, positions: Mapping[int, int], limit: int) -> dict[int, Sequence[Record]]:
        streams = self._check().streams
        result: dict[int, Sequence[Record]] = {}
        for number, at in positions.items():
            entries = streams.get(number, [])
            start = bisect_left(entries, at, key=lambda record: record.position)
            if start < len(entries):
                result[number] = entries[start : start + limit]
        return result

    async def committed(self, partitions: Collection[int]) -> dict[int, int]:
        """See Broker."""
        commits = self._check().commits.get(self._group, {})
        return {number: commits[number] for number in partitions if number in commits}

    async def commit(self, positions: Mapping[int, int]) -> None:
        """See Broker."""
        commits = self._check().commits.setdefault(self._group, {})
        for number, at in positions.items():
            commits[number] = max(at, commits.get(number, 0))

    def rewind(self, position: int, ms: int) -> int:
        """See Broker."""
        return max(0, position - positions_of.encode(ms, 0))

    async def trim(
        self, position: int, partition: int, retention_ms: int, *, early: bool = False
    ) -> None:
        """See Broker."""
        log = self._check()
        oldest = min(position, positions_of.encode(max(0, log.clock() - retention_ms), 0))
        entries = log.streams.get(partition, [])
        if early and entries:
            oldest = max(oldest, earlier(entries[0].position, position)[0])
        del entries[: bisect_left(entries, oldest, key=lambda record: record.position)]

    async def shortage(self) -> str | None:
        """See Broker."""
        return None

    async def progress(self, partitions: Mapping[int, int]) -> dict[int, Progress]:
        """See Broker."""
        log = self._check()
        result = {}
        for number, at in partitions.items():
            behind = [record for record in log.streams.get(number, []) if record.position >= at]
            oldest = behind[0].time_ms if behind else None
            result[number] = Progress(len(behind), oldest, log.clock())
        return result

    async def end(self, partition: int) -> int:
        """See Broker."""
        entries = self._check().streams.get(partition, [])
        return entries[-1].position + 1 if entries else 0

    async def append(self, topic: str, value: bytes, headers: Mapping[str, bytes]) -> None:
        """See Broker."""
        self._check().topics.setdefault(topic, []).append((value, dict(headers)))

    async def workers(self, worker: str, ttl: float) -> list[str]:
        """See Broker."""
        log = self._check()
        alive = log.alive.setdefault(self._group, {})
        alive[worker] = log.clock()
        oldest = log.clock() - int(ttl * 1000)
        for name in [name for name, seen in alive.items() if seen <= oldest]:
            del alive[name]
        return sorted(alive)

    async def owners(self, partitions: Collection[int]) -> dict[int, str]:
        """See Broker."""
        return {
            number: owner for number in partitions if (owner := self._owner(number)) is not None
        }

    def _owner(self, partition: int) -> str | None:
        log = self._check()
        owner, until = log.leases.get((self._group, partition), (None, 0))
        return owner if until > log.clock() else None

    async def renew(self, worker: str, partitions: Collection[int], ttl: float) -> set[int]:
        """See Broker."""
        mine = {number for number in partitions if self._owner(number) == worker}
        for number in mine:
            self._lease(worker, number, ttl)
        return mine

    async def acquire(self, worker: str, partition: int, ttl: float) -> bool:
        """See Broker."""
        if self._owner(partition) not in (None, worker):
            return False
        self._lease(worker, partition, ttl)
        return True

    def _lease(self, worker: str, partition: int, ttl: float) -> None:
        log = self._check()
        log.leases[self._group, partition] = (worker, log.clock() + int(ttl * 1000))

    async def release(self, worker: str, partitions: Collection[int], *, leave: bool) -> None:
        """See Broker."""
        for number in partitions:
            if self._owner(number) == worker:
                del self._log.leases[self._group, number]
        if leave:
            self._log.alive.get(self._group, {}).pop(worker, None)

    async def close(self) -> None:
        """See Broker."""


class Transport(driver.Transport):
    """Faust's transport for `memory://name`, for tests."""

    default_port: ClassVar[int] = 0
    driver_version = "luot-memory"

    def create_broker(self) -> Broker:
        """Return a reader of the log of that name."""
        return MemoryBroker(LOGS.setdefault(self.url[0].host, Log()), self.app.conf.id)
