"""Reads Faust's messages: decodes the entries of the log in each, and folds those that are new."""

from typing import Any

import msgspec
from faust.types import EventT, Message

from services.aggregator import metrics
from services.aggregator.dead_letters import DeadLetters
from services.aggregator.faust_app import raw_topic
from services.aggregator.fold_keeper import FoldKeeper
from services.aggregator.folding import AnyFold
from services.aggregator.ownership import OwnedFolds
from services.aggregator.pending import Pending
from services.aggregator.transport import driver, faust_settings, runs
from services.log import keys
from services.log.import_names import is_import
from services.runtime import tracing


class UnreadEntries(msgspec.Struct):
    """The entries of a message that its fold has not read yet.

    reads     the entries, decoded for the fold
    size      their bytes in the log
    imported  position → producer, of those that belong to an import
    batches   their spans, if tracing is on
    """

    reads: Any
    size: int = 0
    imported: dict[int, str] = {}
    batches: list[Any] = []


class MessageReader:
    """Folds messages, one after the other, into what is pending for the next flush."""

    def __init__(
        self, app: faust_settings.App, folds: OwnedFolds, keeper: FoldKeeper, pending: Pending
    ) -> None:
        self._app = app
        self._folds = folds
        self._keeper = keeper
        self._pending = pending
        self._dead_letters = DeadLetters(raw_topic(app, keys.DEAD))

    async def read(self, event: EventT) -> None:
        """Fold what is new in a message, unless its partition has gone to another worker."""
        message = event.message
        if not self._is_current(message):
            return
        fold = self._folds.of(message.partition)
        replay = dict(message.headers or {}).get(driver.REPLAY)
        unread = await self._decode(message, fold, replayed=replay is not None)
        if not self._is_current(message):
            # While a dead letter was being copied, another worker may have taken the partition.
            return
        # Faust keeps both until the flush is acknowledged; nobody reads them again.
        event.value = message.value = None
        if unread.reads:
            with tracing.span("fold", unread.batches, partition=fold.partition):
                self.fold(fold, unread, replay)
        self._keeper.read(message.partition, message.offset, replayed=replay is not None)
        self._pending.add_event(event, unread.batches)

    def _is_current(self, message: Message) -> bool:
        """Tell whether the assignment that a message was read in is still that of this worker."""
        return bool(message.generation_id == self._app.consumer_generation_id)

    async def _decode(self, message: Message, fold: AnyFold, *, replayed: bool) -> UnreadEntries:
        """Return the entries after the position of the fold; dead letters are put aside."""
        unread = UnreadEntries(self._folds.folding.reads())
        before = fold.position
        for entry in runs.entries(message):
            if entry.position <= before or not await self._dead_letters.read(
                fold.partition, entry, unread.reads, replayed=replayed
            ):
                continue
            unread.size += len(entry.value)
            if is_import(producer := entry.headers.get("p", b"").decode("ascii", "replace")):
                unread.imported[entry.position] = producer
            if tracing.tracer is not None:
                unread.batches.append(tracing.of_batch(entry.value))
                del unread.batches[: -tracing.MOST_LINKS]
        return unread

    def fold(self, fold: AnyFold, unread: UnreadEntries, replay: bytes | None) -> None:
        """Fold entries; `replay` says why they are reread, if they are (see driver.REPLAY)."""
        if replay is not None:
            metrics.replayed_batches.inc(len(unread.reads))
        if replay == driver.REBUILD:
            fold.rebuild(unread.reads)
            return
        folded = fold.fold(unread.reads, unread.size, unread.imported)
        self._pending.add(folded, replayed=replay is not None)
        metrics.folded_hits.inc(len(folded))
        metrics.repeated_hits.inc(folded.repeated)
