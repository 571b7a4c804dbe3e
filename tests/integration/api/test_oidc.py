"""People sign in at a real provider of OpenID Connect; what they may do follows their groups."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.settings import SettingsError
from services.state.state import State
from services.store.interface import Store
from tests.integration.api.people import ADMIN, PASSWORD, add_user, audit, sign_in
from tests.integration.api.world import HANOI, TOKEN, Clock, serving
from tests.servers import oidc
from tests.servers.oidc import OidcProvider
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

LUOT = "http://127.0.0.1:9"
BEGIN = "/admin/sign-in/oidc"
HTML = {"Accept": "text/html", "Accept-Language": "en"}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OidcProvider]:
    provider = OidcProvider(tmp_path_factory.mktemp("provider"), LUOT)
    provider.person("lan", "desk", email="lan@mytho.example", email_verified=True)
    provider.person("Minh.Nguyen", "cn=all,ou=x", "others")
    provider.person("nobody")
    provider.person("admin", "admins")
    provider.person("odd name", "desk")
    provider.start()
    yield provider
    provider.stop()


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime.now(HANOI))


@pytest_asyncio.fixture(loop_scope="module")
async def client(
    store: Store, redis: Redis, redis_server: RedisServer, clock: Clock, provider: OidcProvider
) -> AsyncIterator[httpx.AsyncClient]:
    settings = ApiSettings.read(provider.settings, admin_token=TOKEN, redis_url=redis_server.url)
    api = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await api.start()
    async with serving(api.asgi) as client:
        client.headers.update(HTML)
        yield client
    await api.stop()


async def at_provider(address: str, name: str) -> str:
    """Return where the provider sends a browser in which somebody gives their password."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(address)
        while True:
            if answer.status_code != 302:
                form = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', answer.text)
                assert form, answer.text
                fields = {"username": name, "password": oidc.PASSWORD}
                answer = await browser.post(
                    answer.request.url, data={**fields, "csrfmiddlewaretoken": form[1]}
                )
                assert answer.status_code == 302, answer.text
            location = urljoin(str(answer.request.url), answer.headers["location"])
            if location.startswith(LUOT):
                return location.removeprefix(LUOT)
            answer = await browser.get(location)


async def come_in(client: httpx.AsyncClient, name: str, to: str = "") -> httpx.Response:
    client.cookies.delete("luot") if "luot" in client.cookies else None
    begun = await client.get(BEGIN, params={"next": to} if to else {})
    assert begun.status_code == 303, begun.text
    return await client.get(await at_provider(begun.headers["location"], name))


async def whoami(client: httpx.AsyncClient) -> tuple[str, str, list[str]]:
    me = (await client.get("/api/admin/whoami")).json()
    return me["name"], me["role"], me["sites"]


