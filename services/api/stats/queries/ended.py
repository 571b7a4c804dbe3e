"""The statements that read precomputed visits of past days.

They return what those of `visits.py` return, to the last digit, without sorting any views. For
which days they may be used is found out with the raw hits: see `coverage.py`.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import Counts
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.periods.coverage import Coverage
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import Span, joined
from services.api.stats.queries import hits
from services.api.stats.queries.columns import expression, fitting
from services.api.stats.queries.hits import within
from services.model.calendar import to_day
from services.store.interface import Store

MOST_PIECES = 200
"""How often past days and others may alternate: each piece is part of the statement."""
_WHERE = "site = %(site)s AND day >= %(first)s AND day <= %(last)s AND ({made}) AND {fits}"
_BY_DAY = """
SELECT day, count(), toUInt64(sum(is_bounce)), toInt64(sum(ms))
FROM ended_visits
WHERE {where}
GROUP BY day
"""
_BY_KEY = """
SELECT toString({name}) AS key, count(), toUInt64(sum(is_bounce)), toInt64(sum(ms))
FROM ended_visits
WHERE {where}
GROUP BY key
"""
# To an old server, an expression on a LowCardinality column alone has another type than one on raw
# hits, so the two cannot be united; together with another column, or aggregated, they can.
_ENDS = (
    "SELECT seen, cityHash64(toString(exit_path)) + 0 * seen AS name FROM ended_visits"
    " WHERE {where}"
)
_PAGES = """
SELECT any(exit_path) AS page
FROM ended_visits
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND ({made})
GROUP BY exit_path
"""
# Hits returned to their pages change only their path: neither their number nor positions show it.
_KNOWN = """
SELECT day, argMax(digest, version), max(version), toUInt64(0)
FROM ended_days
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s
GROUP BY day
UNION ALL
SELECT day, toUInt64(0), toUInt64(0), max(version)
FROM returned_views
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s
GROUP BY day
"""


async def known(
    store: Store, site: str, span: Span
) -> tuple[dict[int, tuple[int, int]], dict[int, int]]:
    """Return, by day, the digest and version of its visits, and the version of returned views."""
    ended: dict[int, tuple[int, int]] = {}
    returned: dict[int, int] = {}
    for date, digest, version, returned_version in await store.execute(
        _KNOWN, hits.days(site, span)
    ):
        if version:
            ended[to_day(date)] = (digest, version)
        if returned_version:
            returned[to_day(date)] = returned_version
    return ended, returned


def digest_of(views: int, positions: int, day: int, counted: Snapshot, returned: int) -> int:
    """Return a 64-bit digest, never 0, that changes whenever a day's visits may have changed.

    Hits are added, and taken back by corrections; they never disappear otherwise.

    positions  the sum of the positions of its views
    returned   the version of the views returned to their pages; 0 when there are none
    """
    runs = sorted(row.run for row in counted.ledger if row.touches(day, day))
    text = " ".join([str(views), str(positions % 2**64), str(returned), *runs])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()) or 1


def other_days(coverage: Coverage, span: Span) -> list[Span]:
    """Return the days of a span whose visits must be read from raw hits, in order."""
    ended = coverage.ended
    return joined(Span(day, day) for day in range(span.first, span.last + 1) if day not in ended)


async def by_day(store: Store, query: StatsQuery, coverage: Coverage) -> dict[int, Counts]:
    """Return how long the visits that began on each past day were."""
    rows = await _read(store, query, coverage, _BY_DAY.format(where=_where(query, coverage)))
    return {to_day(day): counts for day, counts in rows}


async def of_values(
    store: Store, query: StatsQuery, coverage: Coverage, by: Property
) -> dict[str, Counts]:
    """Return how long the visits were, by their first view's value of a property."""
    statement = _BY_KEY.format(name=expression(by), where=_where(query, coverage))
    return dict(await _read(store, query, coverage, statement))


def ends(query: StatsQuery, coverage: Coverage) -> str:
    """Return the statement with a row per visit: who it was, and the hash of its last page."""
    return _ENDS.format(where=_where(query, coverage))


def pages(coverage: Coverage) -> str:
    """Return the statement of the pages that visits ended on; its parameters are those of hits."""
    return _PAGES.format(made=made(coverage))


def _where(query: StatsQuery, coverage: Coverage) -> str:
    fits, _ = fitting(query.filters)
    return _WHERE.format(made=made(coverage), fits=fits)


def made(coverage: Coverage) -> str:
    """Return the condition that selects one precomputed version of each day."""
    return " OR ".join(
        f"(version - toUInt64(day) = {run} AND ({within(days)}))"
        for run, days in _by_run(coverage.ended).items()
    )


def _by_run(ended: Mapping[int, int]) -> dict[int, list[Span]]:
    """Return the days precomputed by each run: a day's version is the run's number plus the day.

    So statements stay short: most days were precomputed together.
    """
    runs: dict[int, list[Span]] = defaultdict(list)
    for day, version in ended.items():
        runs[version - day].append(Span(day, day))
    return {run: joined(days) for run, days in runs.items()}


def few_pieces(ended: Mapping[int, int]) -> Mapping[int, int]:
    """Return the same days, or none if they are in more than MOST_PIECES pieces."""
    pieces = sum(len(days) for days in _by_run(ended).values())
    return ended if pieces <= MOST_PIECES else {}


async def _read(
    store: Store, query: StatsQuery, coverage: Coverage, statement: str
) -> Sequence[tuple[Any, Counts]]:
    if not coverage.ended:
        return []
    parameters: Mapping[str, Any] = hits.parameters(query)
    return [
        (key, Counts(measured=visits, bounces=bounces, ms=ms))
        for key, visits, bounces, ms in await store.execute(statement, parameters)
    ]
