"""The last good numbers outlive the store, the process that read them, and both at once."""

import os
import signal
import time
from collections.abc import Iterator
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.counter.last_shown import LastShownPages
from services.api.counter.reading import PageReading
from services.model.calendar import EPOCH
from services.state import keys
from services.state.last_shown import MAX_PAGES
from services.state.state import State
from services.store.migrations import migrate
from services.store.open import open_store
from services.store.records import sites
from tests.chaos.proxy import Proxy
from tests.integration.api.world import (
    HANOI,
    SITE,
    TOKEN,
    Clock,
    OpenApi,
    opened,
    write_balance,
    write_counter,
)
from tests.patience import PATIENCE_SECONDS
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer

COUNTER = "/api/counter/mytho"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def counted(clickhouse: ClickHouseServer, redis: Redis) -> ClickHouseServer:
    """A store with 5 visits on 31 December 2023, 100 in all, 1,000 brought along, and a page."""
    store = open_store(clickhouse.url)
    await migrate(store)
    for table in ("counters", "opening_balances", "sites"):
        await store.execute(f"TRUNCATE TABLE {table}")
    await sites.save(store, SITE, 1)
    await write_counter(store, "mytho", "day", date(2023, 12, 31), 5)
    await write_counter(store, "mytho", "month", date(2023, 12, 1), 60)
    await write_counter(store, "mytho", "year", date(2023, 1, 1), 80)
    await write_counter(store, "mytho", "total", EPOCH, 100)
    await write_counter(store, "mytho", "total", EPOCH, 0, views=445, path="/a")
    await write_counter(store, "mytho", "day", date(2023, 12, 31), 0, views=3, path="/a")
    await write_balance(store, "mytho", "old", "total", EPOCH, 1000)
    await store.close()
    return clickhouse


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2023, 12, 31, 23, 59, tzinfo=HANOI))


@pytest.fixture
def open_api(counted: ClickHouseServer, redis_server: RedisServer, clock: Clock) -> OpenApi:
    """Return what starts one more API process' worth of API."""
    return partial(opened, counted.url, redis_server.url, clock)


