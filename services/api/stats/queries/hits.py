"""The statements that read raw hits.

A hit may be in the table twice until ClickHouse merges duplicates away: after a crash, the
aggregator inserts again what may have been lost. FINAL is exact but slow on old servers, so it is
used only where needed: see `coverage.py`.

Hits taken back by corrections are left out one by one, and a visit whose first view is among them
begins with the next one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import APART, RATES, Counts, Measure
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.periods.coverage import Coverage
from services.api.stats.periods.spans import QUARTER_MS, Hours, Span
from services.api.stats.queries.columns import COLUMNS, columns_of, earlier, expression, fitting
from services.model.calendar import to_date, to_day
from services.store.counts import corrections
from services.store.interface import Store

VISITORS = frozenset({Measure.VISITORS})
_VISITS = frozenset({Measure.VISITS})
_HITS = """
SELECT {columns}
FROM hits{final}
WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s
    AND (bot = 1 OR position < {end}){which}
"""

# A hit that was inserted twice counts once.
_MOVED = f"""{corrections.HIT} IN (
    SELECT {corrections.HIT}
    FROM (
        SELECT position, idx, run, any(begins) AS once
        FROM moved_visits
        WHERE site = %(site)s AND day >= %(first)s AND day <= %(last)s AND run IN ({{runs}})
        GROUP BY position, idx, run
    )
    GROUP BY position, idx
    HAVING sum(once) > 0
)"""  # noqa: S608  # an expression of ours

_BY_DAY = "SELECT day, {counts} FROM ({hits}) GROUP BY day"

# Array lookup by index takes constant time, however many elements there are.
HOUR = (
    "arrayElement(array%(quarters)s, least(greatest("
    "intDiv(toInt64({at}) - %(start_ms)s, %(quarter_ms)s), 0), %(last_quarter)s) + 1)"
)
_BY_HOUR = "SELECT {hour} AS hour, {counts} FROM ({hits}) GROUP BY hour"

_GROUPED = """
SELECT toString({column}) AS name, {counts}
FROM ({hits}){where}
GROUP BY {group}
"""
_FIRST = """
SELECT name, pageviews, visits, visitors, bots
FROM ({rows})
ORDER BY {order} DESC, name
LIMIT %(skip)s, %(limit)s
"""

_BROUGHT = """name IN (
    SELECT path
    FROM opening_balances
    WHERE site = %(site)s AND path != '' AND grain != 'total'
) DESC, """


async def by_day(store: Store, query: StatsQuery, coverage: Coverage) -> dict[int, Counts]:
    """Return the counts of each day that has hits."""
    statement = _BY_DAY.format(counts=_counts(query), hits=_hits(query, coverage))
    rows = await store.execute(statement, parameters(query))
    return {to_day(day): Counts(*counts) for day, *counts in rows}


async def by_hour(
    store: Store, query: StatsQuery, coverage: Coverage, hours: Hours
) -> dict[int, Counts]:
    """Return what was counted in each hour, by its index."""
    statement = _BY_HOUR.format(
        hour=HOUR.format(at="at"), counts=_counts(query), hits=_hits(query, coverage, ["at"])
    )
    rows = await store.execute(statement, parameters(query) | clock(hours))
    return {hour: Counts(*counts) for hour, *counts in rows}


async def breakdown(
    store: Store,
    query: StatsQuery,
    statement: str,
    of_statement: Mapping[str, Any],
    breakdown: BreakdownQuery,
    *,
    more: int = 0,
) -> dict[str, Counts]:
    """Return the rows of a statement such as `grouped`, ordered by the first measure.

    If that is a rate, they are ordered by visits.

    more  how many pages have opening balances: these come first, then all rows up to the last one
          requested
    """
    order = query.measures[0]
    first = f"{_BROUGHT if more else ''}{_ORDER.get(order, 'visitors')}"
    statement = _FIRST.format(rows=statement, order=first)
    paging = {"skip": (breakdown.page - 1) * breakdown.limit, "limit": breakdown.limit}
    if more:
        paging = {"skip": 0, "limit": more + breakdown.page * breakdown.limit}
    rows = await store.execute(statement, {**of_statement, **paging})
    return {name: Counts(*counts) for name, *counts in rows}


def grouped(
    query: StatsQuery, coverage: Coverage, by: Property, column: str = "", where: str = ""
) -> str:
    """Return the statement with a row per value of a property, unordered.

    column  an expression of the property's column to use in place of the value
    where   restricts the rows
    """
    of_property, shown = COLUMNS[by], expression(by)
    is_looked_up = shown != of_property
    if by is Property.ENTRY_PAGE:
        where = f"{where} AND visit = 1" if where else " WHERE visit = 1"
    return _GROUPED.format(
        column=column or shown,
        group="name" if is_looked_up else column or of_property,
        counts=_counts(query, by, merged=is_looked_up),
        hits=(_by_columns if is_looked_up else _hits)(query, coverage, columns_of(by)),
        where=where,
    )


_ORDER = {
    Measure.VISITS: "visits",
    Measure.PAGEVIEWS: "pageviews",
    Measure.BOTS: "bots",
    **dict.fromkeys(APART, "pageviews"),
    # The reader sorts by a rate: among these rows, those of the most visits.
    **dict.fromkeys(RATES, "visits"),
}


_VIEWS_OF, _BEGUN_OF, _BOTS_OF = (
    f"countIf({which})" for which in ("bot = 0", "bot = 0 AND visit = 1", "bot = 1")
)
_SEEN = "visitor, bot = 0 AND visitor != 0"
_BEGINNERS = f"{_SEEN} AND visit = 1"


def _counts(query: StatsQuery, by: Property | None = None, *, merged: bool = False) -> str:
    """Return the columns of Counts that come from single hits; 0 for what is not needed.

    A visit belongs to its first view, and so does its visitor: so there are never more visitors
    than visits, nor more visits than views. A page has all visitors that see it; for one who began
    no visit on it, one visit counts there. Estimates of visitors that are too high are capped.

    merged  from the rows of _by_columns
    """
    views, visits, bots = _VIEWS_OF, _BEGUN_OF, _BOTS_OF
    # The same function as the sketches of whole days, so that the same hits give the same number.
    seen, beginners = (f"toUInt64(uniqCombinedIf({which}))" for which in (_SEEN, _BEGINNERS))
    if merged:
        views, visits, bots = "sum(part_views)", "sum(part_visits)", "sum(part_bots)"
        seen, beginners = (f"toUInt64(uniqCombinedIfMerge(part_{of}))" for of in ("seen", "begun"))
    if query.of_pages or by is Property.PAGE:
        of_page, visitors = visits_of_page(views, visits, seen, beginners)
        if query.wants(_VISITS):
            visits = of_page
    else:
        visitors = f"least({beginners}, {visits})"
    return (
        f"{views} AS pageviews, {visits} AS visits,"
        f" {visitors if query.wants(VISITORS) else 'toUInt64(0)'} AS visitors,"
        f" {bots} AS bots"
    )


def visits_of_page(views: str, begun: str, seen: str, beginners: str) -> tuple[str, str]:
    """Return the expressions of a page's visits and visitors; the page has all who see it.

    begun      how many visits began on it
    beginners  how many of the visitors who saw it began one on it
    """
    visitors = f"least({seen}, {views})"
    return f"least({views}, greatest({visitors}, {begun} + {seen} - {beginners}))", visitors


def _by_columns(query: StatsQuery, coverage: Coverage, columns: Sequence[str]) -> str:
    """Return the statement that counts hits by columns of the table.

    Names that need a look-up are looked up once per distinct value, not once per hit.
    """
    named = ", ".join(columns)
    sketches = ""
    if query.wants(VISITORS) or (query.of_pages and query.wants(_VISITS)):
        sketches = (
            f", uniqCombinedIfState({_SEEN}) AS part_seen,"
            f" uniqCombinedIfState({_BEGINNERS}) AS part_begun"
        )
    return (
        f"SELECT {named}, {_VIEWS_OF} AS part_views, {_BEGUN_OF} AS part_visits,"  # noqa: S608
        f" {_BOTS_OF} AS part_bots{sketches}"
        f" FROM ({_hits(query, coverage, columns)}) GROUP BY {named}"
    )


def source(coverage: Coverage, columns: Sequence[str], condition: str) -> str:
    """Return the statement that reads each hit once; see the top of this module."""
    if coverage.taken:
        condition += f" AND {corrections.is_taken(coverage.taken, within=False)}"
    if "visit" not in columns or not coverage.moved:
        return _each_once(coverage, ", ".join(columns), condition)
    inner = ["visit AS flagged" if column == "visit" else column for column in columns]
    hits = _each_once(coverage, ", ".join(dict.fromkeys([*inner, "position", "idx"])), condition)
    is_moved = _MOVED.format(runs=corrections.quoted(coverage.moved))
    begins = f"toUInt8(if({is_moved}, 1, flagged)) AS visit"
    outer = [begins if column == "visit" else column.rpartition(" AS ")[2] for column in columns]
    return f"SELECT {', '.join(outer)} FROM ({hits})"  # noqa: S608  # statements of ours


def _each_once(coverage: Coverage, columns: str, condition: str) -> str:
    if not coverage.doubled:
        return _HITS.format(columns=columns, final="", which=condition, end=coverage.end)
    days = within(coverage.doubled)
    return " UNION ALL ".join(
        _HITS.format(
            columns=columns,
            final=final,
            which=f" AND {which}({days}){condition}",
            end=coverage.end,
        )
        for final, which in ((" FINAL", ""), ("", "NOT "))
    )


def _hits(query: StatsQuery, coverage: Coverage, columns: Sequence[str] = ()) -> str:
    condition, _ = fitting(query.filters)
    bots = "" if Measure.BOTS in query.measures else " AND bot = 0"
    names = list(dict.fromkeys(("day", "visitor", "visit", "bot", *columns)))
    return source(coverage, names, f"{bots} AND {condition}{earlier(query.until_ms)}")


def within(days: Sequence[Span]) -> str:
    """Return the condition that a hit is on one of these days."""
    return " OR ".join(
        f"(day >= '{to_date(span.first)}' AND day <= '{to_date(span.last)}')" for span in days
    )


def parameters(query: StatsQuery) -> dict[str, Any]:
    """Return the parameters common to all statements about hits."""
    return days(query.site.kept_as, query.span) | fitting(query.filters)[1]


def days(site: str, span: Span) -> dict[str, Any]:
    """Return a site and its days as parameters."""
    return {"site": site, "first": to_date(span.first), "last": to_date(span.last)}


def clock(hours: Hours) -> dict[str, Any]:
    """Return hours as parameters of `HOUR`."""
    return {
        "quarters": hours.quarters,
        "last_quarter": len(hours.quarters) - 1,
        "start_ms": hours.start_ms,
        "quarter_ms": QUARTER_MS,
    }
