"""Visits and online visitors of one partition, as a function of the last stretch of the log.

Nothing here reads a clock: `now` is always the log time of the entry at hand. What is known of a
visitor depends on the last entry that touched it and is forgotten one window and a minute later,
so whoever has read that much of the log decides as whoever has read all of it.
"""

from collections import OrderedDict

from services.model.hit import VISIT_WINDOW_MS, Visit

LATE_MS = 60_000
"""A hit that reaches the log later than this after it was received came from a spool."""

FORGET_MS = VISIT_WINDOW_MS + LATE_MS
"""Log time after which a visitor is forgotten."""

ONLINE_MS = 5 * 60_000

_Key = tuple[str, int]
_Seen = tuple[int, int]


class _LastSeen:
    """(site, visitor) → (when its last hit was received, log time of that hit).

    Two generations instead of one removal each: what has not been touched for a whole generation
    goes with it. Whether an entry still counts is decided by its own log time, so it does not
    matter when generations change.
    """

    def __init__(self) -> None:
        self._young: dict[_Key, _Seen] = {}
        self._old: dict[_Key, _Seen] = {}
        self._since = 0

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def get(self, key: _Key, now: int) -> int | None:
        seen = self._young.get(key) or self._old.get(key)
        return seen[0] if seen and seen[1] > now - FORGET_MS else None

    def touch(self, key: _Key, at: int, now: int) -> None:
        if now - self._since > FORGET_MS:
            self._old, self._young, self._since = self._young, {}, now
        self._young[key] = (at, now)


class Visits:
    """Decides which views start a visit.

    Hits that come late through a spool have a last-seen time of their own, so that they can
    neither end nor prolong the visit that is going on meanwhile.
    """

    def __init__(self) -> None:
        self._live = _LastSeen()
        self._late = _LastSeen()

    def __len__(self) -> int:
        """Return how many visitors are remembered."""
        return len(self._live) + len(self._late)

    def decide(self, site: str, visitor: int, at: int, now: int) -> Visit:
        """Tell whether a view starts a visit, and remember that its visitor was seen.

        `at` is when the hit was received, `now` the log time of its entry, both in ms.
        """
        key = (site, visitor)
        late = now - at > LATE_MS
        own, other = (self._late, self._live) if late else (self._live, self._late)
        known = _continues(own.get(key, now), at) or (
            len(other) > 0 and _continues(other.get(key, now), at)
        )
        own.touch(key, at, now)
        return Visit.CONTINUES if known else Visit.STARTS


def _continues(last: int | None, at: int) -> bool:
    return last is not None and abs(at - last) < VISIT_WINDOW_MS


class Online:
    """Visitors seen in the last five minutes of the log, by site."""

    def __init__(self) -> None:
        self._sites: dict[str, OrderedDict[int, int]] = {}

    def touch(self, site: str, visitor: int, now: int) -> None:
        """Remember that a visitor was seen at this log time."""
        visitors = self._sites.get(site)
        if visitors is None:
            visitors = self._sites[site] = OrderedDict()
        visitors[visitor] = now
        visitors.move_to_end(visitor)

    def count(self, site: str, now: int) -> int:
        """Return how many visitors are online at this time, in ms."""
        visitors = self._sites.get(site)
        if visitors is None:
            return 0
        while visitors and next(iter(visitors.values())) <= now - ONLINE_MS:
            visitors.popitem(last=False)
        return len(visitors)

    def counts(self, now: int) -> dict[str, int]:
        """Return the visitors online of each site that has any, and forget the other sites."""
        counts = {site: self.count(site, now) for site in list(self._sites)}
        for site, count in counts.items():
            if not count:
                del self._sites[site]
        return {site: count for site, count in counts.items() if count}
