"""Imports through the API: each line once, whatever was lost, and never a guess."""

import re
from datetime import datetime
from hashlib import sha256
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from services.api.app import Api
from services.api.imports import undo
from services.api.imports.undone_visitors import visitors_of
from services.log import batch, keys
from services.log.import_names import import_producer
from services.log.redis.positions import RedisPositions
from services.model.calendar import local_day
from services.model.hit import Hit, Visit
from services.model.partition import DEFAULT_PARTITIONS, partition_of
from services.state import keys as state_keys
from services.store.counts import import_counts
from services.store.interface import Store
from services.store.records import imports as register
from tests.integration.api.people import add_user, browser
from tests.integration.api.world import HANOI, SITE, TOKEN, Clock, write_balance

pytestmark = pytest.mark.asyncio(loop_scope="module")

DIGEST = sha256(b"a file").hexdigest()
PARTITION = partition_of(SITE.slug, DEFAULT_PARTITIONS)
AT = int(datetime(2015, 3, 1, 8, 0, tzinfo=HANOI).timestamp() * 1000)
FILE: dict[str, Any] = {
    "file": "access.log",
    "host": "mytho.example",
    "lines": 1000,
    "first_at": AT,
    "last_at": AT + 3_600_000,
}
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


def a_hit(**fields: Any) -> Hit:
    at = fields.pop("at", AT)
    day = local_day(at, SITE.timezone)
    given = {"site": SITE.slug, "path": "/", "day": day, "visitor": 7, "visit": Visit.STARTS}
    return Hit(at=at, **{**given, **fields})


@pytest.fixture(autouse=True)
def _signed_in(client: httpx.AsyncClient) -> None:
    client.headers.update(ADMIN)


async def begin(client: httpx.AsyncClient, digest: str = DIGEST, **more: Any) -> httpx.Response:
    return await client.put(f"/api/admin/sites/mytho/imports/{digest}", json={**FILE, **more})


async def send(
    client: httpx.AsyncClient, after: int, upto: int, *hits: Hit, digest: str = DIGEST
) -> httpx.Response:
    return await client.post(
        f"/api/admin/sites/mytho/imports/{digest}/chunks",
        params={"after": after, "upto": upto},
        content=batch.encode(hits or [a_hit()]),
    )


async def finish(client: httpx.AsyncClient) -> Any:
    answer = await client.post(f"/api/admin/sites/mytho/imports/{DIGEST}/done")
    return answer.json()


async def entries(redis: Redis) -> int:
    return int(await redis.xlen(keys.stream(PARTITION)))


async def commit_all(redis: Redis) -> None:
    """Say that everything is counted, as an aggregator does."""
    await RedisPositions(redis, "luot", 8).set_committed({PARTITION: 1 << 62})


