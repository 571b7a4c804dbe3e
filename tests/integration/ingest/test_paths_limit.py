"""Nobody can fill the store with invented paths, and nobody can use up the paths of a day."""

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from services.ingest import cardinality, path_memory
from services.model.hit import OTHER_PATH
from services.model.path_digest import path_digest
from services.state import keys, path_history
from services.state.daily_paths import Appended, DailyPaths, DayTail, SiteDay
from tests.integration.ingest.conftest import Browser, Hand, Log, OpenIngest
from tests.integration.ingest.test_faults import paths_when

GOOGLEBOT = "Googlebot/2.1"
DAY_MS = 24 * 3600 * 1000
# Trusted, so that each view may come from an address of its own.
PROXY = "127.0.0.1"


async def see(browser: Browser, *paths: str, of: str = "203.0.113.1") -> None:
    for path in paths:
        await browser.view(f"https://mytho.example{path}", x_forwarded_for=of)


async def see_from_everywhere(browser: Browser, *paths: str) -> None:
    for number, path in enumerate(paths):
        await see(browser, path, of=f"198.51.100.{number}")


def paths_of(log: Log) -> list[str]:
    return [hit.path for hit in log.hits()]


def give_history(log: Log, *paths: str) -> None:
    digests = array("Q", sorted(map(path_digest, paths)))
    log.redis.set(keys.path_history("mytho"), path_history.encode(digests))


def while_a_day_is_read(
    monkeypatch: pytest.MonkeyPatch, happens: Callable[[], Awaitable[None]]
) -> None:
    """Let something happen before the next answer of Redis about the paths of a day."""
    exchange = DailyPaths.exchange

    async def meanwhile(
        shared: DailyPaths, days: Mapping[SiteDay, Appended]
    ) -> dict[SiteDay, DayTail]:
        monkeypatch.setattr(DailyPaths, "exchange", exchange)
        await happens()
        return await exchange(shared, days)

    monkeypatch.setattr(DailyPaths, "exchange", meanwhile)


async def test_paths_over_the_limit_are_counted_together(log: Log, open_ingest: OpenIngest) -> None:
    async with open_ingest(PROXY, max_paths=2) as browser:
        await see_from_everywhere(browser, "/a", "/b", "/c", "/a", "/d", "/b")
    assert paths_of(log) == ["/a", "/b", OTHER_PATH, "/a", OTHER_PATH, "/b"]
    assert [hit.own_path for hit in log.hits()] == ["", "", "/c", "", "/d", ""]


async def test_a_restart_does_not_open_the_limit_again(log: Log, open_ingest: OpenIngest) -> None:
    async with open_ingest(PROXY, max_paths=2) as browser:
        await see_from_everywhere(browser, "/a", "/b")
    async with open_ingest(PROXY, max_paths=2) as browser:
        await see_from_everywhere(browser, "/c", "/a")
    assert paths_of(log) == ["/a", "/b", OTHER_PATH, "/a"]


async def test_two_processes_share_one_limit(
    log: Log, open_ingest: OpenIngest, clock: Hand
) -> None:
    async with (
        open_ingest(PROXY, max_paths=2) as one,
        open_ingest(PROXY, max_paths=2) as two,
    ):
        await see(one, "/a")
        await see(two, "/b")
        await one.ingest.maintain()
        clock.ms += cardinality.LOOK_MS
        await two.ingest.maintain()
        await see_from_everywhere(two, "/c", "/a", "/b")
    assert sorted(paths_of(log)) == sorted(["/a", "/b", OTHER_PATH, "/a", "/b"])


async def test_a_new_day_has_room_again_and_knows_the_day_before(
    log: Log, open_ingest: OpenIngest, clock: Hand
) -> None:
    async with open_ingest(PROXY, max_paths=1) as browser:
        await see(browser, "/a", "/b")
        clock.ms += DAY_MS
        await see(browser, "/b", "/a", "/c")
    assert paths_of(log) == ["/a", OTHER_PATH, "/b", "/a", OTHER_PATH]


