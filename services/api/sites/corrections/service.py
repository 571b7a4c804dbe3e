"""Makes corrections and reverses them: previewed first, then entered in the ledger."""

import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from hashlib import blake2b
from http import HTTPStatus
from typing import NamedTuple

import msgspec

from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.counter.routes import Counters
from services.api.sites.corrections import preview, queries_corrections, query
from services.api.sites.corrections.change import Change, giving_back, taking
from services.api.sites.corrections.preview import PublicPreview
from services.api.sites.corrections.query import CorrectionQuery, QueryFields
from services.api.stats.periods import snapshot
from services.api.stats.periods.spans import Span
from services.api.stats.queries import coverage as queries_coverage
from services.api.stats.readers.reader import StatsReader
from services.http.errors import ApiError, bad_request, shown, unavailable
from services.model.site import Site
from services.state.correction_lock import correction_lock
from services.state.errors import StateError
from services.state.lock import StateLock
from services.state.state import State
from services.store.counts import corrections as ledger
from services.store.counts.corrections import Correction, active
from services.store.interface import Store, StoreError

REREAD_PAGES = 500
_REVERSAL = "reversal:"

log = logging.getLogger(__name__)


class CorrectionPreview(NamedTuple):
    """What a correction would take away.

    id      under which it can be made, with the same query and the same views
    until   position after the last batch that it looks at
    public  the public numbers before and after
    """

    id: str
    query: CorrectionQuery
    until: int
    change: Change
    public: PublicPreview


class NewCorrection(NamedTuple):
    """A correction to be made.

    until  as in its preview; None looks at everything that is counted now
    views  how many it is expected to take away; None is any number
    """

    id: str
    fields: QueryFields
    reason: str
    until: int | None = None
    views: int | None = None


class _Looked(NamedTuple):
    """What a query finds at one moment."""

    query: CorrectionQuery
    until: int
    selection: queries_corrections.Selection
    change: Change


