"""After `kill -9` of the only aggregator: how long until new hits count, from its next start on.

Once with the folds that it kept, once without them, in turn. The log holds what ten minutes at
5,000 hits/s leave, each with the id of its view, of a new visitor for every three; as many hits a
second go on coming. The next aggregator starts once the leases of the killed one have run out, and
has to count what has come since.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, cast

from benchmarks import aggregator, backlog, portals
from benchmarks.measure import Result, exact, summary
from benchmarks.stack import SERVER, stack
from services.aggregator.fold_keeper import ROUND_SECONDS
from services.aggregator.transport.leases import DEFAULT_LEASE_SECONDS
from services.model.partition import DEFAULT_PARTITIONS
from services.state import keys
from services.state.kept_folds import decode
from tests.servers.redis import RedisServer
from tests.servers.services import Service

HITS = 3_000_000
QUICK_HITS = 300_000
RATE = 5_000
QUICK_RATE = 500
KILLS = 3
KEPT = "with kept folds"
READ = "without them"
KEEP_SECONDS = 3 * ROUND_SECONDS
"""How long folds may take to be kept; larger ones than Redis is given never are."""
LOOK_SECONDS = 2.0


class Takeover(NamedTuple):
    """Seconds from the start of an aggregator until it has got so far.

    taken    it owns all partitions
    committed  it has committed something: new hits, not what it reads again
    counted  all that had come before its start is committed
    """

    taken: float
    committed: float
    counted: float


def measure(*, quick: bool) -> Iterator[Result]:
    """Measure starts on the server store."""
    views = portals.views(backlog.DISTINCT)
    count, rate = (QUICK_HITS, QUICK_RATE) if quick else (HITS, RATE)
    lease = DEFAULT_LEASE_SECONDS
    kept: list[dict[int, bytes]] = []
    with stack() as running:
        redis, (url, _) = running.redis(), running.store(SERVER)
        asyncio.run(
            backlog.append(redis.url, count, aggregator.ORDINARY, views, fresh=backlog.Fresh())
        )
        takeovers: dict[str, list[Takeover]] = {KEPT: [], READ: []}
        worker = aggregator.start(running, redis, url, LUOT_LEASE_SECONDS=str(lease))
        with backlog.sending(redis.url, rate, aggregator.ORDINARY, views) as sent:
            for what in (KEPT, READ) * KILLS:
                kept.append(_wait_for_kept_folds(redis))
                worker.kill()
                if what == READ:
                    _forget(redis)
                aggregator.wait_until(lambda: aggregator.owned(redis) == 0)
                end = asyncio.run(backlog.ends(redis.url))
                start = partial(
                    aggregator.start, running, redis, url, wait=False, LUOT_LEASE_SECONDS=str(lease)
                )
                worker, takeover = _take_over(start, redis, end)
                takeovers[what].append(takeover)
            sent_a_second = sent.rate
    named = (
        f"{count // 100_000 / 10:g} million hits in the log and {rate:,} a second,"
        f" a lease of {lease:g} s has run out"
    )
    seconds = {what: [one.counted for one in each] for what, each in takeovers.items()}
    yield summary(f"{named}: new hits count, {KEPT}", seconds[KEPT], seconds, READ, "s")
    yield summary(f"{named}: new hits count, {READ}", seconds[READ], unit="s")
    for what, each in takeovers.items():
        taken = [one.taken for one in each]
        yield summary(f"until all partitions are taken over, {what}", taken, unit="s")
        committed = [one.committed for one in each]
        yield summary(f"until the first commit, {what}", committed, unit="s")
    yield exact("hits really sent meanwhile", sent_a_second, "hits/s")
    yield summary(
        "all kept folds before a kill",
        [sum(map(len, folds.values())) / 1e6 for folds in kept],
        unit="MB",
    )
    yield summary(
        "partitions with a kept fold before a kill",
        [len(folds) for folds in kept],
        unit="partitions",
    )
    yield exact("partitions with hits", len(end), "partitions")


def _take_over(
    start: Callable[[], Service], redis: RedisServer, end: Mapping[int, int]
) -> tuple[Service, Takeover]:
    """Start an aggregator, and wait until it has counted the log up to these positions."""
    before = aggregator.committed(redis)
    started = time.perf_counter()
    worker = start()
    aggregator.wait_until(lambda: aggregator.owned(redis) == DEFAULT_PARTITIONS)
    taken = time.perf_counter() - started
    aggregator.wait_until(lambda: aggregator.committed(redis) != before)
    committed = time.perf_counter() - started
    aggregator.wait_until(partial(aggregator.is_committed, redis, end))
    return worker, Takeover(taken, committed, time.perf_counter() - started)


def _folds(redis: RedisServer) -> dict[int, bytes]:
    with redis.client() as client:
        found = {
            number: cast("bytes | None", client.get(keys.kept_fold(aggregator.GROUP, number)))
            for number in range(DEFAULT_PARTITIONS)
        }
    return {number: written for number, written in found.items() if written}


def _wait_for_kept_folds(redis: RedisServer) -> dict[int, bytes]:
    """Return the kept folds once they hold all hits of now, as far as they are kept at all."""
    end = asyncio.run(backlog.ends(redis.url))
    aggregator.wait_until(partial(aggregator.is_committed, redis, end))
    deadline = time.monotonic() + KEEP_SECONDS
    while not hold(folds := _folds(redis), end) and time.monotonic() < deadline:
        time.sleep(LOOK_SECONDS)
    return folds


def hold(folds: Mapping[int, bytes], end: Mapping[int, int]) -> bool:
    """Tell whether kept folds hold the log up to these positions."""
    if len(folds) < len(end):
        return False
    kept = {number: decode(one) for number, one in folds.items()}
    return all((one := kept.get(number)) and one.position + 1 >= at for number, at in end.items())


def _forget(redis: RedisServer) -> None:
    with redis.client() as client:
        for number in range(DEFAULT_PARTITIONS):
            client.delete(keys.kept_fold(aggregator.GROUP, number))
