"""What people and admins get from the API, on an embedded store and a real Redis."""

from collections.abc import AsyncIterator, Iterator
from datetime import date, datetime
from typing import Any

import httpx
import msgspec
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.log import keys
from services.model.calendar import EPOCH
from services.model.site import Site
from services.store import sites
from services.store.interface import Store
from services.store.migrations import migrate
from services.store.open import open_store
from tests.integration.api_world import (
    HANOI,
    SITE,
    TOKEN,
    Clock,
    serving,
    write_balance,
    write_counter,
    write_views,
)
from tests.servers.redis import RedisServer, valkey_program

TODAY = date(2024, 1, 3)  # a Wednesday; the week began on New Year's Day
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
COUNTER = "/api/counter/mytho"

# Opening the embedded store takes a second, so the tests of this file share one.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), valkey_program()).start()
    yield server
    server.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_server.url) as client:
        await client.flushall()
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Store]:
    store = open_store(f"chdb://{tmp_path_factory.mktemp('chdb')}/store")
    await migrate(store)
    yield store
    await store.close()


@pytest_asyncio.fixture(loop_scope="module")
async def store(opened: Store) -> Store:
    """An embedded store with one site and no counts."""
    for table in ("counters", "hits", "opening_balances", "peaks", "sites", "visitors"):
        await opened.execute(f"TRUNCATE TABLE {table}")
    await sites.save(opened, SITE, 1)
    return opened


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2024, 1, 3, 12, 0, tzinfo=HANOI))


@pytest_asyncio.fixture(loop_scope="module")
async def api(store: Store, redis: Redis, clock: Clock) -> AsyncIterator[Api]:
    settings = ApiSettings.read({}, admin_token=TOKEN)
    api = Api(settings, store=store, redis=redis, clock=clock, monotonic=clock)
    await api.start()
    yield api
    await api.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(api.asgi) as client:
        yield client


async def numbers(
    client: httpx.AsyncClient, clock: Clock | None = None, **parameters: Any
) -> dict[str, Any]:
    """Return the answer; with a clock, when what is remembered is no longer fresh."""
    if clock is not None:
        clock.now += 1
    answer = await client.get(COUNTER, params=parameters)
    assert answer.status_code == 200, answer.text
    held: dict[str, Any] = answer.json()
    return held


async def test_every_period_is_counted_in_the_sites_own_calendar(
    client: httpx.AsyncClient, store: Store
) -> None:
    for day, visits in (
        (date(2023, 12, 24), 1000),  # the Sunday before last week
        (date(2023, 12, 25), 100),  # Monday of last week
        (date(2023, 12, 31), 50),  # Sunday of last week, and another year
        (date(2024, 1, 1), 20),
        (date(2024, 1, 2), 7),
        (TODAY, 3),
    ):
        await write_counter(store, "mytho", "day", day, visits)
    await write_counter(store, "mytho", "month", date(2024, 1, 1), 30)
    await write_counter(store, "mytho", "month", date(2023, 12, 1), 1150)
    await write_counter(store, "mytho", "year", date(2024, 1, 1), 30)
    await write_counter(store, "mytho", "year", date(2023, 1, 1), 5000)
    await write_counter(store, "mytho", "total", EPOCH, 5030)

    assert await numbers(client) == {
        "site": "mytho",
        "as_of": "2024-01-03T12:00:00+07:00",
        "timezone": "Asia/Ho_Chi_Minh",
        "metric": "visits",
        "stale": False,
        "since": "2023-12-24",
        "online": 0,
        "today": 3,
        "yesterday": 7,
        "this_week": 30,
        "last_week": 150,
        "this_month": 30,
        "last_month": 1150,
        "this_year": 30,
        "last_year": 5000,
        "total": 5030,
        "peak": {"online": 0, "at": None},
    }
    assert (await numbers(client, metric="views"))["today"] == 6


async def test_a_site_without_a_visit_shows_zeros_since_it_was_created(
    client: httpx.AsyncClient,
) -> None:
    answer = await numbers(client)

    assert (answer["total"], answer["today"], answer["since"]) == (0, 0, "2017-07-14")


async def test_the_row_with_the_newest_position_counts(
    client: httpx.AsyncClient, store: Store
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 9, position=20)
    await write_counter(store, "mytho", "total", EPOCH, 5, position=10)

    assert (await numbers(client))["total"] == 9


