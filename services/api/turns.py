"""Long work in one loop, a few items at a time, so that requests are answered in between."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

ITEMS_A_TURN = 16


async def in_turns(items: Iterable[T], size: int = ITEMS_A_TURN) -> AsyncIterator[T]:
    """Yield items; after each `size` of them, let others have their turn."""
    for number, item in enumerate(items, 1):
        yield item
        if number % size == 0:
            await asyncio.sleep(0)
