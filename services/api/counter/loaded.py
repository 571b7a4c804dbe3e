"""The parts of the value cache: values with their load times, and batches."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

from services.runtime.bounded import BoundedMap

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Loaded(NamedTuple, Generic[V]):
    """A value, and when, by the clock of its cache, its load began and ended."""

    value: V
    began: float
    loaded_at: float


class LoadBatch(Generic[K]):
    """Keys that are loaded together; more may join until it is closed."""

    def __init__(self, started: float, *, in_background: bool) -> None:
        self.started = started
        self.in_background = in_background
        self.keys: list[K] = []
        self.closed = False
        self.task: asyncio.Task[None]


class Values(Generic[K, V]):
    """Loaded values within `max_bytes`, by `size`; those without `worth` have a quarter of that."""

    def __init__(
        self, max_bytes: int, size: Callable[[K, V], int], worth: Callable[[V], bool]
    ) -> None:
        self._size = size
        self._worth = worth
        self._worthy: BoundedMap[K, Loaded[V]] = BoundedMap(max_bytes)
        self._worthless: BoundedMap[K, Loaded[V]] = BoundedMap(max_bytes // 4)

    def get(self, key: K) -> Loaded[V] | None:
        """Return the value of a key, None when there is none."""
        return self._worthy.get(key) or self._worthless.get(key)

    def put(self, key: K, loaded: Loaded[V]) -> None:
        """Keep a value, evicting the least recently loaded if needed."""
        cache, other = self._worthy, self._worthless
        if not self._worth(loaded.value):
            cache, other = other, cache
        other.pop(key)
        cache.put(key, loaded, self._size(key, loaded.value))

    def pop(self, key: K) -> None:
        """Forget a value."""
        self._worthy.pop(key)
        self._worthless.pop(key)