class Corrections:
    """The corrections of every site."""

    def __init__(
        self,
        store: Store,
        state: State,
        reader: StatsReader,
        counters: Counters,
        audit: Audit,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._state = state
        self._reader = reader
        self._counters = counters
        self._audit = audit
        self._clock = clock

    async def ledger(self, site: Site) -> list[Correction]:
        """Return every correction and reversal of a site, the oldest first. Raises ApiError."""
        with _answered():
            return await ledger.ledger(self._store, site.kept_as)

    async def preview(self, site: Site, fields: QueryFields) -> CorrectionPreview:
        """Return what a correction would take away, and change nothing. Raises ApiError."""
        async with self._reader.turn() as store:
            looked = await self._look(store, site, fields, None)
        with _answered():
            public = await preview.public_numbers(self._counters, site, looked.change)
        return CorrectionPreview(
            _id(site, looked), looked.query, looked.until, looked.change, public
        )

    async def make(self, who: Principal, site: Site, new: NewCorrection) -> tuple[Correction, bool]:
        """Make a correction; tell whether it is new. Raises ApiError.

        If the id exists, an equal correction changes nothing, and another one is refused.
        """
        async with self._locked(site) as lock, self._reader.turn() as store:
            rows = await ledger.ledger(store, site.kept_as)
            known = next((row for row in rows if row.id == new.id), None)
            if known is not None:
                self._refuse_other(site, new, known)
                return known, False
            looked = await self._look(store, site, new.fields, new.until)
            total = looked.change.total
            if not total.views:
                raise bad_request("query", "it finds no view that is counted; nothing is changed")
            if new.views not in (None, total.views):
                raise ApiError(
                    HTTPStatus.CONFLICT,
                    {
                        "views": f"{total.views} would be taken away; expected {new.views} as"
                        " looked at before: look at it again"
                    },
                )
            row = Correction(
                new.id,
                secrets.token_hex(8),
                "",
                min(looked.change.days),
                max(looked.change.days),
                looked.until,
                *total,
                msgspec.json.encode(looked.query.written(site)).decode(),
                who.name,
                _at(rows, self._clock),
                new.reason,
            )
            async with self._audit.recorded(
                who, "correction.add", row.id, site=site.slug, after=_facts(row)
            ):
                await self._enter(store, lock, site, row, looked.change, looked.selection)
        log.info("%d views of %s taken back by %s: %s", row.views, site.slug, who.name, row.id)
        await self._show(site, looked.change)
        return row, True

    async def reverse(
        self, who: Principal, site: Site, name: str, reason: str
    ) -> tuple[Correction, bool]:
        """Give back what a correction took; tell whether that is new. Raises ApiError."""
        async with self._locked(site) as lock, self._reader.turn() as store:
            rows = await ledger.ledger(store, site.kept_as)
            known = next((row for row in rows if row.reverses == name), None)
            if known is not None:
                return known, False
            row = next((row for row in active(rows) if row.id == name), None)
            if row is not None and row.undoes_import:
                message = f"{shown(name)} undoes an import; import the file again instead"
                raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, {"id": message})
            if row is None:
                message = f"{shown(name)} is no correction of {site.slug}"
                raise ApiError(HTTPStatus.NOT_FOUND, {"id": message})
            span = Span(row.first, row.last)
            counted = await snapshot.take(store, site.kept_as, span)
            coverage = await queries_coverage.coverage_of(store, site.kept_as, span, counted)
            change = await giving_back(store, coverage, counted, row)
            reversal = row._replace(
                id=f"{_REVERSAL}{row.id}",
                run=secrets.token_hex(8),
                reverses=row.id,
                views=change.total.views,
                visits=change.total.visits,
                visitors=change.total.visitors,
                author=who.name,
                at=_at(rows, self._clock),
                reason=reason,
            )
            async with self._audit.recorded(
                who, "correction.reverse", row.id, site=site.slug, after=_facts(reversal)
            ):
                await self._enter(store, lock, site, reversal, change)
        log.info("correction %s of %s reversed by %s", row.id, site.slug, who.name)
        await self._show(site, change)
        return reversal, True

    async def _look(
        self, store: Store, site: Site, fields: QueryFields, until: int | None
    ) -> _Looked:
        requested = query.parsed(fields, site, int(self._clock() * 1000))
        span = requested.span(site)
        counted = await snapshot.take(store, site.kept_as, span)
        end = counted.position + 1
        if until is not None and until > end:
            raise bad_request("up_to", f"{until} is not counted yet; expected at most {end}")
        coverage = await queries_coverage.coverage_of(store, site.kept_as, span, counted)
        until = end if until is None else until
        of = queries_corrections.matching(
            site.kept_as, span, coverage, active(counted.ledger), requested, until
        )
        return _Looked(requested, until, of, await taking(store, of, counted, until))

    async def _enter(
        self,
        store: Store,
        lock: StateLock,
        site: Site,
        row: Correction,
        change: Change,
        selection: queries_corrections.Selection | None = None,
    ) -> None:
        """Write what a run changes; its row, which puts it in force, comes last."""
        if selection is not None:
            marked = await queries_corrections.mark(store, selection, site.kept_as, row.run)
            if marked != row.views:
                raise unavailable(
                    f"the store has marked {marked} of {row.views} views; nothing is changed, try"
                    " again"
                )
        await ledger.write_moved(store, site.kept_as, row.run, change.moved)
        await ledger.write_entries(store, site.kept_as, row.run, change.entries)
        if not await lock.holds():
            raise _busy(site)
        await ledger.add(store, site.kept_as, row)

    async def _show(self, site: Site, change: Change) -> None:
        """Keep the corrected numbers as last shown, in case of a fault right after this."""
        with suppress(StoreError):
            await self._counters.read_now(site, list(change.pages)[:REREAD_PAGES])

    @asynccontextmanager
    async def _locked(self, site: Site) -> AsyncIterator[StateLock]:
        lock = correction_lock(self._state, site.kept_as)
        try:
            is_held = await lock.acquire()
        except StateError as error:
            raise unavailable(f"Redis cannot be asked: {error}") from error
        if not is_held:
            raise _busy(site)
        try:
            yield lock
        finally:
            with suppress(StateError):
                await lock.release()

    def _refuse_other(self, site: Site, new: NewCorrection, known: Correction) -> None:
        requested = query.parsed(new.fields, site, int(self._clock() * 1000))
        written = msgspec.json.decode(known.query)
        same = requested.written(site) | ({"to": written["to"]} if new.fields.until is None else {})
        if known.reverses or same != written or new.until not in (None, known.until):
            message = f"{shown(new.id)} is another correction of {site.slug}; give another id"
            raise ApiError(HTTPStatus.CONFLICT, {"id": message})


def _busy(site: Site) -> ApiError:
    return unavailable(f"another correction of {site.slug} is being made; try again later")


def _at(rows: Sequence[Correction], clock: Callable[[], float]) -> int:
    """Return the time in ms, later than every row of the ledger, so that their order holds."""
    last = max((row.at for row in rows), default=0)
    return max(last + 1, int(clock() * 1000))


@contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise unavailable(f"the store cannot be read: {error}") from error


def _id(site: Site, looked: _Looked) -> str:
    others = [row.run for row in looked.selection.others]
    payload = msgspec.json.encode([site.kept_as, looked.query.written(site), looked.until, others])
    return f"c-{blake2b(payload, digest_size=6).hexdigest()}"


def _facts(row: Correction) -> dict[str, object]:
    """Return a run as the audit log keeps it."""
    return {
        "query": msgspec.json.decode(row.query),
        "views": row.views,
        "visits": row.visits,
        "visitors": row.visitors,
        "reason": row.reason,
    }
