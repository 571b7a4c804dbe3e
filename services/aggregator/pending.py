"""What is folded and not yet written, within bounds: the back-pressure of the aggregator."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from faust.types import EventT

from services.aggregator.folding import AnyFolded
from services.runtime import tracing

FLUSH_PAGES = 15_000
"""Viewed pages at which a flush is due at once: each is four counter rows."""
FLUSH_BYTES = 32 << 20
"""Memory of folded runs at which a flush is due at once."""
_BYTES_A_HIT = 300
"""Bytes of a hit: its slots in the columns of a batch, and its numbers."""
_BYTES_A_BYTE = 2
"""Approximate bytes in memory of an entry's strings for each byte in the log."""


class Unflushed(msgspec.Struct):
    """Folded runs with the messages that they arrived in.

    fresh     runs that were never written
    replayed  runs reread after a start: written before, or lost by the store
    events    messages to acknowledge once their runs are in the store
    batches   the spans of their batches, if tracing is on
    """

    fresh: list[AnyFolded] = []
    replayed: list[AnyFolded] = []
    events: list[EventT] = []
    batches: list[Any] = []


class Pending:
    """Collects folded runs for the next flush, and bounds them by hits, pages and bytes.

    arrived  there is something to flush
    full     enough for a flush without waiting for the period to end
    room     cleared while twice that is pending: nothing more may be read
    """

    def __init__(self, flush_hits: int) -> None:
        self._flush_hits = flush_hits
        self._runs = Unflushed()
        self._hits = 0
        self._bytes = 0
        self._pages: Any = None
        self.arrived = asyncio.Event()
        self.full = asyncio.Event()
        self.room = asyncio.Event()
        self.room.set()

    def add(self, folded: AnyFolded, *, replayed: bool) -> None:
        """Add a folded run; its message follows."""
        (self._runs.replayed if replayed else self._runs.fresh).append(folded)
        self._hits += len(folded)
        self._bytes += _size(folded)
        self._add_pages(folded)
        # At 1 a flush is due; at 2, reading stops.
        load = max(
            self._hits / self._flush_hits,
            self._bytes / FLUSH_BYTES,
            len(self._pages) / FLUSH_PAGES,
        )
        if load >= 1:
            self.full.set()
        if load >= 2:
            self.room.clear()

    def add_event(self, event: EventT, batches: Sequence[Any]) -> None:
        """Add a message whose runs, if it had any, were added, and the spans of its batches."""
        self._runs.events.append(event)
        self._runs.batches += batches
        del self._runs.batches[: -tracing.MOST_LINKS]
        self.arrived.set()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to flush or to acknowledge."""
        return not self._runs.events

    def take(self) -> Unflushed:
        """Return everything for a flush; until it ends, all of it still counts as pending."""
        taken, self._runs = self._runs, Unflushed()
        return taken

    def put_back(self, taken: Unflushed) -> None:
        """Put back what could not be flushed: nothing after it may be committed without it."""
        self._runs.fresh[:0] = taken.fresh
        self._runs.replayed[:0] = taken.replayed
        self._runs.events[:0] = taken.events
        self._runs.batches[:0] = taken.batches

    def make_room(self) -> None:
        """Recount what is pending after a flush, and resume reading."""
        runs = (*self._runs.fresh, *self._runs.replayed)
        self._hits = sum(map(len, runs))
        self._bytes = sum(map(_size, runs))
        self._pages = None
        for folded in runs:
            self._add_pages(folded)
        self.full.clear()
        self.room.set()

    def _add_pages(self, folded: AnyFolded) -> None:
        if self._pages is None:
            self._pages = folded.no_pages()
        self._pages.add(folded)

    def forget(self, partitions: Collection[int]) -> None:
        """Drop the runs and messages of partitions that another worker owns now."""
        runs = self._runs
        self._runs = Unflushed(
            [folded for folded in runs.fresh if folded.partition not in partitions],
            [folded for folded in runs.replayed if folded.partition not in partitions],
            [event for event in runs.events if event.message.partition not in partitions],
            runs.batches,
        )


def _size(folded: AnyFolded) -> int:
    """Return the approximate memory of a folded run, in bytes."""
    return _BYTES_A_HIT * len(folded) + _BYTES_A_BYTE * folded.size
