"""A cluster with one server in use, for reads and writes, in each shard.

Not through a `Distributed` table: that uses whichever replica answers, even one that lags.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import aclosing
from typing import Any, NamedTuple, TypeVar, cast

import msgspec

from services.store.cluster import layout
from services.store.cluster.layout import LayoutError, ShardLayout
from services.store.cluster.one_host import Lag, OneHostStore
from services.store.cluster.shard_replica import ShardReplica
from services.store.cluster.shards import OF_ALL_SITES, Shards
from services.store.drivers.clickhouse import ClickHouseStore
from services.store.interface import (
    Ddl,
    InsertColumn,
    Limits,
    Row,
    Store,
    StoreError,
    StoreUnavailableError,
)
from services.store.native_column import NativeColumn

T = TypeVar("T")

LagOf = Callable[[ShardLayout, int], Lag]
"""Returns a function that tells what a replica of a shard lacks."""


class ReplicaState(NamedTuple):
    """A server of a shard, counted from 0, and why it is not used; None if it could be."""

    shard: int
    server: str
    problem: str | None


class _Opened(NamedTuple):
    layout: ShardLayout
    shards: tuple[OneHostStore, ...]


class ShardedStore(Store):
    """Rows by site are read and written at one replica of each shard, chosen as by OneHostStore.

    Everything else, and statements over all shards, go to the server in use in the first shard.
    """

    is_one_server = False
    takes_native = False

    def __init__(self, entry: ClickHouseStore, lag_of: LagOf) -> None:
        """Prepare.

        entry   the hosts of the URL, from which the servers are discovered
        lag_of  what a replica must hold before it is used
        """
        if entry.address.shards is None:
            raise ValueError(f"{entry!r} names no cluster")
        self._entry = entry
        self._names: Shards = entry.address.shards
        self._lag_of = lag_of
        self._limits: Limits | None = None
        self._opening = asyncio.Lock()
        self._opened: _Opened | None = None
        self._paths: Sequence[str] = ()

    def __repr__(self) -> str:
        """Return the hosts of the URL, without the password."""
        return f"<ShardedStore {self._entry.address!r}>"

    # What servers there are

    async def _open(self) -> _Opened:
        async with self._opening:
            if self._opened is None:
                shard_layout = await layout.load(self._entry, self._names.cluster)
                shards = tuple(
                    OneHostStore(
                        list(map(self._replica, servers)),
                        self._lag(shard_layout, shard),
                        f"shard {shard + 1}",
                    )
                    for shard, servers in enumerate(shard_layout.servers)
                )
                self._opened = _Opened(shard_layout, shards)
            return self._opened

    def _replica(self, host: layout.Host) -> ShardReplica:
        whole = ClickHouseStore(msgspec.structs.replace(self._entry.address, hosts=(host,)))
        replica = ShardReplica(whole, self._names)
        return replica if self._limits is None else replica.limited(self._limits)

    def _lag(self, shard_layout: ShardLayout, shard: int) -> Lag:
        of_shard = self._lag_of(shard_layout, shard)

        async def lag(host: Store, first: bool) -> str | None:
            return await self._misplaced(host, shard_layout, shard) or await of_shard(host, first)

        return lag

    async def _misplaced(self, host: Store, shard_layout: ShardLayout, shard: int) -> str | None:
        """Return why a server is not a replica of this shard; None when it is."""
        try:
            known = await layout.load(host, self._names.cluster)
            path = await layout.path_of(host)
        except StoreError as error:
            return str(error)
        if known.weights != shard_layout.weights:
            return f"it knows shards of the weights {known.weights}, others {shard_layout.weights}"
        if self._paths and path != self._paths[shard]:
            return f"it is of the shard {path}, expected {self._paths[shard]}"
        return None

    async def fix_shards(self) -> None:
        """See Store, and layout.fix: a new store is fixed to the shards that it has.

        Raises LayoutError, or StoreUnavailableError if a shard has no reachable server.
        """
        opened = await self._open()
        paths = [await shard.call(layout.path_of) for shard in opened.shards]
        known = [path for path in paths if path is not None]
        if len(known) < len(paths) or len(set(known)) < len(known):
            raise LayoutError(
                "each shard must have a macro `shard` of its own, the same on all its replicas;"
                f" the counters of the shards are at {', '.join(map(str, paths))} in ZooKeeper"
            )
        await layout.fix(self, opened.layout, known)
        self._paths = known
        await self.verify()

    async def replicas(self) -> list[ReplicaState]:
        """Return the state of every server. Raises StoreError if none knows the cluster."""
        shards = await self.shards()
        states = await _together([shard.states() for shard in shards])
        return [
            ReplicaState(number, str(cast("ShardReplica", host).whole.address), problem)
            for number, of_shard in enumerate(states)
            for host, problem in of_shard
        ]

    async def verify(self) -> None:
        """Make sure that the server in use of each shard lacks nothing; see OneHostStore."""
        await _together([shard.verify() for shard in await self.shards()])

    async def shards(self) -> Sequence[OneHostStore]:
        """See Store."""
        return (await self._open()).shards

    async def servers(self) -> Sequence[ClickHouseStore]:
        """See Store."""
        return await self._entry.servers()

    # Statements

    async def prepare(self) -> None:
        """See Store."""
        await self._entry.prepare()

    async def check_servers(self) -> None:
        """See Store."""
        await self._entry.check_servers()

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """See Store."""
        return await self._at_first(lambda host: host.execute(sql, parameters))

    async def execute_by_site(
        self, sql: str, parameters: Mapping[str, Any] | None = None, *, keys: str = ""
    ) -> list[Row]:
        """See Store."""
        opened = await self._open()
        calls: list[Coroutine[Any, Any, list[Row]]]
        if keys and parameters is not None:
            of_shards = opened.layout.spread(parameters[keys], _site)
            calls = [
                opened.shards[shard].execute(sql, {**parameters, keys: own})
                for shard, own in of_shards.items()
            ]
        else:
            calls = [shard.execute(sql, parameters) for shard in opened.shards]
        return [row for rows in await _together(calls) for row in rows]

    async def stream(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[list[Row], None]:
        """See Store."""
        first = (await self.shards())[0]
        host = cast("ShardReplica", await first.chosen()).whole
        async with aclosing(host.stream(sql, parameters)) as blocks:
            async for block in blocks:
                yield block

    async def insert(self, table: str, columns: Mapping[str, InsertColumn]) -> None:
        """See Store. If this fails, rows by site may be on some shards, all or none on each."""
        if table in OF_ALL_SITES:
            await self._at_first(lambda host: host.insert(table, columns))
            return
        if any(isinstance(values, NativeColumn) for values in columns.values()):
            raise StoreError(f"rows of {table} cannot be spread over shards as native columns")
        opened = await self._open()
        lengths = {name: len(cast("Sequence[Any]", values)) for name, values in columns.items()}
        if "site" not in columns or len(set(lengths.values())) != 1:
            raise StoreError(f"columns of {table} have no site, or differ in length: {lengths}")
        sites = cast("Sequence[str]", columns["site"])
        rows = opened.layout.spread(range(len(sites)), sites.__getitem__)
        await _together(
            [
                opened.shards[shard].insert(
                    table, columns if len(rows) == 1 else _only(columns, of_shard)
                )
                for shard, of_shard in rows.items()
            ]
        )

    def ddl(self, statement: str) -> tuple[Ddl, ...]:
        """See Store."""
        return self._names.ddl(statement)

    async def owners(self, statement: Ddl) -> Sequence[Store]:
        """See Store."""
        return await self._entry.owners(statement) if statement.changes else (self,)

    def stored(self, table: str) -> str:
        """See Store."""
        return self._names.stored(table)

    def shown(self, stored: str) -> str:
        """See Store."""
        return self._names.shown(stored)

    def system(self, table: str) -> str:
        """See Store."""
        return self._names.system(table)

    async def clear(self, table: str) -> None:
        """See Store."""
        await self._at_first(lambda host: host.clear(table))

    def limited(self, limits: Limits) -> "ShardedStore":
        """See Store."""
        store = ShardedStore(self._entry.limited(limits), self._lag_of)
        store._limits = limits
        store._paths = self._paths
        return store

    async def close(self) -> None:
        """See Store."""
        await self._entry.close()
        if self._opened is not None:
            await asyncio.gather(*(shard.close() for shard in self._opened.shards))

    async def _at_first(self, call: Callable[[ClickHouseStore], Awaitable[T]]) -> T:
        first = (await self.shards())[0]
        return await first.call(lambda host: call(cast("ShardReplica", host).whole))


def _site(key: str | Sequence[Any]) -> str:
    return key if isinstance(key, str) else str(key[0])


def _only(columns: Mapping[str, InsertColumn], rows: Sequence[int]) -> dict[str, InsertColumn]:
    """Return columns with only these rows."""
    return {
        name: [cast("Sequence[Any]", values)[row] for row in rows]
        for name, values in columns.items()
    }


async def _together(calls: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Wait for all calls, and raise the error of one that failed: none is left running."""
    results = await asyncio.gather(*calls, return_exceptions=True)
    failures = [result for result in results if isinstance(result, BaseException)]
    # A permanent error says more than a temporary one.
    for failure in sorted(failures, key=lambda one: isinstance(one, StoreUnavailableError)):
        raise failure
    return cast("list[T]", results)
