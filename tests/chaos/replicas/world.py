"""The world of the other chaos runs, with three Redis and the Sentinels that watch them."""

import asyncio
from pathlib import Path

from tests.chaos.world import World
from tests.servers.replicas import Watched


class ReplicasWorld(World):
    """Two ingests, two aggregators, one API; a hit is accepted once a replica holds it."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, faults=False)
        self.watched = Watched(directory / "watched")
        self.redis = self.watched.servers[0]
        self.settings = {"LUOT_REDIS_URL": self.watched.url(), "LUOT_REDIS_REPLICAS": "1"}
        self.on_stop(self.watched.stop)

    async def start_redis(self) -> None:
        """See World."""
        await asyncio.to_thread(self.watched.start)

    async def heal(self) -> None:
        """See World."""
        await asyncio.to_thread(self._follow)
        await super().heal()

    def _follow(self) -> None:
        master = self.watched.master
        for server in self.watched.servers:
            server.thaw()
            if server is not master:
                server.wait_until_replica()
