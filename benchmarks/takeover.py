"""After `kill -9` of the only aggregator: how long until new hits count, from its next start on.

Once with the folds that it kept, once without them, in turn. The log holds what ten minutes at
5,000 hits/s leave, and the leases of the killed one have run out.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import cast

from benchmarks import aggregator, backlog, portals
from benchmarks.measure import Result, exact, summary
from benchmarks.stack import SERVER, stack
from services.model.partition import DEFAULT_PARTITIONS
from services.state import keys
from services.state.kept_folds import decode
from tests.servers.redis import RedisServer

HITS = 3_000_000
QUICK_HITS = 300_000
KILLS = 3
KEPT = "with kept folds"
READ = "without them"


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure starts on the server store."""
    views = portals.views(backlog.DISTINCT)
    count = QUICK_HITS if quick else HITS
    with stack() as running:
        redis, (url, _) = running.redis(), running.store(SERVER)
        asyncio.run(backlog.append(redis.url, count, aggregator.ORDINARY, views))
        seconds: dict[str, list[float]] = {KEPT: [], READ: []}
        worker = aggregator.start(running, redis, url)
        for what in (KEPT, READ) * KILLS:
            aggregator.wait_until(partial(_are_kept, redis, asyncio.run(backlog.ends(redis.url))))
            worker.kill()
            if what == READ:
                _forget(redis)
            aggregator.wait_until(lambda: aggregator.owned(redis) == 0)
            end = _new_hits(redis, views)
            started = time.perf_counter()
            worker = aggregator.start(running, redis, url, wait=False)
            aggregator.wait_until(partial(aggregator.is_committed, redis, end))
            seconds[what].append(time.perf_counter() - started)
            size = _size(redis)
    named = f"{count // 100_000 / 10:g} million hits in the log: new hits count"
    yield summary(f"{named}, {KEPT}", seconds[KEPT], seconds, READ, "s")
    yield summary(f"{named}, {READ}", seconds[READ], unit="s")
    yield exact("all kept folds", size / 1e6, "MB")


def _new_hits(redis: RedisServer, views: list[portals.View]) -> Mapping[int, int]:
    """Append a few hits to every partition; return where the log ends."""
    asyncio.run(backlog.append(redis.url, 1_000, 1, views))
    return asyncio.run(backlog.ends(redis.url))


def _folds(redis: RedisServer) -> dict[int, bytes]:
    with redis.client() as client:
        found = {
            number: cast("bytes | None", client.get(keys.kept_fold(aggregator.GROUP, number)))
            for number in range(DEFAULT_PARTITIONS)
        }
    return {number: written for number, written in found.items() if written}


def _are_kept(redis: RedisServer, end: Mapping[int, int]) -> bool:
    """Tell whether all of the log is in the kept folds."""
    written = _folds(redis)
    if len(written) < len(end):
        return False
    kept = {number: decode(one) for number, one in written.items()}
    return all((one := kept.get(number)) and one.position + 1 >= at for number, at in end.items())


def _forget(redis: RedisServer) -> None:
    with redis.client() as client:
        for number in range(DEFAULT_PARTITIONS):
            client.delete(keys.kept_fold(aggregator.GROUP, number))


def _size(redis: RedisServer) -> int:
    return sum(map(len, _folds(redis).values()))
