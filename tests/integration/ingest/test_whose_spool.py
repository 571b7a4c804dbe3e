"""Two Luots on one machine with one spool folder: each counts its own hits, and no other's."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest

from services.ingest.spool.spool import Spool
from services.log import keys, spool_marks
from services.model.site import Site
from tests.integration.ingest.conftest import SITE, Log, OpenIngest
from tests.patience import rounds
from tests.servers.redis import RedisServer


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Log]:
    """The log of the other Luot."""
    server = RedisServer(tmp_path / "other").start()
    log = Log(server)
    log.publish(SITE)
    yield log
    log.redis.close()
    server.stop()


async def spool_one_hit(open_ingest: OpenIngest, other: Log, *, known: bool = True) -> None:
    """Let an ingest of the other Luot end with a hit in its spool."""
    async with open_ingest(redis_url=other.server.url) as browser:
        if known:
            await browser.ingest.maintain()
        other.server.kill()
        assert (await browser.view("https://mytho.example/theirs")).status_code == 202


async def paths_in(log: Log, count: int) -> list[str]:
    """Return the paths of the hits in a log, when there are so many."""
    for _ in rounds(0.05):
        if len(log.hits()) >= count:
            break
        await asyncio.sleep(0.05)
    return sorted(hit.path for hit in log.hits())


def of_others(served: str) -> float:
    """Return what the metrics say of bytes that belong to the log of another Luot."""
    (line,) = [each for each in served.splitlines() if each.startswith("luot_spool_other_bytes ")]
    return float(line.split()[1])


async def test_a_spool_of_another_luot_is_left_alone_and_its_own_ingest_drains_it(
    open_ingest: OpenIngest, log: Log, other: Log, caplog: pytest.LogCaptureFixture
) -> None:
    log.redis.set(keys.IDENTITY, "ours")
    other.redis.set(keys.IDENTITY, "theirs")
    await spool_one_hit(open_ingest, other)

    with caplog.at_level(logging.WARNING):
        async with open_ingest() as browser:
            assert (await browser.view("https://mytho.example/ours")).status_code == 202
            for _ in rounds(0.05):
                served = generate_latest().decode()
                if "belongs to another log (theirs, this one is ours)" in caplog.text and (
                    of_others(served) > 0
                ):
                    break
                await asyncio.sleep(0.05)
            assert await browser.ingest.ready() is None
    assert "belongs to another log (theirs, this one is ours)" in caplog.text
    assert of_others(served) > 0
    assert [hit.path for hit in log.hits()] == ["/ours"]

    other.server.start()
    async with open_ingest(redis_url=other.server.url):
        assert await paths_in(other, 1) == ["/theirs"]
    assert [hit.path for hit in log.hits()] == ["/ours"]


async def test_a_process_that_starts_while_its_redis_is_away_knows_whose_spool_it_writes(
    open_ingest: OpenIngest, log: Log, other: Log
) -> None:
    log.redis.set(keys.IDENTITY, "ours")
    other.redis.set(keys.IDENTITY, "theirs")
    await spool_one_hit(open_ingest, other)
    # This one has never met its Redis.
    async with open_ingest(redis_url=other.server.url) as browser:
        assert (await browser.view("https://mytho.example/later")).status_code == 202

    async with open_ingest() as browser:
        assert (await browser.view("https://mytho.example/ours")).status_code == 202
        await asyncio.sleep(1)
    assert [hit.path for hit in log.hits()] == ["/ours"]
    other.server.start()
    async with open_ingest(redis_url=other.server.url):
        assert await paths_in(other, 2) == ["/later", "/theirs"]


async def test_a_spool_from_before_identities_is_adopted(
    open_ingest: OpenIngest, log: Log, other: Log
) -> None:
    await spool_one_hit(open_ingest, other, known=False)
    log.redis.set(keys.IDENTITY, "ours")
    async with open_ingest():
        assert await paths_in(log, 1) == ["/theirs"]


async def test_a_redis_that_was_wiped_does_not_make_a_spool_somebody_elses(
    open_ingest: OpenIngest, log: Log, other: Log
) -> None:
    other.redis.set(keys.IDENTITY, "theirs")
    await spool_one_hit(open_ingest, other)
    other.server.start()
    other.redis.flushall()
    other.publish(SITE)
    async with open_ingest(redis_url=other.server.url):
        assert await paths_in(other, 1) == ["/theirs"]


async def test_a_spool_that_its_owner_drains_meanwhile_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path, 1 << 20, 8, lambda: 0)
    await spool.open()
    await spool.belong_to("ours")
    theirs = tmp_path / "0123456789abcdef"
    theirs.mkdir()
    spool_marks.write(spool_marks.mark(theirs), "theirs")
    (theirs / "left").write_bytes(b"hits")
    # As a file that was deleted after the folder was listed.
    (theirs / "gone").symlink_to(tmp_path / "nothing")
    with caplog.at_level(logging.WARNING):
        assert await spool.adopt() == []
    spool.close()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "belongs to another log" in caplog.text


async def test_a_process_that_starts_while_its_redis_is_away_knows_its_own_sites(
    open_ingest: OpenIngest, log: Log, other: Log
) -> None:
    other.redis.delete("sites")
    other.publish(Site(slug="theirs", hosts=("theirs.example",)))
    async with open_ingest(redis_url=other.server.url), open_ingest():
        pass
    other.server.kill()
    async with open_ingest(redis_url=other.server.url) as browser:
        answer = await browser.view("https://theirs.example/", "theirs")
        foreign = await browser.view()
    assert answer.status_code == 202
    assert "x-luot-dropped" not in answer.headers
    assert foreign.headers["x-luot-dropped"] == "unknown_site"
