"""A site is made, filled and erased again and again under one name, while everything breaks."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import httpx
import msgspec

from services.model.site import Site
from services.store.counts import erasures
from services.store.open import open_store
from tests.chaos.imports import ImportLane
from tests.integration.access_log import COMPOSED
from tests.integration.imports.world import Books
from tests.patience import PATIENCE_SECONDS

_BODY = "SELECT argMax(body, version) FROM sites WHERE slug = %(slug)s"


class EraseLane(ImportLane):
    """Imports a file into a site and erases the site, in turns; both are killed, too."""

    site = "xoa-lam-lai"

    def __init__(self, api: str, seed: int) -> None:
        super().__init__(api, seed)
        self.erased = 0

    async def run(self) -> None:
        """Go on until this is cancelled."""
        while True:
            # What was imported in half goes as well.
            await self._import(kills=True)
            while not await self._erase(kills=True):
                pass
            while not await self._begin(kills=True):
                pass

    async def settle(self, store_url: str) -> list[str]:
        """Begin anew, import once, compare; erase it, and return what differs or is left."""
        problems: list[str] = []
        deadline = time.monotonic() + self.settle_seconds
        for work in (self._erase, self._begin, self._import, self._erase):
            while not await work(kills=False):
                if time.monotonic() > deadline:
                    return [*problems, f"{self.site}: {work.__name__} never ends: {self.said}"]
            if work == self._import:
                problems += await self._differences(store_url, self.books)
        # A worker that reads its log again may make rows of the first name anew: they go as well.
        nothing = Books(Counter(), Counter(), {})
        while True:
            left = await self._differences(store_url, nothing)
            if not left or time.monotonic() > deadline:
                return problems + left + await self._left(store_url)
            await asyncio.sleep(1)

    async def _begin(self, *, kills: bool) -> bool:
        """Add the site; it is there already where the answer was lost."""
        host = f"{self.site}.example"
        await self._command("site", "add", self.site, "--host", host, "--json", kills=kills)
        try:
            async with httpx.AsyncClient(timeout=10) as client:
                answer = await client.get(f"{self.api}/api/counter/{self.site}")
        except httpx.HTTPError:
            return False
        return answer.status_code == 200

    async def _erase(self, *, kills: bool) -> bool:
        done = await self._command("site", "remove", "--erase", "--yes", self.site, kills=kills)
        self.erased += done
        return done

    async def _import(self, *, kills: bool) -> bool:
        return await self._command("import", str(Path(COMPOSED)), "--site", self.site, kills=kills)

    async def _kept_as(self, store_url: str) -> str:
        store = open_store(store_url)
        try:
            ((body,),) = await store.execute(_BODY, {"slug": self.site})
        finally:
            await store.close()
        return msgspec.json.decode(body, type=Site).kept_as if body else self.site

    async def _left(self, store_url: str) -> list[str]:
        """Return the names of which anything is left, once late hits had their time to go."""
        store = open_store(store_url)
        try:
            names = [one.name for one in await erasures.load(store)]
            ends = asyncio.get_running_loop().time() + PATIENCE_SECONDS
            while held := await erasures.held(store, names):
                if asyncio.get_running_loop().time() > ends:
                    return [f"{name} is erased, and some of it is there" for name in held]
                await asyncio.sleep(0.5)
        finally:
            await store.close()
        return []
