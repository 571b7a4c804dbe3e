"""Takes hits into the log: everything of ingest but HTTP."""

import asyncio
import logging
from contextlib import suppress

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from services.ingest import agents, metrics
from services.ingest.address import Addresses
from services.ingest.checks import RefusedError, check_redis
from services.ingest.clock import Clock
from services.ingest.commit import GroupCommit, UnavailableError
from services.ingest.country import Countries
from services.ingest.days import Days
from services.ingest.distinct import DistinctPaths
from services.ingest.drops import DropReason
from services.ingest.pipeline import Draft, Parts, process
from services.ingest.rates import Rates
from services.ingest.registry import Registry
from services.ingest.settings import IngestSettings
from services.ingest.visitors import Salts
from services.log import keys
from services.log.writer import LogWriter

_log = logging.getLogger(__name__)

TEND_SECONDS = 2.0
"""How old the copy of the sites may be, and how long a fault of Redis goes unnoticed."""
_REDIS_SECONDS = 2.0


class Intake:
    """The parts of ingest, put together; it has the clock and the connections."""

    def __init__(self, settings: IngestSettings, clock: Clock) -> None:
        """Prepare; nothing is opened but the country database.

        Raises SettingsError when that cannot be used.
        """
        self._settings = settings
        self._clock = clock
        # One repetition at once: after a restart of Redis, connections of the pool are dead.
        self._redis = _client(settings.redis_url, retries=1)
        # Its own connections; the group commit repeats, and drops them all when it does.
        self._log_redis = _client(settings.redis_url, retries=0)
        self._registry = Registry(self._redis)
        self._salts = Salts(self._redis, clock)
        self._paths = DistinctPaths(self._redis, settings.max_paths, clock)
        self._countries = Countries(settings.country_database)
        self._parts = Parts(
            registry=self._registry,
            days=Days(self._salts, self._paths),
            salts=self._salts,
            paths=self._paths,
            rates=Rates(settings.rate_per_minute, settings.rate_burst, clock),
            addresses=Addresses(settings.trusted_proxies),
            countries=self._countries,
        )
        self._commit = GroupCommit(
            self._log_redis,
            LogWriter(settings.partitions),
            window_seconds=settings.group_commit_ms / 1000,
            max_hits=settings.group_commit_hits,
        )
        self._tending: asyncio.Task[None] | None = None
        self._one_tends = asyncio.Lock()
        self._closed: str | None = "ingest has not started"
        self._trouble: str | None = None

    async def start(self) -> None:
        """Open the log and read the sites. A Redis that is away is waited for in the background.

        Raises RefusedError when the server must not hold the log.
        """
        await asyncio.to_thread(agents.warm)
        try:
            await self._open()
        except RefusedError:
            await self._close()
            raise
        self._commit.start()
        self._tending = asyncio.create_task(self._tend(), name="tend ingest")

    async def stop(self) -> None:
        """Finish what was accepted, then close everything."""
        if self._tending is not None:
            self._tending.cancel()
            with suppress(asyncio.CancelledError):
                await self._tending
        self._closed = "ingest is stopping"
        await self._commit.stop()
        with suppress(RedisError, OSError):
            await self._paths.share()
        await self._close()

    def healthy(self) -> str | None:
        """Return why this process must be restarted, or None."""
        running = self._commit.running and self._tending is not None and not self._tending.done()
        return None if running else self._closed or "a task of ingest has ended"

    def ready(self) -> str | None:
        """Return why hits cannot be taken durably now, or None."""
        return self._closed or self._trouble or self._commit.fault or self.healthy()

    async def take(self, draft: Draft) -> DropReason | None:
        """Take a hit into the log; return why it is not counted, or None.

        Raises EventError when it is not a page, UnavailableError when it is not in the log.
        """
        try:
            if self._closed is not None:
                raise UnavailableError("ingest takes no hits now; see /readyz")
            outcome = await process(draft, self._parts)
            if isinstance(outcome, DropReason):
                metrics.DROPPED.inc()
                metrics.DROPS[outcome].inc()
                return outcome
            await self._commit.submit(outcome)
        except (RedisError, OSError):
            metrics.UNAVAILABLE.inc()
            raise UnavailableError("Redis cannot be asked now") from None
        except UnavailableError:
            metrics.UNAVAILABLE.inc()
            raise
        if outcome.bot:
            metrics.TAGGED.inc()
            metrics.DROPS[DropReason.BOT].inc()
            return DropReason.BOT
        metrics.ACCEPTED.inc()
        return None

    async def _open(self) -> None:
        """Begin to take hits, if the server may hold the log."""
        try:
            await check_redis(
                self._redis,
                self._settings.partitions,
                unsafe_eviction=self._settings.unsafe_eviction,
            )
            await self._registry.refresh()
        except (RedisError, OSError) as error:
            reason = f"Redis cannot be asked: {error}"
            if reason != self._closed:
                _log.warning("%s; trying again", reason)
            self._closed = reason
        except RefusedError as error:
            if str(error) != self._closed:
                _log.error("%s", error)
            self._closed = str(error)
            raise
        else:
            self._closed = None

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_SECONDS if self._closed is None else TEND_SECONDS / 4)
            await self.tend()

    async def tend(self) -> None:
        """Keep the copies of what others write fresh, forget what is over, and look for faults.

        Called every TEND_SECONDS. While no hits are taken, it tries to begin.
        """
        async with self._one_tends:
            if self._closed is None:
                await self._look()
            else:
                with suppress(RefusedError):
                    await self._open()

    async def _look(self) -> None:
        try:
            await self._registry.refresh()
            # A write: it fails on a server that is full, too. It also repairs one that was wiped.
            await self._redis.set(keys.PARTITIONS, self._settings.partitions, nx=True)
            await self._paths.share()
        except (RedisError, OSError) as error:
            self._trouble = f"Redis cannot be asked: {error}"
        else:
            self._trouble = self._commit.fault = None
        self._salts.forget()
        self._countries.refresh()

    async def _close(self) -> None:
        self._countries.close()
        await self._redis.aclose()
        await self._log_redis.aclose()


def _client(url: str, *, retries: int) -> Redis:
    return Redis.from_url(
        url,
        socket_timeout=_REDIS_SECONDS,
        socket_connect_timeout=_REDIS_SECONDS,
        retry=Retry(NoBackoff(), retries, supported_errors=(RedisConnectionError,)),
    )
