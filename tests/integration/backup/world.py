"""Stores with a history, and everything that can be read from them."""

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import date
from pathlib import Path
from typing import Any, cast

import httpx
from redis.asyncio import Redis
from typer.testing import CliRunner

from services.cli.main import app
from services.log import keys
from services.log.batch import decode
from services.log.entries import Batcher
from services.log.open import open_log
from services.log.redis import entry_fields, entry_ids
from services.log.redis.positions import RedisPositions
from services.model.calendar import local_day, to_day
from services.model.hit import Hit
from services.model.site import Site
from services.store.counts import drift
from services.store.counts.drift import Difference
from services.store.dumps import portable
from services.store.dumps.portable import Fingerprint, Piece
from services.store.interface import Store
from services.store.open import open_store
from services.store.records import (
    alerts,
    annotations,
    report_schedules,
    share_links,
    sites,
    title_runs,
    titles,
)
from services.store.records.alerts import AlertEvent, AlertRule
from services.store.records.annotations import Annotation
from services.store.records.report_schedules import ReportSchedule, ReportSending
from services.store.records.share_links import ShareLink
from services.store.records.title_runs import TitlePlan, TitleRun
from services.store.records.titles import PageTitle
from tests.noon import zone_at_noon
from tests.servers.redis import RedisServer
from tests.servers.services import Service

ZONE = zone_at_noon()
SITES = ("mytho", "danang", "nghean", "hue", "camau")
DAY_MS = 86_400_000
PARTITIONS = 8
ROOT = Path(__file__).parents[3]


