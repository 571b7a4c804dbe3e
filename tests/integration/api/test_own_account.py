"""One's own account: where one is signed in, and what is known of the sign-ins before."""

import asyncio
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from services.api.access.backup_right import PROVED_SECONDS
from services.api.access.trail import EACH_SECONDS
from services.state.sessions import MOST_OF_A_USER
from tests.integration.api.people import ADMIN, PASSWORD, add_user, browser, sign_in
from tests.integration.api.world import Clock

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("cheap_passwords"),
]

ACCOUNT = "/api/admin/account"
SESSIONS = "/api/admin/sessions"
BACKUP = "/api/admin/backup"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
WAIT_SECONDS = 120.0


async def read(own: httpx.AsyncClient) -> dict[str, Any]:
    answer = await own.get(ACCOUNT)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    found: dict[str, Any] = answer.json()
    return found


async def test_sessions_are_listed_and_each_or_all_others_can_be_ended(
    client: httpx.AsyncClient, clock: Clock, redis: Redis
) -> None:
    await add_user(client, "lan")
    await add_user(client, "minh")
    async with (
        browser(client, "lan") as first,
        browser(client, "lan") as third,
        browser(client, "minh") as minh,
        httpx.AsyncClient(base_url=client.base_url, headers={"User-Agent": FIREFOX}) as second,
    ):
        clock.now += 3600
        second.headers["X-CSRF-Token"] = (await sign_in(second, "lan")).json()["csrf"]
        sessions = (await read(second))["sessions"]
        assert len(sessions) == 3
        assert sessions[0] == {
            "id": sessions[0]["id"],
            "current": True,
            "browser": "Firefox",
            "os": "Linux",
            "country": "",
            "begun_at": clock.ms,
            "seen_at": clock.ms,
            "ends_at": clock.ms + 12 * 3_600_000,
        }
        assert [session["current"] for session in sessions[1:]] == [False, False]
        held = [await redis.dump(key) or b"" async for key in redis.scan_iter("*")]
        assert not any(b"Gecko" in body or b"127.0.0.1" in body for body in held)

        mine = (await read(first))["sessions"]
        (current,) = [session["id"] for session in mine if session["current"]]
        for stranger in (minh, client):
            told = await stranger.delete(
                f"{SESSIONS}/{current}", headers=ADMIN if stranger is client else {}
            )
            assert told.status_code == (403 if stranger is client else 404)
        assert (await second.delete(f"{SESSIONS}/{current}")).status_code == 204
        assert (await first.get(ACCOUNT)).status_code == HTTPStatus.UNAUTHORIZED
        assert (await second.delete(f"{SESSIONS}/{current}")).status_code == 404
        assert (await second.delete(SESSIONS)).json() == {"ended": 1}
        assert (await third.get(ACCOUNT)).status_code == HTTPStatus.UNAUTHORIZED
        assert len((await read(second))["sessions"]) == 1
        assert (await minh.get(ACCOUNT)).status_code == 200


async def test_a_user_has_no_more_sessions_than_can_be_listed(
    client: httpx.AsyncClient, redis: Redis, clock: Clock
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as first, browser(client, "lan") as last:
        for _ in range(MOST_OF_A_USER - 1):
            clock.now += 1
            async with httpx.AsyncClient(base_url=client.base_url) as other:
                assert (await sign_in(other, "lan")).status_code == 200
        assert await redis.scard("sessions:lan") == MOST_OF_A_USER
        left = [(await own.get(ACCOUNT)).status_code for own in (first, last)]
        assert sorted(left) == [200, 401], "the one that was not used longest has ended"


async def test_an_account_tells_of_the_sign_in_before_and_of_those_that_were_refused(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as own:
        first = await read(own)
        assert (first["last_sign_in"], first["refused"]) == (None, 0)
    clock.now += 86_400
    refused = 0
    while refused < 3:  # a busy machine may have no room for one more password, and says 503
        refused += (await sign_in(client, "lan", "a wrong password")).status_code == 401
    signed = await sign_in(client, "lan", **{"User-Agent": FIREFOX})
    assert signed.status_code == 200
    signed_at = clock.ms
    waited = False
    async with asyncio.timeout(WAIT_SECONDS):
        while (found := await read(client))["refused"] != 3:
            # On a slow machine the first is written before the others: those are due in an hour.
            if found["refused"] and not waited:
                clock.now += EACH_SECONDS + 1
                waited = True
            await asyncio.sleep(0.05)
    before = found["last_sign_in"]
    # Entries of one moment have times of their own, to keep their order.
    assert before.pop("at") - (signed_at - 86_400_000) in range(10)
    assert before == {"browser": "Other", "os": "Other", "country": ""}


async def test_a_backup_takes_the_password_again_or_a_token_for_it(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan", "owner", ())
    await add_user(client, "minh", "editor")
    owner = await client.post("/api/admin/tokens", json={"role": "owner"}, headers=ADMIN)
    right = await client.post("/api/admin/tokens", json={"role": "backup"}, headers=ADMIN)
    assert (right.json()["role"], right.json()["sites"]) == ("backup", [])
    async with browser(client, "lan") as lan, browser(client, "minh") as minh:
        assert (await lan.get(BACKUP)).status_code == 200, "the password was given just now"
        clock.now += PROVED_SECONDS
        late = await lan.get(BACKUP)
        assert (late.status_code, list(late.json()["errors"])) == (403, ["password"])
        wrong = await lan.post("/api/admin/prove", json={"password": "a wrong password"})
        assert wrong.status_code == 401
        assert (await lan.get(BACKUP)).status_code == 403
        proved = await lan.post("/api/admin/prove", json={"password": PASSWORD})
        assert proved.status_code == 204
        assert (await lan.get(BACKUP)).content.startswith(b"\0")
        assert (await minh.get(BACKUP)).status_code == 403
    for made, status in ((owner, 403), (right, 200)):
        bearer = {"Authorization": f"Bearer {made.json()['token']}"}
        assert (await client.get(BACKUP, headers=bearer)).status_code == status
    other = {"Authorization": f"Bearer {right.json()['token']}"}
    assert (await client.get("/api/admin/users", headers=other)).status_code == 403
    assert (await client.get("/api/admin/sites", headers=other)).status_code == 403
    log = (await client.get("/api/admin/audit", headers=ADMIN)).json()["entries"]
    taken = [entry["who"] for entry in log if entry["action"] == "backup"]
    assert taken == [f"token:{right.json()['id']}", "lan", "lan"]
