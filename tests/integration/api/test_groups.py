"""Groups of sites over HTTP: a tree, kept through renames, removals and restores of sites."""

from typing import Any

import httpx
import pytest

from services.model.group import Group
from services.store.interface import Store
from services.store.records.groups import GROUPS
from tests.integration.api.people import ADMIN, audit
from tests.integration.api.world import EITHER_STORE, Clock

pytestmark = [pytest.mark.asyncio(loop_scope="module"), EITHER_STORE]

GROUPS_URL = "/api/admin/groups"


async def call(
    client: httpx.AsyncClient, method: str, path: str = "", body: Any = None
) -> httpx.Response:
    return await client.request(method, GROUPS_URL + path, json=body, headers=ADMIN)


async def add(client: httpx.AsyncClient, slug: str, **fields: Any) -> dict[str, Any]:
    answer = await call(client, "POST", "", {"slug": slug, **fields})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def sites_of(client: httpx.AsyncClient, slug: str) -> list[str]:
    answer = await call(client, "GET", f"/{slug}")
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["all_sites"]
    return found


async def site(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> None:
    answer = await client.request(method, f"/api/admin/sites{path}", json=body, headers=ADMIN)
    assert answer.is_success, answer.text


async def errors(answer: httpx.Response, status: int, field: str) -> str:
    assert answer.status_code == status, answer.text
    texts: list[str] = answer.json()["errors"][field]
    return " ".join(texts)


async def test_a_group_has_its_sites_and_those_of_the_groups_below(
    client: httpx.AsyncClient,
) -> None:
    await site(client, "POST", "", {"slug": "danang"})
    province = await add(client, "tinh", name="Tỉnh Đồng Tháp", sites=["danang"])
    assert (province["name"], province["parent"]) == ("Tỉnh Đồng Tháp", "")
    commune = await add(client, "xa", parent="tinh", sites=["mytho", "danang", "mytho"])
    assert commune["sites"] == ["danang", "mytho"]
    assert await sites_of(client, "tinh") == ["danang", "mytho"]

    listed = (await call(client, "GET")).json()["groups"]
    assert [(one["slug"], one["sites"]) for one in listed] == [
        ("tinh", ["danang"]),
        ("xa", ["danang", "mytho"]),
    ]


async def test_only_what_is_given_of_a_group_changes(client: httpx.AsyncClient) -> None:
    await add(client, "tinh", name="Tỉnh", sites=["mytho"])
    await add(client, "xa", name="Xã", parent="tinh", sites=["mytho"])

    changed = (await call(client, "PATCH", "/xa", {"name": "Phường"})).json()
    assert (changed["name"], changed["parent"], changed["sites"]) == ("Phường", "tinh", ["mytho"])
    changed = (await call(client, "PATCH", "/xa", {"parent": "", "sites": []})).json()
    assert (changed["name"], changed["parent"], changed["sites"]) == ("Phường", "", [])


async def test_a_group_goes_once_none_is_below_it_and_its_sites_stay(
    client: httpx.AsyncClient,
) -> None:
    await add(client, "tinh")
    await add(client, "xa", parent="tinh", sites=["mytho"])
    assert "xa" in await errors(await call(client, "DELETE", "/tinh"), 409, "group")
    for slug in ("xa", "tinh"):
        assert (await call(client, "DELETE", f"/{slug}")).status_code == 204
    assert (await call(client, "GET")).json() == {"groups": []}
    await site(client, "GET", "/mytho")


async def test_a_site_stays_in_its_group_when_it_is_renamed_or_removed_and_restored(
    client: httpx.AsyncClient,
) -> None:
    await site(client, "POST", "", {"slug": "danang"})
    await add(client, "tinh", sites=["mytho", "danang"])
    await site(client, "POST", "/mytho/rename", {"slug": "mytho-moi"})
    assert await sites_of(client, "tinh") == ["danang", "mytho-moi"]

    await site(client, "DELETE", "/danang")
    assert await sites_of(client, "tinh") == ["mytho-moi"]
    changed = await call(client, "PATCH", "/tinh", {"sites": ["mytho-moi"]})
    assert changed.json()["sites"] == ["mytho-moi"]
    await site(client, "POST", "/danang/restore")
    assert await sites_of(client, "tinh") == ["danang", "mytho-moi"]


async def test_a_new_site_of_an_old_slug_is_in_no_group(client: httpx.AsyncClient) -> None:
    await site(client, "POST", "", {"slug": "danang"})
    await add(client, "tinh", sites=["danang"])
    await site(client, "DELETE", "/danang")
    await site(client, "POST", "", {"slug": "danang"})
    assert await sites_of(client, "tinh") == []


async def test_a_site_that_is_erased_is_in_no_row_of_a_group(
    client: httpx.AsyncClient, store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No aggregator runs here, so nobody would be done with the rows of counters.
    monkeypatch.setattr("services.api.sites.erasure.ANSWER_SECONDS", 0)
    await add(client, "tinh", name="Tỉnh", sites=["mytho"])
    await site(client, "POST", "/mytho/erase", {"confirm": "mytho"})
    (kept,) = (await GROUPS.load(store)).rows.values()
    assert (kept.name, kept.sites) == ("Tỉnh", ())


async def test_what_another_process_writes_is_seen(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    assert (await call(client, "GET")).json() == {"groups": []}
    await GROUPS.save(store, "xa", Group(slug="xa", sites=("mytho",)), 1)
    clock.now += 6
    assert await sites_of(client, "xa") == ["mytho"]


async def test_every_bad_input_is_told(client: httpx.AsyncClient) -> None:
    await add(client, "tinh")
    await add(client, "xa", parent="tinh")
    taken = await call(client, "POST", "", {"slug": "xa"})
    assert "a group already" in await errors(taken, 409, "slug")
    for body, field, text in (
        ({"slug": "b", "parent": "none"}, "parent", "'none' is not a group"),
        ({"slug": "b", "parent": "b"}, "parent", "is not a group"),
        ({"slug": "b", "sites": ["mytho", "nowhere"]}, "sites", "nowhere"),
        ({"slug": "Có dấu"}, "slug", ""),
        ({"slug": "b", "name": "x" * 201}, "name", ""),
        ({"slug": "b", "more": 1}, "more", ""),
    ):
        answer = await call(client, "POST", "", body)
        assert text in await errors(answer, 400, field), body
    for method, fields in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        answer = await call(client, method, "/none", fields)
        assert "'none' is no group" in await errors(answer, 404, "group")
    circle = await call(client, "PATCH", "/tinh", {"parent": "xa"})
    assert "or below it" in await errors(circle, 400, "parent")


async def test_every_change_is_in_the_audit_log_by_the_slugs_of_sites(
    client: httpx.AsyncClient,
) -> None:
    await add(client, "xa", name="Xã", sites=["mytho"])
    await call(client, "PATCH", "/xa", {"name": "Phường"})
    await call(client, "PATCH", "/xa", {"name": "Phường"})
    await call(client, "DELETE", "/xa")
    removed, edited, added = await audit(client)
    assert [one["action"] for one in (added, edited, removed)] == [
        "group.add",
        "group.edit",
        "group.remove",
    ]
    made = {"name": "Xã", "parent": "", "sites": ["mytho"], "public": False, "default_period": ""}
    assert added["after"] == made
    assert (edited["before"], edited["after"]) == ({"name": "Xã"}, {"name": "Phường"})
    assert {one["subject"] for one in (added, edited, removed)} == {"xa"}
