"""Guessing passwords is slow; knowing one is not."""

import asyncio
import time
from collections import Counter

import httpx
import pytest
from redis.asyncio import Redis

from services.api.access import known_browsers
from services.api.access.throttle import LIMITS, WINDOW_SECONDS
from services.model.account import Role, User
from tests.integration.api.people import ADMIN, PASSWORD, add_user, browser, sign_in

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("cheap_passwords"),
]

HERE = {"X-Forwarded-For": "198.51.100.7"}
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}
_OF_NOTHING = User(name="-", password="", role=Role.VIEWER, stamp="")
"""A user without any secret."""


async def guess(client: httpx.AsyncClient, times: int, **headers: str) -> None:
    for _ in range(times):
        answer = await sign_in(client, "lan", "a wrong password", **headers)
        assert answer.status_code == 401
        assert answer.json() == {"errors": {"sign_in": ["name or password is wrong"]}}


async def test_who_guesses_from_one_place_waits_and_nobody_else(client: httpx.AsyncClient) -> None:
    await add_user(client, "lan")
    await add_user(client, "minh")
    await guess(client, LIMITS["name and address"], **HERE)

    refused = await sign_in(client, "lan", **HERE)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= WINDOW_SECONDS
    assert (await sign_in(client, "lan", **ELSEWHERE)).status_code == 200
    assert (await sign_in(client, "minh", **HERE)).status_code == 200


