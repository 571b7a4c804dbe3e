"""A cache whose size is bounded in bytes, for data that strangers may fill it with.

`functools.lru_cache` counts entries, and strangers can make entries as large as they want.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

ENTRY_BYTES = 120
"""What CPython's dict takes per entry, just after it has grown."""


class BoundedCache(Generic[K, V]):
    """Caches what was used recently, in two generations.

    When the younger one holds half of the bytes, it becomes the older one, and the previous older
    one is dropped; an entry found in the older one moves to the younger. So what is looked up often
    stays.

    young  looks into the younger one only, at the cost of a dict lookup: for hot paths, which fall
           back to `get`
    """

    __slots__ = ("_filled", "_half", "_old", "_size", "_young", "young")

    def __init__(self, max_bytes: int, size: Callable[[K, V], int]) -> None:
        """`size` returns the bytes of a key and its value, without those of the entry itself."""
        self._half = max_bytes // 2
        self._size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}
        self._filled = 0
        self.young: Callable[[K], V | None] = self._young.get

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())

    def get(self, key: K) -> V | None:
        """Return the cached value of a key, or None."""
        value = self._young.get(key)
        if value is None and self._old:
            value = self._old.pop(key, None)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Cache the value of a key, unless it is larger than half of the cache."""
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