async def test_a_chunk_sent_again_is_in_the_log_once(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    assert (await begin(client)).json()["taken"] == 0
    assert (await send(client, 0, 500)).json() == {"taken": 500, "appended": True}
    assert (await send(client, 0, 500)).json() == {"taken": 500, "appended": False}
    assert (await send(client, 0, 300)).json() == {"taken": 500, "appended": False}
    assert await entries(redis) == 1
    assert (await begin(client)).json()["taken"] == 500


async def test_a_chunk_out_of_order_is_refused(client: httpx.AsyncClient, redis: Redis) -> None:
    await begin(client)
    await send(client, 0, 500)
    for after, upto in ((400, 900), (600, 900)):
        refused = await send(client, after, upto)
        assert (refused.status_code, "up to line 500" in refused.text) == (409, True)
    assert await entries(redis) == 1


async def test_it_is_done_when_all_of_it_is_counted_and_stays_so_without_redis(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    salt = (await begin(client)).json()["salt"]
    assert len(salt) == 64
    await send(client, 0, 500)
    assert await finish(client) == {"done": False, "hits": 1}
    await commit_all(redis)
    assert await finish(client) == {"done": True, "hits": 1}
    assert (
        await redis.hget(keys.imported(PARTITION, import_producer("mytho", DIGEST)), "salt") is None
    )
    await redis.flushall()
    again = (await begin(client)).json()
    assert (again["done"], again["salt"]) == (True, "")
    assert (await send(client, 500, 900)).json() == {"taken": 1000, "appended": False}
    assert await entries(redis) == 0


@pytest.mark.parametrize("chunks", [0, 1, 30])
async def test_a_log_that_was_emptied_half_way_ends_the_import(
    client: httpx.AsyncClient, redis: Redis, chunks: int
) -> None:
    await begin(client)
    for number in range(chunks):
        await commit_all(redis)
        assert (await send(client, number * 10, number * 10 + 10)).status_code == 200
    await redis.flushall()
    for refused in (await begin(client), await send(client, chunks * 10, chunks * 10 + 10)):
        assert refused.status_code == 409
        assert "none is counted twice" in refused.text
    assert await entries(redis) == 0
    assert await redis.exists(keys.imported(PARTITION, import_producer("mytho", DIGEST))) == 0


async def test_a_redis_put_back_to_an_older_state_ends_the_import(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    await begin(client)
    for number in range(20):
        await send(client, number * 10, number * 10 + 10)
    key = keys.imported(PARTITION, import_producer("mytho", DIGEST))
    await redis.hset(key, "taken", "50")
    refused = await begin(client)
    assert (refused.status_code, "at least up to line 200" in refused.text) == (409, True)
    assert (await send(client, 200, 210)).status_code == 409


async def test_a_store_put_back_to_before_the_import_does_not_count_it_again(
    client: httpx.AsyncClient, redis: Redis, store: Store
) -> None:
    await begin(client)
    await send(client, 0, 500)
    await commit_all(redis)
    await finish(client)
    await store.execute("TRUNCATE TABLE imports")
    begun = (await begin(client)).json()
    assert (begun["done"], begun["taken"]) == (False, 500)
    assert (await send(client, 0, 500)).json() == {"taken": 500, "appended": False}
    assert await entries(redis) == 1


async def test_an_import_goes_on_after_weeks_and_a_restart(
    client: httpx.AsyncClient, redis: Redis, api: Api
) -> None:
    begun = (await begin(client)).json()
    await send(client, 0, 500)
    assert await redis.ttl(keys.imported(PARTITION, import_producer("mytho", DIGEST))) == -1
    await redis.delete(keys.import_salt("mytho"))
    await api.stop()
    await api.start()
    again = (await begin(client)).json()
    assert (again["taken"], again["salt"]) == (500, begun["salt"])


async def test_a_lagging_aggregator_makes_imports_wait(
    client: httpx.AsyncClient, redis: Redis, clock: Clock
) -> None:
    await begin(client)
    old = f"{int((await redis.time())[0]) * 1000 - 60_000}-0"
    await redis.xadd(keys.stream(PARTITION), {"b": b"waiting"}, id=old)
    refused = await send(client, 0, 500)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert re.search("the aggregator is 6[0-9] s behind", refused.text)
    await commit_all(redis)
    clock.now += 1
    assert (await send(client, 0, 500)).status_code == 200


async def test_a_redis_that_is_nearly_full_makes_imports_wait(
    client: httpx.AsyncClient, redis: Redis
) -> None:
    await begin(client)
    used = int((await redis.info("memory"))["used_memory"])
    await redis.config_set("maxmemory", used + (used >> 3))
    try:
        refused = await send(client, 0, 500)
    finally:
        await redis.config_set("maxmemory", 0)
    assert (refused.status_code, "Redis uses" in refused.text) == (429, True)


async def test_files_of_the_same_time_are_refused_unless_meant(client: httpx.AsyncClient) -> None:
    await begin(client)
    other = sha256(b"another").hexdigest()
    refused = await begin(client, other, file="access.log.1")
    assert refused.status_code == 409
    assert "'access.log.1' has lines of 2" in refused.text
    assert re.search(r"'access.log', imported before, of 2\d{3}-\d\d-\d\d", refused.text)
    after = await begin(client, other, first_at=AT + 3_590_000, last_at=AT + 7_200_000)
    assert after.status_code == 200
    assert (await begin(client, sha256(b"x").hexdigest(), overlapping=True)).status_code == 200


async def test_a_page_of_the_dashboard_lists_the_imports_of_a_site(
    client: httpx.AsyncClient,
) -> None:
    await add_user(client, "lan", "viewer")
    await begin(client, file="<b>access.log")
    async with browser(client, "lan") as lan:
        page = await lan.get("/admin/sites/mytho/imports", headers={"Accept-Language": "en"})
    assert page.status_code == 200
    assert "&lt;b&gt;access.log" in page.text
    assert "1 Mar 2015" in page.text
    assert "not finished" in page.text


async def test_other_options_half_way_are_refused(client: httpx.AsyncClient) -> None:
    await begin(client)
    for change in ({"host": "other.example"}, {"until": AT + 1}, {"lines": 999}):
        refused = await begin(client, **change)
        assert (refused.status_code, "was begun with" in refused.text) == (409, True)


async def test_what_counts_the_same_time_is_told(client: httpx.AsyncClient, store: Store) -> None:
    assert (await begin(client, dry_run=True)).json()["warnings"] == []
    start = datetime(2015, 3, 1, tzinfo=HANOI).date()
    await write_balance(store, "mytho", "month", "month", start, 5)
    await write_balance(store, "mytho", "year", "year", start.replace(year=2014, month=1), 5)
    (told,) = (await begin(client, dry_run=True)).json()["warnings"]
    assert "month of 2015-03-01" in told
    assert "2014" not in told
    live = SITE.created_at + 1
    told = (await begin(client, dry_run=True, last_at=live)).json()["warnings"][1]
    assert "--until" in told
    until = (await begin(client, dry_run=True, last_at=live, until=live - 5)).json()["warnings"]
    assert len(until) == 1


async def test_a_dry_run_begins_nothing(client: httpx.AsyncClient, redis: Redis) -> None:
    assert (await begin(client, dry_run=True)).json()["salt"] == ""
    assert (await client.get("/api/admin/sites/mytho/imports")).json() == {"imports": []}
    assert await redis.keys("*import*") == []
    assert (await send(client, 0, 500)).status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("site", "other"),
        ("path", "/a/../b"),
        ("path", "no path"),
        ("own_path", "/a"),
        ("day", 1),
        ("at", 1 << 41),
        ("bot", True),
        ("visit", Visit.UNDECIDED),
        ("country", "Việt Nam"),
    ],
)
async def test_a_hit_that_ingest_would_not_have_written_is_refused(
    client: httpx.AsyncClient, redis: Redis, field: str, value: Any
) -> None:
    await begin(client)
    refused = await send(client, 0, 500, a_hit(), a_hit(**{field: value}))
    assert refused.status_code == 400
    assert f".{field}" in refused.text
    assert await entries(redis) == 0


async def test_a_chunk_that_is_no_batch_is_refused(client: httpx.AsyncClient) -> None:
    await begin(client)
    path = f"/api/admin/sites/mytho/imports/{DIGEST}/chunks"
    for body in (b"", b"{}", b"\x93\x00"):
        refused = await client.post(path, params={"after": 0, "upto": 1}, content=body)
        assert (refused.status_code, "is no batch" in refused.text) == (400, True)
    big = await client.post(path, params={"after": 0, "upto": 1}, content=b"x" * 65_537)
    assert big.status_code == 413


async def count_all(redis: Redis, store: Store, digest: str = DIGEST) -> None:
    """Count one view of an import, as an aggregator does."""
    producer = import_producer("mytho", digest)
    row = {"site": "mytho", "producer": producer, "position": 7, "day": a_hit().day, "path": "/"}
    columns = {name: [value] for name, value in {**row, "views": 1, "visits": 1}.items()}
    await import_counts.write(store, columns)
    await commit_all(redis)


async def test_an_import_is_undone_on_its_page_by_who_may_edit_the_site(
    client: httpx.AsyncClient, redis: Redis, store: Store
) -> None:
    await begin(client)
    await send(client, 0, 500)
    await count_all(redis, store)
    await finish(client)
    address = f"/admin/sites/mytho/imports/{DIGEST}/undo"
    for name, role in (("lan", "viewer"), ("an", "editor")):
        await add_user(client, name, role)
    async with browser(client, "lan") as lan:
        assert address not in (await lan.get("/admin/sites/mytho/imports")).text
        csrf = lan.headers.pop("X-CSRF-Token")
        for refused in (await lan.get(address), await lan.post(address, data={"csrf": csrf})):
            assert refused.status_code == 403
    async with browser(client, "an") as an:
        assert address in (await an.get("/admin/sites/mytho/imports")).text
        csrf = an.headers.pop("X-CSRF-Token")
        preview = await an.get(address, headers={"Accept-Language": "en"})
        assert "Would be taken back: 1 views, 1 visits." in preview.text
        undone = await an.post(address, data={"csrf": csrf})
        assert undone.status_code == 303, undone.text
        page = await an.get("/admin/sites/mytho/imports", headers={"Accept-Language": "en"})
        assert "undone (an, " in page.text
        assert address not in page.text
    (known,) = (await client.get("/api/admin/sites/mytho/imports")).json()["imports"]
    assert (known["state"], known["undone_by"]) == ("undone", "an")
    (entry,) = [
        one
        for one in (await client.get("/api/admin/audit")).json()["entries"]
        if one["action"] == "import.undo"
    ]
    assert (entry["who"], entry["after"]["views"]) == ("an", 1)
    refused = await send(client, 500, 600)
    assert (refused.status_code, "was undone by an" in refused.text) == (409, True)
    again = (await begin(client)).json()
    assert (again["done"], again["taken"]) == (False, 0)
    assert (await send(client, 0, 500)).json() == {"taken": 500, "appended": True}


async def test_what_is_not_known_in_full_is_not_undone(
    client: httpx.AsyncClient, redis: Redis, store: Store
) -> None:
    address = f"/api/admin/sites/mytho/imports/{DIGEST}/undo"
    assert (await client.get(address)).status_code == 404
    await begin(client)
    await send(client, 0, 500)
    await commit_all(redis)
    await finish(client)
    for method in ("GET", "POST"):
        refused = await client.request(method, address)
        assert (refused.status_code, "added 1 views" in refused.text) == (409, True)
    (known,) = await register.of_site(store, "mytho")
    await register.write(store, "mytho", known._replace(digest="e" * 64, kept_apart=0))
    refused = await client.post(address.replace(DIGEST, "e" * 64))
    assert (refused.status_code, "before Luot kept apart" in refused.text) == (409, True)
    await count_all(redis, store)
    assert (await client.post(address)).json()["state"] == "undone"


async def test_an_undoing_that_has_lost_its_lock_takes_nothing_back(
    client: httpx.AsyncClient, redis: Redis, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/api/admin/sites/mytho/imports/{DIGEST}/undo"
    await begin(client)
    await send(client, 0, 500)
    await count_all(redis, store)
    await finish(client)

    async def meanwhile(*given: Any) -> dict[int, int]:
        await redis.set(state_keys.correcting(SITE.slug), "a correction in another process")
        return await visitors_of(*given)

    monkeypatch.setattr(undo, "visitors_of", meanwhile)
    refused = await client.post(address)
    assert (refused.status_code, "try again later" in refused.text) == (503, True)
    assert (await client.get("/api/admin/sites/mytho/corrections")).json()["total"] == 0
    monkeypatch.undo()
    await redis.delete(state_keys.correcting(SITE.slug))
    assert (await client.post(address)).json()["state"] == "undone"


async def test_it_is_undone_once_all_of_it_is_counted_also_of_a_log_that_was_lost(
    client: httpx.AsyncClient, redis: Redis, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undo, "COUNTED_SECONDS", 0.0)
    address = f"/api/admin/sites/mytho/imports/{DIGEST}/undo"
    await begin(client)
    await send(client, 0, 500)
    assert (await client.post(address)).json()["state"] == "undoing"
    for refused in (await begin(client), await send(client, 500, 900)):
        assert (refused.status_code, "is being undone" in refused.text) == (409, True)
    await redis.flushall()
    await count_all(redis, store)
    assert (await client.post(address)).json()["state"] == "undone"
    (run,) = (await client.get("/api/admin/sites/mytho/corrections")).json()["corrections"]
    assert (run["id"], run["views"]) == (f"import:{DIGEST}", 1)
