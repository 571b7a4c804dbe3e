"""The numbers of many sites for a report, with a few statements for all of them together.

What is counted under one name counts once, see `ManySites.together`. Sites with corrections or
possible duplicates in the table are read one by one.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from msgspec import structs

from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import Counts, Measure
from services.api.stats.grammar.query import MAX_LIMIT
from services.api.stats.grammar.site_query import CHARTED
from services.api.stats.many import queries_many
from services.api.stats.many.many_sites import ManySites, openings_of, read_many
from services.api.stats.panels.breakdowns import question_of
from services.api.stats.panels.contents import KeptHits
from services.api.stats.panels.means import gaps_of, known_days
from services.api.stats.periods.opening import NO_OPENING, Opening, OpeningNumbers
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import Interval, Span
from services.api.stats.queries import kept
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import in_intervals, merge_counts, summed
from services.api.stats.reports import queries_group
from services.api.stats.reports.queries_group import HitsOfSites
from services.api.stats.reports.report_query import ReportScope
from services.api.stats.reports.site_numbers import (
    LISTS,
    ROWS,
    ComparedCounts,
    ListedCount,
    ListNumbers,
    NumbersOfSite,
    ReportedNumbers,
    dated,
    listed,
)
from services.model.calendar import to_date
from services.model.downloads import downloads_of
from services.model.site import Site


class _Days(NamedTuple):
    """What is read for all names together.

    by_name    by name, the views, visits and visitors of each day so far
    downloads  of all names, in the period and in those it is compared with
    """

    by_name: Mapping[str, Sequence[Counts]]
    downloads: ComparedCounts
    entered: Mapping[str, OpeningNumbers]
    hits: HitsOfSites
    held: Mapping[str, Mapping[int, int]]
    with_balances: frozenset[str]


async def numbers_of_group(
    reader: StatsReader,
    sites: Sequence[Site],
    scope: ReportScope,
    at_ms: int,
    *,
    is_public: bool,
    is_final: bool = False,
) -> ReportedNumbers:
    """Read what a report of several sites needs. Raises ApiError.

    is_public  whether strangers see it: then hidden pages are left out
    is_final   see `listed`
    """
    before = await read_many(reader, sites, scope.before.query, at_ms, of_whole_days=True)
    year_before = await read_many(reader, sites, scope.year_before.query, at_ms, of_whole_days=True)
    names = sorted({part.kept_as for site in sites for part in reader.parts(site)})
    days = await _read(reader, sites, names, scope, before, year_before)
    once = _counted_once(reader, sites)
    lists = _Lists(reader, once, scope, days, is_public=is_public, is_final=is_final)
    together, of_year = before.together(sites), year_before.together(sites)
    entered = [days.entered.get(name, NO_OPENING) for name in names]
    # All that a row of days needs from a snapshot are the opening balances.
    first, *others = [Snapshot("", scope.span, {}, -1, {}, opening=one) for one in entered]
    moment = first._replace(parts=others)
    whole = structs.replace(
        question_of(sites[0], scope.before, CHARTED), span=scope.span, snapshot=moment
    )
    by_day: dict[int, Counts] = {}
    if scope.before.opening is not Opening.ONLY:
        for of_name in days.by_name.values():
            merge_counts(by_day, dict(enumerate(of_name, scope.elapsed.first)))
    read = {name: await lists.read(name) for name in LISTS}
    today = scope.before.today
    return ReportedNumbers(
        [_site(site, before, year_before) for site in sites],
        ComparedCounts(
            together.now,
            together.before,
            of_year.before,
            by_day.get(today),
            together.is_measured,
            of_year.is_measured,
        ),
        days.downloads,
        dated(in_intervals(whole, by_day, Interval.DATE)),
        dated(in_intervals(whole, by_day, Interval.MONTH)),
        read,
        together.since,
        known_days(scope.before, together.counted, entered),
        known_days(scope.before, together.counted, [], Measure.VISITORS),
        moment.entered(scope.elapsed, scope.before.today),
        await lists.kept() if any(one.partial or one.gone for one in read.values()) else None,
        {"before": together, "year_before": of_year},
        [
            gap
            for days, of in zip(scope.periods, (together, together, of_year), strict=False)
            for gap in gaps_of(scope.before, days, of.counted, entered)
        ],
    )


def _site(site: Site, before: ManySites, year_before: ManySites) -> NumbersOfSite:
    of_site = before.of(site)
    traffic = ComparedCounts(of_site.now, of_site.before, year_before.of(site).before)
    return NumbersOfSite(site, traffic, of_site.since)


def _counted_once(reader: StatsReader, sites: Sequence[Site]) -> list[Site]:
    """Return the sites without those included in the numbers of another one."""
    within = {part.kept_as for site in sites for part in reader.parts(site)[1:]}
    return [site for site in sites if site.kept_as not in within]


async def _read(
    reader: StatsReader,
    sites: Sequence[Site],
    names: Sequence[str],
    scope: ReportScope,
    before: ManySites,
    year_before: ManySites,
) -> _Days:
    downloads = [downloads_of(name) for name in names]

    async def downloaded(many: ManySites, span: Span | None) -> Counts | None:
        counted = [of.counted for of in map(many.of, sites) if of.since is not None]
        # Opening balances fill no gap in downloads: there are no balances of downloads.
        if span is None or any(one.uncounted(span) for one in counted):
            return None
        counts = await queries_many.sums(store, downloads, span, span.days)
        return summed(of_name[0] for of_name in counts.values())

    today = Span(scope.before.today, scope.before.today)
    async with reader.turn() as store:
        # Before the positions up to which raw hits are read: then these hold all that is counted.
        by_name = await queries_many.sums(store, names, scope.elapsed, 1)
        hits = await queries_group.of_hits(store, names, scope.elapsed)
        now = await queries_many.sums(store, downloads, scope.elapsed, scope.elapsed.days)
        return _Days(
            by_name,
            ComparedCounts(
                summed(of_name[0] for of_name in now.values()),
                await downloaded(before, scope.before.before),
                await downloaded(year_before, scope.year_before.before),
                await downloaded(before, today) if scope.before.is_running else None,
            ),
            await openings_of(store, names),
            hits,
            await queries_group.held(store, hits, set(names) - hits.alone),
            await queries_group.with_balances_of_pages(store, names),
        )


class _Lists:
    """Reads what the traffic consists of: together where possible, the rest site by site."""

    def __init__(
        self,
        reader: StatsReader,
        sites: Sequence[Site],
        scope: ReportScope,
        days: _Days,
        *,
        is_public: bool,
        is_final: bool,
    ) -> None:
        self._reader = reader
        self._sites = sites
        self._scope = scope
        self._days = days
        self._is_public = is_public
        self._is_final = is_final
        self._kept_visits = 0

    async def kept(self) -> KeptHits:
        """Return what is kept of the raw hits of all sites, once the lists are read."""
        held = self._days.held
        since = min((day for of_name in held.values() for day in of_name), default=None)
        if since is None:
            async with self._reader.turn() as store:
                since = await kept.first_kept(store, list(self._days.by_name))
        whole = sum(of.visits for of_name in self._days.by_name.values() for of in of_name)
        return KeptHits(since, min(self._kept_visits, whole), whole)

    async def read(self, name: str) -> ListNumbers:
        """Return one of LISTS."""
        if self._scope.before.opening is Opening.ONLY and name != "pages":
            return ListNumbers([])
        return await (self._pages() if name == "pages" else self._values(LISTS[name]))

    async def _pages(self) -> ListNumbers:
        alone = [site for site in self._sites if not self._has_plain_pages(site)]
        plain = {site.kept_as: site.slug for site in self._sites if site not in alone}
        span, hits = self._scope.elapsed, self._days.hits
        # Day counters are many times as many rows as month counters.
        by_hits = set() if _are_months(span) else {name for name in plain if self._is_held(name)}
        async with self._reader.turn() as store:
            pages = [
                *await queries_group.most_read(store, sorted(plain.keys() - by_hits), span, ROWS),
                *await queries_group.most_read_in(store, hits, by_hits, ROWS),
            ]
        rows = [ListedCount(path, views, plain[name]) for name, path, views in pages]
        one_by_one = [(site, await self._of_one(site, Property.PAGE, ROWS)) for site in alone]
        rows += [row._replace(site=site.slug) for site, of in one_by_one for row in of.rows]
        return self._ranked(rows, [of for _, of in one_by_one])

    def _has_plain_pages(self, site: Site) -> bool:
        """Tell whether a site's pages can be read from its counters, path by path."""
        opening = self._scope.before.opening
        return not (
            opening is Opening.ONLY
            or site.page_aliases
            or (self._is_public and site.hidden_pages)
            or len(self._reader.parts(site)) > 1
            or site.kept_as in self._days.hits.corrected
            or (opening is not Opening.EXCLUDE and site.kept_as in self._days.with_balances)
        )

    async def _values(self, by: Property) -> ListNumbers:
        names = {site: self._names(site) for site in self._sites}
        alone = [site for site, of in names.items() if of & self._days.hits.alone]
        plain = {name for site, of in names.items() if site not in alone for name in of}
        async with self._reader.turn() as store:
            visits = await queries_group.visits_by(store, self._days.hits, plain, by)
        counts = Counter({by.shown(name): count for name, count in visits.items()})
        one_by_one = [await self._of_one(site, by, MAX_LIMIT) for site in alone]
        for one in one_by_one:
            counts.update({row.name: row.counted for row in one.rows})
        self._kept_visits = max(self._kept_visits, sum(counts.values()))
        rows = [ListedCount(*row) for row in counts.items()]
        listed = self._ranked(rows, one_by_one, partial=not all(map(self._is_held, plain)))
        return listed._replace(gone=listed.partial and not listed.rows)

    def _names(self, site: Site) -> frozenset[str]:
        return frozenset(part.kept_as for part in self._reader.parts(site))

    def _is_held(self, name: str) -> bool:
        """Tell whether all counted raw hits of a name exist, each once.

        Of a running day there may be more of them: those counted since the counters were read.
        """
        first, held = self._scope.elapsed.first, self._days.held.get(name, {})
        of_days = enumerate(self._days.by_name[name], first)
        return name not in self._days.hits.alone and all(
            counts.pageviews <= held.get(day, 0) for day, counts in of_days
        )

    async def _of_one(self, site: Site, by: Property, most: int) -> ListNumbers:
        question = question_of(site, self._scope.before, CHARTED)
        return await listed(
            self._reader,
            question,
            by,
            is_public=self._is_public,
            is_final=self._is_final,
            most=most,
        )

    def _ranked(
        self, rows: Iterable[ListedCount], read: Sequence[ListNumbers], *, partial: bool = False
    ) -> ListNumbers:
        """Return the top rows; marked partial when raw hits of a site are gone."""
        most = sorted(rows, key=lambda row: (-row.counted, row.site, row.name))[:ROWS]
        problems = dict.fromkeys(one.problem for one in read if one.problem)
        return ListNumbers(
            most, "; ".join(problems), partial or any(one.partial or one.gone for one in read)
        )


def _are_months(span: Span) -> bool:
    """Tell whether days are whole calendar months."""
    return bool(span.months) and to_date(span.first).day == 1
