"""The store goes away under the aggregator: it waits, and whatever was read is counted once."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS
from tests.servers.system import System


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    try:
        yield system.start()
    finally:
        system.stop()


def views(system: System, count: int, first: int) -> None:
    for number in range(first, first + count):
        answer = system.hit("mytho", f"/{number}", **{"X-Forwarded-For": f"10.0.0.{number % 200}"})
        assert answer.status_code == 202


def refused_flushes(system: System) -> float:
    text = httpx.get(f"{system.aggregator.url}/metrics").text
    (line,) = [x for x in text.splitlines() if x.startswith("luot_flush_retries_total ")]
    return float(line.split()[1])


def wait_for_a_refused_flush(system: System) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while refused_flushes(system) == 0:
        assert time.monotonic() < deadline, "no flush was refused"
        time.sleep(0.1)


def test_hits_wait_in_the_log_while_the_store_is_down(system: System) -> None:
    system.add_site("mytho")
    views(system, 10, first=0)
    system.counter_when("mytho", total=10, metric="views")
    system.clickhouse.kill()
    views(system, 10, first=10)
    wait_for_a_refused_flush(system)
    assert httpx.get(f"{system.aggregator.url}/readyz").status_code == 503
    system.clickhouse.start()
    system.counter_when("mytho", total=20, metric="views")
    system.aggregator.wait_until_ready()
    # Whoever reads the log sees when it began and when it was over.
    said = system.aggregator.log.read_text()
    assert "the store is unavailable, hits wait in the log: " in said
    assert "the store is available again, after " in said


def test_a_stop_during_a_refused_flush_commits_nothing_that_was_not_written(
    system: System,
) -> None:
    system.add_site("mytho")
    views(system, 10, first=0)
    system.counter_when("mytho", total=10, metric="views")
    system.clickhouse.kill()
    views(system, 10, first=10)
    wait_for_a_refused_flush(system)
    # These are read, and wait behind the flush that is refused.
    views(system, 10, first=20)
    time.sleep(1)
    stopping = threading.Thread(target=system.aggregator.stop)
    stopping.start()
    system.clickhouse.start()
    stopping.join()
    system.aggregator.start()
    system.counter_when("mytho", total=30, metric="views")


def test_an_aggregator_waits_for_a_store_that_is_away_at_its_start(system: System) -> None:
    system.add_site("mytho")
    system.aggregator.stop()
    system.clickhouse.kill()
    system.aggregator.start(wait=False)
    views(system, 5, first=0)
    system.clickhouse.start()
    system.aggregator.wait_until_ready()
    system.counter_when("mytho", total=5, metric="views")


def test_an_api_says_that_the_store_which_was_away_at_its_start_is_back(system: System) -> None:
    system.api.stop()
    system.clickhouse.kill()
    system.api.start(wait=False)
    system.api.wait_until_alive()
    system.clickhouse.start()
    system.api.wait_until_ready()
    said = system.api.log.read_text()
    assert "the store is not available: " in said
    assert "the store is available again, after " in said
