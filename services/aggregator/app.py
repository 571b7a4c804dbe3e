"""The aggregator: read → fold → flush → acknowledge. An ordinary Faust app on our own driver."""

import asyncio
import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from faust.contrib.asgi import faust_app_running
from faust.types import EventT, StreamT

from services.aggregator import metrics, retention
from services.aggregator.changes import ChangeTeller
from services.aggregator.faust_app import create_app, raw_topic, watch
from services.aggregator.flush import Flusher
from services.aggregator.fold_keeper import FoldKeeper
from services.aggregator.folding import KernelFolding, PythonFolding, choose
from services.aggregator.freshness import Freshness
from services.aggregator.message_reader import MessageReader
from services.aggregator.online import OnlineBoard
from services.aggregator.online_window import DayPeak
from services.aggregator.ownership import OwnedFolds, assigned
from services.aggregator.pace import flush_forever, flush_period
from services.aggregator.pending import Pending
from services.aggregator.settings import AggregatorSettings
from services.aggregator.supervisor import Supervisor
from services.aggregator.upkeep import Upkeep
from services.aggregator.watermarks import NotesSites
from services.log import keys
from services.metrics import announce
from services.runtime import tracing
from services.store.interface import Store, StoreError

STOP_SECONDS = 5.0
"""How long a shutdown tries to flush what was folded."""
KEEP_SECONDS = 2.0
"""How long a shutdown tries to save the folds for the next owner."""
LEAVE_SECONDS = 2.0
"""How long a shutdown tries to release the leases."""


class Aggregator:
    """Folds the partitions it owns into the store, exactly once.

    Everything happens on one event loop; only the store uses its own threads.
    """

    def __init__(
        self,
        settings: AggregatorSettings,
        store: Store,
        *,
        broker: str = "",
        watermarks: NotesSites | None = None,
    ) -> None:
        self._settings = settings
        since = retention.kept_since(settings.hits_days)
        self._flusher = Flusher(store, settings.hot_rows, watermarks, since, settings.partitions)
        self._online = OnlineBoard(settings.redis_url)
        self._changes = ChangeTeller(settings.redis_url)
        self._upkeep = Upkeep(settings, broker or settings.log_at, store)
        self._freshness = Freshness(self._upkeep.log_now)
        folding = choose(settings.fold)
        for name in (PythonFolding.name, KernelFolding.name):
            metrics.fold.labels(name).set(name == folding.name)
        self._folds = OwnedFolds(folding)
        self._keeper = FoldKeeper(settings, store, self._folds, self._upkeep.log_identity)
        self._pending = Pending(settings.flush_hits)
        self._peaks: list[DayPeak] = []
        self._flush_lock = asyncio.Lock()
        self._supervisor = Supervisor()
        self._running = contextlib.AsyncExitStack()
        folder = self._running.enter_context(tempfile.TemporaryDirectory(prefix="luot-aggregator-"))
        self.app = create_app(settings, broker or settings.log_at, Path(folder))
        self.app.kept_starts = self._keeper
        self._reader = MessageReader(self.app, self._folds, self._keeper, self._pending)
        self.app.add_agent("fold", raw_topic(self.app, keys.TOPIC), self._read)
        self.app.on_partitions_revoked.connect(self._on_revoked, weak=False)

    # Read and fold

    async def _read(self, stream: StreamT) -> None:
        try:
            async for event in stream.noack().events():
                await self._receive(event)
        except Exception as error:
            # Faust would restart the agent after the failed event: a hit silently lost.
            self._supervisor.fail(error)
            raise

    async def _receive(self, event: EventT) -> None:
        await self._pending.room.wait()
        # Nothing after a failed event may be committed.
        if self._supervisor.is_running:
            await self._reader.read(event)

    # Flush

    def _flush_period(self) -> float:
        owned = len(assigned(self.app.consumer))
        return flush_period(self._settings.flush_seconds, owned, self._settings.partitions)

    async def flush(self) -> None:
        """Write what has been folded, then acknowledge and commit it."""
        async with self._flush_lock:
            if self._pending.is_empty:
                # If all of it went to another owner, nothing else would free up room.
                self._pending.make_room()
                return
            taken = self._pending.take()
            self._peaks += self._folds.take_peaks()
            try:
                with tracing.span("flush", taken.batches, batches=len(taken.batches)):
                    changed = await self._flusher.flush(taken.fresh, taken.replayed, self._peaks)
            except BaseException:
                self._pending.put_back(taken)
                raise
            self._peaks = []
            self._changes.add(changed)
            self._pending.make_room()
            await self._acknowledge(taken.events)
            await self._freshness.observe(taken.fresh)

    async def _acknowledge(self, events: Sequence[EventT]) -> None:
        for event in events:
            event.ack()
        await self.app.consumer.commit()
        for partition in {event.message.partition for event in events}:
            metrics.last_commit.labels(str(partition)).set_to_current_time()

    # Ownership

    async def _on_revoked(self, app: Any, revoked: Any = (), **_: Any) -> None:
        """Drop partitions that go to another worker, which rereads what was not committed."""
        partitions = {tp.partition for tp in revoked}
        self._folds.forget(partitions)
        self._keeper.forget(partitions)
        self._pending.forget(partitions)
        self._flusher.forget(partitions)

    # Life

    async def start(self) -> None:
        """Start reading; returns before the first partition is owned."""
        announce("aggregator")
        self._supervisor.start()
        await self._running.enter_async_context(faust_app_running(self.app))
        self._supervisor.run(
            watch(self.app),
            flush_forever(self._pending, self._flush_period, self.flush),
            self._online.publish_forever(self._folds.by_partition),
            self._keeper.keep_forever(self.app.consumer.broker),
            self._changes.tell_forever(lambda: assigned(self.app.consumer)),
            *self._upkeep.tasks(self.app.consumer),
        )

    async def failed(self) -> None:
        """Wait until a task fails, and raise its error."""
        await self._supervisor.failed()

    async def stop(self) -> None:
        """Flush and commit, release the leases, stop."""
        await self._supervisor.end_tasks()
        if self.app.started:
            await self._leave(self.app.consumer)
        await self._running.aclose()
        await self._online.close()
        await self._keeper.close()
        await self._changes.close()
        await self._upkeep.close()
        self._supervisor.close()

    async def _leave(self, consumer: Any) -> None:
        # A store that is down must not delay the shutdown: the next owner rereads the log,
        # and a lease that is not released expires.
        with contextlib.suppress(TimeoutError, StoreError):
            await asyncio.wait_for(self.flush(), STOP_SECONDS)
        with contextlib.suppress(TimeoutError, *consumer.broker.unavailable):
            await asyncio.wait_for(self._keeper.keep_all(consumer.broker), KEEP_SECONDS)
        with contextlib.suppress(TimeoutError, *consumer.broker.unavailable):
            await asyncio.wait_for(consumer.leave(), LEAVE_SECONDS)
        await self._running.aclose()
        await consumer.broker.close()

    async def ready(self) -> str | None:
        """Return why hits are not being counted right now; None when they are."""
        return self._supervisor.problem() or self._upkeep.problem(self._flusher.unavailable)