async def test_midnight_turns_today_into_yesterday_where_the_site_is(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await write_counter(store, "mytho", "day", date(2023, 12, 31), 8)

    clock.set(datetime(2023, 12, 31, 23, 59, 59, tzinfo=HANOI))
    before = await numbers(client, metric="visits")
    clock.set(datetime(2024, 1, 1, 0, 0, 1, tzinfo=HANOI))
    after = await numbers(client)

    assert (before["today"], before["yesterday"]) == (8, 0)
    assert (after["today"], after["last_week"], after["this_week"]) == (0, 8, 0)


async def test_opening_balances_are_in_their_period_and_in_all_longer_ones(
    client: httpx.AsyncClient, store: Store
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 1)
    await write_balance(store, "mytho", "t", "total", EPOCH, 1_000_000)
    await write_balance(store, "mytho", "y", "year", date(2023, 1, 1), 100_000)
    await write_balance(store, "mytho", "m", "month", date(2024, 1, 1), 10_000)
    await write_balance(store, "mytho", "d", "day", date(2024, 1, 2), 1_000)
    await write_balance(store, "mytho", "page", "total", EPOCH, 7, path="/only-this")

    answer = await numbers(client)

    assert answer["total"] == 1_111_001
    assert answer["last_year"] == 100_000
    assert answer["this_year"] == answer["this_month"] == 11_000
    assert answer["yesterday"] == answer["this_week"] == 1_000
    assert answer["today"] == answer["last_month"] == 0


async def test_an_opening_balance_entered_twice_counts_once_and_a_reversal_counts(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await write_balance(store, "mytho", "once", "total", EPOCH, 500, at=1)
    await write_balance(store, "mytho", "once", "total", EPOCH, 900, at=2)
    assert (await numbers(client))["total"] == 500

    await write_balance(store, "mytho", "reversal", "total", EPOCH, -500, at=3)
    assert (await numbers(client, clock))["total"] == 0


async def test_visitors_are_counted_once_a_day_and_summed_over_days(
    client: httpx.AsyncClient, store: Store
) -> None:
    await write_views(store, "mytho", date(2022, 5, 1), [1, 2, 3])
    await write_views(store, "mytho", date(2024, 1, 2), [4, 5])
    await write_views(store, "mytho", TODAY, [4, 4, 6])
    await write_views(store, "mytho", TODAY, [6, 4])

    answer = await numbers(client, metric="visitors")

    assert (answer["today"], answer["yesterday"], answer["this_month"]) == (2, 2, 4)
    assert (answer["this_year"], answer["last_year"], answer["total"]) == (4, 0, 7)


async def test_views_of_up_to_100_pages_come_with_the_numbers(
    client: httpx.AsyncClient, store: Store
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 0, views=445, path="/tin-tức/1")
    await write_counter(store, "mytho", "day", TODAY, 0, views=3, path="/tin-tức/1")
    await write_counter(store, "mytho", "day", date(2024, 1, 2), 0, views=9, path="/tin-tức/1")
    await write_balance(store, "mytho", "old", "total", EPOCH, 10, path="/b")
    many = [f"/p{number}" for number in range(97)]

    answer = await numbers(client, path=["/tin-tức/1", "/tin-tức/1?utm_source=x", "/b", *many])

    assert len(answer["paths"]) == 100
    assert answer["paths"]["/tin-tức/1"] == {"views": 445, "today": 3}
    assert answer["paths"]["/tin-tức/1?utm_source=x"] == {"views": 445, "today": 3}
    assert answer["paths"]["/b"] == {"views": 100, "today": 0}
    assert answer["paths"]["/p0"] == {"views": 0, "today": 0}


async def test_online_is_what_the_aggregator_said_within_15_seconds(
    client: httpx.AsyncClient, store: Store, redis: Redis, clock: Clock
) -> None:
    await redis.hset(keys.ONLINE, "mytho", f"12:{clock.ms - 14_000}")
    await store.insert(
        "peaks",
        {
            "site": ["mytho"] * 2,
            "day": [TODAY, TODAY],
            "online": [30, 40],
            "at": [clock.ms - 9000, clock.ms - 3_600_000],
        },
    )
    answer = await numbers(client)
    assert answer["online"] == 12
    assert answer["peak"] == {"online": 40, "at": "2024-01-03T11:00:00+07:00"}

    await redis.hset(keys.ONLINE, "mytho", f"12:{clock.ms - 16_000}")
    assert (await numbers(client, clock))["online"] == 0


async def test_a_total_that_the_store_has_lost_does_not_go_down(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 100)
    await write_counter(store, "mytho", "day", TODAY, 5)
    assert (await numbers(client))["total"] == 100

    await store.execute("TRUNCATE TABLE counters")
    await write_counter(store, "mytho", "total", EPOCH, 60)
    await write_counter(store, "mytho", "month", date(2024, 1, 1), 1)  # shows that it was read

    answer = await numbers(client, clock)
    assert (answer["total"], answer["today"], answer["this_month"]) == (100, 5, 1)


async def test_an_unchanged_answer_is_304_for_who_holds_it(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    first = await client.get(COUNTER, params={"path": "/a"})
    assert first.headers["cache-control"] == "public, max-age=1, stale-while-revalidate=30"
    assert first.headers["access-control-allow-origin"] == "*"

    clock.now += 5
    held = {"If-None-Match": f'"other", {first.headers["etag"]}'}
    again = await client.get(COUNTER, params={"path": "/a"}, headers=held)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]

    await write_counter(store, "mytho", "total", EPOCH, 0, views=1, path="/a")
    clock.now += 1
    again = await client.get(COUNTER, params={"path": "/a"}, headers=held)
    assert again.json()["paths"] == {"/a": {"views": 1, "today": 0}}


@pytest.mark.parametrize(
    ("address", "status", "field"),
    [
        ("/api/counter/nobody", 404, "site"),
        ("/api/counter/%00", 404, "site"),
        ("/api/counter/%FF%FE", 404, "site"),
        ("/api/counter/", 404, "request"),
        ("/api/counter/mytho/more", 404, "request"),
        (f"{COUNTER}?metric=clicks", 400, "metric"),
        (f"{COUNTER}?metric=", 400, "metric"),
        (f"{COUNTER}?path=", 400, "path"),
        (f"{COUNTER}?path=a", 400, "path"),
        (f"{COUNTER}?path=/a%00b", 400, "path"),
        (f"{COUNTER}?path=/%FF", 400, "query"),
        (f"{COUNTER}?path=/{'x' * 2048}", 400, "path"),
        (f"{COUNTER}?{'&'.join(f'path=/{n}' for n in range(101))}", 400, "path"),
        (f"{COUNTER}?{'&'.join(f'a{n}=' for n in range(500))}", 400, "query"),
        (f"{COUNTER}?a={'x' * 40_000}", 414, "query"),
    ],
)
async def test_bad_input_is_refused_in_one_shape(
    client: httpx.AsyncClient, address: str, status: int, field: str
) -> None:
    answer = await client.get(address)

    assert answer.status_code == status
    assert list(answer.json()) == ["errors"]
    assert [type(messages) for messages in answer.json()["errors"].values()] == [list]
    assert list(answer.json()["errors"]) == [field]
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_head_options_and_post(client: httpx.AsyncClient) -> None:
    head = await client.head(COUNTER)
    assert (head.status_code, head.content) == (200, b"")
    assert (await client.options(COUNTER)).status_code == 204
    post = await client.post(COUNTER)
    assert post.status_code == 405
    assert list(post.json()) == ["errors"]
    assert "GET" in post.headers["allow"]


@pytest.mark.parametrize("address", ["/counter.js", "/v1/counter.js"])
async def test_the_script_is_cacheable_and_may_be_embedded_anywhere(
    client: httpx.AsyncClient, address: str
) -> None:
    plain = await client.get(address, headers={"Accept-Encoding": "identity"})
    packed = await client.get(address, headers={"Accept-Encoding": "gzip, br"})

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert plain.headers["cross-origin-resource-policy"] == "cross-origin"
    assert plain.headers["x-content-type-options"] == "nosniff"
    assert plain.headers["cache-control"].startswith("public, max-age=3600")
    assert plain.headers["etag"] != packed.headers["etag"]
    for answer, accepted in ((plain, "identity"), (packed, "gzip")):
        held = {"If-None-Match": answer.headers["etag"], "Accept-Encoding": accepted}
        assert (await client.get(address, headers=held)).status_code == 304


async def test_a_site_is_created_edited_and_removed_and_ingest_hears_of_it(
    client: httpx.AsyncClient, store: Store, redis: Redis
) -> None:
    async def published() -> dict[str, Site]:
        found = await redis.hgetall(keys.SITES)
        decoded = [msgspec.json.decode(body, type=Site) for body in found.values()]
        return {site.slug: site for site in decoded}

    new = {"slug": "danang", "name": "Đà Nẵng", "hosts": ["danang.example"], "metric": "views"}
    created = await client.post("/api/admin/sites", json=new, headers=ADMIN)
    assert created.status_code == 201
    assert (await published())["danang"].hosts == ("danang.example",)
    assert (await client.get("/api/counter/danang")).json()["metric"] == "views"
    again = await client.post("/api/admin/sites", json=new, headers=ADMIN)
    assert (again.status_code, list(again.json()["errors"])) == (409, ["slug"])

    change = {"timezone": "Asia/Tokyo"}
    edited = await client.patch("/api/admin/sites/danang", json=change, headers=ADMIN)
    assert edited.json() == {**created.json(), **change}
    assert (await published())["danang"].timezone == "Asia/Tokyo"
    listed = (await client.get("/api/admin/sites", headers=ADMIN)).json()["sites"]
    assert [site["slug"] for site in listed] == ["danang", "mytho"]
    assert listed[0] == (await client.get("/api/admin/sites/danang", headers=ADMIN)).json()
    assert {site.slug for site in await sites.load(store)} == {"danang", "mytho"}

    removed = await client.delete("/api/admin/sites/danang", headers=ADMIN)
    assert (removed.status_code, removed.content) == (204, b"")
    assert list(await published()) == ["mytho"]
    assert (await client.get("/api/counter/danang")).status_code == 404
    assert (await client.delete("/api/admin/sites/danang", headers=ADMIN)).status_code == 404
    assert [site.slug for site in await sites.load(store)] == ["mytho"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b'{"slug": "\xff"}', "request"),
        (b"[]", "body"),
        (b"{}", "slug"),
        (b'{"slug": "Upper Case"}', "slug"),
        (b'{"slug": "line\\n"}', "slug"),
        (b'{"slug": "x", "colour": "red"}', "colour"),
        (b'{"slug": "x", "name": "a\\u0000b"}', "name"),
        (b'{"slug": "x", "name": 7}', "name"),
        (b'{"slug": "x", "timezone": "Asia/Atlantis"}', "timezone"),
        (b'{"slug": "x", "timezone": "../../etc/passwd"}', "timezone"),
        (b'{"slug": "x", "hosts": ["http://a.example/"]}', "hosts"),
        (b'{"slug": "x", "hosts": [3]}', "hosts.0"),
        (b'{"slug": "x", "metric": "clicks"}', "metric"),
        (b'{"slug": "x", "significant": ["a b"]}', "significant"),
        (b'{"slug": "x", "honour_dnt": null}', "honour_dnt"),
    ],
)
async def test_a_bad_field_of_a_site_is_named(
    client: httpx.AsyncClient, body: bytes, field: str
) -> None:
    headers = ADMIN | {"Content-Type": "application/json"}
    answer = await client.post("/api/admin/sites", content=body, headers=headers)

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field]
    assert [
        site["slug"]
        for site in (await client.get("/api/admin/sites", headers=ADMIN)).json()["sites"]
    ] == ["mytho"]


