"""Maps bounded in bytes, for data that strangers can fill them with."""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from sys import getsizeof
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedMap(Generic[K, V]):
    """An ordered map; beyond `max_bytes`, the first entries are dropped.

    Its owner gives the size of each entry: key, value, and the objects around them.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[K]:
        return iter(self._entries)

    def get(self, key: K) -> V | None:
        """Return the value of a key; None if there is none."""
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def put(self, key: K, value: V, size: int, *, first: bool = False) -> None:
        """Add or replace an entry, at the end or as the `first` to be dropped."""
        self.pop(key)
        self._entries[key] = (value, size)
        self._bytes += size
        if first:
            self._entries.move_to_end(key, last=False)
        while self._bytes > self._max_bytes:
            _, (_, forgotten) = self._entries.popitem(last=False)
            self._bytes -= forgotten

    def pop(self, key: K) -> V | None:
        """Remove an entry; return its value, or None if there is none."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return None
        self._bytes -= entry[1]
        return entry[0]


def size_of(*texts: str | bytes) -> int:
    """Return the bytes that strings take in memory: with one emoji, four per character."""
    return sum(map(getsizeof, texts))
