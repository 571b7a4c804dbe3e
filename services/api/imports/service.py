"""Appends imports to the log, once, and records in the store what was appended."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus

from services.api.imports.chunk import checked, named
from services.api.imports.schemas import Begun, Chunk, Finished, NewImport
from services.http.errors import ApiError, shown
from services.log.import_log import ImportLog, ImportOutcome, ImportProgress
from services.model.calendar import Grain, period_end, to_date
from services.model.hosts import fold
from services.model.site import Site
from services.store.interface import Store, StoreError
from services.store.records import balances as ledger
from services.store.records import imports as register
from services.store.records.imports import MAX_GENERATION, Import, ImportState

OVERLAP_MS = 60_000
"""Servers log a request when it ends, so that consecutive files overlap a little."""
CLOCK_MS = 3_600_000
"""How far the clock of an old server may be ahead of ours."""
NOTED_CHUNKS = 20
"""After how many chunks the progress of an import is recorded in the store."""
RETRY_SECONDS = 1
_LOOK_SECONDS = 0.25
"""How long the answer of the log whether it is busy is cached."""

log = logging.getLogger(__name__)


class Imports:
    """Appends imports to the log, and records in the store what was appended."""

    def __init__(
        self,
        store: Store,
        logged: ImportLog,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._log = logged
        self._clock = clock
        self._monotonic = monotonic
        self._looked: dict[str, tuple[float, str | None]] = {}
        self._since_noted: dict[tuple[str, str], int] = {}
        self._names: dict[tuple[str, str], str] = {}
        self.beginning = asyncio.Lock()

    async def all(self, site: Site) -> list[Import]:
        """Return every import of a site."""
        return await register.of_site(self._store, site.kept_as)

    async def begin(self, site: Site, digest: str, new: NewImport, author: str) -> Begun:
        """Begin an import, or return where to resume it. Raises ApiError when it may not run."""
        known = await register.find(self._store, site.kept_as, digest)
        if known is not None and known.state is ImportState.DONE:
            return Begun(done=True, taken=known.lines, hits=known.hits, salt="", warnings=[])
        _refuse_undoing(known)
        if known is not None and known.state is ImportState.BEGUN:
            _same_options(known, new)
            progress = await self._log.find(site.kept_as, known.name)
            _refuse_lost(known, progress)
        else:
            self._refuse_overlap(site, await self.all(site), new)
            fresh = self._import(digest, new, author, 0 if known is None else known.generation + 1)
            if fresh.generation > MAX_GENERATION:
                message = f"{shown(new.file)} was undone {MAX_GENERATION} times"
                raise ApiError(HTTPStatus.CONFLICT, {"digest": message})
            progress = await self._log.find(site.kept_as, fresh.name)
            if not new.dry_run:
                # The log first, then the store: if only the store knows of an import, the log has
                # lost it.
                progress = await self._log.begin(site.kept_as, fresh.name)
                fresh = fresh._replace(taken=progress.taken, hits=progress.hits)
                await register.write(self._store, site.kept_as, fresh)
        warnings = await self._warnings(site, new)
        if progress is None:
            return Begun(done=False, taken=0, hits=0, salt="", warnings=warnings)
        return Begun(
            done=False,
            taken=progress.taken,
            hits=progress.hits,
            salt="" if new.dry_run else progress.salt,
            warnings=warnings,
        )

    async def _warnings(self, site: Site, new: NewImport) -> list[str]:
        """Return warnings about other counts of the same time, to which the file would add."""
        last_at = min(new.last_at, new.until - 1) if new.until else new.last_at
        first, last = (site.day_of(at) for at in (new.first_at, last_at))
        warnings = []
        counted = [
            grain.value if grain is Grain.TOTAL else f"{grain} of {to_date(start)}"
            for grain, start in sorted(await ledger.periods(self._store, site.kept_as))
            if grain is Grain.TOTAL or (start <= last and period_end(start, grain) > first)
        ]
        if counted:
            warnings.append(
                f"opening balances hold the same time ({_listed(counted)}): what the file holds"
                " adds to them; see docs/opening-balances.md"
            )
        if last_at > site.created_at:
            since = to_date(site.day_of(site.created_at))
            warnings.append(
                f"{site.slug} exists since {since}: what it counted itself and what the file holds"
                " of the same time add up; --until leaves out the lines from a time on"
            )
        return warnings

    def _import(self, digest: str, new: NewImport, author: str, generation: int) -> Import:
        now = self._now()
        return Import(
            digest=digest,
            done=ImportState.BEGUN,
            taken=0,
            hits=0,
            file=new.file,
            host=fold(new.host),
            until=new.until,
            lines=new.lines,
            first_at=new.first_at,
            last_at=new.last_at,
            author=author,
            begun_at=now,
            at=now,
            generation=generation,
            kept_apart=1,
        )

    @staticmethod
    def _refuse_overlap(site: Site, others: Sequence[Import], new: NewImport) -> None:
        if new.overlapping:
            return
        for other in others:
            if other.state is ImportState.UNDONE:
                continue
            first_at = max(other.first_at, new.first_at)
            last_at = min(other.last_at, new.last_at)
            if last_at - first_at > OVERLAP_MS:
                message = (
                    f"{shown(new.file)} has lines of {_days(site, new.first_at, new.last_at)}, and"
                    f" {shown(other.file)}, imported before, of"
                    f" {_days(site, other.first_at, other.last_at)}: both are of"
                    f" {_days(site, first_at, last_at)}. If they are of two servers give"
                    " --overlapping, if one holds lines of the other these would count twice"
                )
                raise ApiError(HTTPStatus.CONFLICT, {"file": message})

    async def append(self, site: Site, digest: str, after: int, upto: int, payload: bytes) -> Chunk:
        """Append a chunk to the log, once. Raises ApiError if it is invalid or out of order."""
        hits = checked(payload, site, int(self._clock() * 1000) + CLOCK_MS)
        busy = await self._busy(site.kept_as)
        if busy is not None:
            raise ApiError(
                HTTPStatus.TOO_MANY_REQUESTS,
                {"log": f"{busy}; the import waits"},
                {"Retry-After": str(RETRY_SECONDS)},
            )
        name = await self._name(site, digest)
        body = named(payload, hits, site)
        outcome, taken = await self._log.append(site.kept_as, name, after, upto, len(hits), body)
        if outcome in (ImportOutcome.LOST, ImportOutcome.SEALED):
            # Perhaps it was undone and imported again, under another name.
            known = await self._known(site, digest)
            self._names[site.kept_as, digest] = known.name
            if known.state is ImportState.DONE:
                return Chunk(taken=known.lines, appended=False)
            _refuse_undone(known)
            if known.name == name:
                _refuse_lost(known, None)
            return await self.append(site, digest, after, upto, payload)
        if outcome is ImportOutcome.OUT_OF_ORDER:
            raise ApiError(
                HTTPStatus.CONFLICT,
                {
                    "after": f"{after}, but the log has this import up to line {taken}; is the"
                    " same file being imported twice at this moment, or was Redis put back to an"
                    " older state?"
                },
            )
        if outcome is ImportOutcome.APPENDED:
            await self._note(site, digest)
        return Chunk(taken=taken, appended=outcome is ImportOutcome.APPENDED)

    async def _name(self, site: Site, digest: str) -> str:
        """Return the name of an import in the log, which says how often it was undone; cached."""
        name = self._names.get((site.kept_as, digest))
        if name is None:
            known = await register.find(self._store, site.kept_as, digest)
            if known is None:
                return digest
            name = self._names[site.kept_as, digest] = known.name
        return name

    async def _known(self, site: Site, digest: str) -> Import:
        known = await register.find(self._store, site.kept_as, digest)
        if known is None:
            raise ApiError(HTTPStatus.NOT_FOUND, {"digest": "this import was never begun"})
        return known

    async def _busy(self, site: str) -> str | None:
        now = self._monotonic()
        looked, reason = self._looked.get(site, (-math.inf, None))
        if now - looked >= _LOOK_SECONDS:
            reason = await self._log.busy(site)
            self._looked[site] = (now, reason)
        return reason

    async def _note(self, site: Site, digest: str) -> None:
        """Record the progress in the store now and then: it shows whether Redis was rolled back."""
        key = (site.kept_as, digest)
        since = self._since_noted.get(key, 0) + 1
        if since < NOTED_CHUNKS:
            self._since_noted[key] = since
            return
        self._since_noted.pop(key, None)
        try:
            known = await register.find(self._store, site.kept_as, digest)
            name = digest if known is None else known.name
            progress = await self._log.find(site.kept_as, name)
            if known is not None and known.state is ImportState.BEGUN and progress is not None:
                await register.write(
                    self._store,
                    site.kept_as,
                    known._replace(taken=progress.taken, hits=progress.hits, at=self._now()),
                )
        except StoreError as error:
            # The chunk is in the log, which is what matters.
            log.warning("cannot note how far the import %s is: %s", digest[:12], error)

    async def finish(self, site: Site, digest: str) -> Finished:
        """Tell whether everything appended is counted; if so, record that the import is done."""
        known = await self._known(site, digest)
        _refuse_undone(known)
        if known.state is ImportState.BEGUN:
            progress = await self._log.find(site.kept_as, known.name)
            _refuse_lost(known, progress)
            if progress is None or not await self._log.counted(site.kept_as, progress):
                return Finished(done=False, hits=0 if progress is None else progress.hits)
            known = known._replace(
                done=ImportState.DONE, taken=known.lines, hits=progress.hits, at=self._now()
            )
            await register.write(self._store, site.kept_as, known)
        await self._log.finish(site.kept_as, known.name)
        return Finished(done=True, hits=known.hits)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _days(site: Site, first_at: int, last_at: int) -> str:
    """Return a span of the site's days as text: '2025-03-01 to 2025-03-04 (4 days)'."""
    first, last = site.day_of(first_at), site.day_of(last_at)
    if first == last:
        return str(to_date(first))
    return f"{to_date(first)} to {to_date(last)} ({last - first + 1:,} days)"


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown_ones = ", ".join(names[:most])
    return shown_ones if len(names) <= most else f"{shown_ones} and {len(names) - most} more"


