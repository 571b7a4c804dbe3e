"""Signing in and out, as browsers do it."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from services.api.app import Api
from services.api.settings import ApiSettings
from services.state.sessions import IDLE_SECONDS, LONGEST_SECONDS
from services.state.state import State
from services.store.interface import Store
from tests.integration.api.form_fields import fields_of
from tests.integration.api.people import ADMIN, PASSWORD, add_user, browser, sign_in
from tests.integration.api.world import TOKEN, Clock, serving
from tests.servers.redis import RedisServer
from tests.unit.enrich import mmdb

WHOAMI = "/api/admin/whoami"
SITE = "/api/admin/sites/mytho"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def lan(client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """An editor of one site, signed in."""
    await add_user(client, "lan", "editor")
    async with browser(client, "lan") as own:
        yield own


@pytest_asyncio.fixture(loop_scope="module")
async def second(
    store: Store, redis_server: RedisServer, clock: Clock, api: Api
) -> AsyncIterator[httpx.AsyncClient]:
    """Another API on the same stores."""
    async with Redis.from_url(redis_server.url) as client:
        settings = ApiSettings.read({}, admin_token=TOKEN)
        other = Api(settings, store=store, state=State(client), clock=clock, monotonic=clock)
        await other.start()
        async with serving(other.asgi) as answering:
            yield answering
        await other.stop()


def session_of(client: httpx.AsyncClient) -> dict[str, str]:
    return {"Cookie": f"luot={client.cookies['luot']}"}


async def test_a_session_lasts_from_sign_in_to_sign_out(client: httpx.AsyncClient) -> None:
    await add_user(client, "lan", "editor")
    signed = await sign_in(client, " LAN ")

    assert signed.status_code == 200
    cookie = signed.headers["set-cookie"]
    assert cookie.startswith("luot=")
    for part in ("HttpOnly", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Secure" not in cookie
    assert "Domain" not in cookie
    body = signed.json()
    me = await client.get(WHOAMI)
    assert me.json() == body
    assert (body["name"], body["role"], body["sites"]) == ("lan", "editor", ["mytho"])
    assert me.headers["cache-control"] == "no-store"

    headers = {"X-CSRF-Token": body["csrf"]}
    old = session_of(client)
    assert (await client.post("/api/admin/sign-out", headers=headers)).status_code == 204
    assert "luot" not in client.cookies
    assert (await client.get(WHOAMI)).status_code == 401
    assert (await client.get(WHOAMI, headers=old)).status_code == 401


@pytest.mark.parametrize(
    ("peers", "host", "secure"),
    [
        ("127.0.0.1", "x", True),
        ("192.0.2.1", "x", False),
        ("192.0.2.1", "thongke.example.vn", True),
    ],
)
async def test_behind_tls_the_cookie_is_bound_to_host_and_tls(
    store: Store, redis: Redis, clock: Clock, peers: str, host: str, secure: bool
) -> None:
    settings = ApiSettings.read(
        {"LUOT_TRUSTED_PROXIES": peers, "LUOT_PUBLIC_HOSTS": "x"},
        admin_token=TOKEN,
        public_url="https://thongke.example.vn/luot",
    )
    api = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await api.start()
    async with serving(api.asgi) as client:
        await add_user(client, "lan")
        signed = await sign_in(client, "lan", Host=host, **{"X-Forwarded-Proto": "https"})
    await api.stop()

    cookie = signed.headers["set-cookie"]
    assert cookie.startswith("__Host-luot=") == secure
    assert ("Secure" in cookie) == secure


async def test_a_form_is_led_to_its_next_page_and_nowhere_else(client: httpx.AsyncClient) -> None:
    await add_user(client, "lan")
    for wanted, led in {
        "/admin/mytho?period=30d": "/admin/mytho?period=30d",
        "//evil.example": "/admin",
        "https://evil.example/": "/admin",
        "/\\evil.example": "/admin",
        "/a\r\nSet-Cookie: x=y": "/admin",
    }.items():
        form = {"name": "lan", "password": PASSWORD, "next": wanted}
        answer = await client.post("/api/admin/sign-in", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, led)
    me = (await client.get(WHOAMI)).json()
    assert me["name"] == "lan"
    wrong = await client.post("/api/admin/sign-out", data={"csrf": "0" * 64, "next": "/"})
    assert wrong.status_code == 403
    out = await client.post("/api/admin/sign-out", data={"csrf": me["csrf"], "next": "/"})
    assert (out.status_code, out.headers["location"]) == (303, "/")
    assert (await client.get(WHOAMI)).status_code == 401


async def test_a_form_that_is_sent_after_the_session_ended_is_said_to_be_lost(
    lan: httpx.AsyncClient, clock: Clock
) -> None:
    lan.headers.update({"Accept": "text/html", "Accept-Language": "en"})
    form_page = "/admin/sites/mytho/settings?lang=en"
    sent = {"csrf": lan.headers.pop("X-CSRF-Token"), "name": "x"}
    clock.now += IDLE_SECONDS
    came = {"Referer": f"{str(lan.base_url).rstrip('/')}{form_page}&saved=1"}
    lost = await lan.post("/admin/sites/mytho/settings", data=sent, headers=came)
    door = f"/admin/sign-in?unsaved=1&next={quote(form_page, safe='/')}"
    assert (lost.status_code, lost.headers["location"]) == (303, door)
    page = await lan.get(door)
    assert "what you sent was not saved" in page.text
    (to,) = fields_of(page.text, "/admin/sign-in")["next"]
    again = {"name": "lan", "password": PASSWORD, "next": to}
    back = await lan.post("/admin/sign-in", data=again)
    assert (back.status_code, back.headers["location"]) == (303, form_page)
    assert (await lan.get(form_page)).status_code == 200
    assert "was not saved" not in (await lan.get("/admin/sign-in?next=/admin")).text


@pytest.mark.parametrize(
    ("referrer", "sent_to", "led"),
    [
        ("", "/admin/new-site", "/admin/new-site"),
        ("", "/admin/groups/tinh/remove", "/admin/groups/tinh"),
        ("", "/admin/sites/mytho/sharing?period=month", "/admin/sites/mytho/sharing?period=month"),
        ("", "/admin/tokens/x/revoke", "/admin/tokens"),
        ("{home}/admin/groups/xa/remove", "/admin/groups/xa/edit", "/admin/groups/xa"),
        ("{home}/admin/sites/mytho/corrections?look=1", "/admin/sites/mytho/peak", None),
        ("{home}//evil.example/admin", "/admin/new-site", "/admin/new-site"),
        ("{home}/api/v1/sites", "/admin/new-site", "/admin/new-site"),
        ("{home}/admin/../evil", "/admin/new-site", "/admin/new-site"),
        ("https://evil.example/admin/users", "/admin/new-site", "/admin/new-site"),
        ("//[", "/admin/new-site", "/admin/new-site"),
    ],
)
async def test_who_signs_in_again_is_led_to_a_page_of_this_server(
    client: httpx.AsyncClient, referrer: str, sent_to: str, led: str | None
) -> None:
    home = str(client.base_url).rstrip("/")
    headers = {"Accept": "text/html", "Referer": referrer.format(home=home)}
    lost = await client.post(sent_to, data={"name": "x"}, headers=headers)
    page = await client.get(lost.headers["location"], headers={"Accept": "text/html"})
    (to,) = fields_of(page.text, "/admin/sign-in")["next"]
    assert to == (led or referrer.format(home=""))


async def test_what_another_page_sends_is_refused(lan: httpx.AsyncClient) -> None:
    for headers in (
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[oops"},
    ):
        answer = await lan.patch(SITE, json={"name": "x"}, headers=headers)
        assert answer.status_code == 403, headers
        if "X-CSRF-Token" not in headers:
            assert (await sign_in(lan, "lan", **headers)).status_code == 403
    ours = {"Origin": str(lan.base_url).rstrip("/"), "Sec-Fetch-Site": "same-origin"}
    assert (await lan.patch(SITE, json={"name": "x"}, headers=ours)).status_code == 200
    behind_a_proxy = {"Origin": "http://127.0.0.1"}  # which told neither port nor scheme
    assert (await lan.patch(SITE, json={"name": "y"}, headers=behind_a_proxy)).status_code == 200
    assert (await lan.get(SITE, headers={"Sec-Fetch-Site": "cross-site"})).status_code == 200


async def test_a_token_needs_no_csrf_token(client: httpx.AsyncClient) -> None:
    headers = ADMIN | {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"}
    assert (await client.patch(SITE, json={"name": "x"}, headers=headers)).status_code == 200


async def test_a_session_that_is_not_used_ends(lan: httpx.AsyncClient, clock: Clock) -> None:
    for _ in range(3):
        clock.now += IDLE_SECONDS - 1
        assert (await lan.get(WHOAMI)).status_code == 200
    clock.now += IDLE_SECONDS
    assert (await lan.get(WHOAMI)).status_code == 401
    clock.now -= IDLE_SECONDS
    assert (await lan.get(WHOAMI)).status_code == 401


async def test_a_session_ends_at_last_even_if_it_is_used(
    lan: httpx.AsyncClient, clock: Clock
) -> None:
    begun = clock.now
    while clock.now + IDLE_SECONDS / 2 < begun + LONGEST_SECONDS:
        clock.now += IDLE_SECONDS / 2
        assert (await lan.get(WHOAMI)).status_code == 200
    clock.now = begun + LONGEST_SECONDS
    assert (await lan.get(WHOAMI)).status_code == 401


async def test_another_password_ends_every_session_in_every_process_at_once(
    client: httpx.AsyncClient, second: httpx.AsyncClient, lan: httpx.AsyncClient
) -> None:
    async with browser(client, "lan") as elsewhere:
        assert (await second.get(WHOAMI, headers=session_of(elsewhere))).status_code == 200
        change = {"current": PASSWORD, "password": "cà phê và bánh mì"}
        changed = await lan.put("/api/admin/password", json=change)
        assert changed.status_code == 204
        assert (await second.get(WHOAMI, headers=session_of(elsewhere))).status_code == 401
        assert (await elsewhere.get(WHOAMI)).status_code == 401
    assert (await lan.get(WHOAMI)).status_code == 401
    assert (await sign_in(client, "lan")).status_code == 401
    assert (await sign_in(client, "lan", change["password"])).status_code == 200


async def test_the_own_password_takes_the_one_of_before(lan: httpx.AsyncClient) -> None:
    change = {"current": "something else", "password": "cà phê và bánh mì"}
    assert (await lan.put("/api/admin/password", json=change)).status_code == 401
    assert (await lan.get(WHOAMI)).status_code == 200


async def test_whoever_is_removed_is_out_in_every_process_at_once(
    client: httpx.AsyncClient, second: httpx.AsyncClient, lan: httpx.AsyncClient
) -> None:
    assert (await second.get(WHOAMI, headers=session_of(lan))).status_code == 200
    removed = await client.delete("/api/admin/users/lan", headers=ADMIN)
    assert removed.status_code == 204
    assert (await second.get(WHOAMI, headers=session_of(lan))).status_code == 401
    assert (await lan.get(WHOAMI)).status_code == 401


async def test_another_role_counts_in_every_process_within_a_second(
    client: httpx.AsyncClient, second: httpx.AsyncClient, lan: httpx.AsyncClient, clock: Clock
) -> None:
    assert (await second.get(WHOAMI, headers=session_of(lan))).json()["role"] == "editor"
    demoted = await client.patch("/api/admin/users/lan", json={"role": "viewer"}, headers=ADMIN)
    assert demoted.status_code == 200
    clock.now += 1
    assert (await second.get(WHOAMI, headers=session_of(lan))).json()["role"] == "viewer"
    assert (await lan.patch(SITE, json={"name": "x"})).status_code == 403


async def test_redis_does_not_hold_what_would_open_a_session(
    lan: httpx.AsyncClient, redis: Redis
) -> None:
    secret = lan.cookies["luot"].encode()
    keys = [key async for key in redis.scan_iter("*")]
    held = [await redis.dump(key) for key in keys]
    assert any(b"lan" in (value or b"") for value in held)
    assert not any(secret in part for part in [*keys, *filter(None, held)])
    sessions = [key for key in keys if key.startswith(b"session:")]
    assert 0 < await redis.ttl(sessions[0]) <= IDLE_SECONDS


async def test_without_redis_nobody_is_signed_in_and_tokens_work(
    store: Store, redis_server: RedisServer, clock: Clock, client: httpx.AsyncClient
) -> None:
    await add_user(client, "lan", "owner", ())
    made = await client.post("/api/admin/tokens", json={"sites": ["*"]}, headers=ADMIN)
    token = {"Authorization": f"Bearer {made.json()['token']}"}
    async with browser(client, "lan") as lan:
        redis_server.stop()
        try:
            asked = await lan.get(WHOAMI)
            assert (asked.status_code, "Retry-After" in asked.headers) == (503, True)
            assert (await sign_in(client, "lan")).status_code == 503
            assert (await client.get(WHOAMI, headers=token)).json()["role"] == "viewer"
            assert (await client.get(WHOAMI, headers=ADMIN)).json()["role"] == "owner"
            assert (await client.get(WHOAMI)).status_code == 401
            late = await client.patch("/api/admin/users/lan", json={"sites": []}, headers=ADMIN)
            assert late.status_code == 503
        finally:
            redis_server.start()
        assert (await lan.get(WHOAMI)).status_code == 200


async def test_on_a_full_redis_people_still_sign_in_and_out(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    await add_user(client, "lan")
    await redis.config_set("maxmemory", "1")
    try:
        with pytest.raises(ResponseError, match="maxmemory"):
            await redis.set("x", "y")
        assert (await sign_in(client, "lan", "a wrong password")).status_code == 401
        signed = await sign_in(client, "lan")
        assert signed.status_code == 200
        assert (await client.get(WHOAMI)).json()["name"] == "lan"
        csrf = {"X-CSRF-Token": signed.json()["csrf"]}
        assert (await client.post("/api/admin/sign-out", headers=csrf)).status_code == 204
        assert (await client.get(WHOAMI)).status_code == 401
    finally:
        await redis.config_set("maxmemory", "0")


async def test_a_session_tells_the_country_it_is_in_and_nothing_nearer(
    store: Store, redis: Redis, clock: Clock, tmp_path: Path
) -> None:
    database = tmp_path / "countries.mmdb"
    mmdb.write(database, {"198.51.100.0/24": {"country": {"iso_code": "VN"}}})
    settings = ApiSettings.read({"LUOT_COUNTRY_DATABASE": str(database)}, admin_token=TOKEN)
    api = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await api.start()
    async with serving(api.asgi) as client:
        await add_user(client, "lan")
        here = {"X-Forwarded-For": "198.51.100.7"}
        assert (await sign_in(client, "lan", **here)).status_code == 200
        (session,) = (await client.get("/api/admin/account")).json()["sessions"]
        assert session["country"] == "VN"
        page = await client.get("/admin/account", headers={"Accept-Language": "vi"})
        assert "Việt Nam" in page.text
        logged = await client.get("/api/admin/audit", headers=ADMIN)
        assert '"country":"VN"' in logged.text.replace(": ", ":")
        assert "198.51" not in logged.text
    await api.stop()
