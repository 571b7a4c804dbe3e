"""No public number goes down: what was shown is the least that is shown from then on."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from services.api.counter.last_shown import Shown
from services.api.counter.reading import PageReading, Reading
from services.api.highwater import HighWater
from services.store.interface import StoreUnavailableError

KEEP_SECONDS = 60.0
"""How old the time of numbers that do not change may be where they are kept."""
REMEMBERED = 100_000

R = TypeVar("R", Reading, PageReading)
N = TypeVar("N", bound=str)


class Guard:
    """Remembers the highest counts, and what was ever shown, each by site and name.

    The name is a measure or a path.
    """

    def __init__(self) -> None:
        self.highest = HighWater()
        self._ever_shown: set[tuple[str, str]] = set()

    def before(self, shown: Shown[R] | None) -> Mapping[tuple[str, str], R]:
        """Return what was shown last, once what an operator reset is forgotten."""
        if shown is None:
            return {}
        for slug, at in shown.reset_at.items():
            self.highest.reset(slug, at)
        return shown.readings

    def show(
        self, readings: Mapping[tuple[str, N], R], kept: Callable[[tuple[str, N]], bool]
    ) -> dict[tuple[str, N], R]:
        """Return what may be shown: what is kept, and what was never shown before.

        After a restart while the store is away, what is kept would be less than what was shown.
        Nothing is lost by it: while Redis is away, no new hits are counted. Raises
        StoreUnavailableError when nothing is left.
        """
        may = {
            key: reading
            for key, reading in readings.items()
            if kept(key) or key not in self._ever_shown
        }
        if readings and not may:
            raise StoreUnavailableError("Redis cannot keep what would be shown")
        if len(self._ever_shown) > REMEMBERED:
            self._ever_shown.clear()
        self._ever_shown |= may.keys()
        return may


def news(
    readings: Mapping[tuple[str, N], R], before: Mapping[tuple[str, str], R]
) -> dict[tuple[str, N], R]:
    """Return the readings to be kept: they say something else, or what is kept grows old."""
    return {
        key: reading
        for key, reading in readings.items()
        if (held := before.get(key)) is None
        or reading.as_of - held.as_of > KEEP_SECONDS * 1000
        or not reading.says_the_same(held)
    }
