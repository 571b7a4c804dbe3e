"""Finds sites that fell silent: they had views every day, and now none for some hours."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from services.model.calendar import Grain
from services.model.site import Site
from services.store.counts import counters
from services.store.counts.counters import CounterKey
from services.store.interface import Store

WEEK_DAYS = 7
REMEMBERED_DAYS = 30
"""How long a silent site is reported; after that it was probably switched off."""
FIRST_HOUR, LAST_HOUR = 7, 22
_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS
_WHOLE_SITE = ""


class Silence:
    """Knows which sites have views every day, and reads each of their weeks once."""

    def __init__(
        self,
        store: Store,
        silent_ms: Callable[[Site], float],
        clock: Callable[[], float] = time.time,
        parts: Callable[[Site], Sequence[Site]] = lambda site: (site,),
    ) -> None:
        """`silent_ms` returns how long each site may be without views in the daytime.

        `parts` returns the sites whose views are those of a site.
        """
        self._store = store
        self._silent_ms = silent_ms
        self._clock = clock
        self._parts = parts
        self._weeks: dict[str, tuple[int, bool]] = {}
        """Slug → the day of the last view, and whether the seven before it had views."""

    async def among(self, sites: Iterable[Site], last_ms: Mapping[str, float]) -> list[Site]:
        """Return the silent ones; `last_ms` has the last view of each that ever had one.

        Raises StoreError.
        """
        now_ms = int(self._clock() * 1000)
        quiet = [
            site
            for site in sites
            if site.kept_as in last_ms
            and now_ms - last_ms[site.kept_as] < REMEMBERED_DAYS * _DAY_MS
            and daytime_ms(site, int(last_ms[site.kept_as]), now_ms) >= self._silent_ms(site)
        ]
        names = {site.kept_as: [one.kept_as for one in self._parts(site)] for site in quiet}
        last_day = {site.kept_as: site.day_of(int(last_ms[site.kept_as])) for site in quiet}
        known = {slug: week for slug, week in self._weeks.items() if week[0] == last_day.get(slug)}
        if unknown := {slug: day for slug, day in last_day.items() if slug not in known}:
            known |= await self._read(unknown, names)
        self._weeks = known
        return [site for site in quiet if known[site.kept_as][1]]

    async def _read(
        self, last_day: Mapping[str, int], names: Mapping[str, Sequence[str]]
    ) -> dict[str, tuple[int, bool]]:
        weeks: dict[str, list[list[CounterKey]]] = {
            slug: [
                [(name, Grain.DAY.value, day, _WHOLE_SITE) for name in names[slug]]
                for day in range(last - WEEK_DAYS, last)
            ]
            for slug, last in last_day.items()
        }
        keys = [key for days in weeks.values() for day in days for key in day]
        rows = await counters.load(self._store, keys)
        return {
            slug: (
                last_day[slug],
                all(any(rows.get(key, counters.ABSENT)[0] for key in day) for day in days),
            )
            for slug, days in weeks.items()
        }


def daytime_ms(site: Site, since_ms: int, now_ms: int) -> int:
    """Return how much of a span is within the hours in which a portal has readers."""
    passed = 0
    for day in range(site.day_of(since_ms), site.day_of(now_ms) + 1):
        midnight = site.start_of(day)
        begin, end = midnight + FIRST_HOUR * _HOUR_MS, midnight + LAST_HOUR * _HOUR_MS
        passed += max(0, min(end, now_ms) - max(begin, since_ms))
    return passed
