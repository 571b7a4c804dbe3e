"""The dashboard over HTTP: what it says when its numbers cannot be read."""

import re
from datetime import date

import httpx
import pytest
from redis.asyncio import Redis

from services.api.app import Api
from services.api.stats.readers.callers import Audience, StatsReaders
from services.api.stats.readers.reader import LIMITS
from services.model.site import Site
from services.state.recent_hits import HitsOfForeignHosts, UntrustedForwards
from services.state.state import State
from services.store.interface import Store, StoreUnavailableError
from tests.integration.api import changes
from tests.integration.api.people import add_user, audit, browser
from tests.integration.api.taken_back import at, count, preview, public, view
from tests.integration.api.world import TOKEN, Clock, write_counter, write_views

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWNER = {"Authorization": f"Bearer {TOKEN}", "Accept": "text/html", "Accept-Language": "en"}
REFUSED = "No answer: this query is too large"


async def test_a_panel_that_is_refused_says_so_and_the_page_works(
    api: Api, client: httpx.AsyncClient, store: Store
) -> None:
    today = date(2024, 1, 3)
    await write_views(store, "mytho", today, [1, 2, 2])
    for grain, start in {
        "day": today,
        "month": date(2024, 1, 1),
        "year": date(2024, 1, 1),
        "total": date(1970, 1, 1),
    }.items():
        await write_counter(store, "mytho", grain, start, views=3, visits=2)
    page = await client.get("/admin/sites/mytho", headers=OWNER)
    assert page.status_code == 200
    assert REFUSED not in page.text
    assert '<span class="value">3</span>' in page.text

    stats = api._now().stats
    tight = StatsReaders(store, dict.fromkeys(Audience, LIMITS._replace(bytes=1)))
    good, stats.readers = stats.readers, tight
    try:
        page = await client.get("/admin/sites/mytho", headers=OWNER)
    finally:
        await stats.readers.close()
        stats.readers = good
    assert page.status_code == 200
    # Summary, chart, details, twelve panels and the hours of the week; the store does not notice
    # each use of little memory.
    assert 5 <= page.text.count(REFUSED) <= 16
    assert page.text.rstrip().endswith("</html>")


