"""Limits the rate of each visitor with a token bucket, in bounded memory."""

from enum import IntEnum

CAPACITY = 150_000
"""Visitors that are remembered; about 15 MB at most."""


class Turn(IntEnum):
    """What became of a visitor's hit."""

    REFUSED = 0
    FIRST = 1
    """Taken, from a visitor who was not seen lately."""
    NEXT = 2


# Looking enum members up is slow.
FIRST, _NEXT = Turn.FIRST, Turn.NEXT


class TokenBuckets:
    """Token buckets, stored as the time at which each will be full again (GCRA).

    An unknown visitor has a full bucket. Visitors are forgotten by generation: when the younger one
    holds half of `capacity`, the older one is dropped. So visitors seen again are remembered.
    """

    def __init__(self, per_minute: int, burst: int, capacity: int = CAPACITY) -> None:
        self._interval = 60_000 / per_minute
        self._depth = self._interval * burst
        self._half = capacity // 2
        self._young: dict[int, float] = {}
        self._old: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def take(self, visitor: int, now: int) -> Turn:
        """Take one token of a visitor; `now` is in ms since 1970."""
        known = self._young.get(visitor)
        if known is None:
            known = self._old.pop(visitor, None)
            if len(self._young) >= self._half:
                self._old, self._young = self._young, {}
        full_at = (known if known is not None and known > now else now) + self._interval
        if full_at - now > self._depth:
            if known is not None:
                self._young[visitor] = known
            return Turn.REFUSED
        self._young[visitor] = full_at
        return FIRST if known is None else _NEXT

    def forget(self, visitor: int) -> None:
        """Forget a visitor: one who is not counted as such must not push out others."""
        self._young.pop(visitor, None)
        self._old.pop(visitor, None)
