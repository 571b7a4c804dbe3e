"""Visits of one partition, as a function of the last part of its log.

Nothing here reads a clock: `now` is always the log time of the current entry. What is known of a
visitor depends on the last entry that touched it, and is forgotten one window and a minute later.
So a reader of that much of the log makes the same decisions as a reader of all of it.
"""

from collections.abc import Sequence
from typing import Self

import msgspec

from services.aggregator.compact import CompactMap, PackedSites, pack_sites, unpack_sites
from services.log.batch import Batch
from services.model.hit import VISIT_WINDOW_MS, Visit

LATE_MS = 60_000
"""A hit appended later than this after it was received came from a spool."""

FORGET_MS = VISIT_WINDOW_MS + LATE_MS
"""Log time after which a visitor is forgotten."""

# The last sighting of a visitor is packed into one number: when the hit was received, in ms, and
# in the low bits the log time, in units of about a second.
_TIME_BITS = 22
_TIME_MASK = (1 << _TIME_BITS) - 1
UNIT_BITS = 10
"""A unit is 1,024 ms."""
_KNOWN_UNITS = FORGET_MS >> UNIT_BITS
"""After so many units of log time, a visitor is forgotten."""

NEVER = -1
NOT_LIVE = -2

_Sites = dict[str, CompactMap]
"""site → visitor → when it was last seen"""


class PackedSeen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Two generations of sightings, as bytes, and the start of the younger one."""

    young: PackedSites
    old: PackedSites
    since: int


class PackedVisits(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Visits as bytes."""

    live: PackedSeen
    late: PackedSeen


class LastSeen:
    """When each visitor of each site was last seen.

    Visitors are dropped by generation, not one by one: those not touched for a whole generation are
    dropped with it. Whether a time is still valid is decided for each visitor, so it does not
    matter when generations change.
    """

    def __init__(self, length: int) -> None:
        """`length` is that of a generation, in the unit of the time passed to `turn`."""
        self.young: _Sites = {}
        self.old: _Sites = {}
        self._length = length
        self._since = 0

    def __len__(self) -> int:
        return sum(len(site) for sites in (self.young, self.old) for site in sites.values())

    def pack(self) -> PackedSeen:
        """Return a copy of both generations."""
        return PackedSeen(pack_sites(self.young), pack_sites(self.old), self._since)

    @classmethod
    def unpack(cls, packed: PackedSeen, length: int) -> Self:
        """Return what was packed."""
        seen = cls(length)
        seen.young, seen.old = unpack_sites(packed.young), unpack_sites(packed.old)
        seen._since = packed.since
        return seen

    def turn(self, now: int) -> None:
        """Drop the older generation when due; called before anything is read at `now`."""
        if now - self._since > self._length:
            self.old, self.young, self._since = self.young, {}, now

    def get(self, site: str, visitor: int) -> int:
        """Return when a visitor was last seen; 0 for an unknown one."""
        return _of(self.young, site, visitor) or _of(self.old, site, visitor)

    def put(self, site: str, visitor: int, seen: int) -> int:
        """Record a sighting of a visitor; return the previous one; 0 for an unknown visitor."""
        visitors = self.young.get(site)
        if visitors is None:
            visitors = self.young[site] = CompactMap()
        return visitors.put(visitor, seen) or _of(self.old, site, visitor)


def _of(sites: _Sites, site: str, visitor: int) -> int:
    visitors = sites.get(site)
    return 0 if visitors is None else visitors.get(visitor)


class Visits:
    """Decides which views start a visit.

    Late hits, from a spool, have a separate last-seen time, so that they can neither end nor extend
    a live visit.
    """

    def __init__(self) -> None:
        self._live = LastSeen(FORGET_MS)
        self._late = LastSeen(FORGET_MS)

    def __len__(self) -> int:
        """Return how many visitors are remembered."""
        return len(self._live) + len(self._late)

    def pack(self) -> PackedVisits:
        """Return a copy of all that is remembered."""
        return PackedVisits(self._live.pack(), self._late.pack())

    @classmethod
    def unpack(cls, packed: PackedVisits) -> Self:
        """Return what was packed."""
        visits = cls()
        visits._live = LastSeen.unpack(packed.live, FORGET_MS)
        visits._late = LastSeen.unpack(packed.late, FORGET_MS)
        return visits

    def decide(self, batch: Batch, times: Sequence[int]) -> list[int]:
        """Decide for each hit whether it starts a visit, and remember its visitor.

        `times` are the log times of the hits' entries, in ms, ascending. Returns one Visit per hit:
        UNDECIDED for bots and for hits without a visitor; earlier decisions are kept.
        """
        return self.see(batch, times)[0]

    def see(self, batch: Batch, times: Sequence[int]) -> tuple[list[int], list[int]]:
        """Decide, and also return for each hit how long ago its visitor was seen live.

        In units of log time, less than 2^22; NEVER if it was not, and NOT_LIVE for hits that say
        nothing about that: those of bots, from a spool, or without a visitor.
        """
        live, late = self._live, self._late
        live.turn(times[0])
        late.turn(times[0])
        # Much is inlined: this loop is where an aggregator spends its time.
        young, old = live.young, live.old
        undecided, starts, continues = (int(visit) for visit in Visit)
        window, late_ms, units = VISIT_WINDOW_MS, LATE_MS, _KNOWN_UNITS
        any_late = bool(late.young or late.old)
        visits: list[int] = []
        ago = [NOT_LIVE] * len(batch)
        for place, (site, visitor, at, bot, decided, time) in enumerate(
            zip(batch.site, batch.visitor, batch.at, batch.bot, batch.visit, times, strict=True)
        ):
            if bot:
                visits.append(undecided)
                continue
            if decided or not visitor:
                # Decided already (by an import): its visitors need not be remembered here.
                visits.append(decided)
                continue
            seen = at << _TIME_BITS | (time >> UNIT_BITS & _TIME_MASK)
            if at < time - late_ms:
                known = _continues(late.put(site, visitor, seen), seen) or _continues(
                    live.get(site, visitor), seen
                )
                any_late = True
            else:
                visitors = young.get(site)
                if visitors is None:
                    visitors = young[site] = CompactMap()
                before = visitors.put(visitor, seen)
                if not before and old:
                    before = _of(old, site, visitor)
                if before:
                    since = ago[place] = seen - before & _TIME_MASK
                    known = since < units and -window < at - (before >> _TIME_BITS) < window
                else:
                    ago[place] = NEVER
                    known = False
                if any_late and not known:
                    known = _continues(late.get(site, visitor), seen)
            visits.append(continues if known else starts)
        return visits, ago


def _continues(before: int, seen: int) -> bool:
    """Tell whether a hit continues the visit of its visitor's previous hit."""
    return (
        before != 0
        and (seen - before & _TIME_MASK) < _KNOWN_UNITS
        and abs((seen >> _TIME_BITS) - (before >> _TIME_BITS)) < VISIT_WINDOW_MS
    )
