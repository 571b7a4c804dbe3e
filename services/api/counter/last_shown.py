"""The last good numbers, kept in Redis: for the time after a restart, and for other processes.

They are written before they are shown and read with every reading of the store, so the number
that was shown last is known to an API that has just started, even to one whose store has lost
rows. Redis may lose them at any time: then they are written again with the next readings.

A site takes a few hundred bytes in each measure that is asked for, and its pages about 100 bytes
each, MAX_PAGES of them at most. A site that is removed takes them along.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from services.api.counter.reading import PageReading, Reading
from services.model.site import Metric
from services.state import keys

MAX_PAGES = 2_000
"""Pages of a site that are kept; beyond, any of them are dropped, and come back when asked for."""
_TRIM = 100
_REDIS_SECONDS = 1.0

R = TypeVar("R", Reading, PageReading)

log = logging.getLogger(__name__)

_encoder = msgspec.msgpack.Encoder()


class Shown(NamedTuple, Generic[R]):
    """What was shown last, by site and name, and since when of each site: nothing older counts.

    The name is a measure or a path. Times are in ms; a site without one was never reset.
    """

    readings: Mapping[tuple[str, str], R]
    reset_at: Mapping[str, int]


class Kept:
    """Reads and writes what is kept. A Redis that is away is as good as an empty one."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._site = _Decoder(Reading)
        self._page = _Decoder(PageReading)

    async def numbers(self, wanted: Sequence[tuple[str, Metric]]) -> Shown[Reading] | None:
        """Return the numbers of sites, by site and measure; None when Redis is away."""
        slugs = list(dict.fromkeys(slug for slug, _ in wanted))
        fields = [keys.reset_field(slug) for slug in slugs]
        fields += [keys.numbers_field(slug, metric) for slug, metric in wanted]
        try:
            async with asyncio.timeout(_REDIS_SECONDS):
                values = await _values(self._redis.hmget(keys.NUMBERS, fields))
        except (RedisError, OSError):
            return None
        resets = values[: len(slugs)]
        return self._site.shown(wanted, values[len(slugs) :], dict(zip(slugs, resets, strict=True)))

    async def pages(self, wanted: Sequence[tuple[str, str]]) -> Shown[PageReading] | None:
        """Return the views of pages, of those that are kept; None when Redis is away."""
        paths = _by_site(wanted)
        try:
            async with (
                asyncio.timeout(_REDIS_SECONDS),
                self._redis.pipeline(transaction=False) as pipeline,
            ):
                pipeline.hmget(keys.NUMBERS, [keys.reset_field(slug) for slug in paths])
                for slug, of_site in paths.items():
                    pipeline.hmget(keys.pages(slug), of_site)
                resets, *found = await pipeline.execute()
        except (RedisError, OSError):
            return None
        names = [(slug, path) for slug, of_site in paths.items() for path in of_site]
        bodies = [body for of_site in found for body in of_site]
        return self._page.shown(names, bodies, dict(zip(paths, resets, strict=True)))

    async def keep(self, readings: Mapping[tuple[str, Metric], Reading]) -> bool:
        """Write the numbers of sites; tell whether Redis took them."""
        if not readings:
            return True
        values: Any = {
            keys.numbers_field(slug, metric): _text(reading)
            for (slug, metric), reading in readings.items()
        }
        try:
            async with asyncio.timeout(_REDIS_SECONDS):
                await _done(self._redis.hset(keys.NUMBERS, mapping=values))
        except (RedisError, OSError) as error:
            log.debug("cannot keep the numbers of %d sites: %s", len(readings), error)
            return False
        return True

    async def keep_pages(self, readings: Mapping[tuple[str, str], PageReading]) -> bool:
        """Write the views of pages; tell whether Redis took them."""
        if not readings:
            return True
        try:
            async with asyncio.timeout(_REDIS_SECONDS):
                await self._write_pages(readings)
        except (RedisError, OSError) as error:
            log.debug("cannot keep %d pages: %s", len(readings), error)
            return False
        return True

    async def _write_pages(self, readings: Mapping[tuple[str, str], PageReading]) -> None:
        paths = _by_site(readings)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for slug, of_site in paths.items():
                values: Any = {path: _text(readings[slug, path]) for path in of_site}
                pipeline.hset(keys.pages(slug), mapping=values)
                pipeline.hlen(keys.pages(slug))
            sizes = (await pipeline.execute())[1::2]
        for slug, size in zip(paths, sizes, strict=True):
            if size > MAX_PAGES:
                key = keys.pages(slug)
                excess = await _values(self._redis.hrandfield(key, size - MAX_PAGES + _TRIM))
                await _done(self._redis.hdel(key, *cast("list[str]", excess)))


def _by_site(pages: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    paths: dict[str, list[str]] = {}
    for slug, path in pages:
        paths.setdefault(slug, []).append(path)
    return paths


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
        self,
        names: Sequence[tuple[str, str]],
        bodies: Sequence[bytes | None],
        resets: Mapping[str, bytes | None],
    ) -> Shown[R]:
        since = {
            slug: int(said) for slug, said in resets.items() if said is not None and said.isdigit()
        }
        found: dict[tuple[str, str], R] = {}
        for name, body in zip(names, bodies, strict=True):
            reading = self._decode(body)
            if reading is not None and reading.as_of > since.get(name[0], 0):
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
