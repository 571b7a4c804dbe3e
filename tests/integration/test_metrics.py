"""The metrics of a whole Luot and of each service by itself, as an operator meets them."""

import platform
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from services import __version__
from services.aggregator.folding import choose
from services.ingest.budgets import Ruling
from services.ingest.drops import DropReason
from services.metrics import CATALOGUE, SERVICES
from tests.servers.metrics import Scrape, complaints
from tests.servers.services import Service
from tests.servers.system import System
from tests.servers.up import Up, luot

HITS = 40
SOON_SECONDS = 120.0
SITE = "mytho"
# Absent until something happened.
LATER = {
    "luot_last_recount_timestamp_seconds",
    "luot_last_backup_timestamp_seconds",
    "luot_last_backup_bytes",
    "luot_last_backup_verified_timestamp_seconds",
    "luot_last_doctor_timestamp_seconds",
    "luot_doctor_failures",
    "luot_drift",
}
OLD_STORE = {"luot_store_free_bytes", "luot_store_disk_bytes"}
"""What ClickHouse 18.16 does not tell."""


def scrape(url: str) -> Scrape:
    answer = httpx.get(f"{url}/metrics", timeout=120)
    assert answer.status_code == 200
    return Scrape(answer.text)


def when(url: str, holds: Callable[[Scrape], object]) -> Scrape:
    """Return the first answer for which something holds."""
    deadline = time.monotonic() + SOON_SECONDS
    while not holds(found := scrape(url)):
        assert time.monotonic() < deadline, found.text
        time.sleep(0.2)
    return found


def complete(url: str, least: set[str]) -> Scrape:
    """Return the first answer that has all of these metrics."""
    deadline = time.monotonic() + SOON_SECONDS
    while lacking := least - (found := scrape(url)).names():
        assert time.monotonic() < deadline, lacking
        time.sleep(0.2)
    return found


def of(*services: str) -> set[str]:
    """Return the metrics that the catalogue has of services."""
    return {spec.name for spec in CATALOGUE if set(spec.by) & set(services)}


def assert_sound(found: Scrape) -> None:
    """What holds for each service, whatever happened."""
    assert complaints(found.text) == ""
    names = [sample.name for sample in found.samples]
    assert not [name for name in names if name.endswith("_created")]
    zeros = [
        sample
        for sample in found.samples
        if sample.name.endswith("_timestamp_seconds") and not sample.value
    ]
    assert zeros == []
    probes = {"/healthz", "/readyz", "/metrics"}
    assert not found.labels("luot_request_seconds_count", "route") & probes


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = Up(tmp_path_factory.mktemp("metrics") / "data")
    running.move_to_noon()
    for number in range(HITS):
        running.view(f"/demo/{number % 5}", address=f"192.0.2.{number}")
    running.wait_for_total(HITS)
    yield running
    assert running.end() == 0


def test_a_whole_luot_serves_everything_that_the_catalogue_has(up: Up) -> None:
    found = complete(up.url, of(*SERVICES) - LATER)
    assert found.names() <= of(*SERVICES)
    assert_sound(found)


def test_each_service_names_its_version(up: Up) -> None:
    found = scrape(up.url)
    for service in SERVICES:
        labels = {"version": __version__, "python": platform.python_version()}
        assert found.value("luot_build_info", service=service, **labels) == 1


def test_the_fold_that_runs_is_told(up: Up) -> None:
    found = scrape(up.url)
    told = {name: found.value("luot_fold", fold=name) for name in ("c", "python")}
    assert told == {name: float(name == choose("auto").name) for name in told}


def test_each_hit_is_timed_once_until_it_is_in_the_counters(up: Up) -> None:
    found = when(up.url, lambda found: found.value("luot_freshness_seconds_count") == HITS)
    assert found.value("luot_folded_hits_total") == HITS
    assert found.value("luot_freshness_seconds_bucket", le="3600.0") == HITS
    mean = found.value("luot_freshness_seconds_sum") / HITS
    assert 0 < mean < SOON_SECONDS


def test_limits_stand_beside_values(up: Up) -> None:
    found = when(up.url, lambda found: found.value("luot_owned_partitions") == 8)
    assert found.value("luot_partitions") == 8
    assert found.value("luot_spool_limit_bytes") == 1 << 30
    assert found.value("luot_log_retention_seconds") == 86_400
    assert 0 < found.value("luot_log_memory_bytes") < found.value("luot_log_memory_limit_bytes")
    assert 0 < found.value("luot_store_free_bytes") <= found.value("luot_store_disk_bytes")
    assert found.value("luot_store_parts") >= 1


def test_the_log_reaches_back_to_its_first_hit(up: Up) -> None:
    found = when(up.url, lambda found: found.all("luot_log_reach_seconds"))
    assert 0 < found.value("luot_log_reach_seconds") < 600


