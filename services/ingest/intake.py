"""Takes hits into the log: everything in ingest except HTTP."""

import asyncio
import logging
from contextlib import suppress
from uuid import uuid4

from services.enrich import agents
from services.enrich.bots import Bots
from services.enrich.country import Countries
from services.enrich.operator_patterns import PatternsFile
from services.http.client_address import Addresses
from services.ingest import metrics
from services.ingest.bot_room import BotRoom
from services.ingest.budgets import AddressBudgets
from services.ingest.cardinality import CardinalityLimiter
from services.ingest.checks import RefusedError, check_log
from services.ingest.circuit_breaker import CircuitBreaker
from services.ingest.commit import GroupCommit, UnavailableError
from services.ingest.context import PipelineContext
from services.ingest.days import Days
from services.ingest.draft import Draft
from services.ingest.drops import DropReason
from services.ingest.foreign_hosts import ForeignHosts
from services.ingest.fullness import Fullness
from services.ingest.networks import AddressHashes
from services.ingest.new_paths import NewPaths
from services.ingest.over_budget import OverBudget
from services.ingest.over_room import OverRoom
from services.ingest.path_memory import PathMemory
from services.ingest.pipeline import process
from services.ingest.salt_memory import SaltMemory
from services.ingest.salts import Salts
from services.ingest.searches import search_of
from services.ingest.senders import Senders
from services.ingest.settings import IngestSettings
from services.ingest.site_lookup import SiteLookup
from services.ingest.site_room import SiteRoom
from services.ingest.sites_file import SitesFile
from services.ingest.spool.drain import Drain
from services.ingest.spool.identity import SpoolIdentity
from services.ingest.spool.spool import Spool, SpoolError
from services.ingest.token_bucket import TokenBuckets
from services.ingest.untrusted_proxies import UntrustedProxies
from services.ingest.waiting import WaitingHits
from services.log.entries import Batcher
from services.log.errors import LogError
from services.log.open import log_of
from services.log.uncounted import Uncounted
from services.runtime.clock import Clock
from services.runtime.contact import Contact
from services.runtime.outage import Outage
from services.runtime.tasks import end, ended
from services.state.errors import StateError
from services.state.spooled_hits import Spooled, SpooledHits
from services.state.state import State

_log = logging.getLogger(__name__)

MAINTENANCE_SECONDS = 2.0
"""How old the copy of the sites may be, and how long a Redis fault may go unnoticed."""
_REDIS_SECONDS = 1.0


