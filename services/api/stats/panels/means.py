"""Daily and monthly means, by one rule for pages, reports and programs.

A mean is over past days for which something is known: an uncounted day is not a 0, and the current
day is not included.
"""

from collections.abc import Iterable

from services.api.stats.grammar.measures import ENTERED, Counts, Measure
from services.api.stats.grammar.site_query import Scope
from services.api.stats.panels.contents import TrafficMeans
from services.api.stats.periods.counted_days import CountedDays
from services.api.stats.periods.opening import Opening, OpeningNumbers
from services.api.stats.periods.spans import Span


def known_days(
    scope: Scope,
    counted: CountedDays,
    entered: Iterable[OpeningNumbers],
    measure: Measure = Measure.PAGEVIEWS,
) -> int:
    """Return for how many of the days so far a measure is known.

    entered  opening balances, which count if they are in the figures
    """
    days, opening = scope.elapsed, scope.opening
    if measure not in ENTERED:
        return len(counted.known(days))
    known: set[int] = set()
    if opening is not Opening.ONLY:
        known |= counted.known(days)
    if opening is not Opening.EXCLUDE:
        known.update(*(one.covered(days, scope.today) for one in entered))
    return len(known)


def gaps_of(
    scope: Scope, span: Span, counted: CountedDays, entered: Iterable[OpeningNumbers]
) -> list[Span]:
    """Return the gaps, except for days filled by opening balances that are in the figures."""
    if scope.opening is Opening.ONLY:
        return []
    filled: set[int] = set()
    if scope.opening is not Opening.EXCLUDE:
        filled.update(*(one.covered(span, scope.today) for one in entered))
    return list(counted.gaps(span, filled))


def means_of(
    scope: Scope, known: int, measure: Measure, counts: Counts, today: Counts
) -> TrafficMeans:
    """Return the means of a measure.

    known  the days of `known_days`
    today  what was counted on the current day; nothing when it is not in the period
    """
    value, running = int(counts.value(measure) or 0), scope.is_running
    of_today = int(today.value(measure) or 0)
    over, days = value, known
    if running and (known > 1 or value == of_today):
        # For a site first counted today, no day is over.
        over, days = value - of_today, max(known - 1, 0)
    months = scope.span.months
    is_whole = months > 1 and known == scope.span.days and not running
    return TrafficMeans(over / days if days else None, value / months if is_whole else None)
