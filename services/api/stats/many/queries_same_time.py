"""The statement that counts part of a day for many sites, from its start to some moment."""

from collections.abc import Iterable

from services.api.stats.grammar.measures import Counts
from services.api.stats.reports import queries_group
from services.api.stats.reports.queries_group import HitsOfSites
from services.store.interface import Store

# Visitors are those who began the visits, as for a single site.
_UNTIL = f"""
SELECT
    site,
    count() AS whole,
    countIf(at < %(until)s) AS views,
    countIf(at < %(until)s AND visit = 1) AS visits,
    least(
        toUInt64(uniqCombinedIf(visitor, at < %(until)s AND visit = 1 AND visitor != 0)),
        countIf(at < %(until)s AND visit = 1))
{queries_group.HITS}
GROUP BY site
"""


async def until(
    store: Store, hits: HitsOfSites, names: Iterable[str], until_ms: int
) -> dict[str, tuple[Counts, int]]:
    """Return what each site counted before a moment, and the raw views it has of the whole day.

    until_ms  in ms since 1970

    Raises StoreError.
    """
    parameters = hits.parameters(names)
    if not parameters:
        return {}
    rows = await store.execute(_UNTIL, {**parameters, "until": until_ms})
    return {
        name: (Counts(pageviews=views, visits=visits, visitors=visitors), whole)
        for name, whole, views, visits, visitors in rows
    }
