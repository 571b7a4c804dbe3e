"""Guessing passwords is slow; knowing one is not."""

import time

import httpx
import pytest
from redis.asyncio import Redis

from services.api.access.throttle import LIMITS, WINDOW_SECONDS
from tests.integration.test_api.people import add_user, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")

HERE = {"X-Forwarded-For": "198.51.100.7"}
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}


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
