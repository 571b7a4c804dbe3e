"""Brings the spool into the log, in order, as soon as Redis takes it again."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.ingest import metrics
from services.ingest.checks import RefusedError
from services.ingest.link import Link
from services.ingest.spool.folder import Folder
from services.ingest.spool.records import Record
from services.ingest.spool.spool import Spool
from services.log import keys
from services.log.writer import SEQUENCE_TTL_SECONDS, Entry, LogWriter
from services.runtime.clock import Clock
from services.runtime.tasks import end

_log = logging.getLogger(__name__)

PROBE_SECONDS = 0.5
"""How long Redis is left alone when it did not answer."""
ADOPT_SECONDS = 10.0
_APPEND_SECONDS = 10.0
_LAST_APPEND_SECONDS = 1.0
_LITTLE_BYTES = 128 << 10
"""As much as may be left to drain while nothing may be added."""
QUICK_SECONDS = 0.5
"""An append that takes longer would keep visitors waiting; the link stays cut."""
_BETWEEN_SECONDS = 0.1
"""How long hits gather in the spool of a link that stays cut."""
_STOP_SECONDS = 3.0
DOUBT_MS = (SEQUENCE_TTL_SECONDS - 24 * 3600) * 1000
"""Age of a record from which the log may have forgotten its producer's sequence."""

_FAULTS = (RedisError, RefusedError, OSError)


class Drain:
    """Two tasks: one for what this process has spooled, one for what others have left.

    While entries are drained, the log remembers their producer's last sequence without end; it
    may forget it only when their file is deleted. So a drain that is repeated after a crash
    repeats nothing, however much later that is.
    """

    def __init__(
        self,
        redis: Redis,
        spool: Spool,
        link: Link,
        check: Callable[[], Awaitable[None]],
        clock: Clock,
    ) -> None:
        """`check` raises RedisError or RefusedError while Redis must not be given anything."""
        self._redis = redis
        self._spool = spool
        self._link = link
        self._check = check
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._said = ""
        self._took = 0.0
        """Seconds of the last append."""

    def start(self) -> None:
        """Begin to drain."""
        self._tasks = [
            asyncio.create_task(self._drain_own(), name="drain the spool"),
            asyncio.create_task(self._drain_orphans(), name="drain orphaned spools"),
        ]

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The tasks that drain; none before the start."""
        return self._tasks

    async def stop(self) -> None:
        """Drain what can be drained quickly, then end. Nothing is appended to the spool now."""
        await end(*self._tasks)
        if not self._link.up:
            with suppress(*_FAULTS, TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await self._check()
                    await self._mend(set())

    async def _drain_own(self) -> None:
        while True:
            await self._link.cut_off.wait()
            try:
                await self._check()
                await self._keep_up()
            except _FAULTS as error:
                self._link.slow = False
                self._say(error)
                await asyncio.sleep(PROBE_SECONDS)

    async def _keep_up(self) -> None:
        """Drain what comes, until hits may go straight into the log again."""
        own = self._spool.own
        producers: set[tuple[int, str]] = set()
        while not self._link.up:
            self._took = 0.0
            producers |= await self._empty(own, _LITTLE_BYTES)
            # One more, however little: it tells how long an append takes.
            producers |= await self._step(own, _APPEND_SECONDS)
            if self._link.held or self._took > QUICK_SECONDS:
                await asyncio.sleep(_BETWEEN_SECONDS)
            else:
                await self._mend(producers)

    async def _mend(self, producers: set[tuple[int, str]]) -> None:
        """Drain the rest, and let hits go straight into the log again.

        `producers` are those of what was drained before.
        """
        own = self._spool.own
        async with self._spool.writing:
            # What is left must be in the log before anything newer is; visitors wait for it.
            producers |= await self._empty(own, 0, _LAST_APPEND_SECONDS)
            await own.clear()
            self._spool.measure()
            self._link.mend()
        await LogWriter.expire(self._redis, producers)

    async def _drain_orphans(self) -> None:
        while True:
            try:
                for folder in await self._spool.adopt():
                    await self._check()
                    producers = await self._empty(folder)
                    await folder.clear()
                    self._spool.release(folder)
                    await LogWriter.expire(self._redis, producers)
            except _FAULTS as error:
                self._say(error)
                await asyncio.sleep(PROBE_SECONDS)
            else:
                await asyncio.sleep(ADOPT_SECONDS)

    async def _empty(
        self, folder: Folder, little: int = 0, seconds: float = _APPEND_SECONDS
    ) -> set[tuple[int, str]]:
        """Drain a folder until few bytes are left; return whose entries they were.

        That is, pairs of partition and producer. An append may take so many seconds.
        """
        producers: set[tuple[int, str]] = set()
        while folder.left > little:
            producers |= await self._step(folder, seconds)
        return producers

    async def _step(self, folder: Folder, seconds: float) -> set[tuple[int, str]]:
        """Drain the next records of a folder, if there are any; return whose they were."""
        chunk = await folder.read()
        if chunk is None:
            return set()
        entries = [entry for record in chunk.records for entry in record.entries]
        doubtful = await self._doubtful(chunk.records)
        if doubtful:
            entries = [entry for entry in entries if entry not in doubtful]
            self._set_aside(folder, doubtful)
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            await LogWriter.append(self._redis, entries, forget=False)
        self._took = time.monotonic() - began
        folder.drop(chunk)
        metrics.DRAINED_HITS.inc(sum(entry.hits for entry in entries))
        self._spool.measure()
        return {(entry.partition, entry.producer) for entry in entries}

    async def _doubtful(self, found: Iterable[Record]) -> list[Entry]:
        """Return the entries of which nobody can know any more whether they are in the log.

        An append of theirs was tried, its reply was lost, and its sequence would have expired.
        """
        limit = self._clock() - DOUBT_MS
        asked = [
            entry
            for record in found
            if record.attempted and record.written < limit
            for entry in record.entries
        ]
        return [entry for entry in asked if not await self._remembered(entry)]

    async def _remembered(self, entry: Entry) -> bool:
        return bool(await self._redis.exists(keys.producer(entry.partition, entry.producer)))

    def _set_aside(self, folder: Folder, doubtful: list[Entry]) -> None:
        hits = sum(entry.hits for entry in doubtful)
        metrics.SPOOL_DOUBTFUL_HITS.inc(hits)
        _log.error(
            "spool: %d hits in %s are more than 6 days old, and the log may have them or not;"
            " they are not appended, and their file is kept",
            hits,
            folder.path,
        )
        folder.doubt()

    def _say(self, error: Exception) -> None:
        if str(error) != self._said:
            self._said = str(error)
            _log.warning("the spool cannot be drained now: %s", error)
