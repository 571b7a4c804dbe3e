"""Counts of an hour and of a day, packed into one integer, and their limits.

An address that sends much has one such integer for all sites and one per site; there are many, so
they are small. Counting is one addition, and one more tells which limits are exceeded: each field
has a spare top bit, 2^39, and adding 2^39 - 1 - limit to a field sets it exactly when the count is
over the limit.
"""

from enum import IntEnum

import msgspec

_BITS = 40
_TOP = 1 << (_BITS - 1)


class Field(IntEnum):
    """What is counted, and its position within the hour's half and the day's half."""

    HITS = 0
    VISITORS = 1
    BOTS = 2
    OCTETS = 3


_DAY = len(Field)
_HOUR_MASK = (1 << (_BITS * _DAY)) - 1


class AddressLimits(msgspec.Struct, frozen=True):
    """How much may come in an hour; in a day, `day` times as much.

    hits      of people, counted or not
    visitors  who were not seen lately, and visits of those who cannot be told apart
    bots      hits of bots
    octets    in the log, for all of these
    """

    hits: int
    visitors: int
    bots: int
    octets: int
    day: int

    def times(self, factor: int) -> "AddressLimits":
        """Return these limits times a factor."""
        return AddressLimits(
            self.hits * factor,
            self.visitors * factor,
            self.bots * factor,
            self.octets * factor,
            self.day,
        )


def one(field: Field) -> int:
    """Return what one of these adds to packed counts."""
    return 1 << (_BITS * field) | 1 << (_BITS * (field + _DAY))


def over(*fields: Field) -> int:
    """Return the bits that `PackedLimits.exceeded` sets for these."""
    return sum(one(field) * _TOP for field in fields)


def next_hour(counts: int) -> int:
    """Return counts with those of the hour reset."""
    return counts & ~_HOUR_MASK


class PackedLimits:
    """Limits, packed in the same way as the counts."""

    def __init__(self, limits: AddressLimits) -> None:
        """Raises ValueError when a limit is too large for its field."""
        hour = (limits.hits, limits.visitors, limits.bots, limits.octets)
        values = (*hour, *(limit * limits.day for limit in hour))
        if max(values) >= _TOP:
            raise ValueError(f"a limit of {max(values)}; expected less than {_TOP}")
        self._room = sum(
            (_TOP - 1 - limit) << (_BITS * place) for place, limit in enumerate(values)
        )

    def exceeded(self, counts: int) -> int:
        """Return a bit for each limit that the counts exceed; see `over`."""
        return (counts + self._room) & _OVER


_OVER = over(*Field)
