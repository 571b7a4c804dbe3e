"""What a correction would do to the public numbers, before it is made."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from services.api.counter import periods
from services.api.counter.reading import PageReading, Reading
from services.api.counter.routes import Counters
from services.api.sites.corrections.change import Change
from services.model.calendar import Grain
from services.model.site import Metric, Site
from services.store.counts.corrections import WHOLE_SITE

NAMED_PAGES = 20


class BeforeAfter(NamedTuple):
    """A public number as it is, and as it would be."""

    before: int
    after: int


class PagePreview(NamedTuple):
    """What is subtracted from a page, and its public numbers."""

    path: str
    views: int
    visits: int
    total: BeforeAfter
    today: BeforeAfter


class PublicPreview(NamedTuple):
    """The public numbers of a site by measure and line of the block, and those of its pages."""

    numbers: Mapping[Metric, Mapping[str, BeforeAfter]]
    pages: Sequence[PagePreview]


async def public_numbers(counters: Counters, site: Site, change: Change) -> PublicPreview:
    """Read the public numbers, and compute what they would be after a change. Raises StoreError."""
    pages = list(change.pages.items())[:NAMED_PAGES]
    of_all_addresses: dict[str, Counter[int]] = defaultdict(Counter)
    for (path, day), of_day in change.entries.items():
        if path != WHOLE_SITE:
            of_all_addresses[site.page_of(path)][day] += of_day.views
    readings, of_pages = await counters.read_now(site, [path for path, _ in pages])
    return PublicPreview(
        {metric: _of_site(reading, change, metric) for metric, reading in readings.items()},
        [
            PagePreview(
                path,
                taken.views,
                taken.visits,
                *_of_page(of_pages[path], of_all_addresses[site.page_of(path)]),
            )
            for path, taken in pages
            if path in of_pages
        ],
    )


def _of_site(reading: Reading, change: Change, metric: Metric) -> dict[str, BeforeAfter]:
    ledger = dict(reading.ledger)
    for day, taken in change.days.items():
        periods.add(ledger, Grain.DAY, day, -taken.of(metric))
    after = msgspec.structs.replace(reading, ledger=ledger).numbers(reading.day)
    before = reading.numbers(reading.day)
    return {line: BeforeAfter(before[line], after[line]) for line in before}


def _of_page(page: PageReading, taken: Counter[int]) -> tuple[BeforeAfter, BeforeAfter]:
    corrected = msgspec.structs.replace(
        page,
        ledger=page.ledger - sum(taken.values()),
        ledger_today=page.ledger_today - taken[page.day],
    )
    before, after = page.numbers(page.day), corrected.numbers(page.day)
    return (
        BeforeAfter(before["views"], after["views"]),
        BeforeAfter(before["today"], after["today"]),
    )
