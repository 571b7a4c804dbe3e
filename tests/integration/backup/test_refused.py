"""What a restore refuses, before it touches anything."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.store.drivers.clickhouse import ClickHouseStore
from services.store.interface import StoreUnavailableError
from services.store.open import open_store
from tests.integration.backup.world import (
    Books,
    aggregator,
    append,
    contents,
    done,
    folded,
    luot,
    manifest,
    refused,
    where,
)
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer, free_port


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def server_url(clickhouse_server: ClickHouseServer) -> str:
    return clickhouse_server.url


@pytest.fixture(scope="module")
def original(
    server_url: str, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A backup, and the store that it was made of, which no test here may change."""
    directory = tmp_path_factory.mktemp("original")
    with aggregator(directory, server_url, redis_server):
        asyncio.run(append(redis_server.url, Books(seed=3), batches=2, size=300))
    done("backup", str(directory / "backup"), **where(server_url, redis_server))
    return directory / "backup"


@pytest.fixture
def saved(original: Path, tmp_path: Path) -> Path:
    """A copy of the backup, to be spoiled."""
    return shutil.copytree(original, tmp_path / "backup")


def change(folder: Path, **fields: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(manifest(folder) | fields))


def held(store_url: str) -> dict[str, tuple[int, str]]:
    async def read() -> dict[str, tuple[int, str]]:
        store = open_store(store_url)
        try:
            return await contents(store)
        finally:
            await store.close()

    return asyncio.run(read())


def test_a_backup_that_is_not_as_it_was_written(
    saved: Path, server_url: str, redis_server: RedisServer
) -> None:
    before = held(server_url)
    at = where(server_url, redis_server)

    def fails(*options: str) -> str:
        why = refused("restore", str(saved), "--replace", "--yes", *options, **at)
        assert held(server_url) == before
        return why

    whole = manifest(saved)
    counters = saved / "counters.jsonl.gz"
    body = counters.read_bytes()

    middle = len(body) // 2
    counters.write_bytes(body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :])
    assert "counters.jsonl.gz is damaged" in fails()
    counters.write_bytes(body[:-20])
    assert "counters.jsonl.gz is damaged" in fails()
    counters.unlink()
    assert "counters.jsonl.gz is missing" in fails()
    counters.write_bytes(body)

    files = [{**file, "rows": file["rows"] + 1} for file in whole["files"]]
    change(saved, files=files)
    assert "rows; the manifest says" in fails()
    change(saved, files=[{**file, "name": "../" + file["name"]} for file in whole["files"]])
    assert "'../" in fails()
    change(saved, files=whole["files"], partitions=16)
    assert "LUOT_PARTITIONS=8, but the backup is of 16 partitions" in fails()
    change(saved, partitions=8, schema=999)
    assert "schema 999; this Luot knows schemas up to" in fails()
    change(saved, schema=whole["schema"], format=2)
    assert "format 2; this Luot knows format 1" in fails()

    (saved / "manifest.json").write_text("{")
    assert "is not a manifest" in fails()
    (saved / "manifest.json").unlink()
    assert "or one that was not completed" in fails()


def test_a_store_with_other_numbers_in_it(
    saved: Path, server_url: str, redis_server: RedisServer
) -> None:
    before = held(server_url)
    why = refused("restore", str(saved), **where(server_url, redis_server))
    assert (
        "the store is not empty (there are rows in audit, counters, hits, peaks, daily_visitors)"
        in why
    )
    why = refused("restore", str(saved), "--replace", **where(server_url, redis_server))
    assert "give --yes" in why
    assert held(server_url) == before


def test_a_restore_while_an_aggregator_runs(
    saved: Path, server_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    at = where(server_url, redis_server)
    with aggregator(tmp_path, server_url, redis_server):
        asyncio.run(append(redis_server.url, Books(seed=6), batches=1, size=1))
        asyncio.run(folded(redis_server.url))
        before = held(server_url)
        why = refused("restore", str(saved), "--replace", "--yes", **at)
        assert "an aggregator is running" in why
        assert "an aggregator is running" in refused("rewind", "--yes", **at)
    assert held(server_url) == before


def test_a_restore_without_a_log_must_be_asked_for(saved: Path, embedded_url: str) -> None:
    at = {
        "LUOT_CLICKHOUSE_URL": embedded_url,
        "LUOT_REDIS_URL": f"redis://127.0.0.1:{free_port()}",
    }
    assert "Redis (LUOT_REDIS_URL) cannot be reached" in refused("restore", str(saved), **at)
    assert "The log was left alone" in done("restore", str(saved), "--without-log", **at)


def test_a_backup_into_a_folder_with_something_in_it(
    saved: Path, server_url: str, redis_server: RedisServer
) -> None:
    before = sorted(saved.iterdir())
    why = refused("backup", str(saved), **where(server_url, redis_server))
    assert "is not empty; expected a new or an empty folder" in why
    assert sorted(saved.iterdir()) == before


def test_a_backup_that_ended_early_is_not_a_backup(
    embedded_url: str, server_url: str, redis_server: RedisServer, tmp_path: Path
) -> None:
    gone = {**where(server_url, redis_server), "LUOT_CLICKHOUSE_URL": server_url + "_none"}
    folder = tmp_path / "backup"
    why = refused("backup", str(folder), **gone)
    assert "there is no database" in why
    assert "no manifest.json" in refused(
        "restore", str(folder), **where(embedded_url, redis_server)
    )


def test_a_restore_that_ends_while_it_empties_a_store_leaves_it_whole_or_marked(
    saved: Path, server_url: str, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = where(f"{server_url}_emptied", redis_server)
    done("restore", str(saved), "--without-log", **at)
    before = held(at["LUOT_CLICKHOUSE_URL"])
    clear, left = ClickHouseStore.clear, 0

    async def clear_some(store: ClickHouseStore, table: str) -> None:
        nonlocal left
        if not left:
            raise StoreUnavailableError("pulled the plug")
        left -= 1
        await clear(store, table)

    monkeypatch.setattr(ClickHouseStore, "clear", clear_some)
    for tables in (0, 1, 2, 6, 12, 18):
        left = tables
        why = refused("restore", str(saved), "--replace", "--yes", "--without-log", **at)
        assert "pulled the plug" in why
        _, said = luot("doctor", "--json", **at)
        (marked,) = (one for one in json.loads(said) if one["name"] == "restore")
        if marked["ok"]:
            assert held(at["LUOT_CLICKHOUSE_URL"]) == before
        assert marked["ok"] == (tables == 0)
    left = 1000
    done("restore", str(saved), "--replace", "--yes", "--without-log", **at)
    assert held(at["LUOT_CLICKHOUSE_URL"]) == before


def test_the_marker_tells_of_a_restore_that_ended_early(
    saved: Path, embedded_url: str, redis_server: RedisServer
) -> None:
    at = where(embedded_url, redis_server)
    done("restore", str(saved), **at)
    whole = manifest(saved)
    files = [{**file, "fingerprint": "0" * 16} for file in whole["files"]]
    change(saved, files=files)
    why = refused("restore", str(saved), "--replace", "--yes", **at)
    assert "are not those of the backup" in why
    change(saved, files=whole["files"])
    done("restore", str(saved), "--replace", "--yes", **at)
