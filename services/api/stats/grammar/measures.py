"""The measures of a query, and how they follow from what was counted."""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from services.model.kept_apart import Apart


class Measure(StrEnum):
    """A column of an answer."""

    VISITORS = "visitors"
    VISITS = "visits"
    PAGEVIEWS = "pageviews"
    VIEWS_PER_VISIT = "views_per_visit"
    BOUNCE_RATE = "bounce_rate"
    VISIT_DURATION = "visit_duration"
    BOTS = "bots"
    DOWNLOADS = "downloads"
    """Must be asked for alone, like those after it: each is kept as the views of its own site."""
    NOT_FOUND = "not_found"
    SEARCHES = "searches"
    OUTBOUND = "outbound_links"


Value = int | float | None

APART: Mapping[Measure, Apart] = {Measure(kind.value): kind for kind in Apart}
"""The measures of what is kept apart from views."""
COUNTED = frozenset({Measure.PAGEVIEWS, Measure.VISITS, Measure.VIEWS_PER_VISIT, *APART})
"""The measures that follow from views and visits alone."""
ENTERED = frozenset({Measure.PAGEVIEWS, Measure.VISITS})
"""The measures that opening balances have."""
LENGTHS = frozenset({Measure.BOUNCE_RATE, Measure.VISIT_DURATION})
"""The measures that need every visit to be reconstructed from its hits."""
RATES = LENGTHS | {Measure.VIEWS_PER_VISIT}
"""The measures that are not counts: they follow from counts once all of these are added up."""


class Counts(msgspec.Struct, gc=False):
    """What was counted over some hits; counts of different days add up.

    bots       hits tagged as bots, in no other count
    measured   visits whose length is known
    bounces    of these, those with a single view
    ms         how long these lasted in total, from first to last view
    """

    pageviews: int = 0
    visits: int = 0
    visitors: int = 0
    bots: int = 0
    measured: int = 0
    bounces: int = 0
    ms: int = 0

    def add(self, other: "Counts") -> None:
        """Add other counts."""
        # Three years of a few sites are a hundred thousand of these: a loop over the field names
        # would take four times as long.
        self.pageviews += other.pageviews
        self.visits += other.visits
        self.visitors += other.visitors
        self.bots += other.bots
        self.measured += other.measured
        self.bounces += other.bounces
        self.ms += other.ms

    def value(self, measure: Measure) -> Value:
        """Return one measure; None when it is not known."""
        match measure:
            case Measure.VIEWS_PER_VISIT:
                return round(self.pageviews / self.visits, 2) if self.visits else 0
            case Measure.BOUNCE_RATE:
                return round(100 * self.bounces / self.measured) if self.measured else 0
            case Measure.VISIT_DURATION:
                return round(self.ms / 1000 / self.measured) if self.measured else None
            case _ if measure in APART:
                return self.pageviews
            case _:
                count: int = getattr(self, measure)
                return count


def change(measure: Measure, now: Value, before: Value, digits: int | None = None) -> Value:
    """Return the change in percent, or in percentage points for a rate; None when there is none.

    There is none from zero, either: no percentage leads from 0 to 5. `digits` are those after the
    decimal point; None is a whole number.
    """
    if now is None or before is None:
        return None
    if measure is Measure.BOUNCE_RATE:
        return now - before
    if before == 0:
        return None if now > 0 else 0
    return round((now - before) / before * 100, digits)