async def test_somebody_in_a_group_gets_an_account_at_the_first_sign_in(
    client: httpx.AsyncClient,
) -> None:
    form = (await client.get("/admin/sign-in?next=/admin/sites/mytho")).text
    assert f'href="{BEGIN}?next=/admin/sites/mytho">Sign in with Cổng tỉnh' in form

    began = await client.get(BEGIN)
    asked = parse_qs(urlsplit(began.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    assert len(asked["state"][0]) >= 43
    assert len(asked["nonce"][0]) >= 43
    assert "HttpOnly" in began.headers["set-cookie"]

    came = await come_in(client, "lan", "/admin/sites/mytho")
    assert (came.status_code, came.headers["location"]) == (303, "/admin/sites/mytho")
    assert await whoami(client) == ("lan", "editor", ["mytho"])
    assert "luot_oidc" not in client.cookies
    entries = await audit(client)
    added = [entry for entry in entries if entry["action"] == "user.add"]
    signed = [entry for entry in entries if entry["action"] == "sign_in"]
    assert [(one["who"], one["subject"]) for one in added] == [("groups:oidc", "lan")]
    assert [(one["who"], one["after"]["sign_in"]) for one in signed] == [("lan", "oidc")]
    users = (await client.get("/api/admin/users", headers=ADMIN)).json()["users"]
    assert [(one["name"], one["sign_in"]) for one in users] == [("lan", "oidc")]


async def test_the_role_follows_the_groups_at_each_sign_in(
    client: httpx.AsyncClient, provider: OidcProvider
) -> None:
    await come_in(client, "Minh.Nguyen")
    assert await whoami(client) == ("minh.nguyen", "viewer", ["*"])
    before = {"Cookie": f"luot={client.cookies['luot']}"}
    provider.person("Minh.Nguyen", "cn=all,ou=x", "desk")
    await come_in(client, "Minh.Nguyen")
    assert await whoami(client) == ("minh.nguyen", "editor", ["mytho"])

    provider.person("Minh.Nguyen", "others")
    refused = await come_in(client, "Minh.Nguyen")
    assert refused.status_code == 403
    assert "You (minh.nguyen) are in no group that may do anything here" in refused.text
    # The sessions of before are over as well.
    assert (await client.get("/api/admin/whoami", headers=before)).status_code == 401
    changes = [one["after"] for one in await audit(client) if one["action"] == "user.edit"]
    assert changes == [{"role": "viewer", "sites": []}, {"role": "editor", "sites": ["mytho"]}]
    provider.person("Minh.Nguyen", "cn=all,ou=x", "others")


async def test_who_is_in_no_group_or_has_no_fitting_name_gets_no_account(
    client: httpx.AsyncClient,
) -> None:
    refused = await come_in(client, "nobody")
    assert refused.status_code == 403
    assert "luot" not in client.cookies
    odd = await come_in(client, "odd name")
    assert odd.status_code == 403
    assert "The name “odd name” cannot be the name of an account here." in odd.text
    vietnamese = await client.get("/admin/sign-in/oidc/back", headers={"Accept-Language": "vi"})
    assert "Lần đăng nhập này không bắt đầu từ trình duyệt này" in vietnamese.text
    assert (await client.get("/api/admin/users", headers=ADMIN)).json()["users"] == []


async def test_an_account_with_a_password_is_not_taken_over(client: httpx.AsyncClient) -> None:
    await add_user(client, "admin", "owner", ())
    refused = await come_in(client, "admin")
    assert refused.status_code == 409
    assert "There is an account “admin” here already" in refused.text
    assert (await sign_in(client, "admin")).status_code == 200


async def test_an_account_of_the_provider_has_no_password_here(client: httpx.AsyncClient) -> None:
    await come_in(client, "lan")
    for password in ("", PASSWORD, oidc.PASSWORD):
        assert (await sign_in(client, "lan", password)).status_code == 401
    body = {"password": PASSWORD}
    answer = await client.put("/api/admin/users/lan/password", json=body, headers=ADMIN)
    assert answer.status_code == 409
    assert "signs in elsewhere" in answer.text
    page = (await client.get("/admin/account")).text
    assert "This account signs in with Cổng tỉnh" in page
    assert 'name="current"' not in page


async def test_what_did_not_begin_here_or_begins_twice_is_refused(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    begun = await client.get(BEGIN)
    back = await at_provider(begun.headers["location"], "lan")
    cookie = client.cookies["luot_oidc"]

    async def tried(path: str, kept: str | None) -> httpx.Response:
        headers = {**HTML, **({} if kept is None else {"Cookie": f"luot_oidc={kept}"})}
        async with httpx.AsyncClient(base_url=client.base_url, headers=headers) as other:
            return await other.get(path)

    code, state = (parse_qs(urlsplit(back).query)[name][0] for name in ("code", "state"))
    for path, kept, status in (
        (back, None, 400),
        (back, cookie[:-1] + ("0" if cookie[-1] != "0" else "1"), 400),
        (f"/admin/sign-in/oidc/back?code={code}&state={state[:-1]}", cookie, 400),
        (f"/admin/sign-in/oidc/back?code={code}", cookie, 400),
        (f"/admin/sign-in/oidc/back?state={state}", cookie, 400),
        (f"{back}&iss=https://another.example", cookie, 401),
        (f"/admin/sign-in/oidc/back?code=invented&state={state}", cookie, 401),
        (f"/admin/sign-in/oidc/back?error=access_denied&state={state}", cookie, 401),
        (f"/admin/sign-in/oidc/back?error=<b>&state={state}", cookie, 401),
    ):
        answer = await tried(path, kept)
        assert answer.status_code == status, (path, answer.text)
        assert "luot=" not in answer.headers.get("set-cookie", "")
        assert 'role="alert"' in answer.text
        assert "<b>" not in answer.text
    assert (await tried(back, cookie)).status_code == 303
    # The provider takes a code once.
    assert (await tried(back, cookie)).status_code == 401
    clock.now += timedelta(minutes=16).total_seconds()
    assert (await tried(back, cookie)).status_code == 400


async def test_nobody_is_led_away_from_this_server(client: httpx.AsyncClient) -> None:
    for away in ("https://evil.example/", "//evil.example", "/\\evil.example", "x" * 2000):
        came = await come_in(client, "lan", away)
        assert (came.status_code, came.headers["location"]) == (303, "/admin"), away


async def test_the_provider_may_change_its_keys_and_be_away(
    client: httpx.AsyncClient, provider: OidcProvider, clock: Clock
) -> None:
    assert (await come_in(client, "lan")).status_code == 303
    provider.stop()
    provider.new_key()
    begun = await client.get(BEGIN)
    assert begun.status_code == 303  # what it said of itself is still known
    provider.start()
    clock.set(datetime.now(HANOI) + timedelta(seconds=20))
    assert (await come_in(client, "lan")).status_code == 303


async def test_a_token_from_too_far_in_time_is_refused(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    for away, status in ((-50, 303), (-90, 401), (10 * 3600 - 30, 303), (10 * 3600 + 90, 401)):
        clock.set(datetime.now(HANOI) + timedelta(seconds=away))
        assert (await come_in(client, "lan")).status_code == status, away


async def test_signing_out_offers_to_leave_the_provider_too(
    client: httpx.AsyncClient, provider: OidcProvider
) -> None:
    await come_in(client, "lan")
    csrf = (await client.get("/api/admin/whoami")).json()["csrf"]
    out = await client.post("/admin/sign-out", data={"csrf": csrf})
    assert out.headers["location"] == "/admin/sign-in?left=1"
    page = (await client.get(out.headers["location"])).text
    assert 'href="/admin/sign-in/oidc/leave">Sign out of Cổng tỉnh as well' in page
    leave = await client.get("/admin/sign-in/oidc/leave")
    there = leave.headers["location"]
    assert there.startswith(f"{provider.issuer}/logout/?")
    left = await client.get(there)
    assert left.headers["location"] == f"{LUOT}/admin/sign-in"


async def test_a_provider_that_is_not_there_is_said(
    store: Store, redis: Redis, redis_server: RedisServer, clock: Clock, provider: OidcProvider
) -> None:
    given = {**provider.settings, "LUOT_OIDC_ISSUER": "http://127.0.0.1:9/o"}
    settings = ApiSettings.read(given, admin_token=TOKEN, redis_url=redis_server.url)
    api = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await api.start()
    async with serving(api.asgi) as client:
        answer = await client.get(BEGIN, headers=HTML)
    await api.stop()
    assert answer.status_code == 502
    assert "The sign-in service cannot be reached right now" in answer.text


async def test_an_address_names_an_account_only_where_it_is_verified(
    store: Store, redis: Redis, redis_server: RedisServer, clock: Clock, provider: OidcProvider
) -> None:
    provider.person("phuc", "desk", email="Phuc@mytho.example", email_verified=True)
    for name, verified in (("mai", False), ("hoa", "true"), ("binh", None)):
        said = {} if verified is None else {"email_verified": verified}
        provider.person(name, "desk", email=f"{name}@mytho.example", **said)
    provider.person("khoa", "desk")
    # It learns of new people when it starts.
    provider.stop()
    provider.start()
    given = {**provider.settings, "LUOT_OIDC_USER_CLAIM": "email"}
    settings = ApiSettings.read(given, admin_token=TOKEN, redis_url=redis_server.url)
    api = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await api.start()
    async with serving(api.asgi) as client:
        client.headers.update(HTML)
        clock.set(datetime.now(HANOI))
        for name in ("mai", "hoa", "binh"):
            answer = await come_in(client, name)
            assert answer.status_code == 403
            assert "has not verified your e-mail address" in answer.text
        nameless = await come_in(client, "khoa")
        assert "does not say “email”" in nameless.text
        assert (await come_in(client, "phuc")).status_code == 303
        assert await whoami(client) == ("phuc@mytho.example", "editor", ["mytho"])
    await api.stop()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"LUOT_OIDC_CLIENT_ID": None}, "LUOT_OIDC_CLIENT_ID is not"),
        ({"LUOT_PUBLIC_URL": None}, "LUOT_PUBLIC_URL is not"),
        ({"LUOT_OIDC_ROLES": None}, "LUOT_OIDC_ROLES is not"),
        ({"LUOT_OIDC_ISSUER": None}, "LUOT_OIDC_ISSUER is not"),
        ({"LUOT_OIDC_ISSUER": "http://login.example/o"}, "LUOT_OIDC_ISSUER="),
        ({"LUOT_OIDC_ROLES": "admins"}, "names no group"),
        ({"LUOT_OIDC_ROLES": "admins=chief:*"}, "expected one of owner, editor, viewer"),
        ({"LUOT_OIDC_ROLES": "desk=editor"}, "names no sites"),
    ],
)
async def test_settings_that_do_not_fit_together_stop_the_start(
    changed: dict[str, str | None], said: str, tmp_path: Path
) -> None:
    given = {
        "LUOT_OIDC_ISSUER": "https://login.example/o",
        "LUOT_OIDC_CLIENT_ID": "luot",
        "LUOT_OIDC_ROLES": "admins=owner",
        "LUOT_PUBLIC_URL": "https://luot.example",
        **changed,
    }
    with pytest.raises(SettingsError, match=re.escape(said)):
        ApiSettings.read({name: value for name, value in given.items() if value is not None})
