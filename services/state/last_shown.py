"""The numbers shown last, encoded, for other processes and for after a restart.

A site takes a few hundred bytes for each measure in use, and about 100 bytes for each page,
whatever its name, at most MAX_PAGES of them. They are deleted with the site.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from redis.asyncio.client import Pipeline

from services.model.site import Metric
from services.redis_client.routing import RoutedRedis
from services.state import keys
from services.state.errors import translated
from services.state.state import State, reply

MAX_PAGES = 2_000
"""Pages kept per site; above that, arbitrary ones are dropped, and come back when read."""
_TRIM = 100
SECONDS = 1.0
"""How long a call takes at most, unless more is allowed."""


class EncodedNumbers(NamedTuple):
    """The numbers shown last, and the last reset of each site; older numbers do not count.

    bodies    by site and name, which is a measure or a path; only what there is
    reset_at  ms since 1970, by site; a site without one was never reset
    """

    bodies: Mapping[tuple[str, str], bytes]
    reset_at: Mapping[str, int]


class ShownNumbers:
    """Reads and writes them. All calls raise StateError; `reset` alone has no time limit."""

    def __init__(self, state: State) -> None:
        self._redis = state.redis

    async def numbers(
        self, names: Sequence[tuple[str, Metric]], seconds: float = SECONDS
    ) -> EncodedNumbers:
        """Return the numbers of sites, by site and measure."""
        slugs = list(dict.fromkeys(slug for slug, _ in names))
        fields = [keys.reset_field(slug) for slug in slugs]
        fields += [keys.numbers_field(slug, metric) for slug, metric in names]
        with translated():
            async with asyncio.timeout(seconds):
                values: list[Any] = await reply(self._redis.hmget(keys.NUMBERS, fields))
        return _encoded(slugs, values[: len(slugs)], names, values[len(slugs) :])

    async def pages(
        self, names: Sequence[tuple[str, str]], seconds: float = SECONDS
    ) -> EncodedNumbers:
        """Return the views of pages, by site and path."""
        paths = _by_site(names)
        with translated():
            async with (
                asyncio.timeout(seconds),
                self._redis.pipeline(transaction=False) as pipeline,
            ):
                pipeline.hmget(keys.NUMBERS, [keys.reset_field(slug) for slug in paths])
                for slug, of_site in paths.items():
                    pipeline.hmget(keys.pages(slug), list(map(keys.page_field, of_site)))
                resets, *rows = await pipeline.execute()
        pages = [(slug, path) for slug, of_site in paths.items() for path in of_site]
        return _encoded(list(paths), resets, pages, [body for of_site in rows for body in of_site])

    async def write_numbers(self, bodies: Mapping[tuple[str, Metric], bytes]) -> None:
        """Write the numbers of sites, by site and measure."""
        if not bodies:
            return
        values: Any = {
            keys.numbers_field(slug, metric): body for (slug, metric), body in bodies.items()
        }
        with translated():
            async with asyncio.timeout(SECONDS):
                await reply(self._redis.hset(keys.NUMBERS, mapping=values))

    async def write_pages(self, bodies: Mapping[tuple[str, str], bytes]) -> None:
        """Write the views of pages, by site and path."""
        if not bodies:
            return
        with translated():
            async with asyncio.timeout(SECONDS):
                await self._write_pages(bodies)

    async def reset(self, slug: str, at_ms: int) -> None:
        """Forget what was shown of a site, in every process: only the store counts from now on.

        For an operator who has restored an older state of the store on purpose: until this is
        called, the higher numbers from before stay.
        """
        with translated():
            async with self._redis.pipeline(transaction=True) as pipeline:
                _forget_numbers(pipeline, slug)
                pipeline.hset(keys.NUMBERS, keys.reset_field(slug), str(at_ms))
                if isinstance(self._redis, RoutedRedis):
                    # From here on, pages from before do not count even if they stay.
                    await pipeline.execute()
                pipeline.delete(keys.pages(slug))
                await pipeline.execute()

    async def _write_pages(self, bodies: Mapping[tuple[str, str], bytes]) -> None:
        paths = _by_site(bodies)
        async with self._redis.pipeline(transaction=False) as pipeline:
            for slug, of_site in paths.items():
                values: Any = {keys.page_field(path): bodies[slug, path] for path in of_site}
                pipeline.hset(keys.pages(slug), mapping=values)
                pipeline.hlen(keys.pages(slug))
            sizes = (await pipeline.execute())[1::2]
        for slug, size in zip(paths, sizes, strict=True):
            if size > MAX_PAGES:
                key = keys.pages(slug)
                excess: list[bytes] = await reply(
                    self._redis.hrandfield(key, size - MAX_PAGES + _TRIM)
                )
                await reply(self._redis.hdel(key, *excess))


def forget(pipeline: Pipeline, slug: str) -> None:
    """Add to a pipeline the commands that delete everything kept of a site."""
    _forget_numbers(pipeline, slug)
    pipeline.delete(keys.pages(slug))


def _forget_numbers(pipeline: Pipeline, slug: str) -> None:
    fields = [keys.reset_field(slug), *(keys.numbers_field(slug, metric) for metric in Metric)]
    pipeline.hdel(keys.NUMBERS, *fields)


def _encoded(
    slugs: Sequence[str],
    resets: Sequence[bytes | None],
    names: Sequence[tuple[str, str]],
    bodies: Sequence[bytes | None],
) -> EncodedNumbers:
    return EncodedNumbers(
        {name: body for name, body in zip(names, bodies, strict=True) if body is not None},
        {
            slug: int(at)
            for slug, at in zip(slugs, resets, strict=True)
            if at is not None and at.isdigit()
        },
    )


def _by_site(pages: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    paths: dict[str, list[str]] = {}
    for slug, path in pages:
        paths.setdefault(slug, []).append(path)
    return paths
