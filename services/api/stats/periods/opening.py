"""The opening balances of a period: what a portal brought along, besides what was measured.

A balance is for a day, a month, a year or all time, and each is a number by itself: that of a year
is not the sum of its months. So a period takes a year that lies within it as one number, then from
what is left each month that has its own number, and from the rest the days. The total of all time
lies within no period.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

from services.api.counter.periods import Key
from services.api.stats.periods.spans import Span
from services.model.calendar import Grain, period_end
from services.store.interface import Store
from services.store.records import balances

_LONGEST_FIRST = (Grain.YEAR, Grain.MONTH, Grain.DAY)


class Opening(StrEnum):
    """Whether opening balances are in the numbers; `only` is without what was measured."""

    EXCLUDE = "exclude"
    INCLUDE = "include"
    ONLY = "only"


class OpeningNumbers(msgspec.Struct, frozen=True):
    """What the ledger holds for a site or a page: views and visits by period."""

    counts: Mapping[Key, tuple[int, int]] = {}

    def within(self, span: Span, today: int) -> tuple[int, int]:
        """Return the views and visits of a period.

        today  the site's: an unfinished month or year lies within a period up to today
        """
        taken = [self.counts[key] for key, _ in self._tiles(span, today)]
        return sum(views for views, _ in taken), sum(visits for _, visits in taken)

    def covered(self, span: Span, today: int) -> set[int]:
        """Return the days of a period for which something was entered."""
        return {
            day
            for _, days in self._tiles(span, today)
            for day in range(days.first, min(days.last, span.last) + 1)
        }

    def _tiles(self, span: Span, today: int) -> Iterator[tuple[Key, Span]]:
        """Yield the entries that a period takes, each with the days that it covers."""
        covered: set[int] = set()
        for grain in _LONGEST_FIRST:
            for start in self._starts(grain, span):
                key = (grain, start)
                if start in covered or not any(self.counts.get(key, ())):
                    continue
                days = Span(start, period_end(start, grain) - 1)
                if min(days.last, max(today, start)) <= span.last:
                    covered.update(range(days.first, min(days.last, span.last) + 1))
                    yield key, days

    def _starts(self, grain: Grain, span: Span) -> Iterable[int]:
        """Return the days on which an entry of a grain may begin, in order."""
        if len(self.counts) > span.days:
            return range(span.first, span.last + 1)
        return sorted(start for of, start in self.counts if of is grain and span.holds(start))


NO_OPENING = OpeningNumbers()


async def of_site(store: Store, site: str) -> OpeningNumbers:
    """Read what the ledger holds for a whole site. Raises StoreError."""
    sums = await balances.sums(store, site, [""])
    return OpeningNumbers({(grain, start): counts for (_, grain, start), counts in sums.items()})


async def of_pages(store: Store, site: str, span: Span, today: int) -> dict[str, tuple[int, int]]:
    """Return the views and visits in a period of each page with dated balances.

    They are 0 for pages whose balances are for other dates. Raises StoreError.
    """
    pages: dict[str, dict[Key, tuple[int, int]]] = {}
    for (path, grain, start), counts in (await balances.all_sums(store, site)).items():
        if path and grain is not Grain.TOTAL:
            pages.setdefault(path, {})[grain, start] = counts
    return {path: OpeningNumbers(counts).within(span, today) for path, counts in pages.items()}


async def of_pages_of(
    store: Store,
    sites: Iterable[str],
    page_of: Callable[[str], str],
    span: Span,
    today: int,
) -> dict[str, tuple[int, int]]:
    """Return the same for several sites together, by the page that each path belongs to."""
    pages: dict[str, tuple[int, int]] = {}
    for site in sites:
        for path, (views, visits) in (await of_pages(store, site, span, today)).items():
            before = pages.get(page_of(path), (0, 0))
            pages[page_of(path)] = (before[0] + views, before[1] + visits)
    return pages
