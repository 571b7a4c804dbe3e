"""What an editor may not do alone: hosts of other sites, every host, and publishing."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.state.state import State
from services.store.interface import Store
from tests.integration.api.people import ADMIN, PASSWORD, add_user, audit, browser
from tests.integration.api.world import TOKEN, Clock, serving

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.usefixtures("cheap_passwords"),
]

SITE = "/api/admin/sites/mytho"
PAGE = {"Accept": "text/html"}


@pytest_asyncio.fixture(loop_scope="module")
async def editor(client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """An editor of one site, beside a site of somebody else."""
    other = {"slug": "danang", "hosts": ["danang.example", "*.hue.example"]}
    assert (await client.post("/api/admin/sites", json=other, headers=ADMIN)).status_code == 201
    everybody = {"slug": "demo", "hosts": ["*"]}
    assert (await client.post("/api/admin/sites", json=everybody, headers=ADMIN)).status_code == 201
    await add_user(client, "lan", "editor")
    async with browser(client, "lan") as own:
        yield own


async def edit(client: httpx.AsyncClient, **fields: Any) -> tuple[int, list[str]]:
    headers = {} if "X-CSRF-Token" in client.headers else ADMIN
    answer = await client.patch(SITE, json=fields, headers=headers)
    return answer.status_code, list(answer.json().get("errors", ()))


async def test_a_host_of_another_site_takes_an_owner(
    editor: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    for host in (
        "danang.example",
        "www.danang.example",
        "DANANG.example:8080",
        "*.example",
        "hue.hue.example",
        "*.a.hue.example",
    ):
        assert await edit(editor, hosts=["mytho.example", host]) == (409, ["hosts"]), host
    answer = await editor.patch(SITE, json={"hosts": ["danang.example"]})
    assert "danang'" not in answer.text.replace("'danang.example'", ""), "not whose it is"
    for host in ("other.example", "hue.example", "*.mytho.example", "xdanang.example"):
        assert (await edit(editor, hosts=["mytho.example", host]))[0] == 200, host
    assert await edit(client, hosts=["mytho.example", "danang.example"]) == (200, [])
    # What an owner has given stays, and may be given back.
    assert (await edit(editor, hosts=["danang.example"], name="Mỹ Tho 2"))[0] == 200
    assert (await edit(editor, hosts=["mytho.example"]))[0] == 200
    assert await edit(editor, hosts=["danang.example"]) == (409, ["hosts"])
    assert not [entry for entry in await audit(client) if entry["failed"]]


async def test_every_host_and_publishing_take_an_owner(
    editor: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    assert await edit(editor, hosts=["*"]) == (403, ["hosts"])
    assert await edit(editor, public_dashboard=True) == (403, ["public_dashboard"])
    assert (await edit(editor, public_top=True))[0] == 200
    assert (await edit(client, hosts=["*"], public_dashboard=True))[0] == 200
    assert (await edit(editor, name="Mỹ Tho", hosts=["*"], public_dashboard=True))[0] == 200
    assert (await edit(editor, hosts=[], public_dashboard=False))[0] == 200
    assert await edit(editor, public_dashboard=True) == (403, ["public_dashboard"])


async def test_the_settings_say_so_in_the_language_of_the_page(
    editor: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    page = await editor.get("/admin/sites/mytho/settings", headers=PAGE)
    assert 'name="public_dashboard" value="on" disabled' in page.text
    form = {
        "csrf": editor.headers["X-CSRF-Token"],
        "timezone": "Asia/Ho_Chi_Minh",
        "metric": "visits",
        "honour_dnt": "on",
        "top_min_visitors": "3",
    }
    for changes, vietnamese, english in (
        ({"hosts": "danang.example"}, "đã thuộc về trang web khác", "belongs to another site"),
        ({"hosts": "*"}, "là mọi tên miền", "is every host"),
        ({"public_dashboard": "on"}, "mới công khai được", "may publish the traffic"),
    ):
        for language, said in (("vi", vietnamese), ("en", english)):
            refused = await editor.post(
                "/admin/sites/mytho/settings",
                data=form | changes,
                headers=PAGE | {"Accept-Language": language},
            )
            assert (refused.status_code, said in refused.text) == (400, True), (changes, language)
    saved = await editor.post(
        "/admin/sites/mytho/settings", data=form | {"hosts": "mytho.example"}, headers=PAGE
    )
    assert saved.status_code == 303


async def test_an_operator_may_let_editors_publish(
    store: Store, redis: Redis, clock: Clock
) -> None:
    settings = ApiSettings.read({"LUOT_EDITORS_PUBLISH": "on"}, admin_token=TOKEN)
    api = Api(settings, store=store, state=State(redis), clock=clock, monotonic=clock)
    await api.start()
    async with serving(api.asgi) as client:
        await add_user(client, "lan", "editor")
        async with browser(client, "lan") as own:
            assert (await edit(own, public_dashboard=True))[0] == 200
            assert await edit(own, hosts=["*"]) == (403, ["hosts"])
    await api.stop()


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("matkhau123", "mật khẩu phổ biến"),
        ("Mật khẩu 123", "mật khẩu phổ biến"),
        ("anhyeuem2024", "mật khẩu phổ biến"),
        ("0987261543a", "mật khẩu phổ biến"),
        ("MyTho@2025", "mật khẩu phổ biến"),
        ("P@ssw0rd123", "mật khẩu phổ biến"),
        ("nguyenvanan1990", "mật khẩu phổ biến"),
        ("short", "5 ký tự"),
    ],
)
async def test_a_password_that_is_tried_first_is_refused_wherever_one_is_set(
    client: httpx.AsyncClient, password: str, why: str
) -> None:
    user = {"name": "minh", "password": password, "sites": ["mytho"]}
    added = await client.post("/api/admin/users", json=user, headers=ADMIN)
    await add_user(client, "lan", "owner", ("mytho",))
    other = {"password": password}
    by_owner = await client.put("/api/admin/users/lan/password", json=other, headers=ADMIN)
    async with browser(client, "lan") as lan:
        own = await lan.put("/api/admin/password", json={"current": PASSWORD} | other)
        csrf = {"csrf": lan.headers["X-CSRF-Token"]}
        pages = [
            await lan.post(path, data=csrf | fields, headers=PAGE | {"Accept-Language": "vi"})
            for path, fields in (
                ("/admin/users", user | {"role": "viewer"}),
                ("/admin/users/lan/password", other),
                ("/admin/account", {"current": PASSWORD} | other),
            )
        ]
    for answer in (added, by_owner, own):
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["password"])
        assert password not in answer.text
    for page in pages:
        assert (page.status_code, why in page.text) == (400, True)
        assert f'value="{password}"' not in page.text
