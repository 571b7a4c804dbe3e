"""Watches the sites that have rules, in one API process at a time: detects, records, notifies."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress

from services.api.sites.alerts.counted import are_counted
from services.api.sites.alerts.hour_reading import HourReader
from services.api.sites.alerts.silences import Silences
from services.api.sites.alerts.telling import AlertTeller
from services.api.sites.alerts.unusual_hours import UnusualHours
from services.api.sites.alerts.watched import ended, is_wanted, watched_sites
from services.api.sites.registry import Registry
from services.api.stats.readers.reader import StatsReader
from services.http.errors import ApiError
from services.log.errors import LogError
from services.log.interface import Log
from services.state.alert_watch import LOCK_SECONDS, alert_lock, watched_since
from services.state.errors import StateError
from services.state.state import State
from services.store.interface import Store, StoreError
from services.store.records import alerts
from services.store.records.alerts import AlertEvent, AlertRule

ROUND_SECONDS = 300.0
FORGOTTEN_MS = 100 * 86_400_000
"""Events that last this long are no longer followed."""
_UNAVAILABLE = (StoreError, StateError, LogError, ApiError, TimeoutError)

log = logging.getLogger(__name__)


class AlertWatcher:
    """Runs in rounds; what cannot be read is not a silence, and is checked in the next round."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        state: State,
        hits: Log,
        reader: StatsReader,
        teller: AlertTeller,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._store = store
        self._state = state
        self._hits = hits
        self._silences = Silences(store, hits, registry.parts, clock)
        self._hours = UnusualHours(HourReader(reader))
        self._teller = teller
        self._clock = clock

    async def watch_forever(self) -> None:
        """Run round after round."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            if not self._teller.mailer.is_ready:
                continue
            try:
                await self.watch()
            except _UNAVAILABLE as error:
                why = str(error) or "a round takes too long"
                log.warning("alerts cannot be looked for now: %s", why)
            except Exception:
                log.exception("alerts cannot be looked for now")

    async def watch(self) -> int:
        """Detect events, and send what is due; return how many messages went out.

        Returns at once if another process is doing it. Raises StoreError, StateError, LogError,
        ApiError and TimeoutError.
        """
        lock = alert_lock(self._state)
        if not await lock.acquire():
            return 0
        try:
            # A round must end before the lock expires.
            async with asyncio.timeout(LOCK_SECONDS - 60):
                return await self._round()
        finally:
            with suppress(StateError):
                await lock.release()

    async def _round(self) -> int:
        now = int(self._clock() * 1000)
        rules = [rule for rule in await alerts.rules(self._store) if rule.addresses]
        events = {
            (one.site, one.id): one
            for one in await alerts.unfinished(self._store, max(0, now - FORGOTTEN_MS))
        }
        if not events and not rules:
            return 0
        of_sites = {rule.site: rule for rule in rules}
        going_on = [one for one in events.values() if not one.ended]
        open_events = [one for one in going_on if is_wanted(one, of_sites.get(one.site))]
        changed = [
            ended(one, now)._replace(dismissed=1) for one in going_on if one not in open_events
        ]
        unavailable: Exception | None = None
        try:
            async for event in self._noticed(rules, open_events, now):
                changed.append(event)  # noqa: PERF401  # what came before an error stays
        except _UNAVAILABLE as error:
            # What was detected before is sent even so.
            unavailable = error
        # Saved before it is sent: if this process dies, the next one sends it, and only once.
        await alerts.save_events(self._store, changed)
        self._hours.saved()
        events |= {(one.site, one.id): one for one in changed}
        sent = await self._teller.tell(_in_order(events.values()), of_sites)
        if unavailable is not None:
            raise unavailable
        return sent

    async def _noticed(
        self, rules: Iterable[AlertRule], going_on: Iterable[AlertEvent], now: int
    ) -> AsyncIterator[AlertEvent]:
        since = await watched_since(self._state, now)
        watched = watched_sites(self._registry, rules, going_on)
        every = {name for one in watched for name in one.names}
        counted = await are_counted(self._hits, self._state, every, now) if every else set()
        watched = [one for one in watched if counted.issuperset(one.names)]
        silent = set()
        for event in await self._silences.changes(watched, since, now):
            silent.add(event.site)
            yield event
        others = [one for one in watched if one.name not in silent]
        async for event in self._hours.changes(others, since, now):
            yield event


def _in_order(events: Iterable[AlertEvent]) -> list[AlertEvent]:
    return sorted(events, key=lambda one: (one.ended or one.noticed, one.site, one.id))
