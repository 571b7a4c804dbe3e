"""Share links, frames and annotations: what people add to a site at their desks."""

import re
from datetime import date

import httpx
import pytest
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.api.sites.annotations import service as annotations
from services.api.sites.shares import service as shares
from services.state.state import State
from services.store.counts import erasures
from services.store.interface import Store
from services.store.records import share_links
from tests.integration.api.people import ADMIN, add_user, audit, browser
from tests.integration.api.world import (
    EITHER_STORE,
    SITE,
    TOKEN,
    Clock,
    serving,
    write_counter,
    write_views,
)
from tests.servers.redis import RedisServer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

SITES = "/api/admin/sites/mytho"
SHARES = f"{SITES}/shares"
NOTES = f"{SITES}/annotations"
HTML = {"Accept": "text/html", "Accept-Language": "en"}
TODAY = date(2024, 1, 3)


async def make_share(client: httpx.AsyncClient, name: str = "Sở TT&TT") -> dict[str, str]:
    made = await client.post(SHARES, json={"name": name}, headers=ADMIN)
    assert made.status_code == 201, made.text
    found: dict[str, str] = made.json()
    return found


async def count(store: Store) -> None:
    for grain, start in (
        ("day", TODAY),
        ("month", TODAY.replace(day=1)),
        ("year", date(2024, 1, 1)),
    ):
        await write_counter(store, "mytho", grain, start, 2)
    await write_counter(store, "mytho", "total", date(1970, 1, 1), 2)
    await write_views(store, "mytho", TODAY, [1, 2])


async def test_whoever_has_a_link_reads_the_traffic_of_one_site_and_nothing_else(
    client: httpx.AsyncClient, store: Store
) -> None:
    await count(store)
    path = (await make_share(client))["path"]

    page = await client.get(path, params={"period": "day"}, headers=HTML)
    assert page.status_code == 200
    assert "Mỹ Tho" in page.text
    assert f'href="{path}?period=' in page.text
    assert f'data-online="{path}/online"' in page.text
    for inner in ("/admin/sites", "/admin/sign-in", "/api/v1", "csrf", "mytho/settings"):
        assert inner not in page.text, inner
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["x-robots-tag"] == "noindex"
    csv = await client.get(f"{path}/csv/timeseries", params={"period": "day"})
    assert csv.status_code == 200
    assert csv.headers["content-disposition"].startswith('attachment; filename="mytho-')
    assert (await client.get(f"{path}/online")).json() == 0
    for closed in (
        "/admin/sites/mytho",
        "/api/v1/stats/aggregate?site_id=mytho",
        f"{path}/settings",
        f"{path}x",
    ):
        assert (await client.get(closed)).status_code in (401, 404), closed


