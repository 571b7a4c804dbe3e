"""Heavy queries of strangers keep nobody else waiting, and end when their client leaves."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from services.api.app import Api
from services.api.stats.periods import snapshot
from services.api.stats.periods.snapshot import Snapshot
from services.api.stats.periods.spans import Span
from services.api.stats.readers.callers import Audience, StatsReaders
from services.store.interface import Limits, Store
from tests.integration.api.people import ADMIN, add_user, browser

LONG = "SELECT sum(cityHash64(number)) FROM (SELECT number FROM system.numbers LIMIT 1000000000007)"
RUNNING = (
    "SELECT count() FROM system.processes"
    " WHERE query LIKE '%1000000000007%' AND query NOT LIKE '%system.processes%'"
)
# Longer than any of these tests: what ends, was ended.
PATIENT = Limits(calls=1, threads=1, seconds=900, bytes=100_000_000)
WAIT_SECONDS = 120
HEAVY = "/api/v1/stats/aggregate?site_id=newyork&period=12mo"
LIGHT = "/api/v1/stats/aggregate?site_id=howe&period=7d"

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def heavy(
    api: Api, client: httpx.AsyncClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[None]:
    """Queries about one site, whose dashboard is public, take for ever."""
    change = {"public_dashboard": True}
    changed = await client.patch("/api/admin/sites/newyork", json=change, headers=ADMIN)
    assert changed.status_code == 200
    take = snapshot.take

    async def slow(limited: Store, site: str, span: Span, **more: bool) -> Snapshot:
        if site == "newyork":
            await limited.execute(LONG)
        return await take(limited, site, span, **more)

    monkeypatch.setattr(snapshot, "take", slow)
    running = api._running
    assert running is not None
    ordinary = running.stats.readers
    patient = StatsReaders(store, dict.fromkeys(Audience, PATIENT))
    monkeypatch.setattr(running.stats, "readers", patient)
    yield
    await patient.close()
    running.stats.readers = ordinary


async def when(store: Store, statements: int) -> None:
    """Return as soon as so many of the heavy statements run in the store."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (running := (await store.execute(RUNNING))[0][0]) != statements:
        assert time.monotonic() < deadline, f"{running} run, expected {statements}"
        await asyncio.sleep(0.05)


async def test_strangers_keep_neither_owners_nor_viewers_waiting(
    client: httpx.AsyncClient, store: Store, heavy: None
) -> None:
    await add_user(client, "nga", sites=("howe",))
    async with httpx.AsyncClient(base_url=client.base_url, timeout=300) as stranger:
        asked = [asyncio.create_task(stranger.get(HEAVY)) for _ in range(40)]
        await when(store, 1)
        # One has a turn, and 32 wait; the others are told at once to come again.
        refused = set[asyncio.Task[httpx.Response]]()
        while len(refused) < 7:
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            refused |= done
            asked = [task for task in asked if task not in refused]
        assert len(asked) == 33
        for answer in [task.result() for task in refused]:
            assert answer.status_code == 429, answer.text
            assert int(answer.headers["retry-after"]) > 0
            assert "too many wait" in answer.json()["errors"]["query"][0]

        assert (await client.get(LIGHT)).status_code == 200
        async with browser(client, "nga") as viewer:
            assert (await viewer.get(LIGHT)).status_code == 200
        assert (await client.get("/api/counter/newyork")).status_code == 200
        assert not any(task.done() for task in asked)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
    await when(store, 0)


@pytest.mark.parametrize(
    "address",
    [
        HEAVY,
        HEAVY.replace("aggregate", "timeseries"),
        f"{HEAVY.replace('aggregate', 'breakdown')}&property=event:page",
        "/admin/sites/newyork",
        "/admin/sites/newyork/csv/page",
    ],
)
async def test_a_query_ends_when_its_client_leaves(
    client: httpx.AsyncClient, store: Store, heavy: None, address: str
) -> None:
    url = client.base_url
    _, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"GET {address} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await when(store, 1)
    writer.close()
    await when(store, 0)
    # The turn is free again, and so is the connection to the store.
    light = await client.patch(
        "/api/admin/sites/howe", json={"public_dashboard": True}, headers=ADMIN
    )
    assert light.status_code == 200
    async with httpx.AsyncClient(base_url=url, timeout=300) as stranger:
        assert (await stranger.get(LIGHT)).status_code == 200
