"""Which servers of a cluster lack tables or columns that others have."""

from services.model.host_list import host_port
from services.store.cluster.sharded import ShardedStore
from services.store.interface import StoreError

_COLUMNS = "SELECT table, name FROM system.columns WHERE database = currentDatabase()"


async def lacking(store: ShardedStore) -> dict[str, list[str]]:
    """Return the tables, and columns as table.column, that a server lacks, by its address.

    Unreachable servers are left out. Raises StoreError if none knows the cluster.
    """
    by_server: dict[str, set[tuple[str, str]]] = {}
    for server in await store.servers():
        try:
            rows = await server.execute(_COLUMNS)
        except StoreError:
            continue
        by_server[host_port(*server.address.hosts[0])] = {(table, column) for table, column in rows}
    every = set().union(*by_server.values())
    return {
        name: _named(every - columns, {table for table, _ in columns})
        for name, columns in by_server.items()
        if every - columns
    }


def _named(gone: set[tuple[str, str]], tables: set[str]) -> list[str]:
    return sorted({f"{table}.{name}" if table in tables else table for table, name in gone})
