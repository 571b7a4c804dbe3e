"""The statements that read what the traffic of many sites consists of, all of them together.

They are correct for sites whose hits are in the table once each and were not taken back; `of_hits`
tells which these are. The others need the reader of a single site.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from services.api.stats.grammar.filters import Property
from services.api.stats.periods.spans import Span
from services.api.stats.queries.columns import columns_of, expression
from services.api.stats.queries.coverage import parts_of
from services.api.stats.rows.queries_pages import tiles_of
from services.model.calendar import to_date, to_day
from services.model.hit import OTHER_PATH
from services.store.interface import Store

MOST_ROWS = 10_000
"""Rows per property in one statement."""

_CORRECTED = """
SELECT DISTINCT site
FROM corrections
WHERE site IN %(sites)s AND first <= %(last)s AND last >= %(first)s
"""

_PARTS = """
SELECT site, min(position), max(position), min(day), max(day)
FROM hits
WHERE site IN %(sites)s AND day >= %(first)s AND day <= %(last)s
GROUP BY site, _part
ORDER BY site
"""

_COUNTED = """
SELECT site, max(position)
FROM counters
WHERE site IN %(sites)s AND path = ''
    AND (grain = 'total' OR (grain = 'day' AND start >= %(first)s AND start <= %(last)s))
GROUP BY site
"""

# Hits that are not in the counters yet are left out, site by site.
HITS = """
FROM hits
WHERE site IN %(sites)s AND day >= %(first)s AND day <= %(last)s AND bot = 0
    AND position <= transform(site, array%(sites)s, array%(positions)s, toUInt64(0))
"""

_HELD = f"SELECT site, day, count() {HITS} GROUP BY site, day"

# Row names are looked up once per distinct value, not once per hit.
_VISITS = """
SELECT toString({name}) AS name, toUInt64(sum(begun)) AS visits
FROM (SELECT {columns}, countIf(visit = 1) AS begun {hits} GROUP BY {columns})
GROUP BY name
HAVING visits > 0
ORDER BY visits DESC, name
LIMIT %(most)s
"""

_PAGES_OF_HITS = f"""
SELECT site, path, count() AS views {HITS}
GROUP BY site, path
ORDER BY views DESC, site, path
LIMIT %(most)s
"""

_PAGES = """
SELECT site, path, toUInt64(sum(of_views)) AS views
FROM (
    SELECT site, path, toInt64(argMax(views, position)) AS of_views
    FROM counters
    WHERE site IN %(sites)s AND path != '' AND ({tiles})
    GROUP BY site, path, grain, start
    UNION ALL
    SELECT site, path, toInt64(views) AS of_views
    FROM returned_views FINAL
    WHERE site IN %(sites)s AND day >= %(first)s AND day <= %(last)s
    UNION ALL
    SELECT site, %(other)s AS path, -toInt64(views) AS of_views
    FROM returned_views FINAL
    WHERE site IN %(sites)s AND day >= %(first)s AND day <= %(last)s
)
GROUP BY site, path
HAVING sum(of_views) > 0
ORDER BY views DESC, site, path
LIMIT %(most)s
"""

_WITH_PAGES = """
SELECT DISTINCT site
FROM opening_balances
WHERE site IN %(sites)s AND path != '' AND grain != 'total'
"""


class HitsOfSites(NamedTuple):
    """Which sites can be read together, by the names they are kept under.

    newest   for each that was counted, the position of the newest batch
    corrected  those with hits that were taken back
    doubled    those that may have hits twice
    """

    span: Span
    newest: Mapping[str, int]
    corrected: frozenset[str]
    doubled: frozenset[str]

    @property
    def alone(self) -> frozenset[str]:
        """Those that have to be read one by one."""
        return self.corrected | self.doubled

    def parameters(self, names: Iterable[str]) -> dict[str, Any]:
        """Return what every statement about some of them needs; {} when none was counted."""
        counted = sorted(name for name in names if name in self.newest)
        if not counted:
            return {}
        return _days(counted, self.span) | {"positions": [self.newest[name] for name in counted]}


async def of_hits(store: Store, names: Sequence[str], span: Span) -> HitsOfSites:
    """Return which hits of some days exist for sites. Raises StoreError."""
    parameters = _days(names, span)
    parts = groupby(await store.execute(_PARTS, parameters), key=lambda row: row[0])
    return HitsOfSites(
        span,
        dict(await store.execute(_COUNTED, parameters)),
        frozenset(name for (name,) in await store.execute(_CORRECTED, parameters)),
        frozenset(name for name, rows in parts if parts_of(row[1:] for row in rows)[1]),
    )


async def held(store: Store, hits: HitsOfSites, names: Iterable[str]) -> dict[str, dict[int, int]]:
    """Return how many views of each day are there, by site."""
    views: dict[str, dict[int, int]] = {}
    if parameters := hits.parameters(names):
        for name, day, count in await store.execute(_HELD, parameters):
            views.setdefault(name, {})[to_day(day)] = count
    return views


async def visits_by(
    store: Store, hits: HitsOfSites, names: Iterable[str], by: Property
) -> dict[str, int]:
    """Return the visits by each value of a property of hits, for all sites, the most first."""
    parameters = hits.parameters(names)
    if not parameters:
        return {}
    statement = _VISITS.format(name=expression(by), columns=", ".join(columns_of(by)), hits=HITS)
    return dict(await store.execute(statement, {**parameters, "most": MOST_ROWS}))


async def most_read(
    store: Store, names: Sequence[str], span: Span, most: int
) -> list[tuple[str, str, int]]:
    """Return the most read pages by their counters: site, path and views."""
    if not names:
        return []
    parameters = _days(names, span) | {"other": OTHER_PATH, "most": most}
    rows = await store.execute(_PAGES.format(tiles=tiles_of(span)), parameters)
    return [(name, path, views) for name, path, views in rows]


async def most_read_in(
    store: Store, hits: HitsOfSites, names: Iterable[str], most: int
) -> list[tuple[str, str, int]]:
    """Return the same from raw hits, for sites whose hits are all there."""
    parameters = hits.parameters(names)
    if not parameters:
        return []
    rows = await store.execute(_PAGES_OF_HITS, {**parameters, "most": most})
    return [(name, path, views) for name, path, views in rows]


async def with_balances_of_pages(store: Store, names: Sequence[str]) -> frozenset[str]:
    """Return the sites that have opening balances for pages."""
    rows = await store.execute(_WITH_PAGES, {"sites": sorted(names)})
    return frozenset(name for (name,) in rows)


def _days(names: Iterable[str], span: Span) -> dict[str, Any]:
    return {"sites": sorted(names), "first": to_date(span.first), "last": to_date(span.last)}
