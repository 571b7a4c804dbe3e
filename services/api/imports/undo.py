"""Undoes an import as a whole: takes back what it added, and nothing else.

The steps are in an order that allows it to be killed anywhere and repeated: the log accepts no more
of the import; what is in the log is counted; its raw hits are marked, and its entries written; its
row is added to the ledger of corrections, which puts it all into effect; the register of imports
says that it is undone.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from http import HTTPStatus
from typing import NamedTuple, NoReturn

import msgspec

from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.counter.routes import Counters
from services.api.imports.undone_visitors import visitors_of
from services.api.sites.corrections import preview
from services.api.sites.corrections.change import Change
from services.api.sites.corrections.preview import PublicPreview
from services.api.stats.readers.reader import StatsReader
from services.http.errors import ApiError, shown, unavailable
from services.log.import_log import ImportLog
from services.log.import_names import import_producer
from services.model.calendar import to_date
from services.model.downloads import downloads_of
from services.model.site import Site
from services.state.correction_lock import renewed_correction_lock
from services.state.errors import StateError
from services.state.lock import StateLock
from services.state.state import State
from services.store.counts import corrections as ledger
from services.store.counts import import_counts
from services.store.counts.corrections import WHOLE_SITE, Correction, Taken
from services.store.counts.import_counts import ImportedDay
from services.store.interface import Store, StoreError
from services.store.records import imports as register
from services.store.records.imports import Import, ImportState

COUNTED_SECONDS = 5.0
"""How long one request waits for the aggregator; the next one goes on waiting."""
REREAD_PAGES = 500
_LOOK_SECONDS = 0.2

log = logging.getLogger(__name__)


class UndoPreview(NamedTuple):
    """What undoing an import would take back, of what is counted by now."""

    known: Import
    days: Sequence[ImportedDay]
    pages: Sequence[tuple[str, int]]
    public: PublicPreview

    @property
    def views(self) -> int:
        """All its views."""
        return sum(each.views for each in self.days)

    @property
    def visits(self) -> int:
        """All its visits."""
        return sum(each.visits for each in self.days)


class Undoing:
    """Undoes imports."""

    def __init__(
        self,
        store: Store,
        logged: ImportLog,
        state: State,
        reader: StatsReader,
        counters: Counters,
        audit: Audit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._log = logged
        self._state = state
        self._reader = reader
        self._counters = counters
        self._audit = audit
        self._clock = clock

    async def preview(self, site: Site, digest: str) -> UndoPreview:
        """Return what would be taken back, and change nothing. Raises ApiError and StoreError."""
        known = await self._known(site, digest)
        added = await self._added(site, known)
        if known.state is ImportState.DONE:
            _refuse_unequal(known, added, known.hits)
        await self._refuse_corrected(site, known, added)
        of = added[site.kept_as]
        producer = import_producer(site.kept_as, known.name)
        pages = await import_counts.pages(self._store, site.kept_as, producer, preview.NAMED_PAGES)
        taken = {(WHOLE_SITE, each.day): Taken(each.views, each.visits) for each in of}
        public = await preview.public_numbers(self._counters, site, Change(taken, []))
        return UndoPreview(known, of, pages, public)

    async def undo(self, who: Principal, site: Site, digest: str) -> Import:
        """Undo an import as far as is possible now; return it, to be called again while `undoing`.

        Raises ApiError, StoreError and LogError.
        """
        known = await self._known(site, digest)
        if known.state is ImportState.UNDONE:
            return known
        if known.state is not ImportState.UNDOING:
            known = await self._begin(who, site, known)
        progress = await self._log.seal(site.kept_as, known.name)
        deadline = time.monotonic() + COUNTED_SECONDS
        while progress is not None and not await self._log.counted(site.kept_as, progress):
            if time.monotonic() >= deadline:
                return known
            await asyncio.sleep(_LOOK_SECONDS)
        async with self._locked(site) as lock:
            added = await self._added(site, known)
            if progress is not None and progress.taken >= known.taken:
                _refuse_unequal(known, added, progress.hits)
            elif known.taken == known.lines:
                _refuse_unequal(known, added, known.hits)
            # Otherwise the log was lost half-way: take back what was counted.
            await self._refuse_corrected(site, known, added)
            # Views last: once they are taken back, nothing of the import is left.
            for kept_as, of in reversed(added.items()):
                rows = await ledger.ledger(self._store, kept_as)
                if of and not any(row.id == _id(known) for row in rows):
                    await self._take_back(site, known, kept_as, of, rows, lock)
            known = known._replace(done=ImportState.UNDONE, at=self._now())
            await register.write(self._store, site.kept_as, known)
        log.info("the import of %s into %s undone by %s", known.file, site.slug, who.name)
        await self._show(site, known)
        return known

    async def _known(self, site: Site, digest: str) -> Import:
        known = await register.find(self._store, site.kept_as, digest)
        if known is None:
            message = f"{shown(digest[:12])} is no import of {site.slug}"
            raise ApiError(HTTPStatus.NOT_FOUND, {"digest": message})
        if not known.kept_apart:
            _refuse(
                f"{shown(known.file)} was imported before Luot kept apart what each import adds,"
                " and cannot be undone"
            )
        return known

    async def _begin(self, who: Principal, site: Site, known: Import) -> Import:
        added = await self._added(site, known)
        if known.state is ImportState.DONE:
            _refuse_unequal(known, added, known.hits)
        await self._refuse_corrected(site, known, added)
        of = added[site.kept_as]
        undoing = known._replace(
            done=ImportState.UNDOING, undone_by=who.name, undone_at=self._now(), at=self._now()
        )
        facts = {
            "file": known.file,
            "digest": known.digest,
            "imported_by": known.author,
            "views": sum(each.views for each in of),
            "visits": sum(each.visits for each in of),
        }
        async with self._audit.recorded(
            who, "import.undo", known.file, site=site.slug, after=facts
        ):
            await register.write(self._store, site.kept_as, undoing)
        return undoing

    async def _added(self, site: Site, known: Import) -> dict[str, list[ImportedDay]]:
        """Return what an import added to the site, and to its separately kept downloads."""
        producer = import_producer(site.kept_as, known.name)
        return {
            kept_as: await import_counts.days(self._store, kept_as, producer)
            for kept_as in (site.kept_as, downloads_of(site.kept_as))
        }

    async def _take_back(
        self,
        site: Site,
        known: Import,
        kept_as: str,
        of: Sequence[ImportedDay],
        rows: Sequence[Correction],
        lock: StateLock,
    ) -> None:
        producer = import_producer(site.kept_as, known.name)
        run = _run(site, known)
        async with self._reader.turn() as store:
            visitors = await visitors_of(store, kept_as, producer, of)
        entries = {
            (WHOLE_SITE, each.day): Taken(each.views, each.visits, visitors.get(each.day, 0))
            for each in of
        }
        total = Taken()
        for taken in entries.values():
            total = total.plus(taken)
        # Whoever has the lock now may be taking back the same views in a correction.
        await _refuse_lost(site, lock)
        # Another process that does the same writes the same rows, which count once.
        await import_counts.take_back(self._store, kept_as, producer, run, of)
        await ledger.write_entries(self._store, kept_as, run, entries)
        row = Correction(
            _id(known),
            run,
            "",
            of[0].day,
            of[-1].day,
            max(each.last for each in of) + 1,
            *total,
            msgspec.json.encode(_query(site, of)).decode(),
            known.undone_by,
            max(self._now(), max((one.at for one in rows), default=0) + 1),
            f"import of {known.file} undone",
        )
        await _refuse_lost(site, lock)
        await ledger.add(self._store, kept_as, row)

    async def _refuse_corrected(
        self, site: Site, known: Import, added: Mapping[str, Sequence[ImportedDay]]
    ) -> None:
        """Raise ApiError if a correction takes back views of the import, or may do so."""
        of = added[site.kept_as]
        if not of:
            return
        producer = import_producer(site.kept_as, known.name)
        begun = min(each.first for each in of)
        suspects = {
            row.run: row
            for row in ledger.active(await ledger.ledger(self._store, site.kept_as))
            if not row.undoes_import
            and row.until > begun
            and any(row.touches(each.day, each.day) for each in of)
        }
        marks = await import_counts.marks(self._store, site.kept_as, producer, suspects)
        for run, row in suspects.items():
            marked = marks.get(run)
            # If marks are gone together with their raw hits, nobody knows what they marked.
            if marked is None or marked.of_import or marked.every < row.views:
                _refuse(
                    f"the correction {row.id} takes back views of the same days, of this import or"
                    " perhaps of it; reverse it first"
                )

    async def _show(self, site: Site, known: Import) -> None:
        """Save the new numbers as the last good ones, in case of a fault right after this."""
        with suppress(StoreError):
            producer = import_producer(site.kept_as, known.name)
            pages = await import_counts.pages(self._store, site.kept_as, producer, REREAD_PAGES)
            await self._counters.read_all_now(site, [path for path, _ in pages])

    @asynccontextmanager
    async def _locked(self, site: Site) -> AsyncIterator[StateLock]:
        try:
            async with renewed_correction_lock(self._state, site.kept_as) as lock:
                if lock is None:
                    raise _busy(site)
                yield lock
        except StateError as error:
            raise unavailable(f"Redis cannot be asked: {error}") from error

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _id(known: Import) -> str:
    return f"{ledger.IMPORT}{known.name}"


def _run(site: Site, known: Import) -> str:
    """Return the run id of an undo, the same each time it is repeated."""
    return blake2b(f"{site.slug} {known.name}".encode(), digest_size=8).hexdigest()


def _query(site: Site, of: Sequence[ImportedDay]) -> dict[str, str | int]:
    """Return the days of an import as the query of a correction."""
    first, end = (to_date(day).isoformat() for day in (of[0].day, of[-1].day + 1))
    return {"from": f"{first}T00:00:00", "to": f"{end}T00:00:00", "filters": "", "more_than": 0}


def _busy(site: Site) -> ApiError:
    return unavailable(f"a correction of {site.slug} is being made; try again later")


async def _refuse_lost(site: Site, lock: StateLock) -> None:
    """Raise ApiError if the lock is not held any more: undo the import again, which goes on."""
    if not await lock.holds():
        raise _busy(site)


def _refuse(message: str) -> NoReturn:
    raise ApiError(HTTPStatus.CONFLICT, {"digest": message})


def _refuse_unequal(known: Import, added: Mapping[str, Sequence[ImportedDay]], hits: int) -> None:
    """Raise ApiError unless the store knows of everything an import added."""
    counted = sum(each.views for of in added.values() for each in of)
    if counted != hits:
        _refuse(
            f"{shown(known.file)} added {hits} views, and the store knows of {counted} what they"
            " were: an aggregator of a version before this one counted some; it cannot be undone"
        )
