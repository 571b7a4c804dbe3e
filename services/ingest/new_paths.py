"""Who may open a page that was never seen: an address by itself, or several addresses together.

Each address opens so many new pages of a site by itself on a day. Above that, a page is opened once
a few different addresses have seen it; and for that, too, an address counts so many times a day
only. So one address can neither use up the paths of a day, nor push out of memory what others saw.

An address is a number here, a hash that only this process can make.
"""

from collections import defaultdict
from itertools import islice
from typing import TypeVar

MOST_BUDGETS = 50_000
"""Of a day: about 7 MB. When more addresses open pages, the first are forgotten."""
MOST_SEEN = 20_000
"""Pages of a day that too few addresses have seen: about 5 MB. Then the first are forgotten."""
SITES = 10
"""On all sites together, an address may open so many times what it may on one."""

_EVERYWHERE = ""
V = TypeVar("V")


class _Day:
    """What addresses did on one day: how much of each budget is used, and who saw which page."""

    __slots__ = ("seen", "used")

    def __init__(self) -> None:
        self.used: dict[int, int] = {}
        self.seen: dict[int, tuple[int, ...]] = {}


class NewPaths:
    """The budgets of addresses, in memory only: a restart begins them again."""

    def __init__(self, each: int, readers: int) -> None:
        """Prepare.

        each     pages that an address opens by itself on a site's day
        readers  addresses that open a page together
        """
        self._each = each
        self._readers = readers
        self._days: defaultdict[int, _Day] = defaultdict(_Day)

    def take(self, network: int, site: str, day: int) -> bool:
        """Open one more page by itself; False when the address has used up its budget."""
        used = self._days[day].used
        here, everywhere = hash((network, site)), hash((network, _EVERYWHERE))
        of_site, of_all = used.get(here, 0), used.get(everywhere, 0)
        if of_site >= self._each or of_all >= self._each * SITES:
            return False
        _put(used, here, of_site + 1, MOST_BUDGETS)
        _put(used, everywhere, of_all + 1, MOST_BUDGETS)
        return True

    def vouch(self, network: int, site: str, day: int, digest: int) -> bool:
        """See a page that is not open; True when enough different addresses have by now."""
        of_day = self._days[day]
        page = hash((site, digest))
        before = of_day.seen.get(page, ())
        if network in before:
            return False
        here = hash((network, site, "seen"))
        times = of_day.used.get(here, 0)
        if times >= self._each:
            return False
        _put(of_day.used, here, times + 1, MOST_BUDGETS)
        if len(before) + 1 >= self._readers:
            of_day.seen.pop(page, None)
            return True
        _put(of_day.seen, page, (*before, network), MOST_SEEN)
        return False

    def forget(self, oldest: int) -> None:
        """Forget days before this one."""
        for day in [day for day in self._days if day < oldest]:
            del self._days[day]


def _put(into: dict[int, V], key: int, value: V, most: int) -> None:
    if key not in into and len(into) >= most:
        for old in list(islice(into, most // 4)):
            del into[old]
    into[key] = value
