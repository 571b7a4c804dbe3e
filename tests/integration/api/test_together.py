"""Many sites and many askers: few statements, and answers that do not tell how they came about."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import date
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.app import Api
from services.api.counter import cache
from services.api.counter.routes import Counters
from services.api.settings import ApiSettings
from services.api.sites import site_gauges
from services.api.sites.registry import Registry
from services.model.calendar import EPOCH
from services.model.display import Display
from services.model.partition import DEFAULT_PARTITIONS
from services.model.site import Metric, Site
from services.state import keys
from services.state.changes import Notice
from services.state.state import State
from services.store.interface import Row, Store, StoreUnavailableError
from services.store.records import sites
from tests.integration.api import changes
from tests.integration.api.world import (
    TOKEN,
    Clock,
    serving,
    write_balance,
    write_counter,
    write_views,
)
from tests.patience import PATIENCE_SECONDS, rounds

SITES = 40
TODAY = date(2024, 1, 3)
ADMIN = {"Authorization": f"Bearer {TOKEN}"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Watched:
    """A store that remembers what it was asked, and fails when it is told to."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.statements: list[str] = []
        self.reading = asyncio.Semaphore(0)
        self.away = False
        self.answers = asyncio.Event()
        self.answers.set()

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        self.statements.append(sql)
        if "FROM counters" in sql:
            self.reading.release()
        if self.away:
            raise StoreUnavailableError("away")
        await self.answers.wait()
        return await self.store.execute(sql, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@pytest.fixture
def watched(store: Store) -> Watched:
    return Watched(store)


@pytest_asyncio.fixture(loop_scope="module")
async def api(
    watched: Watched, redis: Redis, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    """An API with 40 sites in two time zones; site-7 has 7 visits, 8 with its opening balance."""
    for number in range(SITES):
        zone = "Asia/Ho_Chi_Minh" if number % 2 else "Pacific/Honolulu"  # a day apart at noon
        slug = f"site-{number}"
        site = Site(slug=slug, timezone=zone, hosts=("*",), created_at=1_500_000_000_000)
        await sites.save(watched.store, site, 1)
        await write_counter(watched.store, slug, "total", EPOCH, number)
        await write_counter(watched.store, slug, "day", TODAY, number)
        await write_counter(watched.store, slug, "total", EPOCH, 0, views=number, path="/a")
        await write_counter(watched.store, slug, "total", EPOCH, 0, views=99, path="/not-asked")
        await write_balance(watched.store, slug, "old", "total", EPOCH, 1)
        await redis.hset(keys.ONLINE, slug, f"{number}:{clock.ms}")
    # What is measured of sites reads counters, too: on a slow machine in the midst of a test.
    monkeypatch.setattr(site_gauges, "FIRST_SECONDS", 3600.0)
    settings = ApiSettings.read({}, admin_token=TOKEN)
    api = Api(settings, store=watched, state=State(redis), clock=clock, monotonic=clock)  # type: ignore[arg-type]
    await api.start()
    yield api
    await api.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def counters(
    api: Api, watched: Watched, redis: Redis, clock: Clock
) -> AsyncIterator[Counters]:
    counters = Counters(api.registry, watched, State(redis), clock, clock)  # type: ignore[arg-type]
    yield counters
    await counters.close()


def statements(watched: Watched, table: str) -> int:
    return sum(f"FROM {table}" in sql for sql in watched.statements)


async def test_sites_that_are_asked_for_together_are_one_statement_each_with_its_own_numbers(
    counters: Counters, watched: Watched
) -> None:
    watched.statements.clear()
    asked = [counters.site(f"site-{number}") for number in range(SITES)]
    answers = await asyncio.gather(
        *(counters.answer(site, Metric.VISITS, {"/a": "/a"}) for site in asked)
    )

    found = [httpx.Response(200, content=answer.body).json() for answer, _ in answers]
    assert [one["total"] for one in found] == [number + 1 for number in range(SITES)]
    assert [one["online"] for one in found] == list(range(SITES))
    # In Honolulu the day of those visits is still to come.
    assert [one["today"] for one in found] == [n if n % 2 else 0 for n in range(SITES)]
    assert [one["paths"] for one in found] == [
        {"/a": {"views": number, "today": 0}} for number in range(SITES)
    ]
    assert {one["stale"] for one in found} == {False}
    # Rows and pages; the first days, which are read once in ten minutes; and on a machine that is
    # slow just then, what the API itself reads for its gauges.
    assert 2 <= statements(watched, "counters") < SITES / 4
    assert 2 <= statements(watched, "opening_balances") < SITES / 4
    assert statements(watched, "peaks") == 1


async def test_visitors_of_many_sites_are_one_statement_and_keep_no_one_else_waiting(
    counters: Counters, watched: Watched
) -> None:
    for number in (1, 2):
        await write_views(watched.store, f"site-{number}", date(2023, 5, 1), [1, 2, 3])
        await write_views(watched.store, f"site-{number}", date(2024, 1, 2), [*range(number)])
    watched.statements.clear()
    answers = await asyncio.gather(
        *(
            counters.answer(counters.site(f"site-{number}"), Metric.VISITORS, {})
            for number in (1, 2, 3)
        )
    )

    found = [httpx.Response(200, content=answer.body).json() for answer, _ in answers]
    # The hash 0 is nobody.
    assert [(one["total"], one["last_year"]) for one in found] == [(3, 3), (4, 3), (0, 0)]
    # Two days on which the histories end, and the months before theirs.
    assert statements(watched, "visitors") <= 1 + 2 + 2


async def test_a_site_removed_while_it_waits_does_not_spoil_the_others(
    counters: Counters, api: Api
) -> None:
    here, gone = counters.site("site-5"), counters.site("site-6")
    waiting = [
        asyncio.create_task(counters.answer(site, Metric.VISITS, {})) for site in (gone, here)
    ]
    await changes.remove(api, "site-6")
    failed, answered = await asyncio.gather(*waiting, return_exceptions=True)

    assert isinstance(answered, tuple)
    assert b'"total":6' in answered[0].body
    assert isinstance(failed, BaseException) or b'"site":"site-6"' in failed[0].body


async def test_a_reading_that_fails_leaves_every_site_its_last_good_numbers(
    counters: Counters, watched: Watched, clock: Clock
) -> None:
    asked = [counters.site(f"site-{number}") for number in range(3)]
    good = await asyncio.gather(*(counters.answer(s, Metric.VISITS, {}) for s in asked))
    watched.away = True
    clock.now += 5
    watched.statements.clear()
    last = await asyncio.gather(*(counters.answer(s, Metric.VISITS, {}) for s in asked))

    assert [parts for _, parts in last] == [None] * 3
    for (before, _), (after, _) in zip(good, last, strict=True):
        assert after.body == before.body.replace(b'"stale":false', b'"stale":true')
    assert statements(watched, "counters") == 1


async def test_an_answer_that_was_ready_is_the_answer_that_was_made(api: Api, clock: Clock) -> None:
    for address in (
        "/api/counter/site-7",
        "/api/counter/site-7?path=/a&metric=views",
        "/counter/site-7.svg?lang=en",
        "/counter/site-7.txt",
    ):
        async with serving(api.asgi) as client:
            made, ready = await client.get(address), await client.get(address)
            head = await client.head(address)
            held = {"If-None-Match": f'"other", {made.headers["etag"]}'}
            unchanged = [await client.get(address, headers=held)]
            unchanged.append(
                await client.get(address, headers={"If-None-Match": made.headers["etag"]})
            )
            clock.now += 2
            unchanged.append(await client.get(address, headers=held))

        def told(answer: httpx.Response) -> list[tuple[str, str]]:
            # An answer that was ready is of no request of its own.
            its_own = ("date", "x-request-id")
            return [one for one in answer.headers.multi_items() if one[0] not in its_own]

        assert (made.status_code, made.content, told(made)) == (200, ready.content, told(ready))
        assert (head.status_code, head.content, told(head)) == (200, b"", told(made))
        assert [one.status_code for one in unchanged] == [304] * 3
        assert told(unchanged[0]) == told(unchanged[1]) == told(unchanged[2])


async def test_a_ready_answer_needs_no_reading_and_ends_with_its_site(
    api: Api, watched: Watched
) -> None:
    async with serving(api.asgi) as client:
        await client.get("/api/counter/site-7")
        watched.statements.clear()
        for _ in range(3):
            assert (await client.get("/api/counter/site-7")).json()["metric"] == "visits"
        assert not watched.statements

        changed = await client.patch(
            "/api/admin/sites/site-7", json={"metric": "views"}, headers=ADMIN
        )
        assert changed.status_code == 200
        assert (await client.get("/api/counter/site-7")).json()["metric"] == "views"
        await client.delete("/api/admin/sites/site-7", headers=ADMIN)
        assert (await client.get("/api/counter/site-7")).status_code == 404


async def test_what_is_asked_for_again_is_renewed_before_it_ends(
    counters: Counters, watched: Watched, clock: Clock, api: Api
) -> None:
    async with serving(api.asgi) as client:
        for slug in ("site-1", "site-1", "site-2"):
            await client.get(f"/api/counter/{slug}", params={"path": "/a"})
        await write_counter(watched.store, "site-1", "total", EPOCH, 50, position=2)
        await write_counter(
            watched.store, "site-1", "total", EPOCH, 0, views=60, path="/a", position=2
        )
        clock.now += 0.8
        watched.statements.clear()
        watched.reading = asyncio.Semaphore(0)
        for _ in ("numbers", "pages"):  # the service renews by itself
            await asyncio.wait_for(watched.reading.acquire(), PATIENCE_SECONDS)
        clock.now += 0.3
        # Nobody waits for it: until it is read, the old one is told.
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                told = (await client.get("/api/counter/site-1", params={"path": "/a"})).json()
                if (told["total"], told["paths"]["/a"]["views"]) == (51, 60):
                    break
        assert statements(watched, "counters") == 2
        # What was asked for once was not renewed, neither the site nor the page.
        await client.get("/api/counter/site-2")
        assert statements(watched, "counters") == 3
        await client.get("/api/counter/site-2", params={"path": "/a"})
        assert statements(watched, "counters") == 4
        clock.now += 10
        watched.statements.clear()
        counters = api._now().counters
        counters.refresh()
        await asyncio.sleep(0)
        assert not watched.statements  # nobody has asked for a while


async def test_a_site_that_did_not_change_stays_the_same_object(api: Api) -> None:
    registry: Registry = api.registry
    before = registry.get("site-3")
    await registry.refresh()

    assert registry.get("site-3") is before


async def test_a_display_that_was_changed_is_seen_at_once_while_the_numbers_are_fresh(
    api: Api, counters: Counters, watched: Watched
) -> None:
    async def shown() -> object:
        answer, _ = await counters.answer(counters.site("site-3"), Metric.VISITS, {})
        return httpx.Response(200, content=answer.body).json().get("display")

    before = await shown()
    site = msgspec.structs.replace(counters.site("site-3"), display=Display(digits=11))
    await sites.save(watched.store, site, 2)
    await api.registry.refresh()

    assert (before, await shown()) == (None, {"digits": 11})


async def test_a_store_that_is_slow_at_first_is_waited_for_by_who_has_no_number_yet(
    api: Api, watched: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cache, "GIVE_UP_SECONDS", 0.1)
    watched.answers.clear()
    async with serving(api.asgi) as client:
        asked = asyncio.create_task(client.get("/api/counter/site-7", timeout=60))
        for _ in rounds(0.01):
            if "cannot read 1 values: TimeoutError" in caplog.text:
                break
            await asyncio.sleep(0.01)
        watched.answers.set()
        answer = await asked
    assert (answer.status_code, answer.json().get("total")) == (200, 8), answer.text


async def test_what_changes_while_it_is_read_for_the_first_time_is_read_again(
    watched: Watched, clock: Clock, api: Api
) -> None:
    changes, partitions = api._now().counters.changes, tuple(range(DEFAULT_PARTITIONS))
    async with serving(api.asgi) as client:
        changes.hear(Notice("teller", partitions))
        clock.now += 0.1
        watched.answers.clear()
        watched.reading = asyncio.Semaphore(0)
        first = asyncio.create_task(client.get("/api/counter/site-3"))
        await asyncio.wait_for(watched.reading.acquire(), PATIENCE_SECONDS)
        clock.now += 0.1
        changes.hear(Notice("teller", partitions, ("site-3",)))
        watched.answers.set()
        assert (await first).json()["total"] == 4
        await write_counter(watched.store, "site-3", "total", EPOCH, 50, position=2)
        clock.now += 0.1
        assert (await client.get("/api/counter/site-3")).json()["total"] == 51
