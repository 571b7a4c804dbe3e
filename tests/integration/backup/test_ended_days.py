"""Days that were put together before a backup are put together again after its restore."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import LENGTHS, Measure
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery
from services.api.stats.periods.spans import Interval, Span
from services.api.stats.queries import coverage
from services.api.stats.readers import ending
from services.api.stats.readers.reader import StatsReader
from services.backup.folder import FolderWriter
from services.model.calendar import day_start_ms
from services.model.hit import Hit
from services.model.site import Site
from services.store.dumps import portable
from services.store.dumps.portable import Begin, End, Piece
from services.store.interface import Store
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store
from tests.integration.backup.world import PARTITIONS, done, manifest, where
from tests.integration.stats import history
from tests.servers.redis import RedisServer

SITE = Site(slug="ended", hosts=("ended.example",), timezone="UTC")
DAYS = Span(history.LAST - 2, history.LAST)
TOGETHER = ("ended_visits", "ended_pages", "ended_days")

T = TypeVar("T")


@asynccontextmanager
async def opened(store_url: str) -> AsyncIterator[Store]:
    store = open_store(store_url)
    try:
        yield store
    finally:
        await store.close()


def at(store_url: str, work: Callable[[Store], Awaitable[T]]) -> T:
    """Do something with a store in an event loop of its own."""

    async def run() -> T:
        async with opened(store_url) as store:
            return await work(store)

    return asyncio.run(run())


async def fill(store: Store) -> None:
    await store.prepare()
    await migrate(store)
    await fix_partitions(store, PARTITIONS)
    hits = [
        Hit(
            site=SITE.slug,
            path=f"/{(visitor + view) % 3}",
            at=day_start_ms(day, SITE.timezone) + 10_000 * visitor + 60_000 * view,
            day=day,
            visitor=(visitor * 2**40 + day) * (2**17 - 1),
        )
        for day in range(DAYS.first, DAYS.last + 1)
        for visitor in range(1, 20)
        for view in range(1 + visitor % 3)
    ]
    await history.flush(store, sorted(hits, key=lambda hit: hit.at))


async def answers(store: Store) -> list[Any]:
    """Ask for what is read from days that were put together, and put them together."""
    keeper = ending.VisitsKeeper(store)
    reader = StatsReader(store, keeper=keeper)
    try:
        lengths = StatsQuery(SITE, DAYS, (Measure.VISITS, *sorted(LENGTHS)))
        ends = StatsQuery(SITE, DAYS, (Measure.VISITS, Measure.VISITORS))
        pages = StatsQuery(SITE, DAYS, (Measure.PAGEVIEWS, Measure.VISITORS))
        return [
            await reader.timeseries(lengths, Interval.DATE),
            await reader.breakdown(ends, BreakdownQuery(Property.EXIT_PAGE, 50, 1)),
            await reader.breakdown(pages, BreakdownQuery(Property.PAGE, 50, 1)),
        ]
    finally:
        await keeper.finish()
        await keeper.close()
        await reader.close()


async def together(store: Store) -> list[int]:
    """Return how many rows each table has of days that were put together."""
    counts = [await store.execute(f"SELECT count() FROM {table}") for table in TOGETHER]
    return [count for ((count,),) in counts]


async def save_as_before(store: Store, folder: Path) -> None:
    """Write a backup as versions did that took along which days were put together."""
    writer = FolderWriter(folder)
    rows = await store.execute("SELECT site, toString(day), version, digest FROM ended_days")
    lines = msgspec.json.Encoder().encode_lines(rows)
    async for message in portable.dump(store):
        match message:
            case Begin():
                columns = ("site", "day", "version", "digest")
                writer.add(Piece("ended_days", "ended_days", columns, len(rows), lines))
            case Piece():
                writer.add(message)
            case End():
                writer.finish(message)


def test_a_restored_store_answers_as_the_one_that_was_backed_up(
    server_url: str, redis_server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "LEAST_VIEWS", 1)
    at(server_url, fill)
    meant = at(server_url, answers)
    assert at(server_url, answers) == meant
    assert all(at(server_url, together))
    done("backup", str(tmp_path / "backup"), **where(server_url, redis_server))
    assert not {file["table"] for file in manifest(tmp_path / "backup")["files"]} & {*TOGETHER}

    async def save(store: Store) -> None:
        await save_as_before(store, tmp_path / "older")

    at(server_url, save)
    for folder in ("backup", "older"):
        target = f"{server_url}_{folder}"
        for replace in ((), ("--replace", "--yes")):
            done(
                *("restore", str(tmp_path / folder), "--without-log", *replace),
                **where(target, redis_server),
            )
            assert at(target, together) == [0, 0, 0]
            assert at(target, answers) == meant
            # Which is when they are put together again.
            assert all(at(target, together))
            assert at(target, answers) == meant
