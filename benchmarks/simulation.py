"""Simulated time on a store: the hits of a province, folded and flushed as an aggregator does."""

import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.processes import cpu_clock
from benchmarks.province import Province, Traffic
from services.aggregator import retention
from services.aggregator.flush import Flusher
from services.aggregator.folding import AnyFolded, choose
from services.aggregator.ownership import OwnedFolds
from services.aggregator.settings import AggregatorSettings
from services.log import batch
from services.log.redis import entry_ids
from services.model.calendar import day_start_ms
from services.model.hit import Hit
from services.model.site import DEFAULT_TIMEZONE
from services.store.interface import Store

HITS_AN_ENTRY = 50
_DAY_MS = 86_400_000


class Used(NamedTuple):
    """Processor time in seconds: of this process, and of the server of the store."""

    own: float = 0
    server: float = 0

    @property
    def both(self) -> float:
        """The sum."""
        return self.own + self.server

    def plus(self, other: "Used") -> "Used":
        """Return the sum with another."""
        return Used(self.own + other.own, self.server + other.server)


class Clock:
    """Tells what this process and a server use from its making on."""

    def __init__(self, server: int) -> None:
        self._pid = server
        self._own, self._server = time.process_time(), cpu_clock(server)

    def used(self) -> Used:
        """Return what they have used."""
        return Used(time.process_time() - self._own, cpu_clock(self._pid) - self._server)


class Simulation:
    """An aggregator of all partitions, whose time is that of the hits."""

    def __init__(
        self, store: Store, server: int, province: Province, year: int, day: int | None = None
    ) -> None:
        """Prepare.

        server  the process of the store's server
        year    the first day of the year that is simulated
        day     the day to begin with; that one unless it is given
        """
        self._store = store
        self._server = server
        self._traffic = Traffic(province, year)
        self._hits_a_flush = province.hits_a_flush
        self._a_day = province.flushes_a_day
        self._span_ms = _DAY_MS // self._a_day
        self._settings = AggregatorSettings()
        self._folding = choose("auto")
        self._flushes = 0
        self._first_day = year if day is None else day
        self.hits = 0
        self.start_again()

    def start_again(self) -> None:
        """Forget all that an aggregator has in memory."""
        self._folds = OwnedFolds(self._folding)
        kept = retention.kept_since(self._settings.hits_days, lambda: self.now)
        self._flusher = Flusher(self._store, self._settings.hot_rows, first_kept=kept)

    @property
    def day(self) -> int:
        """The day of the next flush."""
        return self._first_day + self._flushes // self._a_day

    @property
    def now(self) -> float:
        """The end of the last flush, in seconds since 1970."""
        return self._first_ms(self._flushes) / 1000

    async def until(self, day: int) -> Used:
        """Go on until a day begins; return what the flushes used, merges meanwhile included."""
        used = Used()
        while self.day < day:
            used = used.plus(await self.flush())
        await retention.enforce(self._store, self._settings.hits_days, self.now)
        return used

    async def flush(self) -> Used:
        """Fold and write the hits of the next hours; return what writing them used."""
        first_ms = self._first_ms(self._flushes)
        end_ms = first_ms + self._span_ms
        hits = self._traffic.hits(self.day, first_ms, end_ms, self._hits_a_flush)
        runs = [self._fold(number, of_one) for number, of_one in sorted(hits.items())]
        peaks = self._folds.take_peaks()
        clock = Clock(self._server)
        await self._flusher.flush(runs, [], peaks)
        self._flushes += 1
        self.hits += self._hits_a_flush
        return clock.used()

    def _fold(self, partition: int, hits: Sequence[Hit]) -> AnyFolded:
        reads, size = self._folding.reads(), 0
        for number, start in enumerate(range(0, len(hits), HITS_AN_ENTRY)):
            group = list(hits[start : start + HITS_AN_ENTRY])
            at, payload = group[-1].at, batch.encode(group)
            position = entry_ids.encode(at, number)
            reads.add(position, at, payload, len(group), batch.SCHEMA_VERSION)
            size += len(payload)
        folded: AnyFolded = self._folds.of(partition).fold(reads, size)
        return folded

    def _first_ms(self, flushes: int) -> int:
        day, number = divmod(flushes, self._a_day)
        return day_start_ms(self._first_day + day, DEFAULT_TIMEZONE) + number * self._span_ms
