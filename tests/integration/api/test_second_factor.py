"""The second factor over HTTP: turned on, asked for, lost, required, and tried by others."""

import asyncio
from typing import Any

import httpx
import pyotp
import pytest
from redis.asyncio import Redis

from services.api.access.codes import RECOVERY_CODES, STEP_SECONDS
from services.api.access.throttle import CODE_LIMITS
from services.store.interface import Store
from services.store.records.accounts import USERS
from tests.integration.api.people import (
    ADMIN,
    PASSWORD,
    add_user,
    audit,
    browser,
    sign_in,
)
from tests.integration.api.world import Clock

pytestmark = pytest.mark.asyncio(loop_scope="module")

OWN = "/api/admin/second-factor"
ACCOUNT = "/api/admin/account"
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}
PAGE = {"Accept": "text/html", "Accept-Language": "en"}


class Phone:
    """An application with a secret, whose clock is the server's."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._totp = pyotp.TOTP(secret)
        self._clock = clock

    def code(self, seconds: float = 0) -> str:
        """Return the code it shows so many seconds from now."""
        return self._totp.at(int(self._clock.now + seconds))

    def next_code(self) -> str:
        """Let half a minute pass, and return the code it shows then."""
        self._clock.now += STEP_SECONDS
        return self.code()


async def enrol(own: httpx.AsyncClient, clock: Clock) -> tuple[Phone, list[str]]:
    """Turn on the second factor of who is signed in."""
    made = (await own.post(f"{OWN}/secret")).json()
    assert made["address"].startswith("otpauth://totp/")
    phone = Phone(made["secret"], clock)
    body = {"password": PASSWORD, "secret": made["secret"], "code": phone.code()}
    turned = await own.put(OWN, json=body)
    assert turned.status_code == 200, turned.text
    return phone, turned.json()["recovery_codes"]


async def come(client: httpx.AsyncClient, code: str | None, **headers: str) -> httpx.Response:
    """Sign in as lan in a new browser, with a code."""
    body = {"name": "lan", "password": PASSWORD} | ({} if code is None else {"code": code})
    async with httpx.AsyncClient(base_url=client.base_url) as fresh:
        return await fresh.post("/api/admin/sign-in", json=body, headers=headers)


async def change(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    return await client.patch("/api/admin/users/lan", json=fields, headers=ADMIN)


async def test_from_then_on_signing_in_takes_a_code_and_each_code_serves_once(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as lan, browser(client, "lan") as other:
        phone, _ = await enrol(lan, clock)
        assert (await lan.get(ACCOUNT)).json()["second_factor"]["on"] is True
        assert (await other.get(ACCOUNT)).status_code == 401, "the other sessions have ended"

    missing = await come(client, None)
    assert (missing.status_code, list(missing.json()["errors"])) == (401, ["code"])
    assert "set-cookie" not in missing.headers
    used = await come(client, phone.code())
    assert used.status_code == 401, "the code that turned it on does not sign in as well"
    code = phone.next_code()
    assert (await come(client, f"{code[:3]} {code[3:]}")).status_code == 200
    again = await come(client, code)
    assert (again.status_code, list(again.json()["errors"])) == (401, ["code"])
    earlier = await come(client, phone.code(-STEP_SECONDS))
    assert earlier.status_code == 401, "nor does one from before it"
    assert (await come(client, phone.code(STEP_SECONDS))).status_code == 200, "a clock that is fast"
    assert (await come(client, phone.code(3 * STEP_SECONDS))).status_code == 401
    wrong = await sign_in(client, "lan", "a wrong password")
    assert list(wrong.json()["errors"]) == ["sign_in"], "who guesses learns nothing of the factor"


@pytest.mark.parametrize("is_of_phone", [True, False])
async def test_of_two_that_come_with_one_code_at_once_one_is_let_in(
    client: httpx.AsyncClient, clock: Clock, is_of_phone: bool
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as lan:
        phone, recovery = await enrol(lan, clock)
    code = phone.next_code() if is_of_phone else recovery[0]
    answers = await asyncio.gather(*(come(client, code) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


async def test_a_recovery_code_opens_the_account_once(
    client: httpx.AsyncClient, clock: Clock, store: Store
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as lan:
        _, recovery = await enrol(lan, clock)
        assert len(set(recovery)) == RECOVERY_CODES
        assert (await come(client, recovery[0].upper().replace("-", " "))).status_code == 200
        assert (await come(client, recovery[0])).status_code == 401
        assert (await come(client, recovery[1])).status_code == 200
        left = (await lan.get(ACCOUNT)).json()["second_factor"]["recovery_codes"]
        assert left == RECOVERY_CODES - 2

        renewed = await lan.post(f"{OWN}/recovery-codes", json={"password": PASSWORD})
        assert len(renewed.json()["recovery_codes"]) == RECOVERY_CODES
        assert (await come(client, recovery[2])).status_code == 401
        assert (await come(client, renewed.json()["recovery_codes"][0])).status_code == 200
    (kept,) = [str(user) for user in (await USERS.load(store)).rows.values()]
    assert not any(code in kept for code in [*recovery, *renewed.json()["recovery_codes"]])


async def test_turning_it_on_or_off_takes_the_password_and_a_code_of_the_secret(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as lan:
        secret = (await lan.post(f"{OWN}/secret")).json()["secret"]
        right = {"password": PASSWORD, "secret": secret, "code": Phone(secret, clock).code()}
        for wrong, status, field in (
            ({"password": "a wrong password"}, 401, "sign_in"),
            ({"code": "000000"}, 400, "code"),
            ({"secret": "A" * 32}, 400, "secret"),
            ({"secret": "short"}, 400, "secret"),
        ):
            answer = await lan.put(OWN, json=right | wrong)
            assert (answer.status_code, list(answer.json()["errors"])) == (status, [field])
        assert (await come(client, None)).status_code == 200
        assert (await lan.put(OWN, json=right)).status_code == 200
        assert (await lan.put(OWN, json=right)).status_code in (400, 409)

        for step in ("off", "recovery-codes"):
            refused = await lan.post(f"{OWN}/{step}", json={"password": "a wrong password"})
            assert refused.status_code == 401
        assert (await come(client, None)).status_code == 401
        off = await lan.post(f"{OWN}/off", json={"password": PASSWORD})
        assert off.status_code == 204
        assert (await come(client, None)).status_code == 200
        none = await lan.post(f"{OWN}/off", json={"password": PASSWORD})
        assert none.status_code == 409
    actions = [entry["action"] for entry in await audit(client) if entry["who"] == "lan"]
    assert [name for name in actions if name.startswith("second")] == [
        "second_factor.off",
        "second_factor.on",
    ]
    assert secret not in str(await audit(client))


async def test_guessing_codes_is_slow_and_stops_nobody_else(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as lan:
        phone, _ = await enrol(lan, clock)
        here = {"X-Forwarded-For": "198.51.100.7"}
        for _ in range(CODE_LIMITS["code and address"]):
            assert (await come(client, "000000", **here)).status_code == 401
        refused = await come(client, phone.next_code(), **here)
        assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
        body = {"name": "lan", "password": PASSWORD, "code": phone.code()}
        known = await lan.post("/api/admin/sign-in", json=body, headers=here)
        assert known.status_code == 200
    assert (await come(client, phone.next_code(), **ELSEWHERE)).status_code == 200


async def test_codes_from_everywhere_are_bounded_for_a_day(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as lan:
        phone, _ = await enrol(lan, clock)
    tried = CODE_LIMITS["code"] // CODE_LIMITS["code and address"]
    for address in range(tried):
        for _ in range(CODE_LIMITS["code and address"]):
            there = {"X-Forwarded-For": f"198.51.100.{address}"}
            assert (await come(client, "000000", **there)).status_code == 401
    late = await come(client, phone.next_code(), **ELSEWHERE)
    assert late.status_code == 429
    assert 86_000 < int(late.headers["Retry-After"]) <= 86_400


async def test_an_owner_resets_it_for_who_has_lost_the_telephone(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as lan:
        await enrol(lan, clock)
        listed = (await client.get("/api/admin/users", headers=ADMIN)).json()["users"]
        assert [user["second_factor"] for user in listed] == [True]
        reset = await client.delete("/api/admin/users/lan/second-factor", headers=ADMIN)
        assert reset.status_code == 204
        assert (await lan.get(ACCOUNT)).status_code == 401
    assert (await come(client, None)).status_code == 200
    again = await client.delete("/api/admin/users/lan/second-factor", headers=ADMIN)
    assert again.status_code == 409
    assert "second_factor.reset" in [entry["action"] for entry in await audit(client)]


async def test_an_owner_does_not_get_around_the_password_of_their_own_account(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan", "owner", ())
    async with browser(client, "lan") as lan:
        await enrol(lan, clock)
        own = await lan.delete("/api/admin/users/lan/second-factor")
        assert (own.status_code, list(own.json()["errors"])) == (409, ["second_factor"])
        csrf = {"csrf": lan.headers["X-CSRF-Token"]}
        page = await lan.post("/admin/users/lan/second-factor/reset", data=csrf, headers=PAGE)
        assert (page.status_code, "This is your own" in page.text) == (400, True)
    assert (await come(client, None)).status_code == 401


async def test_who_is_asked_for_it_can_do_nothing_before_it_is_on(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await add_user(client, "lan", "owner", ())
    asked = await change(client, second_factor_required=True)
    assert asked.json()["second_factor_required"] is True
    async with browser(client, "lan") as lan:
        for method, path in (
            ("GET", "/api/admin/sites"),
            ("GET", "/api/admin/users"),
            ("GET", ACCOUNT),
            ("GET", "/api/admin/backup"),
            ("GET", "/api/admin/tail"),
            ("GET", "/api/v1/stats/aggregate?site_id=mytho"),
            ("PATCH", "/api/admin/sites/mytho"),
            ("POST", f"{OWN}/off"),
        ):
            answer = await lan.request(method, path)
            assert (path, answer.status_code) == (path, 403)
            assert list(answer.json()["errors"]) == ["second_factor"]
        for path in ("/admin", "/admin/users", "/admin/account", "/admin/sites/mytho"):
            led = await lan.get(path, headers=PAGE)
            assert (led.status_code, led.headers["location"]) == (303, "/admin/second-factor")
        assert (await lan.get("/api/admin/whoami")).status_code == 200

        phone, _ = await enrol(lan, clock)
        assert (await lan.get("/api/admin/sites")).status_code == 200
        off = await lan.post(f"{OWN}/off", json={"password": PASSWORD})
        assert (off.status_code, list(off.json()["errors"])) == (403, ["second_factor"])
    assert (await come(client, None)).status_code == 401
    assert (await come(client, phone.next_code())).status_code == 200
    await change(client, second_factor_required=False)
    async with httpx.AsyncClient(base_url=client.base_url) as own:
        body = {"name": "lan", "password": PASSWORD, "code": phone.next_code()}
        own.headers["X-CSRF-Token"] = (await own.post("/api/admin/sign-in", json=body)).json()[
            "csrf"
        ]
        assert (await own.post(f"{OWN}/off", json={"password": PASSWORD})).status_code == 204


async def test_a_page_asks_for_the_code_after_the_password_and_not_for_both_again(
    client: httpx.AsyncClient, clock: Clock, redis: Redis
) -> None:
    await add_user(client, "lan")
    async with browser(client, "lan") as lan:
        phone, _ = await enrol(lan, clock)
    async with httpx.AsyncClient(base_url=client.base_url, headers=PAGE) as desk:
        form = {"name": "lan", "password": PASSWORD, "next": "/admin/account"}
        asked = await desk.post("/admin/sign-in", data=form)
        assert asked.status_code == 200
        assert PASSWORD not in asked.text
        half = asked.text.partition('name="half" value="')[2].partition('"')[0]
        assert half
        assert (await desk.get("/api/admin/whoami")).status_code == 401
        keys = [key async for key in redis.scan_iter("*")]
        assert not any(half.encode() in key for key in keys)

        step = {"half": half, "next": "/admin/account"}
        wrong = await desk.post("/admin/sign-in", data=step | {"code": "000000"})
        assert (wrong.status_code, "This code is wrong" in wrong.text) == (401, True)
        forged = await desk.post("/admin/sign-in", data=step | {"half": "x", "code": "000000"})
        assert (forged.status_code, "It took too long" in forged.text) == (410, True)
        right = await desk.post("/admin/sign-in", data=step | {"code": phone.next_code()})
        assert (right.status_code, right.headers["location"]) == (303, "/admin/account")
        page = await desk.get("/admin/account")
        assert page.status_code == 200
        assert "On since" in page.text
        late = await desk.post("/admin/sign-in", data=step | {"code": phone.next_code()})
        assert late.status_code == 410, "what has served does not serve again"
