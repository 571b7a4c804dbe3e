"""Administration of sites, and how ingest hears of it."""

import asyncio
from datetime import date, datetime
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.model.display import Display
from services.model.site import Site
from services.state import keys
from services.state.sites import PublishedSites
from services.state.state import State
from services.store.interface import Store
from services.store.records import sites
from tests.integration.api.world import HANOI, SITE, TOKEN, Clock, serving, write_counter

AHEAD, BEHIND = "Pacific/Kiritimati", "Pacific/Pago_Pago"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}

pytestmark = pytest.mark.asyncio(loop_scope="module")


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


async def test_a_host_is_kept_as_browsers_send_it_however_it_was_typed(
    client: httpx.AsyncClient,
) -> None:
    typed = ["MyTho.Example:8080", "Mỹtho.vn.", "*.MỸTHO.vn:443", "mytho.example", "a\u202eb.vn"]
    folded = ["mytho.example", "xn--mtho-q35a.vn", "*.xn--mtho-q35a.vn", "ab.vn"]
    new = {"slug": "idn", "hosts": typed}
    created = await client.post("/api/admin/sites", json=new, headers=ADMIN)
    assert (created.status_code, created.json()["hosts"]) == (201, folded)
    edited = await client.patch(
        "/api/admin/sites/idn", json={"hosts": ["Mỹtho.vn:80"]}, headers=ADMIN
    )
    assert edited.json()["hosts"] == folded[1:2]
    for bad in ("-mỹ.vn", "mỹ tho.vn", ":80", "a.example:port"):
        answer = await client.patch("/api/admin/sites/idn", json={"hosts": [bad]}, headers=ADMIN)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["hosts"]), bad
    assert (await client.delete("/api/admin/sites/idn", headers=ADMIN)).status_code == 204


async def test_another_time_zone_is_told_before_and_lowers_no_number(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    clock.now = datetime(2024, 1, 31, 23, 0, tzinfo=HANOI).timestamp()  # 1 February in Tokyo
    for grain, start in (
        ("day", date(2024, 1, 31)),
        ("month", date(2024, 1, 1)),
        ("year", date(2024, 1, 1)),
    ):
        await write_counter(store, "mytho", grain, start, 10)

    async def shown() -> tuple[int, int, int, str]:
        clock.now += 1
        numbers = (await client.get("/api/counter/mytho")).json()
        names = ("today", "yesterday", "this_month", "timezone")
        one, two, three, four = (numbers[name] for name in names)
        return one, two, three, four

    path = "/api/admin/sites/mytho"
    before = await shown()
    assert before == (10, 0, 10, "Asia/Ho_Chi_Minh")
    told = await client.get(f"{path}/timezone", params={"to": "Asia/Tokyo"}, headers=ADMIN)
    text = told.json()["text"]
    assert "at 2024-02-02T00:00:00+09:00" in text
    assert "the day 2024-02-01 has 22 hours" in text
    change = {"timezone": "Asia/Tokyo"}
    edited = (await client.patch(path, json=change, headers=ADMIN)).json()
    assert (edited["timezone"], edited["timezone_before"]) == ("Asia/Tokyo", "Asia/Ho_Chi_Minh")
    assert edited["timezone_from"] == told.json()["timezone_from"]
    assert await shown() == before

    clock.now = datetime(2024, 2, 1, 0, 0, tzinfo=HANOI).timestamp()
    assert await shown() == (0, 10, 0, "Asia/Ho_Chi_Minh")
    await write_counter(store, "mytho", "day", date(2024, 2, 1), 4)
    clock.now = datetime(2024, 2, 1, 21, 59, tzinfo=HANOI).timestamp()
    assert (await shown())[0] == 4
    clock.now = datetime(2024, 2, 1, 22, 0, tzinfo=HANOI).timestamp()
    today, yesterday, _, zone = await shown()
    assert (today, yesterday, zone) == (0, 4, "Asia/Tokyo")

    # The same again changes nothing, and one that is no zone is refused before anything is said.
    again = await client.patch(path, json=change, headers=ADMIN)
    assert again.json() == edited
    wrong = await client.get(f"{path}/timezone", params={"to": "Asia/Atlantis"}, headers=ADMIN)
    assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["timezone"])


