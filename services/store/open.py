"""Opens the store at a URL."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from services.store.interface import Store, StoreError

if TYPE_CHECKING:
    from services.store.cluster.sharded import LagOf, ShardedStore

EXPECTED = "expected clickhouse://user:password@host:9000/luot or chdb:///path"


def open_store(url: str, *, answer_seconds: float | None = None) -> Store:
    """Return the store of a URL; it connects with its first call.

    A call whose server is silent for `answer_seconds` (a minute) fails as unavailable; inserts
    are silent until done, reads report progress.

    Raises ValueError for a URL that names none, without the password that may be in it.
    """
    match url.partition(":")[0].lower():
        case "clickhouse" | "clickhouses":
            from services.store.drivers.clickhouse import ClickHouseStore

            return ClickHouseStore(url, answer_seconds=answer_seconds)
        case "chdb":
            from services.store.drivers.chdb import ChdbStore

            parts = urlsplit(url)
            if parts.netloc or not parts.path.strip("/"):
                raise ValueError(f"{url!r} names no absolute path; expected chdb:///path")
            return ChdbStore(Path(unquote(parts.path)))
        case scheme:
            raise ValueError(f"{scheme!r} is not the scheme of a store; {EXPECTED}")


def has_several_hosts(url: str) -> bool:
    """Tell whether there is more than one host, so that one may lag behind another."""
    if not url.lower().startswith("clickhouse"):
        return False
    from services.store.drivers.address import Address

    address = Address.parse(url)
    return len(address.hosts) > 1 or bool(address.cluster)


def cluster_of(url: str) -> str:
    """Return the name of the cluster that a URL names; '' if it names none."""
    if not url.lower().startswith("clickhouse"):
        return ""
    from services.store.drivers.address import Address

    return Address.parse(url).cluster


def open_sharded(url: str, lag_of: "LagOf") -> "ShardedStore":
    """Return the cluster of a URL, using one server of each shard.

    lag_of  what a replica of a shard must hold

    Raises ValueError for a URL that names none.
    """
    from services.store.cluster.sharded import ShardedStore
    from services.store.drivers.clickhouse import ClickHouseStore

    return ShardedStore(ClickHouseStore(url), lag_of)


def open_whole(url: str) -> Store:
    """Return the store of a URL for reading all of it, as for a backup.

    On a cluster it reads, from each shard, only a replica that lacks nothing: reading through
    `Distributed` tables may hit one that lags. Raises ValueError; see `open_store`.
    """
    if not cluster_of(url):
        return open_store(url)
    from services.store.cluster.replication import lacking

    async def lag(host: Store, _: bool) -> str | None:
        try:
            return await lacking(host)
        except StoreError as error:
            return str(error)

    return open_sharded(url, lambda _layout, _shard: lag)


def open_hosts(url: str) -> list[Store]:
    """Return a store for each host that a URL names. Raises ValueError."""
    store = open_store(url)
    from services.store.drivers.clickhouse import ClickHouseStore

    return list(store.by_host()) if isinstance(store, ClickHouseStore) else [store]
