"""The fold: from the batches of one partition to changes of counter rows.

A pure function of the log: it reads no clock and does not know where a flush begins or ends.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, compress, repeat
from typing import Self

import msgspec

from services.aggregator.online_window import OnlineWindow, PackedOnline
from services.aggregator.repetitions import PackedRepetitions, Repetitions
from services.aggregator.visits import FORGET_MS, PackedVisits, Visits
from services.log.batch import Batch
from services.model.calendar import Grain, period_start
from services.model.hit import Visit
from services.store.counts.counters import ABSENT, CounterKey, CounterRow

WHOLE_SITE = ""
_STARTS = int(Visit.STARTS)

Seen = tuple[str, str, int]
"""(site, path, day) of a hit."""
Read = tuple[int, int, Batch]
"""Position and log time, in ms, of an entry of the log, and its batch."""


class Folded(msgspec.Struct, frozen=True, gc=False):
    """A run of batches and what they add to the counters.

    first, last  lowest and highest position of the run
    hits         the columns of the batches, concatenated, without duplicates
    position     of each hit
    visit        a Visit for each hit; UNDECIDED for bots and hits without a visitor
    views        (site, path, day) → views of a page; a site's are the sum over its pages
    visits       the same for visits, without those that have none
    ends         the same for the position of the last view
    repeated     how many hits were duplicates of others
    size         bytes of the entries of the log
    arrived      hits by the log time of their entries, in ms
    imported     position → producer, of the entries of imports
    """

    partition: int
    first: int
    last: int
    hits: Batch
    position: list[int]
    visit: list[int]
    views: dict[Seen, int]
    visits: dict[Seen, int]
    ends: dict[Seen, int]
    repeated: int = 0
    size: int = 0
    arrived: dict[int, int] = {}
    imported: dict[int, str] = {}

    @classmethod
    def of_hits(
        cls,
        partition: int,
        ends: tuple[int, int],
        hits: Batch,
        positions: list[int],
        visit: list[int],
    ) -> Self:
        """Return a run of hits, from and to these positions, with what they add."""
        humans = [not bot for bot in hits.bot]
        starts = [decided == _STARTS for decided in visit]
        pages = list(zip(hits.site, hits.path, hits.day, strict=True))
        views, visits = Counter(compress(pages, humans)), Counter(compress(pages, starts))
        last_views = dict(compress(zip(pages, positions, strict=True), humans))
        return cls(partition, *ends, hits, positions, visit, views, visits, last_views)

    def __len__(self) -> int:
        return len(self.position)

    @property
    def in_python(self) -> Self:
        """Itself; the counterpart in C converts."""
        return self

    def no_pages(self) -> "FoldedPages":
        """Return an empty set of pages, to which those of runs like this one can be added."""
        return FoldedPages()

    def since(self, seen: Seen, after: int) -> tuple[int, int]:
        """Return the views and visits that the batches after a position add; see Added.pages."""
        site, path, day = seen
        if after >= (self.last if path == WHOLE_SITE else self.ends.get(seen, -1)):
            return 0, 0
        if after < self.first:
            return self._sum(self.views, seen), self._sum(self.visits, seen)
        hits = self.hits
        visit = [
            decided
            for position, of_site, of_path, of_day, bot, decided in zip(
                self.position, hits.site, hits.path, hits.day, hits.bot, self.visit, strict=True
            )
            if position > after
            and not bot
            and of_site == site
            and of_day == day
            and path in (of_path, WHOLE_SITE)
        ]
        return len(visit), visit.count(_STARTS)

    def _sum(self, counts: Mapping[Seen, int], seen: Seen) -> int:
        site, path, day = seen
        if path != WHOLE_SITE:
            return counts.get(seen, 0)
        return sum(
            count
            for (of_site, _, of_day), count in counts.items()
            if of_site == site and of_day == day
        )


class FoldedPages:
    """Distinct pages with views, of several runs: a (site, path, day) each."""

    def __init__(self) -> None:
        self._seen: set[Seen] = set()

    def __len__(self) -> int:
        return len(self._seen)

    def add(self, run: Folded) -> None:
        """Add the pages of a run."""
        self._seen.update(run.views)


class PackedFold(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A PartitionFold as bytes: everything that folding later entries depends on."""

    position: int
    repetitions: PackedRepetitions
    visits: PackedVisits
    online: PackedOnline


SeenRun = tuple[Batch, list[int], list[int], list[int]]
"""The hits of a run, position and log time of each, and the decision about visits."""


