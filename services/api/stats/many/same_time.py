"""What many sites counted on the day that today is compared with, up to the same time."""

from collections.abc import Mapping

from services.api.stats.grammar.measures import Counts
from services.api.stats.grammar.query import StatsQuery
from services.api.stats.grammar.site_query import CHARTED
from services.api.stats.many import queries_same_time
from services.api.stats.periods.spans import Span
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import summed
from services.api.stats.reports import queries_group
from services.model.site import Site
from services.store.interface import Store


async def read(
    reader: StatsReader,
    store: Store,
    sites: Mapping[str, Site],
    moments: Mapping[str, int],
    day: Span,
    whole: Mapping[str, Counts],
) -> dict[str, Counts | None]:
    """Return the counts by the names that sites are kept under; None when raw hits are gone.

    moments  the time up to which each counts, in ms since 1970
    whole    what was counted on the whole day

    One statement reads all sites with the same moment; those with corrections are read one by
    one. Raises StoreError, ApiError.
    """
    hits = await queries_group.of_hits(store, sorted(sites), day)
    by_name: dict[str, Counts | None] = {}
    for moment in sorted(set(moments.values())):
        names = {name for name, of in moments.items() if of == moment} - hits.alone
        counted = await queries_same_time.until(store, hits, names, moment)
        for name in names:
            counts, views = counted.get(name, (Counts(), 0))
            by_name[name] = counts if views == whole[name].pageviews else None
    for name in sorted(hits.alone & sites.keys()):
        query = StatsQuery(sites[name], day, CHARTED, until_ms=moments[name])
        days, warnings = await reader.days_of_one(query, partly=True)
        by_name[name] = None if warnings else summed(days.values())
    return by_name
