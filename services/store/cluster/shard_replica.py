"""One server of a cluster, as a store of its local rows only."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from services.store.cluster.shards import Shards
from services.store.drivers.clickhouse import ClickHouseStore
from services.store.interface import InsertColumn, Limits, Row, Store


class ShardReplica(Store):
    """Reads and writes only the local rows of tables by site; see Shards.local.

    whole  the same server as part of the cluster: it reaches the rows of all shards
    """

    def __init__(self, whole: ClickHouseStore, shards: Shards) -> None:
        self.whole = whole
        self._shards = shards

    def __repr__(self) -> str:
        """Return where the server is, without the password."""
        return repr(self.whole)

    async def prepare(self) -> None:
        """See Store."""
        await self.whole.prepare()

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """See Store."""
        return await self.whole.execute(self._shards.local(sql), parameters)

    async def stream(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[list[Row], None]:
        """See Store."""
        async with aclosing(self.whole.stream(self._shards.local(sql), parameters)) as blocks:
            async for block in blocks:
                yield block

    async def insert(self, table: str, columns: Mapping[str, InsertColumn]) -> None:
        """See Store."""
        await self.whole.insert(self._shards.stored(table), columns)

    def stored(self, table: str) -> str:
        """See Store."""
        return self._shards.stored(table)

    def shown(self, stored: str) -> str:
        """See Store."""
        return self._shards.shown(stored)

    def limited(self, limits: Limits) -> "ShardReplica":
        """See Store."""
        return ShardReplica(self.whole.limited(limits), self._shards)

    async def close(self) -> None:
        """See Store."""
        await self.whole.close()
