"""Sets and maps of 64-bit numbers, in some ten and twenty bytes each: floods bring millions.

Python's own take many times as much. Numbers are mixed with a secret, so that whoever chooses them
cannot choose where they go; the highest bits of the result select one of many small sorted arrays,
in which lookup and insertion take about a microsecond.
"""

from array import array
from bisect import bisect_left
from collections.abc import Mapping
from itertools import pairwise
from secrets import randbits
from typing import Self

import msgspec

_BITS = 64
_MASK = (1 << _BITS) - 1
_ODD = randbits(_BITS) | 1
"""An odd multiplier has an inverse: different numbers stay different."""
_MOST = 512
"""Average numbers per array above which all are split: inserting into longer ones is too slow"""


class PackedNumbers(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A CompactSet or CompactMap as bytes, in the byte order of the machine.

    odd     what its numbers are mixed by
    keys    the mixed numbers, ascending, 8 bytes each
    values  the value of each number, 8 bytes each; b'' for a set
    """

    odd: int
    keys: bytes
    values: bytes = b""


class CompactSet:
    """A set of numbers from 0 to 2^64 - 1."""

    __slots__ = ("_keys", "_odd", "_room", "_shift", "_size")

    def __init__(self) -> None:
        self._odd = _ODD
        self._keys = [array("Q")]
        self._shift = _BITS
        self._size = 0
        self._room = _MOST

    def __len__(self) -> int:
        return self._size

    def __contains__(self, number: int) -> bool:
        key = number * self._odd & _MASK
        keys = self._keys[key >> self._shift]
        index = bisect_left(keys, key)
        return index < len(keys) and keys[index] == key

    def add(self, number: int) -> bool:
        """Add a number; tell whether it is new."""
        key = number * self._odd & _MASK
        keys = self._keys[key >> self._shift]
        index = bisect_left(keys, key)
        if index < len(keys) and keys[index] == key:
            return False
        keys.insert(index, key)
        self._size += 1
        if self._size > self._room:
            self._split()
        return True

    def pack(self) -> PackedNumbers:
        """Return a copy of all numbers."""
        return PackedNumbers(self._odd, b"".join(self._keys))

    @classmethod
    def unpack(cls, packed: PackedNumbers) -> Self:
        """Return what was packed, mixed with the same secret."""
        numbers = cls()
        numbers._fill(packed)
        return numbers

    def _fill(self, packed: PackedNumbers) -> list[int]:
        """Load the packed numbers; return where the arrays were cut."""
        keys = array("Q", packed.keys)
        self._odd = packed.odd
        self._size = len(keys)
        while self._size > self._room:
            self._shift -= 1
            self._room *= 2
        places = range(1 << _BITS - self._shift)
        cuts = [*(bisect_left(keys, place << self._shift) for place in places), len(keys)]
        self._keys = [keys[begin:end] for begin, end in pairwise(cuts)]
        return cuts

    def _split(self) -> list[int]:
        """Split each array by the next bit; return where each was cut."""
        self._shift -= 1
        self._room *= 2
        cuts = [
            bisect_left(keys, (2 * place + 1) << self._shift)
            for place, keys in enumerate(self._keys)
        ]
        self._keys = _halves(self._keys, cuts)
        return cuts


PackedSites = dict[str, PackedNumbers]
"""site → what is remembered of it"""


def pack_sites(sites: "Mapping[str, CompactMap]") -> PackedSites:
    """Return a copy of the maps of sites."""
    return {site: numbers.pack() for site, numbers in sites.items()}


def unpack_sites(packed: Mapping[str, PackedNumbers]) -> "dict[str, CompactMap]":
    """Return the maps that were packed."""
    return {site: CompactMap.unpack(numbers) for site, numbers in packed.items()}


class CompactMap(CompactSet):
    """Maps numbers to values, from 0 to 2^64 - 1; that of an unknown number is 0."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        super().__init__()
        self._values = [array("Q")]

    def get(self, number: int) -> int:
        """Return the value of a number."""
        key = number * self._odd & _MASK
        place = key >> self._shift
        keys = self._keys[place]
        index = bisect_left(keys, key)
        return self._values[place][index] if index < len(keys) and keys[index] == key else 0

    def put(self, number: int, value: int) -> int:
        """Set the value of a number; return the previous one."""
        key = number * self._odd & _MASK
        place = key >> self._shift
        keys = self._keys[place]
        index = bisect_left(keys, key)
        values = self._values[place]
        if index < len(keys) and keys[index] == key:
            before = values[index]
            values[index] = value
            return before
        keys.insert(index, key)
        values.insert(index, value)
        self._size += 1
        if self._size > self._room:
            self._split()
        return 0

    def pack(self) -> PackedNumbers:
        """Return a copy of all numbers and values."""
        return PackedNumbers(self._odd, b"".join(self._keys), b"".join(self._values))

    def _fill(self, packed: PackedNumbers) -> list[int]:
        cuts = super()._fill(packed)
        values = array("Q", packed.values)
        self._values = [values[begin:end] for begin, end in pairwise(cuts)]
        return cuts

    def _split(self) -> list[int]:
        cuts = super()._split()
        self._values = _halves(self._values, cuts)
        return cuts


def _halves(arrays: "list[array[int]]", cuts: list[int]) -> "list[array[int]]":
    """Cut each array in two. Each is freed at once, so there is never a copy of all of them."""
    arrays.reverse()
    halves: list[array[int]] = []
    for cut in cuts:
        whole = arrays.pop()
        halves += (whole[:cut], whole[cut:])
    return halves
