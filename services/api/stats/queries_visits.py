"""The statement that puts visits together from their views, for how long they are.

A visit belongs to the day, the page, the source… of its first view. The visitor's hash changes at
the site's midnight, so a visit ends there at the latest.
"""

from collections.abc import Collection, Mapping
from typing import Any

from services.api.stats import queries_hits as hits
from services.api.stats.coverage import Coverage
from services.api.stats.filters import Property
from services.api.stats.measures import Counts
from services.api.stats.queries_columns import columns_of, earlier, expression, fitting
from services.api.stats.query import StatsQuery
from services.api.stats.spans import Hours, Span
from services.model.calendar import to_date, to_day
from services.store.interface import Store

# Each view is one number, a `moment`: who it was, the time, whether it goes on with a visit, and
# whether it fits the filters. In their order, a visit ends where the next one begins or the visitor
# changes; what stands before the first visit of a visitor is of a day before, and does not count. A
# group for each visitor of a day would be millions, and take most of the time; so visitors share a
# few groups. An array more beside the moments takes half as long again: so who it was is as much of
# the visitor's hash as has room, with the group 40 bits; of 100,000 visitors of a day, two are one
# here every 200 days. Lambdas take arrays as arguments only, because ClickHouse 18.16 does not see
# the columns that they would capture.
_GROUPS = 64
"""Of the visitors of a day, a power of two: the more, the less there is to sort in each."""
_DAY_MS = 86_400_000
_NEAR = f"(toUInt64(day) * {_DAY_MS} - {_DAY_MS})"
"""A midnight in ms that is before the day in every zone, and less than 28 bits before its end."""
_TIME = (1 << 28) - 1
_WHO = 1 << 30
"""The place of the visitor, left of the time, which is left of 2 bits."""
_MOMENT = (
    f"bitShiftLeft(intDiv(visitor, {_GROUPS}), 30)"
    f" + bitAnd(toUInt64(at - {_NEAR}), {_TIME}) * 4 + (visit != 1) * 2 + fits"
)
_AT = f"(bitAnd(intDiv({{moment}}, 4), {_TIME}) + {_NEAR})"

_BEGUN = """
SELECT
    day,
    shared,
    arrayFilter((moment, first) -> first, moments, firsts) AS begun,
    arrayFilter((moment, last) -> last, moments, lasts) AS over,
    {named} AS named
FROM (
    SELECT
        day, shared, moments, names, firsts,
        arrayPushBack(arrayPopFront(firsts), toUInt8(1)) AS lasts
    FROM (
        SELECT
            day,
            shared,
            moments,
            names,
            arrayMap(
                (moment, before) -> bitAnd(moment, 2) = 0 OR bitXor(moment, before) >= {who},
                moments,
                arrayPushFront(arrayPopBack(moments), toUInt64(0))) AS firsts
        FROM (
            SELECT day, shared, arraySort(unsorted) AS moments, {names} AS names
            FROM (
                SELECT
                    day,
                    bitAnd(visitor, {last_group}) AS shared,
                    groupArray({moment}) AS unsorted,
                    {collected} AS collected
                FROM ({hits})
                GROUP BY day, shared
            )
        )
    )
)
"""

_TAIL = {
    # A first view that begins a visit and fits the filters.
    "counts": "bitAnd(began, 3) = 1",
    "ms": "toInt64(intDiv(ended, 4)) - toInt64(intDiv(began, 4))",
}

_BY_DAY = """
SELECT day, sum(measured), sum(bounces), sum(ms)
FROM (
    SELECT
        day,
        arrayCount(began -> {counts}, begun) AS measured,
        arrayCount((began, ended) -> {counts} AND began = ended, begun, over) AS bounces,
        arraySum((began, ended) -> if({counts}, {ms}, 0), begun, over) AS ms
    FROM ({begun})
)
GROUP BY day
"""

_BY_KEY = """
SELECT {key} AS key, count(), countIf(began = ended), sum({ms})
FROM (
    SELECT
        day,
        tupleElement(visit, 1) AS began,
        tupleElement(visit, 2) AS ended,
        tupleElement(visit, 3) AS name
    FROM (
        SELECT day, arrayJoin(arrayMap(
            (began, ended, name) -> (began, ended, name), begun, over, named)) AS visit
        FROM ({begun})
    )
)
WHERE {counts}
GROUP BY key
"""


# Each page is known by a hash while visits are put together: that is little to sort and to keep.
# Its path is added after that, as a row without visits.
_PAGE_HASH = "cityHash64(path) AS page_hash"
_ENDED = """
SELECT path AS name, ended_there AS pageviews, ended_there AS visits,
    least(seen, ended_there) AS visitors, toUInt64(0) AS bots
FROM (
    SELECT max(known) AS path, sum(ended) AS ended_there, sum(seen_there) AS seen
    FROM (
        SELECT '' AS known, name AS page_hash, count() AS ended, {seen} AS seen_there
        FROM (
            SELECT day, shared, began, name
            FROM ({begun})
            ARRAY JOIN begun AS began, named AS name
        )
        WHERE {counts}
        GROUP BY name
        UNION ALL
        SELECT any(path) AS known, cityHash64(path) AS page_hash, toUInt64(0) AS ended,
            toUInt64(0) AS seen_there
        FROM hits
        WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND bot = 0
        GROUP BY page_hash
    )
    GROUP BY page_hash
    HAVING sum(ended) > 0
)
WHERE {shown}
"""


