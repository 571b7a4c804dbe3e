"""Servers of ClickHouse with the files that are shipped for a cluster of two shards are one."""

import asyncio
import contextlib
import re
from pathlib import Path

import pytest

from services.store.cluster.layout import load
from services.store.drivers.clickhouse import ClickHouseStore
from services.store.interface import Store, StoreUnavailableError
from services.store.migrations import Migration, migrate
from services.store.open import open_store
from tests.patience import rounds
from tests.servers.clickhouse_cluster import NAME, ClickHouseCluster
from tests.servers.many import DEPLOY, free_ports, zookeepers

ADDRESSES = ("127.0.0.31", "127.0.0.32", "127.0.0.33")
SHIPPED = DEPLOY / "clickhouse/cluster/config.d/luot-cluster.xml"
# Of replicas that are all at one address, the names that it has.
NAMES = ("127.0.0.1", "127.1")
_CREATE = """
CREATE TABLE IF NOT EXISTS views (site String, views UInt64)
ENGINE = ReplacingMergeTree()
ORDER BY site
"""
SOME = Migration(1, "some", (_CREATE,))


def configured(text: str, cluster: ClickHouseCluster, zookeeper: int) -> str:
    """Return the shipped file with the ports of a test."""
    text = text.replace("<port>2181</port>", f"<port>{zookeeper}</port>")
    for shard, members in enumerate(cluster.shards, 1):
        for replica, member in enumerate(members, 1):
            host = f'<host from_env="SERVER_{shard}_{replica}"/>'
            assert f"{host}<port>9000</port>" in text
            text = text.replace(f"{host}<port>9000</port>", f"{host}<port>{member.port}</port>")
    return text


async def made(store: Store) -> None:
    """Make the table on all servers; each statement waits for all of them."""
    for _ in rounds(0.5):
        with contextlib.suppress(StoreUnavailableError):
            await migrate(store, [SOME])
            return
        await asyncio.sleep(0.5)
    raise AssertionError("the table could not be made")


async def test_a_row_is_on_both_replicas_of_its_shard_and_on_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = free_ports((2181, 2888, 3888))
    quorum = zookeepers(tmp_path, ports, ADDRESSES)
    cluster = ClickHouseCluster(tmp_path / "clickhouse")
    text = SHIPPED.read_text("utf-8")
    named = set(re.findall(r'from_env="(\w+)"', text))
    given = {name: "127.0.0.1" for name in named if name.startswith("SERVER_")}
    given |= {f"ZOOKEEPER_{number}": one for number, one in enumerate(ADDRESSES, 1)}
    assert given.keys() | {"SHARD", "REPLICA"} == named
    with contextlib.ExitStack() as stack:
        for server in quorum:
            stack.callback(server.kill)
            server.start()
        for _ in rounds(0.5):
            if all(server.is_ready() for server in quorum):
                break
            await asyncio.sleep(0.5)
        assert all(server.is_ready() for server in quorum)
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        for member in cluster.members:
            monkeypatch.setenv("SHARD", f"shard-{member.shard}")
            monkeypatch.setenv("REPLICA", NAMES[member.replica])
            member.settings = configured(text, cluster, ports[2181])
            stack.callback(member.kill)
            member.start()

        store = open_store(cluster.url)
        await made(store)
        layout = await load(store, NAME)
        assert layout.servers == tuple(
            tuple(("127.0.0.1", member.port) for member in members) for members in cluster.shards
        )
        sites = [f"site-{number}" for number in range(20)]
        await store.insert("views", {"site": sites, "views": [1] * 20})
        assert await store.execute("SELECT count() FROM views") == [(20,)]
        # One of three may be away.
        quorum[0].kill()
        for shard, members in enumerate(cluster.shards):
            expected = sorted(site for site in sites if layout.shard_of(site) == shard)
            assert expected
            for member in members:
                one = ClickHouseStore(member.url)
                for _ in rounds(0.2):
                    rows = await one.execute("SELECT site FROM views_local ORDER BY site")
                    if len(rows) == len(expected):
                        break
                    await asyncio.sleep(0.2)
                assert [site for (site,) in rows] == expected
                await one.close()
        await store.close()
