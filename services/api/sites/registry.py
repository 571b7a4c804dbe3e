"""The sites: kept in the store, cached here, and published to Redis, where ingest reads them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Self

import msgspec

from services.api.counter.queries import first_days
from services.api.sites.index import SiteIndex
from services.http.errors import ApiError, unavailable, unknown_site
from services.model.site import Site
from services.runtime.outage import Outage
from services.state.errors import StateError
from services.state.last_shown import ShownNumbers
from services.state.sites import PublishedSites, SiteReaders
from services.state.state import State
from services.store.counts import erasures
from services.store.interface import Store, StoreError
from services.store.records import sites as repository
from services.store.records.sites import RemovedSite

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
        self._index = SiteIndex()
        self._changing = asyncio.Lock()
        self._last_version = 0
        self._load_outage = Outage(log, "cannot load the sites", "the sites are loaded")
        self._publish_outage = Outage(
            log, "cannot publish the sites to Redis", "the sites are published to Redis"
        )
        self.loaded = False

    @property
    def known(self) -> bool:
        """Whether any site is known, from the store or from Redis."""
        return self.loaded or bool(self._index.all)

    @property
    def index(self) -> SiteIndex:
        """Every site as it is now; a new object whenever something may have changed."""
        return self._index

    def get(self, slug: str) -> Site | None:
        """Return the site that has a slug, or had it before it was renamed.

        Until the sites are loaded, None may mean not yet known.
        """
        return self._index.get(slug)

    def current(self, site: Site) -> Site:
        """Return a site as it is now. Raises ApiError, 404, if it was removed meanwhile."""
        now = self._index.kept(site.kept_as)
        if now is None:
            raise unknown_site(site.slug)
        return now

    def kept(self, name: str) -> Site | None:
        """Return the site whose hits and counters have a name, see `Site.kept_as`."""
        return self._index.kept(name)

    def named(self, name: str) -> Site | None:
        """Return the site whose numbers the public sees under a slug or a host."""
        return self._index.named(name)

    def site(self, slug: str) -> Site:
        """Return the site with a slug. Raises ApiError: 404, or 503 until the sites are loaded."""
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
        return list(self._index.all)

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[Self]:
        """Be the only process to change sites.

        Inside, the sites are known as the store holds them, with what other processes changed; look
        them up there. While Redis is down, only the changes of this process wait for each other.
        Raises ApiError, 503, when the store cannot be read, or another change takes too long.
        """
        async with self._changing, self._shared_lock():
            try:
                await self._load()
                self._last_version = max(
                    self._last_version, await repository.latest_version(self._store)
                )
            except StoreError as error:
                raise unavailable(f"the store cannot be read: {error}") from error
            yield self

    async def save(self, site: Site) -> None:
        """Create or change a site, while `changing`. Raises StoreError.

        Redis follows now or within seconds, as with all changes.
        """
        await repository.save(self._store, site, self._next_version())
        self._index = SiteIndex({**self._index.by_slug, site.slug: site}.values())
        await self._publish()

    async def remove(self, slug: str, removed: Site | None = None) -> None:
        """Remove a site, while `changing`. Raises StoreError.

        Its counters stay in the store, and so do its settings if given: then it can be restored.
        """
        await repository.remove(self._store, slug, self._next_version(), removed)
        self._index = SiteIndex(site for site in self._index.all if site.slug != slug)
        await self._publish()

    async def rename(self, old: str, site: Site) -> None:
        """Give a site another slug, at once, while `changing`. Raises StoreError."""
        await repository.rename(self._store, old, site, self._next_version())
        others = (known for known in self._index.all if known.slug != old)
        self._index = SiteIndex((*others, site))
        await self._publish()

    def parts(self, site: Site) -> tuple[Site, ...]:
        """Return the sites whose numbers make up a site's: itself, and those merged into it."""
        return self._index.parts(site)

    def shown(self, site: Site) -> Site:
        """Return the site that a site is merged into, or itself."""
        return self._index.shown(site)

    def slugs(self, slugs: Iterable[str]) -> frozenset[str]:
        """Return these slugs, and all others that the same sites have or had."""
        return self._index.slugs(slugs)

    async def removed(self, slug: str) -> RemovedSite | None:
        """Return what is left of a removed site; None if there was none."""
        return await repository.removed(self._store, slug)

    async def unused_name(self, slug: str, at_ms: int) -> tuple[str, tuple[str, ...]]:
        """Return the name to keep a new site under, and those of earlier sites with its slug.

        What was counted for these stays theirs, even what is still in the log. Raises StoreError.
        """
        removed = await self.removed(slug)
        gone = {one.name for one in await erasures.load(self._store)}
        if removed is None and slug not in gone:
            return slug, ()
        before = removed.names if removed is not None else ()
        while (name := f"{slug}~{at_ms}") in gone or name in before:
            at_ms += 1
        return name, tuple(name for name in before if name not in gone)

    async def is_counted(self, site: Site) -> bool:
        """Tell whether a site was ever counted. Raises StoreError."""
        return site.kept_as in await first_days(self._store, [site.kept_as])

    async def ingest_status(self, seconds: float = 0.0) -> SiteReaders:
        """Return how many ingest processes know the current sites; wait until all do.

        Waits `seconds` at most, and not at all if none runs. Raises StateError.
        """
        deadline = time.monotonic() + seconds
        while True:
            readers = await self._published.readers()
            if readers.current >= readers.running or time.monotonic() >= deadline:
                return readers
            await asyncio.sleep(_POLL_SECONDS)

    async def forget_shown(self, site: Site) -> None:
        """Let a site's numbers drop to what the store says. Raises StateError."""
        await self._shown.reset(site.kept_as, int(self._clock() * 1000))

    async def refresh(self) -> None:
        """Load the sites again and publish them; what cannot be reached is left for next time."""
        async with self._changing:
            try:
                await self._load()
            except StoreError as error:
                self._load_outage.begins(
                    f"{error}; {len(self._index.all)} sites that are known stay"
                )
            else:
                self._load_outage.ends()
            if self.loaded:
                await self._publish_again()

    async def recall(self) -> None:
        """Read back what was last published to Redis, while the store cannot be reached."""
        try:
            published = await self._published.read()
        except StateError as error:
            log.warning("cannot read the sites back from Redis: %s", error)
            return
        async with self._changing:
            if not self.loaded:
                sites = (_decode(slug, body) for slug, body in published.items())
                self._index = SiteIndex(site for site in sites if site is not None)

    async def keep_fresh(self) -> None:
        """Refresh for as long as this runs, so that a wiped Redis is filled again."""
        while True:
            await asyncio.sleep(REFRESH_SECONDS)
            try:
                await self.refresh()
            except Exception:
                log.exception("cannot refresh the sites")

    async def _load(self) -> None:
        """Load the sites from the store. Raises StoreError."""
        known = self._index.by_slug
        # A site that did not change stays the same object.
        self._index = SiteIndex(
            site if known.get(site.slug) != site else known[site.slug]
            for site in await repository.load(self._store)
        )
        self.loaded = True

    def _next_version(self) -> int:
        self._last_version = max(self._last_version + 1, int(self._clock() * 1000))
        return self._last_version

    @asynccontextmanager
    async def _shared_lock(self) -> AsyncIterator[None]:
        """Hold the lock of all processes, unless Redis is down. Raises ApiError, 503."""
        lock = self._published.lock()
        try:
            is_mine = await lock.acquire()
        except StateError as error:
            log.warning("sites are changed without the lock of all processes: %s", error)
        else:
            if not is_mine:
                raise unavailable("another change of sites is under way")
        try:
            yield
        finally:
            with suppress(StateError):
                await lock.release()

    async def _publish_again(self) -> None:
        """Publish the sites if Redis has others, such as none after it was wiped."""
        try:
            if await self._published.read() == self._bodies():
                self._publish_outage.ends()
                return
        except StateError as error:
            self._publish_outage.begins(error)
            return
        # Another process may just have changed a site, which is not known here.
        with suppress(ApiError, StoreError):
            async with self._shared_lock():
                await self._load()
                await self._publish()

    async def _publish(self) -> None:
        try:
            await self._published.publish(self._bodies())
        except StateError as error:
            self._publish_outage.begins(error)
        else:
            self._publish_outage.ends()

    def _bodies(self) -> dict[bytes, bytes]:
        return {site.slug.encode(): msgspec.json.encode(site) for site in self._index.all}


def _decode(slug: bytes, body: bytes) -> Site | None:
    try:
        return msgspec.json.decode(body, type=Site)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        log.error("what Redis holds of site %r cannot be read: %s", slug, error)
        return None
