"""What one address may send in an hour and in a day: hits, new visitors, bots, bytes of the log.

Most addresses send little. For them there is only a small counter, possibly shared with other
addresses, in a table of fixed size: the first `FREE` hits of an hour are not looked at. Above that,
an address has counts of its own, in all and by site. IPv6 has budgets for the /64 and, WIDER times
as large, for the /48, since one machine can have as many /64s as it likes.

Made-up addresses are forgotten before those that send much: above MOST_COUNTS, the half that has
sent least is dropped.
"""

from enum import IntEnum

from services.ingest.packed_counts import AddressLimits, Field, PackedLimits, next_hour, one, over
from services.runtime.clock import DAY_MS

HOUR_MS = 3600 * 1000
FREE = 100
ALL_SITES = 4
"""An address may send this many times as much to all sites together as to one."""
WIDER = 4
DAY = 8
"""An address may send this many times as much in a day as in an hour."""
MOST_COUNTS = 65_536
"""About 16 MB."""
_CELLS = 1 << 20
_MASK = _CELLS - 1
"""One byte each. An hour at full speed, some 60 million hits, is less than FREE per cell."""


class Ruling(IntEnum):
    """What is done with a hit."""

    WITHIN = 0
    NO_VISIT = 1
    """A view that neither starts a visit nor belongs to a visitor."""
    NOT_WRITTEN = 2
    """A bot's hit that is only counted, not logged."""
    REFUSED = 3
    NO_ROOM = 4
    """Refused, because its site has used up its share of the log."""


_HIT, _VISITOR, _BOT, _OCTET = map(one, Field)
_REFUSES = over(Field.HITS, Field.OCTETS)


class AddressBudgets:
    """The budgets of all addresses. Times are in ms since 1970; they may go back a little."""

    def __init__(self, limits: AddressLimits, most: int = MOST_COUNTS) -> None:
        """`limits` are those of one address on one site in an hour."""
        self._here = PackedLimits(limits)
        self._anywhere = PackedLimits(limits.times(ALL_SITES))
        self._wide_here = PackedLimits(limits.times(WIDER))
        self._wide_anywhere = PackedLimits(limits.times(ALL_SITES * WIDER))
        # What is free must be small compared with the limits.
        self._free = min(FREE, min(limits.hits, limits.visitors, limits.bots) // 10)
        self._most = most
        self._hour = -1
        self._until = 0
        self._cells = bytearray(_CELLS)
        self._counts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._counts)

    def is_free(self, network: int, block: int, at: int) -> bool:
        """Count a hit of an address; tell whether it is free, so that no budget is charged.

        network, block  what stands for the address; see AddressHash
        """
        if at >= self._until:
            self._turn(at // HOUR_MS)
        cells, free = self._cells, self._free
        cell = network & _MASK
        seen = cells[cell]
        if seen < free:
            cells[cell] = seen + 1
            if block == network:
                return True
        if block != network:
            cell = block & _MASK
            if cells[cell] < free:
                cells[cell] += 1
                return seen < free
        return False

    def spend(
        self, network: int, block: int, site: str, octets: int, *, bot: bool, newcomer: bool
    ) -> Ruling:
        """Charge a hit that is not free to the budgets of its address; return what to do with it.

        octets    its size in the log
        newcomer  whether its visitor was not seen lately, or it starts a visit by itself
        """
        rooms = []
        of_site = hash(site)
        if self._cells[network & _MASK] >= self._free:
            rooms = [(network, self._anywhere), (network ^ of_site, self._here)]
        if block != network and self._cells[block & _MASK] >= self._free:
            rooms += [(block, self._wide_anywhere), (block ^ of_site, self._wide_here)]
        counts = self._counts
        newcomer = newcomer and not bot
        cost = octets * _OCTET + (_BOT if bot else _HIT)
        charge = cost + _VISITOR if newcomer else cost
        exceeded = 0
        for key, limits in rooms:
            exceeded |= limits.exceeded(counts.get(key, 0) + charge)
        ruling = Ruling.WITHIN
        if exceeded:
            if bot:
                return Ruling.NOT_WRITTEN
            if exceeded & _REFUSES:
                return Ruling.REFUSED
            charge, ruling = cost, Ruling.NO_VISIT
        for key, _ in rooms:
            counts[key] = counts.get(key, 0) + charge
        if len(counts) > self._most:
            self._forget_half()
        return ruling

    def _forget_half(self) -> None:
        # The highest field holds the bytes sent that day.
        most = sorted(self._counts.items(), key=lambda item: item[1], reverse=True)
        self._counts = dict(most[: self._most // 2])

    def _turn(self, hour: int) -> None:
        is_new_day = hour * HOUR_MS // DAY_MS != self._hour * HOUR_MS // DAY_MS
        self._hour, self._until = hour, (hour + 1) * HOUR_MS
        self._cells = bytearray(_CELLS)
        if is_new_day:
            self._counts = {}
        else:
            self._counts = {key: next_hour(counts) for key, counts in self._counts.items()}
