"""The statement that reconstructs visits from their views, for their length.

A visit belongs to the day, the page, the source… of its first view. The visitor's hash changes at
the site's midnight, so a visit ends there at the latest.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import Counts
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.periods.coverage import Coverage
from services.api.stats.periods.spans import Hours, Span, joined
from services.api.stats.queries import ended as queries_ended
from services.api.stats.queries import hits
from services.api.stats.queries.columns import columns_of, earlier, expression, fitting
from services.api.stats.readers.results import merge_counts
from services.model.calendar import to_day
from services.store.interface import Store

# Each view is one number, a `moment`: the visitor, the time, whether it continues a visit, and
# whether it passes the filters. In sorted order, a visit ends where the next one begins or the
# visitor changes; views before a visitor's first visit belong to the day before, and do not count.
# One group per visitor of a day would be millions of groups, and take most of the time; so visitors
# share a few groups. Another array besides the moments would take half as long again: so the
# visitor is as much of the hash as fits, 40 bits with the group; of 100,000 visitors a day, two
# collide every 200 days. Lambdas take arrays as arguments only, because ClickHouse 18.16 does not
# see the columns that they would capture.
GROUPS = 64
"""Groups of a day's visitors, a power of two: the more groups, the less to sort in each."""
_DAY_MS = 86_400_000
_NEAR = f"(toUInt64(day) * {_DAY_MS} - {_DAY_MS})"
"""A midnight in ms that is before the day in every time zone, and under 2^28 ms before its end."""
_TIME = (1 << 28) - 1
WHO = 1 << 30
"""The place of the visitor, left of the time, which is left of 2 bits."""
MOMENT = (
    f"bitShiftLeft(intDiv(visitor, {GROUPS}), 30)"
    f" + bitAnd(toUInt64(at - {_NEAR}), {_TIME}) * 4 + (visit != 1) * 2 + fits"
)
SEEN = f"cityHash64(day, shared, intDiv(began, {WHO}))"
"""Identifies the visitor who began a visit."""
_AT = f"(bitAnd(intDiv({{moment}}, 4), {_TIME}) + {_NEAR})"

BEGUN = """
SELECT
    day, shared, moments, firsts, arrayPushBack(arrayPopFront(firsts), toUInt8(1)) AS lasts,
    {passed}
FROM (
    SELECT
        day,
        shared,
        moments,
        {passed},
        arrayMap(
            (moment, before) -> bitAnd(moment, 2) = 0 OR bitXor(moment, before) >= {who},
            moments,
            arrayPushFront(arrayPopBack(moments), toUInt64(0))) AS firsts
    FROM ({moments})
)
"""
"""From sorted moments, those that begin a visit and those that end one; passes on `passed`."""

_BEGUN = """
SELECT
    day,
    shared,
    arrayFilter((moment, first) -> first, moments, firsts) AS begun,
    arrayFilter((moment, last) -> last, moments, lasts) AS over,
    {named} AS named
FROM ({ends})
"""

_MOMENTS = """
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
"""

