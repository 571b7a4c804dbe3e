"""Notices what begins and what is over: silence, spikes and drops of the sites that have rules."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.api.sites.alerts.counted import are_counted
from services.api.sites.alerts.hour_reading import HourReader
from services.api.sites.alerts.judging import AlertKind, HourViews, begins, goes_on
from services.api.sites.alerts.same_hours import SameHours, same_hours
from services.api.sites.last_views import last_views
from services.api.sites.registry import Registry
from services.api.sites.silence import Silence, daytime_ms
from services.api.stats.reader import StatsReader
from services.log.interface import Log
from services.model.site import Site
from services.state.state import State
from services.store.alerts import AlertEvent, AlertRule
from services.store.interface import Store

MOST_LOOKS = 50
"""So many sites are read as the dashboard does in one round; the others in the next ones."""
_HOUR_MS = 3_600_000
_OF_HOURS = (AlertKind.SPIKE, AlertKind.DROP)


class _Watched(NamedTuple):
    """A site, what is to be told of it, and what goes on there."""

    site: Site
    rule: AlertRule
    going_on: Mapping[str, AlertEvent]

    def percent(self, kind: AlertKind) -> int:
        return self.rule.spike_percent if kind is AlertKind.SPIKE else self.rule.drop_percent

    @property
    def has_hours(self) -> bool:
        return any(self.percent(kind) for kind in _OF_HOURS)


def _is_wanted(rule: AlertRule | None, kind: str) -> bool:
    if rule is None:
        return False
    of_kinds = {
        AlertKind.SILENT: rule.silent_hours,
        AlertKind.SPIKE: rule.spike_percent,
        AlertKind.DROP: rule.drop_percent,
    }
    return of_kinds[AlertKind(kind)] > 0


class Noticing:
    """Looks at all sites that have rules, with a few statements for all of them together."""

    def __init__(
        self,
        registry: Registry,
        store: Store,
        state: State,
        hits: Log,
        reader: StatsReader,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._store = store
        self._state = state
        self._hits = hits
        self._hours = HourReader(reader, registry.parts)
        self._clock = clock
        self._rules: Mapping[str, AlertRule] = {}
        self._silence = Silence(
            store,
            lambda site: self._rules[site.kept_as].silent_hours * _HOUR_MS,
            clock,
            registry.parts,
        )
        self._looked: dict[str, int] = {}
        """Name that a site is kept under → the end of the hours that were looked at."""

    async def changes(
        self, rules: Sequence[AlertRule], going_on: Iterable[AlertEvent], since: int
    ) -> list[AlertEvent]:
        """Return the events that begin, and those that are over.

        rules  of sites of which somebody is to be told
        since  from when on there was somebody who looked, in ms since 1970: what was not counted
               before may have been missed

        Raises StoreError, StateError, LogError and ApiError while one of them cannot tell.
        """
        now = int(self._clock() * 1000)
        self._rules = {rule.site: rule for rule in rules}
        of_sites: dict[str, dict[str, AlertEvent]] = {}
        for event in going_on:
            of_sites.setdefault(event.site, {})[event.kind] = event
        changed = [
            _ended(event, now)._replace(dismissed=1)
            for events in of_sites.values()
            for event in events.values()
            if not _is_wanted(self._rules.get(event.site), event.kind)
        ]
        watched = [
            _Watched(site, rule, of_sites.get(name, {}))
            for name, rule in self._rules.items()
            if (site := self._registry.kept(name)) is not None
        ]
        watched = await self._counted(watched, now)
        changed += await self._silent([one for one in watched if one.rule.silent_hours], since, now)
        silent = {event.site for event in changed if event.kind == AlertKind.SILENT}
        changed += await self._of_hours(
            [one for one in watched if one.has_hours and one.site.kept_as not in silent], since, now
        )
        return changed

    async def _counted(self, watched: Iterable[_Watched], now: int) -> list[_Watched]:
        names = {one.site.kept_as: self._names(one.site) for one in watched}
        every = {name for parts in names.values() for name in parts}
        if not every:
            return []
        counted = await are_counted(self._hits, self._state, every, now)
        return [one for one in watched if counted.issuperset(names[one.site.kept_as])]

    async def _silent(self, watched: Sequence[_Watched], since: int, now: int) -> list[AlertEvent]:
        of_parts = await last_views(
            self._store, self._hits, {name for one in watched for name in self._names(one.site)}
        )
        last: dict[str, float] = {}
        for one in watched:
            found = [of_parts[name] for name in self._names(one.site) if name in of_parts]
            if found:
                last[one.site.kept_as] = max(found)
        silent = {
            site.kept_as for site in await self._silence.among([one.site for one in watched], last)
        }
        changed = []
        for one in watched:
            name = one.site.kept_as
            before = int(last.get(name, 0))
            event = one.going_on.get(AlertKind.SILENT)
            if event is not None and before > event.since:
                changed.append(_ended(event, now)._replace(end_since=before))
            # Hours in which nobody looked do not count: Luot itself may have been away.
            elif (
                event is None
                and name in silent
                and (
                    daytime_ms(one.site, max(before, since), now)
                    >= one.rule.silent_hours * _HOUR_MS
                )
            ):
                changed.append(_begun(name, AlertKind.SILENT, now, before, now))
        return changed

    async def _of_hours(
        self, watched: Sequence[_Watched], since: int, now: int
    ) -> list[AlertEvent]:
        zones: dict[tuple[str, str, int], list[_Watched]] = {}
        for one in watched:
            site = one.site
            zone = (site.timezone, site.timezone_before, site.timezone_from)
            zones.setdefault(zone, []).append(one)
        names = {one.site.kept_as for one in watched}
        self._looked = {name: end for name, end in self._looked.items() if name in names}
        changed: list[AlertEvent] = []
        looks = 0
        for of_zone in zones.values():
            hours = same_hours(of_zone[0].site, now)
            if hours is None or hours.last.start < since:
                continue
            new = [one for one in of_zone if self._looked.get(one.site.kept_as) != hours.last.end]
            rough = await self._hours.roughly([one.site for one in new], hours)
            for one in new:
                if _is_worth_a_look(one, rough[one.site.kept_as]):
                    looks += 1
                    if looks > MOST_LOOKS:
                        return changed
                    changed += await self._look(one, hours, now)
                self._looked[one.site.kept_as] = hours.last.end
        return changed

    async def _look(self, one: _Watched, hours: SameHours, now: int) -> list[AlertEvent]:
        views = await self._hours.exactly(one.site, hours)
        if views is None:
            return []
        changed = []
        for kind in _OF_HOURS:
            event, percent = one.going_on.get(kind), one.percent(kind)
            if event is not None:
                if hours.last.start > event.since and not goes_on(views, kind, percent):
                    changed.append(
                        _ended(event, now)._replace(
                            end_since=hours.last.start,
                            end_until=hours.last.end,
                            end_seen=views.seen,
                            end_usual=views.usual or 0,
                        )
                    )
            elif _is_new(one, kind, views):
                begun = _begun(one.site.kept_as, kind, now, hours.last.start, hours.last.end)
                changed.append(begun._replace(seen=views.seen, usual=views.usual or 0))
        return changed

    def _names(self, site: Site) -> list[str]:
        return [part.kept_as for part in self._registry.parts(site)]


def _is_worth_a_look(one: _Watched, views: HourViews) -> bool:
    return any(kind in one.going_on or _is_new(one, kind, views) for kind in _OF_HOURS)


def _is_new(one: _Watched, kind: AlertKind, views: HourViews) -> bool:
    if kind is AlertKind.DROP and AlertKind.SILENT in one.going_on:
        return False
    return begins(views, kind, one.percent(kind))


def _begun(site: str, kind: AlertKind, now: int, since: int, until: int) -> AlertEvent:
    # Two processes that notice the same write the same row.
    return AlertEvent(site, f"{kind}-{since}", now, kind.value, now, since, until)


def _ended(event: AlertEvent, now: int) -> AlertEvent:
    version = max(event.version + 1, now)
    return event._replace(version=version, ended=now, failures=0, problem="")
