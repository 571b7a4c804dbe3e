"""Reads how the views of a period are spread over the hours of the week."""

from services.api.stats.grammar.query import StatsQuery
from services.api.stats.panels.contents import PanelResult
from services.api.stats.periods.opening import Opening
from services.api.stats.queries.heat import HOURS, WEEKDAYS, heat
from services.api.stats.readers.reader import StatsReader


async def read(reader: StatsReader, query: StatsQuery) -> PanelResult[list[list[int]]]:
    """Return the views of each hour, 24 for each weekday from Monday. Raises ApiError.

    Opening balances have no hours, so they are not included.
    """
    week = [[0] * HOURS for _ in range(WEEKDAYS)]
    warnings: list[str] = []
    if query.opening is Opening.ONLY:
        return PanelResult(week)
    async with reader.turn() as store:
        for part in reader.of_parts(query):
            coverage, missing = await reader.hits(part, await reader.known(part))
            warnings += missing
            for into, views in zip(week, await heat(store, part, coverage), strict=True):
                into[:] = [one + more for one, more in zip(into, views, strict=True)]
    return PanelResult(week, partial=bool(warnings))
