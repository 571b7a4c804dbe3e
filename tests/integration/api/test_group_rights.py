"""A right for a group is one for the sites that it and the groups below it have now."""

import asyncio
import json
from typing import Any

import httpx
import msgspec
import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner

from services.api.access.accounts import Accounts
from services.api.app import Api
from services.api.settings import ApiSettings
from services.api.sites.registry import Registry
from services.cli.main import app
from services.model.account import ALL_SITES, SendToken
from services.model.group import Group
from services.state.access_version import AccessVersion
from services.state.send_tokens import SendTokens
from services.state.state import State
from services.store.interface import Store
from services.store.records.accounts import USERS
from services.store.records.groups import GROUPS
from tests.integration.api.people import ADMIN, add_user, audit, browser
from tests.integration.api.world import TOKEN, Clock, serving
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def call(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> Any:
    answer = await client.request(method, f"/api/admin{path}", json=body, headers=ADMIN)
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None


@pytest.fixture
def tree() -> list[tuple[str, str, list[str]]]:
    """Groups, their parents, and their sites: a province, a district, a commune, another one."""
    return [
        ("tinh", "", ["so"]),
        ("huyen", "tinh", []),
        ("xa", "huyen", ["mytho"]),
        ("khac", "", ["danang"]),
    ]


async def build(client: httpx.AsyncClient, tree: list[tuple[str, str, list[str]]]) -> None:
    for slug in ("so", "danang", "hue"):
        await call(client, "POST", "/sites", {"slug": slug})
    for slug, parent, sites in tree:
        await call(client, "POST", "/groups", {"slug": slug, "parent": parent, "sites": sites})


async def token(client: httpx.AsyncClient, *sites: str, role: str = "viewer") -> dict[str, str]:
    made = await call(client, "POST", "/tokens", {"role": role, "sites": list(sites)})
    return {"Authorization": f"Bearer {made['token']}"}


async def seen(client: httpx.AsyncClient, headers: dict[str, str] | None = None) -> list[str]:
    """Return the sites that somebody sees."""
    answer = await client.get("/api/admin/sites", headers=headers)
    assert answer.status_code == 200, answer.text
    return [site["slug"] for site in answer.json()["sites"]]


async def test_a_right_for_a_group_follows_the_tree(
    client: httpx.AsyncClient, tree: list[tuple[str, str, list[str]]]
) -> None:
    await build(client, tree)
    province, district = await token(client, "group/tinh"), await token(client, "group/huyen")
    assert await seen(client, province) == ["mytho", "so"]
    assert await seen(client, district) == ["mytho"]

    await call(client, "PATCH", "/groups/xa", {"sites": ["mytho", "hue"]})
    assert await seen(client, district) == ["hue", "mytho"]
    await call(client, "POST", "/sites/mytho/rename", {"slug": "my-tho"})
    assert await seen(client, district) == ["hue", "my-tho"]
    await call(client, "PATCH", "/groups/xa", {"name": "Xã Mỹ Trà", "parent": "khac"})
    assert await seen(client, district) == []
    assert await seen(client, province) == ["so"]
    await call(client, "PATCH", "/groups/khac", {"parent": "huyen"})
    assert await seen(client, district) == ["danang", "hue", "my-tho"]
    await call(client, "PATCH", "/groups/xa", {"sites": []})
    assert await seen(client, province) == ["danang", "so"]
    await call(client, "DELETE", "/sites/danang")
    await call(client, "POST", "/sites", {"slug": "danang"})
    assert await seen(client, province) == ["so"]


async def test_a_group_that_is_removed_gives_nothing_and_neither_does_a_new_one_of_its_slug(
    client: httpx.AsyncClient, tree: list[tuple[str, str, list[str]]]
) -> None:
    await build(client, tree)
    await add_user(client, "lan", "editor", ("group/xa", "so"))
    alone = await token(client, "group/xa")
    async with browser(client, "lan") as lan:
        assert await seen(lan) == ["mytho", "so"]
        await call(client, "DELETE", "/groups/xa")
        assert await seen(lan) == ["so"]
        assert (await lan.get("/api/admin/sites/mytho")).status_code == 404
        assert (await client.get("/api/admin/sites", headers=alone)).status_code == 401
        await call(client, "POST", "/groups", {"slug": "xa", "sites": ["mytho"]})
        assert await seen(lan) == ["so"]
    (removed,) = await audit(client, action="group.remove")
    assert removed["before"]["rights"][0] == "lan"
    assert [one[:6] for one in removed["before"]["rights"][1:]] == ["token:"]


async def test_a_right_for_a_group_that_is_not_there_is_refused_or_means_nothing(
    client: httpx.AsyncClient, store: Store, clock: Clock
) -> None:
    for place, problem in (
        ("group/none", "'group/none' is not a group of this server"),
        ("group/", ""),
        ("group/Có dấu", ""),
    ):
        body = {"role": "viewer", "sites": [place]}
        answer = await client.post("/api/admin/tokens", json=body, headers=ADMIN)
        assert answer.status_code == 400
        assert problem in " ".join(next(iter(answer.json()["errors"].values())))
    await add_user(client, "lan")
    stored = msgspec.structs.replace((await USERS.load(store)).rows["lan"], sites=("group/none",))
    await USERS.save(store, "lan", stored, int(clock.now * 1000) + 10)
    clock.now += 6
    async with browser(client, "lan") as lan:
        assert await seen(lan) == []
        assert (await lan.get("/api/admin/groups")).json() == {"groups": []}


async def test_those_of_a_group_read_it_and_those_below_and_no_other(
    client: httpx.AsyncClient, tree: list[tuple[str, str, list[str]]]
) -> None:
    await build(client, tree)
    district, all_sites = await token(client, "group/huyen"), await token(client, ALL_SITES)
    listed = (await client.get("/api/admin/groups", headers=district)).json()["groups"]
    assert [(one["slug"], one["all_sites"]) for one in listed] == [
        ("huyen", ["mytho"]),
        ("xa", ["mytho"]),
    ]
    for slug, status in (("xa", 200), ("tinh", 404), ("khac", 404), ("none", 404)):
        answer = await client.get(f"/api/admin/groups/{slug}", headers=district)
        assert answer.status_code == status, slug
    assert len((await client.get("/api/admin/groups", headers=all_sites)).json()["groups"]) == 4
    who = (await client.get("/api/admin/whoami", headers=district)).json()
    assert (who["sites"], who["groups"]) == (["mytho"], ["huyen", "xa"])


async def test_an_editor_of_a_group_changes_its_sites_and_not_the_group(
    client: httpx.AsyncClient, tree: list[tuple[str, str, list[str]]]
) -> None:
    await build(client, tree)
    editor = await token(client, "group/tinh", role="editor")
    for slug, status in (("mytho", 200), ("so", 200), ("danang", 404)):
        answer = await client.patch(
            f"/api/admin/sites/{slug}", json={"name": "Cổng"}, headers=editor
        )
        assert answer.status_code == status, slug
    answer = await client.patch("/api/admin/groups/tinh", json={"name": "x"}, headers=editor)
    assert answer.status_code == 403
    await call(client, "PATCH", "/groups/tinh", {"sites": []})
    log = await client.get("/api/admin/audit", headers=editor)
    assert {entry["site"] for entry in log.json()["entries"]} == {"mytho"}


async def test_ingest_is_told_which_sites_of_a_group_a_server_may_send_for(
    client: httpx.AsyncClient, store: Store, redis: Redis, tree: list[tuple[str, str, list[str]]]
) -> None:
    async def sent() -> frozenset[str]:
        published = await SendTokens(State(redis)).read()
        assert published is not None
        (body,) = published.bodies.values()
        return msgspec.json.decode(body, type=SendToken).sites

    await build(client, tree)
    await token(client, "group/tinh", "danang", role="send")
    assert await sent() == {"danang", "mytho", "so"}
    await call(client, "PATCH", "/groups/xa", {"sites": ["hue"]})
    assert await sent() == {"danang", "hue", "so"}
    # A process that has just started, and does not know the sites yet, takes none away.
    starting = Accounts(store, State(redis), Registry(store, State(redis)))
    await starting.fresh()
    await starting.publish_senders()
    await starting.close()
    assert await sent() == {"danang", "hue", "so"}


async def test_a_change_by_another_process_is_seen_within_a_second(
    client: httpx.AsyncClient, api: Api, store: Store, redis: Redis, clock: Clock
) -> None:
    await call(client, "POST", "/groups", {"slug": "tinh"})
    viewer = await token(client, "group/tinh")
    assert await seen(client, viewer) == []
    await GROUPS.save(store, "tinh", Group(slug="tinh", sites=("mytho",)), clock.ms + 10)
    await AccessVersion(State(redis)).increase()
    clock.now += 1
    assert await seen(client, viewer) == ["mytho"]


async def test_groups_of_an_office_give_rights_for_groups_of_sites(
    client: httpx.AsyncClient,
    store: Store,
    redis: Redis,
    redis_server: RedisServer,
    clock: Clock,
    tree: list[tuple[str, str, list[str]]],
) -> None:
    await build(client, tree)
    settings = {
        "LUOT_AUTH_HEADER": "X-Remote-User",
        "LUOT_AUTH_ROLES": "desk=editor:group/xa,group/gone; office=viewer:group/gone",
    }
    read = ApiSettings.read(settings, admin_token=TOKEN, redis_url=redis_server.url)
    trusting = Api(read, store=store, state=State(redis), clock=clock, monotonic=clock)
    await trusting.start()
    try:
        async with serving(trusting.asgi) as direct:
            for name, group, status in (("lan", "desk", 303), ("nga", "office", 403)):
                headers = {"X-Remote-User": name, "X-Remote-Groups": group}
                came = await direct.get("/admin/sign-in", headers=headers)
                assert came.status_code == status, came.text
    finally:
        await trusting.stop()
    clock.now += 1
    (user,) = (await call(client, "GET", "/users"))["users"]
    assert (user["name"], user["role"], user["sites"]) == ("lan", "editor", ["group/xa"])


async def test_the_pages_of_people_and_tokens_offer_groups_by_their_names(
    client: httpx.AsyncClient, tree: list[tuple[str, str, list[str]]]
) -> None:
    await build(client, tree)
    await call(client, "PATCH", "/groups/xa", {"name": "Xã Mỹ Trà"})
    await add_user(client, "root", "owner", ())
    await add_user(client, "lan")
    async with browser(client, "root") as root:
        root.headers["Accept-Language"] = "vi"
        csrf = root.headers["X-CSRF-Token"]
        for page in ("/admin/users", "/admin/users/lan", "/admin/tokens"):
            text = (await root.get(page)).text
            assert 'value="group/xa"' in text, page
            assert "Nhóm: tinh › huyen › Xã Mỹ Trà" in text, page
        form = {"csrf": csrf, "role": "editor", "sites": ["group/xa", "so"]}
        assert (await root.post("/admin/users/lan", data=form)).status_code == 303
        listed = (await root.get("/admin/users")).text
        assert "Nhóm: tinh › huyen › Xã Mỹ Trà, so" in listed
        form |= {"note": "báo cáo", "days": "30"}
        assert "luot_" in (await root.post("/admin/tokens", data=form)).text
        await call(client, "DELETE", "/groups/xa")
        log = (await root.get("/admin/audit")).text
        assert "Thu hồi quyền" in log
        assert "Nhóm: xa" in log
        assert "group/xa" not in log
    (user,) = [
        one for one in (await call(client, "GET", "/users"))["users"] if one["name"] == "lan"
    ]
    assert (user["role"], user["sites"]) == ("editor", ["so"])


class Luot:
    """The command line, against an API."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        url = str(client.base_url)
        self._env = {"LUOT_URL": url, "LUOT_TOKEN": TOKEN, "COLUMNS": "200"}

    async def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Return exit code, standard output and standard error."""
        done = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=self._env)
        return done.exit_code, done.stdout, done.stderr

    async def told(self, *arguments: str) -> str:
        """Return what a command that succeeds prints."""
        code, out, error = await self(*arguments)
        assert code == 0, error
        return out.strip()

    async def refused(self, *arguments: str) -> str:
        """Return why a command fails."""
        code, out, error = await self(*arguments)
        assert (code, out) == (2, "")
        return " ".join(error.split())


