"""Saves the folds of owned partitions, and resumes from what the previous owner saved.

Whoever takes over a partition rereads two windows of the log before new hits count, for two
reasons: to know who is in the middle of a visit, and to rewrite what the store acknowledged and
then lost. A saved fold has the first. The second can be skipped if the store's server has not
restarted since the last such reread: only a crash of its machine loses anything.
"""

import asyncio
import contextlib
import logging
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import msgspec

from services import __version__
from services.aggregator import metrics
from services.aggregator.folding import AnyFold
from services.aggregator.online_window import ONLINE_MS
from services.aggregator.ownership import OwnedFolds
from services.aggregator.repetitions import MOST_IDS, WINDOW_MS
from services.aggregator.settings import AggregatorSettings
from services.aggregator.transport.broker import Broker
from services.aggregator.visits import FORGET_MS, LATE_MS, UNIT_BITS
from services.log.errors import LogError
from services.runtime.outage import Outage
from services.state.errors import StateError
from services.state.kept_folds import (
    EXPIRY_SECONDS,
    MOST_BYTES,
    KeptFold,
    KeptFolds,
    decode,
    encode,
)
from services.state.state import State
from services.store.interface import Store, StoreError
from services.store.meta.server_info import ServerStart, started

log = logging.getLogger(__name__)

ROUND_SECONDS = 20.0
"""How often each owned partition is saved, in turn, unless folds are large; after a kill, so much
is reread."""
BYTES_A_SECOND = 1 << 20
"""At most, over all owned partitions: Redis writes them to its file, too."""
ANSWER_SECONDS = 2.0
PATIENCE_SECONDS = 10.0
_COMMIT_TRIES = 20
_COMMIT_PAUSE = 0.5

UNAVAILABLE, NOTHING_KEPT = "unavailable", "nothing_kept"

_FORM = 2
"""To be incremented with each change of what a fold remembers, or of what follows from it."""


def maker(partitions: int, folding: str) -> str:
    """Return what must match between saving a fold and resuming from it."""
    lengths = (FORGET_MS, LATE_MS, UNIT_BITS, WINDOW_MS, MOST_IDS, ONLINE_MS)
    return f"{__version__} {_FORM} {sys.byteorder} {partitions} {lengths} {folding}"


class TakenPartition(msgspec.Struct):
    """A partition since it was taken.

    server   the server of the store when reading began; None while unknown
    since    when that was, by the monotonic clock
    outcome  how reading began, as in the metric
    start    the next position to read then, if it resumes from a saved fold
    fold     that fold, until it is accepted
    read     the last position of the log that is in the fold
    whole    whether the fold knows all that a reader of the whole log knows
    kept     the position that was kept last, and since when by the monotonic clock
    """

    server: ServerStart | None
    since: float
    outcome: str
    start: int | None = None
    fold: AnyFold | None = None
    read: int = -1
    whole: bool = False
    kept: int = -1
    kept_at: float = 0.0


