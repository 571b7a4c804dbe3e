"""The fold: from the batches of one partition to changes of counter rows.

A pure function of the log: it reads no clock and does not know where a flush begins or ends.
"""

from collections.abc import Iterable, Mapping

import msgspec

from services.aggregator.visits import LATE_MS, Online, Visits
from services.log.batch import Batch
from services.model.calendar import Grain, period_start
from services.model.hit import Visit
from services.store.counters import CounterKey, CounterRow

WHOLE_SITE = ""

Seen = tuple[str, str, int]
"""(site, path, day) of a hit."""
Added = tuple[int, int, int]
"""(position, views, visits) that one batch adds."""


class Peak(msgspec.Struct, frozen=True, gc=False):
    """The most visitors online at once on a site's day, and the log time of it."""

    site: str
    day: int
    online: int
    at: int


class Folded(msgspec.Struct, frozen=True, gc=False):
    """One batch with what it adds to the counters.

    visit  who starts a visit, one Visit a hit; UNDECIDED for bots and hits without a visitor
    added  (site, path, day) → (views, visits)
    """

    partition: int
    position: int
    batch: Batch
    visit: list[int]
    added: dict[Seen, tuple[int, int]]


class PartitionFold:
    """The state of one partition: visits, online, and how far it has read."""

    def __init__(self, partition: int) -> None:
        self.partition = partition
        self.position = -1
        self.visits = Visits()
        self.online = Online()
        self._peaks: dict[tuple[str, int], int] = {}
        self._new_peaks: dict[tuple[str, int], Peak] = {}

    def fold(self, position: int, now: int, batch: Batch) -> Folded:
        """Fold the next batch of the log. `now` is its log time in ms."""
        if position <= self.position:
            raise ValueError(f"position {position} was folded before ({self.position})")
        self.position = position
        decide, touch = self.visits.decide, self.online.touch
        added: dict[Seen, list[int]] = {}
        visit: list[int] = []
        days: dict[str, int] = {}
        for site, path, day, visitor, at, bot, decided in zip(
            batch.site,
            batch.path,
            batch.day,
            batch.visitor,
            batch.at,
            batch.bot,
            batch.visit,
            strict=True,
        ):
            if bot:
                visit.append(Visit.UNDECIDED)
                continue
            if visitor:
                seen = decide(site, visitor, at, now)
                if now - at <= LATE_MS:
                    touch(site, visitor, now)
                    days[site] = day
                decided = decided or seen
            visit.append(decided)
            counts = added.get((site, path, day))
            if counts is None:
                counts = added[site, path, day] = [0, 0]
            counts[0] += 1
            if decided == Visit.STARTS:
                counts[1] += 1
        for site, day in days.items():
            self._watch_peak(site, day, now)
        return Folded(
            self.partition,
            position,
            batch,
            visit,
            {seen: (views, visits) for seen, (views, visits) in added.items()},
        )

    def _watch_peak(self, site: str, day: int, now: int) -> None:
        online = self.online.count(site, now)
        if online > self._peaks.get((site, day), 0):
            self._peaks[site, day] = online
            self._new_peaks[site, day] = Peak(site, day, online, now)

    def take_peaks(self) -> list[Peak]:
        """Return the peaks that rose since the last call."""
        peaks, self._new_peaks = list(self._new_peaks.values()), {}
        newest = max((peak.day for peak in peaks), default=0)
        self._peaks = {key: n for key, n in self._peaks.items() if key[1] >= newest - 2}
        return peaks


def changes(batches: Iterable[Folded]) -> dict[CounterKey, list[Added]]:
    """Return what batches add to each row they touch, batch by batch."""
    by_seen: dict[Seen, list[Added]] = {}
    for folded in batches:
        for seen, (views, visits) in folded.added.items():
            by_seen.setdefault(seen, []).append((folded.position, views, visits))
    by_row: dict[CounterKey, list[Added]] = {}
    for (site, path, day), added in by_seen.items():
        for grain in Grain:
            start = period_start(day, grain)
            by_row.setdefault((site, grain.value, start, path), []).extend(added)
            by_row.setdefault((site, grain.value, start, WHOLE_SITE), []).extend(added)
    return by_row


def apply(
    rows: Mapping[CounterKey, CounterRow], by_row: Mapping[CounterKey, list[Added]]
) -> dict[CounterKey, CounterRow]:
    """Return the rows that change, with their new absolute values.

    What a row's position says it already includes is skipped for that row. A row that is not in
    `rows` starts at nothing.
    """
    changed = {}
    for key, added in by_row.items():
        views, visits, held = rows.get(key, (0, 0, -1))
        position = held
        for at, more_views, more_visits in added:
            if at > held:
                views += more_views
                visits += more_visits
                position = max(position, at)
        if position > held:
            changed[key] = (views, visits, position)
    return changed
