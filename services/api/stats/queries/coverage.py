"""The statements that find out which raw hits exist, before others read them.

If the positions of two parts of the table do not overlap, no hit of the site is in both.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date
from itertools import combinations
from typing import Any

from services.api.stats.periods.coverage import Coverage, FoundHits
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import Span, joined
from services.api.stats.queries import ended as queries_ended
from services.api.stats.queries.hits import days, source
from services.model.calendar import Grain, period_start, to_day
from services.store.counts import corrections
from services.store.interface import Store

GOOD_SECONDS = 10.0
"""How long what was found is valid for other queries as of the same moment.

A dashboard page makes a dozen, and for many of them this takes as long as the answer.
"""

LEAST_VIEWS = 200_000
"""With fewer views, visits are reconstructed from raw hits each time."""

_COVERAGE = """
SELECT _part_index, day, min(position), max(position), countIf({counts}), sumIf(position, {counts})
FROM hits
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s
GROUP BY _part_index, day
"""

_IS_MOVED = """
SELECT 1
FROM moved_visits
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND run IN %(runs)s
LIMIT 1
"""

_VIEWS = "SELECT day, count() FROM ({hits}) GROUP BY day"


async def coverage_of(store: Store, site: str, span: Span, counted: Snapshot) -> Coverage:
    """Return which of the hits counted at a moment exist."""
    return (await found(store, site, span, counted)).coverage


async def found(store: Store, site: str, span: Span, counted: Snapshot) -> FoundHits:
    """Return which of the hits counted at a moment exist, and how many views of each day."""
    now = time.monotonic()
    known = counted.found.get((site, span))
    if known is None or now - known.at > GOOD_SECONDS:
        known = FoundHits(*await look(store, site, span, counted), now)
        counted.found[site, span] = known
    return known


async def look(
    store: Store, site: str, span: Span, counted: Snapshot, *, least: int | None = None
) -> tuple[Coverage, dict[int, int], dict[int, int]]:
    """Return which hits exist, how many views of each day, and digests, as in FoundHits.

    least  with fewer views than this there are no digests; LEAST_VIEWS if None
    """
    end, taken = counted.position + 1, [row.run for row in counted.runs(span)]
    which = f" AND {corrections.is_taken(taken, within=False)}" if taken else ""
    parts: dict[int, tuple[int, int, date, date]] = {}
    by_day: dict[int, int] = defaultdict(int)
    positions: dict[int, int] = defaultdict(int)
    statement = _COVERAGE.format(counts=f"bot = 0 AND position < {end}{which}")
    for part, day, lowest, highest, views_there, positions_there in await store.execute(
        statement, days(site, span)
    ):
        low, high, first, last = parts.get(part, (lowest, highest, day, day))
        parts[part] = (min(low, lowest), max(high, highest), min(first, day), max(last, day))
        if views_there:
            by_day[to_day(day)] += views_there
            positions[to_day(day)] += positions_there
    months, doubled = parts_of(parts.values())
    moved = [row.run for row in counted.ledger if row.touches(*span)]
    if not moved or not await store.execute(_IS_MOVED, {**days(site, span), "runs": moved}):
        moved = []
    coverage = Coverage(months, doubled, end, taken, moved)
    if doubled:
        by_day = defaultdict(int, await views(store, site, span, coverage))
    if sum(by_day.values()) < (LEAST_VIEWS if least is None else least):
        return coverage, dict(by_day), {}
    ended, returned = await queries_ended.known(store, site, span)
    digests = {
        day: queries_ended.digest_of(by_day[day], of_day, day, counted, returned.get(day, 0))
        for day, of_day in positions.items()
        if not any(twice.holds(day) for twice in doubled)
    }
    good = {
        day: ended[day][1]
        for day, digest in digests.items()
        if day in ended and ended[day][0] == digest
    }
    return coverage._replace(ended=queries_ended.few_pieces(good)), dict(by_day), digests


def parts_of(rows: Iterable[Sequence[Any]]) -> tuple[frozenset[int], Sequence[Span]]:
    """Return the months that have hits, and the days on which some may be there twice.

    rows  for each part of the table, its lowest and highest position, its first and last day
    """
    parts = defaultdict(list)
    for lowest, highest, first, last in rows:
        # A part holds hits of one month only.
        month = period_start(to_day(first), Grain.MONTH)
        parts[month].append((lowest, highest, to_day(first), to_day(last)))
    # Duplicates are in two parts, at the same position and on the same day.
    twice = [
        Span(max(one[2], other[2]), min(one[3], other[3]))
        for of_month in parts.values()
        for one, other in combinations(of_month, 2)
        if one[0] <= other[1] and other[0] <= one[1]
    ]
    return frozenset(parts), joined(span for span in twice if span.days > 0)


async def views(store: Store, site: str, span: Span, coverage: Coverage) -> dict[int, int]:
    """Return how many views of each day are there."""
    statement = _VIEWS.format(hits=source(coverage, ["day"], " AND bot = 0"))
    return {to_day(day): count for day, count in await store.execute(statement, days(site, span))}
