"""Two API processes behind one web server: what one of them changes, the other one keeps."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.state import keys
from services.state.sites import PublishedSites
from services.state.state import State
from services.store.interface import Store
from tests.integration.api.world import TOKEN, Clock, serving
from tests.servers.redis import RedisServer, valkey_program

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
SITE = "/api/admin/sites/mytho"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def other(
    api: Api, opened: Store, connected: Redis, redis_server: RedisServer, clock: Clock
) -> AsyncIterator[httpx.AsyncClient]:
    """The second process: it loads the sites when it starts, and then every five seconds."""
    settings = ApiSettings.read({}, admin_token=TOKEN, redis_url=redis_server.url)
    second = Api(settings, store=opened, state=State(connected), clock=clock, monotonic=clock)
    await second.start()
    await second.opened()
    try:
        async with serving(second.asgi) as client:
            yield client
    finally:
        await second.stop()


async def patched(client: httpx.AsyncClient, **fields: object) -> httpx.Response:
    return await client.patch(SITE, json=fields, headers=ADMIN)


async def test_changes_of_both_are_kept(
    client: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    hosts = ["mytho.example", "www.mytho.gov.example"]
    assert (await patched(client, hosts=hosts)).status_code == 200
    changed = (await patched(other, metric="views", display={"digits": 7})).json()
    assert (changed["hosts"], changed["metric"]) == (hosts, "views")
    changed = (await patched(client, display={"theme": "dark"})).json()
    assert (changed["display"]["digits"], changed["display"]["theme"]) == (7, "dark")


async def test_pages_that_are_hidden_one_after_the_other_are_all_hidden(
    client: httpx.AsyncClient, other: httpx.AsyncClient, api: Api
) -> None:
    for process, page in ((client, "/a"), (other, "/b"), (client, "/c")):
        await hide(process, page)
    assert hidden(api) == {"/a", "/b", "/c"}
    await hide(other, "/b", what="show")
    await api.registry.refresh()
    assert hidden(api) == {"/a", "/c"}


async def hide(client: httpx.AsyncClient, page: str, **more: str) -> None:
    data = {"page": page, **more}
    answer = await client.post("/admin/sites/mytho/hidden", data=data, headers=ADMIN)
    assert answer.status_code == 303, answer.text


def hidden(api: Api) -> set[str]:
    site = api.registry.get("mytho")
    assert site is not None
    return set(site.hidden_pages)


async def test_what_one_process_removed_or_renamed_the_other_one_does_not_bring_back(
    client: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    assert (
        await client.post(f"{SITE}/rename", json={"slug": "mytho2"}, headers=ADMIN)
    ).status_code == 200
    changed = await patched(other, metric="views")
    assert (changed.status_code, changed.json()["slug"]) == (200, "mytho2")
    listed = (await other.get("/api/admin/sites", headers=ADMIN)).json()["sites"]
    assert [site["slug"] for site in listed] == ["mytho2"]
    removed = await client.delete("/api/admin/sites/mytho2", headers=ADMIN)
    assert removed.status_code == 204
    assert (await patched(other, metric="visits")).status_code == 404


async def test_ingest_keeps_a_site_that_the_other_process_does_not_know_yet(
    client: httpx.AsyncClient, other: httpx.AsyncClient, redis: Redis
) -> None:
    made = await client.post("/api/admin/sites", json={"slug": "danang"}, headers=ADMIN)
    assert made.status_code == 201
    assert (await patched(other, metric="views")).status_code == 200
    published = await PublishedSites(State(redis)).read()
    assert set(published) == {b"mytho", b"danang"}
    assert json.loads(published[b"mytho"])["metric"] == "views"


async def test_changes_at_once_are_all_kept(
    client: httpx.AsyncClient, other: httpx.AsyncClient, api: Api
) -> None:
    changes: tuple[dict[str, object], ...] = (
        {"hosts": ["a.example"]},
        {"name": "Mỹ Tho"},
        {"metric": "views"},
        {"significant": ["tabid"]},
        {"views_only": True},
        {"honour_dnt": False},
    )
    answers = await asyncio.gather(
        *(patched((client, other)[place % 2], **change) for place, change in enumerate(changes))
    )
    assert [answer.status_code for answer in answers] == [200] * len(changes)
    await api.registry.refresh()
    (site,) = (await client.get("/api/admin/sites", headers=ADMIN)).json()["sites"]
    for change in changes:
        assert site.items() >= change.items()


async def test_a_change_waits_for_one_whose_process_died(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    await redis.set(keys.CHANGING_SITES, "a process that died", px=300)
    assert (await patched(client, metric="views")).json()["metric"] == "views"


async def test_sites_are_changed_while_redis_is_down(
    opened: Store, store: Store, clock: Clock, tmp_path: Path
) -> None:
    with RedisServer(tmp_path, valkey_program()) as server:
        settings = ApiSettings.read({}, admin_token=TOKEN, redis_url=server.url)
        async with Redis.from_url(server.url) as connected:
            alone = Api(
                settings, store=opened, state=State(connected), clock=clock, monotonic=clock
            )
            await alone.start()
            await alone.opened()
            try:
                server.kill()
                async with serving(alone.asgi) as client:
                    assert (await patched(client, metric="views")).json()["metric"] == "views"
            finally:
                await alone.stop()
