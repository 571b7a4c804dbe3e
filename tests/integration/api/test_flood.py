"""Pages that nobody ever viewed, asked for by the thousand: cheap, and no harm to anybody else."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.api.app import Api
from services.api.settings import ApiSettings
from services.model.calendar import EPOCH
from services.model.site import Site
from services.state.state import State
from services.store.interface import Row, Store
from services.store.records import sites
from tests.integration.api.world import serving, write_counter

INVENTED = 2000
AT_ONCE = 200
OTHERS = ("donggoi", "hoian", "sapa")

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Counting:
    """Counts the statements about pages that a store is given."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.statements = 0

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        self.statements += "paths" in (parameters or {})
        return await self.store.execute(sql, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@pytest.fixture
def counting(store: Store) -> Counting:
    return Counting(store)


@pytest_asyncio.fixture(loop_scope="module")
async def client(counting: Counting, redis: Redis) -> AsyncIterator[httpx.AsyncClient]:
    """An API with four sites; `mytho` has a hundred articles."""
    for slug in OTHERS:
        await sites.save(counting.store, Site(slug=slug, hosts=("*",)), 1)
        await write_counter(counting.store, slug, "total", EPOCH, 7)
    for number in range(100):
        path = f"/bai-viet/{number}"
        await write_counter(counting.store, "mytho", "total", EPOCH, 0, views=number + 1, path=path)
    api = Api(ApiSettings.read({}), store=counting, state=State(redis))  # type: ignore[arg-type]
    await api.start()
    async with serving(api.asgi) as client:
        yield client
    await api.stop()


async def invent(client: httpx.AsyncClient, first: int) -> int:
    """Ask for invented pages one after the other, with little work; return how many."""
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    asked = 0
    for number in range(first, INVENTED, AT_ONCE):
        path = f"/invented/{number}"
        answer: dict[str, Any] = {"stale": True}
        # On a busy machine, a reading may be late; the next one has it.
        while answer["stale"]:
            writer.write(f"GET /api/counter/mytho?path={path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            (length,) = re.findall(rb"content-length: (\d+)", head)
            answer = json.loads(await reader.readexactly(int(length)))
        assert answer["paths"] == {path: {"views": 0, "today": 0}}
        asked += 1
    writer.close()
    return asked


async def test_invented_pages_are_read_together_and_keep_nobody_else_waiting(
    client: httpx.AsyncClient, counting: Counting
) -> None:
    page = {"path": [f"/bai-viet/{number}" for number in range(100)]}
    statements = counting.statements
    flood = asyncio.gather(*(invent(client, first) for first in range(AT_ONCE)))
    during = 0
    while not flood.done():
        for slug in OTHERS:
            answer = await client.get(f"/api/counter/{slug}")
            assert answer.status_code == 200, answer.text
            assert answer.json()["total"] == 7
        while (listed := (await client.get("/api/counter/mytho", params=page)).json())["stale"]:
            pass
        assert [found["views"] for found in listed["paths"].values()] == list(range(1, 101))
        during += not flood.done()
    assert sum(await flood) == INVENTED
    assert during
    assert counting.statements - statements < INVENTED / 10
