"""Which paths of a site have counters: published by the aggregator, read by ingest.

For each site the sorted digests, 8 bytes a path, after 8 bytes that identify the version: the
format's number and a digest of all that follows.
"""

from array import array
from collections.abc import Collection
from hashlib import blake2b
from typing import cast

from services.model.path_digest import packed, unpacked
from services.state import keys
from services.state.errors import translated
from services.state.state import State

MOST_A_SITE = 100_000
"""Paths of one site: 800 kB."""
MOST_BYTES = 16 << 20
"""The histories of all sites together, 2 million paths: the limit in Redis and in ingest."""
EXPIRY_SECONDS = 7 * 86_400

_FORMAT = b"\x01"
_VERSION_BYTES = 8


def encode(digests: "array[int]") -> bytes:
    """Return sorted digests in the form in which they are published."""
    body = packed(digests)
    return _version(body) + body


def decode(published: bytes) -> "array[int] | None":
    """Return the published digests; None if the format is another or the data is damaged."""
    version, body = published[:_VERSION_BYTES], published[_VERSION_BYTES:]
    return unpacked(body) if version == _version(body) else None


def version_of(published: bytes) -> bytes:
    """Return the bytes that identify this version."""
    return published[:_VERSION_BYTES]


class PathHistories:
    """One string a site. All calls raise StateError."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def has(self, site: str, version: bytes) -> bool:
        """Tell whether this version is published, and renew the expiry of what is."""
        key = keys.path_history(site)
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.getrange(key, 0, _VERSION_BYTES - 1)
                pipeline.expire(key, EXPIRY_SECONDS)
                published, renewed = await pipeline.execute()
        return bool(renewed) and published == version

    async def publish(self, site: str, published: bytes) -> None:
        """Write the history of a site."""
        with translated():
            await self._redis.set(keys.path_history(site), published, ex=EXPIRY_SECONDS)

    async def versions(self, sites: Collection[str]) -> dict[str, bytes]:
        """Return the version of each site's history; b'' where there is none."""
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                for site in sites:
                    pipeline.getrange(keys.path_history(site), 0, _VERSION_BYTES - 1)
                answers = await pipeline.execute()
        return dict(zip(sites, answers, strict=True))

    async def read(self, site: str) -> bytes:
        """Return the history of a site as it was published; b'' when there is none."""
        with translated():
            published = await self._redis.get(keys.path_history(site))
        return cast("bytes | None", published) or b""


def _version(body: bytes) -> bytes:
    return _FORMAT + blake2b(body, digest_size=_VERSION_BYTES - 1).digest()
