"""Raw hits and counters of one site, a page of rows at a time, in the order of their keys."""

from typing import NamedTuple

from services.model.calendar import Grain, to_date, to_day
from services.store.interface import Row, Store

HIT_COLUMNS = (
    *("day", "position", "idx", "at", "path", "own_path", "visitor", "visit", "bot", "host"),
    *("source", "device", "browser", "os", "country"),
    *("utm_medium", "utm_campaign", "utm_content", "utm_term", "utm_source", "region"),
)
COUNTER_COLUMNS = ("grain", "start", "path", "views", "visits")

_HITS = """
SELECT {columns}
FROM hits FINAL
WHERE site = %(site)s AND day = %(day)s
    AND (position > %(position)s OR (position = %(position)s AND idx >= %(idx)s))
ORDER BY position, idx
LIMIT %(most)s
"""

_NEXT_DAY = """
SELECT min(day), count()
FROM hits
WHERE site = %(site)s AND day > %(day)s AND day <= %(last)s
"""

# A flood of pages has many rows: they are grouped one period at a time.
_COUNTERS = """
SELECT path, argMax(views, position), argMax(visits, position)
FROM counters
WHERE site = %(site)s AND grain = %(grain)s AND start = %(start)s AND path >= %(path)s
GROUP BY path
ORDER BY path
LIMIT %(most)s
"""

_NEXT_START = """
SELECT min(start), count()
FROM counters
WHERE site = %(site)s AND grain = %(grain)s AND start >= %(start)s
"""


class HitKey(NamedTuple):
    """Where a page of hits begins: day in days since 1970-01-01, position, index in its batch."""

    day: int
    position: int = 0
    idx: int = 0


class PeriodKey(NamedTuple):
    """Where a page of counters begins: the grain, the first day of the period, the path."""

    grain: Grain
    start: int = 0
    path: str = ""


async def hits(
    store: Store, site: str, first: HitKey, last_day: int, most: int
) -> tuple[list[Row], HitKey | None]:
    """Return at most so many hits, as HIT_COLUMNS, and where the next page begins, if there is one.

    A page has hits of only one day, and may be empty although there is a next one.
    """
    if first.day > last_day:
        return [], None
    day = to_date(first.day)
    rows = await store.execute(
        _HITS.format(columns=", ".join(HIT_COLUMNS)),
        {
            "site": site,
            "day": day,
            "position": first.position,
            "idx": first.idx,
            "most": most + 1,
        },
    )
    if len(rows) > most:
        _, position, idx, *_ = rows[most]
        return rows[:most], HitKey(first.day, position, idx)
    ((following, left),) = await store.execute(
        _NEXT_DAY, {"site": site, "day": day, "last": to_date(last_day)}
    )
    return rows, HitKey(to_day(following)) if left else None


async def counters(
    store: Store, site: str, first: PeriodKey, most: int
) -> tuple[list[Row], PeriodKey | None]:
    """Return at most so many counters, as COUNTER_COLUMNS, and where the next page begins.

    A page has counters of only one period, and may be empty although there is a next one.
    """
    grain, start, path = first
    fetched = await store.execute(
        _COUNTERS,
        {
            "site": site,
            "grain": str(grain),
            "start": to_date(start),
            "path": path,
            "most": most + 1,
        },
    )
    shown = "" if grain is Grain.TOTAL else to_date(start).isoformat()
    rows: list[Row] = [(str(grain), shown, *counted) for counted in fetched[:most]]
    if len(fetched) > most:
        return rows, PeriodKey(grain, start, fetched[most][0])
    return rows, await _next_period(store, site, grain, start + 1)


async def _next_period(store: Store, site: str, grain: Grain, start: int) -> PeriodKey | None:
    """Return the first period of a grain from a day on, or of the grains after it."""
    grains = list(Grain)
    for after in grains[grains.index(grain) :]:
        ((following, left),) = await store.execute(
            _NEXT_START, {"site": site, "grain": str(after), "start": to_date(start)}
        )
        if left:
            return PeriodKey(after, to_day(following))
        start = 0
    return None
