"""A backup of one kind of store gives every public number again in the other kind."""

import asyncio
import gzip
import json
import time
from pathlib import Path

import pytest

from services.backup.folder import FolderWriter
from services.model.calendar import local_day
from services.model.hit import Hit
from services.store.dumps import portable
from services.store.dumps.portable import End, Piece
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store
from tests.integration.backup.world import (
    DAY_MS,
    PARTITIONS,
    SITES,
    ZONE,
    Books,
    aggregator,
    append,
    append_hits,
    done,
    furnish,
    manifest,
    public_numbers,
    where,
)
from tests.servers.redis import RedisServer


def fill(store_url: str, redis: RedisServer, tmp_path: Path, books: Books) -> None:
    with aggregator(tmp_path, store_url, redis):
        asyncio.run(append(redis.url, books, batches=20, size=400))

    async def rest() -> None:
        store = open_store(store_url)
        await furnish(store)
        await store.close()

    asyncio.run(rest())


@pytest.mark.parametrize("direction", ["server to embedded", "embedded to server"])
def test_every_public_number_is_the_same_in_the_other_kind_of_store(
    direction: str,
    server_url: str,
    embedded_url: str,
    redis_server: RedisServer,
    other_redis: RedisServer,
    tmp_path: Path,
) -> None:
    source, target = server_url, embedded_url
    if direction == "embedded to server":
        source, target = target, source
    books = Books(seed=1)
    fill(source, redis_server, tmp_path, books)
    before = public_numbers(tmp_path, source, redis_server)

    folder = tmp_path / "backup"
    assert "rows in" in done("backup", str(folder), **where(source, redis_server))
    said = done("restore", str(folder), **where(target, other_redis))
    assert "Restored and compared" in said

    assert public_numbers(tmp_path, target, other_redis) == before
    assert before["mytho views"]["total"] > 8_307_145
    assert before["hue visitors"]["total"] > 69_000
    assert sum(before[f"{site} visitors"]["total"] for site in SITES) > 70_000
    kept = {file["name"]: file["rows"] for file in manifest(folder)["files"]}
    assert sum(rows for name, rows in kept.items() if name.startswith("hits-")) == books.hits
    assert kept["visitors.jsonl.gz"] == 1
    assert kept["opening_balances.jsonl.gz"] == 2

    again = tmp_path / "again"
    done("backup", str(again), **where(target, other_redis))
    assert {file["name"]: file["fingerprint"] for file in manifest(again)["files"]} == {
        file["name"]: file["fingerprint"] for file in manifest(folder)["files"]
    }


def test_visitors_of_a_month_whose_raw_hits_are_only_partly_there_are_restored(
    server_url: str,
    embedded_url: str,
    redis_server: RedisServer,
    other_redis: RedisServer,
    tmp_path: Path,
) -> None:
    now = time.time_ns() // 1_000_000
    today = local_day(now, ZONE)

    def viewed(age: int, visitors: range) -> list[Hit]:
        return [
            Hit(
                site="hue",
                path="/",
                at=now - age * DAY_MS + visitor,
                day=today - age,
                visitor=visitor * 2**40 + 1,
            )
            for visitor in visitors
        ]

    # Its raw hits are not kept; then they are, and some more come.
    with aggregator(tmp_path, server_url, redis_server, LUOT_HITS_DAYS="40"):
        old = [viewed(90, range(1, 401)), viewed(91, range(1, 11)), viewed(0, range(1, 31))]
        asyncio.run(append_hits(redis_server.url, *old))
    with aggregator(tmp_path, server_url, redis_server, LUOT_HITS_DAYS="400"):
        asyncio.run(append_hits(redis_server.url, viewed(90, range(380, 410))))

    async def rest() -> None:
        store = open_store(server_url)
        await furnish(store)
        await store.close()

    asyncio.run(rest())
    before = public_numbers(tmp_path, server_url, redis_server)
    folder, again = tmp_path / "backup", tmp_path / "again"
    done("backup", str(folder), **where(server_url, redis_server))
    kept = {file["name"]: file["rows"] for file in manifest(folder)["files"]}
    # Those of today can be derived from the raw hits.
    assert kept["visitors.jsonl.gz"] == 3
    done("restore", str(folder), "--without-log", **where(embedded_url, redis_server))
    assert public_numbers(tmp_path, embedded_url, other_redis) == before
    done("backup", str(again), **where(embedded_url, redis_server))
    assert {file["name"]: file["fingerprint"] for file in manifest(again)["files"]} == {
        file["name"]: file["fingerprint"] for file in manifest(folder)["files"]
    }

    # An older version wrote no states of a month that has any raw hits.
    async def older() -> None:
        store = open_store(server_url)
        writer = FolderWriter(tmp_path / "older")
        async for message in portable.dump(store, visitors_of=[202201]):
            match message:
                case Piece():
                    writer.add(message)
                case End():
                    writer.finish(message)
        await store.close()

    asyncio.run(older())
    said = done(
        *("restore", str(tmp_path / "older"), "--without-log", "--replace", "--yes"),
        **where(embedded_url, redis_server),
    )
    assert "Restored and compared" in said


def test_visitors_of_more_than_a_hundred_months_are_restored(
    server_url: str, embedded_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    months = 130

    async def old_visitors() -> None:
        store = open_store(server_url)
        await store.prepare()
        await migrate(store)
        await fix_partitions(store, PARTITIONS)
        await store.execute(
            "INSERT INTO daily_visitors SELECT 'hue' AS site,"
            f" addMonths(toDate('2012-01-15'), toInt32(number % {months})) AS day,"
            f" uniqCombinedState(number) FROM numbers({3 * months}) GROUP BY site, day"
        )
        await store.close()

    asyncio.run(old_visitors())
    folder, again = tmp_path / "backup", tmp_path / "again"
    done("backup", str(folder), **where(server_url, redis_server))
    done("restore", str(folder), "--without-log", **where(embedded_url, redis_server))
    done("backup", str(again), **where(embedded_url, redis_server))
    before, after = (
        [file for file in manifest(path)["files"] if file["table"] == "visitors"]
        for path in (folder, again)
    )
    assert [(file["rows"], file["fingerprint"]) for file in after] == [
        (months, file["fingerprint"]) for file in before
    ]


def test_files_are_plain_enough_for_other_tools(
    embedded_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    fill(embedded_url, redis_server, tmp_path, Books(seed=2))
    folder = tmp_path / "backup"
    done("backup", str(folder), **where(embedded_url, redis_server))
    (file,) = (file for file in manifest(folder)["files"] if file["table"] == "sites")
    with gzip.open(folder / file["name"], "rt", encoding="utf-8") as rows:
        bodies = [dict(zip(file["columns"], json.loads(row), strict=True)) for row in rows]
    assert sorted(body["slug"] for body in bodies) == sorted(SITES)
