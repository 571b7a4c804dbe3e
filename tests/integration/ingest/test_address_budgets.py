"""What one address sends is bounded, however it names itself, and its neighbours are not."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from services.ingest.app import Ingest
from services.ingest.settings import IngestSettings
from services.model.hit import Visit
from services.model.site import Site
from tests.integration.ingest.conftest import CHROME, NOON, Browser, Hand, Log, OpenIngest

SMALL = {"address_hits": 20, "address_visitors": 10, "address_bots": 5}
"""Of so little, nothing is free; see AddressBudgets."""
HOUR_MS = 3_600_000
BOT = "Googlebot/2.1 (+http://www.google.com/bot.html)"


async def reasons(browser: Browser, count: int, **headers: str) -> Counter[str]:
    answers = [await browser.view(**headers) for _ in range(count)]
    return Counter(answer.headers.get("x-luot-dropped", "counted") for answer in answers)


async def test_hits_above_the_budget_are_refused_and_not_written(
    log: Log, open_ingest: OpenIngest, clock: Hand
) -> None:
    async with open_ingest(**SMALL) as browser:
        assert await reasons(browser, 25) == {"counted": 20, "rate": 5}
        clock.ms = (NOON // HOUR_MS + 1) * HOUR_MS
        assert await reasons(browser, 1) == {"counted": 1}
    assert len(log.hits()) == 21


@pytest.mark.parametrize("limit", ["address_bytes", "site_bytes"])
@pytest.mark.parametrize(
    ("url", "referrer", "taken"),
    [
        ("https://mytho.example/", "", 5),
        ("https://mytho.example/?utm_term=" + "x" * 100, "", 4),
        ("https://mytho.example/?utm_term=" + "ệ" * 100, "", 2),
        ("https://mytho.example/" + "ệ" * 100, "", 2),
        ("https://mytho.example/", f"https://{'a' * 60}.{'b' * 39}.example/", 4),
        ("https://mytho.example/?utm_source=" + "ệ" * 100, "", 1),
    ],
)
async def test_every_text_of_a_hit_counts_in_bytes(
    log: Log, open_ingest: OpenIngest, limit: str, url: str, referrer: str, taken: int
) -> None:
    event = {"n": "pageview", "u": url, "d": "mytho", "r": referrer}
    async with open_ingest(**SMALL | {limit: 1024}) as browser:
        answers = [await browser.http.post("/e", json=event) for _ in range(5)]
    dropped = [answer.headers.get("x-luot-dropped") for answer in answers]
    assert dropped == [None] * taken + ["rate"] * (5 - taken)
    assert len(log.hits()) == taken


async def test_a_sender_that_is_not_a_proxy_gets_no_budget_for_each_name_it_makes_up(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(**SMALL) as browser:
        for number in range(30):
            answer = await browser.view(x_forwarded_for=f"192.0.2.{number}")
    assert answer.headers["x-luot-dropped"] == "rate"
    assert len(log.hits()) == 20


async def test_behind_a_trusted_proxy_each_reader_has_a_budget(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(address="127.0.0.1", **SMALL) as browser:
        for number in range(3):
            sent = await reasons(browser, 25, x_forwarded_for=f"192.0.2.{number}")
            assert sent == {"counted": 20, "rate": 5}
    assert len(log.hits()) == 60


async def test_an_ipv6_machine_gets_no_budget_for_each_of_its_networks(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(address="127.0.0.1", **SMALL) as browser:
        for number in range(100):
            answer = await browser.view(x_forwarded_for=f"2001:db8:7:{number:x}::1")
        assert answer.headers["x-luot-dropped"] == "rate"
        assert await reasons(browser, 1, x_forwarded_for="2001:db8:8::1") == {"counted": 1}
    assert len(log.hits()) == 80 + 1


async def test_a_visitor_too_many_is_a_view_without_a_visit(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(**SMALL) as browser:
        for number in range(15):
            await browser.view(user_agent=CHROME.replace("120", f"120.{number}"))
        # Who was seen before reads on as before.
        await browser.view(user_agent=CHROME.replace("120", "120.0"))
    hits = log.hits()
    assert len(hits) == 16
    known, many = [*hits[:10], hits[-1]], hits[10:-1]
    assert len({hit.visitor for hit in known}) == 10
    assert all(hit.visit is Visit.UNDECIDED for hit in known)
    assert {(hit.visitor, hit.visit) for hit in many} == {(0, Visit.CONTINUES)}


async def test_who_asks_not_to_be_tracked_cannot_invent_visits_either(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(**SMALL) as browser:
        for _ in range(15):
            await browser.view(dnt="1")
    assert Counter(hit.visit for hit in log.hits()) == {Visit.STARTS: 10, Visit.CONTINUES: 5}


async def test_nor_can_anybody_fill_what_a_site_of_views_only_shows_as_online(
    log: Log, open_ingest: OpenIngest
) -> None:
    log.publish(Site(slug="dem", hosts=("dem.example",), views_only=True))
    async with open_ingest(**SMALL) as browser:
        for number in range(15):
            agent = CHROME.replace("120", f"120.{number}")
            await browser.view("https://dem.example/", "dem", user_agent=agent)
    visits = Counter(hit.visit for hit in log.hits())
    assert visits == {Visit.UNDECIDED: 10, Visit.CONTINUES: 5}


async def test_of_too_many_bots_only_a_count_is_kept(log: Log, open_ingest: OpenIngest) -> None:
    async with open_ingest(**SMALL) as browser:
        assert await reasons(browser, 8, user_agent=BOT) == {"bot": 8}
        assert await reasons(browser, 20) == {"counted": 20}
        metrics = (await browser.http.get("/metrics")).text
    assert Counter(hit.bot for hit in log.hits()) == {True: 5, False: 20}
    assert 'luot_over_budget_hits_total{outcome="not_written"}' in metrics


async def test_bots_of_many_addresses_leave_the_log_to_others(
    log: Log, open_ingest: OpenIngest
) -> None:
    log.publish(Site(slug="hue", hosts=("hue.example",)))
    async with open_ingest(address="127.0.0.1", bot_bytes=16_000) as browser:
        for number in range(100):
            await browser.view(user_agent=BOT, x_forwarded_for=f"192.0.2.{number}")
        written = len(log.hits())
        await browser.view("https://hue.example/", "hue", user_agent=BOT)
        await browser.view()
    assert 20 < written < 40
    assert len(log.hits()) == written + 2


async def test_an_operator_is_told_of_readers_who_are_refused(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(**SMALL) as browser:
        ready = await browser.http.get("/readyz")
        assert "notes" not in ready.json()
        await reasons(browser, 25)
        ready = await browser.http.get("/readyz")
        assert ready.status_code == 200
        (note,) = ready.json()["notes"]
    assert "LUOT_ADDRESS_HITS" in note
    assert "203.0.113.9" not in note


async def test_a_log_that_is_nearly_full_has_no_room_for_bots(
    own_log: Log, clock: Hand, tmp_path: Path
) -> None:
    redis_url, spool = own_log.server.url, tmp_path / "spool"
    ingest = Ingest(IngestSettings.read({}, redis_url=redis_url, spool=spool), clock=clock)
    await ingest.start()
    browser = Browser(ingest, "203.0.113.9")
    try:
        await browser.view(user_agent=BOT)
        assert len(own_log.hits()) == 1
        used = own_log.redis.info("memory")["used_memory"]
        own_log.redis.config_set("maxmemory", int(used * 1.1))
        async with asyncio.timeout(60):
            while (before := len(own_log.hits())) != (await after(browser, own_log)):
                pass
        assert "notes" not in (await browser.http.get("/readyz")).json(), "nothing was spooled"
        own_log.redis.config_set("maxmemory", 0)
        async with asyncio.timeout(60):
            while await after(browser, own_log) == before:
                pass
    finally:
        await browser.http.aclose()
        await ingest.stop()


async def after(browser: Browser, log: Log) -> int:
    """Return how many hits there are after one more of a bot."""
    answer = await browser.view(user_agent=BOT)
    assert answer.headers["x-luot-dropped"] == "bot"
    await asyncio.sleep(0.05)
    return len(log.hits())