def ended(query: StatsQuery, coverage: Coverage) -> str:
    """Return the statement of a row for each page that visits ended on, as those of hits have it.

    Its parameters are those of `ended_parameters`.
    """
    shown, _ = fitting(query.shown_pages if query.hides else (), "shown_")
    seen = f"uniqCombined(cityHash64(day, shared, intDiv(began, {_WHO})))"
    return _ENDED.format(
        counts=_TAIL["counts"],
        seen=f"toUInt64({seen if query.wants(hits.VISITORS) else 0})",
        begun=_begun(query, coverage, Property.EXIT_PAGE),
        shown=shown,
    )


def ended_parameters(query: StatsQuery) -> dict[str, Any]:
    """Return the parameters of `ended`."""
    shown = fitting(query.shown_pages if query.hides else (), "shown_")[1]
    return hits.parameters(query) | shown


async def by_day(store: Store, query: StatsQuery, coverage: Coverage) -> dict[int, Counts]:
    """Return how long the visits were that began on each day."""
    lengths = await _read(store, query, _BY_DAY.format(**_TAIL, begun=_begun(query, coverage)))
    return {to_day(day): counts for day, counts in lengths.items()}


async def by_hour(
    store: Store, query: StatsQuery, coverage: Coverage, hours: Hours
) -> dict[int, Counts]:
    """Return how long the visits were that began in each hour, by its index."""
    key = hits.HOUR.format(at=_AT.format(moment="began"))
    statement = _BY_KEY.format(**_TAIL, key=key, begun=_begun(query, coverage))
    return await _read(store, query, statement, hits.clock(hours))


async def of_values(
    store: Store, query: StatsQuery, coverage: Coverage, by: Property, names: Collection[str]
) -> dict[str, Counts]:
    """Return how long the visits were whose first view has one of these values."""
    if not names:
        return {}
    begun = _begun(query, coverage, by)
    lengths = await _read(store, query, _BY_KEY.format(**_TAIL, key="name", begun=begun))
    return {name: lengths[name] for name in names if name in lengths}


def _begun(query: StatsQuery, coverage: Coverage, by: Property | None = None) -> str:
    """Return the statement that finds the visits, and with each its value of a property, if any.

    That of EXIT_PAGE is the hash of the page of its last view, of others that of its first view.
    A server of version 18.16 sorts with one thread what one statement has grouped: so there is one
    for each half of the days.
    """
    first, last = query.span
    middle = (first + last) // 2
    halves = [Span(first, middle), Span(middle + 1, last)] if middle < last else [query.span]
    return " UNION ALL ".join(_begun_in(days, query, coverage, by) for days in halves)


def _begun_in(days: Span, query: StatsQuery, coverage: Coverage, by: Property | None) -> str:
    fits, _ = fitting(query.filters)
    within = f"day >= '{to_date(days.first)}' AND day <= '{to_date(days.last)}'"
    within += earlier(query.until_ms)
    is_at_end = by is Property.EXIT_PAGE
    columns = [
        "day",
        "visitor",
        "at",
        "visit",
        f"({fits}) AS fits",
        *([_PAGE_HASH] if is_at_end else columns_of(by) if by else []),
    ]
    collected, names, named = "0", "collected", "begun"
    if by:
        # Only the first view of a visit gives it a name: the others need not be kept.
        collected = f"groupArray(if(visit = 1, toString({expression(by)}), ''))"
        names = "arraySort((name, moment) -> moment, collected, unsorted)"
        named = "arrayFilter((name, first) -> first, names, firsts)"
    if is_at_end:
        collected = f"groupArray({_PAGE_HASH.rpartition(' AS ')[2]})"
        named = "arrayFilter((name, last) -> last, names, lasts)"
    return _BEGUN.format(
        who=_WHO,
        last_group=_GROUPS - 1,
        moment=_MOMENT,
        collected=collected,
        names=names,
        named=named,
        hits=hits.source(coverage, columns, f" AND bot = 0 AND visitor != 0 AND {within}"),
    )


async def _read(
    store: Store, query: StatsQuery, statement: str, more: Mapping[str, Any] | None = None
) -> dict[Any, Counts]:
    rows = await store.execute(statement, {**hits.parameters(query), **(more or {})})
    return {
        key: Counts(measured=visits, bounces=bounces, ms=ms) for key, visits, bounces, ms in rows
    }
