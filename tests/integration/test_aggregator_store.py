"""The store goes away under the aggregator: it waits, and whatever was read is counted once."""

import itertools
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.services import Service
from tests.servers.system import System

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One for all tests: each starts again what it has ended."""
    system = System(tmp_path_factory.mktemp("luot"))
    try:
        yield system.start()
    finally:
        system.stop()


@pytest.fixture
def site(system: System) -> str:
    """A site of the test's own."""
    slug = f"mytho-{next(NUMBERS)}"
    system.add_site(slug)
    return slug


def views(system: System, site: str, count: int, first: int) -> None:
    for number in range(first, first + count):
        answer = system.hit(site, f"/{number}", **{"X-Forwarded-For": f"10.0.0.{number % 200}"})
        assert answer.status_code == 202


def refused_flushes(system: System) -> float:
    text = httpx.get(f"{system.aggregator.url}/metrics").text
    (line,) = [x for x in text.splitlines() if x.startswith("luot_flush_retries_total ")]
    return float(line.split()[1])


def wait_for_a_refused_flush(system: System, before: float) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while refused_flushes(system) == before:
        assert time.monotonic() < deadline, "no flush was refused"
        time.sleep(0.1)


def wait_until_said(service: Service, read: int, words: str) -> None:
    for _ in rounds(0.1):
        if words in service.log.read_text()[read:]:
            return
        time.sleep(0.1)
    raise AssertionError(f"{service.name} does not say {words!r}")


def test_hits_wait_in_the_log_while_the_store_is_down(system: System, site: str) -> None:
    read = len(system.aggregator.log.read_text())
    views(system, site, 10, first=0)
    system.counter_when(site, total=10, metric="views")
    before = refused_flushes(system)
    system.clickhouse.kill()
    views(system, site, 10, first=10)
    wait_for_a_refused_flush(system, before)
    assert httpx.get(f"{system.aggregator.url}/readyz").status_code == 503
    system.clickhouse.start()
    system.counter_when(site, total=20, metric="views")
    system.aggregator.wait_until_ready()
    # Whoever reads the log sees when it began and when it was over.
    said = system.aggregator.log.read_text()[read:]
    assert "the store is unavailable, hits wait in the log: " in said
    assert "the store is available again, after " in said


def test_a_stop_during_a_refused_flush_commits_nothing_that_was_not_written(
    system: System, site: str
) -> None:
    views(system, site, 10, first=0)
    system.counter_when(site, total=10, metric="views")
    before = refused_flushes(system)
    system.clickhouse.kill()
    views(system, site, 10, first=10)
    wait_for_a_refused_flush(system, before)
    # These are read, and wait behind the flush that is refused.
    views(system, site, 10, first=20)
    time.sleep(1)
    stopping = threading.Thread(target=system.aggregator.stop)
    stopping.start()
    system.clickhouse.start()
    stopping.join()
    system.aggregator.start()
    system.counter_when(site, total=30, metric="views")


def test_an_aggregator_waits_for_a_store_that_is_away_at_its_start(
    system: System, site: str
) -> None:
    system.aggregator.stop()
    system.clickhouse.kill()
    system.aggregator.start(wait=False)
    views(system, site, 5, first=0)
    system.clickhouse.start()
    system.aggregator.wait_until_ready()
    system.counter_when(site, total=5, metric="views")


def test_an_api_says_that_the_store_which_was_away_at_its_start_is_back(system: System) -> None:
    system.api.stop()
    read = len(system.api.log.read_text())
    system.clickhouse.kill()
    system.api.start(wait=False)
    system.api.wait_until_alive()
    wait_until_said(system.api, read, "the store is not available: ")
    system.clickhouse.start()
    # It may be ready before, with the sites that Redis has.
    wait_until_said(system.api, read, "the store is available again, after ")
    system.api.wait_until_ready()