def _same_options(known: Import, new: NewImport) -> None:
    for name in ("host", "until", "lines"):
        before, now = getattr(known, name), getattr(new, name)
        if before != now:
            raise ApiError(
                HTTPStatus.CONFLICT,
                {name: f"{shown(now)}; this import was begun with {shown(before)}"},
            )


def _refuse_undoing(known: Import | None) -> None:
    if known is not None and known.state is ImportState.UNDOING:
        message = f"the import of {shown(known.file)} is being undone; end that first"
        raise ApiError(HTTPStatus.CONFLICT, {"digest": message})


def _refuse_undone(known: Import) -> None:
    _refuse_undoing(known)
    if known.state is ImportState.UNDONE:
        message = f"the import of {shown(known.file)} was undone by {known.undone_by}"
        raise ApiError(HTTPStatus.CONFLICT, {"digest": message})


def _refuse_lost(known: Import, progress: ImportProgress | None) -> None:
    """Raise ApiError when the log knows less of an import than the store."""
    if progress is not None and progress.taken >= known.taken:
        return
    logged = "nothing of it" if progress is None else f"line {progress.taken} only"
    raise ApiError(
        HTTPStatus.CONFLICT,
        {
            "digest": f"the import of {shown(known.file)} was begun, at least up to line"
            f" {known.taken} of {known.lines}, but Redis knows {logged}: it was emptied or put back"
            " since then. Nobody can know which of its pages were counted, and none is counted"
            " twice: this file cannot be imported any more"
        },
    )
