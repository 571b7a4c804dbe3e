"""The store for work that is not urgent: one use at a time, with limits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from services.http.errors import unavailable
from services.store.interface import Limits, Store, StoreError


class LimitedStore:
    """Opens the store for one caller at a time."""

    def __init__(self, store: Callable[[], Store], limits: Limits, refusal: str) -> None:
        """`store` is called for every use; `refusal` begins the message of a failure."""
        self._store = store
        self._limits = limits
        self._refusal = refusal
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Store]:
        """Wait for a turn; yields the store with its limits. Raises ApiError, 503."""
        async with self._turn:
            limited = self._store().limited(self._limits)
            try:
                yield limited
            except StoreError as error:
                raise unavailable(f"{self._refusal}: {error}") from error
            finally:
                await limited.close()
