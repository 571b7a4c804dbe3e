"""The statement that adds up the days of many sites."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from services.api.stats.grammar.measures import Counts
from services.api.stats.periods.spans import Span
from services.model.calendar import to_date
from services.store.interface import Store

_SITES = 1_000
_DAYS = 60_000
"""The most sites, and site days in total, in one statement."""

# The same numbers per day as in a `Snapshot`: corrections are subtracted, nothing is below zero,
# and there are no more visitors than visits.
_SUMS = """
SELECT
    name,
    piece,
    sum(views_left),
    sum(visits_left),
    sum(least(visitors_left, visits_left))
FROM (
    SELECT
        name,
        intDiv(toUInt16(of_day) - %(origin)s, %(width)s) AS piece,
        greatest(sum(of_views), toInt64(0)) AS views_left,
        greatest(sum(of_visits), toInt64(0)) AS visits_left,
        greatest(max(of_seen) + sum(of_visitors), toInt64(0)) AS visitors_left
    FROM (
        SELECT site AS name, start AS of_day, toInt64(argMax(views, position)) AS of_views,
            toInt64(argMax(visits, position)) AS of_visits, toInt64(0) AS of_seen,
            toInt64(0) AS of_visitors
        FROM counters
        WHERE site IN %(sites)s AND grain = 'day' AND path = ''
            AND start >= %(first)s AND start <= %(last)s
        GROUP BY site, start
        UNION ALL
        {seen}
        UNION ALL
        SELECT site AS name, day AS of_day, -toInt64(any(views)) AS of_views,
            -toInt64(any(visits)) AS of_visits, toInt64(0) AS of_seen,
            -toInt64(any(visitors)) AS of_visitors
        FROM correction_entries
        WHERE site IN %(sites)s AND path = '' AND day >= %(first)s AND day <= %(last)s
            AND run IN (SELECT run FROM corrections WHERE site IN %(sites)s)
        GROUP BY site, day, run
    )
    GROUP BY name, of_day
)
GROUP BY name, piece
"""

# Sketches are merged only on the few days for which some site has several: that takes three times
# as long as reading a single one. If a second one arrives between the two statements, the larger
# counts, not the sum.
_SKETCHES = """
SELECT site AS name, day AS of_day, toInt64(0) AS of_views, toInt64(0) AS of_visits,
    toInt64({read}) AS of_seen, toInt64(0) AS of_visitors
FROM daily_visitors
WHERE site IN %(sites)s AND day >= %(first)s AND day <= %(last)s{days}
"""
_SINGLE = _SKETCHES.format(read="finalizeAggregation(visitors)", days="{days}")
_MERGED = _SKETCHES.format(read="uniqCombinedMerge(visitors)", days="{days}") + "GROUP BY site, day"
_SEVERAL = """
SELECT DISTINCT day
FROM (
    SELECT day
    FROM daily_visitors
    WHERE site IN %(sites)s AND day >= %(first)s AND day <= %(last)s
    GROUP BY site, day
    HAVING count() > 1
)
"""


_COUNTED = """
SELECT name, groupArray(toUInt16(of_day))
FROM (
    SELECT name, of_day
    FROM (
        SELECT site AS name, start AS of_day, toInt64(argMax(views, position)) AS of_views,
            toInt64(argMax(visits, position)) AS of_visits
        FROM counters
        WHERE site IN %(sites)s AND grain = 'day' AND path = '' AND ({starts})
        GROUP BY site, start
        UNION ALL
        SELECT site AS name, day AS of_day, -toInt64(any(views)) AS of_views,
            -toInt64(any(visits)) AS of_visits
        FROM correction_entries
        WHERE site IN %(sites)s AND path = '' AND ({days})
            AND run IN (SELECT run FROM corrections WHERE site IN %(sites)s)
        GROUP BY site, day, run
    )
    GROUP BY name, of_day
    HAVING sum(of_views) > 0 OR sum(of_visits) > 0
)
GROUP BY name
"""


async def counted_days(
    store: Store, names: Collection[str], spans: Sequence[Span]
) -> dict[str, frozenset[int]]:
    """Return, by site, the days of any of the spans on which something was counted.

    Days are since 1970-01-01. Raises StoreError.
    """
    parameters: dict[str, object] = {}
    for place, span in enumerate(spans):
        parameters |= {f"first{place}": to_date(span.first), f"last{place}": to_date(span.last)}

    def within(column: str) -> str:
        return " OR ".join(
            f"({column} >= %(first{place})s AND {column} <= %(last{place})s)"
            for place in range(len(spans))
        )

    statement = _COUNTED.format(starts=within("start"), days=within("day"))
    counted: dict[str, frozenset[int]] = {}
    for some in _chunks(names, max(1, min(_SITES, _DAYS // sum(one.days for one in spans)))):
        rows = await store.execute(statement, {**parameters, "sites": some})
        counted |= {name: frozenset(days) for name, days in rows}
    return counted


async def sums(
    store: Store, names: Collection[str], span: Span, width: int
) -> dict[str, list[Counts]]:
    """Return what each site counted in every `width` days of a span, without balances.

    names  those that the sites are kept under

    Raises StoreError.
    """
    size = -(-span.days // width)
    pieces = {name: [Counts() for _ in range(size)] for name in names}
    parameters = {
        "first": to_date(span.first),
        "last": to_date(span.last),
        "origin": span.first,
        "width": width,
    }
    for some in _chunks(names, max(1, min(_SITES, _DAYS // span.days))):
        of_some = {**parameters, "sites": some}
        several = [day for (day,) in await store.execute(_SEVERAL, of_some)]
        seen = _SINGLE.format(days="")
        if several:
            of_some["several"] = several
            seen = " UNION ALL ".join(
                one.format(days=f" AND day {which} %(several)s")
                for one, which in ((_SINGLE, "NOT IN"), (_MERGED, "IN"))
            )
        for name, piece, *counts in await store.execute(_SUMS.format(seen=seen), of_some):
            pieces[name][piece] = Counts(*counts)
    return pieces


def _chunks(names: Collection[str], size: int) -> Iterator[list[str]]:
    # Sorted, so that the rows of one statement are close together in the table.
    rest = iter(sorted(set(names)))
    while chunk := list(islice(rest, size)):
        yield chunk
