"""What the services say of how fresh the numbers are, while a server is frozen, full or away."""

import itertools
import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.services import Service
from tests.servers.system import System

NUMBERS = itertools.count()
SOON_SECONDS = 120
READY_SECONDS = 0.2
AGE = "luot_uncounted_age_seconds"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One for all tests: each leaves it as it was, with nothing that waits."""
    system = System(tmp_path_factory.mktemp("luot"), LUOT_RETENTION_SECONDS="3600")
    try:
        yield system.start()
    finally:
        system.stop()


@pytest.fixture
def site(system: System) -> str:
    """A site of the test's own, in a system where nothing waits."""
    slug = f"mytho-{next(NUMBERS)}"
    system.add_site(slug)
    for service in (system.ingest, system.aggregator):
        when(service, AGE, lambda age: age == 0)
    return slug


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def samples(service: Service, name: str) -> list[float]:
    """Return the values of a metric, one a label; none where it is absent."""
    text = httpx.get(f"{service.url}/metrics").text
    return [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]


def value(service: Service, name: str) -> float:
    [only] = samples(service, name)
    return only


def when(service: Service, name: str, true: object) -> float:
    """Return the value of a metric as soon as a condition holds for it."""
    assert callable(true)
    deadline = time.monotonic() + SOON_SECONDS
    while not true(found := value(service, name)):
        assert time.monotonic() < deadline, f"{name} of {service.name} is {found}"
        time.sleep(0.1)
    return found


def ready(service: Service) -> httpx.Response:
    """Ask whether a service is ready; it must be able to say so at once.

    One that waits for a frozen server never does; one on a busy machine does in the end.
    """
    deadline = time.monotonic() + SOON_SECONDS
    with httpx.Client(timeout=SOON_SECONDS) as client:
        while True:
            client.get(f"{service.url}/healthz")
            begun = time.monotonic()
            answer = client.get(f"{service.url}/readyz")
            if time.monotonic() - begun < READY_SECONDS:
                return answer
            assert time.monotonic() < deadline, f"{service.name} took its time"


def ready_when(service: Service, words: str) -> httpx.Response:
    """Return what a service says of itself as soon as it has these words; always in time."""
    deadline = time.monotonic() + SOON_SECONDS
    while words not in (answer := ready(service)).text:
        assert time.monotonic() < deadline, f"{service.name} says {answer.text}"
        time.sleep(0.1)
    return answer


def test_a_frozen_redis_is_seen_at_once_and_its_lag_is_not_0(system: System, site: str) -> None:
    services = (system.ingest, system.aggregator, system.api)
    for service in services:
        assert when(service, "luot_log_up", bool) == 1
    when(system.aggregator, AGE, lambda age: age == 0)
    with frozen(system.redis.pid):
        assert system.hit(site, "/").status_code == 202
        time.sleep(1)
        for service in services:
            answer = ready_when(service, "the log: nothing heard since 20")
            expected = 503 if service is system.aggregator else 200
            assert answer.status_code == expected, answer.text
            assert when(service, "luot_log_up", lambda up: up == 0) == 0
        assert when(system.ingest, AGE, lambda age: age > 0) > 1
        assert math.isnan(when(system.aggregator, AGE, math.isnan))
        assert samples(system.aggregator, "luot_stream_lag_seconds") == []
    system.counter_when(site, total=1)
    for service in services:
        assert when(service, "luot_log_up", lambda up: up == 1) == 1
    for service in (system.ingest, system.aggregator):
        assert when(service, AGE, lambda age: age == 0) == 0
    assert "notes" not in ready(system.api).json()


def test_a_frozen_clickhouse_is_seen_at_once_and_the_age_of_what_waits_grows(
    system: System, site: str
) -> None:
    for service in (system.aggregator, system.api):
        assert when(service, "luot_store_up", lambda up: up == 1) == 1
    with frozen(system.clickhouse.pid):
        assert system.hit(site, "/").status_code == 202
        for service in (system.aggregator, system.api):
            answer = ready_when(service, "the store: nothing heard since 20")
            expected = 503 if service is system.aggregator else 200
            assert answer.status_code == expected, answer.text
            assert value(service, "luot_store_up") == 0
        for service in (system.ingest, system.aggregator):
            assert when(service, AGE, lambda age: age > 2) > 2
    system.counter_when(site, total=1)
    for service in (system.ingest, system.aggregator):
        assert when(service, AGE, lambda age: age == 0) == 0


def test_what_a_full_redis_does_not_take_is_as_old_as_it_is(system: System, site: str) -> None:
    with system.redis.client() as redis:
        redis.config_set("maxmemory", 1)
        assert system.hit(site, "/").status_code == 202
        assert when(system.ingest, AGE, lambda age: age > 2) > 2
        assert value(system.ingest, "luot_log_up") == 0
        assert "hits go to the spool since" in ready(system.ingest).text
        # It can still be read, so the log is known to hold nothing.
        assert value(system.aggregator, AGE) == 0
        assert value(system.aggregator, "luot_log_up") == 1
        redis.config_set("maxmemory", 0)
    system.counter_when(site, total=1)
    assert when(system.ingest, AGE, lambda age: age == 0) == 0


def test_a_hit_out_of_the_spool_is_as_old_as_before_until_it_is_counted(
    system: System, site: str
) -> None:
    system.aggregator.kill()
    with system.redis.client() as redis:
        redis.config_set("maxmemory", 1)
        assert system.hit(site, "/").status_code == 202
        begun = time.monotonic()
        when(system.ingest, AGE, lambda age: age > 3)
        redis.config_set("maxmemory", 0)
    when(system.ingest, "luot_spool_hits", lambda hits: hits == 0)
    for _ in range(20):
        # Nothing but the moment in which it was accepted is known of it, to a second.
        assert value(system.ingest, AGE) > time.monotonic() - begun - 1
        time.sleep(0.1)
    system.aggregator.start()
    assert when(system.ingest, AGE, lambda age: age == 0) == 0


def test_nobody_counts_and_ingest_says_since_when(system: System, site: str) -> None:
    system.aggregator.kill()
    assert system.hit(site, "/").status_code == 202
    assert when(system.ingest, AGE, lambda age: age > 2) > 2
    system.aggregator.start()
    system.counter_when(site, total=1)
