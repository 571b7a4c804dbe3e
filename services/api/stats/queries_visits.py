"""The statement that puts visits together from their views, for how long they are.

A visit belongs to the day, the page, the source… of its first view. The visitor's hash changes at
the site's midnight, so a visit ends there at the latest.
"""

from collections.abc import Collection, Mapping
from typing import Any

from services.api.stats import queries_hits as hits
from services.api.stats.filters import Property
from services.api.stats.measures import Counts
from services.api.stats.queries_hits import Held
from services.api.stats.question import Question
from services.api.stats.spans import Hours
from services.model.calendar import to_day
from services.store.interface import Store

# The views of each visitor of a day, in their order, as `moments`: their time, whether they begin a
# visit (visit is 1 then), and whether they fit the filters, in one number. A visit ends where the
# next one begins; what stands before the first is of a day before. Lambdas take arrays as arguments
# only, because ClickHouse 18.16 does not see the columns that they would capture.
_BEGINS = "bitAnd({moment}, 6) = 2"
_VISITS = """
SELECT {key} AS key, count(), countIf(views = 1), sum(intDiv(ended, 8) - intDiv(began, 8))
FROM (
    SELECT
        day,
        tupleElement(visit, 1) AS began,
        tupleElement(visit, 2) AS ended,
        tupleElement(visit, 3) AS views,
        tupleElement(visit, 4) AS name
    FROM (
        SELECT day, arrayJoin(arrayMap(
            (began, ended, first, last, name) -> (began, ended, last - first + 1, name),
            begun,
            arraySlice(over, 1 + length(over) - length(begun)),
            firsts,
            arraySlice(lasts, 1 + length(over) - length(begun)),
            named)) AS visit
        FROM (
            SELECT
                day,
                arrayFilter(moment -> {moment_begins}, moments) AS begun,
                arrayFilter((moment, next) -> {next_begins}, moments, followers) AS over,
                arrayFilter((i, moment) -> {moment_begins}, places, moments) AS firsts,
                arrayFilter((i, next) -> {next_begins}, places, followers) AS lasts,
                arrayFilter((name, moment) -> {moment_begins}, names, moments) AS named
            FROM (
                SELECT
                    day,
                    moments,
                    names,
                    arrayEnumerate(moments) AS places,
                    arrayPushBack(arrayPopFront(moments), toUInt64(2)) AS followers
                FROM (
                    SELECT day, arraySort(packed) AS moments, {names} AS names
                    FROM (
                        SELECT
                            day, visitor,
                            groupArray(at * 8 + visit * 2 + fits) AS packed{collected}
                        FROM ({hits})
                        GROUP BY day, visitor
                    )
                )
            )
        )
    )
)
WHERE bitAnd(began, 1) = 1
GROUP BY key
"""


async def by_day(store: Store, asked: Question, there: Held) -> dict[int, Counts]:
    """Return how long the visits were that began on each day."""
    return {to_day(day): counts for day, counts in await _read(store, asked, there, "day", {})}


async def by_hour(store: Store, asked: Question, there: Held, hours: Hours) -> dict[int, Counts]:
    """Return how long the visits were that began in each hour, by its index."""
    key = hits.HOUR.format(at="intDiv(began, 8)")
    return dict(await _read(store, asked, there, key, hits.clock(hours)))


async def of_values(
    store: Store, asked: Question, there: Held, by: Property, names: Collection[str]
) -> dict[str, Counts]:
    """Return how long the visits were whose first view has one of these values."""
    if not names:
        return {}
    found = dict(await _read(store, asked, there, "name", {}, hits.COLUMNS[by]))
    return {name: found[name] for name in names if name in found}


async def _read(
    store: Store,
    asked: Question,
    there: Held,
    key: str,
    more: Mapping[str, Any],
    column: str | None = None,
) -> list[tuple[Any, Counts]]:
    fits, _ = hits.fitting(asked.filters)
    columns = f"day, visitor, at, visit, ({fits}) AS fits{f', {column}' if column else ''}"
    statement = _VISITS.format(
        key=key,
        moment_begins=_BEGINS.format(moment="moment"),
        next_begins=_BEGINS.format(moment="next"),
        names="arraySort((name, moment) -> moment, collected, packed)" if column else "packed",
        collected=f", groupArray(toString({column})) AS collected" if column else "",
        hits=hits.source(there, columns, " AND bot = 0 AND visitor != 0"),
    )
    rows = await store.execute(statement, {**hits.parameters(asked), **more})
    return [
        (value, Counts(measured=visits, bounces=bounces, ms=ms))
        for value, visits, bounces, ms in rows
    ]
