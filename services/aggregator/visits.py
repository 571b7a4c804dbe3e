"""Visits and online visitors of one partition, as a function of the last part of its log.

Nothing here reads a clock: `now` is always the log time of the current entry. What is known of a
visitor depends on the last entry that touched it, and is forgotten one window and a minute later.
So whoever reads that much of the log decides the same as a reader of all of it.
"""

from collections import OrderedDict
from collections.abc import Sequence
from itertools import takewhile

import msgspec

from services.log.batch import Batch
from services.model.hit import VISIT_WINDOW_MS, Visit

LATE_MS = 60_000
"""A hit that is appended later than this after it was received came from a spool."""

FORGET_MS = VISIT_WINDOW_MS + LATE_MS
"""Log time after which a visitor is forgotten."""

ONLINE_MS = 5 * 60_000

# When a visitor was last seen is packed into one integer, log time in the high bits, time received
# in the low ones: there are millions, and Python's garbage collector does not track integers.
_AT_BITS = 42
_AT_MASK = (1 << _AT_BITS) - 1

_Site = dict[int, int]
"""visitor → log time of its last hit << 42 | when that was received"""


class _LastSeen:
    """When each visitor of each site was last seen.

    Visitors are dropped by generation, not one by one: those not touched for a whole generation are
    dropped with it. Whether a time still counts is decided for each visitor, so it does not matter
    when generations change.
    """

    def __init__(self) -> None:
        self.young: dict[str, _Site] = {}
        self.old: dict[str, _Site] = {}
        self._since = 0

    def __len__(self) -> int:
        return sum(len(site) for sites in (self.young, self.old) for site in sites.values())

    def turn(self, now: int) -> None:
        """Drop the older generation when due; called before anything is read at `now`."""
        if now - self._since > FORGET_MS:
            self.old, self.young, self._since = self.young, {}, now

    def get(self, site: str, visitor: int) -> int:
        """Return when a visitor was last seen; 0 for an unknown one."""
        seen = self.young.get(site, _NOBODY).get(visitor)
        return seen or self.old.get(site, _NOBODY).get(visitor, 0)

    def put(self, site: str, visitor: int, seen: int) -> None:
        visitors = self.young.get(site)
        if visitors is None:
            visitors = self.young[site] = {}
        visitors[visitor] = seen


_NOBODY: _Site = {}


class Visits:
    """Decides which views start a visit.

    Late hits, from a spool, have a last-seen time of their own, so that they can neither end nor
    extend a visit that is going on live.
    """

    def __init__(self) -> None:
        self._live = _LastSeen()
        self._late = _LastSeen()

    def __len__(self) -> int:
        """Return how many visitors are remembered."""
        return len(self._live) + len(self._late)

    def decide(self, batch: Batch, times: Sequence[int]) -> list[int]:
        """Decide for each hit whether it starts a visit, and remember its visitor.

        `times` are the log times of the hits' entries, in ms, ascending. Returns one Visit a hit:
        UNDECIDED for bots and for hits without a visitor, and what was decided elsewhere as it is.
        """
        live, late = self._live, self._late
        live.turn(times[0])
        late.turn(times[0])
        # All inlined: this loop is where an aggregator spends its time.
        young, old = live.young, live.old
        undecided, starts, continues = (int(visit) for visit in Visit)
        window = VISIT_WINDOW_MS
        any_late = bool(late.young or late.old)
        visits: list[int] = []
        now = now_bits = known_since = oldest = -1
        for site, visitor, at, bot, decided, time in zip(
            batch.site, batch.visitor, batch.at, batch.bot, batch.visit, times, strict=True
        ):
            if bot:
                visits.append(undecided)
                continue
            if decided or not visitor:
                # Decided already (by an import): its visitors need no memory here.
                visits.append(decided)
                continue
            if time != now:
                now = time
                now_bits = now << _AT_BITS
                known_since = max(1, (now - FORGET_MS + 1) << _AT_BITS)
                oldest = now - LATE_MS
            if at < oldest:
                known = _continues(late.get(site, visitor), at, known_since) or _continues(
                    live.get(site, visitor), at, known_since
                )
                late.put(site, visitor, now_bits | at)
                any_late = True
            else:
                visitors = young.get(site)
                if visitors is None:
                    visitors = young[site] = {}
                seen = visitors.get(visitor)
                if seen is None and old:
                    seen = old.get(site, _NOBODY).get(visitor)
                known = (
                    seen is not None
                    and seen >= known_since
                    and -window < at - (seen & _AT_MASK) < window
                )
                if any_late and not known:
                    known = _continues(late.get(site, visitor), at, known_since)
                visitors[visitor] = now_bits | at
            visits.append(continues if known else starts)
        return visits


