"""Badge, page and text over HTTP: caching, every option in the key, and the store away."""

from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import httpx
import msgspec
import pytest

from services.api.app import Api
from services.model.calendar import EPOCH
from services.model.display import Display, Lang
from services.store.interface import Store
from services.store.migrations import migrate
from services.store.open import open_store
from services.store.records import sites
from tests.integration.api import changes
from tests.integration.api.world import SITE, Clock, opened, write_balance, write_counter
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.redis import RedisServer

SVG = "/counter/mytho.svg"
HTML = "/counter/mytho.html"
TXT = "/counter/mytho.txt"
TODAY = date(2024, 1, 3)
EACH = pytest.mark.parametrize(
    ("address", "media_type"),
    [
        (SVG, "image/svg+xml"),
        (HTML, "text/html; charset=utf-8"),
        (TXT, "text/plain; charset=utf-8"),
    ],
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_text_has_one_number_a_line(client: httpx.AsyncClient, store: Store) -> None:
    await write_counter(store, "mytho", "day", TODAY, 6325)
    await write_balance(store, "mytho", "old", "total", EPOCH, 8307145)
    await write_counter(store, "mytho", "total", EPOCH, 0, views=445, path="/tin/1")

    asked = await client.get(TXT, params={"lines": "today,total", "digits": 11})
    assert asked.text == "00008307145\nHôm nay: 6.325\nTổng lượt truy cập: 8.307.145\n"
    page = await client.get(TXT, params={"path": "/tin/1/index.html"})
    assert page.text == "Lượt xem: 445\n"
    assert (await client.get(TXT, params={"path": "/tin/1", "lang": "en"})).text == "Views: 445\n"


@EACH
async def test_it_may_be_embedded_anywhere_and_is_cached_like_the_numbers(
    client: httpx.AsyncClient, store: Store, clock: Clock, address: str, media_type: str
) -> None:
    first = await client.get(address)
    assert (first.status_code, first.headers["content-type"]) == (200, media_type)
    numbers = await client.get("/api/counter/mytho")
    for name in (
        "cache-control",
        "access-control-allow-origin",
        "cross-origin-resource-policy",
        "x-content-type-options",
    ):
        assert first.headers[name] == numbers.headers[name]
    assert "x-frame-options" not in first.headers
    assert "set-cookie" not in first.headers

    clock.now += 5
    held = {"If-None-Match": first.headers["etag"]}
    again = await client.get(address, headers=held)
    assert (again.status_code, again.content) == (304, b"")
    head = await client.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == first.headers["content-length"]
    assert (await client.options(address)).status_code == 204
    assert (await client.post(address)).status_code == 405

    await write_counter(store, "mytho", "day", TODAY, 1)
    clock.now += 2
    changed = await client.get(address, headers=held)
    assert (changed.status_code, changed.headers["etag"] != first.headers["etag"]) == (200, True)


@EACH
async def test_no_option_of_one_reader_is_served_to_another(
    client: httpx.AsyncClient, store: Store, address: str, media_type: str
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 1000, views=2000)
    queries = [
        "",
        "?lines=total",
        "?lines=total,today",
        "?lang=en",
        "?metric=views",
        "?digits=8",
        "?digits=9",
        "?format=plain",
        "?format=comma",
        "?heading=A",
        "?heading=B",
        "?label-total=A",
        "?label-total=B",
        "?path=/a",
        "?path=/a&lang=en",
    ]
    if address != TXT:
        queries += ["?theme=dark", "?theme=auto", "?preset=dnn", "?preset=joomla", "?heading="]
    drawn = [(await client.get(address + query)).text for query in queries]
    again = [(await client.get(address + query)).text for query in reversed(queries)]

    assert len(set(drawn)) == len(queries)
    assert again == drawn[::-1]


async def test_the_sites_own_settings_are_where_the_address_says_nothing(
    api: Api, client: httpx.AsyncClient, store: Store
) -> None:
    await write_counter(store, "mytho", "total", EPOCH, 7)
    display = Display(lang=Lang.EN, digits=3, lines=())
    await changes.save(api, msgspec.structs.replace(SITE, display=display))

    assert (await client.get(TXT)).text == "007\n"
    assert (await client.get(f"{TXT}?lines=total")).text == "007\nTotal: 7\n"
    assert (await client.get(f"{TXT}?digits=0&lines=total&lang=vi")).text == (
        "Tổng lượt truy cập: 7\n"
    )


@EACH
async def test_the_last_good_numbers_are_drawn_while_the_store_is_away(
    tmp_path: Path, redis_server: RedisServer, clock: Clock, address: str, media_type: str
) -> None:
    with ClickHouseServer(tmp_path / "clickhouse") as server:
        store = open_store(server.url)
        await migrate(store)
        await sites.save(store, SITE, 1)
        await write_counter(store, "mytho", "total", EPOCH, 907035, views=445, path="")
        await write_counter(store, "mytho", "total", EPOCH, 0, views=762, path="/a")
        await store.close()
        async with opened(server.url, redis_server.url, clock) as client:
            good = await client.get(address)
            page = await client.get(f"{address}?path=/a")
            assert (good.status_code, "907.035" in good.text, "762" in page.text) == (
                200,
                True,
                True,
            )
            server.kill()
            clock.now += 60

            away = await client.get(address)
            assert (away.status_code, away.headers["content-type"]) == (200, media_type)
            assert away.text == good.text
            assert (await client.get(f"{address}?path=/a")).text == page.text
            other = await client.get(f"{address}?lines=total&format=comma")
            assert "907,035" in other.text
            held = {"If-None-Match": good.headers["etag"]}
            assert (await client.get(address, headers=held)).status_code == 304
            # What was never read cannot be drawn, and a made-up zero would be a lie.
            for unread in ("?metric=visitors", "?path=/b"):
                refused = await client.get(address + unread)
                assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
                assert list(refused.json()["errors"]) == ["store"]


@EACH
@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("?colour=red", 400, "'colour'"),
        ("?lang=fr", 400, "lang"),
        ("?lines=noon", 400, "lines"),
        ("?path=x", 400, "path"),
        ("?heading=%FF", 400, "query"),
        (f"?heading={'x' * 40_000}", 414, "query"),
    ],
)
async def test_an_option_that_is_wrong_is_refused_in_the_one_shape(
    client: httpx.AsyncClient, address: str, media_type: str, query: str, status: int, field: str
) -> None:
    refused = await client.get(address + query)
    assert (refused.status_code, list(refused.json()["errors"])) == (status, [field])
    assert refused.headers["access-control-allow-origin"] == "*"


async def test_what_is_no_site_or_no_kind_is_not_found(client: httpx.AsyncClient) -> None:
    for address in ("/counter/nobody.svg", "/counter/mytho.png", "/counter/mytho", "/counter/.svg"):
        assert (await client.get(address)).status_code == 404


async def test_a_site_may_have_a_dot_in_its_name(api: Api, client: httpx.AsyncClient) -> None:
    await changes.save(api, msgspec.structs.replace(SITE, slug="danang.svg", kept_as="danang.svg"))
    assert (await client.get("/counter/danang.svg.svg")).status_code == 200
    assert (await client.get("/counter/danang.svg")).status_code == 404


async def test_a_badge_and_a_page_allow_nothing_but_their_own_style(
    client: httpx.AsyncClient,
) -> None:
    for address in (SVG, HTML):
        policy = (await client.get(address)).headers["content-security-policy"]
        assert "default-src 'none'; style-src 'sha256-" in policy
        assert "frame-ancestors *" in policy
        assert "unsafe" not in policy
    image = (await client.get(f"{SVG}?heading=%3C/style%3E%26")).text
    assert ElementTree.fromstring(image).findtext(".//{*}title") == "</style>&"