class PartitionFold:
    """The state of one partition: visits, online visitors, and how far it has been read."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.position = -1
        self.repetitions = Repetitions()
        self.visits = Visits()
        self.online = OnlineWindow()

    def fold(
        self, run: Sequence[Read], size: int = 0, imported: Mapping[int, str] | None = None
    ) -> Folded:
        """Fold the next batches of the log. The result does not depend on how they are cut.

        size      bytes of their entries
        imported  position → producer, of those of imports
        """
        hits, positions, times, visit = self._see(self._timed(run))
        folded = Folded.of_hits(self.partition, (run[0][0], run[-1][0]), hits, positions, visit)
        return msgspec.structs.replace(
            folded,
            repeated=sum(len(batch) for _, _, batch in run) - len(hits),
            size=size,
            arrived=Counter(times),
            imported=dict(imported or {}),
        )

    def pack(self) -> PackedFold:
        """Return a copy of the state, some 20 bytes a remembered visitor."""
        return PackedFold(
            self.position, self.repetitions.pack(), self.visits.pack(), self.online.pack()
        )

    @classmethod
    def unpack(cls, partition: int, packed: PackedFold) -> Self:
        """Return the packed fold: it folds what follows as the original would."""
        fold = cls(partition)
        fold.position = packed.position
        fold.repetitions = Repetitions.unpack(packed.repetitions)
        fold.visits = Visits.unpack(packed.visits)
        fold.online = OnlineWindow.unpack(packed.online)
        return fold

    def rebuild(self, run: Sequence[Read]) -> None:
        """Read the next batches only to rebuild the visits: they are counted already."""
        self._see(self._timed(run))

    def _timed(self, run: Sequence[Read]) -> list[Read]:
        """Return a run with its log time, which never goes back.

        The clock of a log may: with Kafka it is that of the broker that leads the partition. After
        a step back, log time stands still until the clock has caught up. After one that is longer
        than anything is remembered, the log begins anew.
        """
        now = self.online.now
        timed: list[Read] = []
        for position, clock, batch in run:
            now = now if clock < now <= clock + FORGET_MS else clock
            timed.append((position, now, batch))
        return timed

    def _see(self, run: Sequence[Read]) -> SeenRun:
        """Return the hits of a run, position and time of each, and the decision about visits."""
        before = self.online.now
        for index, (_, now, _) in enumerate(run):
            if now < before:
                if index:
                    return _joined(self._see(run[:index]), self._see(run[index:]))
                self.repetitions, self.visits = Repetitions(), Visits()
                self.online.forget()
            before = now
        positions: list[int] = []
        times: list[int] = []
        is_counted: list[bool] = []
        for position, now, batch in run:
            if position <= self.position:
                raise ValueError(f"position {position} was folded before ({self.position})")
            self.position = position
            positions += repeat(position, len(batch))
            times += repeat(now, len(batch))
            is_first = self.repetitions.first(now, batch.view_id) if any(batch.view_id) else None
            is_counted += repeat(True, len(batch)) if is_first is None else is_first
        hits = Batch.join([batch for _, _, batch in run])
        # Duplicates touch their visitor, too. So for later hits it does not matter whether one was
        # recognised, even to a reader that began after the first hit.
        visit, ago = self.visits.see(hits, times)
        self.online.touch(hits, times, ago)
        if all(is_counted):
            return hits, positions, times, visit
        return (
            hits.only(is_counted),
            list(compress(positions, is_counted)),
            list(compress(times, is_counted)),
            list(compress(visit, is_counted)),
        )


def _joined(one: SeenRun, other: SeenRun) -> SeenRun:
    return Batch.join([one[0], other[0]]), one[1] + other[1], one[2] + other[2], one[3] + other[3]


class Added(msgspec.Struct, frozen=True, gc=False):
    """What the runs of a flush add to a row.

    first   lowest position of the runs that add something
    last    position of the last view
    pages   the (site, path, day) that belong to the row; path '' is the whole site
    runs    all runs of the flush of the partition
    """

    first: int
    last: int
    views: int
    visits: int
    pages: tuple[Seen, ...]
    runs: Sequence[Folded]

    def and_(self, other: "Added") -> "Added":
        """Return the sum of both."""
        return Added(
            min(self.first, other.first),
            max(self.last, other.last),
            self.views + other.views,
            self.visits + other.visits,
            self.pages if self.pages == other.pages else self.pages + other.pages,
            self.runs,
        )


def changes(runs: Sequence[Folded]) -> dict[CounterKey, Added]:
    """Return what runs of one partition, in their order, add to each row they touch."""
    by_page = _sum_pages(runs)
    by_site: dict[Seen, list[int]] = {}
    for (site, _, day), (first, last, views, visits) in by_page.items():
        whole = (site, WHOLE_SITE, day)
        so_far = by_site.get(whole)
        if so_far is None:
            by_site[whole] = [first, last, views, visits]
        else:
            so_far[0] = min(so_far[0], first)
            so_far[1] = max(so_far[1], last)
            so_far[2] += views
            so_far[3] += visits
    by_row: dict[CounterKey, Added] = {}
    for seen, (first, last, views, visits) in chain(by_page.items(), by_site.items()):
        site, path, day = seen
        added = Added(first, last, views, visits, (seen,), runs)
        for grain, start in _periods(day):
            key = (site, grain, start, path)
            other = by_row.get(key)
            # Several days in one flush share the rows of month, year and total.
            by_row[key] = added if other is None else other.and_(added)
    return by_row


def _sum_pages(runs: Sequence[Folded]) -> dict[Seen, list[int]]:
    """Return first, last, views and visits of each page, as Added has them."""
    by_page: dict[Seen, list[int]] = {}
    for run in runs:
        first, visits_of, ends = run.first, run.visits.get, run.ends
        for page, views in run.views.items():
            so_far = by_page.get(page)
            if so_far is None:
                by_page[page] = [first, ends[page], views, visits_of(page, 0)]
            else:
                so_far[1] = ends[page]
                so_far[2] += views
                so_far[3] += visits_of(page, 0)
    return by_page


@lru_cache(maxsize=1024)
def _periods(day: int) -> tuple[tuple[str, int], ...]:
    return tuple((grain.value, period_start(day, grain)) for grain in Grain)


def apply(
    rows: Mapping[CounterKey, CounterRow], by_row: Mapping[CounterKey, Added]
) -> dict[CounterKey, CounterRow]:
    """Return the rows that change, with their new absolute values.

    Batches that a row already includes, by its position, are skipped for that row. A row that is
    not in `rows` starts at zero.
    """
    changed = {}
    for key, added in by_row.items():
        views, visits, row_position = rows.get(key, ABSENT)
        if row_position < added.first:
            changed[key] = (views + added.views, visits + added.visits, added.last)
        elif row_position < added.last:
            for page in added.pages:
                for run in added.runs:
                    more_views, more_visits = run.since(page, row_position)
                    views += more_views
                    visits += more_visits
            changed[key] = (views, visits, added.last)
    return changed
