"""Limits the rate of each visitor: a token bucket each, in bounded memory."""

from services.runtime.clock import Clock


class TokenBuckets:
    """Token buckets, stored as the time at which each will be full again (GCRA).

    An unknown visitor has a full bucket, so full buckets can be forgotten. When there are more than
    `capacity` buckets, the oldest are forgotten.
    """

    def __init__(self, per_minute: int, burst: int, clock: Clock, capacity: int = 200_000) -> None:
        self._interval = 60_000 / per_minute
        self._depth = self._interval * burst
        self._clock = clock
        self._capacity = capacity
        self._full_at: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, visitor: int) -> bool:
        """Take one token of a visitor; False when there is none."""
        now = self._clock()
        known = self._full_at.get(visitor)
        full_at = (known if known is not None and known > now else now) + self._interval
        if full_at - now > self._depth:
            return False
        if known is None and len(self._full_at) >= self._capacity:
            self._forget(now)
        self._full_at[visitor] = full_at
        return True

    def _forget(self, now: int) -> None:
        going = {visitor: at for visitor, at in self._full_at.items() if at > now}
        excess = len(going) - self._capacity * 3 // 4
        for visitor in list(going)[: max(excess, 0)]:
            del going[visitor]
        self._full_at = going
