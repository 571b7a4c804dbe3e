"""Sign-ins, backups and exports are in the audit log, and no flood of them fills it."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from services.api.access.trail import EACH_SECONDS, MOST_WAITING
from services.api.app import Api
from services.store.interface import Store, StoreUnavailableError
from tests.integration.api.people import ADMIN, add_user, audit, browser, sign_in
from tests.integration.api.world import Clock

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAIT_SECONDS = 120.0
FIREFOX = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"}


async def of(client: httpx.AsyncClient, action: str) -> list[dict[str, Any]]:
    return [entry for entry in await audit(client, limit=500) if entry["action"] == action]


async def written(client: httpx.AsyncClient, action: str, entries: int) -> list[dict[str, Any]]:
    """Return the entries of an action, once there are as many: they come within seconds."""
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            found = await of(client, action)
            if len(found) >= entries:
                break
            await asyncio.sleep(0.05)
    assert len(found) == entries
    return found


async def test_a_sign_in_is_written_down_with_what_came_and_not_from_where(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "lan")
    for known in (False, True):
        assert (await sign_in(client, "lan", **FIREFOX)).status_code == 200
        newest = (await written(client, "sign_in", 1 + known))[0]
        assert (newest["who"], newest["failed"], newest["site"]) == ("lan", False, "")
        assert newest["after"] == {"browser": "Firefox", "os": "Linux", "known_browser": known}
    assert "127.0.0.1" not in json.dumps(await audit(client))
    owner = ADMIN | {"Accept": "text/html", "Accept-Language": "en"}
    page = await client.get("/admin/audit?action=sign_in", headers=owner)
    assert page.text.count('<th scope="row">Signed in') == 2
    assert '<th scope="row">Added a user' not in page.text
    page = await client.get("/admin/audit?action=user.add", headers=owner)
    assert page.text.count('<th scope="row">Added a user') == 1


async def test_a_flood_of_refused_sign_ins_is_an_entry_an_hour_for_each_name(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan")
    await add_user(client, "minh")
    for turn in range(60):
        await sign_in(client, "lan", "a wrong password")
        await sign_in(client, f"secret that was typed as a name {turn}", "a wrong password")
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            found = await of(client, "sign_in.refused")
            if {entry["subject"] for entry in found} == {"lan", "(unknown)"}:
                break
            await asyncio.sleep(0.05)
    assert len(found) == 2
    assert {entry["who"] for entry in found} == {"(unknown)"}
    assert "secret" not in json.dumps(found)

    for _ in range(20):
        await sign_in(client, "lan", "a wrong password")
    await sign_in(client, "minh", "a wrong password")
    assert len(await written(client, "sign_in.refused", 3)) == 3, "the rest of lan's wait"
    clock.now += EACH_SECONDS
    counted = [e for e in await written(client, "sign_in.refused", 5) if e["subject"] == "lan"]
    numbers = [entry["after"] for entry in counted]
    assert sum(one.get("wrong_password", 0) + one.get("throttled", 0) for one in numbers) == 80
    assert all("since" in one for one in numbers)


async def test_the_page_names_accounts_as_they_are_and_others_in_words(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "oidc", "editor")
    async with browser(client, "oidc") as oidc:
        assert (await oidc.patch("/api/admin/sites/mytho", json={"name": "x"})).is_success
    await sign_in(client, "nobody", "a wrong password")
    await written(client, "sign_in.refused", 1)
    note = {"day": "2024-01-02", "text": "x"}
    made = await client.post("/api/admin/sites/mytho/annotations", json=note, headers=ADMIN)
    assert made.status_code == 201
    for lang, stranger, admin in (
        ("en", "Somebody not signed in", "admin token"),
        ("vi", "Người chưa đăng nhập", "khóa máy chủ"),
    ):
        owner = ADMIN | {"Accept": "text/html", "Accept-Language": lang}
        page = (await client.get("/admin/audit", headers=owner)).text
        actors = set(re.findall(r'<td class="when">[^<]*</td><td>([^<]*)</td>', page))
        assert actors == {stranger, admin, "oidc"}
        assert "(unknown)" not in page
        notes = (await client.get("/admin/sites/mytho/notes", headers=owner)).text
        assert f"<td>{admin}</td>" in notes


async def test_exports_are_written_down_once_in_a_while(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan")
    shown = {"public_dashboard": True}
    await client.patch("/api/admin/sites/mytho", json=shown, headers=ADMIN)
    async with browser(client, "lan") as lan:
        for reader in (lan, lan, lan, client):
            file = await reader.get("/admin/sites/mytho/csv/page")
            assert file.status_code == 200
    (entry,) = await written(client, "export", 1)
    assert (entry["who"], entry["site"], entry["subject"]) == ("lan", "mytho", "page")
    assert await of(client, "export") == [entry]
    editor = {"role": "editor"}
    assert (await client.patch("/api/admin/users/lan", json=editor, headers=ADMIN)).is_success
    async with browser(client, "lan") as lan:
        theirs = (await lan.get("/api/admin/audit")).json()["entries"]
        assert [one["action"] for one in theirs] == ["export", "site.edit"]


async def test_while_the_store_is_away_people_sign_in_and_are_written_down_later(
    api: Api, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await add_user(client, "lan")
    store = api._now().store
    taken = store.insert

    async def away(table: str, columns: Any) -> None:
        raise StoreUnavailableError("it does not answer")

    monkeypatch.setattr(store, "insert", away)
    assert (await sign_in(client, "lan")).status_code == 200
    monkeypatch.setattr(store, "insert", taken)
    (entry,) = await written(client, "sign_in", 1)
    assert entry["who"] == "lan"


async def test_what_waits_is_bounded_and_written_at_the_end(
    api: Api, client: httpx.AsyncClient, store: Store, redis: Redis, clock: Clock
) -> None:
    await add_user(client, "lan")
    await sign_in(client, "lan", "a wrong password")
    trail = api._now().access.trail
    for number in range(3 * MOST_WAITING):
        trail._waiting.append(trail._audit.entry("x", "y", str(number)))
    assert len(trail._waiting) == MOST_WAITING
    trail._waiting.clear()
    await api.stop()
    rows = await store.execute("SELECT count() FROM audit WHERE action = 'sign_in.refused'")
    assert rows == [(1,)]
