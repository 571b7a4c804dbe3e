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

# The views of each visitor of a day, in their order: `packed` are their times, whether they begin
# a visit (visit is 1 then), and whether they fit the filters. They are cut where a visit begins.
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
            (begin, end) -> (arrayElement(views, begin), arrayElement(views, end),
                end - begin + 1, {name_at_begin}),
            begins, arraySlice(ends, 1, length(begins)))) AS visit
        FROM (
            SELECT
                day, views, names, begins,
                arrayPushBack(arrayMap(i -> toUInt32(i - 1), arrayPopFront(begins)),
                    toUInt32(length(views))) AS ends
            FROM (
                SELECT
                    day, views, names,
                    arrayFilter(i -> bitAnd(intDiv(arrayElement(views, i), 2), 3) = 1,
                        arrayEnumerate(views)) AS begins
                FROM (
                    SELECT day, arraySort(packed) AS views, {names} AS names
                    FROM (
                        SELECT
                            day, visitor,
                            groupArray(at * 8 + visit * 2 + fits) AS packed,
                            {collected} AS collected
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
        name_at_begin="arrayElement(names, begin)" if column else "''",
        names="arraySort((name, at) -> at, collected, packed)" if column else "collected",
        collected=f"groupArray(toString({column}))" if column else "0",
        hits=hits.source(there, columns, " AND bot = 0 AND visitor != 0"),
    )
    rows = await store.execute(statement, {**hits.parameters(asked), **more})
    return [
        (value, Counts(measured=visits, bounces=bounces, ms=ms))
        for value, visits, bounces, ms in rows
    ]
