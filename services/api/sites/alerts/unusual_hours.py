"""Detects sites with far more or far fewer views than usual, and when that is over."""

from collections.abc import AsyncIterator, Iterable

from services.api.sites.alerts.hour_reading import HourReader
from services.api.sites.alerts.judging import AlertKind, HourViews, begins, goes_on, may_begin
from services.api.sites.alerts.same_hours import SameHours, same_hours
from services.api.sites.alerts.watched import WatchedSite, ended
from services.store.records.alerts import AlertEvent

MOST_LOOKS = 50
"""How many sites are read exactly in one round; the others wait for the next ones."""
_KINDS = (AlertKind.SPIKE, AlertKind.DROP)


class UnusualHours:
    """Checks the last hours of each watched site once.

    Hours count as checked when what was found in them is saved, see `saved`.
    """

    def __init__(self, reader: HourReader) -> None:
        self._reader = reader
        self._looked: dict[str, int] = {}
        """Name that a site is kept under → the end of the hours that were checked."""
        self._found: dict[str, int] = {}
        """The same of the hours since, of which nothing is saved yet."""

    def saved(self) -> None:
        """Note that all that `changes` yielded is saved: the hours need not be checked again."""
        self._looked |= self._found
        self._found = {}

    async def changes(
        self, watched: Iterable[WatchedSite], since: int, now: int
    ) -> AsyncIterator[AlertEvent]:
        """Yield what begins and what is over, each as soon as it is known. Raises ApiError.

        since  start of the monitoring, in ms since 1970; hours before do not count, because Luot
               itself may have been down
        """
        zones: dict[tuple[str, str, int], list[WatchedSite]] = {}
        for one in watched:
            if any(_percent(one, kind) for kind in _KINDS):
                site = one.site
                zone = (site.timezone, site.timezone_before, site.timezone_from)
                zones.setdefault(zone, []).append(one)
        # What was found in a round that was not saved is looked for again.
        self._found = {}
        names = {one.name for of_zone in zones.values() for one in of_zone}
        self._looked = {name: end for name, end in self._looked.items() if name in names}
        looks = 0
        for of_zone in zones.values():
            hours = same_hours(of_zone[0].site, now)
            if hours is None or hours.last.start < since:
                continue
            new = [one for one in of_zone if self._looked.get(one.name) != hours.last.end]
            rough = await self._reader.roughly({one.name: one.names for one in new}, hours)
            for one in new:
                if _is_worth_a_look(one, rough[one.name]):
                    looks += 1
                    if looks > MOST_LOOKS:
                        return
                    views = await self._reader.exactly(one.site, hours)
                    for event in _changes(one, hours, views, now):
                        yield event
                self._found[one.name] = hours.last.end


def _percent(one: WatchedSite, kind: AlertKind) -> int:
    return one.rule.spike_percent if kind is AlertKind.SPIKE else one.rule.drop_percent


def _is_worth_a_look(one: WatchedSite, views: HourViews) -> bool:
    return any(
        kind in one.going_on or may_begin(views, kind, _percent(one, kind)) for kind in _KINDS
    )


def _is_new(one: WatchedSite, kind: AlertKind, views: HourViews) -> bool:
    # Whoever is told that there are no views need not be told that there are fewer.
    if kind is AlertKind.DROP and AlertKind.SILENT in one.going_on:
        return False
    return begins(views, kind, _percent(one, kind))


def _changes(
    one: WatchedSite, hours: SameHours, views: HourViews | None, now: int
) -> list[AlertEvent]:
    if views is None or views.usual is None:
        return []
    last, changed = hours.last, []
    for kind in _KINDS:
        event = one.going_on.get(kind)
        if event is None:
            if _is_new(one, kind, views):
                begun = one.begun(kind, now, last.start, last.end)
                changed.append(begun._replace(seen=views.seen, usual=views.usual))
        elif last.start > event.since and not goes_on(views, kind, _percent(one, kind)):
            over = ended(event, now)._replace(end_since=last.start, end_until=last.end)
            changed.append(over._replace(end_seen=views.seen, end_usual=views.usual))
    return changed
