"""Redis away, full, wiped or the wrong one: nothing is lost in silence, nothing counts twice."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import structs
from redis.asyncio import Redis

from services.ingest.app import Ingest
from services.ingest.checks import RefusedError
from services.ingest.salt_memory import SaltMemory, is_in_memory
from services.ingest.salts import Salts
from services.ingest.settings import IngestSettings
from services.log import keys
from services.runtime.clock import DAY_MS
from services.state import keys as state_keys
from services.state.errors import StateError
from services.state.state import State
from tests.integration.ingest.conftest import SITE, Browser, Hand, Log, OpenIngest
from tests.patience import rounds
from tests.require import missing
from tests.servers.pace import Pace
from tests.servers.redis import free_port


def begin(log: Log, clock: Hand, spool: Path, **settings: Any) -> Ingest:
    given = {"redis_url": log.server.url, "spool": spool, **settings}
    return Ingest(IngestSettings.read({}, **given), clock=clock)


def assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["errors"]["request"]


@asynccontextmanager
async def opened(ingest: Ingest) -> AsyncIterator[Browser]:
    await ingest.start()
    browser = Browser(ingest, "203.0.113.9")
    try:
        yield browser
    finally:
        await browser.http.aclose()
        await ingest.stop()


async def paths_when(log: Log, count: int) -> list[str]:
    """Return the paths in the log when there are so many: by time, and then as they came in."""
    for _ in rounds(0.02):
        paths = [hit.path for hit in log.hits()]
        if len(paths) >= count:
            return paths
        await asyncio.sleep(0.02)
    raise AssertionError(f"{len(paths)} hits in the log, expected {count}")


async def test_hits_are_taken_while_redis_is_away_and_are_in_the_log_afterwards(
    own_log: Log, clock: Hand, tmp_path: Path
) -> None:
    async with opened(begin(own_log, clock, tmp_path / "spool")) as browser:
        assert (await browser.view("https://mytho.example/before")).status_code == 202
        own_log.server.kill()
        views = (browser.view(f"https://mytho.example/{number}") for number in range(20))
        assert {answer.status_code for answer in await asyncio.gather(*views)} == {202}
        image = await browser.http.get("/hit.gif?d=mytho&u=https://mytho.example/image")
        assert (image.status_code, len(image.content)) == (200, 43)
        assert (await browser.http.get("/readyz")).status_code == 200
        metrics = (await browser.http.get("/metrics")).text
        assert "luot_spool_hits 21.0" in metrics

        await asyncio.to_thread(own_log.server.start)
        assert (await browser.view("https://mytho.example/after")).status_code == 202
        paths = await paths_when(own_log, 23)
    assert set(paths) == {"/before", "/image", "/after", *(f"/{n}" for n in range(20))}
    assert len(paths) == 23
    assert list((tmp_path / "spool").glob("*/*")) == []


async def test_ingest_may_start_before_redis_when_it_knows_the_sites(
    own_log: Log, clock: Hand, tmp_path: Path
) -> None:
    async with opened(begin(own_log, clock, tmp_path / "spool")):
        pass
    own_log.server.stop()
    async with opened(begin(own_log, clock, tmp_path / "spool")) as browser:
        assert (await browser.http.get("/readyz")).status_code == 200
        assert (await browser.view()).status_code == 202
        unknown = await browser.view("https://other.example/", site="other")
        assert unknown.headers["x-luot-dropped"] == "unknown_site"
        await asyncio.to_thread(own_log.server.start)
        assert await paths_when(own_log, 1) == ["/"]


async def test_without_redis_and_a_copy_of_the_sites_nothing_is_taken(
    own_log: Log, clock: Hand, tmp_path: Path
) -> None:
    own_log.server.stop()
    async with opened(begin(own_log, clock, tmp_path / "spool")) as browser:
        assert (await browser.http.get("/healthz")).status_code == 200
        ready = await browser.http.get("/readyz")
        assert ready.status_code == 503
        assert "no copy of the sites" in ready.json()["reason"]
        assert_unavailable(await browser.view())

        await asyncio.to_thread(own_log.server.start)
        await browser.ingest.maintain()
        assert (await browser.http.get("/readyz")).status_code == 200
        assert (await browser.view()).status_code == 202
        assert await paths_when(own_log, 1) == ["/"]


@pytest.mark.parametrize(
    ("away", "reason"), [("redis", "Redis cannot be asked"), ("kafka", "the log cannot be asked")]
)
async def test_what_cannot_be_asked_at_the_start_is_called_by_its_name(
    clock: Hand, log: Log, tmp_path: Path, away: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    urls = {"redis": {"redis_url": f"redis://{nowhere}", "log_url": log.server.url}}
    urls["kafka"] = {"log_url": f"kafka://{nowhere}/hits"}
    async with opened(begin(log, clock, tmp_path / "spool", **urls[away])) as browser:
        ready = (await browser.http.get("/readyz")).json()["reason"]
    assert ready.startswith(f"{reason}: "), ready
    assert any(record.getMessage().startswith(f"{reason}: ") for record in caplog.records)
    assert ("the log cannot be written" in caplog.text) is (away == "kafka")


async def test_a_day_that_begins_without_redis_has_a_salt_of_its_own_in_no_file(
    own_log: Log, clock: Hand, tmp_path: Path
) -> None:
    async with opened(begin(own_log, clock, tmp_path / "spool")) as browser:
        await browser.view()
        own_log.server.kill()
        await browser.view()
        clock.ms += DAY_MS
        await browser.view()
        await asyncio.to_thread(own_log.server.start)
        await paths_when(own_log, 3)
        await browser.ingest.maintain()
        await browser.view()
        await paths_when(own_log, 4)
    today, again, tomorrow, shared = own_log.hits()
    assert today.visitor == again.visitor
    assert tomorrow.visitor not in (0, today.visitor)
    assert shared.visitor == tomorrow.visitor, "the improvised salt is offered to all"
    assert own_log.redis.get(state_keys.salt("mytho", "2023-11-16")) is not None


@pytest.mark.parametrize(("name", "value"), [("maxmemory", "1mb"), ("min-replicas-to-write", "1")])
async def test_a_redis_that_refuses_writes_costs_no_hit(
    own_log: Log, clock: Hand, tmp_path: Path, name: str, value: str
) -> None:
    async with opened(begin(own_log, clock, tmp_path / "spool")) as browser:
        assert (await browser.view("https://mytho.example/0")).status_code == 202
        own_log.redis.config_set(name, value)
        for number in range(1, 10):
            answer = await browser.view(f"https://mytho.example/{number}")
            assert answer.status_code == 202
        assert len(own_log.hits()) == 1
        assert (await browser.http.get("/readyz")).status_code == 200
        own_log.redis.config_set(name, "0")
        assert await paths_when(own_log, 10) == [f"/{number}" for number in range(10)]


async def test_a_redis_that_became_a_replica_costs_no_hit(
    own_log: Log, clock: Hand, tmp_path: Path
) -> None:
    async with opened(begin(own_log, clock, tmp_path / "spool")) as browser:
        await browser.view("https://mytho.example/0")
        own_log.redis.replicaof("127.0.0.1", str(free_port()))
        for number in range(1, 10):
            answer = await browser.view(f"https://mytho.example/{number}")
            assert answer.status_code == 202
        own_log.redis.replicaof("NO", "ONE")
        assert await paths_when(own_log, 10) == [f"/{number}" for number in range(10)]


async def test_a_redis_that_hangs_costs_no_hit_and_visitors_wait_once(
    own_log: Log, clock: Hand, tmp_path: Path
) -> None:
    async with opened(begin(own_log, clock, tmp_path / "spool")) as browser:
        await browser.view("https://mytho.example/0")
        os.kill(own_log.server.pid, signal.SIGSTOP)
        try:
            async with Pace() as pace:
                assert (await browser.view("https://mytho.example/1")).status_code == 202
                assert pace() < 3
            async with Pace() as pace:
                for number in range(2, 10):
                    clock.ms += DAY_MS if number == 5 else 1
                    answer = await browser.view(f"https://mytho.example/{number}")
                    assert answer.status_code == 202
                assert pace() < 0.9
        finally:
            os.kill(own_log.server.pid, signal.SIGCONT)
        assert await paths_when(own_log, 10) == [f"/{number}" for number in range(10)]


async def test_a_full_spool_is_a_503_and_not_a_loss(
    own_log: Log, clock: Hand, tmp_path: Path
) -> None:
    async with opened(begin(own_log, clock, tmp_path / "spool", spool_bytes=2000)) as browser:
        own_log.server.kill()
        answers = [await browser.view(f"https://mytho.example/{number}") for number in range(30)]
        taken = [n for n, answer in enumerate(answers) if answer.status_code == 202]
        assert 1 < len(taken) < 30
        for answer in answers[len(taken) :]:
            assert_unavailable(answer)
        ready = await browser.http.get("/readyz")
        assert ready.status_code == 503
        assert "LUOT_SPOOL_BYTES=2000" in ready.json()["reason"]
        image = await browser.http.get("/hit.gif?d=mytho&u=https://mytho.example/no")
        assert (image.status_code, len(image.content)) == (503, 43)

        await asyncio.to_thread(own_log.server.start)
        assert await paths_when(own_log, len(taken)) == [f"/{number}" for number in taken]
        await browser.ingest.maintain()
        assert (await browser.view("https://mytho.example/after")).status_code == 202
        assert (await browser.http.get("/readyz")).status_code == 200


@pytest.mark.parametrize("before", range(4))
async def test_a_view_that_was_taken_is_not_refused_because_of_its_search(
    own_log: Log, clock: Hand, tmp_path: Path, before: int
) -> None:
    own_log.publish(structs.replace(SITE, search_parameters=("q",)))
    # A record for each, so that the spool is full after the view or after the search.
    settings: dict[str, int] = {"spool_bytes": 2000, "group_commit_hits": 1}
    async with opened(begin(own_log, clock, tmp_path / "spool", **settings)) as browser:
        own_log.server.kill()
        urls = [*(f"/{'x' * 20}" for _ in range(before)), *(f"/{n}?q=chu" for n in range(30))]
        answers = [await browser.view(f"https://mytho.example{url}") for url in urls]
        taken = sum(answer.status_code == 202 for answer in answers)
        assert before < taken < 30

        await asyncio.to_thread(own_log.server.start)
        await paths_when(own_log, taken)
        await browser.ingest.maintain()
        assert (await browser.view("https://mytho.example/after")).status_code == 202
        views: list[str] = []
        for _ in rounds(0.02):
            views = [hit.path for hit in own_log.hits() if hit.site == SITE.slug]
            if "/after" in views:
                break
            await asyncio.sleep(0.02)
        assert len(views) == taken + 1


async def test_a_spool_that_cannot_be_written_stops_the_start(
    log: Log, clock: Hand, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RefusedError, match=r"LUOT_SPOOL='.*file/spool' cannot be used: Not a dir"):
        await begin(log, clock, tmp_path / "file" / "spool").start()


async def test_a_wiped_redis_does_not_make_the_sites_unknown(browser: Browser, log: Log) -> None:
    await browser.view()
    log.redis.flushall()
    await browser.ingest.maintain()
    answer = await browser.view()
    assert (answer.status_code, answer.headers.get("x-luot-dropped")) == (202, None)
    assert len(log.hits()) == 1
    assert log.redis.get(keys.PARTITIONS) == b"8"


async def test_a_site_that_is_removed_is_unknown(browser: Browser, log: Log) -> None:
    log.redis.hdel(state_keys.SITES, SITE.slug)
    await browser.ingest.maintain()
    assert (await browser.view()).headers["x-luot-dropped"] == "unknown_site"


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_redis_that_may_evict_hits_is_refused(
    log: Log, clock: Hand, open_ingest: OpenIngest, policy: str, tmp_path: Path
) -> None:
    log.redis.config_set("maxmemory-policy", policy)
    try:
        with pytest.raises(RefusedError, match=f"maxmemory-policy '{policy}'.*noeviction"):
            await begin(log, clock, tmp_path).start()
        async with open_ingest(unsafe_eviction=True) as browser:
            assert (await browser.view()).status_code == 202
    finally:
        log.redis.config_set("maxmemory-policy", "noeviction")


async def test_another_number_of_partitions_is_refused(
    log: Log, clock: Hand, open_ingest: OpenIngest, tmp_path: Path
) -> None:
    async with open_ingest(partitions=4):
        pass
    with pytest.raises(RefusedError, match=r"LUOT_PARTITIONS=8.*expected 4"):
        await begin(log, clock, tmp_path).start()


def needs_memory() -> None:
    if not is_in_memory(Path("/dev/shm")):
        missing("a file system in memory at /dev/shm")


async def test_a_salt_whose_reply_was_lost_is_the_salt_of_the_day(
    own_log: Log, clock: Hand, tmp_path: Path
) -> None:
    memory = SaltMemory(tmp_path / "on a disk", own_log.server.url)
    hurried = Redis.from_url(own_log.server.url, socket_timeout=0.2, retry=None)
    salts = Salts(State(hurried), memory, clock)
    # Connected before, so that what is offered reaches Redis and only its reply is lost.
    await hurried.ping()
    os.kill(own_log.server.pid, signal.SIGSTOP)
    try:
        with pytest.raises(StateError):
            await salts.load("mytho", 1)
        salts.improvise("mytho", 1)
        own = salts.known("mytho", 1)
    finally:
        os.kill(own_log.server.pid, signal.SIGCONT)
    await salts.share()
    assert salts.known("mytho", 1) == own
    assert own_log.redis.get(state_keys.salt("mytho", "1970-01-02")) == own
    await hurried.aclose()


async def test_a_visitor_stays_the_same_when_ingest_restarts_while_redis_is_away(
    own_log: Log, clock: Hand, tmp_path: Path
) -> None:
    needs_memory()
    spool = tmp_path / "spool"
    async with opened(begin(own_log, clock, spool)) as browser:
        await browser.view("https://mytho.example/before")
    own_log.server.kill()
    async with opened(begin(own_log, clock, spool)) as browser:
        await browser.view("https://mytho.example/during")
        await asyncio.to_thread(own_log.server.start)
        await paths_when(own_log, 2)
    async with opened(begin(own_log, clock, spool)) as browser:
        await browser.view("https://mytho.example/after")
    assert len(await paths_when(own_log, 3)) == 3
    assert len({hit.visitor for hit in own_log.hits()}) == 1


async def test_two_processes_of_one_machine_agree_on_a_salt_without_redis(
    own_log: Log, clock: Hand, tmp_path: Path
) -> None:
    needs_memory()
    first, second = begin(own_log, clock, tmp_path / "1"), begin(own_log, clock, tmp_path / "2")
    async with opened(first) as one, opened(second) as two:
        await one.view("https://mytho.example/known")
        own_log.server.kill()
        clock.ms += DAY_MS
        await one.view("https://mytho.example/one")
        await two.view("https://mytho.example/two")
        await asyncio.to_thread(own_log.server.start)
        await paths_when(own_log, 3)
    hits = {hit.path: hit for hit in own_log.hits()}
    assert hits["/one"].visitor == hits["/two"].visitor != hits["/known"].visitor
