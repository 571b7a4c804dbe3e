"""Remembers the highest count of each row, so that no public number goes down.

A store that lost its last rows in a power cut, or a replica that lags, answers less than was
shown before; until it has caught up, the number shown before stays. What other processes showed,
or this one before its restart, is found in Redis (see kept.py). Opening balances are added
afterwards: a reversal by an admin is meant to be seen.
"""

from collections import OrderedDict
from collections.abc import Hashable

DEFAULT_LIMIT = 100_000


class HighWater:
    """The highest value seen of each key; beyond the limit, the longest unused is forgotten.

    A key is a tuple whose first part is the site's slug.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._limit = limit
        self._highest: OrderedDict[tuple[Hashable, ...], int] = OrderedDict()
        self._reset_at: dict[str, int] = {}

    def reset(self, slug: str, at: int) -> None:
        """Forget what was seen of a site, unless this reset (named by its time) was done before."""
        if at > self._reset_at.get(slug, 0):
            self._reset_at[slug] = at
            for key in [key for key in self._highest if key[0] == slug]:
                del self._highest[key]

    def raised(self, key: tuple[Hashable, ...], value: int) -> int:
        """Return the value, or the highest one seen before if that is higher."""
        highest = max(value, self._highest.pop(key, value))
        if not highest:
            return 0  # invented pages must not push out what was counted
        self._highest[key] = highest
        if len(self._highest) > self._limit:
            self._highest.popitem(last=False)
        return highest
