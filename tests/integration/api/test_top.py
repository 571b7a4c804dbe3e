"""The most read pages, from both kinds of store."""

import time
from datetime import date, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from services.api.app import Api
from services.model.calendar import EPOCH
from services.store.interface import Store
from tests.integration.api import changes
from tests.integration.api.people import ADMIN, audit
from tests.integration.api.taken_back import at, count, view
from tests.integration.api.world import EITHER_STORE, SITE, Clock, write_counter
from tests.patience import PATIENCE_SECONDS

TODAY = date(2024, 1, 3)
TOP = "/api/top/mytho"
ADMIN_SITE = "/api/admin/sites/mytho"

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]


async def publish(api: Api, **settings: Any) -> None:
    settings = {"top_min_visitors": 0, **settings}
    await changes.save(api, msgspec.structs.replace(SITE, public_top=True, **settings))


async def views(store: Store, day: date, path: str, count: int, position: int = 1) -> None:
    await write_counter(store, "mytho", "day", day, 0, views=count, path=path, position=position)


async def pages(client: httpx.AsyncClient, **query: Any) -> list[tuple[str, int]]:
    answer = await client.get(TOP, params=query)
    assert answer.status_code == 200, answer.text
    return [(page["path"], page["views"]) for page in answer.json()["pages"]]


async def test_pages_are_ordered_by_their_views_on_the_sites_own_days(
    api: Api, client: httpx.AsyncClient, store: Store
) -> None:
    await publish(api)
    await views(store, TODAY, "/today", 5)
    await views(store, TODAY, "/both", 2)
    await views(store, TODAY - timedelta(6), "/both", 4)
    await views(store, TODAY - timedelta(7), "/both", 100)
    await views(store, TODAY - timedelta(29), "/old", 1)
    await views(store, TODAY - timedelta(30), "/old", 1000)
    await views(store, TODAY, "", 107)
    await views(store, TODAY, "(other)", 99)
    await write_counter(store, "mytho", "month", date(2024, 1, 1), 0, views=9, path="/month")
    await write_counter(store, "mytho", "total", EPOCH, 0, views=9, path="/total")
    await write_counter(store, "danang", "day", TODAY, 0, views=9, path="/elsewhere")

    assert await pages(client, period="today") == [("/today", 5), ("/both", 2)]
    assert await pages(client) == [("/both", 6), ("/today", 5)]
    assert await pages(client, period="30d") == [("/both", 106), ("/today", 5), ("/old", 1)]
    assert await pages(client, period="30d", limit=1) == [("/both", 106)]
    answer = (await client.get(TOP, params={"period": "today", "limit": 1})).json()
    assert answer == {
        "site": "mytho",
        "as_of": "2024-01-03T12:00:00+07:00",
        "period": "today",
        "stale": False,
        "host": "mytho.example",
        "hash_routes": False,
        "pages": [{"path": "/today", "views": 5}],
        "min_visitors": 0,
        "withheld": 0,
    }


async def test_the_list_says_where_its_pages_are(api: Api, client: httpx.AsyncClient) -> None:
    for hosts, host in (
        (("*.mytho.example", "www.mytho.example", "mytho.example"), "www.mytho.example"),
        (("*.mytho.example",), ""),
        (("*",), ""),
        ((), ""),
    ):
        await publish(api, hosts=hosts, hash_routes=True)
        answer = (await client.get(TOP)).json()
        assert (answer["host"], answer["hash_routes"]) == (host, True)