def _continues(seen: int, at: int, known_since: int) -> bool:
    return seen >= known_since and abs(at - (seen & _AT_MASK)) < VISIT_WINDOW_MS


class DayPeak(msgspec.Struct, frozen=True, gc=False):
    """The most visitors online at once on a site's day, and the log time of it."""

    site: str
    day: int
    online: int
    at: int


class OnlineWindow:
    """Visitors seen in the last five minutes of the log, by site, and the peak of each day."""

    def __init__(self) -> None:
        self._sites: dict[str, OrderedDict[int, int]] = {}
        self._now = 0
        self._peaks: dict[tuple[str, int], int] = {}
        self._new_peaks: dict[tuple[str, int], DayPeak] = {}

    def touch(self, batch: Batch, times: Sequence[int]) -> None:
        """Remember who was seen at these log times, one a hit, in ms, ascending.

        Bots, hits of readers who ask not to be tracked and hits from a spool say nothing about who
        is online. On a site that counts views only, each view is somebody.
        """
        sites, peaks = self._sites, self._peaks
        self._now = times[-1]
        for site, visitor, view_id, visit, at, bot, day, now in zip(
            batch.site, batch.visitor, batch.view_id, batch.visit, batch.at, batch.bot, batch.day,
            times, strict=True,
        ):  # fmt: skip
            if bot or now - at > LATE_MS:
                continue
            if not visitor:
                # Those who ask not to be tracked have a decision about their visit.
                if visit or not view_id:
                    continue
                visitor = view_id
            visitors = sites.get(site)
            if visitors is None:
                visitors = sites[site] = OrderedDict()
            visitors[visitor] = now
            visitors.move_to_end(visitor)
            # Expired visitors are removed only when counting them would make a new peak.
            highest = peaks.get((site, day), 0)
            if len(visitors) > highest and (online := self.count(site, now)) > highest:
                peaks[site, day] = online
                self._new_peaks[site, day] = DayPeak(site, day, online, now)

    def count(self, site: str, now: int) -> int:
        """Return how many visitors are online at this time, in ms."""
        visitors = self._sites.get(site)
        if visitors is None:
            return 0
        while visitors and next(iter(visitors.values())) <= now - ONLINE_MS:
            visitors.popitem(last=False)
        return len(visitors)

    def counts(self, now: int) -> dict[str, int]:
        """Return the visitors online of each site that has any, at a time given by a clock.

        Visitors are dropped by log time only: where the fold lags behind the clock, peaks must
        not depend on when this is called.
        """
        counts: dict[str, int] = {}
        for site, visitors in list(self._sites.items()):
            if not self.count(site, self._now):
                del self._sites[site]
                continue
            gone = sum(
                1 for _ in takewhile(lambda seen: seen <= now - ONLINE_MS, visitors.values())
            )
            if online := len(visitors) - gone:
                counts[site] = online
        return counts

    def take_peaks(self) -> list[DayPeak]:
        """Return the peaks that rose since the last call."""
        peaks, self._new_peaks = list(self._new_peaks.values()), {}
        newest = max((peak.day for peak in peaks), default=0)
        self._peaks = {key: n for key, n in self._peaks.items() if key[1] >= newest - 2}
        return peaks
