"""The titles of a report's pages."""

from collections.abc import Sequence

from services.api.stats.readers.reader import StatsReader
from services.api.stats.reports.site_numbers import ListedCount
from services.model.site import Site
from services.store.records import titles

PageOfSite = tuple[str, str]
"""The slug of a site, '' in the report of a single site, and a path."""


async def titles_of(
    reader: StatsReader, sites: Sequence[Site], rows: Sequence[ListedCount]
) -> dict[PageOfSite, str]:
    """Return the titles of listed pages that have one, with one statement. Raises ApiError."""
    if not rows:
        return {}
    by_slug = {site.slug: site for site in sites}
    parts = {
        slug: [part.kept_as for part in reader.parts(by_slug.get(slug, sites[0]))]
        for slug in {row.site for row in rows}
    }
    names = sorted({name for of_site in parts.values() for name in of_site})
    async with reader.turn() as store:
        known = await titles.by_name(store, names, sorted({row.name for row in rows}))
    return {
        (row.site, row.name): title
        for row in rows
        if (title := titles.first_of(known, parts[row.site], row.name))
    }
