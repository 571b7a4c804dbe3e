"""No flood spoils it: of bots, invented visitors, long texts, from one address or from many."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from services.traffic.sender import PageView, Sender, Summary
from tests.noon import wait_for_room_in_the_hour
from tests.servers.system import BROWSER, System

ATTACKER = "203.0.113.66"
GATEWAY = "198.51.100.7"
LONG = "x" * 480

MOST_GROWTH = 64
"""In MB: caches of 24 MB, the visitors, and what is kept of freed memory."""

READERS = 3_000
PAGES = 5

CROWD = 20_000
CROWD_A_SECOND = 1_500
CROWDED = "14mb"
"""Of Redis: that crowd takes more."""

FLOOD = 24_000
SMALL = "10mb"
"""Of Redis, so that such a flood would fill it; an empty one takes some 2 MB."""


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    system = System(tmp_path)
    try:
        yield system
    finally:
        system.stop()


@pytest.fixture
def small(system: System) -> System:
    """Return a system whose Redis is small."""
    system.redis.options += ("--maxmemory", SMALL)
    return system.start()


def view(site: str, path: str, agent: str, address: str) -> PageView:
    return PageView(0.0, f"https://{site}.example{path}", "", agent, address)


def refused_for_memory(system: System) -> int:
    """Return how many commands Redis refused because it was full.

    A hit may go to the spool on a machine that is slow; it must not because of that.
    """
    with system.redis.client() as redis:
        return int(redis.info("errorstats").get("errorstat_OOM", {}).get("count", 0))


def send(system: System, site: str, views: Sequence[PageView]) -> Summary:
    summary = asyncio.run(Sender(system.ingest.url, site).send(views))
    assert not summary.failed, summary.failures
    return summary


def metric(system: System, name: str) -> float:
    lines = httpx.get(f"{system.ingest.url}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_a_gateway_of_three_thousand_readers_loses_nothing(system: System) -> None:
    system.start()
    system.add_site("mytho")
    agents = [BROWSER.replace("142", f"{100 + number % 60}.{number}") for number in range(READERS)]
    views = [
        view("mytho", f"/tin/{page}", agent, GATEWAY) for page in range(PAGES) for agent in agents
    ]
    summary = send(system, "mytho", views)
    assert (summary.accepted, summary.dropped) == (READERS * PAGES, {})
    system.counter_when("mytho", total=READERS * PAGES, metric="views")
    system.counter_when("mytho", total=READERS, metric="visits")
    system.online_when("mytho", READERS)
    assert metric(system, "luot_over_budget_hits_total") == 0


def test_visits_cannot_be_invented_at_will(system: System) -> None:
    wait_for_room_in_the_hour()
    system.start()
    system.add_site("mytho")
    invented = 9_000
    views = [
        view("mytho", "/", BROWSER.replace("142", f"142.{number}"), ATTACKER)
        for number in range(invented)
    ]
    send(system, "mytho", views)
    system.counter_when("mytho", total=invented, metric="views")
    most = 6_000 + 100
    visits = system.counter("mytho", metric="visits")["total"]
    assert 0.9 * most < visits <= most
    # Those who cannot be told apart from invented ones are not online, either.
    system.online_when("mytho", visits)
    # A reader elsewhere is one as ever.
    system.hit("mytho", "/", **{"X-Forwarded-For": "192.0.2.8"})
    system.counter_when("mytho", total=visits + 1, metric="visits")
    notes = httpx.get(f"{system.ingest.url}/readyz").json()["notes"]
    assert any("LUOT_ADDRESS_VISITORS" in note for note in notes)


def test_a_flood_of_bots_leaves_the_log_to_others(small: System) -> None:
    wait_for_room_in_the_hour()
    small.add_site("victim")
    small.add_site("mytho")
    bot = "Mozilla/5.0 (compatible; FloodBot/{}; +https://flood.example/)"
    views = [
        view("victim", f"/{number}{LONG}", bot.format(number), ATTACKER) for number in range(FLOOD)
    ]
    half = FLOOD // 2
    for part in (views[:half], views[half:]):
        summary = send(small, "victim", part)
        assert summary.dropped == {"bot": len(part)}
        for number in range(20):
            small.hit("mytho", "/", **{"X-Forwarded-For": f"192.0.2.{number}"})
        total = 20 * (1 + (part[0] is views[half]))
        small.counter_when("mytho", total=total, metric="views")
    assert not refused_for_memory(small)
    written = metric(small, 'luot_hits_total{outcome="tagged"}')
    assert 1_000 <= written <= 1_000 + 100
    not_written = metric(small, 'luot_over_budget_hits_total{outcome="not_written"}')
    assert written + not_written == FLOOD
    assert metric(small, 'luot_drops_total{reason="bot"}') == FLOOD


def test_many_machines_fill_the_part_of_one_site_and_leave_the_rest_to_others(
    system: System,
) -> None:
    wait_for_room_in_the_hour()
    system.redis.options += ("--maxmemory", CROWDED)
    system.start()
    for site in ("victim", "mytho"):
        system.add_site(site)
    crowd = [
        PageView(
            number / CROWD_A_SECOND,
            f"https://victim.example/{number}{LONG}",
            "",
            BROWSER,
            f"10.{number >> 8}.{number & 255}.9",
        )
        for number in range(CROWD)
    ]
    answers: list[tuple[int, str | None]] = []
    over = threading.Event()

    def read() -> None:
        while not over.wait(0.1):
            address = f"192.0.2.{len(answers) % 250}"
            answer = system.hit("mytho", "/", **{"X-Forwarded-For": address})
            answers.append((answer.status_code, answer.headers.get("X-Luot-Dropped")))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        summary = send(system, "victim", crowd)
    finally:
        over.set()
        reader.join()
    assert set(answers) == {(202, None)}
    system.counter_when("mytho", total=len(answers), metric="views")
    # What was taken is counted, and what was refused is not in the log.
    refused = summary.dropped["rate"]
    assert summary.accepted + refused == CROWD
    system.counter_when("victim", total=summary.accepted, metric="views")
    assert metric(system, 'luot_over_budget_hits_total{outcome="no_room"}') == refused
    assert not refused_for_memory(system)
    notes = httpx.get(f"{system.ingest.url}/readyz").json()["notes"]
    assert any("took most of a log that is nearly full" in note for note in notes)


def test_long_texts_of_strangers_do_not_fill_the_memory_of_ingest(system: System) -> None:
    system.start()
    system.add_site("mytho")
    # Nothing is asked of it, and ingest holds no less while it works.
    system.aggregator.stop()

    def flood(numbers: range) -> list[PageView]:
        return [
            PageView(
                0.0,
                f"https://mytho.example/{number}{'đ' * 900}?{number}",
                f"https://r{number}.example/{'ơ' * 900}",
                f"Mozilla/5.0 (X11; Linux {number}) Gecko/2 {'x' * 600}",
                f"10.{number >> 8}.{number & 255}.9",
            )
            for number in numbers
        ]

    send(system, "mytho", flood(range(500)))
    before = resident(system.ingest.pid)
    summary = send(system, "mytho", flood(range(500, 500 + 16_384)))
    assert summary.accepted == 16_384
    grown = resident(system.ingest.pid) - before
    assert grown < MOST_GROWTH, f"{grown:.0f} MB"


def resident(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024