class FoldKeeper:
    """Saves and loads folds. No failure here delays or changes a count."""

    def __init__(
        self,
        settings: AggregatorSettings,
        store: Store,
        folds: OwnedFolds,
        log_identity: Callable[[], Awaitable[str | None]],
    ) -> None:
        self._state = State.open(settings.redis_url, seconds=ANSWER_SECONDS, retries=0)
        self._kept = KeptFolds(self._state, settings.group)
        self._maker = maker(settings.partitions, folds.folding.name)
        self._store = store
        self._folds = folds
        self._log_identity = log_identity
        self._taken: dict[int, TakenPartition] = {}
        self._ask_again = 0.0
        self._too_large: set[int] = set()
        self._size = Outage(
            log,
            "a fold is too large to be kept, so whoever takes its partition over reads an hour of"
            " the log",
            "each fold is kept",
        )

    # Take over

    async def look(
        self, broker: Broker, partition: int, committed: int, far: int
    ) -> TakenPartition:
        """See KeptStarts. Raises LogError."""
        taken = self._taken.get(partition)
        if taken is not None and partition in self._folds.by_partition:
            # Nothing is acknowledged yet: what was delivered comes again, and is recognised.
            return taken
        since, server = time.monotonic(), await self._server()
        kept, outcome = await self._find(broker, partition, range(far, committed), server)
        if kept is None and outcome not in (UNAVAILABLE, NOTHING_KEPT):
            # What is in doubt now must not be trusted later, when the commit has passed it.
            await self._forget_kept(partition)
        taken = TakenPartition(server, since, outcome)
        if kept is not None:
            taken.read, taken.fold = kept
            taken.start, taken.whole = taken.read + 1, True
        return taken

    def accept(self, known: Mapping[int, TakenPartition]) -> None:
        """See KeptStarts."""
        for partition, taken in known.items():
            if partition not in self._taken:
                metrics.taken_partitions.labels(taken.outcome).inc()
            self._taken[partition] = taken
            if taken.fold is not None:
                self._folds.by_partition[partition], taken.fold = taken.fold, None

    def forget(self, partitions: Collection[int]) -> None:
        """Forget partitions that another worker owns now."""
        for partition in partitions:
            self._taken.pop(partition, None)
            self._too_large.discard(partition)

    async def _server(self) -> ServerStart | None:
        """Return the server of the store; None if unknown, or not always the same."""
        if time.monotonic() < self._ask_again:
            return None
        server = await self._answer()
        if server is None and self._store.is_one_server:
            self._give_up()
        return server

    async def _answer(self) -> ServerStart | None:
        if not self._store.is_one_server:
            return None
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await started(self._store)
        except (StoreError, TimeoutError):
            return None

    def _give_up(self) -> None:
        """Ask nothing for a while: a seek has little time for all partitions together."""
        self._ask_again = time.monotonic() + PATIENCE_SECONDS

    async def _forget_kept(self, partition: int) -> None:
        with contextlib.suppress(StateError):
            await self._kept.forget(partition)

    async def _find(
        self, broker: Broker, partition: int, positions: range, server: ServerStart | None
    ) -> tuple[tuple[int, AnyFold] | None, str]:
        """Return position and fold of what is saved, if it is usable, and the outcome.

        positions  allowed range: committed, and no further back than would be read anyway
        """
        if server is None:
            return None, UNAVAILABLE
        try:
            written, identity = await self._kept.read(partition), await self._log_identity()
        except (StateError, LogError):
            self._give_up()
            return None, UNAVAILABLE
        if written is None:
            return None, NOTHING_KEPT
        kept = decode(written)
        if kept is None:
            return None, "damaged"
        if kept.maker != self._maker:
            return None, "other_version"
        if identity is None or kept.log != identity:
            return None, "other_log"
        if not server.is_same(ServerStart(kept.store, kept.started)):
            return None, "store_restarted"
        if kept.position not in positions or not await broker.holds(partition, kept.position):
            return None, "position"
        try:
            fold = self._folds.folding.decode(partition, kept.state)
        except ValueError:
            return None, "damaged"
        return (kept.position, fold), "kept"

    # Keep

    def read(self, partition: int, position: int, *, replayed: bool) -> None:
        """Record that a message up to this position is in the fold, right after folding it."""
        taken = self._taken.get(partition)
        if taken is not None:
            taken.read = max(taken.read, position)
            taken.whole = taken.whole or not replayed

    async def keep_forever(self, broker: Broker) -> None:
        """Save each partition now and then."""
        size = 0
        while True:
            partitions = sorted(self._taken)
            for partition in partitions:
                await asyncio.sleep(max(ROUND_SECONDS / len(partitions), size / BYTES_A_SECOND))
                size = await self._keep(broker, partition, _COMMIT_TRIES)
            if not partitions:
                await asyncio.sleep(1.0)

    async def keep_all(self, broker: Broker) -> None:
        """Save all fully committed partitions, before they are released."""
        for partition in sorted(self._taken):
            await self._keep(broker, partition, 1)

    async def _keep(self, broker: Broker, partition: int, tries: int) -> int:
        """Save the current fold of a partition, once it is committed that far; return its size."""
        try:
            return await self._kept_now(broker, partition, tries)
        except (StateError, LogError) as error:
            log.debug("the fold of partition %d is not kept: %s", partition, error)
            return 0

    async def _kept_now(self, broker: Broker, partition: int, tries: int) -> int:
        taken = self._taken.get(partition)
        if taken is None or not taken.whole:
            return 0
        if taken.server is None:
            taken.server = await self._same_server(taken.since)
        fold, position = self._folds.by_partition.get(partition), taken.read
        if taken.server is None or fold is None or self._taken.get(partition) is not taken:
            return 0
        if position == taken.kept:
            if time.monotonic() - taken.kept_at < EXPIRY_SECONDS:
                is_there = await self._kept.renew(partition)
                taken.kept = position if is_there else -1
            return 0
        # Nothing is awaited in between: the fold is that of the position.
        packed = fold.pack()
        identity = await self._log_identity()
        if identity is None:
            return 0
        written = await asyncio.to_thread(self._written, packed, identity, taken.server, position)
        size = MOST_BYTES if written is None else len(written)
        if written is not None and not await _committed(broker, partition, position, tries):
            return size
        if self._taken.get(partition) is taken:
            fits = written is not None and await self._kept.keep(partition, written)
            self._note_size(partition, fits=fits)
            if fits:
                taken.kept, taken.kept_at = position, time.monotonic()
        return size

    async def _same_server(self, since: float) -> ServerStart | None:
        """Return the server of the store if it has been running since before that; else None."""
        server = await self._answer()
        is_same = server is not None and server.up > time.monotonic() - since + 1.0
        return server if is_same else None

    def _note_size(self, partition: int, *, fits: bool) -> None:
        if fits:
            self._too_large.discard(partition)
            if not self._too_large:
                self._size.ends()
        else:
            self._too_large.add(partition)
            self._size.begins(f"partitions {sorted(self._too_large)}")

    def _written(
        self, packed: Any, identity: str, server: ServerStart, position: int
    ) -> bytes | None:
        state = self._folds.folding.encode(packed)
        return encode(KeptFold(self._maker, identity, server.host, server.at, position, state))

    async def close(self) -> None:
        """Close the connection."""
        await self._state.close()


async def _committed(broker: Broker, partition: int, position: int, tries: int) -> bool:
    """Poll that many times until a position is committed; tell whether it is."""
    for attempt in range(tries):
        if attempt:
            await asyncio.sleep(_COMMIT_PAUSE)
        if (await broker.committed([partition])).get(partition, 0) > position:
            return True
    return False
