"""What entries of imports add, written separately, so that an import can be undone as a whole.

A function of the log like all results of the fold: an entry's rows are the same whenever it is
read, and are in the table before the counters count it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from services.aggregator.folding import AnyFolded
from services.model.hit import Visit
from services.store.counts import import_counts
from services.store.interface import Store


class AddedPage(NamedTuple):
    """What one entry of an import adds to a page and day."""

    site: str
    producer: str
    position: int
    day: int
    path: str


async def write(store: Store, fresh: Sequence[AnyFolded], replayed: Sequence[AnyFolded]) -> None:
    """Write what entries of imports add; of replayed ones, only what the store has lost."""
    views, visits = _added(replayed)
    if views:
        producers = {(page.site, page.producer) for page in views}
        positions = [page.position for page in views]
        stored = await import_counts.held(store, producers, min(positions), max(positions))
        views = Counter(
            {
                page: count
                for page, count in views.items()
                if (page.site, page.position) not in stored
            }
        )
    more_views, more_visits = _added(fresh)
    await _write(store, views | more_views, visits | more_visits)


def _added(runs: Iterable[AnyFolded]) -> tuple[Counter[AddedPage], Counter[AddedPage]]:
    """Return the views and visits that entries of imports add, by page and day."""
    views: Counter[AddedPage] = Counter()
    visits: Counter[AddedPage] = Counter()
    for run in runs:
        if not run.imported:
            continue
        folded = run.in_python
        hits = folded.hits
        for position, site, path, day, bot, visit in zip(
            folded.position, hits.site, hits.path, hits.day, hits.bot, folded.visit, strict=True
        ):
            producer = run.imported.get(position)
            if producer is None or bot:
                continue
            page = AddedPage(site, producer, position, day, path)
            views[page] += 1
            if visit == Visit.STARTS:
                visits[page] += 1
    return views, visits


async def _write(store: Store, views: Counter[AddedPage], visits: Counter[AddedPage]) -> None:
    if not views:
        return
    pages = list(views)
    columns = {name: [getattr(page, name) for page in pages] for name in AddedPage._fields}
    counts = {
        "views": [views[page] for page in pages],
        "visits": [visits[page] for page in pages],
    }
    await import_counts.write(store, {**columns, **counts})
