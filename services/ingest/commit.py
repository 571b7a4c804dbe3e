"""Group commit: hits are collected for a moment, appended together, and only then answered."""

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

from services.ingest import metrics
from services.ingest.circuit_breaker import CircuitBreaker
from services.ingest.drops import DropReason
from services.ingest.spool.spool import Spool, SpoolError
from services.log.entries import Batcher, LogEntry
from services.log.errors import LogDisconnectedError, LogError, LogNotHeldError
from services.log.interface import LogProducer
from services.model.hit import Hit
from services.runtime import tracing
from services.runtime.outage import Outage

_log = logging.getLogger(__name__)

MAX_WAITING = 20_000
"""Hits that may wait for the log or the spool; about 20 MB."""
WORTH_HITS = 8
"""Hits per entry, on average, from which waiting for more no longer pays off."""
APPEND_SECONDS = 1.0
"""How long an append may take; visitors wait for it."""
WAIT_SECONDS = 0.5
"""How long a hit may wait for its turn; beyond that, the log cannot keep up."""

_Waiting = tuple[Hit, asyncio.Future[None], float]
"""A hit, what its sender waits for, and since when."""


class UnavailableError(Exception):
    """Neither the log nor the spool can take this hit now; the message says why."""


class GroupCommit:
    """Takes hits one by one and appends them in groups, with one append in flight at a time.

    The first append that fails opens the circuit breaker, and so does a hit that has waited too
    long for its turn. Those entries and all later ones go to the spool, until it is drained and the
    breaker closes. So a producer's entries reach the log in sequence order, whichever way they
    take.
    """

    def __init__(
        self,
        producer: LogProducer,
        batcher: Batcher,
        spool: Spool,
        breaker: CircuitBreaker,
        *,
        window_seconds: float,
        max_hits: int,
        max_waiting: int = MAX_WAITING,
        append_seconds: float = APPEND_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._producer = producer
        self._batcher = batcher
        self._spool = spool
        self._breaker = breaker
        self._window = window_seconds
        self._max_hits = max_hits
        self._worth = min(max_hits, WORTH_HITS * batcher.partitions)
        self._max_waiting = max_waiting
        self._append_seconds = append_seconds
        self._wait_seconds = window_seconds + wait_seconds
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._enough = asyncio.Event()
        self._last_group = -math.inf
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._requests: dict[asyncio.Future[None], Any] = {}
        """For each waiting hit, the span of its request, when tracing is on."""
        self._refusing = Outage(_log, "hits are refused, answered with 503", "hits are taken")
        self.fault: str | None = None
        """Why the last group was refused; None while hits are taken."""

    def start(self) -> None:
        """Start appending."""
        self._task = asyncio.create_task(self._run(), name="group commit")

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task that appends; None before the start."""
        return self._task

    @property
    def running(self) -> bool:
        """Whether the task that appends is alive."""
        return self._task is not None and not self._task.done()

    async def stop(self) -> None:
        """Append the hits taken so far, then stop; later hits are refused."""
        self._stopping = True
        self._arrived.set()
        self._enough.set()
        if self._task is not None:
            await self._task

    def submit(self, hit: Hit) -> asyncio.Future[None]:
        """Take a hit; the future is done when the hit is durable, in the log or the spool.

        The future, or this call, raises UnavailableError when neither can take it.
        """
        if self._stopping or not self.running:
            raise UnavailableError("ingest is stopping" if self._stopping else "no appends run")
        if len(self._waiting) >= self._max_waiting:
            raise UnavailableError(f"{self._max_waiting} hits are waiting")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((hit, done, time.monotonic()))
        if tracing.tracer is not None:
            self._requests[done] = tracing.here()
        if len(self._waiting) == 1:
            self._arrived.set()
        if len(self._waiting) >= self._worth:
            self._enough.set()
        return done

    async def submit_both(self, view: Hit, search: Hit) -> None:
        """Take a view and its search; wait for both.

        Raises UnavailableError only if the view cannot be taken: whoever is told so sends both
        again, and a view that was taken would count twice.
        """
        taking = [self.submit(view)]
        with suppress(UnavailableError):
            taking.append(self.submit(search))
        taken, *_ = await asyncio.gather(*taking, return_exceptions=True)
        if isinstance(taken, BaseException):
            raise taken

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            if not self._waiting:
                return
            await self._collect()
            group = list(islice(self._waiting, self._max_hits))
            for _ in group:
                self._waiting.popleft()
            hits = [hit for hit, _, _ in group]
            try:
                await self._look_at_the_time(group[0][2])
                with tracing.span("append", self._requests_of(group), hits=len(hits)):
                    await self._commit(hits)
            except SpoolError as error:
                self._give_up(group, str(error))
            except Exception:
                # Unexpected: refuse these hits; later ones may still get through.
                _log.exception("a group of hits could not be written")
                self._give_up(group, "see the log of ingest")
            else:
                self.fault = None
                self._refusing.ends()
                _count(hits)
                for _, done, _ in group:
                    if not done.done():
                        done.set_result(None)
            if not self._waiting and not self._stopping:
                self._arrived.clear()

    def _requests_of(self, group: Sequence[_Waiting]) -> list[Any]:
        if not self._requests:
            return []
        contexts = (self._requests.pop(done, None) for _, done, _ in group)
        return [context for context in contexts if context is not None]

    async def _collect(self) -> None:
        """Wait for more hits, but no longer than the window.

        A group is due when the window has passed since the previous one, so that a lone hit does
        not wait, or earlier once it is worth an append. It includes whatever is being read now.
        """
        now = time.monotonic()
        due = self._last_group + self._window
        while not self._stopping and len(self._waiting) < self._worth and now < due:
            self._enough.clear()
            timer = asyncio.get_running_loop().call_later(due - now, self._enough.set)
            await self._enough.wait()
            timer.cancel()
            now = time.monotonic()
        limit = now + self._window
        before = 0
        while before < len(self._waiting) < self._max_hits and time.monotonic() <= limit:
            before = len(self._waiting)
            # The event loop reads from the network in one turn, and submits hits in the next.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self._last_group = time.monotonic()

    async def _look_at_the_time(self, oldest: float) -> None:
        """Open the breaker when the log cannot keep up; the spool is faster.

        The drain takes over the producer's id; from then on Kafka refuses whoever had it before.
        """
        breaker = self._breaker
        waited = time.monotonic() - max(oldest, breaker.closed_since)
        if breaker.closed and waited > self._wait_seconds:
            breaker.open(f"it does not keep up, a hit has waited {waited:.1f} s", slow=True)
            await self._producer.abandon()

    async def _commit(self, hits: Sequence[Hit]) -> None:
        entries = self._batcher.prepare(hits)
        await self._put(entries)
        if tracing.tracer is not None:
            for entry in entries:
                tracing.batch(entry.payload, partition=entry.partition, hits=entry.hits)

    async def _put(self, entries: Sequence[LogEntry]) -> None:
        """Make entries durable. Raises SpoolError."""
        failed: str | None = None
        while True:
            if self._breaker.closed:
                started = time.perf_counter()
                try:
                    async with asyncio.timeout(self._append_seconds):
                        await self._append(entries)
                except (LogError, TimeoutError) as error:
                    if isinstance(error, LogNotHeldError):
                        metrics.NOT_HELD.inc()
                    failed = str(error) or f"no answer in {self._append_seconds:g} s"
                    self._breaker.open(failed)
                    await self._producer.abandon()
                else:
                    metrics.GROUP_COMMIT_SECONDS.observe(time.perf_counter() - started)
                    metrics.GROUP_COMMIT_HITS.observe(sum(entry.hits for entry in entries))
                    return
            async with self._spool.writing:
                if failed is None and self._breaker.closed:
                    # Closed while this waited: everything earlier is in the log.
                    continue
                if failed is not None and self._breaker.closed:
                    # Closed without these entries; visitors must not wait for a second attempt.
                    self._breaker.open(failed)
                await self._spool.append(entries, attempted=failed is not None)
                return

    async def _append(self, entries: Sequence[LogEntry]) -> None:
        """Append; retry once on a new connection, since a restart of the log kills all of them."""
        try:
            await self._producer.append(entries)
        except LogDisconnectedError:
            metrics.APPEND_RETRIES.inc()
            await self._producer.abandon()
            await self._producer.append(entries)

    def _give_up(self, group: Sequence[_Waiting], why: str) -> None:
        """Fail all waiting hits: those of this group and those queued behind it."""
        self._refusing.begins(why, logging.ERROR)
        self.fault = f"hits cannot be taken: {why}"
        failed = [*group, *self._waiting]
        self._waiting.clear()
        self._requests.clear()
        for _, done, _ in failed:
            if not done.done():
                done.set_exception(UnavailableError("hits cannot be taken now"))


def _count(hits: Sequence[Hit]) -> None:
    """Update the metrics of hits that are durable now."""
    bots = sum(hit.bot for hit in hits)
    metrics.ACCEPTED.inc(len(hits) - bots)
    if bots:
        metrics.TAGGED.inc(bots)
        metrics.DROPS[DropReason.BOT].inc(bots)