def luot(*arguments: str, **environ: str) -> tuple[int, str]:
    """Run a command as an operator does; return its exit code and all that it says."""
    if environ["LUOT_CLICKHOUSE_URL"].startswith("clickhouse:"):
        unset: dict[str, str | None] = {
            name: None for name in os.environ if name.startswith("LUOT_")
        }
        result = CliRunner().invoke(app, arguments, env={**unset, "COLUMNS": "300", **environ})
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code, result.output
    # A process can open one embedded store in its life.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LUOT_")}
    ran = subprocess.run(
        [sys.executable, "-m", "services.cli.main", *arguments],
        env={**clean, "PYTHONPATH": str(ROOT), "COLUMNS": "300", **environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert "Traceback" not in ran.stdout, ran.stdout
    return ran.returncode, ran.stdout


def done(*arguments: str, **environ: str) -> str:
    """Run a command that must succeed; return what it says."""
    code, said = luot(*arguments, **environ)
    assert code == 0, said
    return said


def refused(*arguments: str, **environ: str) -> str:
    """Run a command that must refuse; return why."""
    code, said = luot(*arguments, **environ)
    assert code == 2, said
    return " ".join(said.split())


def where(store_url: str, redis: RedisServer) -> dict[str, str]:
    return {"LUOT_CLICKHOUSE_URL": store_url, "LUOT_REDIS_URL": redis.url}


class Books:
    """Makes hits and counts them, in a few lines of plain Python."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.views: Counter[tuple[str, str]] = Counter()
        self.hits = 0

    def batch(self, size: int) -> list[Hit]:
        now = time.time_ns() // 1_000_000
        return [self._hit(now) for _ in range(size)]

    def _hit(self, now: int) -> Hit:
        choose = self.random
        # Some come late, from a spool: their day lies back, in an earlier month even.
        at = now - choose.choice((0, 0, 0, 1, 40)) * DAY_MS
        site, path = choose.choice(SITES), f"/tin-tục/{int(choose.paretovariate(0.8)) % 200}"
        bot = choose.random() < 0.05
        self.hits += 1
        if not bot:
            self.views[site, path] += 1
        return Hit(
            site=site,
            path=path,
            at=at,
            day=local_day(at, ZONE),
            visitor=choose.randrange(0, 800),
            bot=bot,
            host=f"{site}.example",
            source=choose.choice(("", "google.com")),
            country="VN",
            region=choose.choice(("VN-45", "")),
        )


async def append(redis_url: str, books: Books, batches: int, size: int) -> None:
    await append_hits(redis_url, *(books.batch(size) for _ in range(batches)))


async def append_hits(redis_url: str, *batches: list[Hit]) -> None:
    log = open_log(redis_url)
    producer, batcher = log.producer(), Batcher(PARTITIONS)
    for batch in batches:
        await producer.append(batcher.prepare(batch))
    await producer.close()
    await log.close()


async def append_until(redis_url: str, books: Books, enough: asyncio.Event) -> None:
    while not enough.is_set():
        await append(redis_url, books, batches=1, size=200)
        await asyncio.sleep(0.02)


async def folded(redis_url: str) -> None:
    """Wait until everything that is in the log was committed."""
    log = open_log(redis_url)
    async with asyncio.timeout(60):
        while True:
            parts = await log.positions.extents()
            if all(part.end <= (part.committed or 0) for part in parts):
                break
            await asyncio.sleep(0.05)
    await log.close()


async def counting(redis_url: str, entries: int) -> None:
    """Wait until so many entries were committed in some partition."""
    async with Redis.from_url(redis_url, protocol=2) as redis, asyncio.timeout(60):
        positions = RedisPositions(redis, "luot", PARTITIONS)
        while True:
            for part in await positions.extents():
                ids = cast("Sequence[Any]", await redis.xrange(keys.stream(part.partition)))
                done = [at for at, _ in ids if entry_ids.of_entry(at) < (part.committed or 0)]
                if len(done) >= entries:
                    return
            await asyncio.sleep(0.05)


@contextmanager
def aggregator(
    directory: Path, store_url: str, redis: RedisServer, **settings: str
) -> Iterator[None]:
    """Run an aggregator meanwhile; everything in the log is counted at the end."""
    service = Service(
        "aggregator", directory, **where(store_url, redis), LUOT_LEASE_SECONDS="1", **settings
    )
    try:
        service.start()
        yield
        asyncio.run(folded(redis.url))
        assert service.stop() == 0
    finally:
        service.kill()


async def furnish(store: Store) -> None:
    """Write what does not come from hits: sites, an opening balance, visitors without hits."""
    for number, slug in enumerate(SITES):
        site = Site(slug=slug, name=f"Cổng {slug}", hosts=("*",), timezone=ZONE)
        await sites.save(store, site, number + 1)
    # An id that is entered again counts as it was entered first.
    balances = [("old", "total", 0, 8_307_145, 907_035), ("old", "total", 0, 1, 1)]
    balances.append(("year", "year", to_day(date(2025, 1, 1)), 1_845_672, 1000))
    for at, (entry, grain, start, views, visits) in enumerate(balances):
        await store.insert(
            "opening_balances",
            {
                "id": [entry],
                "site": ["mytho"],
                "path": [""],
                "grain": [grain],
                "start": [start],
                "views": [views],
                "visits": [visits],
                "author": ["Nguyễn Văn A"],
                "at": [at],
                "reason": ["số liệu của bộ đếm cũ"],
            },
        )
    # What was withdrawn or removed stays so.
    for version, gone in ((1, 0), (2, 1)):
        await share_links.save(
            store, ShareLink("hue", "old", version, gone, "0f" * 32, "Sở", "admin", 1)
        )
        await annotations.save(
            store, Annotation("hue", "old", version, gone, 19_000, "Sự cố", "admin", 1)
        )
    await share_links.save(store, ShareLink("hue", "new", 1, 0, "f0" * 32, "Bộ", "admin", 1))
    await annotations.save(store, Annotation("hue", "new", 1, 0, 19_001, "Tết", "admin", 1))
    for version, title in ((1, "Tin cũ"), (2, "Tin mới")):
        await titles.save(store, [PageTitle("hue", "/tin", version, title=title)])
    await titles.save(store, [PageTitle("hue", "/khac", 1, url="https://hue.example/khac")])
    await title_runs.save_plan(store, TitlePlan("hue", 1, daily=1))
    await title_runs.save_run(store, TitleRun("hue", 1, "done", "admin", 1, 2))
    # One that was removed stays so, and what went out does not go out again.
    for version, removed in ((1, 0), (2, 1)):
        await report_schedules.save(
            store,
            ReportSchedule(
                "hue", "old", version, removed, "month", "vi", "exclude", ("a@b.example",), "lan", 1
            ),
        )
    await report_schedules.mark(store, ReportSending("hue", "old", 1, 19_000, 1))
    # Whom to tell stays, and what they were told is not told again.
    await alerts.save_rule(store, AlertRule("hue", 1, ("a@b.example",), "vi", 6, 200, 0, "lan"))
    await alerts.save_events(store, [AlertEvent("hue", "silent-1", 1, "silent", 2, 1, 2, told=3)])
    ((state,),) = await store.execute(
        "SELECT hex(CAST(uniqCombinedState(number) AS String)) FROM numbers(70000)"
    )
    await store.insert(
        "daily_visitors",
        {"site": ["hue"], "day": [19_000], "visitors": [bytes.fromhex(state)]},
    )


def public_numbers(directory: Path, store_url: str, redis: RedisServer) -> dict[str, Any]:
    """Ask an API of its own for everything that it tells anybody."""
    api = Service("api", directory, **where(store_url, redis)).start()
    found: dict[str, Any] = {}
    try:
        for site in SITES:
            for metric in ("views", "visits", "visitors"):
                query: dict[str, Any] = {
                    "metric": metric,
                    "path": [f"/tin-tục/{number}" for number in range(100)],
                }
                answer = httpx.get(f"{api.url}/api/counter/{site}", params=query)
                assert answer.status_code == 200, answer.text
                numbers = answer.json()
                for name in ("as_of", "online", "guests", "bots"):
                    del numbers[name]
                found[f"{site} {metric}"] = numbers
    finally:
        api.stop()
    return found


async def contents(store: Store) -> dict[str, tuple[int, str]]:
    """Return the rows of each table as a number and a fingerprint."""
    found: dict[str, Fingerprint] = {}
    async with aclosing(portable.dump(store)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Piece):
                found.setdefault(piece.file, Fingerprint()).add(piece.lines)
    return {name: (fingerprint.rows, str(fingerprint)) for name, fingerprint in found.items()}


async def total_views(store_url: str) -> dict[tuple[str, str], int]:
    store = open_store(store_url)
    try:
        rows = await store.execute(
            "SELECT site, path, argMax(views, position) FROM counters"
            " WHERE grain = 'total' AND path != '' GROUP BY site, path"
        )
    finally:
        await store.close()
    return {(site, path): views for site, path, views in rows}


async def differences(store_url: str) -> list[Difference]:
    """Compare all counters of all days with raw hits and with one another."""
    store = open_store(store_url)
    try:
        return [
            *await drift.recount(store, PARTITIONS, 0),
            *await drift.pages(store, 0),
            *await drift.periods(store),
        ]
    finally:
        await store.close()


async def recount_log(redis_url: str, positions: dict[int, int]) -> tuple[Counter[Any], int]:
    """Count the log up to a position a partition: views by (site, path), and all hits."""
    views: Counter[Any] = Counter()
    hits = 0
    async with Redis.from_url(redis_url, protocol=2) as redis:
        for partition in range(PARTITIONS):
            entries = cast("Sequence[Any]", await redis.xrange(keys.stream(partition)))
            for entry_id, fields in entries:
                if entry_ids.of_entry(entry_id) >= positions.get(partition, 0):
                    continue
                batch = decode(entry_fields.read(fields)[1])
                hits += len(batch)
                for site, path, bot in zip(batch.site, batch.path, batch.bot, strict=True):
                    views[site, path] += not bot
    return +views, hits


def manifest(folder: Path) -> Any:
    return json.loads((folder / "manifest.json").read_text())
