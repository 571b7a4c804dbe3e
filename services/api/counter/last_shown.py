"""The last good numbers, kept in Redis: for the time after a restart, and for other processes.

They are written before they are shown and read with every reading of the store, so the number
that was shown last is known to an API that has just started, even to one whose store has lost
rows. Redis may lose them at any time: then they are written again with the next readings.

A site takes a few hundred bytes in each measure that is asked for, and its pages about 100 bytes
each, MAX_PAGES of them at most. A site that is removed takes them along.
"""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from services.api.counter.reading import PageReading, Reading
from services.log import keys
from services.model.site import Metric

MAX_PAGES = 2_000
"""Pages of a site that are kept; beyond, any of them are dropped, and come back when asked for."""
_TRIM = 100
_REDIS_SECONDS = 1.0

R = TypeVar("R", Reading, PageReading)
N = TypeVar("N", bound=str)

log = logging.getLogger(__name__)

_encoder = msgspec.msgpack.Encoder()


class Shown(NamedTuple, Generic[R]):
    """What was shown last, by site and name, and since when of each site: nothing older counts.

    The name is a measure or a path. Times are in ms; a site without one was never reset. Where
    shared state cannot be read, nothing of it is known.
    """

    readings: Mapping[tuple[str, str], R]
    reset_at: Mapping[str, int]
    is_known: bool = True


class LastShown(ABC, Generic[R]):
    """Readings as they were shown last, in shared state; while that is away, nothing is known."""

    @abstractmethod
    async def read(self, names: Sequence[tuple[str, N]]) -> Shown[R]:
        """Return the readings of those names that have any."""

    @abstractmethod
    async def write(self, readings: Mapping[tuple[str, N], R]) -> bool:
        """Keep readings; tell whether they were taken."""


class LastShownSites(LastShown[Reading]):
    """The numbers of sites, by slug and measure."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._decoder = _Decoder(Reading)

    async def read(self, names: Sequence[tuple[str, N]]) -> Shown[Reading]:
        """Return the numbers of sites."""
        slugs = list(dict.fromkeys(slug for slug, _ in names))
        fields = [keys.reset_field(slug) for slug in slugs]
        fields += [keys.numbers_field(slug, metric) for slug, metric in names]
        try:
            async with asyncio.timeout(_REDIS_SECONDS):
                values = await _values(self._redis.hmget(keys.NUMBERS, fields))
        except (RedisError, OSError):
            return _UNKNOWN
        resets = values[: len(slugs)]
        return self._decoder.shown(
            names, values[len(slugs) :], dict(zip(slugs, resets, strict=True))
        )

    async def write(self, readings: Mapping[tuple[str, N], Reading]) -> bool:
        """Keep the numbers of sites."""
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


class LastShownPages(LastShown[PageReading]):
    """The views of pages, by slug and path."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._decoder = _Decoder(PageReading)

    async def read(self, names: Sequence[tuple[str, N]]) -> Shown[PageReading]:
        """Return the views of pages."""
        paths = _by_site(names)
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
            return _UNKNOWN
        pages = [(slug, path) for slug, of_site in paths.items() for path in of_site]
        bodies = [body for of_site in found for body in of_site]
        return self._decoder.shown(pages, bodies, dict(zip(paths, resets, strict=True)))

    async def write(self, readings: Mapping[tuple[str, N], PageReading]) -> bool:
        """Keep the views of pages."""
        if not readings:
            return True
        try:
            async with asyncio.timeout(_REDIS_SECONDS):
                await self._write(readings)
        except (RedisError, OSError) as error:
            log.debug("cannot keep %d pages: %s", len(readings), error)
            return False
        return True

    async def _write(self, readings: Mapping[tuple[str, N], PageReading]) -> None:
        values: dict[str, Any] = {}
        for (slug, path), reading in readings.items():
            values.setdefault(slug, {})[path] = _text(reading)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for slug, of_site in values.items():
                pipeline.hset(keys.pages(slug), mapping=of_site)
                pipeline.hlen(keys.pages(slug))
            sizes = (await pipeline.execute())[1::2]
        for slug, size in zip(values, sizes, strict=True):
            if size > MAX_PAGES:
                key = keys.pages(slug)
                excess = await _values(self._redis.hrandfield(key, size - MAX_PAGES + _TRIM))
                await _done(self._redis.hdel(key, *cast("list[str]", excess)))


_UNKNOWN: Shown[Any] = Shown({}, {}, is_known=False)


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