_TAIL = {
    # A first view that begins a visit and passes the filters.
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


# Each page is represented by a hash while visits are reconstructed: that is little to sort and
# keep. Its path is added afterwards, as a row without visits.
_PAGE_HASH = "cityHash64(path) AS page_hash"
_ENDS = """
SELECT {who} AS seen, name
FROM (
    SELECT day, shared, began, name
    FROM ({begun})
    ARRAY JOIN begun AS began, named AS name
)
WHERE {counts}
"""
_PAGES = """
SELECT path AS page
FROM hits
WHERE site = %(site)s AND ({days}) AND bot = 0
"""
_ENDED = """
SELECT path AS name, ended_there AS pageviews, ended_there AS visits,
    least(seen, ended_there) AS visitors, toUInt64(0) AS bots
FROM (
    SELECT max(known) AS path, sum(ended) AS ended_there, sum(seen_there) AS seen
    FROM (
        SELECT '' AS known, name AS page_hash, count() AS ended, {seen_there} AS seen_there
        FROM ({ends})
        GROUP BY name
        UNION ALL
        SELECT any(page) AS known, cityHash64(page) AS page_hash, toUInt64(0) AS ended,
            toUInt64(0) AS seen_there
        FROM ({pages})
        GROUP BY page_hash
    )
    GROUP BY page_hash
    HAVING sum(ended) > 0
)
WHERE {shown}
"""


def ended(query: StatsQuery, coverage: Coverage) -> str:
    """Return the statement with a row per page that visits ended on, in the shape of those of hits.

    Its parameters are those of `ended_parameters`.
    """
    shown, _ = fitting(query.shown_pages, "shown_")
    ends, pages = [], []
    coverage = _read_before(query, coverage)
    if begun := _begun(query, coverage, Property.EXIT_PAGE):
        ends.append(_ENDS.format(who=SEEN, begun=begun, counts=_TAIL["counts"]))
        others = queries_ended.other_days(coverage, query.span)
        pages.append(_PAGES.format(days=hits.within(others)))
    if coverage.ended:
        ends.append(queries_ended.ends(query, coverage))
        pages.append(queries_ended.pages(coverage))
    return _ENDED.format(
        seen_there=f"toUInt64({'uniqCombined(seen)' if query.wants(hits.VISITORS) else 0})",
        ends=" UNION ALL ".join(ends),
        pages=" UNION ALL ".join(pages),
        shown=shown,
    )


def ended_parameters(query: StatsQuery) -> dict[str, Any]:
    """Return the parameters of `ended`."""
    shown = fitting(query.shown_pages, "shown_")[1]
    return hits.parameters(query) | shown


async def by_day(store: Store, query: StatsQuery, coverage: Coverage) -> dict[int, Counts]:
    """Return how long the visits that began on each day were."""
    coverage = _read_before(query, coverage)
    lengths = await queries_ended.by_day(store, query, coverage)
    if begun := _begun(query, coverage):
        rows = await _read(store, query, _BY_DAY.format(**_TAIL, begun=begun))
        lengths |= {to_day(day): counts for day, counts in rows.items()}
    return lengths


async def by_hour(
    store: Store, query: StatsQuery, coverage: Coverage, hours: Hours
) -> dict[int, Counts]:
    """Return how long the visits that began in each hour were, by its index."""
    key = hits.HOUR.format(at=_AT.format(moment="began"))
    # Precomputed visits have no hours, and these are only a few days.
    begun = _begun(query, coverage._replace(ended={}))
    statement = _BY_KEY.format(**_TAIL, key=key, begun=begun)
    return await _read(store, query, statement, hits.clock(hours))


async def of_values(
    store: Store, query: StatsQuery, coverage: Coverage, by: Property, names: Collection[str]
) -> dict[str, Counts]:
    """Return how long the visits were, by their first view's value of a property."""
    if not names:
        return {}
    coverage = _read_before(query, coverage)
    lengths = await queries_ended.of_values(store, query, coverage, by)
    if begun := _begun(query, coverage, by):
        statement = _BY_KEY.format(**_TAIL, key="name", begun=begun)
        merge_counts(lengths, await _read(store, query, statement))
    return {name: lengths[name] for name in names if name in lengths}


def _begun(query: StatsQuery, coverage: Coverage, by: Property | None = None) -> str:
    """Return the statement that finds the visits, each with its value of a property, if any.

    It covers the days whose visits must be read from raw hits; '' when there are none. For
    EXIT_PAGE, the value is the hash of the last view's page; for others, it is the first view's.
    ClickHouse 18.16 sorts what one statement has grouped in one thread: so there is one statement
    for each half of the days.
    """
    others = queries_ended.other_days(coverage, query.span)
    days = [day for span in others for day in range(span.first, span.last + 1)]
    middle = (len(days) + 1) // 2
    halves = (joined(Span(day, day) for day in half) for half in (days[:middle], days[middle:]))
    return " UNION ALL ".join(_begun_in(half, query, coverage, by) for half in halves if half)


def _read_before(query: StatsQuery, coverage: Coverage) -> Coverage:
    """Return the coverage for a query: nothing is precomputed for part of a day."""
    return coverage if query.until_ms is None else coverage._replace(ended={})


def _begun_in(
    days: Sequence[Span], query: StatsQuery, coverage: Coverage, by: Property | None
) -> str:
    fits, _ = fitting(query.filters)
    of_days = f"({hits.within(days)}){earlier(query.until_ms)}"
    is_at_end = by is Property.EXIT_PAGE
    columns = [
        "day",
        "visitor",
        "at",
        "visit",
        # An old server rejects a constant in one half of hits that are read in two ways.
        f"materialize({fits}) AS fits",
        *([_PAGE_HASH] if is_at_end else columns_of(by) if by else []),
    ]
    collected, names, named = "0", "collected", "begun"
    if by:
        # Only the first view of a visit names it: the names of others need not be kept.
        collected = f"groupArray(if(visit = 1, toString({expression(by)}), ''))"
        names = "arraySort((name, moment) -> moment, collected, unsorted)"
        named = "arrayFilter((name, first) -> first, names, firsts)"
    if is_at_end:
        collected = f"groupArray({_PAGE_HASH.rpartition(' AS ')[2]})"
        named = "arrayFilter((name, last) -> last, names, lasts)"
    moments = _MOMENTS.format(
        last_group=GROUPS - 1,
        moment=MOMENT,
        collected=collected,
        names=names,
        hits=hits.source(coverage, columns, f" AND bot = 0 AND visitor != 0 AND {of_days}"),
    )
    return _BEGUN.format(named=named, ends=BEGUN.format(passed="names", who=WHO, moments=moments))


async def _read(
    store: Store, query: StatsQuery, statement: str, more: Mapping[str, Any] | None = None
) -> dict[Any, Counts]:
    rows = await store.execute(statement, {**hits.parameters(query), **(more or {})})
    return {
        key: Counts(measured=visits, bounces=bounces, ms=ms) for key, visits, bounces, ms in rows
    }
