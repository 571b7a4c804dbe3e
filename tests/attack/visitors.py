"""The log is full of visitors who came once each, in the fewest bytes: all are remembered at once.

Nothing that reaches the aggregator can take more of its memory: what it remembers of a visitor is
forgotten before the log forgets the hit, and every hit takes its bytes of the log, which has a
limit. So there is no limit on visitors, only on what one of them takes; see docs/limits.md.
"""

import os
import struct
import time
from pathlib import Path
from typing import Any, NamedTuple

from clickhouse_driver import Client
from redis.exceptions import OutOfMemoryError

from services.log import batch, keys
from services.log.batch import MAX_HITS, SCHEMA_VERSION
from services.model.calendar import local_day
from services.model.hit import Hit
from services.model.partition import partition_of
from tests.attack.limits import memory_limits, redis_memory
from tests.servers.clickhouse import DATABASE, ClickHouseServer
from tests.servers.memory import peak
from tests.servers.memory_group import memory_group
from tests.servers.redis import RedisServer
from tests.servers.services import Service

SITES = [f"xa-{number}" for number in range(12)]
PARTITIONS = 8
LASTED_MS = 20 * 60_000
"""From the first hit to the last: as fast as one ingest takes them, or faster."""
AT_ONCE = 100
COUNTED_SECONDS = 3600.0
_PACKED = struct.Struct(">BQ")
_U64 = 0xCF
"""What msgpack writes before a number of eight bytes."""


class Counted(NamedTuple):
    """What became of it.

    visitors  how many were in the log
    visits    how many of them are in the counters
    peak      most bytes that the aggregator had in memory
    limit     how many it may have
    held_by   who holds that limit
    killed    whether the aggregator was killed because of it
    """

    visitors: int
    visits: int
    peak: int
    limit: int
    held_by: str
    killed: bool

    def problems(self) -> list[str]:
        """Return what is not as it must be."""
        problems = []
        if self.killed or self.peak > self.limit:
            problems.append("the aggregator took more memory than its limit")
        if self.visits != self.visitors:
            problems.append(f"{self.visits} visits are counted")
        return problems

    def lines(self) -> list[str]:
        """Return it as it is printed."""
        problems = self.problems()
        memory = f"aggregator {self.peak >> 20}/{self.limit >> 20} MB ({self.held_by})"
        return [
            f"a log full of visitors: {'BROKEN' if problems else 'held'}",
            f"  tried    {self.visitors:,} visitors who came once each",
            f"  memory   {memory}",
            *(f"  ! {problem}" for problem in problems),
        ]


def count_a_full_log(directory: Path, most: int | None = None, limit: int | None = None) -> Counted:
    """Fill a log, with at most so many visitors; then start an aggregator, and let it count.

    limit  bytes that the aggregator may have; without one, those that the compose file gives it
    """
    limit = limit or memory_limits()["aggregator"]
    group = memory_group(limit)
    # Durability is not what is tested, and would take its time.
    redis = RedisServer(
        directory / "redis", None, "--maxmemory", redis_memory(), "--appendonly", "no"
    )
    clickhouse = ClickHouseServer(directory / "clickhouse")
    urls = {"LUOT_REDIS_URL": redis.url, "LUOT_CLICKHOUSE_URL": clickhouse.url}
    aggregator = Service("aggregator", directory, **urls)
    if group is not None:
        aggregator.launcher = group.launcher
    try:
        with redis, clickhouse:
            visitors = _fill(redis, most)
            aggregator.start()
            visits, most_memory = _wait(clickhouse, aggregator, visitors)
            killed = group is not None and group.killed() > 0
            aggregator.kill()
    finally:
        aggregator.kill()
        if group is not None:
            group.remove()
    held_by = "measured" if group is None else "in a control group with that limit"
    return Counted(visitors, visits, most_memory, limit, held_by, killed)


def _fill(server: RedisServer, most: int | None) -> int:
    """Append visitors until there is no room, or so many; return how many there are."""
    ends = time.time_ns() // 1_000_000 - 1000
    begins = ends - LASTED_MS
    template = _Template(begins)
    visitors = 0
    with server.client() as redis:
        redis.set(keys.PARTITIONS, PARTITIONS)
        # Times are spread over what is expected to fit; the last second takes what is left.
        expected = (most or redis.info("memory")["maxmemory"] // 25) // MAX_HITS
        number = 0
        while most is None or visitors < most:
            pipeline = redis.pipeline(transaction=False)
            for number in range(number, number + AT_ONCE):  # noqa: B020
                site = number % len(SITES)
                at = min(begins + number * LASTED_MS // expected, ends)
                fields: dict[Any, Any] = {
                    "v": SCHEMA_VERSION,
                    "n": MAX_HITS,
                    "p": "crowd",
                    "s": number + 1,
                    "b": template.payload(site, at),
                }
                stream = keys.stream(partition_of(SITES[site], PARTITIONS))
                pipeline.xadd(stream, fields, id=f"{at}-*")
            number += 1
            answers = pipeline.execute(raise_on_error=False)
            failed = [answer for answer in answers if isinstance(answer, Exception)]
            visitors += MAX_HITS * (len(answers) - len(failed))
            if failed:
                assert all(isinstance(error, OutOfMemoryError) for error in failed), failed
                break
    return visitors


class _Template:
    """Entries in which only visitors and times differ: to encode each would take minutes."""

    def __init__(self, at: int) -> None:
        self._at = at
        numbers = [1 << 63 | number for number in range(MAX_HITS)]
        self._column = b"".join(_PACKED.pack(_U64, number) for number in numbers)
        day = local_day(at, "Asia/Ho_Chi_Minh")
        self._payloads = [
            batch.encode(
                [Hit(site=site, path="/", at=at, day=day, visitor=number) for number in numbers]
            )
            for site in SITES
        ]

    def payload(self, site: int, at: int) -> bytes:
        """Return an entry of visitors whom nobody has seen."""
        random = os.urandom(8 * MAX_HITS)
        column = b"".join(b"\xcf" + random[place : place + 8] for place in range(0, len(random), 8))
        payload = self._payloads[site].replace(self._column, column, 1)
        return payload.replace(_PACKED.pack(_U64, self._at), _PACKED.pack(_U64, at), 1)


def _wait(server: ClickHouseServer, aggregator: Service, visitors: int) -> tuple[int, int]:
    """Return how many visits are counted in the end, and the most memory of the aggregator."""
    deadline = time.monotonic() + COUNTED_SECONDS
    visits = most = 0
    with Client("127.0.0.1", port=server.port, database=DATABASE) as client:
        while time.monotonic() < deadline:
            try:
                most = peak(aggregator.pid)
            except RuntimeError:
                break
            rows: Any = client.execute(
                "SELECT sum(visits) FROM (SELECT argMax(visits, position) AS visits FROM counters"
                " WHERE grain = 'total' AND path = '' GROUP BY site)"
            )
            visits = int(rows[0][0])
            if visits >= visitors:
                break
            time.sleep(0.2)
    return visits, most
