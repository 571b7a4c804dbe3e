"""The tokens by which servers send hits, as the API publishes them for ingest: digests only."""

from collections.abc import Mapping
from typing import NamedTuple

from services.state import keys
from services.state.errors import translated
from services.state.state import State, reply

_VERSION = b""


class PublishedTokens(NamedTuple):
    """What is published.

    version  of the tokens in the store, growing with every change
    bodies   SHA-256 of a token in hex → whose it is, as JSON
    """

    version: int
    bodies: Mapping[bytes, bytes]


class SendTokens:
    """Every token that may send hits. All calls raise StateError."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def read(self) -> PublishedTokens | None:
        """Return what is published; None when nothing is, as after the loss of all state."""
        with translated():
            fields: dict[bytes, bytes] = await reply(self._redis.hgetall(keys.SEND_TOKENS))
        version = fields.pop(_VERSION, None)
        return None if version is None else PublishedTokens(int(version), fields)

    async def publish(self, tokens: PublishedTokens) -> None:
        """Replace all published tokens with these, unless newer ones are published.

        A process that missed a change must not bring a revoked token back.
        """
        published = await self.read()
        if published is not None and (
            published.version > tokens.version
            or (published.version == tokens.version and published.bodies == tokens.bodies)
        ):
            return
        fields = {_VERSION: str(tokens.version).encode(), **tokens.bodies}
        with translated():
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.delete(keys.SEND_TOKENS)
                pipeline.hset(keys.SEND_TOKENS, mapping=fields)  # type: ignore[arg-type]
                await pipeline.execute()

    async def forget(self) -> None:
        """Delete what is published: the store was restored to an older state on purpose."""
        with translated():
            await self._redis.delete(keys.SEND_TOKENS)