async def test_an_address_that_tries_many_names_waits(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    await add_user(client, "lan")
    asked = [await sign_in(client, f"name{i}", "short", **HERE) for i in range(LIMITS["address"])]
    assert {answer.status_code for answer in asked} == {401}
    assert (await sign_in(client, "lan", **HERE)).status_code == 429
    assert (await sign_in(client, "lan", **ELSEWHERE)).status_code == 200


async def test_a_neighbourhood_of_ipv6_is_one_address(client: httpx.AsyncClient) -> None:
    for last in range(LIMITS["name and address"]):
        await guess(client, 1, **{"X-Forwarded-For": f"2001:db8::{last:x}"})
    inside, outside = "2001:db8::ffff:1", "2001:db8:0:1::1"
    assert (await sign_in(client, "lan", **{"X-Forwarded-For": inside})).status_code == 429
    await guess(client, 1, **{"X-Forwarded-For": outside})


async def test_who_knows_the_password_starts_again_from_nothing(client: httpx.AsyncClient) -> None:
    await add_user(client, "lan")
    for _ in range(3):
        await guess(client, LIMITS["name and address"] - 1, **HERE)
        assert (await sign_in(client, "lan", **HERE)).status_code == 200


async def test_no_name_and_no_address_is_written_down(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    await guess(client, 1, **HERE)
    keys = [key async for key in redis.scan_iter("sign-in:*")]
    assert len(keys) == 4
    assert not any(b"lan" in key or b"198.51" in key for key in keys)
    lives = [await redis.ttl(key) for key in keys if b"salt" not in key]
    assert all(0 < left <= WINDOW_SECONDS for left in lives)


@pytest.mark.usefixtures("dear_passwords")
async def test_an_unknown_name_costs_the_server_as_much_as_a_known_one(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "lan")
    spent = []
    for name in ("lan", "nobody"):
        begun = time.process_time()
        for _ in range(3):
            assert (await sign_in(client, name, "a wrong password")).status_code == 401
        spent.append(time.process_time() - begun)
    known, unknown = spent
    assert 0.5 < unknown / known < 2


def of(number: int) -> dict[str, str]:
    """Return the headers of one of an attacker's addresses."""
    return {"X-Forwarded-For": f"198.51.100.{number}"}


async def attack(client: httpx.AsyncClient, address: int, times: int) -> int:
    """Guess on from one address, also after it was refused; return how many were refused."""
    answers = [
        await sign_in(client, "lan", f"a wrong password {turn}", **of(address))
        for turn in range(times)
    ]
    assert {answer.status_code for answer in answers} <= {401, 429}
    return sum(answer.status_code == 429 for answer in answers)


async def test_one_address_that_goes_on_and_on_locks_nobody_out(client: httpx.AsyncClient) -> None:
    await add_user(client, "lan")
    for _ in range(5):
        assert await attack(client, 1, 25) >= 20
        # A new browser from another address, throughout.
        async with httpx.AsyncClient(base_url=client.base_url) as elsewhere:
            assert (await sign_in(elsewhere, "lan", **ELSEWHERE)).status_code == 200


async def test_a_browser_that_was_here_before_signs_in_whoever_attacks(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as known:
        known.cookies.delete("luot")
        for address in range(1, 41):
            await attack(client, address, 6)
        # Forty addresses are too many for a browser that nobody knows, at an address of its own,
        async with httpx.AsyncClient(base_url=client.base_url) as unknown:
            assert (await sign_in(unknown, "lan", **ELSEWHERE)).status_code == 429
        # and no matter for one that has signed in, be it at the attacker's own address.
        assert (await sign_in(known, "lan", **of(1))).status_code == 200
        assert (await known.get("/api/admin/whoami")).json()["name"] == "lan"


async def test_a_known_browser_has_a_limit_of_its_own(client: httpx.AsyncClient) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as known:
        for _ in range(LIMITS["known browser"]):
            assert (await sign_in(known, "lan", "a wrong password")).status_code == 401
        assert (await sign_in(known, "lan")).status_code == 429
        async with httpx.AsyncClient(base_url=client.base_url) as unknown:
            assert (await sign_in(unknown, "lan")).status_code == 200


async def test_the_proof_of_a_browser_is_bound_to_account_and_password(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "lan")
    await add_user(client, "minh")
    signed = await sign_in(client, "minh")
    cookie = next(c for c in signed.headers.get_list("set-cookie") if c.startswith("luot_known="))
    for part in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=31536000"):
        assert part in cookie
    proof = client.cookies["luot_known"]
    assert "minh" not in proof
    client.cookies.clear()
    await guess(client, LIMITS["name and address"], **HERE)

    identity, issued, mac = proof.split(".")
    for forged in (proof, f"{identity}.{issued}.{'0' * 64}", f"x.{issued}.{mac}", "~~~", "é", "."):
        headers = HERE | {"Cookie": f"luot_known={forged}"}
        answer = await client.post(
            "/api/admin/sign-in",
            json={"name": "lan", "password": PASSWORD},
            headers={name.encode(): value.encode() for name, value in headers.items()},
        )
        assert (forged, answer.status_code) == (forged, 429)
    async with browser(client, "lan") as known:
        own = known.cookies["luot_known"]
        shared = {"Cookie": f"luot_known={own}~{proof}"}
        assert (await sign_in(client, "lan", **HERE, **shared)).status_code == 200
        change = {"password": "cà phê và bánh mì"}
        changed = await client.put("/api/admin/users/lan/password", json=change, headers=ADMIN)
        assert changed.status_code == 204
    client.cookies.clear()
    late = await sign_in(client, "lan", change["password"], **HERE, Cookie=f"luot_known={own}")
    assert late.status_code == 429


async def test_who_sets_another_password_stays_known_in_that_browser(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as known:
        change = {"current": PASSWORD, "password": "cà phê và bánh mì"}
        assert (await known.put("/api/admin/password", json=change)).status_code == 204
        await guess(client, LIMITS["name and address"], **HERE)
        assert (await sign_in(known, "lan", change["password"], **HERE)).status_code == 200


async def test_two_accounts_are_known_to_one_browser(client: httpx.AsyncClient) -> None:
    await add_user(client, "lan")
    await add_user(client, "minh")
    async with browser(client, "lan") as desk:
        assert (await sign_in(desk, "minh")).status_code == 200
        await guess(client, LIMITS["name and address"], **HERE)
        assert (await sign_in(desk, "lan", **HERE)).status_code == 200
        assert desk.cookies["luot_known"].count("~") == 1


async def test_who_is_signed_in_gives_the_password_again_whatever_others_try(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as known:
        await attack(client, 1, 10)
        for turn in (204, 204):
            again = await known.post("/api/admin/prove", json={"password": PASSWORD}, headers=of(1))
            assert again.status_code == turn
        wrong = {"password": "a wrong password"}
        answers = [
            (await known.post("/api/admin/prove", json=wrong)).status_code
            for _ in range(LIMITS["known browser"] + 1)
        ]
        assert answers == [401] * LIMITS["known browser"] + [429]


async def test_known_and_unknown_names_are_refused_alike(client: httpx.AsyncClient) -> None:
    await add_user(client, "lan")
    told = {
        name: [
            (answer.status_code, answer.text.replace(answer.headers.get("Retry-After", "-"), ""))
            for answer in [
                await sign_in(client, name, "a wrong password", **of(number)) for _ in range(7)
            ]
        ]
        for number, name in enumerate(("lan", "nobody"))
    }
    assert told["lan"] == told["nobody"]


async def test_a_proof_for_a_name_that_nobody_has_is_worth_nothing(
    client: httpx.AsyncClient,
) -> None:
    signed = "browser.1704258000"
    mac = known_browsers._mac(known_browsers._NOBODY, signed)
    forged = HERE | {"Cookie": f"luot_known={signed}.{mac}"}
    answers = [
        (await sign_in(client, "nobody", "a wrong password", **forged)).status_code
        for _ in range(LIMITS["name and address"] + 1)
    ]
    assert answers == [401] * LIMITS["name and address"] + [429]


async def test_a_proof_by_a_key_that_anybody_knows_tells_no_names_apart(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "lan")
    for issued in ("soon", "9" * 5000):
        for user in (_OF_NOTHING, known_browsers._NOBODY):
            signed = f"browser.{issued}"
            cookie = f"luot_known={signed}.{known_browsers._mac(user, signed)}"
            answers = [
                await sign_in(client, name, "a wrong password", Cookie=cookie)
                for name in ("lan", "nobody")
            ]
            assert [answer.status_code for answer in answers] == [401, 401]
            assert answers[0].json() == answers[1].json()


async def burst(client: httpx.AsyncClient, addresses: int, times: int) -> list[int]:
    """Guess many passwords at the same moment, of many names; return what was answered."""
    answers = await asyncio.gather(
        *(
            sign_in(client, f"name{turn}", "a wrong password", **of(turn % addresses))
            for turn in range(times)
        )
    )
    return [answer.status_code for answer in answers]


@pytest.mark.usefixtures("dear_passwords")
async def test_a_burst_from_one_address_leaves_room_for_others(client: httpx.AsyncClient) -> None:
    await add_user(client, "lan")
    attacked = asyncio.create_task(burst(client, addresses=1, times=90))
    async with httpx.AsyncClient(base_url=client.base_url) as elsewhere:
        while not attacked.done():
            assert (await sign_in(elsewhere, "lan", **ELSEWHERE)).status_code == 200
    assert Counter(await attacked) == {401: LIMITS["address"], 429: 90 - LIMITS["address"]}


@pytest.mark.usefixtures("dear_passwords")
async def test_a_burst_from_many_addresses_leaves_room_for_browsers_that_are_known(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as known:
        attacked = asyncio.create_task(burst(client, addresses=40, times=90))
        while not attacked.done():
            assert (await sign_in(known, "lan", **of(1))).status_code == 200
        told = Counter(await attacked)
    assert told[503] > 0, "more than can wait"
    assert set(told) == {401, 503}
