"""Each panel of a dashboard and all of its rows, of a year of five million raw hits of a site."""

import asyncio
import time
from collections.abc import Iterator
from datetime import date
from functools import partial
from statistics import median

import httpx

from benchmarks import rows
from benchmarks.measure import Result, exact, summary
from benchmarks.processes import cpu_seconds, forget_peak, peak
from benchmarks.stack import TOKEN, Stack, stack, stores
from services.api.stats.grammar.filters import Property
from services.api.stats.panels.breakdowns import BREAKDOWNS, ordered_by
from services.api.stats.panels.reading import ROWS
from services.model.calendar import Grain, to_day
from services.model.partition import DEFAULT_PARTITIONS
from services.model.site import Site
from services.store.counts import counters
from services.store.counts.counters import CounterKey, CounterRow
from services.store.interface import Store
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store
from services.store.records import sites
from tests.servers.services import Service

HITS = 5_000_000
DAYS = 365
RUNS = 3
DAYS_AT_ONCE = 20
QUIET_POLLS = 20
FIRST_DAY = to_day(date(2025, 1, 1))
START_MS = 1_735_664_400_000
"""Midnight of that day in Asia/Ho_Chi_Minh."""
COUNTED = "visitors,visits,pageviews"
SLOWEST = "slowest panel"
FIRST_ASKED = ("panel by exit_page", "panel of lengths and bots")
"""What needs whole visits, which are kept from then on."""
VISITS_ARE_THERE = "put the visits of"
VISITS_SECONDS = 600.0
YEAR = {"site_id": "portal", "period": "year", "date": "2025-12-31"}
FILTER = {"filters": "visit:country==VN"}

# Hits as the aggregator writes them: ordered by time, 2.5 views a visitor, a tenth bots, a few
# pages that everybody reads and many that hardly anybody does.
FILL = """
INSERT INTO hits (
    site, path, at, day, visitor, visit, bot, host, source, device, browser, os, country, position,
    idx)
SELECT
    {site} AS site,
    concat('/tin-tuc/bai-viet-so-', toString(intDiv(popular * popular, 4000000)), '.html') AS path,
    toUInt64(%(start)s + of_day * 86400000 + intDiv(place * 86400000, %(a_day)s)) AS at,
    toDate(toUInt16(%(first)s + of_day)) AS day,
    if(chance %% 50 = 0, 0, intHash64(of_day * 1000000 + chance %% %(visitors)s)) AS visitor,
    if(bot = 1 OR visitor = 0, 0, if(place < %(visitors)s, 1, 2)) AS visit,
    intHash32(number + 3) %% 10 = 0 AS bot,
    'portal.example' AS host,
    if(chance %% 3 = 0, '', concat('source-', toString(intDiv(popular, 2500)))) AS source,
    arrayElement(['desktop', 'mobile', 'mobile', 'tablet'], 1 + chance %% 4) AS device,
    arrayElement(['Chrome', 'Safari', 'Cốc Cốc', 'Edge', 'Firefox'], 1 + chance %% 5) AS browser,
    arrayElement(['Windows', 'Android', 'iOS', 'Linux'], 1 + chance %% 4) AS os,
    arrayElement(['VN', 'VN', 'VN', 'VN', 'VN', 'US', 'JP', 'FR'], 1 + chance %% 8) AS country,
    bitShiftLeft(toUInt64(%(start)s + of_day * 86400000 + intDiv(place, 50) * 1000), 20)
        AS position,
    toUInt16(place %% 50) AS idx
FROM (
    SELECT
        number,
        intDiv(number, %(a_day)s) AS of_day,
        number %% %(a_day)s AS place,
        intHash32(number) AS chance,
        intHash32(number + 7) %% 100000 AS popular
    FROM system.numbers LIMIT %(skip)s, %(count)s
)
"""
_COUNT = """
SELECT day, countIf(bot = 0), countIf(visit = 1), max(position) FROM hits FINAL GROUP BY day
"""


