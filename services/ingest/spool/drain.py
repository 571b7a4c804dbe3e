"""Drains the spool into the log, in order, as soon as the log accepts entries again."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from services.ingest import metrics
from services.ingest.checks import RefusedError
from services.ingest.circuit_breaker import CircuitBreaker
from services.ingest.spool.folder import Folder
from services.ingest.spool.records import SpoolRecord
from services.ingest.spool.spool import Spool
from services.log.entries import LogEntry
from services.log.errors import LogError, LogNotHeldError
from services.log.interface import REMEMBERED_SECONDS, Log, LogProducer
from services.runtime.clock import Clock
from services.runtime.outage import Outage
from services.runtime.tasks import end

_log = logging.getLogger(__name__)

PROBE_SECONDS = 0.5
"""How long to wait before the log is probed again after a failure."""
ADOPT_SECONDS = 2.0
"""How often to look for spools that others left: their last appends may hold up readers."""
ANSWER_SECONDS = 10.0
"""How long the log may take for one reply."""
_APPEND_SECONDS = 10.0
_LAST_APPEND_SECONDS = 1.0
_LITTLE_BYTES = 128 << 10
"""How much may be left to drain while the spool is locked against appends."""
QUICK_SECONDS = 0.5
"""An append that takes longer would keep visitors waiting; the breaker stays open."""
_BETWEEN_SECONDS = 0.1
"""How long hits collect in the spool between two drains while the breaker stays open."""
_STOP_SECONDS = 3.0
DOUBT_MS = (REMEMBERED_SECONDS - 24 * 3600) * 1000
"""Age of a record from which the log may have forgotten its producer's sequence."""

_FAULTS = (LogError, RefusedError, OSError)


