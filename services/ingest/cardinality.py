"""Limits the cardinality of paths per site and day, across all processes.

The set is in shared state (8 bytes a path), with a copy in memory. A hit only looks at the copy.
The set is read when a site's day is opened, so a restart forgets nothing; new paths are added to
it every second or two, and the reply says how many there are by now. In between, each process may
admit paths that the others do not know of. The limit guards the store against millions of invented
paths; a few hundred more do no harm.
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b

from services.runtime.clock import DAY_MS, Clock
from services.state.daily_paths import DailyPaths, SiteDay
from services.state.state import State

AT_ONCE = 20_000
"""Paths that one round trip may add; a day with more is sent by itself."""


class _Day:
    """The paths of one site's day: known here, not yet shared, and how many there are."""

    __slots__ = ("fresh", "known", "shared")

    def __init__(self, known: set[bytes]) -> None:
        self.known = known
        self.fresh: set[bytes] = set()
        self.shared = len(known)


class CardinalityLimiter:
    """Admits paths until a site has too many on a day."""

    def __init__(self, state: State, limit: int, clock: Clock) -> None:
        self._shared = DailyPaths(state)
        self._limit = limit
        self._clock = clock
        self._days: dict[SiteDay, _Day] = {}

    def is_open(self, site: str, day: int) -> bool:
        """Tell whether a day's paths are in memory."""
        return (site, day) in self._days

    async def load(self, site: str, day: int) -> None:
        """Read the paths of a day that this process has not seen yet."""
        if not self.is_open(site, day):
            known = await self._shared.members(site, day)
            self._days.setdefault((site, day), _Day(known))

    def improvise(self, site: str, day: int) -> None:
        """Open a day without knowing its paths; `share` catches up later."""
        self._days.setdefault((site, day), _Day(set()))

    def admit(self, site: str, day: int, path: str) -> bool:
        """Tell whether hits may be counted under this path; the day is open."""
        paths = self._days[site, day]
        digest = _digest(path)
        if digest in paths.known:
            return True
        if max(paths.shared + len(paths.fresh), len(paths.known)) >= self._limit:
            return False
        paths.known.add(digest)
        paths.fresh.add(digest)
        return True

    async def share(self) -> None:
        """Share new paths, learn how many there are, and forget days long over.

        Raises StateError; paths that could not be added are added the next time.
        """
        self._forget()
        new = [(key, list(day.fresh)) for key, day in self._days.items() if day.fresh]
        while new:
            await self._add(_take(new, AT_ONCE))

    async def _add(self, new: Sequence[tuple[SiteDay, list[bytes]]]) -> None:
        shared = await self._shared.add(new)
        for ((site, day), digests), count in zip(new, shared, strict=True):
            paths = self._days[site, day]
            paths.fresh.difference_update(digests)
            paths.shared = count
            if count >= self._limit and len(paths.known) < count:
                paths.known |= await self._shared.members(site, day)

    def _forget(self) -> None:
        oldest = self._clock() // DAY_MS - 1
        for key in [key for key in self._days if key[1] < oldest]:
            del self._days[key]


@lru_cache(maxsize=16_384)
def _digest(path: str) -> bytes:
    return blake2b(path.encode(), digest_size=8).digest()


def _take(new: list[tuple[SiteDay, list[bytes]]], most: int) -> list[tuple[SiteDay, list[bytes]]]:
    """Take days from the end, at least one, with at most `most` paths in total."""
    taken = [new.pop()]
    while new and sum(len(digests) for _, digests in taken) + len(new[-1][1]) <= most:
        taken.append(new.pop())
    return taken
