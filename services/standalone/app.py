"""Starts everything in one process, in order, and stops it in reverse order."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import quote

import uvloop

from services.aggregator.app import Aggregator
from services.aggregator.settings import AggregatorSettings
from services.api.app import Api
from services.api.settings import ApiSettings
from services.embedded import data_folder
from services.embedded.errors import UpError
from services.embedded.valkey import EmbeddedValkey
from services.ingest.app import Ingest
from services.ingest.checks import RefusedError
from services.ingest.settings import IngestSettings
from services.log.open import open_log
from services.runtime import gc_tuning, log_setup, malloc_tuning, tracing
from services.standalone import demo, first_user, server
from services.standalone.demo import opening
from services.standalone.dispatch import Dispatch
from services.standalone.settings import UpSettings
from services.store.interface import Store, StoreError
from services.store.migrations import fix_partitions, migrate
from services.store.open import open_store

INTERRUPTED = 130
"""Exit code of a process ended by Ctrl-C."""

Say = Callable[[str], None]


class Standalone:
    """All of Luot: start it, wait until a part fails, stop it."""

    def __init__(
        self, settings: UpSettings, environ: Mapping[str, str] | None = None, say: Say = print
    ) -> None:
        self._settings = settings
        self._environ = os.environ if environ is None else environ
        self._say = say
        self._running = contextlib.AsyncExitStack()
        self._ends: list[asyncio.Task[Any]] = []
        self.url = ""

    async def start(self) -> None:
        """Start all parts; when this returns, hits are being taken and counted.

        Raises UpError or SettingsError; `stop` stops what was started until then.
        """
        settings = self._settings
        data = self._running.enter_context(data_folder.DataFolder(settings.data))
        listening = server.bind(settings.host, settings.listen_port)
        self._running.callback(listening.close)
        self.url = server.url_of(listening)

        self._say(f"Starting the stores in {data.path}")
        valkey = EmbeddedValkey(data.path / "valkey")
        self._running.push_async_callback(valkey.stop)
        clickhouse_url = f"chdb://{quote(str(data.path / 'clickhouse'))}"
        store = open_store(clickhouse_url)
        self._running.push_async_callback(store.close)
        async with _clear_errors(), asyncio.TaskGroup() as stores:
            stores.create_task(valkey.start())
            stores.create_task(self._prepare(store, new=data.is_new))
        token = self._admin_token(data)
        if password := await first_user.make(store):
            self._say(f"Sign in as {first_user.NAME} with the password {password} (shown once)")

        self._say("Starting ingest, aggregator and API")
        given = {
            "redis_url": valkey.url,
            "clickhouse_url": clickhouse_url,
            "country_database": settings.country_database or data.path / data_folder.PLACES,
        }
        aggregator_settings = AggregatorSettings.read(self._environ, **given)
        await _forget_leases(valkey.url, aggregator_settings)
        async with _clear_errors():
            api = await self._api(store, token, given)
            aggregator = await self._aggregator(store, aggregator_settings)
            ingest = await self._ingest({**given, "spool": data.path / "spool"})
        http = await self._serve(listening, ingest, api, aggregator)
        for end in (aggregator.failed(), _valkey_ended(valkey), _server_ended(http)):
            self._ends.append(asyncio.create_task(end))
        data.write(data_folder.URL, self.url)

    async def _prepare(self, store: Store, *, new: bool) -> None:
        await migrate(store)
        await fix_partitions(store, self._settings.partitions)
        if new:
            await opening.prepare(store, int(time.time() * 1000))

    def _admin_token(self, data: data_folder.DataFolder) -> str:
        given = self._settings.admin_token
        token = given.get_secret_value() if given else data.token()
        if data.is_new:
            self._say(f"Admin token (also in {data.path / data_folder.TOKEN}): {token}")
        data.write(data_folder.TOKEN, token)
        return token

    async def _api(self, store: Store, token: str, given: Mapping[str, Any]) -> Api:
        settings = ApiSettings.read(self._environ, **{**given, "admin_token": token})
        api = Api(settings, store=store)
        self._running.push_async_callback(api.stop)
        await api.start()
        return api

    async def _aggregator(self, store: Store, settings: AggregatorSettings) -> Aggregator:
        aggregator = Aggregator(settings, store)
        self._running.push_async_callback(aggregator.stop)
        await aggregator.start()
        return aggregator

    async def _ingest(self, given: Mapping[str, Any]) -> Ingest:
        ingest = Ingest(IngestSettings.read(self._environ, **given))
        await ingest.start()
        self._running.push_async_callback(ingest.stop)
        return ingest

    async def _serve(
        self, listening: socket.socket, ingest: Ingest, api: Api, aggregator: Aggregator
    ) -> server.HttpServer:
        app = Dispatch(
            ingest,
            api.asgi,
            {"ingest": ingest.ready, "aggregator": aggregator.ready, "api": api.ready},
            {"ingest": ingest.notes, "api": api.notes},
            self._settings,
        )
        http = server.HttpServer(
            cast("Any", app),
            listening,
            self._settings.log_level,
            self._settings.trusted_proxies,
        )
        await http.start()
        self._running.push_async_callback(http.stop)
        return http

    async def ended(self) -> None:
        """Wait until a part fails, and raise its error."""
        done, _ = await asyncio.wait(self._ends, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            try:
                await task
            except UpError:
                raise
            except Exception as error:
                raise UpError(f"the aggregator cannot continue: {error}") from error

    async def stop(self) -> None:
        """Stop what runs: first ingest, then the aggregator, last the stores."""
        for task in self._ends:
            task.cancel()
        await asyncio.gather(*self._ends, return_exceptions=True)
        await self._running.aclose()


@contextlib.asynccontextmanager
async def _clear_errors() -> Any:
    """Turn the error of a part that refuses to start into one line for the terminal."""
    try:
        yield
    except (RefusedError, StoreError, UpError) as refusal:
        raise UpError(str(refusal)) from None
    except BaseExceptionGroup as group:
        # Not except*, which before Python 3.11.4 wraps what is raised inside it.
        error: BaseException | None = group.subgroup((RefusedError, StoreError, UpError))
        if error is None:
            raise
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        raise UpError(str(error)) from None


async def _forget_leases(redis_url: str, settings: AggregatorSettings) -> None:
    """Release all partitions: only this process uses the folder, so no previous owner is alive."""
    log = open_log(redis_url, partitions=settings.partitions, group=settings.group)
    try:
        await log.positions.disown()
    finally:
        await log.close()


async def _valkey_ended(valkey: EmbeddedValkey) -> None:
    raise UpError(f"the embedded Valkey has stopped: {await valkey.wait()}")


async def _server_ended(http: server.HttpServer) -> None:
    await http.wait()
    raise UpError("the HTTP server has stopped")


def run(settings: UpSettings, say: Say = print) -> None:
    """Run until SIGINT or SIGTERM; a second one ends the process at once. Raises UpError."""
    log_setup.to_stderr(settings.log_level, "up", settings.log_format)
    try:
        tracing.begin("up")
    except tracing.TracingError as error:
        raise UpError(str(error)) from None
    malloc_tuning.tune()
    uvloop.run(_run(settings, say))


async def _run(settings: UpSettings, say: Say) -> None:
    stop_requested = asyncio.Event()

    def on_signal() -> None:
        if stop_requested.is_set():
            # Nothing that was accepted is lost: it is in the log, on disk.
            os._exit(INTERRUPTED)
        say("Stopping (press Ctrl-C again to end it at once)")
        stop_requested.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, on_signal)
    luot = Standalone(settings, say=say)
    stopping = asyncio.create_task(stop_requested.wait())
    try:
        if await _unless(stopping, luot.start()):
            gc_tuning.tune(old=10)
            say(f"Luot is ready: {luot.url}{demo.ROOT} (Ctrl-C stops it)")
            await _unless(stopping, luot.ended())
    finally:
        stopping.cancel()
        await luot.stop()


async def _unless(stopping: asyncio.Task[Any], work: Any) -> bool:
    """Return whether the work was done before a stop was requested, which cancels it."""
    task = asyncio.create_task(work)
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False
