"""Compares the books of the generator with raw hits, counters and public numbers of a Luot."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx

from services.model.calendar import EPOCH, Grain, period_start, to_date, to_day
from services.store.interface import Store
from services.store.open import open_store
from tests.chaos.books import PATHS, Books

SETTLE_SECONDS = 180.0
"""How long everything may take to be counted once everything is healed."""


async def settle(store_url: str, books: Books, api: str | None = None) -> list[str]:
    """Wait until every accepted hit is in the store and the counters agree with the books.

    `api` is where the public numbers are compared, too. Returns what differs when time is up.
    """
    store = open_store(store_url)
    try:
        if problems := await _agree(store, books, api):
            return problems
        # What is counted twice shows only after a while. Nothing that was counted goes away
        # again, so comparing until all agree hides nothing but an answer that was slow.
        await asyncio.sleep(3)
        return await _agree(store, books, api)
    finally:
        await store.close()


async def _agree(store: Store, books: Books, api: str | None) -> list[str]:
    """Compare until there is no difference, or time is up; return what differs then."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        problems = await _compare(store, books, api)
        if not problems or time.monotonic() > deadline:
            return problems
        await asyncio.sleep(1)


async def landed_unanswered(store_url: str, books: Books) -> int:
    """Return how many hits are in the store that were not accepted, as far as anybody knows."""
    store = open_store(store_url)
    try:
        rows = await store.execute(
            "SELECT DISTINCT source FROM hits WHERE site IN %(sites)s", {"sites": list(books.sites)}
        )
    finally:
        await store.close()
    return len({source for (source,) in rows} - books.accepted)


async def _compare(store: Store, books: Books, api: str | None) -> list[str]:
    """Return every difference between the books, the raw hits, the counters and the API."""
    of = {"sites": list(books.sites)}
    raw = await store.execute(
        "SELECT source, day, count() FROM hits FINAL WHERE site IN %(sites)s GROUP BY source, day",
        of,
    )
    problems = []
    landed = Counter({source: count for source, _, count in raw})
    if lost := books.accepted - landed.keys():
        problems.append(f"{len(lost)} accepted hits are not in the store: {sorted(lost)[:5]}")
    if doubled := [source for source, count in landed.items() if count > 1]:
        problems.append(f"{len(doubled)} hits are in the store twice: {doubled[:5]}")
    if invented := landed.keys() - books.accepted - books.unanswered:
        problems.append(f"{len(invented)} hits were never sent or refused: {sorted(invented)[:5]}")
    if problems:
        return problems
    expected_views: Counter[tuple[Any, ...]] = Counter()
    visitors: dict[str, set[int]] = {site: set() for site in books.sites}
    for source, day, _ in raw:
        site, path, visitor = books.sent[source]
        visitors[site].add(visitor)
        for grain in Grain:
            start = to_date(period_start(to_day(day), grain))
            expected_views[site, grain.value, start, path] += 1
            expected_views[site, grain.value, start, ""] += 1
    counted = await store.execute(
        "SELECT site, grain, start, path, argMax(views, position),"
        " argMax(visits, position) FROM counters WHERE site IN %(sites)s"
        " GROUP BY site, grain, start, path",
        of,
    )
    views = {tuple(key): count for *key, count, _ in counted}
    if views != dict(expected_views):
        wrong = {k: (views.get(k), expected_views.get(k)) for k in views.keys() | expected_views}
        wrong = {key: pair for key, pair in wrong.items() if pair[0] != pair[1]}
        problems.append(
            f"{len(wrong)} counters differ (counted, expected): {list(wrong.items())[:5]}"
        )
    for grain in Grain:
        for site in books.sites:
            own = sum(v for s, g, _, path, _, v in counted if (s, g, path) == (site, grain, ""))
            pages = sum(v for s, g, _, path, _, v in counted if (s, g) == (site, grain) and path)
            if not own == pages == len(visitors[site]):
                problems.append(
                    f"visits of {site} by {grain}: {own}, of its pages {pages},"
                    f" expected {len(visitors[site])}"
                )
    if problems:
        problems += await _split_visitors(store, books)
    if problems or api is None:
        return problems
    return await _compare_public(api, expected_views, visitors)


async def _split_visitors(store: Store, books: Books) -> list[str]:
    """Return when visitors had another hash than in most of their hits, by site."""
    rows = await store.execute(
        "SELECT source, visitor, at FROM hits FINAL WHERE site IN %(sites)s ORDER BY at",
        {"sites": list(books.sites)},
    )
    hashes: dict[tuple[str, int], Counter[int]] = {}
    for source, visitor, _ in rows:
        site, _, person = books.sent[source]
        hashes.setdefault((site, person), Counter())[visitor] += 1
    times: dict[str, list[int]] = {}
    for source, visitor, at in rows:
        site, _, person = books.sent[source]
        if visitor != hashes[site, person].most_common(1)[0][0]:
            times.setdefault(site, []).append(at)
    return [
        f"{len(at)} hits of {site} have another hash of their visitor, from"
        f" {datetime.fromtimestamp(at[0] / 1000, UTC):%H:%M:%S.%f} to"
        f" {datetime.fromtimestamp(at[-1] / 1000, UTC):%H:%M:%S.%f}"
        for site, at in times.items()
    ]


async def _compare_public(
    url: str, expected: Counter[tuple[Any, ...]], visitors: dict[str, set[int]]
) -> list[str]:
    problems = []
    async with httpx.AsyncClient(base_url=url, timeout=30) as api:
        for site in visitors:
            query: dict[str, Any] = {"metric": "views", "path": list(PATHS)}
            numbers = (await api.get(f"/api/counter/{site}", params=query)).json()
            total = expected[site, "total", EPOCH, ""]
            if (numbers.get("total"), numbers.get("stale")) != (total, False):
                problems.append(f"{site} shows {numbers}, expected {total}")
                continue
            for path, count in numbers["paths"].items():
                if count["views"] != expected[site, "total", EPOCH, path]:
                    problems.append(f"{site}{path} shows {count['views']}")
            visits = (await api.get(f"/api/counter/{site}", params={"metric": "visits"})).json()
            if visits.get("total") != len(visitors[site]):
                problems.append(f"{site} shows {visits} by visits")
    return problems
