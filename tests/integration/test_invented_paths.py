"""One address invents 20,480 pages in the whole of Luot; nobody else's articles notice."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.model.hit import OTHER_PATH
from services.model.site import Site
from services.state import keys
from services.store.counts import counters, drift
from services.store.open import open_store
from tests.noon import zone_at_noon
from tests.patience import PATIENCE_SECONDS
from tests.servers.system import BROWSER, TOKEN, System
from tests.servers.up import luot

SITE = "baochi"
ZONE = zone_at_noon()
INVENTED = 20_480
FLOODER = "198.51.100.66"
READERS = ("203.0.113.1", "203.0.113.2", "203.0.113.3")
OLD = "/tin-tuc/bai-hom-qua.html"
DURING, AFTER, BESIDE = (f"/tin-tuc/bai-moi-{n}.html" for n in range(3))
CONNECTIONS = 8
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("luot"))
    try:
        yield system.start()
    finally:
        system.stop()


def today() -> int:
    return Site(slug=SITE, timezone=ZONE).day_of(int(time.time() * 1000))


async def write_yesterday(url: str, path: str, views: int) -> None:
    """Write what the counters would have of an article that was read yesterday."""
    store = open_store(url)
    rows = {
        (SITE, grain, start, of): (views, views, 1)
        for grain, start in (("day", today() - 1), ("total", 0))
        for of in ("", path)
    }
    await counters.write(store, rows)
    await store.close()


def wait_for_history(system: System) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    with system.redis.client() as redis:
        while not redis.exists(keys.path_history(SITE)):
            assert time.monotonic() < deadline, "the history of the site is not published"
            time.sleep(0.1)


def read(system: System, path: str, *readers: str) -> None:
    for reader in readers:
        answer = system.hit(SITE, path, **{"X-Forwarded-For": reader})
        assert (answer.status_code, "X-Luot-Dropped" in answer.headers) == (202, False)


def views_when(system: System, path: str, views: int) -> None:
    """Return as soon as a page shows so many views; it must not show more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        found = system.counter(SITE, path=path)["paths"][path]["views"]
        if found >= views or time.monotonic() > deadline:
            assert found == views, f"{path}: {found} views, expected {views}"
            return
        time.sleep(0.1)


async def flood(port: int, numbers: range) -> int:
    """View an invented page for each number, each as another browser; return how many counted."""

    async def send(mine: range) -> int:
        counted = 0
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in mine:
            event = {"n": "pageview", "d": SITE, "u": f"https://{SITE}.example/bia-{number}"}
            body = json.dumps(event).encode()
            head = (
                "POST /api/event HTTP/1.1\r\nHost: ingest\r\nContent-Type: application/json\r\n"
                f"User-Agent: {BROWSER} v{number}\r\nX-Forwarded-For: {FLOODER}\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            assert answer.startswith(b"http/1.1 202"), answer
            await reader.readexactly(int(answer.split(b"content-length: ")[1].split(b"\r\n")[0]))
            counted += b"\r\nx-luot-dropped:" not in answer
        writer.close()
        return counted

    parts = (numbers[first::CONNECTIONS] for first in range(CONNECTIONS))
    return sum(await asyncio.gather(*map(send, parts)))


def pages(system: System) -> dict[str, int]:
    """Return the views of the day's pages, as the counters have them."""

    async def load() -> dict[str, int]:
        store = open_store(system.clickhouse.url)
        rows = await store.execute(
            "SELECT path, views FROM counters FINAL WHERE site = %(site)s AND grain = 'day'"
            " AND start = %(day)s",
            {"site": SITE, "day": datetime.fromtimestamp(today() * 86400, UTC).date()},
        )
        await store.close()
        return dict(rows)

    return asyncio.run(load())


def breakdown(system: System) -> dict[str, int]:
    query: dict[str, str | int] = {"site_id": SITE, "property": "event:page", "limit": 1000}
    query["metrics"] = "pageviews"
    answer = httpx.get(
        f"{system.api.url}/api/v1/stats/breakdown", params=query, headers=ADMIN, timeout=60
    )
    assert answer.status_code == 200, answer.text
    return {row["page"]: row["pageviews"] for row in answer.json()["results"]}


def repair(system: System, *more: str) -> str:
    day = datetime.fromtimestamp(today() * 86400, UTC).date()
    done = luot(
        *("repair", "paths", SITE, "--day", str(day), "--yes", *more),
        LUOT_URL=system.api.url,
        LUOT_TOKEN=TOKEN,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_articles_of_others_are_exact_while_one_address_invents_pages(system: System) -> None:
    system.add_site(SITE, timezone=ZONE)
    asyncio.run(write_yesterday(system.clickhouse.url, OLD, 445))
    system.aggregator.stop()
    system.aggregator.start()
    wait_for_history(system)

    with ThreadPoolExecutor() as threads:
        half = INVENTED // 2
        counted = asyncio.run(flood(system.ingest.port, range(half)))
        flooding = threads.submit(asyncio.run, flood(system.ingest.port, range(half, INVENTED)))
        for path in (OLD, DURING):
            read(system, path, *READERS)
        counted += flooding.result()
    for path in (OLD, AFTER):
        read(system, path, *READERS)
    # Who shares the flooder's address cannot open pages, and needs not where there is a history.
    read(system, OLD, FLOODER)

    views_when(system, OLD, 445 + 7)
    views_when(system, DURING, 3)
    views_when(system, AFTER, 3)
    system.counter_when(SITE, total=445 + 13 + counted, metric="views")
    stored = pages(system)
    invented = {path for path in stored if path.startswith("/bia-")}
    # One address's budget by default, and no more rows than that.
    assert len(invented) <= 1000
    assert stored[OTHER_PATH] == counted - len(invented)
    assert len(stored) == len(invented) + 5


def test_what_a_reader_beside_the_flooder_saw_comes_back_to_its_page(system: System) -> None:
    """Depends on the flood before: the flooder's address has opened all it may."""
    read(system, BESIDE, FLOODER, *READERS[:2])
    views_when(system, BESIDE, 2)
    before = pages(system)[OTHER_PATH]
    waits = json.loads(repair(system, "--dry-run", "--json"))
    assert (waits["pages"], waits["returned"]) == ([BESIDE], {})
    assert "got 1 views back" in repair(system)
    views_when(system, BESIDE, 3)
    assert breakdown(system)[BESIDE] == 3
    assert breakdown(system)[OTHER_PATH] == before - 1
    assert "No views of" in repair(system)

    repair(system, "--undo", "--path", BESIDE)
    assert breakdown(system)[BESIDE] == 2
    assert "got 1 views back" in repair(system, "--path", BESIDE)
    assert breakdown(system)[BESIDE] == 3

    entries: list[Any] = httpx.get(
        f"{system.api.url}/api/admin/audit", params={"site": SITE}, headers=ADMIN
    ).json()["entries"]
    assert [entry["action"] for entry in entries[:3]] == ["paths.give", "paths.take", "paths.give"]
    assert entries[0]["after"] == {"paths": [BESIDE]}


def test_the_counters_agree_with_the_raw_hits_throughout(system: System) -> None:
    async def differ() -> list[drift.Difference]:
        store = open_store(system.clickhouse.url)
        found = [*await drift.recount(store, 8, today()), *await drift.pages(store, today())]
        await store.close()
        return found

    assert asyncio.run(differ()) == []
