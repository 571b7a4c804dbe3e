"""A log that waits to be folded: many hits of many portals, as ingest writes them."""

import asyncio
import random
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

import msgspec
from redis.asyncio import Redis

from benchmarks import portals
from services.enrich.agents import read_agent
from services.enrich.urls import referring_host
from services.enrich.visitor_hash import visitor_hash
from services.log import batch, keys
from services.log.entries import LogEntry
from services.log.open import open_log
from services.log.redis import entry_ids
from services.model.calendar import local_day
from services.model.hit import Hit
from services.model.partition import DEFAULT_PARTITIONS, partition_of
from services.model.site import DEFAULT_TIMEZONE

DISTINCT = 100_000
"""Hits that are made one by one; a longer log repeats them at later times."""
ENTRIES_AT_ONCE = 200
_SALT = bytes(16)
_BASE, _VISITOR, _VIEW_ID = 0, 6, 15
"""Indexes in an entry's payload (services/log/batch.py): the time of its first hit, two columns."""
_PAUSE_SECONDS = 0.05

_encode = msgspec.msgpack.Encoder().encode


def hits(now: int, views: list[portals.View]) -> list[Hit]:
    """Return page views as ingest makes hits of them, all received at `now` (ms)."""
    day = local_day(now, DEFAULT_TIMEZONE)
    return [_hit(view, now, day) for view in views]


def _hit(view: portals.View, now: int, day: int) -> Hit:
    agent = read_agent(view.agent)
    host = f"{view.site}.example"
    source = referring_host(view.referrer)
    return Hit(
        site=view.site,
        path=view.path,
        at=now,
        day=day,
        visitor=visitor_hash(_SALT, view.site, view.address, view.agent),
        host=host,
        source="" if source == host else source,
        device=agent.device,
        browser=agent.browser,
        os=agent.os,
        country="VN",
    )


class Fresh:
    """Gives hits that are repeated visitors of their own, lap by lap, and each the id of a view."""

    def __init__(self, seed: int = portals.SEED) -> None:
        self._random = random.Random(seed)
        self._lap = 0

    def begin_lap(self) -> None:
        """From now on, the same visitors are others."""
        self._lap = self._random.getrandbits(63)

    def renew(self, wire: list[Any]) -> None:
        """Change the hits of a payload in its parts."""
        wire[_VISITOR] = [visitor ^ self._lap for visitor in wire[_VISITOR]]
        wire[_VIEW_ID:] = [[self._random.getrandbits(63) for _ in wire[_VISITOR]]]


def by_partition(made: list[Hit], partitions: int = DEFAULT_PARTITIONS) -> dict[int, list[Hit]]:
    """Sort hits into the partitions of their sites."""
    found: dict[int, list[Hit]] = {}
    for hit in made:
        found.setdefault(partition_of(hit.site, partitions), []).append(hit)
    return found


async def append(
    url: str,
    count: int,
    hits_an_entry: int,
    views: list[portals.View],
    partitions: int = DEFAULT_PARTITIONS,
    fresh: Fresh | None = None,
) -> int:
    """Append at least `count` hits; return how many there are.

    Each entry has the time of its append: older hits would count as drained from a spool. Without
    `fresh`, hits that are repeated are of the same visitors, and have no view ids.
    """
    groups = list(_groups(views, hits_an_entry, partitions))
    # A log that exists goes on: entries of the same producer would be repetitions.
    producer = secrets.token_hex(8)
    total, written = 0, 0
    log = open_log(url, partitions=partitions)
    await log.check(unsafe_eviction=False)
    writer = log.producer()
    while total < count:
        if fresh is not None:
            fresh.begin_lap()
        for start in range(0, len(groups), ENTRIES_AT_ONCE):
            now = int(time.time() * 1000)
            entries = []
            for partition, size, wire in groups[start : start + ENTRIES_AT_ONCE]:
                wire[_BASE] = now
                if fresh is not None:
                    fresh.renew(wire)
                written += 1
                entries.append(LogEntry(partition, producer, written, size, _encode(wire)))
                total += size
            await writer.append(entries)
            if total >= count:
                break
    await writer.close()
    await log.close()
    return total


class Sent:
    """How many hits were sent so far, and in how many seconds."""

    def __init__(self) -> None:
        self.hits = 0
        self._began = time.monotonic()

    @property
    def rate(self) -> float:
        """Hits a second."""
        return self.hits / (time.monotonic() - self._began)


@contextmanager
def sending(url: str, rate: float, hits_an_entry: int, views: list[portals.View]) -> Iterator[Sent]:
    """Append hits evenly to a log until the end; their visitors and view ids are Fresh."""
    groups = list(_groups(views, hits_an_entry, DEFAULT_PARTITIONS))
    ended, sent = threading.Event(), Sent()

    def run() -> None:
        asyncio.run(_send(url, rate, groups, ended, sent))

    thread = threading.Thread(target=run, name="sending")
    thread.start()
    try:
        yield sent
    finally:
        ended.set()
        thread.join()


async def _send(
    url: str,
    rate: float,
    groups: list[tuple[int, int, list[Any]]],
    ended: threading.Event,
    sent: Sent,
) -> None:
    # Other visitors than those of a log that was appended before.
    fresh, producer, written = Fresh(portals.SEED + 1), secrets.token_hex(8), 0
    log = open_log(url)
    await log.check(unsafe_eviction=False)
    writer = log.producer()
    began = time.monotonic()
    laps = cycle(range(len(groups)))
    while not ended.is_set():
        now, entries, size_of_all = int(time.time() * 1000), list[LogEntry](), 0
        while sent.hits + size_of_all < (time.monotonic() - began) * rate:
            number = next(laps)
            if number == 0:
                fresh.begin_lap()
            partition, size, wire = groups[number]
            wire[_BASE] = now
            fresh.renew(wire)
            written += 1
            entries.append(LogEntry(partition, producer, written, size, _encode(wire)))
            size_of_all += size
        if entries:
            await writer.append(entries)
            sent.hits += size_of_all
        await asyncio.sleep(_PAUSE_SECONDS)
    await writer.close()
    await log.close()


def _groups(
    views: list[portals.View], size: int, partitions: int
) -> Iterator[tuple[int, int, list[Any]]]:
    """Return (partition, hits, payload in its parts), in a random order."""
    groups = [
        (partition, found[start : start + size])
        for partition, found in by_partition(
            hits(int(time.time() * 1000), views), partitions
        ).items()
        for start in range(0, len(found), size)
    ]
    random.Random(portals.SEED).shuffle(groups)
    for partition, group in groups:
        yield partition, len(group), msgspec.msgpack.decode(batch.encode(group))


async def ends(url: str) -> dict[int, int]:
    """Return the position after the last entry of each partition that has any."""
    found = {}
    async with Redis.from_url(url) as redis:
        for partition in range(DEFAULT_PARTITIONS):
            last: Any = await redis.xrevrange(keys.stream(partition), count=1)
            if last:
                found[partition] = entry_ids.of_entry(last[0][0]) + 1
    return found
