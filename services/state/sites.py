"""The sites as the API publishes them, for ingest to read: slug → the site as JSON."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from services.redis_client.routing import RoutedRedis
from services.state import keys, last_shown
from services.state.errors import translated
from services.state.lock import StateLock
from services.state.state import State, reply

READ_SECONDS = 5.0
"""How long an API whose store is down waits: without the sites, no number is shown."""
LOCK_SECONDS = 20.0
"""How long the lock is held, and waited for, at most."""
READER_SECONDS = 10
"""How long a process that has read the sites is assumed to run; it reads every two seconds."""


class SitesBesideLog(NamedTuple):
    """The published sites, and whether the server still holds what the log wrote to it.

    A server with neither a log nor sites has lost everything.
    """

    bodies: dict[bytes, bytes]
    has_log: bool


class SiteReaders(NamedTuple):
    """How many ingest processes run, and how many of them know the sites as now published."""

    running: int
    current: int


class PublishedSites:
    """Every site that hits are taken for. All calls raise StateError."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._redis = state.redis

    def lock(self) -> StateLock:
        """Return the lock for changing sites, not yet acquired."""
        return StateLock(
            self._state, keys.CHANGING_SITES, seconds=LOCK_SECONDS, wait_seconds=LOCK_SECONDS
        )

    async def read(self) -> dict[bytes, bytes]:
        """Return all sites by slug. Takes READ_SECONDS at most."""
        with translated():
            async with asyncio.timeout(READ_SECONDS):
                return await self._all()

    async def read_beside(self, log_key: str) -> SitesBesideLog:
        """Return all sites, and whether a key of the log exists.

        On a cluster, the log may be on other masters than the sites, which have a key beside them.
        """
        if isinstance(self._redis, RoutedRedis):
            log_key = keys.SITES_BESIDE
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.hgetall(keys.SITES)
                pipeline.exists(log_key)
                bodies, exists = await pipeline.execute()
        return SitesBesideLog(bodies, bool(exists))

    async def slugs(self) -> set[str]:
        """Return the slugs of all sites."""
        with translated():
            slugs: list[bytes] = await reply(self._redis.hkeys(keys.SITES))
        return {slug.decode(errors="replace") for slug in slugs}

    async def acknowledge(self, reader: str, bodies: Mapping[bytes, bytes]) -> None:
        """Record which sites an ingest process knows; repeat it within READER_SECONDS."""
        with translated():
            async with self._redis.pipeline(transaction=False) as pipeline:
                pipeline.sadd(keys.SITE_READERS, reader)
                pipeline.set(keys.site_reader(reader), _digest(bodies), ex=READER_SECONDS)
                await pipeline.execute()

    async def readers(self) -> SiteReaders:
        """Return how many processes run and know the sites; those that ended are forgotten."""
        with translated():
            readers: set[bytes] = await reply(self._redis.smembers(keys.SITE_READERS))
            if not readers:
                return SiteReaders(0, 0)
            names = [reader.decode(errors="replace") for reader in readers]
            known = await self._redis.mget(map(keys.site_reader, names))
            gone = [name for name, digest in zip(names, known, strict=True) if digest is None]
            if gone:
                await self._redis.srem(keys.SITE_READERS, *gone)
            published = _digest(await self._all())
            return SiteReaders(len(names) - len(gone), known.count(published))

    async def publish(self, bodies: Mapping[bytes, bytes]) -> None:
        """Replace all published sites with these; only what changed is written.

        Removing a site also deletes the numbers it showed last.
        """
        with translated():
            published = await self._all()
            changed = {slug: body for slug, body in bodies.items() if published.get(slug) != body}
            gone: list[Any] = [slug for slug in published if slug not in bodies]
            kept = set(map(_kept_as, bodies, bodies.values()))
            ended = set(map(_kept_as, gone, (published[slug] for slug in gone))) - kept
            if not changed and not gone:
                return
            routed = isinstance(self._redis, RoutedRedis)
            if routed:
                # Before the sites: if interrupted here, the next attempt does it again.
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for name in ended:
                        last_shown.forget(pipeline, name)
                    await pipeline.execute()
            async with self._redis.pipeline(transaction=True) as pipeline:
                if changed:
                    pipeline.hset(keys.SITES, mapping=changed)  # type: ignore[arg-type]
                if gone:
                    pipeline.hdel(keys.SITES, *gone)
                if routed:
                    pipeline.set(keys.SITES_BESIDE, "")
                else:
                    for name in ended:
                        last_shown.forget(pipeline, name)
                await pipeline.execute()

    async def _all(self) -> dict[bytes, bytes]:
        bodies: dict[bytes, bytes] = await reply(self._redis.hgetall(keys.SITES))
        return bodies


class _Kept(msgspec.Struct):
    kept_as: str = ""


def _kept_as(slug: bytes, body: bytes) -> str:
    """Return the name that the numbers of a published site are kept under."""
    with suppress(msgspec.MsgspecError, UnicodeDecodeError):
        return msgspec.json.decode(body, type=_Kept).kept_as or slug.decode(errors="replace")
    return slug.decode(errors="replace")


def _digest(bodies: Mapping[bytes, bytes]) -> bytes:
    digest = blake2b(digest_size=16)
    for slug in sorted(bodies):
        digest.update(b"%d:%b%d:%b" % (len(slug), slug, len(bodies[slug]), bodies[slug]))
    return digest.hexdigest().encode()
