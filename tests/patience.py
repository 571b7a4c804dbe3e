"""How long a test waits at most for what has to come."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

PATIENCE_SECONDS = 120.0
"""What comes in a moment on a quiet machine may take a minute on one that is busy."""
LEAST_LOOKS = 3


def rounds(pause: float) -> Iterator[int]:
    """Yield for each look, with a pause in seconds between two looks, until patience ends.

    Looks are counted, as a machine that stands still looks at nothing. Where a look is slow itself,
    as at a server that does not answer, it is over after twice the time.
    """
    longest = time.monotonic() + 2 * PATIENCE_SECONDS
    for number in range(round(PATIENCE_SECONDS / pause)):
        if number >= LEAST_LOOKS and time.monotonic() > longest:
            return
        yield number


@asynccontextmanager
async def limited(what: str, seconds: float = PATIENCE_SECONDS) -> AsyncIterator[None]:
    """Raise AssertionError that says what did not end in so many seconds."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(f"{what} did not end within {seconds:.0f} s") from None
