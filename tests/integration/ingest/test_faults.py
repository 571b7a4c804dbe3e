"""Redis away, full, wiped or the wrong one: nothing is lost in silence, nothing counts twice."""

import asyncio

import httpx
import pytest

from services.ingest.app import Ingest
from services.ingest.checks import RefusedError
from services.ingest.settings import IngestSettings
from services.log import keys
from tests.integration.ingest.conftest import SITE, Browser, Hand, Log, OpenIngest


def begin(log: Log, clock: Hand) -> Ingest:
    return Ingest(IngestSettings.read({}, redis_url=log.server.url), clock=clock)


def assert_unavailable(answer: httpx.Response) -> None:
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["errors"]["request"]


async def test_hits_are_refused_while_redis_is_away_and_taken_again_afterwards(
    own_log: Log, clock: Hand
) -> None:
    ingest = begin(own_log, clock)
    await ingest.start()
    browser = Browser(ingest, "203.0.113.9")
    assert (await browser.view("https://mytho.example/before")).status_code == 202

    own_log.server.kill()
    answers = await asyncio.gather(*(browser.view("https://mytho.example/no") for _ in range(20)))
    for answer in answers:
        assert_unavailable(answer)
    ready = await browser.http.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["reason"]
    image = await browser.http.get("/hit.gif?d=mytho&u=https://mytho.example/no")
    assert (image.status_code, len(image.content)) == (503, 43)

    own_log.server.start()
    assert (await browser.view("https://mytho.example/after")).status_code == 202
    await ingest.tend()
    assert (await browser.http.get("/readyz")).status_code == 200
    assert [hit.path for hit in own_log.hits()] == ["/before", "/after"]
    await browser.http.aclose()
    await ingest.stop()


async def test_ingest_may_start_before_redis(own_log: Log, clock: Hand) -> None:
    own_log.server.stop()
    ingest = begin(own_log, clock)
    await ingest.start()
    browser = Browser(ingest, "203.0.113.9")
    assert (await browser.http.get("/healthz")).status_code == 200
    ready = await browser.http.get("/readyz")
    assert ready.status_code == 503
    assert "Redis cannot be asked" in ready.json()["reason"]
    assert_unavailable(await browser.view())

    await asyncio.to_thread(own_log.server.start)
    await ingest.tend()
    assert (await browser.http.get("/readyz")).status_code == 200
    assert (await browser.view()).status_code == 202
    assert len(own_log.hits()) == 1
    await browser.http.aclose()
    await ingest.stop()


async def test_a_full_redis_is_a_503_and_not_a_loss(own_log: Log, clock: Hand) -> None:
    ingest = begin(own_log, clock)
    await ingest.start()
    browser = Browser(ingest, "203.0.113.9")
    assert (await browser.view()).status_code == 202
    own_log.redis.config_set("maxmemory", "1mb")
    assert_unavailable(await browser.view())
    await ingest.tend()
    assert (await browser.http.get("/readyz")).status_code == 503
    own_log.redis.config_set("maxmemory", "0")
    assert (await browser.view()).status_code == 202
    await ingest.tend()
    assert (await browser.http.get("/readyz")).status_code == 200
    assert len(own_log.hits()) == 2
    await browser.http.aclose()
    await ingest.stop()


async def test_a_wiped_redis_does_not_make_the_sites_unknown(browser: Browser, log: Log) -> None:
    await browser.view()
    log.redis.flushall()
    await browser.ingest.tend()
    answer = await browser.view()
    assert (answer.status_code, answer.headers.get("x-luot-dropped")) == (202, None)
    assert len(log.hits()) == 1
    assert log.redis.get(keys.PARTITIONS) == b"8"


async def test_a_site_that_is_removed_is_unknown(browser: Browser, log: Log) -> None:
    log.redis.hdel(keys.SITES, SITE.slug)
    await browser.ingest.tend()
    assert (await browser.view()).headers["x-luot-dropped"] == "unknown_site"


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_a_redis_that_may_evict_hits_is_refused(
    log: Log, clock: Hand, open_ingest: OpenIngest, policy: str
) -> None:
    log.redis.config_set("maxmemory-policy", policy)
    try:
        with pytest.raises(RefusedError, match=f"maxmemory-policy '{policy}'.*noeviction"):
            await begin(log, clock).start()
        async with open_ingest(unsafe_eviction=True) as browser:
            assert (await browser.view()).status_code == 202
    finally:
        log.redis.config_set("maxmemory-policy", "noeviction")


async def test_another_number_of_partitions_is_refused(
    log: Log, clock: Hand, open_ingest: OpenIngest
) -> None:
    async with open_ingest(partitions=4):
        pass
    with pytest.raises(RefusedError, match=r"LUOT_PARTITIONS=8.*expected 4"):
        await begin(log, clock).start()