async def test_a_page_of_rows_that_cannot_be_read_has_the_status_of_the_refusal(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailableError("away")

    monkeypatch.setattr("services.api.stats.rows.queries_rows.read", away)
    page = await client.get("/admin/sites/mytho/all/page", headers=OWNER)
    assert page.status_code == 503
    assert int(page.headers["Retry-After"]) > 0
    assert REFUSED in page.text


async def test_a_browser_is_led_to_the_sign_in_and_a_program_gets_401(
    client: httpx.AsyncClient,
) -> None:
    person = await client.get("/admin/tokens", headers={"Accept": "text/html"})
    assert person.status_code == 303
    assert person.headers["location"] == "/admin/sign-in?next=/admin/tokens"
    program = await client.get("/admin/tokens")
    assert program.status_code == 401
    assert program.json()["errors"]


async def test_a_reader_of_a_public_site_of_others_is_led_nowhere_and_warned_of_nothing(
    api: Api, client: httpx.AsyncClient, store: Store, redis: Redis, clock: Clock
) -> None:
    await changes.save(api, Site(slug="danang", hosts=("danang.example",), public_dashboard=True))
    for hits in (HitsOfForeignHosts(State(redis)), UntrustedForwards(State(redis))):
        await hits.add({"mytho": 7, "danang": 7}, clock.ms)
    await add_user(client, "lan")
    warning = "7 hits of the last minutes"
    async with browser(client, "lan") as lan:
        lan.headers.update({"Accept": "text/html", "Accept-Language": "en"})
        own, other = await lan.get("/admin/sites/mytho"), await lan.get("/admin/sites/danang")
        assert "Waiting for the first view" in own.text
        assert "Waiting for the first view" in other.text
        assert ("data-ingest" in own.text, "data-ingest" in other.text) == (True, False)
        assert ("/counter.js" in own.text, "/counter.js" in other.text) == (True, False)
        for slug in ("mytho", "danang"):
            await write_views(store, slug, date(2024, 1, 3), [1, 2])
            for grain, start in (
                ("day", date(2024, 1, 3)),
                ("month", date(2024, 1, 1)),
                ("year", date(2024, 1, 1)),
            ):
                await write_counter(store, slug, grain, start, views=2, visits=2)
        clock.now += 2
        for slug, is_theirs in (("mytho", True), ("danang", False)):
            page = (await lan.get(f"/admin/sites/{slug}")).text
            assert "Waiting for the first view" not in page
            assert page.count(warning) == (2 if is_theirs else 0)
            links = set(re.findall(rf'href="(/admin/sites/{slug}/\w+)', page))
            assert (f"/admin/sites/{slug}/embed" in links) == is_theirs
            assert f"/admin/sites/{slug}/report" in links
            for link in links - {f"/admin/sites/{slug}/{part}" for part in ("all", "csv")}:
                assert (await lan.get(link)).status_code == 200, link


async def test_a_wrong_address_names_what_is_wrong(client: httpx.AsyncClient) -> None:
    for query, named in {
        "period=fortnight": "fortnight",
        "period=custom&from=2024-02-01&to=2024-01-01": "date",
        "measure=height": "height",
        "filters=event:page": "event:page",
    }.items():
        page = await client.get(f"/admin/sites/mytho?{query}", headers=OWNER)
        assert (query, page.status_code) == (query, 400)
        assert named in page.text


async def test_pages_send_the_strict_policy_and_are_kept_nowhere(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/admin", headers=OWNER)
    assert page.headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    assert page.headers["cache-control"] == "no-store"
    assert 'style="' not in page.text


async def test_what_people_type_is_text_on_the_page(client: httpx.AsyncClient) -> None:
    bad = "<script>alert(1)</script>"
    changed = await client.patch("/api/admin/sites/mytho", json={"name": bad}, headers=OWNER)
    assert changed.status_code == 200
    for path in ("/admin", "/admin/sites/mytho", "/admin/sites/mytho/settings", "/admin/audit"):
        page = await client.get(path, params={"filters": f"event:page=={bad}"}, headers=OWNER)
        assert page.status_code == 200
        assert bad not in page.text
        assert "&lt;script&gt;" in page.text


async def test_a_correction_is_made_by_a_form_of_the_dashboard_and_by_no_other(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    await add_user(client, "lan", "editor")
    await count(store, [view("/spam", at("08:00") + n, 1 + n) for n in range(4)])
    found = await preview(client, filters="event:page==/spam")
    form = {name: str(found[name]) for name in ("id", "up_to", "views")}
    form |= {name: str(value) for name, value in found["query"].items()} | {"reason": "giả"}
    address = "/admin/sites/mytho/corrections"
    async with browser(client, "lan") as lan:
        csrf = lan.headers.pop("X-CSRF-Token")
        assert (await lan.post(address, data=form)).status_code == 403
        clock.now += 2
        assert (await public(client))["views"]["today"] == 4

        for _ in range(2):  # A double click changes nothing more.
            made = await lan.post(address, data={**form, "csrf": csrf})
            assert made.status_code == 303, made.text
        clock.now += 2
        assert (await public(client))["views"]["today"] == 0
        wrong = await lan.post(address, data={**form, "csrf": csrf, "id": "x", "views": "3"})
        assert wrong.status_code == 400
        assert "không tìm thấy lượt xem nào đã được đếm" in wrong.text
        page = await lan.get(address, headers={"Accept-Language": "en"})
        assert page.text.count("Take these views back") == 0
        assert "giả" in page.text
    assert [entry["who"] for entry in await audit(client, site="mytho")] == ["lan"]


@pytest.mark.parametrize("address", ["/admin?page=", "/admin/sites/mytho/balances?before="])
@pytest.mark.parametrize("number", ["9" * 5000, "٣", "-1", "1e3", ""])
async def test_a_number_without_end_is_no_number(
    client: httpx.AsyncClient, address: str, number: str
) -> None:
    answer = await client.get(address + number, headers=OWNER)
    assert answer.status_code == 200
