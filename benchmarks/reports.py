"""Reports: a month of three million hits, of a group of two hundred sites."""

import time
from collections.abc import Iterator
from datetime import date
from functools import partial
from statistics import median

import httpx

from benchmarks.measure import Result, exact
from benchmarks.processes import cpu_seconds, memory
from benchmarks.stack import TOKEN, Stack, stack, stores
from benchmarks.stats import FILL, settle
from services.model.calendar import day_start_ms, to_day
from services.model.partition import DEFAULT_PARTITIONS
from services.model.site import DEFAULT_TIMEZONE, Site
from services.store.interface import Store
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store
from services.store.records import sites

HITS = 3_000_000
SITES = 200
DAYS = 30
DAYS_AT_ONCE = 10
RUNS = 3
FIRST_DAY = to_day(date(2025, 11, 1))
SITE = f"concat('xa-', toString(intHash32(number + 11) %% {SITES}))"
REPORTS = {
    "a month of the calendar": {"period": "month", "date": "2025-11-30"},
    "from the 15th to the 14th": {"period": "report_month", "date": "2025-11-20"},
}

# As the aggregator counts: of each site and each of its pages a row a day, a month and for good.
_COUNT = """
INSERT INTO counters
SELECT site, '{grain}' AS grain, {start} AS first, {path} AS page,
    countIf(bot = 0), countIf(visit = 1), max(position)
FROM hits
GROUP BY site, first, page
HAVING countIf(bot = 0) > 0
"""
_STARTS = {"day": "day", "month": "toStartOfMonth(day)", "year": "toStartOfYear(day)"}


def measure(*, quick: bool) -> Iterator[Result]:
    """Time the report of a group over HTTP, as JSON and as a workbook."""
    for kind in stores():
        with stack() as running:
            yield from _measure(running, kind, HITS // (10 if quick else 1))


def _measure(running: Stack, kind: str, hits: int) -> Iterator[Result]:
    api, server, pids = running.api(kind, partial(_write, hits=hits))
    named = f"{kind}, {SITES} sites, {hits / 1e6:g} million hits"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    slowest = used = 0.0
    with httpx.Client(base_url=api.url, headers=headers, timeout=120) as client:
        slugs = [f"xa-{number}" for number in range(SITES)]
        group = {"slug": "tinh", "name": "Tỉnh", "sites": slugs}
        client.post("/api/admin/groups", json=group).raise_for_status()
        for what, query in REPORTS.items():
            for form, path in (
                ("JSON", "/api/v1/groups/tinh/report"),
                ("workbook", "/admin/groups/tinh/report.xlsx"),
            ):
                waited, before = [], cpu_seconds(*pids)
                for _ in range(RUNS):
                    started = time.perf_counter()
                    client.get(path, params=query).raise_for_status()
                    waited.append(time.perf_counter() - started)
                yield Result(
                    what=f"{named}: {what}, {form}",
                    value=median(waited),
                    unit="s",
                    low=min(waited),
                    high=max(waited),
                    runs=RUNS,
                )
                spent = (cpu_seconds(*pids) - before) / RUNS
                yield exact(f"{named}: {what}, {form}: processor time", spent, "s")
                slowest, used = max(slowest, median(waited)), max(used, spent)
    yield exact(f"{named}: slowest report", slowest, "s")
    yield exact(f"{named}: slowest report: processor time", used, "s")
    held = memory((server or api).pid)
    whose = "the server" if server else "the API"
    yield exact(f"{named}: memory of {whose} then", held.resident / 1e6, "MB")


async def _write(url: str, hits: int) -> None:
    store = open_store(url)
    try:
        await store.prepare()
        await migrate(store)
        await fix_partitions(store, DEFAULT_PARTITIONS)
        for number in range(SITES):
            slug = f"xa-{number}"
            await sites.save(store, Site(slug=slug, hosts=(f"{slug}.example",)), number + 1)
        a_day = hits // DAYS
        for first in range(0, DAYS, DAYS_AT_ONCE):
            parameters = {
                "start": day_start_ms(FIRST_DAY, DEFAULT_TIMEZONE),
                "first": FIRST_DAY,
                "a_day": a_day,
                "visitors": a_day * 2 // 5,
                "skip": first * a_day,
                "count": DAYS_AT_ONCE * a_day,
            }
            await store.execute(FILL.format(site=SITE), parameters)
        await _count(store)
        await settle(store)
    finally:
        await store.close()


async def _count(store: Store) -> None:
    for grain, start in _STARTS.items():
        for path in ("''", "path"):
            await store.execute(_COUNT.format(grain=grain, start=start, path=path), {})
