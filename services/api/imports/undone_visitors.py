"""How many visitors of each day disappear with an import.

Visitors are counted with sketches, from which nothing can be subtracted. So it is what a day shows
minus those who remain: by their raw hits or, if these are gone, in proportion to the visits.
"""

from collections.abc import Sequence
from itertools import groupby

from services.api.counter import queries as counter_queries
from services.api.sites.corrections import queries_corrections
from services.api.sites.corrections.change import days_held
from services.api.sites.corrections.queries_corrections import Selection
from services.api.stats.periods import snapshot
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import Span
from services.api.stats.queries import coverage as queries_coverage
from services.api.stats.queries import hits
from services.model.calendar import Grain, period_start
from services.store.counts.corrections import active
from services.store.counts.import_counts import POSITIONS, ImportedDay
from services.store.interface import Store


async def visitors_of(
    store: Store, site: str, producer: str, of: Sequence[ImportedDay]
) -> dict[int, int]:
    """Return how many visitors disappear, by day. Raises StoreError."""
    fallen: dict[int, int] = {}
    # A month at a time, so that no statement is expensive.
    for _, days in groupby(of, key=lambda each: period_start(each.day, Grain.MONTH)):
        fallen |= await _of_month(store, site, producer, list(days))
    return fallen


async def _of_month(
    store: Store, site: str, producer: str, of: Sequence[ImportedDay]
) -> dict[int, int]:
    span = Span(of[0].day, of[-1].day)
    counted = await snapshot.take(store, site, span)
    coverage = await queries_coverage.coverage_of(store, site, span, counted)
    bare = coverage._replace(taken=(), moved=())
    others = [row for row in active(counted.ledger) if row.touches(*span)]
    parameters = hits.days(site, span) | {"producer": producer}
    selection = Selection(bare, others, f"position IN ({POSITIONS})", parameters)
    covered = await days_held(store, coverage, counted)
    seen = await queries_corrections.visitors(store, selection, gives_back=False) if covered else {}
    sketches = await counter_queries.visitors(store, [site], span.first, span.last + 1)
    return {
        each.day: _fallen(
            counted,
            each,
            sketches.get(site, {}).get(each.day, 0),
            seen.get(each.day, (0, 0))[1] if each.day in covered else None,
        )
        for each in of
    }


def _fallen(counted: Snapshot, each: ImportedDay, sketch: int, left: int | None) -> int:
    before = counted.counted.get(each.day, (0, 0))[1]
    visits = max(0, before - each.visits)
    shown = max(0, sketch - counted.taken_of(each.day).visitors)
    if left is None:
        left = round(min(shown, before) * visits / before) if before else 0
    return shown - min(left, visits)
