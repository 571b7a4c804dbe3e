"""The state of a log server, in memory; positions count entries, with gaps."""

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping

from services.log.admin import MoveMark, time_of
from services.log.errors import LogError
from services.log.import_log import ImportProgress
from services.log.interface import Record

GAP = 3
"""Gap between two positions: nothing may rely on consecutive ones."""


def _wall_clock_ms() -> int:
    return time.time_ns() // 1_000_000


class MemoryServer:
    """Streams, commits, leases and imports. Several clients may share one server."""

    def __init__(self, clock: Callable[[], int] = _wall_clock_ms) -> None:
        self.clock = clock
        self.streams: dict[int, list[Record]] = {}
        self.commits: dict[str, dict[int, int]] = {}
        self.written: dict[str, dict[int, int]] = {}
        self.leases: dict[tuple[str, int], tuple[str, int]] = {}
        self.alive: dict[str, dict[str, int]] = {}
        self.topics: dict[str, list[tuple[bytes, dict[str, bytes]]]] = {}
        self.sequences: dict[tuple[int, str], int] = {}
        self.imports: dict[str, ImportProgress] = {}
        self.salts: dict[str, str] = {}
        self.sealed: set[str] = set()
        self.partitions: int | None = None
        self.identity: str | None = None
        self.reachable = True
        self.takes = True
        self.mark: MoveMark | None = None
        self._last: dict[int, tuple[int, int]] = {}
        self._changed = asyncio.Event()

    def check(self) -> None:
        """Raise LogError while the server is unreachable."""
        if not self.reachable:
            raise LogError("the log is out of reach")

    def append(
        self, partition: int, value: bytes, headers: Mapping[str, bytes] | None = None
    ) -> int:
        """Append an entry; return its position. Raises LogError where the log is sealed."""
        if not self.takes:
            raise LogError("this log takes no entry any more: it is moved, or was")
        at, last_ms = self._last.get(partition, (0, 0))
        at, now = at + GAP, max(last_ms, self.clock())
        self._last[partition] = (at, now)
        given = dict(headers or {})
        record = Record(partition, at, time_of(given, now), value, given)
        self.streams.setdefault(partition, []).append(record)
        self._changed.set()
        return at

    def records(self, partition: int) -> list[Record]:
        """Return the entries of a partition, in order."""
        return self.streams.get(partition, [])

    def index(self, partition: int, position: int) -> int:
        """Return how many entries are before a position."""
        return bisect_left(self.records(partition), position, key=lambda record: record.position)

    def last(self, partition: int) -> tuple[int, int]:
        """Return position and time of the last entry ever appended; (0, 0) for none."""
        return self._last.get(partition, (0, 0))

    def owner(self, group: str, partition: int) -> str | None:
        """Return who holds the lease of a partition."""
        owner, until = self.leases.get((group, partition), (None, 0))
        return owner if until > self.clock() else None

    def lease(self, group: str, partition: int, worker: str, ms: int) -> None:
        """Grant a lease, whoever held it."""
        self.leases[group, partition] = (worker, self.clock() + ms)

    def wipe(self, partition: int) -> None:
        """Delete a stream; positions continue to grow."""
        self.streams.pop(partition, None)

    def begin_again(self, partition: int, after: int) -> None:
        """Delete a stream; the next entry comes after a position."""
        self.wipe(partition)
        at, last_ms = self.last(partition)
        # As if there had been entries: readers see that they are gone.
        self._last[partition] = (max(at + GAP, after), last_ms)

    async def changed(self, wait: float) -> None:
        """Wait up to `wait` seconds for an entry to be appended."""
        self._changed.clear()
        try:
            await asyncio.wait_for(self._changed.wait(), wait)
        except TimeoutError:
            return


SERVERS: dict[str, MemoryServer] = {}
"""Servers by the host of their URL: `memory://name`."""
