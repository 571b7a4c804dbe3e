"""The statement that counts views by weekday and hour, in the site's time zone."""

from datetime import timedelta
from typing import NamedTuple

from services.api.stats.grammar.query import StatsQuery
from services.api.stats.periods.coverage import Coverage
from services.api.stats.periods.spans import QUARTER_MS, Span
from services.api.stats.queries import hits
from services.api.stats.queries.columns import fitting
from services.model.site import Site
from services.store.interface import Store

WEEKDAYS = 7
HOURS = 24
_HOUR_MS = 3_600_000

_HEAT = """
SELECT
    toDayOfWeek(day) AS weekday,
    modulo(intDiv(toInt64(at) + {offset}, {hour_ms}), {hours}) AS hour,
    count()
FROM ({hits})
GROUP BY weekday, hour
"""


class ClockChange(NamedTuple):
    """From when, in ms since 1970, local time differs from UTC by how many ms."""

    at: int
    offset: int


async def heat(store: Store, query: StatsQuery, coverage: Coverage) -> list[list[int]]:
    """Return the views of each hour of each weekday, Monday first, 24 a day."""
    fits, _ = fitting(query.filters)
    statement = _HEAT.format(
        offset=_offset(clock_changes(query.site, query.span)),
        hour_ms=_HOUR_MS,
        hours=HOURS,
        hits=hits.source(coverage, ["day", "at"], f" AND bot = 0 AND {fits}"),
    )
    counted = [[0] * HOURS for _ in range(WEEKDAYS)]
    for weekday, hour, views in await store.execute(statement, hits.parameters(query)):
        counted[weekday - 1][hour] += views
    return counted


def clock_changes(site: Site, span: Span) -> list[ClockChange]:
    """Return the UTC offset at the start of a span, and each later change."""
    at = site.start_of(span.first)
    changes = [ClockChange(at, _offset_at(site, at))]
    for day in range(span.first, span.last + 1):
        begin, end = at, site.start_of(day + 1)
        at = end
        if _offset_at(site, end) == changes[-1].offset:
            continue
        while end - begin > QUARTER_MS:
            middle = begin + (end - begin) // QUARTER_MS // 2 * QUARTER_MS
            if _offset_at(site, middle) == changes[-1].offset:
                begin = middle
            else:
                end = middle
        changes.append(ClockChange(end, _offset_at(site, end)))
    return changes


def _offset_at(site: Site, at: int) -> int:
    return (site.local(at).utcoffset() or timedelta()) // timedelta(milliseconds=1)


def _offset(changes: list[ClockChange]) -> str:
    expression = str(changes[0].offset)
    for change in changes[1:]:
        expression = f"if(at >= {change.at}, toInt64({change.offset}), toInt64({expression}))"
    return expression