def measure(*, quick: bool) -> Iterator[Result]:
    """Time every panel, of a site that has all hits of the store."""
    for kind in stores():
        with stack() as running:
            yield from _measure(running, kind, HITS // (10 if quick else 1))


def _measure(running: Stack, kind: str, hits: int) -> Iterator[Result]:
    api, server, pids = running.api(kind, partial(_write, hits=hits))
    named = f"{kind}, {hits / 1e6:g} million hits"
    headers = {"Authorization": f"Bearer {TOKEN}"}
    of_store = (server or api).pid
    whose = "the server" if server else "the API"
    with httpx.Client(base_url=api.url, headers=headers, timeout=60) as client:
        for what, path, query in _panels():
            if what in FIRST_ASKED:
                first, _ = asked(client, path, query, pids, 1)
                yield exact(f"{named}: {what}, first asked", first[0], "ms")
        _wait_for_visits(api)
        for whole, questions in ((SLOWEST, _panels()), (rows.SLOWEST, rows.questions())):
            slowest = 0.0
            forget_peak(of_store)
            for what, path, query in questions:
                waited, used = asked(client, path, query, pids)
                yield summary(f"{named}: {what}", waited, unit="ms")
                yield exact(f"{named}: {what}: processor time", used, "ms")
                if what.startswith(("panel", "all rows")):
                    slowest = max(slowest, median(waited))
            yield exact(f"{named}: {whole}", slowest, "ms")
            held = peak(of_store) / 1e6
            yield exact(f"{named}: {whole}: memory of {whose} at most", held, "MB")
        what, path, query = rows.file()
        yield summary(f"{named}: {what}", asked(client, path, query, pids)[0], unit="ms")


def _wait_for_visits(api: Service) -> None:
    """Wait until the visits of the year are kept, as they are whenever somebody asks again."""
    deadline = time.monotonic() + VISITS_SECONDS
    while VISITS_ARE_THERE not in api.log.read_text():
        if time.monotonic() > deadline:
            raise RuntimeError(f"no visits were put together: {api.log.read_text()[-2000:]}")
        time.sleep(0.5)


def asked(
    client: httpx.Client, path: str, query: dict[str, str], pids: list[int], runs: int = RUNS
) -> tuple[list[float], float]:
    """Return how long each answer took, and the processor time of one, in ms.

    Raises RuntimeError where hits are missing: there would be nothing to measure.
    """
    waited, before = [], cpu_seconds(*pids)
    for _ in range(runs):
        started = time.perf_counter()
        answer = client.get(path, params=query).raise_for_status()
        waited.append((time.perf_counter() - started) * 1000)
        if b"the raw hits of" in answer.content:
            raise RuntimeError(f"{path} was not answered from all hits: {answer.text[:500]}")
    return waited, (cpu_seconds(*pids) - before) * 1000 / runs


def _panels() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield what is asked, its path and its parameters."""
    for what, route, query in _questions():
        yield what, f"/api/v1/stats/{route}", {**YEAR, **query}


def _questions() -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield first each panel as the dashboard asks for it, then other questions."""
    for filtered, more in (("", {}), (", filtered", FILTER)):
        yield f"panel of sums{filtered}", "aggregate", {"metrics": COUNTED, **more}
        line = {"metrics": "pageviews", "interval": "date", **more}
        yield f"panel of the chart{filtered}", "timeseries", line
        details = {"metrics": "bounce_rate,visit_duration,bots", **more}
        yield f"panel of lengths and bots{filtered}", "aggregate", details
        for name, by in BREAKDOWNS.items():
            part = {"metrics": ordered_by(by), "property": by, "limit": str(ROWS), **more}
            yield f"panel by {name}{filtered}", "breakdown", part
    for by in (Property.PAGE, Property.SOURCE):
        part = {"metrics": COUNTED, "property": by, "limit": "10"}
        yield f"three measures by {by.field}", "breakdown", part
    compared = {"metrics": COUNTED, "compare": "previous_period"}
    yield "sums and the year before", "aggregate", compared
    for measures in ("pageviews", COUNTED):
        months = {"metrics": measures, "interval": "month"}
        yield f"timeseries by month, {measures}", "timeseries", months


async def _write(url: str, hits: int) -> None:
    store = open_store(url)
    try:
        await store.prepare()
        await migrate(store)
        await fix_partitions(store, DEFAULT_PARTITIONS)
        await sites.save(store, Site(slug="portal", hosts=("portal.example",)), 1)
        a_day = -(-hits // DAYS)
        # Whole days: no batch is cut in two by the end of an insert.
        for first in range(0, DAYS, DAYS_AT_ONCE):
            parameters = {
                "start": START_MS,
                "first": FIRST_DAY,
                "a_day": a_day,
                "visitors": a_day * 2 // 5,
                "skip": first * a_day,
                "count": min(DAYS_AT_ONCE, DAYS - first) * a_day,
            }
            await store.execute(FILL.format(site="'portal'"), parameters)
        await _count(store)
        await settle(store)
    finally:
        await store.close()


async def settle(store: Store) -> None:
    """Wait until ClickHouse has merged what came in at once, which hits of a year never do."""
    quiet = 0
    while quiet < QUIET_POLLS:
        ((merging,),) = await store.execute("SELECT count() FROM system.merges")
        quiet = 0 if merging else quiet + 1
        await asyncio.sleep(0.1)


async def _count(store: Store) -> None:
    counted: dict[CounterKey, CounterRow] = {}
    for day, views, visits, position in await store.execute(_COUNT):
        counted["portal", Grain.DAY.value, to_day(day), ""] = (views, visits, position)
    await counters.write(store, counted)
