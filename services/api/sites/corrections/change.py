"""What a correction subtracts, or a reversal gives back: ledger entries by day and page."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from contextlib import aclosing
from http import HTTPStatus
from typing import NamedTuple

from services.api.sites.corrections import queries_corrections as queries
from services.api.sites.corrections.queries_corrections import PageChange, Selection
from services.api.sites.corrections.recount import Recount, SeenView, recount
from services.api.stats.periods.coverage import Coverage
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import Span
from services.api.stats.queries import coverage as queries_coverage
from services.http.errors import ApiError
from services.store.counts import corrections as ledger
from services.store.counts.corrections import WHOLE_SITE, Correction, Entries, Moved, Taken, active
from services.store.interface import Store

MAX_VIEWS = 1_000_000
MAX_ROWS = 100_000
"""How many rows of pages by day one correction may touch."""


class Change(NamedTuple):
    """What a run does.

    entries  for the ledger: for pages and, with path '', for the whole site
    moved    views that now begin a visit, or no longer do
    unknown  how many of its views are of readers without a hash, whose visits are not recounted
    """

    entries: Entries
    moved: Sequence[Moved]
    unknown: int = 0

    @property
    def days(self) -> dict[int, Taken]:
        """What is subtracted from the whole site, by day."""
        return {day: taken for (path, day), taken in self.entries.items() if path == WHOLE_SITE}

    @property
    def total(self) -> Taken:
        """What is subtracted from the whole site in total."""
        total = Taken()
        for of_day in self.days.values():
            total = total.plus(of_day)
        return total

    @property
    def pages(self) -> dict[str, Taken]:
        """What is subtracted from each page, the most views first."""
        pages: dict[str, Taken] = defaultdict(Taken)
        for (path, _), taken in self.entries.items():
            if path != WHOLE_SITE:
                pages[path] = pages[path].plus(taken)
        order = sorted(pages, key=lambda path: (-abs(pages[path].views), path))
        return {path: pages[path] for path in order}


async def taking(store: Store, of: Selection, counted: Snapshot, until: int) -> Change:
    """Return what a new correction subtracts, in batches before `until`. Raises ApiError."""
    rows = await queries.by_page(store, of, MAX_ROWS + 1)
    _refuse_too_many(rows)
    if not rows:
        return Change({}, [])
    covered = await days_held(store, of.coverage, counted)
    if gone := {one.day for one in rows} - covered:
        raise _gone(gone, "only days with all of them can be corrected")
    return await _change(store, of, counted, rows, until, gives_back=False)


async def giving_back(
    store: Store, coverage: Coverage, counted: Snapshot, row: Correction
) -> Change:
    """Return what the reversal of a correction gives back. Raises ApiError.

    For days whose raw hits are gone, it is what the ledger says that the correction took.
    """
    of = queries.marked(counted.site, counted.span, coverage, active(counted.ledger), row)
    took = await ledger.entries(store, counted.site, row.run)
    days = {day for _, day in took}
    covered = days & await days_held(store, coverage, counted)
    rows = [one for one in await queries.by_page(store, of, MAX_ROWS + 1) if one.day in covered]
    change = await _change(store, of, counted, rows, row.until, gives_back=True)
    entries = dict(change.entries)
    for day in sorted(days - covered):
        entries |= await _back_of_ledger(store, of, counted, row, day, took)
    return Change(entries, change.moved, change.unknown)


async def _back_of_ledger(
    store: Store,
    of: Selection,
    counted: Snapshot,
    row: Correction,
    day: int,
    took: Entries,
) -> dict[tuple[str, int], Taken]:
    """Return what a correction took on a day, to be given back without a recount."""
    others = [o for o in of.others if o.touches(day, day) and not o.undoes_import]
    if not others:
        # Then nothing is left of that day except imports, whatever was reversed in between.
        runs = [each.run for each in counted.ledger if not each.undoes_import]
        sums = await ledger.of_pages(store, counted.site, runs, day)
        return {(path, day): taken.negated() for path, taken in sums.items()}
    if later := [other.id for other in others if other.at > row.at]:
        raise _gone({day}, f"reverse what was taken of it later first: {', '.join(later)}")
    return {key: taken.negated() for key, taken in took.items() if key[1] == day}


async def days_held(store: Store, coverage: Coverage, counted: Snapshot) -> frozenset[int]:
    """Return the days whose raw hits all exist, including those without views."""
    bare = coverage._replace(taken=(), moved=())
    views = await queries_coverage.views(store, counted.site, counted.span, bare)
    span = counted.span
    return frozenset(
        day
        for day in range(span.first, span.last + 1)
        if views.get(day, 0) == counted.gross(day)[0]
    )


async def _change(
    store: Store,
    of: Selection,
    counted: Snapshot,
    found: Sequence[PageChange],
    until: int,
    *,
    gives_back: bool,
) -> Change:
    """Return the entries for changed views, with the visits and visitors that change."""
    if not found:
        return Change({}, [])
    of_days = {one.day for one in found}
    moved = await _recounted(store, of, until, gives_back=gives_back)
    sign = -1 if gives_back else 1
    pages: dict[tuple[str, int], Taken] = {}
    days: dict[int, Taken] = defaultdict(Taken)
    views = {(one.path, one.day): sign * one.views for one in found}
    visits = Counter({(one.path, one.day): sign * one.begun for one in found})
    for key, fallen in moved.visits.items():
        if key[1] in of_days:
            visits[key] += fallen
    for key in views.keys() | visits.keys():
        taken = Taken(views.get(key, 0), visits[key])
        if taken != Taken():
            pages[key] = taken
            days[key[1]] = days[key[1]].plus(taken)
    seen = await queries.visitors(store, of, gives_back=gives_back)
    for day, taken in days.items():
        left = counted.counted.get(day, (0, 0))[1] - taken.visits
        is_corrected = bool(of.others) or not gives_back
        fallen = _visitors(counted, day, seen.get(day, (0, 0)), left, is_corrected)
        pages[WHOLE_SITE, day] = taken._replace(visitors=fallen)
    changed = [each for each in moved.moved if each[0] in of_days]
    return Change(pages, changed, sum(one.unknown for one in found))


def _visitors(
    counted: Snapshot, day: int, seen: tuple[int, int], visits: int, is_corrected: bool
) -> int:
    """Return how many visitors of a day are dropped: the difference from shown to remaining ones.

    Both are estimates of the same kind as the day's sketch, which includes all visitors: so what is
    shown afterwards is the estimate of the remaining ones, however many were taken back.
    """
    every, left = seen
    if is_corrected:
        left = min(left, visits)
    return every - counted.taken_of(day).visitors - left


async def _recounted(store: Store, of: Selection, until: int, *, gives_back: bool) -> Recount:
    """Recount the visits of the visitors for whom only some views change."""
    result = Recount(Counter(), [])
    waiting: list[SeenView] = []
    async with aclosing(queries.views_in_part(store, of)) as blocks:
        async for block in blocks:
            waiting += block
            # The views of the last visitor may continue in the next block.
            last = waiting[-1]
            whole = len(waiting)
            while whole and (waiting[whole - 1].day, waiting[whole - 1].visitor) == (
                last.day,
                last.visitor,
            ):
                whole -= 1
            await _add(result, waiting[:whole], until, gives_back=gives_back)
            del waiting[:whole]
    await _add(result, waiting, until, gives_back=gives_back)
    return result


async def _add(result: Recount, views: Sequence[SeenView], until: int, *, gives_back: bool) -> None:
    # In a thread, so that the process can answer others meanwhile.
    more = await asyncio.to_thread(recount, views, until, gives_back=gives_back)
    for key, fallen in more.visits.items():
        result.visits[key] += fallen
    result.moved.extend(more.moved)


def _refuse_too_many(found: Sequence[PageChange]) -> None:
    views = sum(one.views for one in found)
    if len(found) > MAX_ROWS or views > MAX_VIEWS:
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            {
                "query": f"it finds {'at least ' if len(found) > MAX_ROWS else ''}{views} views of"
                f" {len(found)} pages by day; expected at most {MAX_VIEWS} of {MAX_ROWS}: take them"
                " back in parts, of shorter times"
            },
        )


def _gone(days: Collection[int], what: str) -> ApiError:
    text = f"the raw hits of {Span(min(days), max(days))} are not all there any more; {what}"
    return ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, {"query": text})
