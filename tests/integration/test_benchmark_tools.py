"""The tools of the benchmarks, on real processes: load, processor time, memory, a log to fold."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import backlog, empty, portals, processes, wrk
from benchmarks.ageing import AgedStore
from benchmarks.province import Province, write_earlier_years
from services.log import batch, keys
from services.log.redis import entry_fields
from services.model.partition import DEFAULT_PARTITIONS, partition_of
from services.model.site import Metric
from services.store.counts import drift
from tests.patience import PATIENCE_SECONDS
from tests.require import program
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer

SPIN = "import time\nwhile time.process_time() < 60: pass"


@pytest.fixture
def spinning() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", SPIN])
    yield process
    process.kill()
    process.wait()


def test_processor_time_is_that_of_the_process_that_works(
    spinning: "subprocess.Popen[bytes]",
) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    before = processes.cpu_seconds(os.getpid())
    while processes.cpu_seconds(spinning.pid) < 0.2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert processes.cpu_seconds(os.getpid()) - before < 0.2
    assert processes.cpu_seconds(spinning.pid, os.getpid()) > 0.2
    least, ticks = processes.cpu_clock(spinning.pid), processes.cpu_seconds(spinning.pid)
    assert least - 0.05 <= ticks <= processes.cpu_clock(spinning.pid) + 0.05


def test_a_process_is_found_with_its_children_and_kept_on_a_core(
    spinning: "subprocess.Popen[bytes]",
) -> None:
    assert spinning.pid in processes.tree(os.getpid())
    assert processes.tree(spinning.pid) == [spinning.pid]
    processes.pin(spinning.pid, processes.SERVER_CORE)
    assert os.sched_getaffinity(spinning.pid) == {min(os.sched_getaffinity(0))}


def test_memory_that_is_shared_is_counted_in_part() -> None:
    used = processes.memory(os.getpid())
    assert 10e6 < used.proportional <= used.resident < 10e9


def test_the_most_memory_is_that_since_it_was_forgotten() -> None:
    of_own = os.getpid()
    block = b"x" * 100_000_000
    highest = processes.peak(of_own)
    assert highest > len(block)
    del block
    processes.forget_peak(of_own)
    assert processes.peak(of_own) < highest - 50_000_000


def test_a_load_is_answered_and_counted() -> None:
    program("wrk")
    view = portals.views(10)[0]
    sent = wrk.request("POST", "/e", [("Host", "a.example")], view.body())
    with empty.running("bare") as server:
        load = wrk.load(server.port, [sent], seconds=1, connections=4)
    assert load.requests > 100
    assert load.p50 <= load.p99 <= load.p999 <= load.highest
    assert load.a_second == pytest.approx(load.requests, rel=0.5)
    assert load.cpu > 0


def test_a_load_that_nobody_answers_measures_nothing() -> None:
    program("wrk")
    sent = wrk.request("GET", "/", [("Host", "a.example")])
    with empty.running("bare") as server:
        port = server.port
    with pytest.raises(wrk.LoadError):
        wrk.load(port, [sent], seconds=1, connections=1)


def test_a_backlog_is_a_log_as_ingest_writes_it(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / "redis").start()
    try:
        views = portals.views(300)
        total = asyncio.run(backlog.append(server.url, 500, 20, views))
        again = asyncio.run(backlog.append(server.url, 1, 20, views))
        end = asyncio.run(backlog.ends(server.url))
        found = 0
        with server.client() as client:
            for partition in range(DEFAULT_PARTITIONS):
                for entry, fields in client.xrange(keys.stream(partition)):
                    headers, value = entry_fields.read(fields)
                    decoded = batch.decode(value, hits=int(headers["n"]))
                    found += len(decoded)
                    assert {partition_of(s, DEFAULT_PARTITIONS) for s in decoded.site} == {
                        partition
                    }
                    # Not late: such hits would go another way through the fold.
                    assert abs(decoded.at[0] - int(entry.split(b"-")[0])) < 10_000
    finally:
        server.stop()
    assert total >= 500
    assert found == total + again
    assert set(end) <= set(range(DEFAULT_PARTITIONS))


def test_the_traffic_of_the_portals_is_as_varied_as_it_says() -> None:
    views = portals.views(20_000)
    assert len(set(portals.agents())) == portals.AGENTS
    assert len({view.site for view in views}) == portals.SITES
    assert len({view.agent for view in views}) > 990
    largest = max(sum(view.site == site.slug for view in views) for site in portals.sites(3))
    assert largest > 0.1 * len(views)


def test_a_simulated_year_leaves_what_an_aggregator_leaves(tmp_path: Path) -> None:
    first_day, days = 20_089, 3
    province = Province(hits=40_000, pages=2_000, flushes_a_day=2)
    redis = RedisServer(tmp_path / "redis").start()
    try:
        with ClickHouseServer(tmp_path) as server:
            asyncio.run(
                _simulate(AgedStore(server.url, server.pid, redis.url, province, first_day), days)
            )
    finally:
        redis.stop()


async def _simulate(aged: AgedStore, days: int) -> None:
    province, store, first_day = aged.province, aged.store, aged.simulation.day
    try:
        await aged.prepare()
        parts = [part async for part in write_earlier_years(store, province, first_day)]
        assert parts[-1] == 1
        before = (await aged.sizes())["counters"][0]
        assert before > province.hits / 2
        assert await drift.periods(store) == []
        assert await drift.pages(store, 0) == []
        used = await aged.simulation.until(first_day + days)
        assert min(used) > 0
        assert aged.simulation.hits == days * 2 * province.hits_a_flush
        ((counted,),) = await store.execute("SELECT count() FROM hits")
        assert counted == aged.simulation.hits
        assert (await aged.sizes())["counters"][0] > before
        assert await drift.pages(store, 0) == []
        assert await drift.periods(store) == []
        for work in (
            aged.read(Metric.VISITS),
            aged.read(Metric.VISITORS),
            aged.read_pages(),
            aged.flush(first=True),
            aged.recount(),
            aged.publish_paths(),
        ):
            assert (await work).both > 0
        _, rows = await aged.back_up(1_000)
        assert rows >= 1_000
    finally:
        await aged.close()
