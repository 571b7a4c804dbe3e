"""How much memory the server of a log uses, and its limit."""

from typing import NamedTuple


class LogMemory(NamedTuple):
    """Memory in bytes: what the server of a log uses, and its limit; 0 where unknown."""

    used: int
    limit: int

    @property
    def share(self) -> float:
        """Return how full it is, from 0 to 1 or more; 0 when unknown."""
        return self.used / self.limit if self.limit else 0.0
