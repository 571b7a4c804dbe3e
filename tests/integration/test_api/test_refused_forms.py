"""A form that was refused shows what was typed, and the other forms of its page what is saved."""

from collections.abc import AsyncIterator, Mapping, Sequence

import httpx
import pytest
import pytest_asyncio

from tests.integration.test_api.form_fields import FormFields, fields_of
from tests.integration.test_api.people import ADMIN, add_user, browser

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
