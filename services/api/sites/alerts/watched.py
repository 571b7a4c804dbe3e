"""The sites that are watched, their rules, and their unfinished events."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from services.api.sites.alerts.judging import AlertKind
from services.api.sites.registry import Registry
from services.model.site import Site
from services.store.records.alerts import AlertEvent, AlertRule


class WatchedSite(NamedTuple):
    """A site with alerts.

    names     that it and those merged into it are kept under
    going_on  unfinished events to report, by their kind
    """

    site: Site
    names: tuple[str, ...]
    rule: AlertRule
    going_on: Mapping[str, AlertEvent]

    @property
    def name(self) -> str:
        """The name that it is kept under."""
        return self.site.kept_as

    def begun(self, kind: AlertKind, now: int, since: int, until: int) -> AlertEvent:
        """Return an event that begins, see `AlertEvent`."""
        # Two processes that detect the same event write the same row.
        return AlertEvent(self.name, f"{kind}-{since}", now, kind.value, now, since, until)


def watched_sites(
    registry: Registry, rules: Iterable[AlertRule], going_on: Iterable[AlertEvent]
) -> list[WatchedSite]:
    """Return the sites that have rules, as far as they exist."""
    events: dict[str, dict[str, AlertEvent]] = {}
    for event in going_on:
        events.setdefault(event.site, {})[event.kind] = event
    return [
        WatchedSite(
            site,
            tuple(part.kept_as for part in registry.parts(site)),
            rule,
            events.get(rule.site, {}),
        )
        for rule in rules
        if (site := registry.kept(rule.site)) is not None
    ]


def is_wanted(event: AlertEvent, rule: AlertRule | None) -> bool:
    """Tell whether somebody is to be told about an event."""
    if rule is None:
        return False
    of_kinds = {
        AlertKind.SILENT: rule.silent_hours,
        AlertKind.SPIKE: rule.spike_percent,
        AlertKind.DROP: rule.drop_percent,
    }
    return of_kinds[AlertKind(event.kind)] > 0


def ended(event: AlertEvent, now: int) -> AlertEvent:
    """Return the event as ended now."""
    version = max(event.version + 1, now)
    return event._replace(version=version, ended=now, failures=0, problem="")
