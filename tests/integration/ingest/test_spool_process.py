"""Ingest as a process that is killed while it spools: what was answered is in the log, once."""

import os
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.ingest.conftest import CHROME, Log
from tests.patience import PATIENCE_SECONDS
from tests.servers.services import Service

Start = Callable[[], Service]


@pytest.fixture
def start(own_log: Log, tmp_path: Path) -> Iterator[Start]:
    """Return what starts an ingest process; all share one spool."""
    started: list[Service] = []

    def start() -> Service:
        directory = tmp_path / f"ingest-{len(started)}"
        directory.mkdir()
        spool = str(tmp_path / "spool")
        service = Service("ingest", directory, LUOT_REDIS_URL=own_log.server.url, LUOT_SPOOL=spool)
        started.append(service)
        return service.start()

    yield start
    for service in started:
        service.kill()


class Load:
    """Views as fast as they are answered, each of a path of its own, until it is stopped."""

    def __init__(self, url: str, name: str, clients: int = 4, site: str = "mytho") -> None:
        self.site = site
        self.accepted: list[str] = []
        self.refused: list[str] = []
        self.unknown: list[str] = []
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(url, f"/{name}/{client}"))
            for client in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, url: str, prefix: str) -> None:
        with httpx.Client(base_url=url, headers={"user-agent": CHROME}, timeout=60) as client:
            number = 0
            while not self._stopping.is_set():
                number += 1
                path = f"{prefix}/{number}"
                page = f"https://{self.site}.example{path}"
                body = f'{{"n":"pageview","u":"{page}","d":"{self.site}"}}'
                # An address for every 100 views: nobody reads faster than the rate allows.
                address = f"203.0.{number // 100 % 250}.{len(prefix)}"
                try:
                    answer = client.post("/e", content=body, headers={"x-forwarded-for": address})
                except httpx.TransportError:
                    self.unknown.append(path)
                    return
                taken = answer.status_code == 202 and "x-luot-dropped" not in answer.headers
                (self.accepted if taken else self.refused).append(path)

    def wait_for(self, count: int) -> None:
        """Wait until so many more views were accepted."""
        goal = len(self.accepted) + count
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.accepted) < goal:
            assert time.monotonic() < deadline, f"{len(self.accepted)} of {goal} views accepted"
            time.sleep(0.005)

    def stop(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()


def assert_in_the_log_once(log: Log, *loads: Load) -> None:
    """What was accepted is there exactly once; what nobody was told about, at most once."""
    accepted = {path for load in loads for path in load.accepted}
    unknown = {path for load in loads for path in load.unknown}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = Counter(hit.path for hit in log.hits())
        if accepted <= found.keys() or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert not accepted - found.keys(), "accepted hits are missing"
    assert set(found) <= accepted | unknown, "a hit that was refused is in the log"
    assert max(found.values()) == 1, "a hit is in the log twice"


def assert_in_order(log: Log) -> None:
    """Each producer's entries stand in the order of their sequences."""
    for stream in log.redis.scan_iter("hits:{*}"):
        last: dict[bytes, int] = {}
        entries: Any = log.redis.xrange(stream)
        for _, fields in entries:
            assert int(fields[b"s"]) > last.get(fields[b"p"], 0)
            last[fields[b"p"]] = int(fields[b"s"])


def spooled(directory: Path) -> list[Path]:
    return list((directory / "spool").glob("*/*"))


def wait_until_drained(directory: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while spooled(directory) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not spooled(directory)


def test_redis_killed_three_times_under_load(start: Start, own_log: Log, tmp_path: Path) -> None:
    load = Load(start().url, "a")
    for _ in range(3):
        load.wait_for(100)
        own_log.server.kill()
        load.wait_for(100)
        own_log.server.start()
        wait_until_drained(tmp_path)
    load.wait_for(100)
    load.stop()
    assert not load.refused
    assert_in_the_log_once(own_log, load)
    assert_in_order(own_log)


def test_redis_stopped_in_the_middle_under_load(start: Start, own_log: Log, tmp_path: Path) -> None:
    load = Load(start().url, "a")
    load.wait_for(100)
    os.kill(own_log.server.pid, signal.SIGSTOP)
    try:
        load.wait_for(200)
    finally:
        os.kill(own_log.server.pid, signal.SIGCONT)
    wait_until_drained(tmp_path)
    load.wait_for(100)
    load.stop()
    assert not load.refused
    assert_in_the_log_once(own_log, load)
    assert_in_order(own_log)


def test_ingest_killed_while_it_spools_and_the_next_process_drains(
    start: Start, own_log: Log, tmp_path: Path
) -> None:
    first = start()
    one = Load(first.url, "a")
    one.wait_for(100)
    own_log.server.kill()
    one.wait_for(200)
    first.kill()
    one.stop()
    assert spooled(tmp_path)

    second = start()
    two = Load(second.url, "b")
    two.wait_for(100)
    own_log.server.start()
    two.wait_for(100)
    wait_until_drained(tmp_path)
    two.stop()
    assert_in_the_log_once(own_log, one, two)
    assert_in_order(own_log)
    assert len(list((tmp_path / "spool").glob("*/"))) == 1, "the folder left behind is deleted"


def test_ingest_killed_while_it_drains(start: Start, own_log: Log, tmp_path: Path) -> None:
    loads = []
    for name in "abc":
        service = start()
        load = Load(service.url, name)
        load.wait_for(50)
        own_log.server.kill()
        load.wait_for(300)
        own_log.server.start()
        before = len(own_log.hits())
        while len(own_log.hits()) == before:
            pass
        service.kill()
        load.stop()
        loads.append(load)
    start()
    wait_until_drained(tmp_path)
    assert_in_the_log_once(own_log, *loads)
    assert_in_order(own_log)


def test_a_stopped_process_leaves_its_spool_to_one_that_runs(
    start: Start, own_log: Log, tmp_path: Path
) -> None:
    first, load = start(), None
    own_log.server.kill()
    load = Load(first.url, "a")
    load.wait_for(50)
    load.stop()
    assert first.stop() == 0
    assert spooled(tmp_path)
    own_log.server.start()
    start()
    wait_until_drained(tmp_path)
    assert_in_the_log_once(own_log, load)


def test_a_full_disk_is_a_503_and_every_hit_that_was_taken_is_there(
    start: Start, own_log: Log, tmp_path: Path
) -> None:
    service = start()
    load = Load(service.url, "a")
    load.wait_for(50)
    own_log.server.kill()
    load.wait_for(50)
    unlimited = resource.prlimit(service.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, (30_000, unlimited[1]))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(load.refused) < 50:
        assert time.monotonic() < deadline, "nothing was refused"
        time.sleep(0.01)
    assert httpx.get(f"{service.url}/readyz").status_code in (200, 503)
    resource.prlimit(service.pid, resource.RLIMIT_FSIZE, unlimited)
    load.wait_for(50)
    own_log.server.start()
    wait_until_drained(tmp_path)
    load.stop()
    assert_in_the_log_once(own_log, load)
    assert_in_order(own_log)