@pytest.mark.parametrize(
    ("zone", "other", "says"),
    [
        (AHEAD, BEHIND, "has 49 hours, the day after it 24"),
        (BEHIND, AHEAD, "has 11 hours, the day after it 12"),
    ],
)
async def test_a_time_zone_more_than_a_day_away_lowers_no_number_either(
    client: httpx.AsyncClient, store: Store, clock: Clock, zone: str, other: str, says: str
) -> None:
    path = "/api/admin/sites/mytho"
    hour = datetime(2024, 5, 14, 10, 30, tzinfo=ZoneInfo(zone))
    clock.now = hour.timestamp()
    first = await client.patch(path, json={"timezone": zone}, headers=ADMIN)
    assert "timezone_from" not in first.json()
    for grain, month in (("year", 1), ("month", 5)):
        await write_counter(store, "mytho", grain, date(2024, month, 1), 1000)
    for day in range(12, 20):
        await write_counter(store, "mytho", "day", date(2024, 5, day), day)
    told = await client.get(f"{path}/timezone", params={"to": other}, headers=ADMIN)
    assert says in told.json()["text"]
    assert (await client.patch(path, json={"timezone": other}, headers=ADMIN)).status_code == 200

    # More readers came on each day than on the day before, so no number may fall.
    shown, refused = [], 0
    for _ in range(100):
        numbers = (await client.get("/api/counter/mytho")).json()
        shown.append((numbers["today"], numbers["yesterday"]))
        back = await client.get(f"{path}/timezone", params={"to": "UTC"}, headers=ADMIN)
        refused += back.status_code == 409
        clock.now += 3600
    assert shown[0] == (14, 13)
    assert list(dict.fromkeys(shown)) == [(day, day - 1) for day in range(14, shown[-1][0] + 1)]
    assert shown == sorted(shown)
    assert shown[-1][0] >= 17
    # Until the other zone has caught up with the day, a further change would turn it back.
    assert refused == (24 if zone == AHEAD else 0)


