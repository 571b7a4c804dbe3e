"""The day that a backup is for: the store's disk is gone, and the numbers come back."""

import asyncio
import shutil
from pathlib import Path

from services.store.open import open_store
from tests.integration.backup.world import (
    Books,
    aggregator,
    append,
    contents,
    differences,
    done,
    furnish,
    public_numbers,
    total_views,
    where,
)
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer


def held(url: str) -> dict[str, tuple[int, str]]:
    """Return what the tables hold, but for the audit log: the backup itself is in it."""

    async def read() -> dict[str, tuple[int, str]]:
        store = open_store(url)
        try:
            found = await contents(store)
        finally:
            await store.close()
        return {name: rows for name, rows in found.items() if name != "audit"}

    return asyncio.run(read())


def test_the_disk_of_the_store_is_lost_and_every_number_is_the_same_again(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    books = Books(seed=8)
    server = ClickHouseServer(tmp_path / "clickhouse")
    at = where(server.url, redis_server)
    shelf = tmp_path / "backups"
    with server:
        with aggregator(tmp_path, server.url, redis_server):
            asyncio.run(append(redis_server.url, books, batches=3, size=300))

        async def rest() -> None:
            store = open_store(server.url)
            await furnish(store)
            await store.close()

        asyncio.run(rest())
        done("backup", "--into", str(shelf), "--keep", "7", **at)
        # People go on reading: these hits are counted, and in no backup.
        with aggregator(tmp_path, server.url, redis_server):
            asyncio.run(append(redis_server.url, books, batches=2, size=300))
        shown = public_numbers(tmp_path, server.url, redis_server)
        rows = held(server.url)
        assert asyncio.run(total_views(server.url)) == dict(books.views)

    shutil.rmtree(server.directory / "data")

    with server:
        (backup,) = shelf.glob("luot-*")
        said = done("restore", str(backup), **at)
        assert "Restored and compared" in said
        with aggregator(tmp_path, server.url, redis_server):
            pass
        # The API would show the last numbers even without a store; so the rows themselves first.
        assert held(server.url) == rows
        assert asyncio.run(total_views(server.url)) == dict(books.views)
        assert asyncio.run(differences(server.url)) == []
        assert public_numbers(tmp_path, server.url, redis_server) == shown
