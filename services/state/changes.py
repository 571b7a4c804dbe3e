"""Notices of which sites' numbers may have changed: broadcast to listeners, stored nowhere.

Correct numbers do not depend on them. A listener that hears nothing reads more often.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from typing import Annotated

import msgspec

from services.model.partition import MAX_PARTITIONS
from services.state import keys
from services.state.errors import translated
from services.state.state import State, reply

SILENCE_SECONDS = 10.0
"""A connection that was silent for this long is no longer trusted."""
SITES_A_NOTICE = 500
MAX_BYTES = 256 << 10
"""A longer message is ignored: 500 sites with the longest names take less."""
_PAUSE_SECONDS = 0.01
"""Between two notices, so that a flood of them takes only a share of the listener's time."""
_TELL_SECONDS = 1.0

_encoder = msgspec.msgpack.Encoder()
_Name = Annotated[str, msgspec.Meta(max_length=200)]


class Notice(msgspec.Struct, frozen=True, array_like=True):
    """What one process announces.

    teller      its name, which changes whenever a notice of its may have been lost
    partitions  the partitions whose changes it announces, from its first notice on
    sites       the counters' names of the sites whose numbers may have changed
    """

    teller: _Name
    partitions: Annotated[tuple[int, ...], msgspec.Meta(max_length=MAX_PARTITIONS)] = ()
    sites: Annotated[tuple[_Name, ...], msgspec.Meta(max_length=SITES_A_NOTICE)] = ()


_decoder = msgspec.msgpack.Decoder(Notice)


class Notices:
    """Sends and receives notices through Redis publish/subscribe, which writes nothing to disk."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis
        database = self._redis.connection_pool.connection_kwargs.get("db") or 0
        self._channel = keys.changes(database)

    async def tell(self, teller: str, partitions: Collection[int], sites: Collection[str]) -> None:
        """Publish them, even if no site has changed. Raises StateError; takes 1 s at most."""
        bodies = [
            _encoder.encode(Notice(teller, tuple(partitions), some)) for some in _some(list(sites))
        ]
        with translated():
            async with asyncio.timeout(_TELL_SECONDS):
                for body in bodies:
                    await reply(self._redis.publish(self._channel, body))

    async def heard(self) -> AsyncGenerator[Notice | None, None]:
        """Yield notices; None whenever earlier ones may have been missed.

        Ends after SILENCE_SECONDS of silence: call it again to go on. Raises StateError.
        """
        pubsub = self._redis.pubsub()
        try:
            with translated():
                await pubsub.subscribe(self._channel)
            while True:
                with translated():
                    # The client reconnects and resubscribes by itself; a message says so.
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


def _some(sites: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield the sites in chunks that fit a notice; one empty chunk when there are none."""
    for first in range(0, max(1, len(sites)), SITES_A_NOTICE):
        yield tuple(sites[first : first + SITES_A_NOTICE])


def _decoded(body: object) -> Notice | None:
    """Return a notice; None if it is not one: anybody who reaches Redis can publish anything."""
    if not isinstance(body, bytes) or len(body) > MAX_BYTES:
        return None
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
        return None
