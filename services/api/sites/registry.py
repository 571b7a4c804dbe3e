"""The sites: kept in the store, known here, and published to Redis, where ingest reads them."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Self

import msgspec

from services.api.counter.queries import first_days
from services.http.errors import unavailable, unknown_site
from services.model.site import Site
from services.state.errors import StateError
from services.state.last_shown import ShownNumbers
from services.state.sites import PublishedSites, SiteReaders
from services.state.state import State
from services.store import sites as repository
from services.store.interface import Store, StoreError

REFRESH_SECONDS = 5.0
_POLL_SECONDS = 0.1
_NOT_LOADED = "the sites are not loaded yet"

log = logging.getLogger(__name__)


class Registry:
    """Every site by its slug. The API is the only writer of sites in the store and in Redis."""

    def __init__(self, store: Store, state: State, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._published = PublishedSites(state)
        self._shown = ShownNumbers(state)
        self._clock = clock
        self._sites: Mapping[str, Site] = {}
        self._changing = asyncio.Lock()
        self._last_version = 0
        self.loaded = False

    @property
    def known(self) -> bool:
        """Whether any site is known, from the store or from Redis."""
        return self.loaded or bool(self._sites)

    def get(self, slug: str) -> Site | None:
        """Return the site of a slug; until the sites are loaded, None may mean not yet known."""
        return self._sites.get(slug)

    def site(self, slug: str) -> Site:
        """Return the site of a slug. Raises ApiError: 404, or 503 until the sites are loaded."""
        site = self.get(slug)
        if site is None:
            self.require_loaded()
            raise unknown_site(slug)
        return site

    def require_loaded(self) -> Self:
        """Return this registry. Raises ApiError, 503, until the sites are loaded."""
        if not self.loaded:
            raise unavailable(_NOT_LOADED)
        return self

    def require_known(self) -> Self:
        """Return this registry. Raises ApiError, 503, until any site is known."""
        if not self.known:
            raise unavailable(_NOT_LOADED)
        return self

    def all(self) -> list[Site]:
        """Return every site, by slug."""
        return sorted(self._sites.values(), key=lambda site: site.slug)

    async def save(self, site: Site) -> None:
        """Create or change a site. Raises StoreError; Redis follows now or within seconds."""
        async with self._changing:
            await repository.save(self._store, site, self._version())
            self._sites = {**self._sites, site.slug: site}
            await self._publish()

    async def remove(self, slug: str) -> None:
        """Remove a site; its counters stay in the store. Raises StoreError."""
        async with self._changing:
            await repository.remove(self._store, slug, self._version())
            self._sites = {known: site for known, site in self._sites.items() if known != slug}
            await self._publish()

    async def is_counted(self, slug: str) -> bool:
        """Tell whether a site was ever counted. Raises StoreError."""
        return slug in await first_days(self._store, [slug])

    async def ingest_status(self, seconds: float = 0.0) -> SiteReaders:
        """Return how many ingest processes know the sites as they are; wait until all do.

        Waits `seconds` at most, and not at all where none runs. Raises StateError.
        """
        deadline = time.monotonic() + seconds
        while True:
            readers = await self._published.readers()
            if readers.current >= readers.running or time.monotonic() >= deadline:
                return readers
            await asyncio.sleep(_POLL_SECONDS)

    async def forget_shown(self, slug: str) -> None:
        """Let the numbers of a site go down to what the store says. Raises StateError."""
        await self._shown.reset(slug, int(self._clock() * 1000))

    async def refresh(self) -> None:
        """Load the sites again and publish them; what cannot be reached is left for next time."""
        async with self._changing:
            try:
                sites = await repository.load(self._store)
                # A site that did not change stays the same object.
                known = self._sites
                self._sites = {
                    site.slug: site if known.get(site.slug) != site else known[site.slug]
                    for site in sites
                }
                self.loaded = True
            except StoreError as error:
                log.warning("cannot load the sites, keeping %d: %s", len(self._sites), error)
            if self.loaded:
                await self._publish()

    async def recall(self) -> None:
        """Read back what was last published to Redis, while the store cannot be asked."""
        try:
            published = await self._published.read()
        except StateError as error:
            log.warning("cannot read the sites back from Redis: %s", error)
            return
        async with self._changing:
            if not self.loaded:
                sites = (_decode(slug, body) for slug, body in published.items())
                self._sites = {site.slug: site for site in sites if site is not None}

    async def keep_fresh(self) -> None:
        """Refresh for as long as this runs, so that a Redis that was wiped heals by itself."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
            except Exception:
                log.exception("cannot refresh the sites")

    def _version(self) -> int:
        self._last_version = max(self._last_version + 1, int(self._clock() * 1000))
        return self._last_version

    async def _publish(self) -> None:
        try:
            await self._published.publish(
                {slug.encode(): msgspec.json.encode(site) for slug, site in self._sites.items()}
            )
        except StateError as error:
            log.warning("cannot publish the sites to Redis: %s", error)


def _decode(slug: bytes, body: bytes) -> Site | None:
    try:
        return msgspec.json.decode(body, type=Site)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.error("what Redis holds of site %r cannot be read: %s", slug, error)
        return None
