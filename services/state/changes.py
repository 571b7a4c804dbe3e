"""Notices of which sites' numbers may have changed: said to whoever listens, kept nowhere.

Nothing of it is needed for a right number. Whoever hears nothing reads more often.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from typing import Annotated, Any

import msgspec

from services.model.partition import MAX_PARTITIONS
from services.state import keys
from services.state.errors import translated
from services.state.state import State

SILENCE_SECONDS = 10.0
"""A connection on which nothing was heard for so long is not trusted any more."""
SITES_A_NOTICE = 500
MAX_BYTES = 256 << 10
"""A longer notice is none: 500 sites with the longest names take less."""
_PAUSE_SECONDS = 0.01
"""Between two notices, so that a flood of them takes no more than a share of the listener."""
_TELL_SECONDS = 1.0

_encoder = msgspec.msgpack.Encoder()
_Name = Annotated[str, msgspec.Meta(max_length=200)]


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """What one process tells.

    teller      a name that it has for as long as it tells everything; another one otherwise
    partitions  the partitions whose changes it tells, from its first notice on
    sites       the names that the counters have whose numbers may have changed
    """

    teller: _Name
    partitions: Annotated[tuple[int, ...], msgspec.Meta(max_length=MAX_PARTITIONS)] = ()
    sites: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=SITES_A_NOTICE)] = ()


_decoder = msgspec.msgpack.Decoder(Notice)


class Notices:
    """Tells and hears them, by the publish/subscribe of Redis, which writes nothing to the disk."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis
        database = self._redis.connection_pool.connection_kwargs.get("db") or 0
        self._channel = keys.changes(database)

    async def tell(self, teller: str, partitions: Collection[int], sites: Collection[str]) -> None:
        """Tell it all, also where no site has changed. Raises StateError; takes 1 s at most."""
        bodies = [
            _encoder.encode(Notice(teller, tuple(partitions), some)) for some in _some(list(sites))
        ]
        with translated():
            async with asyncio.timeout(_TELL_SECONDS):
                for body in bodies:
                    await self._done(self._redis.publish(self._channel, body))

    async def heard(self) -> AsyncGenerator[Notice | None, None]:
        """Yield what is told; None whenever something before it may have been missed.

        Ends where nothing is heard for long: who goes on listening begins anew. Raises StateError.
        """
        pubsub = self._redis.pubsub()
        try:
            with translated():
                await pubsub.subscribe(self._channel)
            while True:
                with translated():
                    # The client connects again by itself, and subscribes again: that is said.
                    message = await pubsub.get_message(timeout=SILENCE_SECONDS)
                if message is None:
                    return
                if message["type"] == "subscribe":
                    yield None
                elif (notice := _decoded(message["data"])) is not None:
                    yield notice
                    await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            with translated():
                await pubsub.aclose()  # type: ignore[no-untyped-call]

    @staticmethod
    async def _done(answer: Any) -> None:
        await answer


def _some(sites: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield sites in notices' worths; one without any where there are none."""
    for first in range(0, max(1, len(sites)), SITES_A_NOTICE):
        yield tuple(sites[first : first + SITES_A_NOTICE])


def _decoded(body: object) -> Notice | None:
    """Return a notice; None for what is none: anybody who reaches Redis can say anything."""
    if not isinstance(body, bytes) or len(body) > MAX_BYTES:
        return None
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None
