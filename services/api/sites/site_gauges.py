"""Measures sites periodically, all of them with the same few statements."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping

from services.api import metrics
from services.api.counter.online import OnlineReader
from services.api.counter.routes import Counters
from services.api.settings import ApiSettings
from services.api.sites.last_views import LastViews
from services.api.sites.registry import Registry
from services.api.sites.silence import Silence
from services.log.errors import LogError
from services.log.interface import Log
from services.model.calendar import Grain, period_start
from services.model.site import Site
from services.state.state import State
from services.store.counts import counters as rows
from services.store.counts.counters import CounterKey
from services.store.interface import Store, StoreError

FIRST_SECONDS = 2.0
"""The delay before the first measurement, so as not to slow down the start."""
PERIOD_SECONDS = 15.0
CHOOSE_SECONDS = 600.0
"""How often to choose again which sites have metrics, when there are too many for all."""
_WHOLE_SITE = ""

log = logging.getLogger(__name__)


class SiteGauges:
    """Sets the metrics of a bounded number of sites, and tells which of all fell silent."""

    def __init__(
        self,
        settings: ApiSettings,
        registry: Registry,
        counters: Counters,
        store: Store,
        state: State,
        hits: Log,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = settings.site_metrics
        self._registry = registry
        self._counters = counters
        self._store = store
        # A separate one: measuring must not affect what pages are served from.
        self._online = OnlineReader(state, clock, monotonic)
        self._last_views = LastViews(store, hits, monotonic)
        self._clock = clock
        self._monotonic = monotonic
        self._silence = Silence(
            store, lambda _: settings.silent_seconds * 1000, clock, registry.parts
        )
        self._silent: frozenset[str] = frozenset()
        self._chosen: frozenset[str] = frozenset()
        self._chosen_at = 0.0
        self._last_ms: dict[str, float] = {}
        self._silent_since: dict[str, int] = {}

    def silent_since(self) -> dict[str, int]:
        """Return when each site that fell silent had its last view, in ms, by `kept_as`."""
        return self._silent_since

    async def measure_forever(self) -> None:
        """Measure for as long as this runs; what cannot be read keeps its last value."""
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            try:
                await self.measure()
            except (StoreError, LogError) as error:
                log.debug("the sites cannot be measured: %s", error)
            except Exception:
                log.exception("the sites cannot be measured")
            await asyncio.sleep(PERIOD_SECONDS)

    async def close(self) -> None:
        """Abandon the reads under way."""
        await self._online.close()

    async def measure(self) -> None:
        """Set the metrics. Raises StoreError or LogError after setting what can be set."""
        sites = self._registry.all()
        try:
            parts = {
                site.kept_as: [part.kept_as for part in self._registry.parts(site)]
                for site in sites
            }
            self._last_ms = await self._last_views.of(parts)
        finally:
            if self._limit:
                await self._show(await self._choose(sites), self._last_ms)
        silent = await self._silence.among(sites, self._last_ms)
        self._silent_since = {site.kept_as: int(self._last_ms[site.kept_as]) for site in silent}
        self._tell(silent)

    async def _choose(self, sites: list[Site]) -> list[Site]:
        """Return the sites with the most views this month, at most as many as may have metrics."""
        if len(sites) <= self._limit:
            return sites
        now = self._monotonic()
        if not self._chosen or now - self._chosen_at >= CHOOSE_SECONDS:
            views = await self._views_this_month(sites)
            most = sorted(sites, key=lambda site: (-views.get(site.kept_as, 0), site.slug))
            self._chosen = frozenset(site.kept_as for site in most[: self._limit])
            self._chosen_at = now
        return [site for site in sites if site.kept_as in self._chosen]

    async def _views_this_month(self, sites: Iterable[Site]) -> dict[str, int]:
        now_ms = int(self._clock() * 1000)
        months: list[CounterKey] = [
            (
                site.kept_as,
                Grain.MONTH.value,
                period_start(site.day_of(now_ms), Grain.MONTH),
                _WHOLE_SITE,
            )
            for site in sites
        ]
        counts = await rows.load(self._store, months)
        return {slug: views for (slug, *_), (views, _, _) in counts.items()}

    async def _show(self, sites: list[Site], last_ms: Mapping[str, float]) -> None:
        views = await self._counters.views_of(sites) if sites else {}
        online = await self._online.now([site.kept_as for site in sites])
        # From here on without awaiting: a scrape sees all or nothing of it.
        for gauge in (metrics.SITE_ONLINE, metrics.SITE_VIEWS, metrics.SITE_LAST_HIT):
            gauge.clear()
        for site in sites:
            if (at_ms := last_ms.get(site.kept_as)) is not None:
                metrics.SITE_LAST_HIT.labels(site.slug).set(at_ms / 1000)
            if online[site.kept_as].is_current:
                metrics.SITE_ONLINE.labels(site.slug).set(online[site.kept_as].visitors)
            for period, count in views[site.kept_as].items():
                metrics.SITE_VIEWS.labels(site.slug, period).set(count)

    def _tell(self, silent: Iterable[Site]) -> None:
        slugs = frozenset(site.slug for site in silent)
        for slug in sorted(slugs - self._silent):
            log.warning("the site %s, which had views every day, has none now", slug)
        for slug in sorted(self._silent - slugs):
            log.info("the site %s is silent no longer", slug)
        self._silent = slugs
        metrics.SILENT_SITES.set(len(slugs))
