"""Notices which sites fall silent, and which have views again."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from services.api.sites.alerts.judging import AlertKind
from services.api.sites.alerts.watched import WatchedSite, ended
from services.api.sites.last_views import LastViews
from services.api.sites.silence import Silence, daytime_ms
from services.log.interface import Log
from services.model.site import Site
from services.store.interface import Store
from services.store.records.alerts import AlertEvent

_HOUR_MS = 3_600_000


class Silences:
    """Looks at all watched sites with the same few statements."""

    def __init__(
        self,
        store: Store,
        hits: Log,
        parts: Callable[[Site], Sequence[Site]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`parts` returns the sites whose views are those of a site."""
        self._last_views = LastViews(store, hits)
        self._silent_ms: Mapping[str, int] = {}
        self._silence = Silence(store, lambda site: self._silent_ms[site.kept_as], clock, parts)

    async def changes(
        self, watched: Iterable[WatchedSite], since: int, now: int
    ) -> list[AlertEvent]:
        """Return what begins and what is over. Raises StoreError and LogError.

        since  start of the monitoring, in ms since 1970; hours before do not count, because Luot
               itself may have been down
        """
        of_rules = {one.name: one for one in watched if one.rule.silent_hours}
        self._silent_ms = {name: one.rule.silent_hours * _HOUR_MS for name, one in of_rules.items()}
        last = await self._last_views.of({name: one.names for name, one in of_rules.items()})
        sites = [one.site for one in of_rules.values()]
        silent = {site.kept_as for site in await self._silence.among(sites, last)}
        changed = []
        for name, one in of_rules.items():
            before, event = int(last.get(name, 0)), one.going_on.get(AlertKind.SILENT)
            if event is not None:
                if before > event.since:
                    changed.append(ended(event, now)._replace(end_since=before))
            elif name in silent:
                passed = daytime_ms(one.site, max(before, since), now)
                if passed >= self._silent_ms[name]:
                    changed.append(one.begun(AlertKind.SILENT, now, before, now))
        return changed
