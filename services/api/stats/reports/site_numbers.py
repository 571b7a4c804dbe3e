"""The numbers of one site for a report, from the reader that the dashboard and the API use."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from http import HTTPStatus
from typing import NamedTuple

from msgspec import structs

from services.api.stats.grammar.filters import Property
from services.api.stats.grammar.measures import Counts, Measure
from services.api.stats.grammar.query import BreakdownQuery, StatsQuery, apart
from services.api.stats.grammar.site_query import CHARTED
from services.api.stats.many.many_sites import SumOfSites
from services.api.stats.panels.breakdowns import ordered_by, question_of
from services.api.stats.panels.contents import KeptHits
from services.api.stats.panels.kept import kept_of
from services.api.stats.panels.means import gaps_of, known_days
from services.api.stats.periods.counted_days import CountedDays
from services.api.stats.periods.opening import Opening
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import Interval, Span
from services.api.stats.readers.reader import StatsReader
from services.api.stats.readers.results import HitsGoneError, StatsResult
from services.api.stats.reports.report_query import ReportScope
from services.http.errors import ApiError
from services.model.kept_apart import Apart
from services.model.site import Site

LISTS = {"pages": Property.PAGE, "sources": Property.SOURCE, "devices": Property.DEVICE}
"""What a report lists, by the names of its fields."""
ROWS = 20
_PASSING = (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS)


class ListedCount(NamedTuple):
    """A row of a list; `site` is the slug of its site in a report of several."""

    name: str
    counted: int
    site: str = ""


class ListNumbers(NamedTuple):
    """Rows of a breakdown, or why there are none.

    problem  why they could not be read; in a report of several sites, of some of these
    partial  raw hits of some days are gone
    gone     those of all days are
    """

    rows: list[ListedCount]
    problem: str = ""
    partial: bool = False
    gone: bool = False


class ComparedCounts(NamedTuple):
    """Counts of a period and of those it is compared with; None when not all is known.

    today  of the current day; None when it is not in the period
    before_is_measured  whether all of `before` was counted; if not, only opening balances tell some
                        of it, and these have views and visits alone
    year_before_is_measured  the same of `year_before`
    """

    now: Counts
    before: Counts | None
    year_before: Counts | None
    today: Counts | None = None
    before_is_measured: bool = True
    year_before_is_measured: bool = True


class NumbersOfSite(NamedTuple):
    """The traffic of one of the sites, and its first counted day."""

    site: Site
    traffic: ComparedCounts
    first_day: int | None


class ReportedNumbers(NamedTuple):
    """What a report needs of a site, or of a group of sites.

    sites          each by itself, in the order of the report
    by_day, by_month  rows named by their first day
    first_day      the first counted day; None when nothing was
    known_days     how many of the days so far anything is known about
    counted_days   how many of them were counted
    entered        views and visits from opening balances in the period
    kept           what is kept of raw hits, if a list lacks any
    sums           for a group, its sums compared with the period before and the year before
    gaps           uncounted days between counted ones, in all three periods
    """

    sites: Sequence[NumbersOfSite]
    traffic: ComparedCounts
    downloads: ComparedCounts
    by_day: list[tuple[date, Counts]]
    by_month: list[tuple[date, Counts]]
    lists: dict[str, ListNumbers]
    first_day: int | None
    known_days: int
    counted_days: int
    entered: tuple[int, int]
    kept: KeptHits | None = None
    sums: Mapping[str, SumOfSites] = {}
    gaps: Sequence[Span] = ()


async def numbers_of(
    reader: StatsReader,
    site: Site,
    scope: ReportScope,
    *,
    is_public: bool,
    is_final: bool = False,
) -> ReportedNumbers:
    """Read what a report needs, all but downloads as of one moment. Raises ApiError.

    is_public  whether strangers see it: then hidden pages are left out
    is_final   see `listed`
    """
    days = scope.all_days.with_those(scope.elapsed)
    moment, first_day = await asyncio.gather(
        reader.snapshot(site, days, with_opening=True), reader.first_day(site)
    )
    question = question_of(site, scope.before, CHARTED).as_of(moment)
    # Future days count 0: there is a row for each day of the period, as in the chart.
    whole = structs.replace(question, span=scope.span)
    of_downloads = structs.replace(
        question,
        site=apart(site, Apart.DOWNLOADS),
        measures=(Measure.DOWNLOADS,),
        snapshot=None,
        opening=Opening.EXCLUDE,
    )
    # Opening balances fill a gap only in numbers that include them.
    entered = None if scope.before.opening is Opening.EXCLUDE else moment
    counted = CountedDays.of(first_day, moment, scope.before.today)
    reading = _Compare(reader, scope, counted)
    (traffic, downloads), (by_day, by_month), lists = await asyncio.gather(
        asyncio.gather(reading.compared(question, entered), reading.compared(of_downloads, None)),
        asyncio.gather(
            reader.timeseries(whole, Interval.DATE), reader.timeseries(whole, Interval.MONTH)
        ),
        asyncio.gather(
            *(
                listed(reader, question, by, is_public=is_public, is_final=is_final)
                for by in LISTS.values()
            )
        ),
    )
    is_less = any(one.partial or one.gone for one in lists)
    return ReportedNumbers(
        [NumbersOfSite(site, traffic, first_day)],
        traffic,
        downloads,
        dated(by_day),
        dated(by_month),
        dict(zip(LISTS, lists, strict=True)),
        first_day,
        known_days(scope.before, counted, [moment.opening]),
        known_days(scope.before, counted, [], Measure.VISITORS),
        moment.entered(scope.elapsed, scope.before.today),
        await kept_of(reader, question) if is_less else None,
        gaps=[
            gap
            for days in scope.periods
            for gap in gaps_of(scope.before, days, counted, [moment.opening])
        ],
    )


def dated(result: StatsResult) -> list[tuple[date, Counts]]:
    """Return the rows of a timeseries with their first days."""
    return [(date.fromisoformat(row.name), row.counts) for row in result.rows]


class _Compare:
    """Reads a period and those it is compared with."""

    def __init__(self, reader: StatsReader, scope: ReportScope, counted: CountedDays) -> None:
        self._reader = reader
        self._scope = scope
        self._counted = counted

    async def compared(self, asked: StatsQuery, entered: Snapshot | None) -> ComparedCounts:
        """Return the counts of all three."""
        now, before, year_before = await asyncio.gather(
            self._reader.total(asked, partly=True),
            self._known(asked, self._scope.before.before, entered),
            self._known(asked, self._scope.year_before.before, entered),
        )
        today: Counts | None = None
        if self._scope.before.is_running:
            day = self._scope.before.today
            running = await self._reader.total(asked.about(Span(day, day)), partly=True)
            today = running.total()
        return ComparedCounts(
            now.total(),
            before,
            year_before,
            today,
            self._is_measured(self._scope.before.before),
            self._is_measured(self._scope.year_before.before),
        )

    def _is_measured(self, days: Span | None) -> bool:
        return days is None or self._counted.uncounted(days) is None

    async def _known(
        self, asked: StatsQuery, days: Span | None, entered: Snapshot | None
    ) -> Counts | None:
        if days is None:
            return None
        today = self._scope.before.today
        covered = set() if entered is None else entered.opening.covered(days, today)
        if self._counted.uncounted(days, covered):
            return None
        result = await self._reader.total(asked.about(days), partly=True)
        return None if result.warnings else result.total()


async def listed(
    reader: StatsReader,
    asked: StatsQuery,
    by: Property,
    *,
    is_public: bool,
    is_final: bool = False,
    most: int = ROWS,
) -> ListNumbers:
    """Return the first rows of a breakdown of one site.

    is_final  whether nobody can ask again: what will pass is then raised (ApiError), not left out
    """
    measure = ordered_by(by)
    question = structs.replace(asked, measures=(measure,))
    if is_public:
        question = question.of_shown_pages(by, reader.parts(question.site))
    try:
        result = await reader.breakdown(question, BreakdownQuery(by, most, 1))
    except HitsGoneError:
        return ListNumbers([], gone=True)
    except ApiError as error:
        if is_final and error.status in _PASSING:
            raise
        return ListNumbers([], "; ".join(error.errors.values()))
    counts = [(row.name, int(row.counts.value(measure) or 0)) for row in result.rows]
    rows = [ListedCount(name, count) for name, count in counts if count]
    return ListNumbers(rows, partial=bool(result.warnings))