async def test_groups_are_made_changed_listed_and_removed_on_the_command_line(
    client: httpx.AsyncClient,
) -> None:
    luot = Luot(client)
    await call(client, "POST", "/sites", {"slug": "so"})
    assert await luot.told("group", "add", "tinh", "--name", "Tỉnh") == (
        "added tinh: 0 sites, including subgroups"
    )
    added = await luot.told("group", "add", "xa", "--parent", "tinh", "--site", "mytho")
    assert added == "added xa: 1 site, including subgroups"
    edited = await luot.told("group", "edit", "tinh", "--site", "so", "--site", "mytho")
    assert edited == "changed tinh: 2 sites, including subgroups"
    table = [line[1:-1].split("│") for line in (await luot.told("group", "list")).splitlines()]
    assert [[cell.strip() for cell in row] for row in table if len(row) > 1] == [
        ["tinh", "Tỉnh", "", "mytho, so", "2", ""],
        ["xa", "", "tinh", "mytho", "1", ""],
    ]
    listed = json.loads(await luot.told("group", "list", "--json"))
    assert [one["all_sites"] for one in listed] == [["mytho", "so"], ["mytho"]]
    changed = json.loads(await luot.told("group", "edit", "xa", "--no-sites", "--json"))
    assert (changed["sites"], changed["parent"]) == ([], "tinh")
    assert "'none' is not a group" in await luot.refused("group", "edit", "xa", "--parent", "none")
    assert "are mutually exclusive" in await luot.refused(
        "group", "edit", "xa", "--site", "so", "--no-sites"
    )
    assert "xa: below tinh" in await luot.refused("group", "remove", "tinh", "--yes")
    assert await luot.told("group", "remove", "xa", "--yes") == "removed xa"
    assert "'xa' is no group" in await luot.refused("group", "remove", "xa", "--yes")


async def test_rights_for_groups_are_given_on_the_command_line(
    client: httpx.AsyncClient, tree: list[tuple[str, str, list[str]]]
) -> None:
    luot = Luot(client)
    await build(client, tree)
    rights = ("--role", "editor", "--group", "xa", "--site", "so")
    await luot.told("user", "add", "lan", "--generate", *rights)
    listed = json.loads(await luot.told("user", "list", "--json"))
    assert [(one["role"], one["sites"]) for one in listed] == [("editor", ["group/xa", "so"])]
    changed = json.loads(await luot.told("user", "edit", "lan", "--group", "tinh", "--json"))
    assert changed["sites"] == ["group/tinh"]
    assert "'group/none' is not a group" in await luot.refused(
        "user", "edit", "lan", "--group", "none"
    )
    secret = await luot.told("token", "add", "--group", "huyen")
    assert await seen(client, {"Authorization": f"Bearer {secret}"}) == ["mytho"]
    assert "group/huyen" in await luot.told("token", "list")
