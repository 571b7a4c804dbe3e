"""The aggregator: read → fold → flush → acknowledge. An ordinary Faust app on our own driver."""

import asyncio
import contextlib
import logging
import math
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faust.contrib.asgi import faust_app_running
from faust.types import EventT, StreamT

from services.aggregator import drift, metrics, retention
from services.aggregator.flush import Flusher
from services.aggregator.fold import Folded, PartitionFold, Read, Seen
from services.aggregator.online import OnlineBoard
from services.aggregator.settings import AggregatorSettings
from services.aggregator.transport import driver, runs
from services.aggregator.transport.runs import RunEntry
from services.aggregator.visits import FORGET_MS, Peak
from services.log import batch, keys
from services.log.batch import Batch
from services.runtime.tasks import end
from services.store.interface import Store, StoreError

log = logging.getLogger(__name__)

RUN_BYTES = 32 * 1024
"""Some 700 hits: a few milliseconds of folding."""
FLUSH_PAGES = 15_000
"""Pages with views that are written without waiting: each is four counter rows."""
STOP_SECONDS = 5.0
"""How long a stop tries to write what was folded."""
LEAVE_SECONDS = 2.0
"""How long a stop tries to give the leases back."""


class Aggregator:
    """Folds the partitions it owns into the store, exactly once.

    Everything happens on one event loop; only the store works in threads of its own.
    """

    def __init__(self, settings: AggregatorSettings, store: Store, *, broker: str = "") -> None:
        self._settings = settings
        self._store = store
        self._flusher = Flusher(store, settings.hot_rows)
        self._online = OnlineBoard(settings.redis_url)
        self._folds: dict[int, PartitionFold] = {}
        self._fresh: list[Folded] = []
        self._replayed: list[Folded] = []
        self._events: list[EventT] = []
        self._peaks: list[Peak] = []
        self._waiting_hits = 0
        self._waiting_pages: set[Seen] = set()
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._flush_lock = asyncio.Lock()
        self._running = contextlib.AsyncExitStack()
        self._tasks: list[asyncio.Task[None]] = []
        self._failure: asyncio.Future[None] | None = None
        self.app = self._create_app(broker or settings.redis_url)

    def _create_app(self, broker: str) -> driver.App:
        folder = self._running.enter_context(tempfile.TemporaryDirectory(prefix="luot-aggregator-"))
        app = driver.App(
            self._settings.group,
            broker=broker,
            datadir=Path(folder),
            topic_disable_leader=True,
            topic_allow_declare=False,
            topic_partitions=self._settings.partitions,
            web_enabled=False,
            stream_wait_empty=False,
            # The buffer is what may wait undecoded; what may wait folded is flush_hits.
            stream_buffer_maxsize=64,
        )
        app.partitions = self._settings.partitions
        app.lease_seconds = self._settings.lease_seconds
        app.retention_ms = int(self._settings.retention_seconds * 1000)
        app.replay_ms = 2 * FORGET_MS
        app.run_bytes = RUN_BYTES
        self._dead = app.topic(keys.DEAD, value_type=bytes, value_serializer="raw")
        topic = app.topic(keys.TOPIC, value_type=bytes, value_serializer="raw")
        app.agent(topic, name="fold")(self._read)
        app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        return app

    # Read

    async def _read(self, stream: StreamT) -> None:
        try:
            async for event in stream.noack().events():
                await self._receive(event)
        except Exception as error:
            # Faust would restart the agent after the event that failed: a hit lost in silence.
            self._fail(error)
            raise

    async def _receive(self, event: EventT) -> None:
        await self._room.wait()
        if self._failure is None or self._failure.done():
            # What comes after an event that failed must not be committed either.
            return
        message = event.message
        if message.generation_id != self.app.consumer_generation_id:
            return
        fold = self._folds.get(message.partition)
        if fold is None:
            fold = self._folds[message.partition] = PartitionFold(message.partition)
        replay = dict(message.headers or {}).get(driver.REPLAY)
        run = [
            (entry.position, entry.time_ms, hits)
            for entry in runs.entries(message)
            if entry.position > fold.position
            and (hits := await self._decode(fold.partition, entry, replay)) is not None
        ]
        if run:
            self._fold(fold, run, replay)
        self._events.append(event)
        self._arrived.set()

    async def _decode(self, partition: int, entry: RunEntry, replay: bytes | None) -> Batch | None:
        """Return the batch of an entry; None, and the entry is told of, when it holds none."""
        headers = entry.headers
        try:
            return batch.decode(
                entry.value, hits=_number(headers, "n"), version=_number(headers, "v")
            )
        except batch.BatchError as error:
            if replay is None:
                await self._bury(partition, entry, str(error))
            return None

    # Fold

    def _fold(self, fold: PartitionFold, run: list[Read], replay: bytes | None) -> None:
        if replay is not None:
            metrics.replayed_batches.inc(len(run))
        if replay == driver.REBUILD:
            fold.rebuild(run)
            return
        folded = fold.fold(run)
        (self._fresh if replay is None else self._replayed).append(folded)
        self._waiting_hits += len(folded)
        self._waiting_pages.update(folded.views)
        metrics.folded_hits.inc(len(folded))
        waiting = self._waiting()
        if waiting >= 1:
            self._full.set()
        if waiting >= 2:
            self._room.clear()

    def _waiting(self) -> float:
        """Return how much of what may wait for a flush does; at 2, nothing more is read."""
        return max(
            self._waiting_hits / self._settings.flush_hits, len(self._waiting_pages) / FLUSH_PAGES
        )

    async def _bury(self, partition: int, entry: RunEntry, reason: str) -> None:
        log.error("entry %d of partition %d: %s", entry.position, partition, reason)
        metrics.dead_entries.inc()
        headers = {
            **entry.headers,
            "reason": reason.encode(),
            "partition": str(partition).encode(),
            "position": str(entry.position).encode(),
        }
        await self._dead.send(value=entry.value, headers=headers)

    # Flush

    async def _flush_forever(self) -> None:
        """Flush once a period, or when full; what comes after a pause is flushed at once."""
        begun = -math.inf
        while True:
            await self._arrived.wait()
            rest = begun + self._settings.flush_seconds - time.monotonic()
            if rest > 0:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), rest)
            begun = time.monotonic()
            self._arrived.clear()
            await self.flush()

    async def flush(self) -> None:
        """Write what was folded until now, then acknowledge and commit it."""
        async with self._flush_lock:
            if not self._events:
                return
            fresh, replayed, events = self._fresh, self._replayed, self._events
            self._fresh, self._replayed, self._events = [], [], []
            self._peaks += [
                peak for fold in self._folds.values() for peak in fold.online.take_peaks()
            ]
            try:
                await self._flusher.flush(fresh, replayed, self._peaks)
            except BaseException:
                # Whatever comes later must not be committed without this.
                self._fresh[:0], self._replayed[:0], self._events[:0] = fresh, replayed, events
                raise
            self._peaks = []
            runs_left = (*self._fresh, *self._replayed)
            self._waiting_hits = sum(map(len, runs_left))
            self._waiting_pages = set().union(*(folded.views for folded in runs_left))
            self._full.clear()
            self._room.set()
            await self._acknowledge(events)

    async def _acknowledge(self, events: Sequence[EventT]) -> None:
        for event in events:
            event.ack()
        await self.app.consumer.commit()
        now = time.time()
        for partition in {event.message.partition for event in events}:
            metrics.last_commit.labels(str(partition)).set(now)

    # Ownership

    async def _on_revoked(self, app: Any, revoked: Any = (), **_: Any) -> None:
        """Forget partitions that go to another worker; it reads again what was not committed."""
        gone = {tp.partition for tp in revoked}
        for partition in gone:
            self._folds.pop(partition, None)
        self._fresh = [folded for folded in self._fresh if folded.partition not in gone]
        self._replayed = [folded for folded in self._replayed if folded.partition not in gone]
        self._events = [event for event in self._events if event.message.partition not in gone]
        self._flusher.forget(gone)

    # Life

    async def start(self) -> None:
        """Start reading; returns before the first partition is owned."""
        self._failure = asyncio.get_running_loop().create_future()
        await self._running.enter_async_context(faust_app_running(self.app))
        self._tasks = [
            asyncio.create_task(self._guard(self._watch_faust())),
            asyncio.create_task(self._guard(self._flush_forever())),
            asyncio.create_task(self._guard(self._online.publish_forever(self._folds))),
            asyncio.create_task(self._guard(self._measure_forever())),
            asyncio.create_task(self._guard(self._watch_drift())),
            asyncio.create_task(
                self._guard(retention.enforce_forever(self._store, self._settings.hits_days))
            ),
        ]

    async def _watch_faust(self) -> None:
        """Raise when the Faust app stops by itself: nothing would be read, and nobody told."""
        await self.app.wait_until_stopped()
        raise self.app.crash_reason or RuntimeError("Faust stopped by itself")

    async def _guard(self, work: Any) -> None:
        try:
            await work
        except Exception as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        log.exception("the aggregator cannot go on", exc_info=error)
        if self._failure and not self._failure.done():
            self._failure.set_exception(error)

    async def failed(self) -> None:
        """Wait until something cannot go on, and raise it."""
        if self._failure is None:
            raise RuntimeError("start() comes first")
        await asyncio.shield(self._failure)

    async def stop(self) -> None:
        """Write and commit what was read, hand the partitions over, stop."""
        await end(*self._tasks)
        if self.app.started:
            consumer = self.app.consumer
            # Stores that are away must not hold us: the next owner reads the log again, and a
            # lease that is not given back ends by itself.
            with contextlib.suppress(TimeoutError, StoreError):
                await asyncio.wait_for(self.flush(), STOP_SECONDS)
            with contextlib.suppress(TimeoutError, *consumer.broker.unavailable):
                await asyncio.wait_for(consumer.leave(), LEAVE_SECONDS)
            await self._running.aclose()
            await consumer.broker.close()
        await self._running.aclose()
        await self._online.close()
        if self._failure and self._failure.done():
            self._failure.exception()

    async def ready(self) -> str | None:
        """Return why hits are not being counted right now; None when they are."""
        if self._failure is None:
            return "not started"
        if self._failure.done():
            return f"stopped: {self._failure.exception()}"
        if self._flusher.unavailable:
            return f"the store is unavailable: {self._flusher.unavailable}"
        return await self._online.unreachable()

    async def _watch_drift(self) -> None:
        def owned() -> set[int]:
            return {tp.partition for tp in self.app.consumer.assignment()}

        settings = self._settings
        await drift.watch_forever(self._store, settings.partitions, owned, settings.drift_seconds)

    async def _measure_forever(self) -> None:
        consumer = self.app.consumer
        while True:
            await asyncio.sleep(2)
            owned = sorted(tp.partition for tp in consumer.assignment())
            metrics.owned_partitions.set(len(owned))
            try:
                committed = await consumer.broker.committed(owned)
                progress = await consumer.broker.progress({p: committed.get(p, 0) for p in owned})
            except consumer.broker.unavailable:
                continue
            metrics.lag_entries.clear()
            metrics.lag_seconds.clear()
            for partition, behind in progress.items():
                age = 0 if behind.oldest_ms is None else behind.now_ms - behind.oldest_ms
                metrics.lag_entries.labels(str(partition)).set(behind.entries)
                metrics.lag_seconds.labels(str(partition)).set(max(0, age) / 1000)


def _number(headers: dict[str, bytes], name: str) -> int:
    try:
        return int(headers[name])
    except (KeyError, ValueError):
        raise batch.BatchError(
            f"field {name} is {headers.get(name)!r}, expected a number"
        ) from None