async def test_a_link_is_withdrawn_and_only_its_digest_is_kept(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await count(store)
    made = await make_share(client, " Sở ")
    secret = made["path"].removeprefix("/share/")
    [kept] = await share_links.load(store)
    assert kept.name == "Sở"
    assert secret not in str(kept)
    listed = (await client.get(SHARES, headers=ADMIN)).json()["shares"]
    assert [(one["name"], one["created_by"]) for one in listed] == [("Sở", "admin token")]
    assert secret not in str(listed)

    clock.now += 1
    gone = await client.delete(f"{SHARES}/{made['id']}", headers=ADMIN)
    assert gone.status_code == 204
    answer = await client.get(made["path"], headers=HTML)
    assert answer.status_code == 404
    assert "This link shows nothing, or not any more" in answer.text
    assert (await client.delete(f"{SHARES}/{made['id']}", headers=ADMIN)).status_code == 404
    entries = await audit(client)
    assert [one["action"] for one in entries[:2]] == ["share.withdraw", "share.add"]
    assert secret not in str(entries)


async def test_another_process_knows_of_a_withdrawal_within_a_second(
    client: httpx.AsyncClient,
    store: Store,
    redis: Redis,
    redis_server: RedisServer,
    clock: Clock,
) -> None:
    await count(store)
    made = await make_share(client)
    settings = ApiSettings.read({}, admin_token=TOKEN, redis_url=redis_server.url)
    other = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await other.start()
    async with serving(other.asgi) as second:
        assert (await second.get(made["path"])).status_code == 200
        await client.delete(f"{SHARES}/{made['id']}", headers=ADMIN)
        clock.now += shares.RELOAD_SECONDS + 0.1
        assert (await second.get(made["path"])).status_code == 404
    await other.stop()


async def test_links_to_reports_tell_their_days_in_the_language_of_the_page(
    client: httpx.AsyncClient,
) -> None:
    for period, day in (("month", "2023-12-05"), ("custom", "2023-12-01,2023-12-24")):
        new = {"name": period, "report": {"period": period, "date": day}}
        assert (await client.post(SHARES, json=new, headers=ADMIN)).status_code == 201
    for lang, of_day, of_days in (
        ("en", "that of 5 Dec 2023", "that of 1 Dec 2023 – 24 Dec 2023"),
        ("vi", "kỳ có ngày 5/12/2023", "các ngày 1/12/2023 – 24/12/2023"),
    ):
        headers = ADMIN | {"Accept": "text/html", "Accept-Language": lang}
        page = await client.get("/admin/sites/mytho/sharing", headers=headers)
        assert f", {of_day}</td>" in page.text
        assert f", {of_days}</td>" in page.text
        assert "2023-12" not in page.text


async def test_what_strangers_invent_asks_the_store_nothing(client: httpx.AsyncClient) -> None:
    made = await make_share(client)
    for secret in ("", "x", "x" * 43, "x" * 5000, made["path"][7:-1], "%00" * 43):
        assert (await client.get(f"/share/{secret}")).status_code in (404, 414), secret


async def test_making_a_link_takes_who_may_publish(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_user(client, "lan", "editor")
    async with browser(client, "lan") as lan:
        assert (await lan.post(SHARES, json={"name": "x"})).status_code == 403
        made = await make_share(client)
        assert (await lan.delete(f"{SHARES}/{made['id']}")).status_code == 204
    for wrong in ({}, {"name": ""}, {"name": " "}, {"name": "x" * 101}, {"name": "a\nb"}):
        assert (await client.post(SHARES, json=wrong, headers=ADMIN)).status_code == 400
    monkeypatch.setattr(shares, "MOST_OF_A_SITE", 1)
    await make_share(client)
    assert (await client.post(SHARES, json={"name": "y"}, headers=ADMIN)).status_code == 409


async def test_only_hosts_that_a_site_names_may_frame_what_has_no_session(
    client: httpx.AsyncClient, store: Store
) -> None:
    await count(store)
    path = (await make_share(client))["path"]

    def ancestors(answer: httpx.Response) -> str:
        found = re.search(r"frame-ancestors ([^;]+)", answer.headers["content-security-policy"])
        assert found
        return found[1]

    assert ancestors(await client.get(path, headers=HTML)) == "'none'"
    for wrong in ("*", "https://mytho.example", "a b", "x;script-src"):
        body = {"frame_hosts": [wrong]}
        answer = await client.patch(SITES, json=body, headers=ADMIN)
        assert answer.status_code == 400, wrong
        assert "frame_hosts" in answer.text
    settings = {"frame_hosts": ["Mytho.example", "*.mytho.example"], "public_dashboard": True}
    assert (await client.patch(SITES, json=settings, headers=ADMIN)).status_code == 200
    hosts = (
        "https://mytho.example:* http://mytho.example:*"
        " https://*.mytho.example:* http://*.mytho.example:*"
    )
    assert ancestors(await client.get(path, headers=HTML)) == hosts
    await add_user(client, "lan", "owner", ())
    async with browser(client, "lan") as lan:
        # Whoever is signed in sees what anybody sees there.
        public = await lan.get("/public/mytho", headers=HTML)
        assert ancestors(public) == hosts
        assert "lan" not in re.findall(r"[\w.]+", public.text.partition("<main")[0])
        assert "/settings" not in public.text
        for inner in ("/admin/sites/mytho", "/admin", "/admin/sites/mytho/sharing"):
            assert ancestors(await lan.get(inner, headers=HTML)) == "'none'"


async def test_annotations_are_written_changed_removed_and_taken_out(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    new = {"day": "2024-01-02", "text": "  =Chuyển máy chủ "}
    made = (await client.post(NOTES, json=new, headers=ADMIN)).json()
    assert (made["text"], made["author"]) == ("=Chuyển máy chủ", "admin token")
    later = {"day": "2024-12-31", "text": "Tết"}
    assert (await client.post(NOTES, json=later, headers=ADMIN)).status_code == 201
    clock.now += 1
    changes = {"day": "2024-01-01"}
    changed = await client.patch(f"{NOTES}/{made['id']}", json=changes, headers=ADMIN)
    assert changed.json() == {**made, "day": "2024-01-01"}

    async def listed(**query: str) -> list[str]:
        answer = await client.get(NOTES, params=query, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        return [one["text"] for one in answer.json()["annotations"]]

    assert await listed() == ["=Chuyển máy chủ", "Tết"]
    assert await listed(**{"from": "2024-01-02"}) == ["Tết"]
    assert await listed(to="2024-01-01") == ["=Chuyển máy chủ"]
    file = await client.get(NOTES, params={"format": "csv"}, headers=ADMIN)
    assert file.text.splitlines() == [
        '\ufeff"day","text","author"',
        '"2024-01-01","\'=Chuyển máy chủ","admin token"',
        '"2024-12-31","Tết","admin token"',
    ]
    clock.now += 1
    assert (await client.delete(f"{NOTES}/{made['id']}", headers=ADMIN)).status_code == 204
    assert await listed() == ["Tết"]
    entries = [one for one in await audit(client) if one["action"].startswith("annotation")]
    assert [(one["action"], one["before"], one["after"]) for one in entries] == [
        ("annotation.remove", {"day": "2024-01-01", "text": "=Chuyển máy chủ"}, None),
        ("annotation.edit", {"day": "2024-01-02"}, {"day": "2024-01-01"}),
        ("annotation.add", None, later),
        ("annotation.add", None, {**new, "text": "=Chuyển máy chủ"}),
    ]


async def test_no_annotation_is_a_formula_in_a_spreadsheet(client: httpx.AsyncClient) -> None:
    texts = [f"{sign}1" for sign in "=+-@＝＋－＠"]
    for text in texts:
        body = {"day": "2024-01-02", "text": text}
        assert (await client.post(NOTES, json=body, headers=ADMIN)).status_code == 201
    file = await client.get(NOTES, params={"format": "csv"}, headers=ADMIN)
    written = [line.split(",")[1] for line in file.text.splitlines()[1:]]
    assert sorted(written) == sorted(f'"\'{text}"' for text in texts)


async def test_each_bad_annotation_is_refused_and_said(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for body, field in (
        ({"text": "x"}, "day"),
        ({"day": "2024-02-30", "text": "x"}, "day"),
        ({"day": "1999-12-31", "text": "x"}, "day"),
        ({"day": "2025-01-04", "text": "x"}, "day"),
        ({"day": "2024-01-01", "text": ""}, "text"),
        ({"day": "2024-01-01", "text": "x" * 301}, "text"),
        ({"day": "2024-01-01", "text": "a\nb"}, "text"),
    ):
        answer = await client.post(NOTES, json=body, headers=ADMIN)
        assert answer.status_code == 400, body
        assert list(answer.json()["errors"]) == [field]
    assert (
        await client.get(f"{NOTES}?from=2024-01-02&to=2024-01-01", headers=ADMIN)
    ).status_code == 400
    monkeypatch.setattr(annotations, "MOST_OF_A_SITE", 1)
    good = {"day": "2024-01-01", "text": "x"}
    assert (await client.post(NOTES, json=good, headers=ADMIN)).status_code == 201
    assert (await client.post(NOTES, json=good, headers=ADMIN)).status_code == 409


async def test_the_chart_shows_annotations_to_those_who_are_signed_in(
    client: httpx.AsyncClient, store: Store
) -> None:
    await count(store)
    await client.patch(SITES, json={"public_dashboard": True}, headers=ADMIN)
    path = (await make_share(client))["path"]
    for day, text in (("2024-01-02", "<b>Sự cố"), ("2023-11-01", "Long ago")):
        body = {"day": day, "text": text}
        assert (await client.post(NOTES, json=body, headers=ADMIN)).status_code == 201
    await add_user(client, "lan")
    async with browser(client, "lan") as lan:
        page = (await lan.get("/admin/sites/mytho?period=30d", headers=HTML)).text
        assert page.count('class="noted"') == 2  # on the wide and the narrow chart
        assert page.count("&lt;b&gt;Sự cố") >= 3
        assert "Long ago" not in page
        form = (await lan.get("/admin/sites/mytho/notes", headers=HTML)).text
        assert "Long ago" in form
        assert '<form class="card form"' not in form  # a viewer writes none
    for public in (path, "/public/mytho", "/admin/sites/mytho"):
        assert "Sự cố" not in (await client.get(f"{public}?period=30d", headers=HTML)).text


async def test_an_editor_writes_and_removes_annotations_on_a_page(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "lan", "editor")
    async with browser(client, "lan") as lan:
        csrf = {"csrf": lan.headers["X-CSRF-Token"]}
        page = "/admin/sites/mytho/notes"
        wrong = await lan.post(page, data={**csrf, "day": "2099-01-01", "text": "x"}, headers=HTML)
        assert wrong.status_code == 400
        assert 'value="2099-01-01"' in wrong.text
        saved = await lan.post(page, data={**csrf, "day": "2024-01-02", "text": "x"}, headers=HTML)
        assert saved.headers["location"] == f"{page}?saved=1"
        [one] = (await lan.get(NOTES)).json()["annotations"]
        file = await lan.get(f"{page}/csv?lang=vi")
        assert file.text.splitlines()[0] == '\ufeff"Ngày","Nội dung","Người viết"'
        gone = await lan.post(f"{page}/{one['id']}/remove", data=csrf, headers=HTML)
        assert gone.status_code == 303
        assert (await lan.get(NOTES)).json()["annotations"] == []
        # An editor sees the page of links, and why there is no form.
        sharing = await lan.get("/admin/sites/mytho/sharing", headers=HTML)
        assert "Only an owner of this server can make links." in sharing.text


async def test_an_erased_site_leaves_none_of_it(client: httpx.AsyncClient, store: Store) -> None:
    await make_share(client)
    await client.post(NOTES, json={"day": "2024-01-02", "text": "x"}, headers=ADMIN)
    assert await erasures.held(store, [SITE.kept_as]) == {SITE.kept_as}
    await erasures.delete(store, [SITE.kept_as])
    for table in ("share_links", "annotations"):
        assert await store.execute(f"SELECT count() FROM {table}") == [(0,)]
