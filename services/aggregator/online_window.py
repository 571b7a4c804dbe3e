"""Who is online in one partition, as a function of the last five minutes of its log.

No visitor is remembered here: the caller knows when each was seen before, so there are only
counts, by unit of log time, of those who were last seen in it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Self

import msgspec

from services.aggregator.visits import LATE_MS, NEVER, NOT_LIVE, UNIT_BITS, LastSeen, PackedSeen
from services.log.batch import Batch
from services.state.online import bots_of

ONLINE_MS = 5 * 60_000
_UNITS = (ONLINE_MS >> UNIT_BITS) + 1
"""Whoever was seen within so many units is online: five minutes, to the second."""


class DayPeak(msgspec.Struct, frozen=True, gc=False):
    """The most visitors online at once on a site's day, and the log time of it."""

    site: str
    day: int
    online: int
    at: int


class PackedOnline(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An OnlineWindow as bytes, without its peaks: the store knows them.

    sites  site → unit of log time, ascending → how many were last seen in it
    bots   the same for bots
    seen   whom Visits does not remember
    now    the log time of the last entry, in ms
    """

    sites: dict[str, dict[int, int]]
    bots: dict[str, dict[int, int]]
    seen: PackedSeen
    now: int


class _Online:
    """How many of a site were last seen in each unit of log time."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self.total = 0
        """Over all units remembered; may include some who are no longer online."""

    def pack(self) -> dict[int, int]:
        return self._seen.copy()

    @classmethod
    def unpack(cls, packed: Mapping[int, int]) -> Self:
        online = cls()
        online._seen, online.total = dict(packed), sum(packed.values())
        return online

    def touch(self, unit: int, ago: int) -> None:
        """Count somebody who was last seen so many units ago, or NEVER."""
        seen = self._seen
        if 0 <= ago < _UNITS:
            if not ago:
                return
            seen[unit - ago] -= 1
        else:
            self.total += 1
        seen[unit] = seen.get(unit, 0) + 1

    def expire(self, unit: int) -> int:
        """Forget those no longer online at a unit of log time; return how many are online."""
        for old in list(self._gone(unit)):
            self.total -= self._seen.pop(old)
        return self.total

    def count(self, unit: int) -> int:
        """Return how many are online at a later unit, without forgetting anybody."""
        return self.total - sum(self._seen[old] for old in self._gone(unit))

    def _gone(self, unit: int) -> Iterator[int]:
        for old in self._seen:
            if old > unit - _UNITS:
                return
            yield old


def _ago(seen: LastSeen, site: str, who: int, unit: int) -> int:
    """Remember somebody; return how many units ago they were last seen, or NEVER."""
    seen.turn(unit)
    before = seen.put(site, who, unit)
    return unit - before if before else NEVER


class OnlineWindow:
    """Visitors seen in the last five minutes of the log, by site, and the peak of each day."""

    def __init__(self) -> None:
        self._sites: dict[str, _Online] = {}
        self._bots: dict[str, _Online] = {}
        # Those that Visits does not remember: for sites that count views only, the views by number,
        # each of which is somebody; for all others, the bots by hash.
        self._seen = LastSeen(_UNITS)
        self.now = 0
        """The log time of the last entry, in ms."""
        self._peaks: dict[tuple[str, int], int] = {}
        self._new_peaks: dict[tuple[str, int], DayPeak] = {}

    def forget(self) -> None:
        """Forget who is online, but not the peaks: they are of days."""
        self._sites, self._bots, self._seen = {}, {}, LastSeen(_UNITS)

    def touch(self, batch: Batch, times: Sequence[int], ago: Sequence[int]) -> None:
        """Count who was seen at these log times, one per hit, in ms, ascending.

        ago  how long ago the visitors of these hits were seen before; see Visits.see

        Hits of readers who ask not to be tracked and hits from a spool say nothing about who is
        online; bots are counted separately. On a site that counts views only, each view is
        somebody.
        """
        sites, peaks = self._sites, self._peaks
        self.now = times[-1]
        for site, view_id, visitor, visit, at, bot, day, now, since in zip(
            batch.site, batch.view_id, batch.visitor, batch.visit, batch.at, batch.bot, batch.day,
            times, ago, strict=True,
        ):  # fmt: skip
            unit = now >> UNIT_BITS
            if since == NOT_LIVE:
                # Those who ask not to be tracked have a decision about their visit.
                who = visitor if bot and visitor else 0 if visitor or visit else view_id
                if not who or now - at > LATE_MS:
                    continue
                if bot:
                    name = bots_of(site)
                    bots = self._bots.setdefault(name, _Online())
                    bots.touch(unit, _ago(self._seen, name, who, unit))
                    continue
                since = _ago(self._seen, site, who, unit)
            online = sites.get(site)
            if online is None:
                online = sites[site] = _Online()
            online.touch(unit, since)
            # Those gone are removed only when counting them would make a new peak.
            highest = peaks.get((site, day), 0)
            if online.total > highest and (number := online.expire(unit)) > highest:
                peaks[site, day] = number
                self._new_peaks[site, day] = DayPeak(site, day, number, now)

    def counts(self, now: int) -> dict[str, int]:
        """Return how many are online at a wall-clock time, for each site that has any.

        Visitors are under the slug, bots under `bots_of` the slug.

        Visitors are dropped by log time only: when the fold lags behind the clock, peaks must not
        depend on when this is called.
        """
        counts: dict[str, int] = {}
        for sites in (self._sites, self._bots):
            for name, online in list(sites.items()):
                if not online.expire(self.now >> UNIT_BITS):
                    del sites[name]
                elif number := online.count(now >> UNIT_BITS):
                    counts[name] = number
        return counts

    def pack(self) -> PackedOnline:
        """Return a copy of all that is remembered, except the peaks."""
        return PackedOnline(
            {site: online.pack() for site, online in self._sites.items()},
            {site: online.pack() for site, online in self._bots.items()},
            self._seen.pack(),
            self.now,
        )

    @classmethod
    def unpack(cls, packed: PackedOnline) -> Self:
        """Return what was packed. Peaks start over, as at every start."""
        window = cls()
        window._sites = {site: _Online.unpack(online) for site, online in packed.sites.items()}
        window._bots = {site: _Online.unpack(online) for site, online in packed.bots.items()}
        window._seen, window.now = LastSeen.unpack(packed.seen, _UNITS), packed.now
        return window

    def take_peaks(self) -> list[DayPeak]:
        """Return the peaks that rose since the last call."""
        peaks, self._new_peaks = list(self._new_peaks.values()), {}
        newest = max((peak.day for peak in peaks), default=0)
        self._peaks = {key: n for key, n in self._peaks.items() if key[1] >= newest - 2}
        return peaks
