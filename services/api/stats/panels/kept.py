"""How much of a period its raw hits still cover: `kept_of`.

Counters are kept for good, raw hits for a time (`LUOT_HITS_DAYS`). After that, what is read from
hits covers only part of the period, and its percentages are of that part.
"""

from msgspec import structs

from services.api.stats.grammar.measures import Measure
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.panels.contents import KeptHits
from services.api.stats.periods.opening import Opening
from services.api.stats.queries import hits, kept
from services.api.stats.readers.reader import StatsReader


async def kept_of(reader: StatsReader, query: StatsQuery) -> KeptHits:
    """Return what is kept of the days of a query, regardless of filters. Raises ApiError."""
    question = structs.replace(
        query, filters=(), measures=(Measure.VISITS,), opening=Opening.EXCLUDE
    )
    question = question.as_of(query.snapshot or await reader.snapshot(query.site, query.span))
    first: list[int] = []
    visits = whole = 0
    async with reader.turn() as store:
        parts = reader.of_parts(question)
        for part in parts:
            counted = await reader.known(part)
            coverage, _ = await reader.hits(part, counted, partly=True)
            by_day = await hits.by_day(store, part, coverage)
            first += [day for day, counts in by_day.items() if counts.pageviews]
            visits += sum(counts.visits for counts in by_day.values())
            whole += sum(of_day for _, of_day in counted.within(query.span).values())
        since = min(first, default=None)
        if since is None:
            since = await kept.first_kept(store, [part.site.kept_as for part in parts])
    return KeptHits(since, min(visits, whole), whole)
