"""Limits how much of the log bots may take, whatever their addresses."""

from services.ingest.budgets import HOUR_MS

ONE_SITE = 4
"""One site may take 1/ONE_SITE of it."""


class BotRoom:
    """Bytes that bots have taken this hour, in all and by site. Times are in ms since 1970."""

    def __init__(self, octets: int) -> None:
        """`octets` is what bots may take in an hour."""
        self._most = octets
        self._until = 0
        self._taken = 0
        self._by_site: dict[str, int] = {}
        self.closed = False
        """Whether the log is so full that bots get no room at all."""

    def take(self, site: str, at: int, octets: int) -> bool:
        """Take room for a hit of a known site; False when there is none."""
        if at >= self._until:
            self._until = (at // HOUR_MS + 1) * HOUR_MS
            self._taken, self._by_site = 0, {}
        of_site = self._by_site.get(site, 0) + octets
        taken = self._taken + octets
        if self.closed or taken > self._most or of_site > self._most // ONE_SITE:
            return False
        self._by_site[site], self._taken = of_site, taken
        return True