class Intake:
    """The parts of ingest, wired together; owns the clock and the connections."""

    def __init__(self, settings: IngestSettings, clock: Clock) -> None:
        """Prepare; opens only the country database.

        Raises SettingsError when it cannot be used.
        """
        self._settings = settings
        self._clock = clock
        # One immediate retry: after a restart of Redis, pooled connections are dead.
        self._state = State.open(settings.redis_url, seconds=_REDIS_SECONDS, retries=1)
        self._log = log_of(settings, answer_seconds=_REDIS_SECONDS)
        self._uncounted = Uncounted(self._log)
        self._contact = Contact("the log", self._ask_log, (LogError,))
        # The group commit has one append in flight, and does its own timeouts and retries.
        self._producer = self._log.producer()
        self._breaker = CircuitBreaker()
        self._spool = Spool(
            settings.spool, settings.spool_bytes, settings.partitions, clock, settings.log_at
        )
        self._waiting = WaitingHits(self._uncounted, self._spool)
        file = SitesFile(settings.spool, settings.partitions, settings.redis_url)
        self._sites = SiteLookup(self._state, file)
        self.senders = Senders(self._state, clock)
        """Who may vouch for readers."""
        memory = SaltMemory(settings.salts, settings.redis_url)
        self._salts = Salts(self._state, memory, clock)
        self._paths = CardinalityLimiter(
            self._state,
            PathMemory(self._state, settings.spool, settings.redis_url, clock),
            NewPaths(settings.new_paths, settings.path_readers, settings.max_paths // 4),
            settings.max_paths,
            clock,
        )
        self._countries = Countries(settings.country_database)
        bots = Bots()
        self._bot_patterns = PatternsFile(settings.bot_patterns, bots.use)
        self._proxies = UntrustedProxies(self._state, clock)
        self._over = OverBudget(self._state, clock)
        self._over_room = OverRoom(self._state, clock)
        self._foreign = ForeignHosts(self._state, clock)
        bot_room = BotRoom(settings.bot_bytes)
        site_room = SiteRoom(settings.site_room, settings.site_bytes)
        self._fullness = Fullness(self._log, self._spool, bot_room, site_room, clock)
        self._spooled = SpooledHits(self._state)
        self._context = PipelineContext(
            clock=clock,
            sites=self._sites,
            days=Days(self._breaker, self._salts, self._paths),
            salts=self._salts,
            paths=self._paths,
            rates=TokenBuckets(settings.rate_per_minute, settings.rate_burst),
            addresses=Addresses(settings.trusted_proxies),
            hashes=AddressHashes(),
            budgets=AddressBudgets(settings.of_one_address()),
            bot_room=bot_room,
            site_room=site_room,
            countries=self._countries,
            bots=bots,
            proxies=self._proxies,
            over=self._over,
            over_room=self._over_room,
            foreign=self._foreign,
        )
        self._batcher = Batcher(settings.partitions)
        self._commit = GroupCommit(
            self._producer,
            self._batcher,
            self._spool,
            self._breaker,
            window_seconds=settings.group_commit_ms / 1000,
            max_hits=settings.group_commit_hits,
        )
        self._drain = Drain(
            self._log,
            self._spool,
            self._breaker,
            self._may_append,
            clock,
            appended=self._uncounted.appended_late,
        )
        self._maintenance: asyncio.Task[None] | None = None
        self._contacting: asyncio.Task[None] | None = None
        self._one_maintains = asyncio.Lock()
        self._reported: str | None = None
        self._closed: str | None = "ingest has not started"
        self._redis_waits = Outage(_log, "Redis cannot be asked", "Redis can be asked")
        self._log_waits = Outage(_log, "the log cannot be asked", "the log can be asked")
        self._identity = SpoolIdentity(self._log, self._spool)
        self._process = uuid4().hex

    async def start(self) -> None:
        """Open spool and log, and read the sites. Does not wait for a Redis that is down.

        Raises RefusedError when the spool cannot be used or the server must not hold the log.
        """
        await asyncio.to_thread(agents.warm)
        try:
            await self._spool.open()
            # Whoever adopts the spool, even an empty one, knows which producer may be in doubt.
            self._batcher.producer = self._spool.own.path.name
            await self._open()
        except SpoolError as error:
            await self._close()
            raise RefusedError(str(error)) from None
        except RefusedError:
            await self._close()
            raise
        self._commit.start()
        self._drain.start()
        metrics.LOG_UP.set_function(self._log_up)
        metrics.UNCOUNTED_AGE.set_function(self._waiting.age)
        contacting = self._contact.watch_forever()
        self._contacting = asyncio.create_task(contacting, name="contact with the log")
        self._maintenance = asyncio.create_task(self._maintain(), name="ingest maintenance")

    async def stop(self) -> None:
        """Finish what was accepted, then close everything."""
        await end(*(task for task in (self._maintenance, self._contacting) if task is not None))
        self._closed = "ingest is stopping"
        await self._commit.stop()
        await self._drain.stop()
        with suppress(StateError):
            await self._paths.share()
        await self._close()

    def healthy(self) -> str | None:
        """Return why this process must be restarted, or None."""
        fault = ended(self._commit.task, *self._drain.tasks, self._maintenance)
        if fault is None:
            return None
        if self._closed is None and fault != self._reported:
            self._reported = fault
            _log.error("%s; this process must be restarted", fault)
        return self._closed or fault

    def ready(self) -> str | None:
        """Return why hits cannot be taken durably now, or None."""
        return self._closed or self._commit.fault or self._no_room() or self.healthy()

    def notes(self) -> list[str]:
        """Return what an operator should know although hits are taken."""
        notes = (
            self._contact.problem(),
            self._breaker.note(),
            self._proxies.problem(),
            self._over.problem(),
            self._over_room.problem(),
            self._waiting.problem(),
        )
        return [note for note in notes if note is not None]

    async def _ask_log(self) -> None:
        """Ask the log how old its uncounted entries are and how full it is. Raises LogError."""
        await self._uncounted.measure()
        await self._fullness.ask()

    def _log_up(self) -> float:
        refuses = not self._breaker.closed and not self._breaker.slow
        return 0.0 if refuses else self._contact.up()

    def _no_room(self) -> str | None:
        return None if self._breaker.closed else self._spool.full()

    async def take(self, draft: Draft) -> DropReason | None:
        """Take a hit, durably; return why it is not counted, or None.

        Raises EventError when it is not a page, UnavailableError when it could not be taken.
        """
        try:
            if self._closed is not None:
                raise UnavailableError("ingest takes no hits now; see /readyz")
            outcome = await process(draft, self._context)
            if isinstance(outcome, DropReason):
                metrics.DROPPED.inc()
                metrics.DROPS[outcome].inc()
                return outcome
            search = await search_of(draft, outcome, self._context) if draft.words else None
            if search is None:
                await self._commit.submit(outcome)
            else:
                await self._commit.submit_both(outcome, search)
        except UnavailableError:
            metrics.UNAVAILABLE.inc()
            raise
        return DropReason.BOT if outcome.bot else None

    async def _open(self) -> None:
        """Start taking hits, if the server may hold the log and the sites are known."""
        try:
            await self._may_append()
            await self._sites.refresh()
            await self._identity.learn()
            await self.senders.refresh()
        except StateError as error:
            self._redis_waits.begins(error)
            await self._start_without(f"Redis cannot be asked: {error}")
        except LogError as error:
            self._log_waits.begins(error)
            self._breaker.open(str(error))
            await self._start_without(f"the log cannot be asked: {error}")
        except RefusedError as error:
            if str(error) != self._closed:
                _log.error("%s", error)
            self._closed = str(error)
            raise
        else:
            self._closed = None
            self._redis_waits.ends()
            self._log_waits.ends()
            with suppress(StateError):
                await self._sites.acknowledge()

    async def _start_without(self, reason: str) -> None:
        """Start taking hits with the copy of the sites, if there is one."""
        known = self._sites.loaded or await self._sites.restore()
        self._closed = None if known else f"{reason}, and there is no copy of the sites"

    async def _may_append(self) -> None:
        """Raise RefusedError when this server must not hold the log."""
        await check_log(self._log, unsafe_eviction=self._settings.unsafe_eviction)

    async def _maintain(self) -> None:
        while True:
            await asyncio.sleep(
                MAINTENANCE_SECONDS if self._closed is None else MAINTENANCE_SECONDS / 4
            )
            try:
                await self.maintain()
            except Exception:
                # Whatever it is, hits are taken without it, and the next attempt comes soon.
                _log.exception("ingest could not look after itself")

    async def maintain(self) -> None:
        """Refresh the copies of shared data, forget what has expired, and clear faults.

        Called every MAINTENANCE_SECONDS. While no hits are taken, it tries to start.
        """
        async with self._one_maintains:
            if self._closed is None:
                await self._look()
            else:
                with suppress(RefusedError):
                    await self._open()

    async def _look(self) -> None:
        self._fullness.look()
        # This comes first: a full server refuses most of what follows.
        with suppress(StateError):
            waits = Spooled(self._spool.hits, int(self._spool.age() * 1000))
            await self._spooled.tell(self._process, waits, self._clock())
        with suppress(StateError, LogError):
            await self._sites.refresh()
            await self.senders.refresh()
            await self.senders.share()
            await self._salts.share()
            await self._paths.share()
            await self._proxies.share()
            await self._over.share()
            await self._over_room.share()
            await self._foreign.share()
            # Repairs a server that was wiped.
            await self._log.create()
            await self._sites.acknowledge()
            await self._identity.learn()
        if self._no_room() is None:
            self._commit.fault = None
        self._proxies.look()
        self._over.look()
        self._over_room.look()
        self._salts.forget()
        self._context.days.forget()
        self._countries.refresh()
        self._bot_patterns.refresh()

    async def _close(self) -> None:
        self._spool.close()
        self._countries.close()
        await self._state.close()
        await self._producer.close()
        await self._drain.close()
        await self._log.close()
