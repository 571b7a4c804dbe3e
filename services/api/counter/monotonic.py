"""The floor under the public numbers: none of them goes down by itself.

A store that lost its last rows in a power cut, or a lagging replica, returns less than was shown
before; until it has caught up, the number shown before stays. This module remembers what this
process has read and shown; what other processes have shown, or this one before its restart, comes
from shared state (`last_shown.py`). The ledger is added on top of the floor: what somebody takes
back, by a reversal or a correction, is meant to show.
"""

from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Generic, TypeVar

import msgspec

from services.api.counter.last_shown import LastShown, Name, Shown
from services.api.counter.periods import Key
from services.api.counter.reading import PageReading, Reading
from services.runtime.bounded import BoundedMap
from services.state.last_shown import SECONDS
from services.store.interface import StoreUnavailableError

KEEP_SECONDS = 60.0
"""Unchanged numbers are written to shared state again after this time."""
MAX_BYTES = 20 << 20
"""Limit for sites, and again for pages: some 25,000 of them."""
_BYTES_A_NAME = 350
_BYTES_A_ROW = 200
_DIGEST_BYTES = 16
_SPARE_ROWS = 8
"""How many rows of a site or page are remembered although they are no longer read."""

R = TypeVar("R", Reading, PageReading)
N = TypeVar("N", bound=str)


class _Highest(msgspec.Struct):
    """The highest count of each row that was read, and whether any of it was shown."""

    rows: dict[Key, int]
    shown: bool = False


_Digested = tuple[str, str | bytes]
"""A name with a digest in place of the path, which may be long."""


class Floor(Generic[R]):
    """Raises readings to what was shown before, and lets them be shown once they are saved."""

    def __init__(
        self,
        last_shown: LastShown[R],
        *,
        keeps: Callable[[R], bool] = lambda _: True,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """`keeps` tells whether a reading is worth its place in shared state.

        Beyond `max_bytes`, the least recently read are forgotten.
        """
        self._last_shown: LastShown[R] = last_shown
        self._keeps: Callable[[R], bool] = keeps
        self._highest: BoundedMap[_Digested, _Highest] = BoundedMap(max_bytes)
        self._reset_at: dict[str, int] = {}

    async def last_shown(
        self, names: Sequence[tuple[str, N]], seconds: float = SECONDS
    ) -> Shown[R]:
        """Return what any process showed last; forget what an operator has reset."""
        shown = await self._last_shown.read(names, seconds)
        for slug, at in shown.reset_at.items():
            self._reset(slug, at)
        return shown

    async def recall(
        self, names: Sequence[tuple[str, N]], seconds: float = SECONDS
    ) -> dict[tuple[str, N], R]:
        """Return what was last shown, for the names for which it is known."""
        shown = await self.last_shown(names, seconds)
        recalled = {name: shown.readings[name] for name in names if name in shown.readings}
        for name, reading in recalled.items():
            self.lift(name, {}, reading.rows)
        return recalled

    def lift(self, name: Name, rows: Mapping[Key, int], shown: Mapping[Key, int]) -> dict[Key, int]:
        """Return the rows, each at the highest value it ever had; rows of 0 are left out.

        `shown` are the rows that were last shown.
        """
        highest = self._highest.get(_digested(name)) or _Highest({})
        for key, count in shown.items():
            if count > highest.rows.get(key, 0):
                highest.rows[key] = count
        lifted = {}
        for key, count in rows.items():
            value = highest.rows.get(key, 0)
            if count > value:
                highest.rows[key] = value = count
            if value:
                lifted[key] = value
        if highest.rows:
            if len(highest.rows) > len(rows) + len(shown) + _SPARE_ROWS:
                current = rows.keys() | shown.keys()
                highest.rows = {key: highest.rows[key] for key in highest.rows.keys() & current}
            self._remember(name, highest)
        return lifted

    async def show(
        self, readings: Mapping[tuple[str, N], R], shown: Shown[R]
    ) -> dict[tuple[str, N], R]:
        """Save readings in shared state; return those that may be shown.

        These are the ones that are saved, and those that were never shown before, by this process
        or, as far as shared state tells, by another. If others were shown, an API restarted while
        the store is down would fall back to less than was shown. Nothing is lost by this: while
        Redis is down, no new hits are counted. Raises StoreUnavailableError when none is left.
        """
        changed = {
            name: reading
            for name, reading in readings.items()
            if self._keeps(reading) and _is_news(reading, shown.readings.get(name))
        }
        if shown.is_known and await self._last_shown.write(changed):
            allowed = dict(readings)
        else:
            allowed = {
                name: reading
                for name, reading in readings.items()
                if (shown.is_known and name not in changed)
                or not (name in shown.readings or self._was_shown(name))
            }
        if readings and not allowed:
            raise StoreUnavailableError("Redis cannot keep what would be shown")
        for name in allowed:
            highest = self._highest.get(_digested(name))
            if highest is None:
                self._remember(name, _Highest({}, shown=True))
            else:
                highest.shown = True
        return allowed

    def _was_shown(self, name: Name) -> bool:
        highest = self._highest.get(_digested(name))
        return highest is not None and highest.shown

    def _remember(self, name: Name, highest: _Highest) -> None:
        size = _BYTES_A_NAME + _BYTES_A_ROW * len(highest.rows)
        # Names without counts are evicted first: made-up pages evict no counted ones.
        self._highest.put(_digested(name), highest, size, first=not highest.rows)

    def _reset(self, slug: str, at: int) -> None:
        """Forget what was read of a site, once for each reset (identified by its time)."""
        if at > self._reset_at.get(slug, 0):
            self._reset_at[slug] = at
            for name in [name for name in self._highest if name[0] == slug]:
                self._highest.pop(name)


def _digested(name: Name) -> _Digested:
    site, what = name
    if len(what) <= _DIGEST_BYTES:
        return name
    return site, blake2b(what.encode(), digest_size=_DIGEST_BYTES).digest()


def _is_news(reading: R, shown: R | None) -> bool:
    """Tell whether a reading differs from what is saved, or what is saved is getting old."""
    return (
        shown is None
        or reading.as_of - shown.as_of > KEEP_SECONDS * 1000
        or not reading.says_the_same(shown)
    )
