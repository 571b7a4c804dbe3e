"""A query, and the same query for the days to compare with, as of one moment."""

from typing import NamedTuple

from services.api.stats.grammar.measures import ENTERED, Measure
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.periods.comparison import until
from services.api.stats.periods.counted_days import CountedDays
from services.api.stats.periods.opening import Opening
from services.api.stats.periods.spans import Span
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import StatsResult


class BothQueries(NamedTuple):
    """A query, the earlier one, and what is not known about its days, in words; '' for nothing.

    missing  why none of the measures is known
    unknown  measures that are not known because only opening balances are, which lack them
    reason   why these are not known
    """

    now: StatsQuery
    before: StatsQuery
    missing: str
    unknown: tuple[Measure, ...] = ()
    reason: str = ""

    def told(self, before: StatsResult) -> StatsResult:
        """Return the result of the earlier one with a note of what is missing."""
        return before.missing(self.missing) if self.missing else before


async def both(reader: StatsReader, query: StatsQuery, compared: Span, at_ms: int) -> BothQueries:
    """Return both queries, to be answered at one log position.

    at_ms  the time of the request: today is compared with a day up to the same time
    """
    first_day = await reader.first_day(query.site)
    with_opening = query.opening is not Opening.EXCLUDE
    days = query.span.with_those(compared)
    moment = await reader.snapshot(query.site, days, with_opening=with_opening)
    counted = CountedDays.of(first_day, moment, query.site.day_of(at_ms))
    now = query.as_of(moment)
    before = now.about(compared, until(query.site, query.span, compared, at_ms))
    # Filtered numbers include no opening balances.
    filled = set() if query.filters else moment.opening.covered(compared, query.today)
    if (missing := counted.uncounted(compared, filled)) is not None:
        return BothQueries(now, before, missing.told(compared))
    unknown = tuple(measure for measure in query.measures if measure not in ENTERED)
    if not unknown or (missing := counted.uncounted(compared)) is None:
        return BothQueries(now, before, "")
    reason = f"{', '.join(unknown)}: {missing.told(compared)}"
    return BothQueries(now, before, "", unknown, reason)
