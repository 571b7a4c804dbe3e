"""Who may open a page that was never seen: an address by itself, or several addresses together.

Each address may open a limited number of a site's new pages by itself per day. Above that, a page
is opened once a few different addresses have seen it; for that, too, an address counts only so many
times a day. So one address can neither use up the paths of a day, nor push what others saw out of
memory.

An address is a number here, a hash that only this process can compute; IPv6 has two of them, for
the /64 and for the /48.
"""

from collections import defaultdict
from itertools import islice

from services.ingest.networks import AddressHash

MOST_BUDGETS = 50_000
"""Per day: about 7 MB. When there are more, the least used half is forgotten."""
MOST_SEEN = 20_000
"""Pages of a day that too few addresses have seen: about 5 MB. Above, the oldest are dropped."""
SITES = 10
"""An address may open this many times as much on all sites together as on one."""
WIDER = 4
"""An IPv6 /48, which one machine can have to itself, may open this many times what a /64 may."""

_EVERYWHERE = ""


class _Day:
    """What addresses did on one day: how much of each budget is used, and who saw which page."""

    __slots__ = ("seen", "used")

    def __init__(self) -> None:
        self.used: dict[int, int] = {}
        self.seen: dict[int, tuple[int, ...]] = {}


class NewPaths:
    """The budgets of addresses, in memory only: a restart resets them."""

    def __init__(self, each: int, readers: int, most: int) -> None:
        """Prepare.

        each     pages that an address opens by itself on a site's day
        readers  addresses that open a page together
        most     no address opens more, however large `each` is
        """
        self._each = max(1, min(each, most))
        self._of_block = max(1, min(each * WIDER, most))
        self._readers = readers
        self._days: defaultdict[int, _Day] = defaultdict(_Day)

    def take(self, address: AddressHash, site: str, day: int) -> bool:
        """Open one more page by itself; False when the address has used up its budget."""
        rooms = self._rooms(address, site)
        rooms += [(key, limit * SITES) for key, limit in self._rooms(address, _EVERYWHERE)]
        return _spend(self._days[day].used, rooms)

    def vouch(self, address: AddressHash, site: str, day: int, digest: int) -> bool:
        """Note that an address saw a page that is not open; True once enough others have.

        Addresses in one /48 count as one here.
        """
        of_day = self._days[day]
        page, (_, block) = hash((site, digest)), address
        before = of_day.seen.get(page, ())
        if block in before or not _spend(of_day.used, self._rooms(address, site, "seen")):
            return False
        if len(before) + 1 >= self._readers:
            of_day.seen.pop(page, None)
            return True
        _see(of_day.seen, page, (*before, block))
        return False

    def _rooms(self, address: AddressHash, *of: str) -> list[tuple[int, int]]:
        """Return the budgets of an address: the key of each, and its limit."""
        network, block = address
        rooms = [(hash((network, of)), self._each)]
        if block != network:
            rooms.append((hash((block, of)), self._of_block))
        return rooms

    def forget(self, oldest: int) -> None:
        """Forget days before this one."""
        for day in [day for day in self._days if day < oldest]:
            del self._days[day]


def _spend(used: dict[int, int], rooms: list[tuple[int, int]]) -> bool:
    if any(used.get(key, 0) >= limit for key, limit in rooms):
        return False
    for key, _ in rooms:
        used[key] = used.get(key, 0) + 1
    if len(used) > MOST_BUDGETS:
        least = sorted(used, key=used.__getitem__)[: len(used) // 2]
        for key in least:
            del used[key]
    return True


def _see(seen: dict[int, tuple[int, ...]], page: int, blocks: tuple[int, ...]) -> None:
    if page not in seen and len(seen) >= MOST_SEEN:
        for old in list(islice(seen, MOST_SEEN // 4)):
            del seen[old]
    seen[page] = blocks
