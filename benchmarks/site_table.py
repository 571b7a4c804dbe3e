"""The table of 160 sites: a year against the year before, of 26 million views in both."""

from collections.abc import Iterator
from datetime import date
from functools import partial

import httpx

from benchmarks.measure import Result, exact, summary
from benchmarks.processes import forget_peak, peak
from benchmarks.stack import TOKEN, Stack, stack, stores
from benchmarks.stats import asked, settle
from services.model.calendar import to_day
from services.model.partition import DEFAULT_PARTITIONS
from services.model.site import Site
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store
from services.store.records import sites

SITES = 160
DAYS = 731
DAYS_AT_ONCE = 30
VIEWS = 223
VISITORS = 90
"""Of a site and day."""
FIRST_DAY = to_day(date(2024, 1, 1))
SLOWEST = f"table of {SITES} sites, a year against the year before"
PERIODS = {SLOWEST: "year", f"table of {SITES} sites, a month against the month before": "month"}

_SITE = f"concat('xa-', toString(number %% {SITES})) AS site"
# Hits that are not kept, of which the store counts the visitors.
_VISITORS = f"""
INSERT INTO old_hits (site, day, visitor, bot)
SELECT {_SITE},
    toDate(toUInt16(%(first)s + intDiv(number, {SITES * VISITORS}))) AS day,
    intHash64(number) AS visitor, 0 AS bot
FROM system.numbers LIMIT %(skip)s, %(count)s
"""
_COUNTERS = f"""
INSERT INTO counters (site, grain, start, path, views, visits, position)
SELECT {_SITE}, 'day' AS grain, toDate(toUInt16(%(first)s + intDiv(number, {SITES}))) AS start,
    '' AS path, {VIEWS} + number %% 7 AS views, {VISITORS} + number %% 5 AS visits,
    number AS position
FROM system.numbers LIMIT %(count)s
"""


def measure(*, quick: bool) -> Iterator[Result]:
    """Time the table over HTTP."""
    for kind in stores():
        with stack() as running:
            yield from _measure(running, kind, DAYS // (10 if quick else 1))


def _measure(running: Stack, kind: str, days: int) -> Iterator[Result]:
    api, server, pids = running.api(kind, partial(_write, days=days))
    of_store = (server or api).pid
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=api.url, headers=headers, timeout=60) as client:
        forget_peak(of_store)
        for what, period in PERIODS.items():
            query = {"period": period, "date": "2025-12-31"}
            waited, used = asked(client, "/api/v1/table", query, pids)
            yield summary(f"{kind}: {what}", waited, unit="ms")
            yield exact(f"{kind}: {what}: processor time", used, "ms")
    whose = "the server" if server else "the API"
    yield exact(f"{kind}: memory of {whose} at most", peak(of_store) / 1e6, "MB")


async def _write(url: str, days: int) -> None:
    store = open_store(url)
    try:
        await store.prepare()
        await migrate(store)
        await fix_partitions(store, DEFAULT_PARTITIONS)
        for number in range(SITES):
            slug = f"xa-{number}"
            await sites.save(store, Site(slug=slug, hosts=(f"{slug}.example",)), number + 1)
        for day in range(0, days, DAYS_AT_ONCE):
            some = SITES * VISITORS * min(DAYS_AT_ONCE, days - day)
            skip = day * SITES * VISITORS
            parameters = {"first": FIRST_DAY, "skip": skip, "count": some}
            await store.execute(_VISITORS, parameters)
        await store.execute(_COUNTERS, {"first": FIRST_DAY, "count": SITES * days})
        await settle(store)
    finally:
        await store.close()