async def numbers(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get(COUNTER, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def fresh(client: httpx.AsyncClient, clock: Clock, **query: Any) -> dict[str, Any]:
    """Return the numbers of a reading in time: on a busy machine, the first may be late."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := await numbers(client, **query))["stale"]:
        assert time.monotonic() < deadline, found
        clock.now += 2
    return found


async def test_the_last_good_numbers_survive_a_restart_of_the_api_while_the_store_is_away(
    counted: ClickHouseServer, open_api: OpenApi, redis: Redis, clock: Clock
) -> None:
    async with open_api() as client:
        good = await fresh(client, clock, path="/a")
        assert (good["total"], good["today"]) == (1100, 5)
        assert good["paths"] == {"/a": {"views": 445, "today": 3}}

    counted.kill()
    try:
        clock.now += 30
        await redis.hset(keys.ONLINE, "mytho", f"9:{clock.ms}")
        async with open_api() as client:
            assert await numbers(client, path="/a") == {
                **good,
                "stale": True,
                "online": 9,
                "guests": 9,
            }
            assert (await client.get("/readyz")).status_code == 200
            partly = await numbers(client, path=["/a", "/never-asked"])
            assert list(partly["paths"]) == ["/a"]

            other = await client.get("/api/counter/perhaps-a-site")
            assert (other.status_code, list(other.json()["errors"])) == (503, ["store"])
            assert (await client.get("/api/admin/sites", headers=ADMIN)).status_code == 503

            # The year turns while the store is away.
            clock.now += 60
            turned = await numbers(client, path="/a")
            assert turned["as_of"] == good["as_of"] == "2023-12-31T23:59:00+07:00"
            assert (turned["today"], turned["yesterday"], turned["total"]) == (0, 5, 1100)
            assert (turned["this_month"], turned["last_month"]) == (0, 60)
            assert (turned["this_year"], turned["last_year"]) == (0, 80)
            assert turned["paths"] == {"/a": {"views": 445, "today": 0}}
    finally:
        counted.start()


async def test_the_last_good_numbers_are_waited_for_when_redis_is_slow_and_the_store_away(
    counted: ClickHouseServer, open_api: OpenApi, redis_server: RedisServer, clock: Clock
) -> None:
    async with open_api() as client:
        good = await numbers(client)
    counted.kill()
    try:
        async with Proxy(redis_server.port) as proxy:
            proxy.delay = 0.6
            async with opened(counted.url, f"redis://127.0.0.1:{proxy.port}/0", clock) as client:
                assert await numbers(client) == {**good, "stale": True}
    finally:
        counted.start()


async def test_an_api_that_started_without_the_store_is_right_soon_after_it_is_back(
    counted: ClickHouseServer, open_api: OpenApi, clock: Clock
) -> None:
    async with open_api() as client:
        good = await numbers(client)
    counted.kill()
    async with open_api() as restarted:
        try:
            assert await numbers(restarted) == {**good, "stale": True}
        finally:
            counted.start()
        assert (await fresh(restarted, clock))["total"] == good["total"]


async def test_a_store_that_hangs_keeps_nobody_waiting(
    counted: ClickHouseServer, open_api: OpenApi, clock: Clock
) -> None:
    async with open_api() as client:
        good = await numbers(client)
        os.kill(counted.pid, signal.SIGSTOP)
        try:
            clock.now += 5
            began = time.monotonic()
            assert await numbers(client) == {**good, "stale": True}
            async with open_api() as restarted:
                assert await numbers(restarted) == {**good, "stale": True}
            assert time.monotonic() - began < PATIENCE_SECONDS
        finally:
            os.kill(counted.pid, signal.SIGCONT)


async def test_no_number_goes_down_over_a_restart_until_an_operator_says_so(
    counted: ClickHouseServer, open_api: OpenApi, clock: Clock
) -> None:
    async with open_api() as first, open_api() as second:
        assert (await numbers(first, path="/a"))["total"] == 1100
        store = open_store(counted.url)
        await store.execute("TRUNCATE TABLE counters")
        await write_counter(store, "mytho", "total", EPOCH, 70)
        await store.close()
        clock.now += 2
        behind = await fresh(second, clock, path="/a")
        assert (behind["total"], behind["today"]) == (1100, 5)
        assert behind["paths"]["/a"] == {"views": 445, "today": 3}
    async with open_api() as first, open_api() as second:
        for client in (first, second):
            assert (await numbers(client, path="/a"))["total"] == 1100

        assert (await first.delete("/api/admin/sites/mytho/shown")).status_code == 401
        reset = await first.delete("/api/admin/sites/mytho/shown", headers=ADMIN)
        assert reset.status_code == 204
        clock.now += 2
        for client in (second, first):
            after = await fresh(client, clock, path="/a")
            assert (after["total"], after["today"]) == (1070, 0)
            assert after["paths"]["/a"] == {"views": 0, "today": 0}


async def test_a_wiped_redis_learns_the_numbers_again(
    open_api: OpenApi, redis: Redis, clock: Clock
) -> None:
    async with open_api() as client:
        await numbers(client)
        await redis.flushall()
        clock.now += 2
        await numbers(client)

        assert await redis.hexists(keys.NUMBERS, keys.numbers_field("mytho", "visits"))


async def test_numbers_that_stand_still_are_written_once_a_minute(
    open_api: OpenApi, redis: Redis, clock: Clock
) -> None:
    clock.set(datetime(2023, 12, 31, 12, 0, tzinfo=HANOI))
    async with open_api() as client:
        await numbers(client, path="/a")

        async def written() -> tuple[Any, Any]:
            field = keys.numbers_field("mytho", "visits")
            await numbers(client, path="/a")
            return await redis.hget(keys.NUMBERS, field), await redis.hget(
                keys.pages("mytho"), keys.page_field("/a")
            )

        first = await written()
        clock.now += 2
        assert await written() == first
        clock.now += 70
        second = await written()
        assert first[0] != second[0]
        assert first[1] != second[1]


async def test_what_cannot_be_read_in_redis_is_as_good_as_lost(
    open_api: OpenApi, redis: Redis
) -> None:
    await redis.hset(keys.NUMBERS, keys.numbers_field("mytho", "visits"), b"\xff\x00")
    await redis.hset(keys.NUMBERS, keys.reset_field("mytho"), b"soon")
    await redis.hset(keys.pages("mytho"), keys.page_field("/a"), b"\x93\x01")
    async with open_api() as client:
        assert (await numbers(client, path="/a"))["paths"]["/a"]["views"] == 445


async def test_pages_are_kept_within_a_limit_and_go_with_their_site(
    open_api: OpenApi, redis: Redis, tmp_path: Path
) -> None:
    pages = LastShownPages(State(redis))
    page = PageReading(as_of=1_700_000_000_000, day=19_700, views=445, today=3)
    for first in range(0, MAX_PAGES + 1000, 100):
        await pages.write(
            {("mytho", f"/trang/{first + i}/".ljust(500, "x")): page for i in range(100)}
        )
        assert await redis.hlen(keys.pages("mytho")) <= MAX_PAGES
    used = await redis.memory_usage(keys.pages("mytho"), samples=0)
    assert used is not None
    assert used < 120 * MAX_PAGES

    async with open_api() as client:
        await numbers(client)
        assert await redis.hlen(keys.NUMBERS) == 1
        await client.delete("/api/admin/sites/mytho", headers=ADMIN)
        assert await redis.exists(keys.NUMBERS, keys.pages("mytho")) == 0


@pytest.mark.parametrize("name", ["total", "path"])
async def test_what_redis_cannot_keep_is_not_shown_so_that_a_restart_never_shows_less(
    counted: ClickHouseServer, open_api: OpenApi, redis: Redis, clock: Clock, name: str
) -> None:
    def shown(found: dict[str, Any]) -> int:
        return int(found["total"] if name == "total" else found["paths"]["/a"]["views"])

    async with open_api() as client:
        before = shown(await numbers(client, path="/a"))
        await redis.config_set("maxmemory", "1")
        store = open_store(counted.url)
        await write_counter(store, "mytho", "total", EPOCH, 200, position=2)
        await write_counter(store, "mytho", "total", EPOCH, 0, views=500, path="/a", position=2)
        await store.close()
        clock.now += 2
        held = await numbers(client, path="/a")
        assert (shown(held), held["stale"]) == (before, True)
        await redis.config_set("maxmemory", "0")
        clock.now += 2
        risen = await fresh(client, clock, path="/a")
        assert shown(risen) == before + (100 if name == "total" else 55)
    counted.kill()
    try:
        async with open_api() as client:
            assert shown(await numbers(client, path="/a")) == shown(risen)
    finally:
        counted.start()


async def test_an_api_that_starts_while_redis_keeps_nothing_shows_what_was_shown_last(
    counted: ClickHouseServer, open_api: OpenApi, redis: Redis, clock: Clock
) -> None:
    async with open_api() as client:
        before = (await fresh(client, clock))["total"]
    store = open_store(counted.url)
    await write_counter(store, "mytho", "total", EPOCH, 200, position=2)
    await store.close()
    await redis.config_set("maxmemory", "1")
    try:
        # Had it shown more, the next one would show less.
        async with open_api() as client:
            held = await numbers(client)
            assert (held["total"], held["stale"]) == (before, True)
        counted.kill()
        async with open_api() as client:
            assert (await numbers(client))["total"] == before
    finally:
        await redis.config_set("maxmemory", "0")
        counted.start()
    async with open_api() as client:
        assert (await fresh(client, clock))["total"] == before + 100


async def test_badge_page_and_text_show_the_last_good_numbers_after_a_restart_without_the_store(
    counted: ClickHouseServer, open_api: OpenApi
) -> None:
    drawn = [f"/counter/mytho.{kind}?lines=total&digits=5" for kind in ("svg", "html", "txt")]
    drawn.append("/counter/mytho.txt?path=/a")
    async with open_api() as client:
        before = [(await client.get(address)).text for address in drawn]
    assert before[2] == "01100\nTổng lượt truy cập: 1.100\n"

    counted.kill()
    try:
        async with open_api() as client:
            after = [await client.get(address) for address in drawn]
            never_read = await client.get("/counter/mytho.txt?path=/never-read")
            assert (await numbers(client))["stale"]
    finally:
        counted.start()

    assert [answer.status_code for answer in after] == [200] * 4
    assert [answer.text for answer in after] == before
    assert (never_read.status_code, list(never_read.json()["errors"])) == (503, ["store"])
