"""The most read pages, from both kinds of store."""

from datetime import date, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from services.api.app import Api
from services.model.calendar import EPOCH
from services.store.interface import Store
from tests.integration.test_api.world import EITHER_STORE, SITE, Clock, write_counter

TODAY = date(2024, 1, 3)
TOP = "/api/top/mytho"

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]


async def publish(api: Api) -> None:
    await api.registry.save(msgspec.structs.replace(SITE, public_top=True))


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
        "pages": [{"path": "/today", "views": 5}],
    }


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
    await api.registry.save(SITE)
    assert (await client.get(TOP)).status_code == 403
    assert (await client.get("/api/top/nobody")).status_code == 404


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
