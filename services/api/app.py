"""The API service: ClickHouse → people."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from services import __version__
from services.api.components import Components
from services.api.counter import routes as counter_routes
from services.api.counter.response_cache import ResponseCache, ResponseCacheMiddleware
from services.api.dashboard.requests.page_request import HOME
from services.api.dashboard.requests.routing import refusal_page
from services.api.openapi import public
from services.api.routes import add_routes
from services.api.settings import ApiSettings
from services.api.sites import store_gauges
from services.api.sites.registry import Registry
from services.api.sites.shares.routes import SHARE
from services.api.stats.v1 import routes as stats
from services.api.stats.v2 import routes as stats_v2
from services.http import error_responses, errors, health, server
from services.http.edge import Edge
from services.http.redirects import without_last_slash
from services.http.request_ids import RequestIds
from services.http.request_metrics import RequestMetrics, expect
from services.http.traced import Traced
from services.metrics import announce
from services.runtime import gc_tuning, malloc_tuning, tracing
from services.runtime.outage import Outage
from services.runtime.tasks import end
from services.state.state import State
from services.store.interface import Store, StoreError, StoreUnavailableError
from services.store.migrations import fix_partitions, migrate

START_SECONDS = 3.0
"""How long the start waits for the store before it continues without it."""
FIRST_RETRY_SECONDS = 0.5
LONGEST_RETRY_SECONDS = 5.0
SHUTDOWN_SECONDS = 5

log = logging.getLogger(__name__)


class Api:
    """The service as an object: `start`, then serve `asgi`, then `stop`.

    A store or state that is passed in stays open; otherwise it is opened from the settings
    and closed again. `asgi` starts and stops the service itself where the server
    announces the application's lifespan and nobody has started it yet.
    """

    def __init__(
        self,
        settings: ApiSettings,
        *,
        store: Store | None = None,
        state: State | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._given = (store, state)
        self._clock = clock
        self._monotonic = monotonic
        self._problem: str | None = "not started"
        self._refused: str | None = None
        self._store_outage = Outage(log, "the store is not available", "the store is available")
        self._tasks: list[asyncio.Task[None]] = []
        self._running: Components | None = None
        self._opened = asyncio.Event()
        self.application = self._application()
        self.asgi: ASGIApp = Edge(
            ResponseCacheMiddleware(
                RequestIds(RequestMetrics(self.application)), self._response_cache
            ),
            settings.public_url,
            settings.public_hosts,
            private=("/api/admin", HOME, SHARE),
        )
        if tracing.tracer is not None:
            self.asgi = Traced(self.asgi)

    @property
    def problem(self) -> str | None:
        """Why the service cannot do its work, or None.

        While the store is down, its work is to serve the last good numbers.
        """
        if self._running is None or self._refused is not None:
            return self._refused or self._problem
        if self._running.registry.known:
            return None
        return self._problem or "the sites cannot be read"

    async def ready(self) -> str | None:
        """Return why the service cannot do its work, or None."""
        return self.problem

    def notes(self) -> list[str]:
        """Return since when the log or store has been silent, although the service works."""
        running = self._running
        if running is None:
            return []
        problems = (running.log_contact.problem(), running.store_contact.problem())
        return [problem for problem in problems if problem is not None]

    async def opened(self) -> None:
        """Return when the store was opened, which may be long after the start."""
        await self._opened.wait()

    async def start(self) -> None:
        """Open the stores, migrate, load the sites and publish them.

        A store that is down is retried in the background; meanwhile the last good numbers are
        served, as far as Redis has them. Raises StoreError or ValueError when the store cannot be
        used at all, so that a retry would not help.
        """
        if self._running is not None:
            return
        announce("api")
        expect(counter_routes.PATH, "GET", HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE)
        self._running = running = Components(
            self._settings, *self._given, self._clock, self._monotonic
        )
        self._tasks += map(
            asyncio.create_task,
            (
                running.counters.keep_fresh(),
                running.counters.listener.listen_forever(),
                running.counters.listener.tell_forever(),
                running.access.keep_published(),
                running.access.keep_written(),
                running.log_contact.watch_forever(),
                running.store_contact.watch_forever(),
            ),
        )
        opening = asyncio.create_task(self._open(running))
        try:
            # With a timeout: a store that hangs must not hold back the last good numbers.
            await asyncio.wait({opening}, timeout=START_SECONDS)
            if opening.done():
                opening.result()
                return
            error: StoreError = StoreUnavailableError("it does not answer")
        except StoreUnavailableError as unavailable:
            error = unavailable
        except BaseException:
            opening.cancel()
            await self.stop()
            raise
        self._problem = f"the store is not available: {error}"
        self._store_outage.begins(error)
        await running.registry.recall()
        self._tasks.append(asyncio.create_task(self._open_later(running, opening)))

    async def stop(self) -> None:
        """Stop, and close what `start` opened."""
        await end(*self._tasks)
        self._tasks.clear()
        running, self._running = self._running, None
        self._problem, self._refused = "stopped", None
        self._opened.clear()
        if running is not None:
            await running.close()

    async def _open(self, running: Components) -> None:
        for name in await migrate(running.store):
            log.info("applied migration %s", name)
        await fix_partitions(running.store, self._settings.partitions)
        await running.registry.refresh()
        self._problem = None
        self._tasks += map(
            asyncio.create_task,
            (
                running.registry.keep_fresh(),
                running.sites.erasures.keep_erased(),
                running.site_gauges.measure_forever(),
                store_gauges.measure_forever(running.store),
                running.report_sender.send_forever(),
                running.alert_watcher.watch_forever(),
                running.title_fetches.read_daily(),
            ),
        )
        self._opened.set()

    async def _open_later(self, running: Components, opening: asyncio.Task[None]) -> None:
        pause = FIRST_RETRY_SECONDS
        while True:
            try:
                await opening
            except StoreUnavailableError as error:
                self._problem = f"the store is not available: {error}"
            except Exception as error:
                refused, self._refused = self._refused, f"the store cannot be used: {error}"
                if not isinstance(error, StoreError | ValueError):
                    log.exception("the store cannot be used: %s", error)
                elif self._refused != refused:
                    log.error("%s", self._refused)
            else:
                self._refused = None
                self._store_outage.ends()
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_RETRY_SECONDS)
            if not running.registry.known:
                await running.registry.recall()
            opening = asyncio.create_task(self._open(running))

    @property
    def registry(self) -> Registry:
        """The sites, while the service runs."""
        return self._now().registry

    def _response_cache(self) -> ResponseCache | None:
        return None if self._running is None else self._running.counters.responses

    def _now(self) -> Components:
        if self._running is None:
            raise errors.unavailable(f"the service is {self._problem}")
        return self._running

    def _application(self) -> FastAPI:
        @asynccontextmanager
        async def lifespan(_: FastAPI) -> AsyncIterator[None]:
            mine = self._running is None
            if mine:
                try:
                    await self.start()
                except Exception as error:
                    expected = isinstance(error, StoreError | ValueError)
                    log.critical("the API cannot run: %s", error, exc_info=not expected)
                    raise
            yield
            if mine:
                await self.stop()

        app = FastAPI(
            title="Luot",
            description="Counts visits to web portals, and answers with the count.",
            version=__version__,
            servers=[{"url": self._settings.public_url}] if self._settings.public_url else None,
            lifespan=lifespan,
            openapi_url=None,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        app.router.default = without_last_slash(app.router)
        app.state.authenticator = lambda: self._now().access.authenticator

        async def page_of(request: Request, refusal: errors.ApiError) -> Response | None:
            return await refusal_page(
                request, lambda: self._now().dependencies(self._settings), refusal
            )

        error_responses.install(app, text_under=(stats.VERSION, stats_v2.VERSION), page_of=page_of)
        add_routes(app, self._now, self._settings, self._clock)
        app.router.routes.extend(health.routes(self.ready, self.notes))
        public.describe_public(app)
        return app


def create_app(
    settings: ApiSettings, *, store: Store | None = None, state: State | None = None
) -> ASGIApp:
    """Return the service as an ASGI application that starts and stops with the server."""
    return Api(settings, store=store, state=state).asgi


def run(settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    application = create_app(settings)
    # The numbers of many sites are many young objects, and a full collection would take 0.1 s.
    gc_tuning.tune(old=10)
    malloc_tuning.tune()
    server.run(
        server.config(
            application,
            host=settings.host,
            port=settings.listen_port,
            log_level=settings.log_level,
            shutdown_seconds=SHUTDOWN_SECONDS,
            proxies=settings.trusted_proxies,
        )
    )
