"""How much of the log the readers of one site may take, from however many addresses.

While the log has room, they may take any amount: a portal's best day looks like this. When it fills
up, the sites that took most of it lately are refused first, so that the others go on.
"""

from collections.abc import Iterable

from services.ingest.budgets import HOUR_MS

FREE_OCTETS = 256 << 10
"""Per hour: less than this says nothing about a site, and does not fill the log."""


class SiteRoom:
    """Bytes that the people of each site have taken in this hour and the one before.

    Only known sites are counted, so there are as many numbers as sites. Times are in ms since 1970.
    """

    def __init__(self, from_fullness: float, most: int) -> None:
        """Let each site take all of the log, up to a point.

        from_fullness  how full the log is when shares start to apply, from 0 to 1 (never)
        most           what a site may take in an hour, however empty the log is; 0 is no limit
        """
        self._from = from_fullness
        self._most = most
        self._hour = -1
        self._until = 0
        self._taken: dict[str, int] = {}
        self._before: dict[str, int] = {}
        self.over: frozenset[str] = frozenset()
        """Sites that get no more, as of the last look."""

    def take(self, site: str, at: int, octets: int) -> bool:
        """Take room for a hit of a known site; False when there is none."""
        if at >= self._until:
            self._turn(at)
        taken = self._taken.get(site, 0) + octets
        if site in self.over or (self._most and taken > self._most):
            return False
        self._taken[site] = taken
        return True

    def look(self, fullness: float, now: int) -> None:
        """Find the sites that took more than their share; `fullness` is from 0 to 1 and above.

        The share shrinks from everything, at the fullness where shares start to apply, to an equal
        one per site when the log is full. A single site always has all of it.
        """
        if now >= self._until:
            self._turn(now)
        if fullness <= self._from or self._from >= 1:
            self.over = frozenset()
            return
        left = (self._until - now) / HOUR_MS
        lately = dict(self._taken)
        for site, octets in self._before.items():
            lately[site] = lately.get(site, 0) + int(octets * left)
        part = max((1 - fullness) / (1 - self._from), _equal(lately.values()))
        most = max(FREE_OCTETS, part * sum(lately.values()))
        self.over = frozenset(site for site, octets in lately.items() if octets > most)

    def _turn(self, at: int) -> None:
        hour = at // HOUR_MS
        self._before = self._taken if hour == self._hour + 1 else {}
        self._taken, self._hour, self._until = {}, hour, (hour + 1) * HOUR_MS


def _equal(taken: Iterable[int]) -> float:
    """Return an equal share for each site that takes anything at all."""
    return 1 / max(1, sum(octets > 0 for octets in taken))
