"""Faults in what is kept: spools, counters, backups; and in what watches."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import httpx

from services.ingest.spool import records
from services.ingest.spool.drain import DOUBT_MS
from services.log.entries import Batcher
from services.model.calendar import local_day
from services.model.hit import Hit
from services.model.partition import DEFAULT_PARTITIONS
from services.runtime.tasks import end
from services.store.counts import counters
from services.store.counts.counters import CounterKey
from services.store.interface import Store, StoreError
from services.store.meta import last_done
from services.store.open import open_store
from tests.drill.plant import SITE, Plant
from tests.noon import zone_at_noon
from tests.servers.system import BROWSER, TOKEN

DAY_MS = 86_400_000
LONE = "lech"
"""A site that has hits once: nothing of it is written again."""
SILENT = "im-lang"
UNTOLD = "khong-bao"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def _store(plant: Plant) -> AsyncIterator[Store]:
    store = open_store(plant.clickhouse.url)
    try:
        yield store
    finally:
        await store.close()


# Spools


@asynccontextmanager
async def old_spool(plant: Plant) -> AsyncIterator[None]:
    """A machine comes back after a week, with hits in its spool that may be counted or not."""
    _leave_behind(plant.spool / "00000000000000aa", written=_now_ms() - DOUBT_MS - DAY_MS, tail=b"")
    yield


@asynccontextmanager
async def torn_spool(plant: Plant) -> AsyncIterator[None]:
    """A machine comes back after a power cut in the middle of a write."""
    _leave_behind(plant.spool / "00000000000000bb", written=_now_ms(), tail=b"\1" * 100)
    yield


def _leave_behind(folder: Path, *, written: int, tail: bytes) -> None:
    hit = Hit(site=SITE, path="/", at=written, day=written // DAY_MS, visitor=7)
    entries = Batcher(DEFAULT_PARTITIONS, folder.name).prepare([hit])
    attempted = not tail
    content = records.encode(written, entries, attempted=attempted)
    made = folder.with_name(f".{folder.name}")
    made.mkdir(parents=True)
    (made / "00000001.spool").write_bytes(records.header(DEFAULT_PARTITIONS) + content + tail)
    # All at once: ingest adopts what it finds.
    made.rename(folder)


# Numbers


async def _seen_today(plant: Plant, site: str) -> CounterKey:
    """Make a site with three views, and return the key of its day."""
    zone = zone_at_noon()
    await asyncio.to_thread(plant.add_site, site, timezone=zone)
    await plant.send(3, site=site)
    await asyncio.to_thread(plant.counter_when, site, 3, metric="views")
    return site, "day", local_day(_now_ms(), zone), ""


@asynccontextmanager
async def counters_changed(plant: Plant) -> AsyncIterator[None]:
    """Somebody adds five views to a day in ClickHouse by hand."""
    key = await _seen_today(plant, LONE)
    async with _store(plant) as store:
        ((views, visits, position),) = (await counters.load(store, [key])).values()
        await counters.write(store, {key: (views + 5, visits, position + 1)})
        yield
        await counters.write(store, {key: (views, visits, position + 2)})


@asynccontextmanager
async def changes_untold(plant: Plant) -> AsyncIterator[None]:
    """Something else than an aggregator writes counters, again and again."""
    key = await _seen_today(plant, UNTOLD)
    async with _store(plant) as store, httpx.AsyncClient(timeout=10) as client:
        ((views, visits, first),) = (await counters.load(store, [key])).values()
        position = first

        async def write() -> None:
            nonlocal position
            while True:
                position += 1
                await counters.write(store, {key: (views + position - first, visits, position)})
                await plant.read(UNTOLD, client)
                await asyncio.sleep(0.5)

        writing = asyncio.create_task(write())
        yield
        await end(writing)
        await counters.write(store, {key: (views, visits, position + 1)})


@asynccontextmanager
async def site_silent(plant: Plant) -> AsyncIterator[None]:
    """A portal with readers every day for a week and more has none."""
    # Somewhere it is early afternoon, and hours count.
    hours = 14 - datetime.now(UTC).hour
    hours += 24 if hours < -12 else -24 if hours > 14 else 0
    zone = f"Etc/GMT{-hours:+d}"
    local = timezone(timedelta(hours=hours))
    await asyncio.to_thread(plant.add_site, SILENT, timezone=zone)
    log = plant.directory / "week.log"
    now = datetime.now(local)
    log.write_text(
        "".join(
            f"203.0.113.{days} - - [{now - timedelta(days=days, hours=2):%d/%b/%Y:%H:%M:%S %z}]"
            f' "GET /tin HTTP/1.1" 200 512 "-" "{BROWSER}"\n'
            for days in range(9, -1, -1)
        )
    )
    api = {"LUOT_URL": plant.api.url, "LUOT_TOKEN": TOKEN}
    printed = await plant.luot("import", str(log), "--site", SILENT, **api)
    await asyncio.to_thread(plant.counter_when, SILENT, 10, metric="views")
    assert "10" in printed, printed
    yield
    plant.visited.append(SILENT)


# Backups


@asynccontextmanager
async def _noted(plant: Plant, values: Mapping[str, int]) -> AsyncIterator[None]:
    async with _store(plant) as store:
        before = await last_done.load(store)
        await last_done.note(store, values)
        yield
        await last_done.note(store, {name: before[name] for name in values if name in before})


@asynccontextmanager
async def never_backed_up(plant: Plant) -> AsyncIterator[None]:
    """A new installation; then somebody makes a backup."""
    yield
    printed = ""
    # Another lane may just have made ClickHouse refuse to note it, or have killed a store.
    for attempt in range(30):
        printed = await plant.luot("backup", str(plant.directory / f"backup-1-{attempt}"))
        with suppress(StoreError):
            async with _store(plant) as store:
                if last_done.BACKUP_FINISHED_MS in await last_done.load(store):
                    return
        await asyncio.sleep(2)
    raise AssertionError(printed)


@asynccontextmanager
async def backup_stopped(plant: Plant) -> AsyncIterator[None]:
    """The last backup was 27 hours ago, and the log does not reach as far."""
    async with _noted(plant, {last_done.BACKUP_FINISHED_MS: _now_ms() - 27 * 3_600_000}):
        yield
    printed = await plant.luot("backup", str(plant.directory / "backup-2"))
    assert (plant.directory / "backup-2").is_dir(), printed


@asynccontextmanager
async def never_tried(plant: Plant) -> AsyncIterator[None]:
    """The last backup that was restored to try it was restored nine days ago."""
    async with _noted(plant, {last_done.BACKUP_VERIFIED_MS: _now_ms() - 9 * DAY_MS}):
        yield
        now = {last_done.BACKUP_VERIFIED_MS: _now_ms()}
        async with _store(plant) as store:
            await last_done.note(store, now)


@asynccontextmanager
async def doctor_unhappy(plant: Plant) -> AsyncIterator[None]:
    """`luot doctor` runs while an entry of the log is dead, and again when all is well."""
    with plant.redis.client() as client:
        client.xadd("hits:dead", {"reason": "not a batch", "b": "x"})
        await plant.luot("doctor")
        yield
        client.delete("hits:dead")
    await plant.luot("doctor")


# What is outside, and what watches


@asynccontextmanager
async def web_server_killed(plant: Plant) -> AsyncIterator[None]:
    """The web server with the public address stops."""
    await asyncio.to_thread(plant.public.stop)
    yield
    await asyncio.to_thread(plant.public.start)


@asynccontextmanager
async def certificate_ends_soon(plant: Plant) -> AsyncIterator[None]:
    """The certificate has ten days left."""
    plant.public.renew(10)
    yield
    plant.public.renew(90)


@asynccontextmanager
async def certificate_ends_tomorrow(plant: Plant) -> AsyncIterator[None]:
    """The certificate has a day left."""
    plant.public.renew(1)
    yield
    plant.public.renew(90)


@asynccontextmanager
async def pages_refused(plant: Plant) -> AsyncIterator[None]:
    """The receiver of pages refuses them, and there is one to send."""
    plant.webhook.refuses.add("page")
    plant.public.renew(1)
    try:
        yield
    finally:
        plant.webhook.refuses.clear()
        plant.public.renew(90)


@asynccontextmanager
async def exporter_killed(plant: Plant) -> AsyncIterator[None]:
    """The exporter of Redis stops."""
    await asyncio.to_thread(plant.monitoring.redis_exporter.stop)
    yield
    await asyncio.to_thread(plant.monitoring.redis_exporter.start)