async def test_a_crawler_does_not_use_up_the_paths_of_people(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(max_paths=1) as browser:
        await browser.view("https://mytho.example/crawled", user_agent=GOOGLEBOT)
        await see(browser, "/a")
    assert paths_of(log) == ["/crawled", "/a"]


async def test_one_address_cannot_use_up_the_paths_of_a_day(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(PROXY, max_paths=40, new_paths=5) as browser:
        await see(browser, *(f"/bịa-{n}" for n in range(60)))
        await see(browser, "/bài-mới", of="198.51.100.7")
    paths = paths_of(log)
    assert len(set(paths) - {OTHER_PATH}) == 6
    assert paths[-1] == "/bài-mới"
    assert [hit.own_path for hit in log.hits()][5:60] == [f"/bịa-{n}" for n in range(5, 60)]


async def test_not_even_a_budget_set_too_high_lets_one_address_use_up_a_day(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(PROXY, max_paths=40, new_paths=1000) as browser:
        await see(browser, *(f"/bịa-{n}" for n in range(60)))
    assert len(set(paths_of(log)) - {OTHER_PATH}) == 10


async def test_the_devices_of_one_ipv6_network_have_one_budget(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(PROXY, new_paths=2) as browser:
        for n in range(6):
            await see(browser, f"/{n}", of=f"2001:db8::{n + 1}")
    assert paths_of(log) == ["/0", "/1"] + [OTHER_PATH] * 4


async def test_a_page_is_opened_when_readers_from_three_addresses_have_seen_it(
    log: Log, open_ingest: OpenIngest
) -> None:
    gateways = [f"198.51.100.{n}" for n in range(4)]
    async with open_ingest(PROXY, new_paths=1) as browser:
        for gateway in gateways:
            await see(browser, f"/của-{gateway}", of=gateway)
        for gateway in (gateways[0], gateways[0], *gateways[1:]):
            await see(browser, "/bài-mới", of=gateway)
    assert paths_of(log)[4:] == [OTHER_PATH, OTHER_PATH, OTHER_PATH, "/bài-mới", "/bài-mới"]


async def test_a_flood_does_not_push_out_what_other_readers_have_seen(
    log: Log, open_ingest: OpenIngest
) -> None:
    used_up = [f"198.51.100.{n}" for n in range(3)]
    async with open_ingest(PROXY, new_paths=2, rate_burst=5000) as browser:
        for address in used_up:
            await see(browser, f"/của-{address}", f"/nữa-{address}", of=address)
        await see(browser, "/bài-mới", of=used_up[0])
        await see(browser, *(f"/bịa-{n}" for n in range(200)))
        await see(browser, "/bài-mới", of=used_up[1])
        await see(browser, *(f"/bịa-nữa-{n}" for n in range(200)))
        await see(browser, "/bài-mới", of=used_up[2])
    assert paths_of(log)[-1] == "/bài-mới"


async def test_pages_that_several_addresses_see_have_room_of_their_own(
    log: Log, open_ingest: OpenIngest
) -> None:
    async with open_ingest(PROXY, max_paths=8, new_paths=2) as browser:
        await see_from_everywhere(browser, *(f"/bịa-{n}" for n in range(50)))
        assert len(set(paths_of(log)) - {OTHER_PATH}) == 6
        for reader in ("192.0.2.1", "192.0.2.2", "192.0.2.3"):
            await see(browser, "/bài-mới", of=reader)
    assert paths_of(log)[-3:] == [OTHER_PATH, OTHER_PATH, "/bài-mới"]


async def test_a_page_with_a_history_is_always_itself(log: Log, open_ingest: OpenIngest) -> None:
    give_history(log, "/bài-cũ", "/bài-khác")
    async with open_ingest(PROXY, max_paths=2) as browser:
        await see_from_everywhere(browser, "/a", "/b", "/c", "/bài-cũ", "/bài-khác", "/d")
    assert paths_of(log) == ["/a", "/b", OTHER_PATH, "/bài-cũ", "/bài-khác", OTHER_PATH]


async def test_a_history_that_is_published_later_is_read_soon(
    log: Log, open_ingest: OpenIngest, clock: Hand
) -> None:
    async with open_ingest(PROXY, max_paths=1) as browser:
        await see(browser, "/a", "/bài-cũ")
        give_history(log, "/bài-cũ")
        clock.ms += path_memory.LOOK_MS
        await browser.ingest.maintain()
        await see(browser, "/bài-cũ")
        # A server that loses it is no reason to forget it.
        log.redis.delete(keys.path_history("mytho"))
        clock.ms += path_memory.LOOK_MS
        await browser.ingest.maintain()
        clock.ms += DAY_MS
        await see(browser, "/bài-cũ")
    assert paths_of(log) == ["/a", OTHER_PATH, "/bài-cũ", "/bài-cũ"]


async def test_a_history_is_not_forgotten_while_its_day_is_being_opened(
    log: Log, open_ingest: OpenIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_history(log, "/bài-cũ")
    async with open_ingest(PROXY, max_paths=1) as browser:
        while_a_day_is_read(monkeypatch, browser.ingest.maintain)
        await see(browser, "/a", "/bài-cũ")
    assert paths_of(log) == ["/a", "/bài-cũ"]


async def test_a_day_that_is_opened_twice_at_once_takes_its_room_once(
    log: Log, open_ingest: OpenIngest, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_ingest(PROXY) as browser:
        await see(browser, "/a", "/b")
    monkeypatch.setattr(cardinality, "MOST_OPENED", 4)
    async with open_ingest(PROXY) as browser:
        # As the events of a server, from before and after midnight.
        paths, [day] = browser.ingest._intake._paths, {hit.day for hit in log.hits()}
        while_a_day_is_read(monkeypatch, lambda: paths.load("mytho", day + 1))
        await paths.load("mytho", day)
        await see(browser, "/c", "/d")
    assert paths_of(log) == ["/a", "/b", "/c", "/d"]


async def test_a_damaged_history_is_none(log: Log, open_ingest: OpenIngest) -> None:
    log.redis.set(keys.path_history("mytho"), b"\x01" + b"\xff" * 30)
    async with open_ingest(PROXY, max_paths=1) as browser:
        await see(browser, "/a", "/bài-cũ")
    assert paths_of(log) == ["/a", OTHER_PATH]


async def test_without_redis_a_restart_knows_the_history_and_opens_no_more_than_the_limit(
    own_log: Log, open_ingest: OpenIngest
) -> None:
    give_history(own_log, "/bài-cũ")
    given: dict[str, Any] = {"redis_url": own_log.server.url, "max_paths": 2}
    async with open_ingest(PROXY, **given) as browser:
        await see(browser, "/a")
    own_log.server.kill()
    async with open_ingest(PROXY, **given) as browser:
        await see_from_everywhere(browser, "/b", "/c", "/d", "/bài-cũ", "/d")
        await asyncio.to_thread(own_log.server.start)
        paths = await paths_when(own_log, 6)
    assert paths == ["/a", "/b", "/c", OTHER_PATH, "/bài-cũ", OTHER_PATH]


async def test_when_redis_fails_at_midnight_the_pages_of_the_day_before_stay_themselves(
    own_log: Log, open_ingest: OpenIngest, clock: Hand
) -> None:
    async with open_ingest(PROXY, redis_url=own_log.server.url, max_paths=2) as browser:
        await see_from_everywhere(browser, "/a", "/b")
        own_log.server.kill()
        clock.ms += DAY_MS
        await see_from_everywhere(browser, "/c", "/d", "/a", "/b", "/e")
        await asyncio.to_thread(own_log.server.start)
        paths = await paths_when(own_log, 7)
    assert paths == ["/a", "/b", "/c", "/d", "/a", "/b", OTHER_PATH]


async def test_what_a_redis_lost_is_shared_again(
    log: Log, open_ingest: OpenIngest, clock: Hand
) -> None:
    async with open_ingest(PROXY, max_paths=2) as browser:
        await see_from_everywhere(browser, "/a", "/b")
        await browser.ingest.maintain()
        log.redis.delete(keys.opened_paths("mytho", "2023-11-15"))
        for _ in range(2):
            clock.ms += cardinality.LOOK_MS
            await browser.ingest.maintain()
        async with open_ingest(PROXY, max_paths=2) as other:
            await see_from_everywhere(other, "/c", "/a", "/b")
    assert paths_of(log)[2:] == [OTHER_PATH, "/a", "/b"]
