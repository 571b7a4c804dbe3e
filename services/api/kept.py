"""The last good numbers, kept in Redis: for the time after a restart, and for other processes.

They are written before they are shown and read with every reading of the store, so the number
that was shown last is known to an API that has just started, even to one whose store has lost
rows. Redis may lose them at any time: then they are written again with the next readings.

A site takes a few hundred bytes in each measure that is asked for, and its pages about 100 bytes
each, MAX_PAGES of them at most. A site that is removed takes them along.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from services.api.reading import PageReading, Reading
from services.log import keys
from services.model.site import Metric

MAX_PAGES = 2_000
"""Pages of a site that are kept; beyond, any of them are dropped, and come back when asked for."""
_TRIM = 100
_REDIS_SECONDS = 1.0

R = TypeVar("R", Reading, PageReading)

log = logging.getLogger(__name__)

_encoder = msgspec.msgpack.Encoder()


class Shown(NamedTuple, Generic[R]):
    """What was shown last, by key, and since when: nothing older counts (ms, 0 is always)."""

    readings: Mapping[str, R]
    reset_at: int


class Kept:
    """Reads and writes what is kept. A Redis that is away is as good as an empty one."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._site = _Decoder(Reading)
        self._page = _Decoder(PageReading)

    async def numbers(self, slug: str, metric: Metric) -> Shown[Reading] | None:
        """Return the numbers of a site, under the key `metric`; None when Redis is away."""
        try:
            asked = [keys.reset_field(slug), keys.numbers_field(slug, metric)]
            async with asyncio.timeout(_REDIS_SECONDS):
                reset, body = await _values(self._redis.hmget(keys.NUMBERS, asked))
        except (RedisError, OSError):
            return None
        return self._site.shown([metric], [body], reset)

    async def pages(self, slug: str, paths: Sequence[str]) -> Shown[PageReading] | None:
        """Return the views of pages by path, of those that are kept; None when Redis is away."""
        try:
            async with (
                asyncio.timeout(_REDIS_SECONDS),
                self._redis.pipeline(transaction=False) as pipeline,
            ):
                pipeline.hget(keys.NUMBERS, keys.reset_field(slug))
                pipeline.hmget(keys.pages(slug), list(paths))
                reset, bodies = await pipeline.execute()
        except (RedisError, OSError):
            return None
        return self._page.shown(paths, bodies, reset)

    async def keep(self, slug: str, metric: Metric, reading: Reading) -> bool:
        """Write the numbers of a site; tell whether Redis took them."""
        field = keys.numbers_field(slug, metric)
        try:
            async with asyncio.timeout(_REDIS_SECONDS):
                await _done(self._redis.hset(keys.NUMBERS, field, _text(reading)))
        except (RedisError, OSError) as error:
            log.debug("cannot keep the numbers of %s: %s", slug, error)
            return False
        return True

    async def keep_pages(self, slug: str, readings: Mapping[str, PageReading]) -> bool:
        """Write the views of pages; tell whether Redis took them."""
        if not readings:
            return True
        key = keys.pages(slug)
        values: Any = {path: _text(reading) for path, reading in readings.items()}
        try:
            async with asyncio.timeout(_REDIS_SECONDS):
                await self._write_pages(key, values)
        except (RedisError, OSError) as error:
            log.debug("cannot keep the pages of %s: %s", slug, error)
            return False
        return True

    async def _write_pages(self, key: str, values: Any) -> None:
        async with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hset(key, mapping=values)
            pipeline.hlen(key)
            size = (await pipeline.execute())[1]
        if size > MAX_PAGES:
            excess = await _values(self._redis.hrandfield(key, size - MAX_PAGES + _TRIM))
            await _done(self._redis.hdel(key, *cast("list[str]", excess)))


async def reset(redis: Redis, slug: str, at_ms: int) -> None:
    """Forget what was shown of a site, in every process: the store alone counts from now on.

    For an operator who has put back an older state of the store on purpose: until then, the
    higher numbers of before stay. Raises redis.exceptions.RedisError.
    """
    async with redis.pipeline(transaction=True) as pipeline:
        forget(pipeline, slug)
        pipeline.hset(keys.NUMBERS, keys.reset_field(slug), str(at_ms))
        await pipeline.execute()


def forget(pipeline: Pipeline, slug: str) -> None:
    """Add to a pipeline what takes away everything that is kept of a site."""
    fields = [keys.reset_field(slug), *(keys.numbers_field(slug, metric) for metric in Metric)]
    pipeline.hdel(keys.NUMBERS, *fields)
    pipeline.delete(keys.pages(slug))


class _Decoder(Generic[R]):
    def __init__(self, kind: type[R]) -> None:
        self._decoder: msgspec.msgpack.Decoder[R] = msgspec.msgpack.Decoder(kind)

    def shown(
        self, names: Sequence[str], bodies: Sequence[bytes | None], reset_at: bytes | None
    ) -> Shown[R]:
        since = int(reset_at) if reset_at is not None and reset_at.isdigit() else 0
        found: dict[str, R] = {}
        for name, body in zip(names, bodies, strict=True):
            reading = self._decode(body)
            if reading is not None and reading.as_of > since:
                found[name] = reading
        return Shown(found, since)

    def _decode(self, body: bytes | None) -> R | None:
        try:
            return None if body is None else self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError):
            return None  # written by another version: as good as lost


def _text(reading: Reading | PageReading) -> bytes:
    return _encoder.encode(reading)


async def _values(answer: Any) -> list[Any]:
    return cast("list[Any]", await answer)


async def _done(answer: Any) -> None:
    await answer
