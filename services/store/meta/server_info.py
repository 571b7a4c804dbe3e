"""Facts about a store: version, clock, disks, parts."""

from typing import NamedTuple

from services.store.interface import Row, Store, StoreError, StoreUnavailableError

_CLOCK_SECONDS = 2


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


class ServerStart(NamedTuple):
    """Identifies a run of a store's server: since when it runs, and which store it is.

    host  the host of the server, and an id that differs if the store is recreated there
    at    when the server started, in seconds since 1970 by its own clock
    up    how long it had been running when it was asked, in whole seconds
    """

    host: str
    at: int
    up: int = 0

    def is_same(self, other: "ServerStart") -> bool:
        """Tell whether it has not restarted since; the clock may be a second or two off."""
        return self.host == other.host and abs(self.at - other.at) <= _CLOCK_SECONDS


async def started(store: Store) -> ServerStart:
    """Return when the server of a migrated store started."""
    ((host, seconds, up),) = await store.execute(
        "SELECT hostName(), toUnixTimestamp(now()), uptime()"
    )
    ((made,),) = await store.execute("SELECT max(version) FROM meta WHERE name = 'partitions'")
    return ServerStart(f"{host} {made}", int(seconds) - int(up), int(up))


async def disks(store: Store) -> list[Disk]:
    """Return the disks; none if the server is too old to report them, or denies it."""
    try:
        rows = await _of_servers(store, "SELECT free_space, total_space FROM system.disks")
    except StoreError:
        return []
    return [Disk(*row) for row in rows if row[1]]


async def most_parts(store: Store) -> int:
    """Return the number of active parts of the partition that has the most."""
    rows = await _of_servers(
        store,
        "SELECT max(parts) FROM (SELECT count() AS parts FROM system.parts"
        " WHERE active AND database = currentDatabase() GROUP BY table, partition)",
    )
    return max(int(most) for (most,) in rows)


async def _of_servers(store: Store, sql: str) -> list[Row]:
    """Return the rows of all servers that answer. Raises StoreError if none does."""
    rows: list[Row] = []
    silent: StoreUnavailableError | None = None
    for server in await store.servers():
        try:
            rows += await server.execute(sql)
        except StoreUnavailableError as error:
            silent = error
    if silent is not None and not rows:
        raise silent
    return rows
