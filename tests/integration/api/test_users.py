"""Users, tokens, and the log of who changed what."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from unicodedata import normalize

import httpx
import pytest
from redis.asyncio import Redis

from services.store.interface import Store
from services.store.records import audit as log
from tests.integration.api.people import (
    ADMIN,
    PASSWORD,
    add_user,
    audit,
    browser,
    sign_in,
)
from tests.integration.api.world import Clock

USERS = "/api/admin/users"
TOKENS = "/api/admin/tokens"

pytestmark = pytest.mark.asyncio(loop_scope="module")


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def make(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post(TOKENS, json=fields, headers=ADMIN)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_users_are_added_changed_listed_and_removed(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan@mytho.example", "owner", ())
    await add_user(client, "minh")
    body = {"name": "minh", "password": PASSWORD, "role": "viewer", "sites": ["mytho"]}
    again = await client.post(USERS, json=body, headers=ADMIN)
    assert (again.status_code, list(again.json()["errors"])) == (409, ["name"])

    clock.now += 60
    change = {"role": "editor", "sites": ["*"]}
    edited = await client.patch(f"{USERS}/minh", json=change, headers=ADMIN)
    listed = (await client.get(USERS, headers=ADMIN)).json()["users"]
    assert [user["name"] for user in listed] == ["lan@mytho.example", "minh"]
    assert listed[0]["sites"] == ["*"]
    assert listed[1] == edited.json()
    assert listed[1] == {
        "name": "minh",
        **change,
        "created_at": clock.ms - 60_000,
        "password_at": clock.ms - 60_000,
        "second_factor": False,
        "second_factor_required": False,
        "sign_in": "password",
    }

    assert (await client.delete(f"{USERS}/minh", headers=ADMIN)).status_code == 204
    assert (await client.delete(f"{USERS}/minh", headers=ADMIN)).status_code == 404
    assert (await sign_in(client, "minh")).status_code == 401


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "Upper"}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "lan\n"}, "name"),
        ({"name": ""}, "name"),
        ({"role": "god"}, "role"),
        ({"sites": []}, "sites"),
        ({"sites": ["nowhere"]}, "sites"),
        ({"sites": ["../x"]}, "sites.0"),
        ({"password": "ninechars"}, "password"),
        ({"password": "x" * 201}, "password"),
        ({"password": "1111111111"}, "password"),
        ({"password": "LAN@mytho.example"}, "password"),
        ({"password": 1234567890}, "password"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_a_bad_field_of_a_user_is_named_and_no_password_repeated(
    client: httpx.AsyncClient, fields: dict[str, Any], field: str
) -> None:
    body = {"name": "lan@mytho.example", "password": PASSWORD, "sites": ["mytho"], **fields}
    answer = await client.post(USERS, json=body, headers=ADMIN)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert str(body["password"]) not in answer.text


async def test_a_password_is_the_same_however_its_letters_are_typed(
    client: httpx.AsyncClient,
) -> None:
    typed = "Tiếng Việt 12"
    composed, decomposed = normalize("NFC", typed), normalize("NFD", typed)
    assert composed != decomposed
    body = {"name": "lan", "password": composed, "sites": ["*"]}
    assert (await client.post(USERS, json=body, headers=ADMIN)).status_code == 201
    assert (await sign_in(client, "lan", decomposed)).status_code == 200


async def test_the_last_owner_stays_an_owner(client: httpx.AsyncClient) -> None:
    await add_user(client, "lan", "owner", ())
    demotion = {"role": "viewer", "sites": ["mytho"]}
    assert (await client.delete(f"{USERS}/lan", headers=ADMIN)).status_code == 409
    kept = await client.patch(f"{USERS}/lan", json=demotion, headers=ADMIN)
    assert (kept.status_code, list(kept.json()["errors"])) == (409, ["name"])

    await add_user(client, "minh", "owner", ())
    unsaid = await client.patch(f"{USERS}/lan", json={"role": "viewer"}, headers=ADMIN)
    assert (unsaid.status_code, list(unsaid.json()["errors"])) == (400, ["sites"])
    answers = await asyncio.gather(
        *(client.patch(f"{USERS}/{name}", json=demotion, headers=ADMIN) for name in ("lan", "minh"))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_what_is_kept_of_a_password_gives_nobody_in(
    client: httpx.AsyncClient,
    store: Store,
    redis: Redis,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    await add_user(client, "lan", "owner", ())
    async with browser(client, "lan"):
        pass
    ((body,),) = await store.execute("SELECT body FROM users")
    user = json.loads(body)
    assert user["password"].startswith("$argon2id$v=19$m=32768,t=3,p=1$")
    logged = await store.execute("SELECT before, after FROM audit")
    keys = [key async for key in redis.scan_iter("*")]
    held = b"".join(filter(None, [await redis.dump(key) for key in keys]))
    answered = (await client.get(USERS, headers=ADMIN)).text
    for secret in (PASSWORD, user["password"], user["stamp"]):
        assert secret not in f"{logged}{caplog.text}{answered}"
    assert PASSWORD.encode() not in held + body.encode()


async def test_a_token_is_shown_once_and_opens_what_its_role_and_sites_allow(
    client: httpx.AsyncClient, store: Store
) -> None:
    made = await make(client, role="editor", sites=["mytho"], note="nightly export")
    secret = made.pop("token")
    assert secret.startswith("luot_")
    assert len(secret) >= 48
    assert (made["created_by"], made["note"]) == ("admin token", "nightly export")
    (listed,) = (await client.get(TOKENS, headers=ADMIN)).json()["tokens"]
    assert listed == made

    mine = bearer(secret)
    edited = await client.patch("/api/admin/sites/mytho", json={"name": "x"}, headers=mine)
    assert edited.status_code == 200
    assert (await client.get(USERS, headers=mine)).status_code == 403
    me = (await client.get("/api/admin/whoami", headers=mine)).json()
    assert (me["name"], me["kind"], me["csrf"]) == (f"token:{made['id']}", "token", None)
    await client.post("/api/admin/sites", json={"slug": "of-others"}, headers=ADMIN)
    readable = (await client.get("/api/v1/sites", headers=mine)).json()["sites"]
    assert [site["domain"] for site in readable] == ["mytho"]
    change = {"current": PASSWORD, "password": PASSWORD}
    own = await client.put("/api/admin/password", json=change, headers=mine)
    assert own.status_code == 403
    kept = await store.execute("SELECT body FROM tokens")
    logged = await store.execute("SELECT before, after FROM audit")
    assert secret.removeprefix("luot_") not in f"{kept}{logged}"


async def test_it_is_told_to_ten_minutes_when_a_token_was_used(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    made = await make(client, sites=["*"])

    async def used() -> int | None:
        (token,) = (await client.get(TOKENS, headers=ADMIN)).json()["tokens"]
        at: int | None = token["used_at"]
        return at

    assert await used() is None
    first = clock.ms
    for passed in (0, 599):
        clock.now += passed
        await client.get("/api/admin/whoami", headers=bearer(made["token"]))
        assert await used() == first
    clock.now += 1
    await client.get("/api/admin/whoami", headers=bearer(made["token"]))
    assert await used() == clock.ms


async def test_an_expired_token_is_refused_and_a_past_expiry_too(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    now = datetime.fromtimestamp(clock.now, UTC)
    made = await make(client, sites=["*"], expires_at=(now + timedelta(hours=1)).isoformat())
    ask = bearer(made["token"])
    clock.now += 3599
    assert (await client.get("/api/admin/whoami", headers=ask)).status_code == 200
    clock.now += 1
    refused = await client.get("/api/admin/whoami", headers=ask)
    assert (refused.status_code, "has expired" in refused.text) == (401, True)
    assert (await client.get(TOKENS, headers=ADMIN)).json()["tokens"][0]["expired"]
    for late in (now.isoformat(), "2030-01-01T00:00:00", "soon"):
        answer = await client.post(TOKENS, json={"sites": ["*"], "expires_at": late}, headers=ADMIN)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["expires_at"])


async def test_a_dashboard_is_public_where_its_site_says_so(client: httpx.AsyncClient) -> None:
    numbers = "/api/v1/stats/realtime/visitors?site_id=mytho"
    assert (await client.get(numbers)).status_code == 401
    shown = {"public_dashboard": True}
    changed = await client.patch("/api/admin/sites/mytho", json=shown, headers=ADMIN)
    assert changed.json()["public_dashboard"] is True
    assert (await client.get(numbers)).status_code == 200
    assert (await client.get("/api/admin/sites/mytho")).status_code == 401


async def test_every_change_is_written_down_with_who_before_and_after(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan", "owner", ())
    made = await make(client, role="editor", sites=["mytho"])
    token = bearer(made["token"])
    change = {"name": "Mỹ Tho mới", "display": {"lang": "vi"}}
    site = "/api/admin/sites/mytho"
    balance = {"id": "old", "grain": "total", "visits": 5, "reason": "the old counter"}
    async with browser(client, "lan") as lan:
        await lan.post("/api/admin/sites", json={"slug": "danang"})
        await client.patch(site, json=change, headers=token)
        await client.patch(site, json=change, headers=token)  # changes nothing
        body = {"entries": [balance]}
        await client.post(f"{site}/balances", json=body, headers=token)
        await client.post(f"{site}/balances", json=body, headers=token)  # changes nothing
        await lan.put(f"{USERS}/lan/password", json={"password": "cà phê và bánh mì"})
    await client.delete("/api/admin/sites/danang", headers=ADMIN)
    await client.delete(f"{TOKENS}/{made['id']}", headers=ADMIN)

    entries = (await audit(client))[::-1]
    assert [(entry["who"], entry["action"], entry["subject"]) for entry in entries] == [
        ("admin token", "user.add", "lan"),
        ("admin token", "token.add", made["id"]),
        ("lan", "sign_in", entries[2]["subject"]),
        ("lan", "site.add", "danang"),
        (f"token:{made['id']}", "site.edit", "mytho"),
        (f"token:{made['id']}", "balance.add", "old"),
        ("lan", "user.password", "lan"),
        ("admin token", "site.remove", "danang"),
        ("admin token", "token.revoke", made["id"]),
    ]
    assert [entry["at"] for entry in entries] == [clock.ms + turn for turn in range(9)]
    assert not any(entry["failed"] for entry in entries)
    added, _, signed, _, edited, balanced, changed, removed, _ = entries
    assert added["before"] is None
    assert added["after"] == {
        "name": "lan",
        "role": "owner",
        "sites": ["*"],
        "second_factor_required": False,
    }
    assert signed["after"] == {"browser": "Other", "os": "Other", "known_browser": False}
    assert edited["before"] == {"name": "Mỹ Tho", "display": {}}
    assert edited["after"] == change
    assert balanced["after"]["old"]["visits"] == 5
    assert (changed["before"], changed["after"]) == (None, None)
    assert removed["before"]["slug"] == "danang"


async def test_the_audit_log_is_read_in_parts_and_by_editors_for_their_sites(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    for number in range(5):
        clock.now += 1
        there = {"name": f"name {number}"}
        await client.patch("/api/admin/sites/mytho", json=there, headers=ADMIN)
        await client.post("/api/admin/sites", json={"slug": f"site{number}"}, headers=ADMIN)
    everything = await audit(client)
    parts, before = [], None
    while True:
        query = {"limit": 3} | ({} if before is None else {"before": before})
        answer = (await client.get("/api/admin/audit", params=query, headers=ADMIN)).json()
        parts += answer["entries"]
        before = answer["next"]
        if before is None:
            break
    assert parts == everything
    assert len(parts) == 10

    made = await make(client, role="editor", sites=["mytho"])
    theirs = await client.get("/api/admin/audit", headers=bearer(made["token"]))
    assert {entry["site"] for entry in theirs.json()["entries"]} == {"mytho"}
    assert len(theirs.json()["entries"]) == 5
    assert len(await audit(client, site="site3")) == 1
    assert await audit(client, who="nobody") == []
    other = await client.get("/api/admin/audit?site=site3", headers=bearer(made["token"]))
    assert other.status_code == 404
    for place in ("x", "1", "-", "99999999999999999999-a"):
        wrong = await client.get(f"/api/admin/audit?before={place}", headers=ADMIN)
        assert (wrong.status_code, list(wrong.json()["errors"])) == (400, ["before"])


async def test_a_change_that_failed_is_told_as_one(
    client: httpx.AsyncClient, store: Store, redis: Redis
) -> None:
    await redis.set("numbers", "not a hash")
    refused = await client.delete("/api/admin/sites/mytho/shown", headers=ADMIN)
    assert refused.status_code == 503
    (entry,) = await log.newest(store, 10)
    assert (entry.action, entry.failed) == ("site.forget_shown", 1)
