"""Who reads traffic: strangers, signed-in users and owners each have turns of their own."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from starlette.requests import Request

from services.api.access.authenticator import authenticator
from services.api.access.principal import Principal
from services.api.stats.readers.ending import VisitsKeeper
from services.api.stats.readers.reader import LIMITS, StatsReader
from services.model.site import Site
from services.store.interface import Limits, Store


class Audience(Enum):
    """Groups of clients that share turns; one group never keeps another waiting."""

    ANYBODY = "anybody"
    SIGNED_IN = "signed in"
    OWNERS = "owners"


AUDIENCES: Mapping[Audience, Limits] = {
    # What a public dashboard shows strangers may be slow, and must not take memory from the others.
    Audience.ANYBODY: Limits(calls=1, threads=2, seconds=10, bytes=200_000_000),
    Audience.SIGNED_IN: LIMITS,
    Audience.OWNERS: LIMITS,
}


class StatsReaders:
    """The reader of traffic for each audience, each with its own connections."""

    def __init__(
        self,
        store: Store,
        limits: Mapping[Audience, Limits] = AUDIENCES,
        parts: Callable[[Site], Sequence[Site]] = lambda site: (site,),
    ) -> None:
        """`parts` returns a site and those that are merged into it."""
        self.keeper = VisitsKeeper(store)
        self._readers = {
            of: StatsReader(store, each, parts, self.keeper) for of, each in limits.items()
        }

    def of(self, who: Principal | None, request: Request) -> StatsReader:
        """Return the reader for a caller; strangers are told apart by their network."""
        if who is None:
            network = authenticator(request).clients.network(request)
            return self._readers[Audience.ANYBODY].asked_by(network)
        audience = Audience.OWNERS if who.is_owner else Audience.SIGNED_IN
        return self._readers[audience].asked_by(who.name)

    async def close(self) -> None:
        """Close the sessions."""
        await self.keeper.close()
        await asyncio.gather(*(reader.close() for reader in self._readers.values()))
