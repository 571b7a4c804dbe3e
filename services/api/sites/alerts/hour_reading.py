"""Reads the views of some hours, and of the same hours in previous weeks.

First roughly, for all sites together, from their raw hits. Then the few that look far from usual
are each read as on the dashboard: these numbers decide, and are the ones in the messages.
"""

from collections.abc import Mapping, Sequence
from functools import reduce
from http import HTTPStatus

from services.api.sites.alerts import queries_alerts
from services.api.sites.alerts.judging import HourViews
from services.api.sites.alerts.queries_alerts import RoughViews
from services.api.sites.alerts.same_hours import HourSpan, SameHours
from services.api.stats.grammar.measures import Measure
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.periods.spans import Interval
from services.api.stats.readers.reader import StatsReader
from services.http.errors import ApiError
from services.model.site import Site


class HourReader:
    """Reads hours. Raises ApiError, 503, while the store cannot be read."""

    def __init__(self, reader: StatsReader) -> None:
        self._reader = reader

    async def roughly(
        self, names: Mapping[str, Sequence[str]], hours: SameHours
    ) -> dict[str, HourViews]:
        """Return the approximate views of sites in one time zone, by the names they are kept under.

        names  of each site, and of those merged into it
        """
        every = list(dict.fromkeys(name for parts in names.values() for name in parts))
        if not every:
            return {}
        async with self._reader.turn() as store:
            views = await queries_alerts.roughly(store, every, hours)
        return {
            name: reduce(RoughViews.plus, (views[part] for part in parts)).views(hours)
            for name, parts in names.items()
        }

    async def exactly(self, site: Site, hours: SameHours) -> HourViews | None:
        """Return the views of a site; None when those of the last hours are not all known.

        A week counts if each of its days has views, and all of their raw hits: otherwise it was
        not counted, and comparing with nothing would be an error rather than a change.
        """
        seen = await self._views(site, hours.last, needs_days=False)
        if seen is None:
            return None
        weeks = [None if span is None else await self._views(site, span) for span in hours.weeks]
        return HourViews(seen, weeks)

    async def _views(self, site: Site, span: HourSpan, *, needs_days: bool = True) -> int | None:
        query = StatsQuery(site, span.days, (Measure.PAGEVIEWS,))
        try:
            result = await self._reader.timeseries(query, Interval.HOUR)
        except ApiError as error:
            if error.status != HTTPStatus.UNPROCESSABLE_ENTITY:
                raise
            return None
        of_days: dict[str, int] = {}
        for name, counts in result.rows:
            day = name.partition(" ")[0]
            of_days[day] = of_days.get(day, 0) + counts.pageviews
        if result.warnings or (needs_days and not all(of_days.values())):
            return None
        return sum(row.counts.pageviews for row in result.rows if row.name in span.labels)