async def test_the_newest_row_of_a_page_counts_and_is_seen_within_15_seconds(
    api: Api, client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await publish(api)
    await views(store, TODAY, "/a", 9, position=20)
    await views(store, TODAY, "/a", 5, position=10)
    await views(store, TODAY, "/b", 9)
    first = await client.get(TOP)
    assert [page["views"] for page in first.json()["pages"]] == [9, 9]
    held = {"If-None-Match": first.headers["etag"]}
    assert (await client.get(TOP, headers=held)).status_code == 304

    await views(store, TODAY, "/b", 10, position=30)
    clock.now += 14
    assert await pages(client) == [("/a", 9), ("/b", 9)]
    clock.now += 1
    assert await pages(client) == [("/b", 10), ("/a", 9)]
    assert (await client.get(TOP, headers=held)).status_code == 200


async def test_only_a_site_that_allows_it_tells_its_pages(
    api: Api, client: httpx.AsyncClient
) -> None:
    refused = await client.get(TOP)
    assert (refused.status_code, list(refused.json()["errors"])) == (403, ["site"])
    await publish(api)
    assert await pages(client) == []
    await changes.save(api, SITE)
    assert (await client.get(TOP)).status_code == 403
    assert (await client.get("/api/top/nobody")).status_code == 404


async def test_a_page_needs_some_visitors_however_many_views_it_has(
    api: Api, client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await publish(api, top_min_visitors=3)
    flood = [view("/mot-cau-cua-nguoi-la", at("09:00") + n, 1 + n % 2) for n in range(200)]
    read = [view("/tin-tuc/1", at("08:00") + n * 60_000, 10 + n) for n in range(3)]
    rare = [view("/it-nguoi-doc", at("08:30") + n, 20 + n) for n in range(2)]
    await count(store, [*flood, *read, *rare])

    answer = (await client.get(TOP)).json()
    assert [page["path"] for page in answer["pages"]] == ["/tin-tuc/1"]
    assert (answer["min_visitors"], answer["withheld"]) == (3, 2), "it says what is left out"

    await publish(api, top_min_visitors=2)
    assert [path for path, _ in await pages(client)] == [
        "/mot-cau-cua-nguoi-la",
        "/tin-tuc/1",
        "/it-nguoi-doc",
    ]
    await publish(api, views_only=True, top_min_visitors=100)
    answer = (await client.get(TOP)).json()
    assert (len(answer["pages"]), answer["min_visitors"]) == (3, 0), "nobody is recognised there"


async def test_a_new_reader_brings_a_page_into_the_list_within_a_minute_or_so(
    api: Api, client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await publish(api, top_min_visitors=3)
    await count(store, [view("/moi", at("08:00") + n, n % 2 + 1) for n in range(3)])
    assert await pages(client) == []

    await count(store, [view("/moi", at("08:00") + 9, 3)])
    clock.now += 76
    deadline = time.monotonic() + PATIENCE_SECONDS
    # On a busy machine the first reading may be late.
    while (found := await pages(client)) != [("/moi", 4)]:
        assert time.monotonic() < deadline, found
        clock.now += 1


async def test_views_whose_raw_hits_are_gone_are_not_held_against_a_page(
    api: Api, client: httpx.AsyncClient, store: Store
) -> None:
    await publish(api, top_min_visitors=3)
    await views(store, TODAY, "/cu", 3)
    await views(store, TODAY, "/cu/2", 2)
    assert await pages(client) == [("/cu", 3)]


async def test_a_hidden_page_leaves_every_public_list_at_once_and_comes_back(
    api: Api, client: httpx.AsyncClient, store: Store
) -> None:
    hits = [
        view(path, at("08:00") + n, n + 1)
        for n, path in enumerate(["/a", "/a/1", "/a%25_1", "/ab", "/b", "/b"])
    ]
    await count(store, hits)
    await publish(api, public_dashboard=True)
    assert {path for path, _ in await pages(client)} == {"/a", "/a/1", "/a%25_1", "/ab", "/b"}

    for hidden, left in (
        (["/a"], {"/a/1", "/a%25_1", "/ab", "/b"}),
        (["/a/*", "/b"], {"/a", "/a%25_1", "/ab"}),
        (["/a%_*"], {"/a", "/a/1", "/ab", "/b"}),
        (["/a*"], {"/b"}),
        (["/*"], set()),
    ):
        edited = await client.patch(
            "/api/admin/sites/mytho", json={"hidden_pages": hidden}, headers=ADMIN
        )
        assert edited.status_code == 200, edited.text
        assert {path for path, _ in await pages(client)} == left
        query = {"site_id": "mytho", "property": "event:page", "metrics": "pageviews"}
        public = await client.get("/api/v1/stats/breakdown", params=query)
        assert {row["page"] for row in public.json()["results"]} == left
        theirs = await client.get("/api/v1/stats/breakdown", params=query, headers=ADMIN)
        assert len(theirs.json()["results"]) == 5, "whoever runs the site sees what it hides"
        html = {"accept": "text/html"}
        page = await client.get("/admin/sites/mytho", headers=html)
        assert (">/b<" in page.text) == ("/b" in left)
        rows = (await client.get("/admin/sites/mytho/csv/page", headers=html)).text
        assert ('"/b",' in rows) == ("/b" in left)

    await client.patch("/api/admin/sites/mytho", json={"hidden_pages": []}, headers=ADMIN)
    assert len(await pages(client)) == 5
    assert [e["after"]["hidden_pages"] for e in await audit(client, site="mytho")][:2] == [
        [],
        ["/*"],
    ]


@pytest.mark.parametrize("page", ["tin-tuc", "", "*", "/a*b", "https://mytho.example/a"])
async def test_a_page_that_is_no_path_is_not_hidden(
    api: Api, client: httpx.AsyncClient, page: str
) -> None:
    refused = await client.patch(
        "/api/admin/sites/mytho", json={"hidden_pages": [page]}, headers=ADMIN
    )
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["hidden_pages"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("period=1d", "period"),
        ("period=", "period"),
        ("limit=0", "limit"),
        ("limit=51", "limit"),
        ("limit=ten", "limit"),
        ("limit=-1", "limit"),
        ("limit=%D9%A3", "limit"),
        ("period=%FF", "query"),
    ],
)
async def test_a_bad_question_is_refused_by_its_field(
    api: Api, client: httpx.AsyncClient, query: str, field: str
) -> None:
    await publish(api)
    refused = await client.get(f"{TOP}?{query}")
    assert (refused.status_code, list(refused.json()["errors"])) == (400, [field])
    assert refused.headers["access-control-allow-origin"] == "*"


async def test_opening_balances_of_pages_are_in_the_lists(
    api: Api, client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await publish(api)
    await views(store, TODAY, "/moi", 5)
    await write_counter(store, "mytho", "total", EPOCH, 0, views=60, path="/moi")
    await write_counter(store, "mytho", "total", EPOCH, 0, views=900, path="")
    table = "path,period,views\n/cu,total,445\n/moi,total,40\n/cu,2024-01-02,8\n/an,total,7000\n"
    query = {"id": "old", "reason": "DNN"}
    bulk = f"{ADMIN_SITE}/balances/bulk"
    entered = await client.post(bulk, params=query, content=table.encode(), headers=ADMIN)
    assert entered.status_code == 201, entered.text

    whole = [("/an", 7000), ("/cu", 445), ("/moi", 100)]
    assert await pages(client, period="all") == whole
    assert await pages(client, period="7d") == [("/cu", 8), ("/moi", 5)]
    assert await pages(client, period="today") == [("/moi", 5)]
    # What a portal brought along has no visitors that anybody could count, and is public as it is.
    await publish(api, top_min_visitors=3, hidden_pages=("/an",))
    assert await pages(client, period="all") == whole[1:]

    back = await client.post(f"{bulk}/old/reverse", json={"reason": "x"}, headers=ADMIN)
    assert back.status_code == 200
    clock.now += 16
    assert await pages(client, period="all") == [("/moi", 60)]
