"""People sign in by the word of a real nginx that has asked for their password."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.settings import SettingsError
from services.state.state import State
from services.store.interface import Store
from tests.integration.api.people import ADMIN, add_user, audit, sign_in
from tests.integration.api.world import TOKEN, Clock, serving
from tests.servers.nginx import Nginx
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {
    "LUOT_AUTH_HEADER": "X-Remote-User",
    "LUOT_AUTH_ROLES": "admins=owner; desk=editor:mytho; all of us=viewer:mytho",
}
HTML = {"Accept": "text/html", "Accept-Language": "en"}
LAN, NGA, HOANG = ((name, "secret") for name in ("Lan", "nga", "hoàng"))
MAP = 'map $remote_user $groups {{ default ""; Lan "others, desk"; nga "all of us"; }}'.format()
LINES = """
            auth_basic "the office";
            auth_basic_user_file {folder}/people;
            proxy_set_header X-Remote-User $remote_user;
            proxy_set_header X-Remote-Groups $groups;
"""


@pytest_asyncio.fixture(loop_scope="module")
async def direct(
    store: Store, redis: Redis, redis_server: RedisServer, clock: Clock
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that comes to Luot past the proxy."""
    settings = ApiSettings.read(SETTINGS, admin_token=TOKEN, redis_url=redis_server.url)
    api = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await api.start()
    async with serving(api.asgi) as client:
        yield client
    await api.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def client(direct: httpx.AsyncClient, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client that comes through nginx."""
    people = [f"{name}:{{PLAIN}}{password}\n" for name, password in (LAN, NGA, HOANG)]
    folder = tmp_path / "nginx"
    folder.mkdir()
    (folder / "people").write_text("".join(people), "utf-8")
    port = direct.base_url.port
    assert port is not None
    nginx = Nginx(folder, [port], MAP, LINES.format(folder=folder)).start()
    async with httpx.AsyncClient(base_url=nginx.url, headers=HTML) as client:
        yield client
    nginx.stop()


async def whoami(client: httpx.AsyncClient, who: tuple[str, str]) -> httpx.Response:
    return await client.get("/api/admin/whoami", auth=who)


async def test_who_is_known_to_the_proxy_is_in_with_the_role_of_their_groups(
    client: httpx.AsyncClient, direct: httpx.AsyncClient
) -> None:
    refused = await client.get("/admin/sites/mytho")
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic")

    page = await client.get("/admin/sites/mytho", auth=LAN)
    assert page.headers["location"] == "/admin/sign-in?next=/admin/sites/mytho"
    came = await client.get(page.headers["location"], auth=LAN)
    assert (came.status_code, came.headers["location"]) == (303, "/admin/sites/mytho")
    me = (await whoami(client, LAN)).json()
    assert (me["name"], me["role"], me["sites"]) == ("lan", "editor", ["mytho"])
    # A change takes the token of the session, as ever.
    for headers, status in (({}, 403), ({"X-CSRF-Token": me["csrf"]}, 200)):
        changed = await client.patch(
            "/api/admin/sites/mytho", json={"name": "x"}, auth=LAN, headers=headers
        )
        assert changed.status_code == status
    signed = [one for one in await audit(direct) if one["action"] in ("sign_in", "user.add")]
    assert [(one["who"], one["after"]["sign_in"]) for one in signed] == [
        ("lan", "header"),
        ("groups:header", "header"),
    ]


async def test_a_session_is_over_when_somebody_else_signs_in_at_the_proxy(
    client: httpx.AsyncClient, direct: httpx.AsyncClient
) -> None:
    await client.get("/admin/sign-in", auth=LAN)
    session = {"Cookie": f"luot={client.cookies['luot']}"}
    assert (await whoami(client, LAN)).status_code == 200
    assert (await whoami(client, NGA)).status_code == 401
    # Nor does it hold past the proxy, which says nothing there.
    assert (await direct.get("/api/admin/whoami", headers=session)).status_code == 401
    await client.get("/admin/sign-in", auth=NGA)
    me = (await whoami(client, NGA)).json()
    assert me["role"] == "viewer"
    # Who signs out stays out until they want in again.
    out = await client.post("/admin/sign-out", data={"csrf": me["csrf"]}, auth=NGA)
    assert out.headers["location"] == "/admin/sign-in?left=1"
    left = await client.get(out.headers["location"], auth=NGA)
    assert "You are signed out of Luot." in left.text
    assert (await whoami(client, NGA)).status_code == 401


async def test_who_is_known_to_the_proxy_reads_that_a_form_was_lost_before_they_are_in_again(
    client: httpx.AsyncClient,
) -> None:
    lost = await client.post("/admin/sites/mytho/notes", data={"text": "x"}, auth=LAN)
    page = await client.get(lost.headers["location"], auth=LAN)
    assert "what you sent was not saved" in page.text
    onward = "/admin/sign-in?next=/admin/sites/mytho/notes"
    assert f'<a href="{onward}">' in page.text
    came = await client.get(onward, auth=LAN)
    assert (came.status_code, came.headers["location"]) == (303, "/admin/sites/mytho/notes")


async def test_what_a_browser_says_of_itself_the_proxy_overwrites(
    client: httpx.AsyncClient,
) -> None:
    forged = {"X-Remote-User": "boss", "X-Remote-Groups": "admins"}
    await client.get("/admin/sign-in", auth=NGA, headers=forged)
    me = (await client.get("/api/admin/whoami", auth=NGA, headers=forged)).json()
    assert (me["name"], me["role"]) == ("nga", "viewer")


async def test_who_is_in_no_group_is_refused(client: httpx.AsyncClient) -> None:
    refused = await client.get("/admin/sign-in", auth=HOANG)
    assert refused.status_code == 403
    assert "You (hoàng) are in no group that may do anything here" in refused.text


async def test_a_header_from_a_peer_that_is_not_trusted_is_refused_and_said(
    store: Store,
    redis: Redis,
    redis_server: RedisServer,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    given = {**SETTINGS, "LUOT_TRUSTED_PROXIES": "10.0.0.5"}
    settings = ApiSettings.read(given, admin_token=TOKEN, redis_url=redis_server.url)
    api = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await api.start()
    forged = {**HTML, "X-Remote-User": "lan", "X-Remote-Groups": "admins"}
    async with serving(api.asgi) as client:
        with caplog.at_level(logging.ERROR):
            answer = await client.get("/admin/sign-in", headers=forged)
        assert answer.status_code == 403
        assert "The proxy that says who you are is not trusted" in answer.text
        assert "luot" not in client.cookies
        [said] = [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR]
        assert said.startswith("X-Remote-User is refused: 127.0.0.1 sent it")
        assert "LUOT_TRUSTED_PROXIES" in said
        metrics = (await client.get("/metrics")).text
        assert 'luot_refused_requests_total{reason="untrusted_header"} ' in metrics
        # Without the header, the form is there as ever.
        await add_user(client, "nga", "viewer")
        assert (await sign_in(client, "nga")).status_code == 200
        assert (await client.get("/api/admin/users", headers=ADMIN)).json()["users"][0]["sign_in"]
    await api.stop()


async def test_a_header_that_is_there_twice_is_refused(direct: httpx.AsyncClient) -> None:
    twice = [("Accept", "text/html"), ("X-Remote-User", "lan"), ("X-Remote-User", "boss")]
    answer = await direct.get("/admin/sign-in", headers=twice)
    assert answer.status_code == 400
    long = {**HTML, "X-Remote-User": "x" * 101}
    assert (await direct.get("/admin/sign-in", headers=long)).status_code == 400
    assert (await audit(direct)) == []


async def test_a_header_without_roles_stops_the_start() -> None:
    with pytest.raises(SettingsError, match="LUOT_AUTH_ROLES is not"):
        ApiSettings.read({"LUOT_AUTH_HEADER": "X-Remote-User"})
    with pytest.raises(SettingsError, match="LUOT_AUTH_HEADER"):
        ApiSettings.read({**SETTINGS, "LUOT_AUTH_HEADER": "X Remote"})
