"""A backup that is taken while hits are counted, and what the log adds to it."""

import asyncio
import time
from pathlib import Path

import pytest

from services.model.calendar import local_day
from services.model.hit import OTHER_PATH, Hit
from services.store.counts import returned_views
from services.store.open import open_store
from services.store.records import audit
from tests.integration.backup.world import (
    ZONE,
    Books,
    aggregator,
    append,
    append_hits,
    append_until,
    contents,
    counting,
    differences,
    done,
    manifest,
    recount_log,
    refused,
    total_views,
    where,
)
from tests.servers.redis import RedisServer


def test_a_backup_under_load_is_consistent_and_the_log_adds_the_rest_exactly(
    server_url: str, embedded_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    books = Books(seed=4)
    folders = [tmp_path / f"backup-{number}" for number in range(3)]

    async def run() -> None:
        enough = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(append_until(redis_server.url, books, enough))
            for number, folder in enumerate(folders, 1):
                await counting(redis_server.url, 10 * number)
                await asyncio.to_thread(
                    done, "backup", str(folder), **where(server_url, redis_server)
                )
            enough.set()

    with aggregator(
        tmp_path, server_url, redis_server, LUOT_FLUSH_SECONDS="0.02", LUOT_FLUSH_HITS="500"
    ):
        asyncio.run(run())
    assert asyncio.run(total_views(server_url)) == dict(books.views)

    at = where(embedded_url, redis_server)
    for folder in folders:
        done("restore", str(folder), "--without-log", "--replace", "--yes", **at)
        positions = {int(name): n for name, n in manifest(folder)["positions"].items()}
        views, hits = asyncio.run(recount_log(redis_server.url, positions))
        assert 0 < hits < books.hits
        assert asyncio.run(total_views(embedded_url)) == dict(views)
        assert asyncio.run(differences(embedded_url)) == []
        files = manifest(folder)["files"]
        assert sum(file["rows"] for file in files if file["table"] == "hits") == hits

    said = done("restore", str(folders[0]), "--replace", "--yes", **at)
    assert "resumes from" in said
    # An old backup knows nothing of what came later; the same aggregator as ever brings it.
    with aggregator(tmp_path, embedded_url, redis_server):
        pass
    assert asyncio.run(total_views(embedded_url)) == dict(books.views)
    assert asyncio.run(both(server_url)) == asyncio.run(both(embedded_url))
    taken = asyncio.run(backups_of(server_url))
    assert taken == ["command line"] * len(folders)


async def backups_of(store_url: str) -> list[str]:
    """Return who took backups of a store, as its audit log has them."""
    store = open_store(store_url)
    try:
        return [entry.who for entry in await audit.newest(store, 100, action="backup")]
    finally:
        await store.close()


async def both(store_url: str) -> dict[str, tuple[int, str]]:
    """Return what must be the same in both stores: the audit log and `meta` tell of the copying."""
    store = open_store(store_url)
    try:
        found = await contents(store)
    finally:
        await store.close()
    return {name: held for name, held in found.items() if name not in ("audit", "meta", "peaks")}


@pytest.fixture
def counted(server_url: str, redis_server: RedisServer, tmp_path: Path) -> Books:
    """A store and a log with the same hits."""
    books = Books(seed=5)
    with aggregator(tmp_path, server_url, redis_server):
        asyncio.run(append(redis_server.url, books, batches=10, size=300))
    return books


def test_a_rewind_on_a_healthy_store_changes_nothing(
    counted: Books, server_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    before = asyncio.run(both(server_url))
    assert "the beginning" in done("rewind", "--yes", **where(server_url, redis_server))
    with redis_server.client() as client:
        assert client.hgetall("hits:commits:luot") == {}
    with aggregator(tmp_path, server_url, redis_server):
        pass
    assert asyncio.run(both(server_url)) == before
    assert asyncio.run(total_views(server_url)) == dict(counted.views)


def test_a_rewind_leaves_views_with_the_pages_that_have_them_back(
    server_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    now = time.time_ns() // 1_000_000
    today = local_day(now, ZONE)
    hits = [
        Hit(site="mytho", path=OTHER_PATH, own_path=path, at=now, day=today, visitor=visitor)
        for visitor, path in enumerate(("/tin", "/tin", "/bịa"))
    ]
    with aggregator(tmp_path, server_url, redis_server):
        asyncio.run(append_hits(redis_server.url, hits))

    async def give_back() -> None:
        store = open_store(server_url)
        assert await returned_views.give_back(store, "mytho", today, ["/tin"]) == {"/tin": 2}
        await store.close()

    asyncio.run(give_back())
    before = asyncio.run(both(server_url))
    done("rewind", "--yes", **where(server_url, redis_server))
    with aggregator(tmp_path, server_url, redis_server):
        pass
    assert asyncio.run(both(server_url)) == before


def test_a_rewind_brings_back_rows_that_were_lost(
    counted: Books, server_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    before = asyncio.run(both(server_url))

    async def lose() -> None:
        store = open_store(server_url)
        await store.execute("TRUNCATE TABLE counters")
        await store.execute("TRUNCATE TABLE hits")
        await store.close()

    asyncio.run(lose())
    done("rewind", "--to", "2d", "--yes", **where(server_url, redis_server))
    with aggregator(tmp_path, server_url, redis_server):
        pass
    assert asyncio.run(both(server_url)) == before


def test_a_dry_run_changes_nothing_and_says_what_would_happen(
    counted: Books, server_url: str, redis_server: RedisServer
) -> None:
    at = where(server_url, redis_server)
    with redis_server.client() as client:
        before = client.hgetall("hits:commits:luot")
        said = done("rewind", "--dry-run", **at)
        assert "entries to fold" in said
        assert client.hgetall("hits:commits:luot") == before
    assert "--to yesterday: expected a time" in refused("rewind", "--to", "yesterday", **at)
    assert "give --yes" in refused("rewind", **at)


def test_a_rewind_never_goes_forward(
    counted: Books, server_url: str, redis_server: RedisServer
) -> None:
    asyncio.run(append(redis_server.url, counted, batches=1, size=200))
    why = refused("rewind", "--to", "0s", "--yes", **where(server_url, redis_server))
    assert "would leave hits out" in why
