"""Redis is full of hits, all of them younger than the log's retention: nothing stands still."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import OutOfMemoryError

from services.log import keys
from services.log.entries import Batcher
from services.model.calendar import local_day
from services.model.hit import Hit
from services.model.partition import partition_of
from tests.servers.system import System

ENTRIES = 20_000
PARTITIONS = 8
SITE = "mytho"
ZONE = "Asia/Ho_Chi_Minh"
HOUR_MS = 3_600_000
FULL_SECONDS = 240


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    try:
        yield system
    finally:
        system.stop()


def fill(redis: Redis) -> None:
    """Write hits of six to two hours ago, that nobody has counted, and leave room for no more."""
    batcher = Batcher(PARTITIONS)
    redis.set(keys.PARTITIONS, PARTITIONS)
    now = time.time_ns() // 1_000_000
    pipeline = redis.pipeline(transaction=False)
    stream = keys.stream(partition_of(SITE, PARTITIONS))
    # Nor may what nobody can read keep the rest from being read.
    broken: dict[Any, Any] = {"v": 99, "n": 1, "p": "new", "s": 1, "b": b"?"}
    pipeline.xadd(stream, broken, id=f"{now - 7 * HOUR_MS}-0")
    for number in range(ENTRIES):
        at = now - 6 * HOUR_MS + number * (4 * HOUR_MS // ENTRIES)
        hit = Hit(site=SITE, path="/", at=at, day=local_day(at, ZONE), visitor=number + 1)
        (entry,) = batcher.prepare([hit])
        fields: dict[Any, Any] = {
            "v": entry.version,
            "n": 1,
            "p": "old",
            "s": number + 1,
            "b": entry.payload,
        }
        pipeline.xadd(stream, fields, id=f"{at}-0")
    pipeline.execute()
    redis.config_set("maxmemory", redis.info("memory")["used_memory"])
    with pytest.raises(OutOfMemoryError):
        redis.set("more", "x")


def test_what_was_counted_makes_room_for_new_hits(system: System) -> None:
    system.redis.start()
    with system.redis.client() as redis:
        fill(redis)
        system.clickhouse.start()
        system.migrate()
        for service in (system.api, system.aggregator):
            service.start(wait=False)
        deadline = time.monotonic() + FULL_SECONDS
        stream = keys.stream(partition_of(SITE, PARTITIONS))
        while redis.xlen(stream) > ENTRIES / 2:
            assert time.monotonic() < deadline, "the log does not become shorter"
            time.sleep(0.2)
        redis.set("more", "x")
        assert redis.xlen(keys.DEAD) == 1
    assert "leave the log early" in system.aggregator.log.read_text()

    for service in (system.api, system.aggregator):
        service.wait_until_ready()
    system.ingest.start()
    system.add_site(SITE, timezone=ZONE)
    for number in range(3):
        assert system.hit(SITE, f"/{number}").status_code == 202
    system.counter_when(SITE, total=ENTRIES + 3, metric="views")
