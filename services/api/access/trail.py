"""What happens too often, or at the wrong time, to be written down first as a change is.

Sign-ins, refused ones and exports: each is in the audit log, but no flood of them fills it.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from services.api.access.audit import Audit, Fields
from services.store.interface import StoreError
from services.store.records.audit import AuditEntry

UNKNOWN = "(unknown)"
"""Who did it, where nobody has proved who they are."""
EACH_SECONDS = 3600.0
"""How often one process writes an occasion at most; the first time, soon."""
MOST_OCCASIONS = 2000
MOST_WAITING = 1000
CHECK_SECONDS = 2.0
_WRITE_SECONDS = 2.0
"""How long a caller waits for an entry to be written; it is written even after that."""


class Occasion(NamedTuple):
    """What is written periodically, with how often it happened meanwhile."""

    who: str
    action: str
    subject: str
    site: str = ""


class _Tally(msgspec.Struct):
    due: float
    since: float = 0.0
    counts: Counter[str] = msgspec.field(default_factory=Counter)


class Trail:
    """Writes to the audit log what has happened already, without holding anything up."""

    def __init__(
        self,
        audit: Audit,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._audit = audit
        self._clock = clock
        self._monotonic = monotonic
        self._waiting: deque[AuditEntry] = deque(maxlen=MOST_WAITING)
        self._occasions: dict[Occasion, _Tally] = {}
        self._writing: asyncio.Task[None] | None = None

    async def note(self, who: str, action: str, subject: str, after: Fields) -> None:
        """Write an entry now, or as soon as the store takes it."""
        self._waiting.append(self._audit.entry(who, action, subject, after=after))
        await self._write()

    def count(self, occasion: Occasion, what: str) -> None:
        """Count an occurrence; it is written soon, and after that once an hour."""
        if occasion not in self._occasions and len(self._occasions) >= MOST_OCCASIONS:
            occasion = occasion._replace(subject=UNKNOWN, site="")
        tally = self._occasions.setdefault(occasion, _Tally(self._monotonic()))
        if not tally.counts:
            tally.since = self._clock()
        tally.counts[what] += 1

    async def keep_written(self) -> None:
        """Write what is due, for as long as this runs."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self._take(self._monotonic())
            await self._write()

    async def close(self) -> None:
        """Write what is still there, if the store takes it at once."""
        self._take(float("inf"))
        await self._write()
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    def _take(self, now: float) -> None:
        """Make entries of what is due, and forget what did not happen again."""
        for occasion, tally in list(self._occasions.items()):
            if now < tally.due:
                continue
            if not tally.counts:
                del self._occasions[occasion]
                continue
            since = datetime.fromtimestamp(tally.since, UTC).isoformat(timespec="seconds")
            self._waiting.append(
                self._audit.entry(
                    occasion.who,
                    occasion.action,
                    occasion.subject,
                    site=occasion.site,
                    after={**tally.counts, "since": since},
                )
            )
            tally.counts.clear()
            tally.due = now + EACH_SECONDS

    async def _write(self) -> None:
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_waiting())
        await asyncio.wait({self._writing}, timeout=_WRITE_SECONDS)

    async def _write_waiting(self) -> None:
        while self._waiting:
            entry = self._waiting[0]
            try:
                await self._audit.add(entry)
            except StoreError:
                return
            if self._waiting and self._waiting[0] is entry:
                self._waiting.popleft()
