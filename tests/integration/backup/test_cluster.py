"""Commands on a ClickHouse cluster, with the accounts that are shipped."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from services.store.open import open_store
from tests.integration.backup.world import (
    Books,
    aggregator,
    append,
    differences,
    done,
    furnish,
    luot,
    manifest,
    public_numbers,
    refused,
    where,
)
from tests.servers.accounts import Accounts
from tests.servers.clickhouse_cluster import ClickHouseCluster
from tests.servers.redis import RedisServer


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseCluster]:
    directory = tmp_path_factory.mktemp("cluster")
    with ClickHouseCluster(directory, accounts=Accounts(directory)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


def counted(numbers: dict[str, Any]) -> dict[str, Any]:
    """Leave out `stale`, which a busy machine says of any answer that comes late."""
    return {
        name: {key: value for key, value in of_site.items() if key != "stale"}
        for name, of_site in numbers.items()
    }


async def run(url: str, sql: str) -> None:
    store = open_store(url)
    await store.execute(sql)
    await store.close()


def test_a_cluster_on_which_tables_cannot_be_made_is_told_of_at_once(
    cluster: ClickHouseCluster, redis: RedisServer
) -> None:
    at = where(cluster.url_of("luot"), redis)
    other = {**at, "LUOT_CLICKHOUSE_URL": cluster.url_of("luot").replace("=luot", "=other")}
    assert "knows no cluster 'other'; ?cluster= in" in refused("migrate", **other)

    # A shard is away as a whole, and with it the first hosts of the URL.
    for member in cluster.shards[0]:
        member.kill()
    why = refused("migrate", **at)
    assert "all servers of the cluster 'luot' have to make the tables, and 2 of 4 cannot now" in why
    assert all(
        f"127.0.0.1:{member.port} of shard 1: no connection" in why for member in cluster.shards[0]
    )

    _, second = cluster.shards[0]
    settings = second.settings
    second.settings = settings.replace("<replica>replica-0-1</replica>", "")
    cluster.start()
    why = refused("migrate", **at)
    assert f"127.0.0.1:{second.port} of shard 1 has no macro replica; see docs/" in why
    second.kill()
    second.settings = settings
    second.start()


def test_a_backup_of_a_cluster_gives_the_same_numbers_anywhere(
    cluster: ClickHouseCluster,
    redis: RedisServer,
    server_url: str,
    other_redis: RedisServer,
    tmp_path: Path,
) -> None:
    owner = where(cluster.url_of("luot"), redis)
    said = done("migrate", **owner)
    assert ".sql: 4 servers must run it, and each statement waits for all of them" in said
    assert "the schema is up to date" in done("migrate", **owner)

    books = Books(seed=7)
    with aggregator(tmp_path, cluster.url_of("aggregator"), redis):
        asyncio.run(append(redis.url, books, batches=4, size=200))

    async def rest() -> None:
        store = open_store(cluster.url_of("luot"))
        await furnish(store)
        await store.close()

    asyncio.run(rest())
    before = public_numbers(tmp_path, cluster.url_of("api"), redis)
    assert before["mytho views"]["total"] > 8_307_145
    assert asyncio.run(differences(cluster.url_of("luot"))) == []

    folder = tmp_path / "backup"
    assert "rows in" in done("backup", str(folder), **owner)
    kept = {file["name"]: file["rows"] for file in manifest(folder)["files"]}
    assert sum(rows for name, rows in kept.items() if name.startswith("hits-")) == books.hits

    alone = where(server_url, other_redis)
    assert "Restored and compared" in done("restore", str(folder), **alone)
    assert counted(public_numbers(tmp_path, server_url, other_redis)) == counted(before)
    assert "the store is not empty" in refused("restore", str(folder), **owner)
    assert "Restored and compared" in done("restore", str(folder), "--replace", "--yes", **owner)
    assert asyncio.run(differences(cluster.url_of("luot"))) == []


def test_doctor_names_a_server_that_is_away_and_commands_go_on_with_the_others(
    cluster: ClickHouseCluster, redis: RedisServer, tmp_path: Path
) -> None:
    owner = where(cluster.url_of("luot"), redis)
    code, said = luot("doctor", **owner)
    assert (
        "✓ store: shards: all 4 servers have everything that was written to their shards" in said
    ), said
    assert "✓ store: tables: all servers that answer have the same tables" in said
    other = cluster.shards[0][1]
    asyncio.run(run(other.url, "DROP TABLE titles"))
    gone = cluster.shards[1][0]
    gone.kill()
    code, said = luot("doctor", **owner)
    assert (code, "✗ store: shards: 1 of 4 servers cannot be used" in said) == (1, True), said
    assert f"127.0.0.1:{gone.port}/luot of shard 2: no connection to" in said
    assert f"127.0.0.1:{other.port} lacks titles" in said
    assert "✓ store: recount" in said
    assert "the schema is up to date" in done("migrate", **owner)
    assert "rows in" in done("backup", str(tmp_path / "without"), **owner)

    cluster.shards[1][1].kill()
    code, said = luot("doctor", **owner)
    assert (code, "✗ store: shards: 2 of 4 servers cannot be used" in said) == (1, True), said
    why = refused("backup", str(tmp_path / "nothing"), **owner)
    assert "no server of shard 2 can be used" in why