async def test_who_adds_a_site_hears_when_ingest_counts_it(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    async def status(slug: str, wait: float = 0) -> dict[str, object]:
        path = f"/api/admin/sites/{slug}/ingest"
        answer = await client.get(path, params={"wait": wait}, headers=ADMIN)
        body: dict[str, object] = answer.json()
        return body

    assert (await status("mytho", wait=9))["missing"] == (
        "no ingest process runs on this Redis, so no hit is taken"
    )
    published = PublishedSites(State(redis))
    before = await published.read()
    for reader in ("one", "two"):
        await published.acknowledge(reader, before)
    assert await status("mytho") == {"processes": 2, "knowing": 2, "counts": True, "missing": None}
    new = {"slug": "danang", "hosts": ["danang.example"]}
    assert (await client.post("/api/admin/sites", json=new, headers=ADMIN)).status_code == 201
    await published.acknowledge("one", await published.read())
    assert (await status("danang", wait=0.2))["missing"] == (
        "1 of 2 ingest processes have not read the change yet"
    )
    waiting = asyncio.create_task(status("danang", wait=9))
    await asyncio.sleep(0)
    await published.acknowledge("two", await published.read())
    assert (await waiting)["counts"] is True
    await client.patch("/api/admin/sites/danang", json={"hosts": []}, headers=ADMIN)
    for reader in ("one", "two"):
        await published.acknowledge(reader, await published.read())
    assert (await status("danang"))["missing"] == (
        "the site has no host, so hits of every host are refused"
    )
    await client.delete("/api/admin/sites/danang", headers=ADMIN)


async def test_the_display_of_a_site_is_changed_option_by_option_and_is_in_its_numbers(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    async def change(display: object) -> object:
        body = {"display": display}
        answer = await client.patch("/api/admin/sites/mytho", json=body, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        clock.now += 1
        shown = (await client.get("/api/counter/mytho")).json().get("display", {})
        assert shown == answer.json()["display"]
        return shown

    assert "display" not in (await client.get("/api/counter/mytho")).json()
    labels = {"online": "Đang truy cập "}
    assert await change({"lang": "vi", "digits": 11}) == {"lang": "vi", "digits": 11}
    assert await change({"lines": ["total", "today"], "labels": labels}) == {
        "lines": ["total", "today"],
        "lang": "vi",
        "digits": 11,
        "labels": labels,
    }
    assert await change({"lines": [], "lang": None, "labels": None, "heading": ""}) == {
        "lines": [],
        "digits": 11,
        "heading": "",
    }
    assert await sites.load(store) == [
        msgspec.structs.replace(SITE, display=Display(lines=(), digits=11, heading=""))
    ]
    name = await client.patch("/api/admin/sites/mytho", json={"name": "x"}, headers=ADMIN)
    assert name.json()["display"] == {"lines": [], "digits": 11, "heading": ""}
    assert await change(None) == {}


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
        (b'{"slug": "x", "display": {"colour": "red"}}', "display.colour"),
        (b'{"slug": "x", "display": {"lang": "fr"}}', "display.lang"),
        (b'{"slug": "x", "display": {"digits": 21}}', "display.digits"),
        (b'{"slug": "x", "display": {"digits": true}}', "display.digits"),
        (b'{"slug": "x", "display": {"lines": ["noon"]}}', "display.lines.0"),
        (b'{"slug": "x", "display": {"lines": ["today", "today"]}}', "display.lines"),
        (b'{"slug": "x", "display": {"heading": "a\\nb"}}', "display.heading"),
        (b'{"slug": "x", "display": {"heading": "a\\ud800"}}', "display.heading"),
        (b'{"slug": "x", "display": {"labels": {"online": "\\u0000"}}}', "display.labels"),
        (b'{"slug": "x", "views_only": "yes"}', "views_only"),
        (b'{"slug": "x", "public_top": 1}', "public_top"),
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
    api = Api(ApiSettings.read({}), store=store, state=State(redis))
    await api.start()
    async with serving(api.asgi) as client:
        answer = await client.get("/api/admin/sites", headers=ADMIN)
    await api.stop()

    assert (answer.status_code, list(answer.json()["errors"])) == (403, ["authorization"])


async def test_a_redis_that_was_wiped_is_told_the_sites_again(api: Api, redis: Redis) -> None:
    await redis.flushall()
    await redis.hset(keys.SITES, "gone", "{}")

    await api.registry.refresh()

    assert await redis.hkeys(keys.SITES) == [b"mytho"]


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"Bearer",
        b"Bearer\t" + TOKEN.encode(),
        b"Bearer " + TOKEN.encode()[:-1],
        b"Bearer " + TOKEN.encode() + b"x",
        b"Bearer " + TOKEN.upper().encode(),
        b"Bearer " + TOKEN.encode() + b", Bearer x",
        b"Bearer " + b"a" * 30_000,
        b"Token " + TOKEN.encode(),
        TOKEN.encode(),
        "Bearer ключ".encode(),
    ],
)
async def test_only_the_whole_token_opens(client: httpx.AsyncClient, given: bytes) -> None:
    for method, address in (("GET", "/api/admin/sites"), ("DELETE", "/api/admin/sites/mytho")):
        answer = await client.request(method, address, headers={b"Authorization": given})
        assert (answer.status_code, list(answer.json()["errors"])) == (401, ["authorization"])
    assert (await client.get("/api/counter/mytho")).status_code == 200


async def test_of_two_authorizations_none_is_chosen_by_who_sends_them(
    client: httpx.AsyncClient,
) -> None:
    twice = [("Authorization", "Bearer wrong"), ("Authorization", f"Bearer {TOKEN}")]
    assert (await client.get("/api/admin/sites", headers=twice)).status_code == 401
