"""The world of the other chaos runs, with its store on two shards of two replicas each."""

import asyncio
import time
from pathlib import Path

from services.store.cluster import replication
from services.store.counts import drift
from services.store.drivers.clickhouse import ClickHouseStore
from services.store.interface import StoreError
from services.store.open import open_whole
from tests.chaos.world import OURS, PARTITIONS, Luot, World
from tests.patience import rounds
from tests.servers.clickhouse_cluster import ClickHouseCluster
from tests.servers.services import Service


class ShardsWorld(World):
    """Two ingests, two aggregators, one API; four servers of ClickHouse and one ZooKeeper."""

    def __init__(self, directory: Path, *, unchecked: bool = False) -> None:
        """Prepare; with `unchecked`, aggregators take any replica that answers."""
        super().__init__(directory, faults=False)
        self.cluster = ClickHouseCluster(directory / "cluster")
        self._unchecked = unchecked
        self.on_stop(self.cluster.stop)

    def add_service(self, name: str, luot: Luot = OURS) -> Service:
        """See World."""
        service = super().add_service(name, luot)
        if service.name == "aggregator":
            module = "unchecked" if self._unchecked else "forgetful"
            service.module = f"tests.chaos.shards.{module}"
        return service

    async def start_clickhouse(self) -> None:
        """See World."""
        await asyncio.to_thread(self.cluster.start)
        await self.cluster.migrate()

    def clickhouse_url(self, luot: Luot) -> str:
        """See World."""
        return self.cluster.url

    def store_url(self, luot: Luot = OURS) -> str:
        """See World."""
        return self.cluster.url

    async def heal(self) -> None:
        """See World."""
        await asyncio.to_thread(self.cluster.start)
        for member in self.cluster.members:
            host = ClickHouseStore(member.url)
            try:
                await host.execute("SYSTEM START FETCHES")
                await _until_whole(host)
            finally:
                await host.close()
        await super().heal()

    async def differing(self) -> list[str]:
        """Return what a recount finds, and which replicas of a shard hold other counters."""
        sums = (
            "SELECT count(), sum(cityHash64(site, grain, start, path, views, visits, position))"
            " FROM counters_local FINAL"
        )
        found = await self._recounted()
        for number, members in enumerate(self.cluster.shards):
            held = []
            for member in members:
                host = ClickHouseStore(member.url)
                held += await host.execute(sums)
                await host.close()
            if len(set(held)) > 1:
                found.append(f"the replicas of shard {number} differ: {held}")
        return found

    async def _recounted(self) -> list[str]:
        store = open_whole(self.cluster.url)
        try:
            first_day = int(time.time()) // 86_400 - 2
            differ = [
                *await drift.recount(store, PARTITIONS, first_day),
                *await drift.pages(store, first_day),
                *await drift.periods(store),
            ]
        finally:
            await store.close()
        return [f"a recount finds {row}" for row in differ]


async def _until_whole(host: ClickHouseStore) -> None:
    problem: str | None = ""
    for _ in rounds(0.5):
        try:
            problem = await replication.lacking(host)
        except StoreError as error:
            problem = str(error)
        if problem is None:
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"{host!r}: {problem}")
