"""How much memory the server of a log uses, and how much it may."""

from typing import NamedTuple


class LogMemory(NamedTuple):
    """Memory in bytes: what the server of a log uses, and what it may; 0 where it does not tell."""

    used: int
    limit: int

    @property
    def share(self) -> float:
        """Return how full it is, 0 to 1 and more; 0 when that is unknown."""
        return self.used / self.limit if self.limit else 0.0
