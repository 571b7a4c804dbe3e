"""Facts about a store: version, clock, disks, parts."""

from typing import NamedTuple

from services.store.interface import Store, StoreError


class Disk(NamedTuple):
    """A disk of the store, in bytes."""

    free: int
    total: int


async def version(store: Store) -> str:
    """Return the version of ClickHouse."""
    ((text,),) = await store.execute("SELECT version()")
    return str(text)


async def now(store: Store) -> int:
    """Return the store's clock, in seconds since 1970."""
    ((seconds,),) = await store.execute("SELECT toUnixTimestamp(now())")
    return int(seconds)


async def disks(store: Store) -> list[Disk]:
    """Return the disks; none if the server is too old to tell, or denies it."""
    try:
        rows = await store.execute("SELECT free_space, total_space FROM system.disks")
    except StoreError:
        return []
    return [Disk(*row) for row in rows if row[1]]


async def most_parts(store: Store) -> int:
    """Return the number of active parts of the partition that has the most."""
    ((most,),) = await store.execute(
        "SELECT max(parts) FROM (SELECT count() AS parts FROM system.parts"
        " WHERE active AND database = currentDatabase() GROUP BY table, partition)"
    )
    return int(most)