class Drain:
    """Two tasks: one drains the spool of this process, one those that other processes have left.

    While entries are drained, their producer is open, so the log remembers its last sequences; it
    may forget them only once the file is deleted. So a drain that is retried after a crash appends
    nothing twice, however much later that is.
    """

    def __init__(
        self,
        log: Log,
        spool: Spool,
        breaker: CircuitBreaker,
        check: Callable[[], Awaitable[None]],
        clock: Clock,
        answer_seconds: float = ANSWER_SECONDS,
        appended: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Prepare.

        `check` raises LogError or RefusedError while nothing must be appended to the log.
        `appended` is told how many seconds ago the hits now appended were accepted.
        """
        self._own = _Sender(log.producer(answer_seconds))
        self._orphans = _Sender(log.producer(answer_seconds))
        self._spool = spool
        self._breaker = breaker
        self._check = check
        self._clock = clock
        self._appended = appended
        self._tasks: list[asyncio.Task[None]] = []
        self._outage = Outage(_log, "the spool cannot be drained", "the spool is drained")
        self._orphans_outage = Outage(
            _log, "spools that others left cannot be drained", "spools that others left are drained"
        )
        self._took = 0.0
        """Seconds of the last append."""

    def start(self) -> None:
        """Start draining."""
        self._tasks = [
            asyncio.create_task(self._drain_own(), name="drain the spool"),
            asyncio.create_task(self._drain_orphans(), name="drain orphaned spools"),
        ]

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The tasks that drain; none before the start."""
        return self._tasks

    async def stop(self) -> None:
        """Drain what can be drained quickly, then stop. The group commit must have stopped."""
        await end(*self._tasks)
        if not self._breaker.closed:
            with suppress(*_FAULTS, TimeoutError):
                async with asyncio.timeout(_STOP_SECONDS):
                    await self._check()
                    await self._close_breaker()

    async def close(self) -> None:
        """Close the connections to the log."""
        await self._own.close()
        await self._orphans.close()

    async def _drain_own(self) -> None:
        while True:
            await self._breaker.opened.wait()
            try:
                await self._check()
                await self._keep_up()
                self._outage.ends()
            except _FAULTS as error:
                if isinstance(error, LogNotHeldError):
                    metrics.NOT_HELD.inc()
                self._breaker.slow = False
                self._outage.begins(_why(error))
                await self._own.abandon()
                await asyncio.sleep(PROBE_SECONDS)

    async def _keep_up(self) -> None:
        """Drain what arrives, until hits may go straight into the log again."""
        own = self._spool.own
        while not self._breaker.closed:
            self._took = 0.0
            await self._empty(own, self._own, _LITTLE_BYTES)
            # One more, however small: it measures how long an append takes.
            await self._step(own, self._own, _APPEND_SECONDS)
            if self._breaker.half_open and self._took <= QUICK_SECONDS:
                await self._close_breaker()
            else:
                await asyncio.sleep(_BETWEEN_SECONDS)

    async def _close_breaker(self) -> None:
        """Drain the rest, and let hits go straight into the log again."""
        own = self._spool.own
        async with self._spool.writing:
            # The rest must be in the log before anything newer; visitors wait meanwhile.
            await self._empty(own, self._own, 0, _LAST_APPEND_SECONDS)
            await own.clear()
            self._spool.measure()
            self._breaker.close()
        await self._own.forget()

    async def _drain_orphans(self) -> None:
        while True:
            try:
                for folder in await self._spool.adopt():
                    await self._check()
                    # Its last append may hold up readers until the id comes back.
                    async with asyncio.timeout(_APPEND_SECONDS):
                        await self._orphans.open({folder.path.name})
                    await self._empty(folder, self._orphans)
                    await folder.clear()
                    self._spool.release(folder)
                    await self._orphans.forget()
            except _FAULTS as error:
                self._orphans_outage.begins(_why(error))
                await self._orphans.abandon()
                await asyncio.sleep(PROBE_SECONDS)
            else:
                self._orphans_outage.ends()
                await asyncio.sleep(ADOPT_SECONDS)

    async def _empty(
        self,
        folder: Folder,
        sender: "_Sender",
        little: int = 0,
        seconds: float = _APPEND_SECONDS,
    ) -> None:
        """Drain a folder until at most `little` bytes are left; `seconds` limits each append."""
        while folder.left > little:
            await self._step(folder, sender, seconds)

    async def _step(self, folder: Folder, sender: "_Sender", seconds: float) -> None:
        """Drain the next records of a folder, if there are any."""
        chunk = await folder.read()
        if chunk is None:
            return
        entries = [entry for record in chunk.records for entry in record.entries]
        async with asyncio.timeout(seconds):
            await sender.open({entry.producer for entry in entries})
        doubtful = self._doubtful(chunk.records, sender)
        if doubtful:
            entries = [entry for entry in entries if entry not in doubtful]
            self._set_aside(folder, doubtful)
        began = time.monotonic()
        async with asyncio.timeout(seconds):
            await sender.producer.append(entries)
        self._took = time.monotonic() - began
        if entries:
            self._appended(max(0, self._clock() - chunk.records[0].written) / 1000)
        folder.drop(chunk)
        metrics.DRAINED_HITS.inc(sum(entry.hits for entry in entries))
        self._spool.measure()

    def _doubtful(self, records: Iterable[SpoolRecord], sender: "_Sender") -> list[LogEntry]:
        """Return the entries that may or may not be in the log, with no way left to tell.

        Their append was tried, its reply was lost, and the sequence would have expired.
        """
        limit = self._clock() - DOUBT_MS
        return [
            entry
            for record in records
            if record.attempted and record.written < limit
            for entry in record.entries
            if not sender.remembered(entry)
        ]

    def _set_aside(self, folder: Folder, doubtful: list[LogEntry]) -> None:
        hits = sum(entry.hits for entry in doubtful)
        metrics.SPOOL_DOUBTFUL_HITS.inc(hits)
        _log.error(
            "spool: %d hits in %s are more than 6 days old, and the log may have them or not;"
            " they are not appended, and their file is kept",
            hits,
            folder.path,
        )
        folder.doubt()


def _why(error: Exception) -> str:
    """Return the text of a fault; a call that took too long has none of its own."""
    return str(error) or "no answer in time"


class _Sender:
    """A producer, and what the log remembered of each id when it was opened."""

    def __init__(self, producer: LogProducer) -> None:
        self.producer = producer
        self._sequences: dict[str, dict[int, int]] = {}

    async def open(self, ids: Iterable[str]) -> None:
        """Open the ids that are not open yet. Raises LogError."""
        for producer_id in ids:
            if producer_id not in self._sequences:
                self._sequences[producer_id] = await self.producer.open(producer_id)

    def remembered(self, entry: LogEntry) -> bool:
        """Tell whether the log remembered a sequence of an entry's producer in its partition."""
        return entry.partition in self._sequences[entry.producer]

    async def abandon(self) -> None:
        """Drop the call under way; ids have to be opened again."""
        self._sequences.clear()
        await self.producer.abandon()

    async def forget(self) -> None:
        """Let the ids that were opened expire. Raises LogError."""
        await self.producer.forget()
        self._sequences.clear()

    async def close(self) -> None:
        """Close the connection to the log."""
        await self.producer.close()
