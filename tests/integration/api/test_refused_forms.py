"""A form that was refused shows what was typed, and the other forms of its page what is saved."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date

import httpx
import pytest
import pytest_asyncio

from services.store.interface import Store
from tests.integration.api.form_fields import FormFields, fields_of
from tests.integration.api.people import ADMIN, add_user, browser
from tests.integration.api.world import write_counter, write_views

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("cheap_passwords"),
]

HTML = {"Accept": "text/html", "Accept-Language": "vi"}


@pytest_asyncio.fixture(loop_scope="module")
async def chu(client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """An owner, signed in."""
    await add_user(client, "chu", "owner", ("*",))
    async with browser(client, "chu") as own:
        own.headers.update(HTML)
        yield own


async def shown(chu: httpx.AsyncClient, page: str, address: str = "") -> FormFields:
    """Return the fields of a form on a page; without an address, that of the page itself."""
    answer = await chu.get(page)
    assert answer.status_code == 200, answer.text
    return fields_of(answer.text, address or page)


async def refused(
    chu: httpx.AsyncClient, address: str, fields: Mapping[str, str | Sequence[str]]
) -> str:
    """Send a form that is refused; return the page."""
    csrf = {"csrf": chu.headers["X-CSRF-Token"]}
    answer = await chu.post(address, data={**csrf, **fields})
    assert answer.status_code == 400, answer.text
    return answer.text


async def test_a_group_that_is_not_removed_keeps_its_settings_in_the_form(
    client: httpx.AsyncClient, chu: httpx.AsyncClient
) -> None:
    groups, settings = "/api/admin/groups", {"public": True, "default_period": "year"}
    for slug, parent in (("vung", ""), ("tinh", "vung"), ("xa", "tinh")):
        group = {"slug": slug, "name": f"UBND {slug}", "parent": parent, "sites": ["mytho"]}
        assert (await client.post(groups, json=group | settings, headers=ADMIN)).is_success
    saved = (await client.get(f"{groups}/tinh", headers=ADMIN)).json()
    page = "/admin/groups/tinh/edit"
    before = await shown(chu, page)
    assert (before["name"], before["parent"], before["sites"]) == (
        ["UBND tinh"],
        ["vung"],
        ["mytho"],
    )

    after = fields_of(await refused(chu, "/admin/groups/tinh/remove", {}), page)
    assert after == before
    assert (await chu.post(page, data=after)).status_code == 303
    assert (await client.get(f"{groups}/tinh", headers=ADMIN)).json() == saved


async def test_a_site_whose_removal_is_not_confirmed_keeps_its_settings_in_the_form(
    client: httpx.AsyncClient, chu: httpx.AsyncClient
) -> None:
    site, page, removal = (
        "/api/admin/sites/mytho",
        "/admin/sites/mytho/settings",
        "/admin/sites/mytho/remove",
    )
    settings = {
        "hosts": ["mytho.example", "*.mytho.example"],
        "page_aliases": [{"address": "/cu", "page": "/moi"}],
        "excluded_pages": ["/quan-tri/**"],
        "honour_dnt": True,
        "display": {"heading": "Thống kê của cổng", "lines": ["total", "today"]},
    }
    assert (await client.patch(site, json=settings, headers=ADMIN)).is_success
    before = await shown(chu, page)
    assert before["hosts"] == ["mytho.example\n*.mytho.example"]
    assert (before["honour_dnt"], before["lines"]) == (["on"], ["total", "today"])

    text = await refused(chu, removal, {"confirm": "mytoh", "erase": "on"})
    assert fields_of(text, page) == before
    assert fields_of(text, removal)["erase"] == ["on"]
    assert (await chu.post(page, data=before)).status_code == 303
    saved = (await client.get(site, headers=ADMIN)).json()
    assert {name: saved[name] for name in settings} == settings


@pytest.mark.parametrize("days", ["30", ""])
async def test_a_token_that_is_refused_keeps_its_days(chu: httpx.AsyncClient, days: str) -> None:
    page = "/admin/tokens"
    assert (await shown(chu, page))["days"] == ["365"]
    typed = {"note": "x" * 300, "days": days, "role": "editor", "sites": "mytho"}
    after = fields_of(await refused(chu, page, typed), page)
    assert {name: after[name] for name in typed} == {name: [of] for name, of in typed.items()}


async def test_rights_that_are_refused_stay_as_they_were_chosen(
    client: httpx.AsyncClient, chu: httpx.AsyncClient
) -> None:
    await add_user(client, "lan", "viewer", ("*",))
    page = "/admin/users/lan"
    saved = await shown(chu, page)
    assert (saved["role"], saved["sites"]) == (["viewer"], ["*"])
    assert "second_factor_required" not in saved

    typed = {"role": "editor", "sites": ["mytho", "nowhere"], "second_factor_required": "on"}
    after = fields_of(await refused(chu, page, typed), page)
    assert (after["role"], after["sites"]) == (["editor"], ["mytho"])
    assert after["second_factor_required"] == ["on"]
    text = await refused(chu, f"{page}/password", {"password": "x"})
    assert fields_of(text, page) == saved


async def test_a_plan_for_titles_that_is_refused_stays_as_it_was_chosen(
    chu: httpx.AsyncClient,
) -> None:
    page = "/admin/sites/mytho/titles"
    saved = await shown(chu, page, f"{page}/plan")
    chosen = {name for name in ("daily", "in_top") if name not in saved}
    typed = {"sitemap": "http://localhost/"} | dict.fromkeys(chosen, "on")
    after = fields_of(await refused(chu, f"{page}/plan", typed), f"{page}/plan")
    assert after["sitemap"] == ["http://localhost/"]
    assert {name for name in ("daily", "in_top") if name in after} == chosen
    text = await refused(chu, page, {"path": "khong", "title": "Tin"})
    assert fields_of(text, f"{page}/plan") == saved


async def test_a_page_that_cannot_be_hidden_stays_in_the_form(chu: httpx.AsyncClient) -> None:
    form = "/admin/sites/mytho/hidden"
    text = await refused(chu, form, {"page": "no path"})
    assert fields_of(text, form)["page"] == ["no path"]


async def test_what_another_time_zone_does_is_told_with_dates_of_the_language(
    chu: httpx.AsyncClient, store: Store
) -> None:
    await write_views(store, "mytho", date(2024, 1, 3), [1])
    for grain, start in (
        ("day", date(2024, 1, 3)),
        ("month", date(2024, 1, 1)),
        ("year", date(2024, 1, 1)),
    ):
        await write_counter(store, "mytho", grain, start, visits=1)
    page = "/admin/sites/mytho/settings"
    typed = await shown(chu, page) | {"timezone": ["Asia/Tokyo"]}
    for lang, told in (
        ("vi", "ngày 3/1/2024 có 22 giờ"),
        ("en", "the day 3 Jan 2024 has 22 hours"),
    ):
        answer = await chu.post(page, data=typed, headers={"Accept-Language": lang})
        assert (answer.status_code, told in answer.text) == (200, True), answer.text
