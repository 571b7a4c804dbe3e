"""A cache whose size is bounded in bytes, for what strangers may fill.

`functools.lru_cache` counts entries, and an entry is as large as a stranger wants it to be.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ENTRY_BYTES = 120
"""What a dictionary of CPython takes for an entry, just after it has grown."""


class BoundedCache(Generic[K, V]):
    """Remembers what was used lately, in two generations.

    When the younger one has half of the bytes, it becomes the older one, and what was the older
    one is forgotten; what is found in the older one is young again. So something that is asked for
    often stays.

    young  looks into the younger one only, and costs what a lookup in a dictionary costs: for hot
           paths, which ask `get` for what is not there
    """

    __slots__ = ("_filled", "_half", "_old", "_size", "_young", "young")

    def __init__(self, max_bytes: int, size: Callable[[K, V], int]) -> None:
        """`size` returns the bytes of a key and its value; the entry itself comes on top."""
        self._half = max_bytes // 2
        self._size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._filled = 0
        self.young: Callable[[K], V | None] = self._young.get

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: K) -> V | None:
        """Return what is remembered of a key, or None."""
        value = self._young.get(key)
        if value is None and self._old:
            value = self._old.pop(key, None)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember the value of a key; what is larger than half of the cache is not kept."""
        size = self._size(key, value) + ENTRY_BYTES
        if size > self._half:
            return
        if self._filled + size > self._half:
            self._old, self._filled = self._young.copy(), 0
            self._young.clear()
        self._young[key] = value
        self._filled += size

    def clear(self) -> None:
        """Forget everything."""
        self._old, self._filled = {}, 0
        self._young.clear()
