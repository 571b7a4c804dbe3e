"""The table of sites: ranked, searched without diacritics, and sorted by any of its columns."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from services.api.counter.parameters import one_of
from services.api.stats.grammar.measures import Measure
from services.api.stats.grammar.site_query import CHARTED, Scope
from services.api.stats.many.many_sites import ManySites, SumOfSites
from services.api.stats.rows.search import MAX_SEARCH, finds, folded
from services.model.site import Site

NAME = "name"
SORTS = (NAME, *(measure.value for measure in CHARTED), "change", "online", "silent")
ASCENDING, DESCENDING = "asc", "desc"
ORDERS = (ASCENDING, DESCENDING)


class TableQuery(NamedTuple):
    """Which rows, and in which order.

    sort    one of SORTS; '' is the measure that the table is about
    order   one of ORDERS; '' is the usual one for the column
    search  text in the name, the slug or a host, with or without diacritics
    measure what ranks and changes refer to; that of the period's query
    """

    sort: str = ""
    order: str = ""
    search: str = ""
    measure: Measure = Measure.PAGEVIEWS

    def checked(self, measure: Measure) -> "TableQuery":
        """Return it with all defaults filled in. Raises ApiError, which names the parameter."""
        sort = one_of("sort", self.sort or measure.value, SORTS)
        usual = ASCENDING if sort == NAME else DESCENDING
        order = one_of("order", self.order or usual, ORDERS)
        return TableQuery(sort, order, self.search.strip()[:MAX_SEARCH], measure)


class RankedSite(NamedTuple):
    """A site in the table.

    rank    its place by the measure among all sites of the table, whatever is searched for
    online  current visitors; None when not known
    silent  for a site that fell silent, the time of its last view, in ms since 1970; else None
    """

    rank: int
    site: Site
    numbers: SumOfSites
    online: int | None = None
    silent: int | None = None


class SitesTable(NamedTuple):
    """The table.

    query  as checked
    rows   all that were found, in order
    total  of those that were found, with each view counted once
    sites  how many there are, found or not
    """

    scope: Scope
    query: TableQuery
    rows: Sequence[RankedSite]
    total: SumOfSites
    sites: int


def made(
    sites: Sequence[Site],
    many: ManySites,
    query: TableQuery,
    online: Mapping[str, int],
    silent: Mapping[str, int],
) -> SitesTable:
    """Return the table of sites; `online` and `silent` are by the names that they are kept under.

    Raises ApiError.
    """
    measure = many.scope.measure
    query = query.checked(measure)
    rows = [
        RankedSite(0, site, many.of(site), online.get(site.kept_as), silent.get(site.kept_as))
        for site in sites
    ]
    ranked = [row for row in _ranked(rows, measure) if _matches(row.site, query.search)]
    ranked = _ordered(ranked, query)
    total = many.together([row.site for row in ranked])
    return SitesTable(many.scope, query, ranked, total, len(rows))


def called(site: Site) -> tuple[str, str]:
    """Return the key by which sites are sorted by name: first without diacritics."""
    name = site.name or site.slug
    return folded(name), name


def _matches(site: Site, search: str) -> bool:
    return any(finds(search, text) for text in (site.slug, site.name, *site.hosts))


def _ranked(rows: Iterable[RankedSite], measure: Measure) -> list[RankedSite]:
    """Give each row its rank; equal numbers have the same rank."""
    counted = sorted(rows, key=lambda row: -_number(row, measure))
    ranked: list[RankedSite] = []
    for place, row in enumerate(counted, 1):
        before = ranked[-1] if ranked else None
        alike = before is not None and _number(before, measure) == _number(row, measure)
        ranked.append(row._replace(rank=before.rank if before and alike else place))
    return ranked


def _number(row: RankedSite, measure: Measure) -> int:
    return int(row.numbers.now.value(measure) or 0)


def _ordered(rows: Iterable[RankedSite], query: TableQuery) -> list[RankedSite]:
    """Sort; rows without a number come last in either order, and equal rows are sorted by name."""
    is_descending = query.order == DESCENDING
    by_name = sorted(rows, key=lambda row: called(row.site))
    if query.sort == NAME:
        return by_name[::-1] if is_descending else by_name
    keys = [_key(row, query) for row in by_name]
    known = [(key, row) for key, row in zip(keys, by_name, strict=True) if key is not None]
    known.sort(key=lambda pair: -pair[0] if is_descending else pair[0])
    unknown = [row for key, row in zip(keys, by_name, strict=True) if key is None]
    return [*(row for _, row in known), *unknown]


def _key(row: RankedSite, query: TableQuery) -> float | None:
    match query.sort:
        case "change":
            return row.numbers.change(query.measure)
        case "online":
            return row.online
        case "silent":
            return row.silent
    return row.numbers.now.value(Measure(query.sort))