def test_a_portal_is_told_as_its_page_shows_it(up: Up) -> None:
    shown = up.counter()
    labels = {"site": "noon", "period": "today"}
    found = when(up.url, lambda found: HITS in found.all("luot_site_views", **labels))
    assert found.value("luot_site_views", site="noon", period="total") == shown["total"]
    assert found.labels("luot_site_views", "period") >= {"today", "yesterday", "this_month"}
    age = time.time() - found.value("luot_site_last_hit_timestamp_seconds", site="noon")
    assert 0 < age < 600
    assert found.value("luot_silent_sites") == 0
    when(up.url, lambda found: (found.all("luot_site_online", site="noon") or [0])[0] > 0)


def test_every_value_of_a_label_is_there_from_the_start_on(up: Up) -> None:
    found = scrape(up.url)
    for name, label, values in (
        ("luot_hits_total", "outcome", 5),
        ("luot_drops_total", "reason", len(DropReason)),
        ("luot_refused_requests_total", "reason", 10),
        ("luot_sign_ins_total", "outcome", 4),
        ("luot_number_reads_total", "outcome", 4),
        ("luot_flushed_rows_total", "table", 2),
        ("luot_over_budget_hits_total", "outcome", len(Ruling) - 1),
    ):
        assert len(found.labels(name, label)) == values, name
    for route, method, code in (
        ("/e", "POST", "202"),
        ("/e", "POST", "503"),
        ("/hit.gif", "GET", "503"),
        ("/api/counter/{site}", "GET", "503"),
    ):
        labels = {"route": route, "method": method, "code": code}
        assert found.all("luot_request_seconds_count", **labels), labels


def test_paths_that_do_not_exist_are_one_route(up: Up) -> None:
    before = scrape(up.url).labels("luot_request_seconds_count", "route")
    for number in range(5):
        assert up.http.get(f"/no/such/page/{number}").status_code == 404
    after = scrape(up.url).labels("luot_request_seconds_count", "route")
    assert after - before <= {"other"}
    assert "other" in after


def test_the_last_doctor_is_told_with_its_verdict(up: Up) -> None:
    assert scrape(up.url).all("luot_last_doctor_timestamp_seconds") == []
    begun = time.time()
    said = luot("doctor", "--data", str(up.data), "--json")
    assert said.returncode in (0, 1), said.stderr
    found = when(up.url, lambda found: found.all("luot_last_doctor_timestamp_seconds"))
    assert begun - 1 < found.value("luot_last_doctor_timestamp_seconds") < time.time() + 1
    assert found.value("luot_doctor_failures") == said.stdout.count('"ok": false')


# Each service by itself


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("metrics"), LUOT_SPOOL_BYTES=str(32 << 20))
    try:
        system.start()
        system.add_site(SITE)
        yield system
    finally:
        system.stop()


def test_each_service_serves_what_is_its_own(system: System) -> None:
    for number in range(HITS):
        answer = system.hit(SITE, f"/{number % 5}", number=f"0.{number + 100}")
        assert answer.status_code == 202
    parts: tuple[tuple[Service, set[str]], ...] = (
        (system.ingest, set()),
        (system.aggregator, LATER),
        (system.api, LATER | OLD_STORE),
    )
    for service, later in parts:
        own = of(service.name)
        # The aggregator answers nobody but programs about the process: it has no route.
        least = own - later - ({"luot_request_seconds"} if service is system.aggregator else set())
        found = complete(service.url, least)
        assert found.names() <= own, service.name
        assert_sound(found)
        assert found.labels("luot_build_info", "service") == {service.name}
    when(
        system.aggregator.url,
        lambda found: found.value("luot_freshness_seconds_count") == HITS,
    )
    assert scrape(system.ingest.url).value("luot_spool_limit_bytes") == 32 << 20
    today = {"site": SITE, "period": "today"}
    when(system.api.url, lambda found: HITS in found.all("luot_site_views", **today))


def test_hits_that_waited_for_the_store_are_timed_from_when_they_came(system: System) -> None:
    before = scrape(system.aggregator.url)
    system.clickhouse.kill()
    came = time.time()
    answer = system.hit(SITE, "/late", number="0.777")
    assert answer.status_code == 202
    when(system.aggregator.url, lambda found: found.value("luot_flush_retries_total") > 0)
    system.clickhouse.start()
    counted = before.value("luot_freshness_seconds_count") + 1
    after = when(
        system.aggregator.url,
        lambda found: found.value("luot_freshness_seconds_count") == counted,
    )
    waited = time.time() - came
    name = "luot_freshness_seconds_sum"
    took = after.value(name) - before.value(name)
    assert 0.2 < took <= waited + 1


def test_a_log_that_is_away_tells_nothing_of_its_memory(system: System) -> None:
    system.redis.stop()
    try:
        found = when(system.aggregator.url, lambda found: not found.all("luot_log_memory_bytes"))
        assert found.all("luot_log_reach_seconds") == []
        assert found.all("luot_stream_lag_entries") == []
    finally:
        system.redis.start()
    when(system.aggregator.url, lambda found: found.all("luot_log_memory_bytes"))
