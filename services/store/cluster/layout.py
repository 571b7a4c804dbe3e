"""Which servers a cluster has, and on which of its shards a site is."""

import time
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, groupby
from typing import Any, TypeVar

import msgspec
from clickhouse_cityhash.cityhash import CityHash64

from services.store.interface import Row, Store, StoreError

T = TypeVar("T")

Host = tuple[str, int]

NAME = "shards"
"""Name in the table `meta`. Not in backups: they may be restored to other shards."""
# In the table `meta` the highest version of a name wins, so the earliest writer has the highest.
_FIRST_WINS = 1 << 62

# Names and ports as the servers know each other.
CLUSTER = """
SELECT shard_num, shard_weight, host_name, port
FROM system.clusters
WHERE cluster = %(cluster)s
ORDER BY shard_num, replica_num
"""
_TABLE = "counters"
_PATH = """
SELECT zookeeper_path
FROM system.replicas
WHERE database = currentDatabase() AND table = %(table)s
"""


class LayoutError(StoreError):
    """The servers do not form the cluster that the rows were spread over."""


class ShardLayout(msgspec.Struct, frozen=True):
    """The shards of a cluster in order: weight and servers of each, in the order to try them."""

    weights: tuple[int, ...]
    servers: tuple[tuple[Host, ...], ...]

    def __len__(self) -> int:
        return len(self.weights)

    def shard_of(self, site: str) -> int:
        """Return the shard of a site, as a `Distributed` table by cityHash64(site) does."""
        slot = int(CityHash64(site.encode())) % sum(self.weights)
        return next(shard for shard, end in enumerate(accumulate(self.weights)) if slot < end)

    def spread(self, values: Iterable[T], site: Callable[[T], str]) -> dict[int, list[T]]:
        """Return the values for the sites of each shard that has any, in order."""
        shards: dict[str, int] = {}
        of_shards: dict[int, list[T]] = {}
        for value in values:
            name = site(value)
            shard = shards.get(name)
            if shard is None:
                shard = shards[name] = self.shard_of(name)
            of_shards.setdefault(shard, []).append(value)
        return of_shards


async def load(store: Store, cluster: str) -> ShardLayout:
    """Return the layout as a server knows it. Raises LayoutError if it knows none."""
    return of_rows(await store.execute(CLUSTER, {"cluster": cluster}), store, cluster)


def of_rows(rows: Sequence[Row], store: Store, cluster: str) -> ShardLayout:
    """Return the layout from the result of CLUSTER. Raises LayoutError if it is empty."""
    if not rows:
        raise LayoutError(
            f"{store!r} knows no cluster {cluster!r}; ?cluster= in LUOT_CLICKHOUSE_URL is the name"
            " that its `remote_servers` has"
        )
    shards = [list(of_shard) for _, of_shard in groupby(rows, key=lambda row: row[0])]
    return ShardLayout(
        tuple(int(rows[0][1]) for rows in shards),
        tuple(tuple((name, int(port)) for _, _, name, port in rows) for rows in shards),
    )


async def path_of(host: Store) -> str | None:
    """Return the ZooKeeper path of the counters of a server's shard; None if it has none."""
    rows = await host.execute(_PATH, {"table": host.stored(_TABLE)})
    return str(rows[0][0]) if rows else None


async def fix(store: Store, layout: ShardLayout, paths: Sequence[str]) -> None:
    """Fix shards and their order to those that the store was first filled with.

    paths  ZooKeeper path of the counters of each shard

    Raises LayoutError if they differ: sites would be looked up where they are not.
    """
    present = [list(pair) for pair in zip(paths, layout.weights, strict=True)]
    fixed = await fixed_shards(store)
    if fixed is None:
        version = _FIRST_WINS - time.time_ns()
        value = msgspec.json.encode(present).decode()
        await store.insert("meta", {"name": [NAME], "version": [version], "value": [value]})
        fixed = await fixed_shards(store) or present
    if fixed != present:
        raise LayoutError(
            f"the rows were spread over the shards {_names(fixed)}, and the cluster has"
            f" {_names(present)}; give every server the shards of before, in the same order, or"
            " restore a backup into a new cluster"
        )


async def fixed_shards(store: Store) -> list[list[Any]] | None:
    """Return path and weight of each shard that rows were spread over; None for a new store."""
    rows = await store.execute(
        "SELECT argMax(value, version) FROM meta WHERE name = %(name)s HAVING count() > 0",
        {"name": NAME},
    )
    return list(msgspec.json.decode(rows[0][0])) if rows else None


def _names(shards: Sequence[Sequence[Any]]) -> str:
    return ", ".join(f"{path} (weight {weight})" for path, weight in shards)