async def test_strangers_are_turned_away_before_their_body_is_read(
    client: httpx.AsyncClient,
) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = await client.post("/api/admin/sites", content=b"{", headers=headers)
        assert (answer.status_code, list(answer.json()["errors"])) == (401, ["authorization"])
        assert answer.headers["www-authenticate"] == "Bearer"
    odd = await client.get("/api/admin/sites", headers={b"Authorization": b"Bearer \xff"})
    assert odd.status_code == 401
    huge = await client.post("/api/admin/sites", content=b" " * 70_000, headers=ADMIN)
    assert (huge.status_code, list(huge.json())) == (413, ["errors"])


async def test_without_an_admin_token_nobody_administers(store: Store, redis: Redis) -> None:
    api = Api(ApiSettings.read({}), store=store, redis=redis)
    await api.start()
    async with serving(api.asgi) as client:
        answer = await client.get("/api/admin/sites", headers=ADMIN)
    await api.stop()

    assert (answer.status_code, list(answer.json()["errors"])) == (403, ["authorization"])


async def test_the_api_describes_itself_without_anything_from_elsewhere(
    client: httpx.AsyncClient,
) -> None:
    described = (await client.get("/openapi.json")).json()
    page = await client.get("/docs")

    assert list(described["paths"]) == [
        "/api/counter/{site}",
        "/api/admin/sites",
        "/api/admin/sites/{slug}",
    ]
    for path, methods in described["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in page.text
    assert "http" not in page.text.replace("Authorization", "")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert described["paths"]["/api/admin/sites"]["post"]["security"]
    assert "422" not in str(described)


async def test_health_and_metrics(api: Api, client: httpx.AsyncClient) -> None:
    await client.get(COUNTER)

    assert (await client.get("/healthz")).status_code == 200
    assert (await client.get("/readyz")).json() == {"status": "ok"}
    exposed = (await client.get("/metrics")).text
    assert 'luot_request_seconds_count{code="200",method="GET",route="counter"}' in exposed
    assert "luot_counter_cache_total" in exposed


async def test_a_redis_that_was_wiped_is_told_the_sites_again(api: Api, redis: Redis) -> None:
    await redis.flushall()
    await redis.hset(keys.SITES, "gone", "{}")

    await api.registry.refresh()

    assert await redis.hkeys(keys.SITES) == [b"mytho"]
