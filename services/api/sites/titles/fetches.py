"""Background readings of portals: one per site at a time, one after another in this process."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from http import HTTPStatus

from services.api.access.audit import Audit
from services.api.access.principal import Principal
from services.api.sites.registry import Registry
from services.api.sites.titles.named_pages import PAGES_A_RUN, NamedPages, is_host_of
from services.api.sites.titles.reading import PAUSE_SECONDS, PortalReading
from services.http.errors import ApiError, Translatable, unavailable
from services.http.fetcher import Fetcher, FetchError, Resolve
from services.model.site import Site
from services.runtime.tasks import end
from services.state.errors import StateError
from services.state.state import State
from services.state.titles_lock import titles_lock
from services.store.interface import Store, StoreError
from services.store.records import title_runs
from services.store.records.title_runs import TitleRun

RUN_SECONDS = 30 * 60.0
"""How long a reading may take; what was read until then is kept."""
MOST_WAITING = 20
"""The most readings that may wait for their turn in this process."""
TOLD_SECONDS = 5.0
"""How often a reading reports its progress."""
LOST_SECONDS = 60.0
"""A reading that reports nothing for this long has ended with its process."""
END_SECONDS = 10.0
"""How long cancelling a reading waits for its end."""
LOOK_SECONDS = 60.0
DAY_MS = 86_400_000
RUNNING, DONE, CANCELLED, FAILED, LOST = STATES = (
    "running",
    "done",
    "cancelled",
    "failed",
    "lost",
)

log = logging.getLogger(__name__)


class TitleFetches:
    """Starts readings, reports their progress, and cancels them."""

    def __init__(
        self,
        store: Store,
        state: State,
        registry: Registry,
        audit: Audit,
        private: Collection[str],
        about: str | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`private` and `about` are those of the Fetcher."""
        self._store = store
        self._state = state
        self._registry = registry
        self._audit = audit
        self._private = private
        self._about = about or ""
        self._clock = clock
        self._turn = asyncio.Semaphore(1)
        self.pause = PAUSE_SECONDS
        self.resolve: Resolve | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self, site: Site) -> TitleRun:
        """Return the last reading of a site's portal. Raises ApiError, 503."""
        try:
            run = await title_runs.run(self._store, site.kept_as)
        except StoreError as error:
            raise unavailable(f"the store cannot be read: {error}") from error
        silent = self._clock() - run.version / 1000
        if run.state == RUNNING and silent > LOST_SECONDS and site.kept_as not in self._tasks:
            return run._replace(state=LOST)
        return run

    async def begin(self, who: Principal, site: Site, pages: int = PAGES_A_RUN) -> TitleRun:
        """Start reading a portal, and fetch the titles of up to `pages` of its pages.

        Raises ApiError: 409 while it is being read, 429 when too many readings wait.
        """
        if site.kept_as in self._tasks or (await self.run(site)).state == RUNNING:
            message = Translatable(f"the portal of {site.slug} is being read", "titles.busy")
            raise ApiError(HTTPStatus.CONFLICT, {"titles": message})
        if len(self._tasks) >= MOST_WAITING:
            message = Translatable(
                "too many portals are being read; try again later", "titles.many"
            )
            raise ApiError(HTTPStatus.TOO_MANY_REQUESTS, {"titles": message}, {"Retry-After": "60"})
        async with self._audit.recorded(who, "titles.fetch", site.slug, site=site.slug):
            return await self._start(site, who.name, pages)

    async def cancel(self, who: Principal, site: Site) -> TitleRun:
        """Cancel a reading; what was read is kept. Raises ApiError, 409 if none runs.

        A reading in another process ends within seconds.
        """
        run = await self.run(site)
        task = self._tasks.get(site.kept_as)
        if task is None and run.state != RUNNING:
            message = Translatable(f"the portal of {site.slug} is not being read", "titles.idle")
            raise ApiError(HTTPStatus.CONFLICT, {"titles": message})
        async with self._audit.recorded(who, "titles.cancel", site.slug, site=site.slug):
            if task is not None:
                task.cancel()
                await asyncio.wait({task}, timeout=END_SECONDS)
                return await self.run(site)
            run = self._next(run._replace(state=CANCELLED, ended=self._now()))
            await self._save(run)
            return run

    async def read_daily(self) -> None:
        """Start the daily readings that are due, for as long as this runs."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self.begin_due()
            except (StoreError, StateError, ApiError) as error:
                log.warning("titles of portals cannot be read now: %s", error)
            except Exception:
                log.exception("titles of portals cannot be read now")

    async def begin_due(self) -> int:
        """Start the readings whose last one was a day ago; return how many.

        Raises StoreError, StateError and ApiError.
        """
        begun = 0
        for name in await title_runs.daily(self._store):
            site = self._registry.kept(name)
            if site is None or name in self._tasks or len(self._tasks) >= MOST_WAITING:
                continue
            run = await self.run(site)
            if run.state != RUNNING and run.started <= self._now() - DAY_MS:
                await self._start(site, "", PAGES_A_RUN)
                begun += 1
        return begun

    async def close(self) -> None:
        """End all readings of this process."""
        await end(*self._tasks.values())

    async def _start(self, site: Site, author: str, pages: int) -> TitleRun:
        before = await self.run(site)
        fresh = TitleRun(
            site.kept_as,
            before.version,
            RUNNING,
            author,
            self._now(),
            validators=before.validators,
        )
        run = self._next(fresh)
        await self._save(run)
        task = asyncio.create_task(self._read(site, run, pages), name=f"titles of {site.slug}")
        self._tasks[site.kept_as] = task
        task.add_done_callback(lambda _: self._tasks.pop(site.kept_as, None))
        return run

    async def _read(self, site: Site, run: TitleRun, most: int) -> None:
        """Read a portal when it is its turn, and record how that ended, whatever happens."""
        status = _RunStatus(run)
        beating = asyncio.create_task(self._beat(status, asyncio.current_task()))
        try:
            async with self._turn, titles_lock(self._state, site.kept_as) as lock:
                if lock is None:
                    # Another process has just started reading it, and reports its progress.
                    status.state = ""
                    return
                async with asyncio.timeout(RUN_SECONDS):
                    await self._read_now(site, status, most)
            status.state = DONE
        except asyncio.CancelledError:
            status.state = CANCELLED
            raise
        except TimeoutError:
            status.problem = f"more than {RUN_SECONDS / 60:.0f} minutes; what was read is kept"
        except (FetchError, StoreError, StateError) as error:
            status.problem = str(error)
            log.warning("the titles of %s were not read: %s", site.slug, error)
        except Exception:
            status.problem = "the server failed; its log says why"
            log.exception("the titles of %s were not read", site.slug)
        finally:
            await end(beating)
            if status.state:
                ended = status.run._replace(
                    state=status.state,
                    ended=self._now(),
                    problem=status.problem or status.run.problem,
                )
                with suppress(ApiError):
                    await self._save(self._next(ended))

    async def _read_now(self, site: Site, status: "_RunStatus", most: int) -> None:
        plan = await title_runs.plan(self._store, site.kept_as)

        async def progress(run: TitleRun) -> None:
            status.run = run._replace(version=status.run.version)

        fetcher = Fetcher(
            lambda host: is_host_of(site, host), self._private, self.resolve, self._about
        )
        async with fetcher:
            pages = NamedPages(self._store, site, self._clock)
            reading = PortalReading(pages, status.run, fetcher, progress, self.pause)
            try:
                await reading.read(site.hosts, plan.sitemap, most)
            finally:
                await progress(reading.run)

    async def _beat(self, status: "_RunStatus", reading: "asyncio.Task[None] | None") -> None:
        """Keep writing the progress of a reading, and end it if another process asked for that."""
        while True:
            await asyncio.sleep(TOLD_SECONDS)
            with suppress(StoreError, ApiError):
                now = await title_runs.run(self._store, status.run.site)
                if now.state == CANCELLED and now.started == status.run.started and reading:
                    reading.cancel()
                    return
                status.run = self._next(status.run._replace(version=now.version))
                await self._save(status.run)

    def _next(self, run: TitleRun) -> TitleRun:
        return run._replace(version=max(self._now(), run.version + 1))

    async def _save(self, run: TitleRun) -> None:
        try:
            await title_runs.save_run(self._store, run)
        except StoreError as error:
            raise unavailable(f"the store did not take the change: {error}") from error

    def _now(self) -> int:
        return int(self._clock() * 1000)


class _RunStatus:
    """What is reported of a reading: `state` is how it ends, '' if another process reports it."""

    def __init__(self, run: TitleRun) -> None:
        self.run = run
        self.state = FAILED
        self.problem = ""
