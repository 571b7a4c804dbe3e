"""A log goes from Redis to Kafka and back, under load and with kills: the books are exact."""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.ingest.spool.records import HEADER_BYTES
from services.ingest.spool.segment import SUFFIX
from services.log.open import open_log
from tests.chaos.books import SITES, Books, Generator
from tests.chaos.compare import settle
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.kafka import KafkaServer
from tests.servers.redis import RedisServer
from tests.servers.system import System

RATE = 60.0
PLAIN, AGAIN = "khong-so", 3
"""A site whose hits have no number: one that comes again is counted again; and how many come."""
KILLED_WITHIN = 0.6
"""Seconds after ingest was made to spool, within which the first command of a move is killed."""


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    system = System(tmp_path_factory.mktemp("luot"), LUOT_LEASE_SECONDS="2")
    try:
        yield system.start()
    finally:
        system.stop()


def redis_of(portal: System) -> str:
    return portal.accounts.redis_url("luot", portal.redis.port)


def luot(portal: System, *arguments: str, at: str = "") -> subprocess.Popen[str]:
    """Give a command as an administrator; the log is at a URL, or in Redis."""
    own = {key: value for key, value in os.environ.items() if key[:5] != "LUOT_"}
    own |= {
        "LUOT_REDIS_URL": redis_of(portal),
        "LUOT_LOG_URL": at,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "services.cli.main", "log", *arguments],
        env=own,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(command: subprocess.Popen[str]) -> tuple[int, str]:
    text, _ = command.communicate(timeout=PATIENCE_SECONDS)
    return command.returncode, text


async def left_behind(portal: System, server: KafkaServer | RedisServer) -> dict[Path, bytes]:
    """Let the log be away; return the spool that was drained when it came back.

    An ingest that is killed before it deletes that leaves it to the next one.
    """
    spool = portal.ingest.log.parent / "spool"

    async def seen(state: Callable[[], bool]) -> None:
        for _ in rounds(0.1):
            if state():
                return
            await asyncio.sleep(0.1)
        raise AssertionError(list(spool.glob("*/*")))

    def files() -> list[Path]:
        return list(spool.glob(f"*/*{SUFFIX}"))

    await seen(lambda: not files())
    server.freeze()
    for _ in range(AGAIN):
        # One after the other, as whoever waits for an answer.
        assert (await asyncio.to_thread(portal.hit, PLAIN, "/")).status_code == 202
    await seen(lambda: any(path.stat().st_size > HEADER_BYTES for path in files()))
    left = {path: path.read_bytes() for path in files()}
    server.thaw()
    await seen(lambda: not any(path.exists() for path in left))
    return left


async def moved(portal: System, chance: random.Random, to: str, at: str = "") -> None:
    """Move the log; the first command that gets far enough is killed on the way."""
    for _ in rounds(1.0):
        command = luot(portal, "move", "--yes", "--to", to, at=at)
        assert command.stdout is not None
        line = await asyncio.to_thread(command.stdout.readline)
        if "into its spool" in line:
            break
        # The aggregator that was killed is not forgotten yet.
        assert "an aggregator is running" in line, line
        command.communicate()
    await asyncio.sleep(chance.uniform(0, KILLED_WITHIN))
    command.kill()
    command.communicate()
    # So is the command, but that would take half a minute.
    for url in (at or redis_of(portal), to):
        log = open_log(url)
        await log.positions.disown()
        await log.close()
    for _ in rounds(1.0):
        code, text = await asyncio.to_thread(said, luot(portal, "move", "--yes", "--to", to, at=at))
        if code == 0:
            return
        assert "does not answer in time" in text, text
    raise AssertionError(text)


def test_the_log_goes_to_kafka_and_back_under_load(
    portal: System, kafka: KafkaServer, record_seed: Callable[[], int]
) -> None:
    asyncio.run(_there_and_back(portal, kafka, record_seed()))


async def _there_and_back(portal: System, kafka: KafkaServer, seed: int) -> None:
    chance, books = random.Random(seed), Books(seed)
    for site in (*SITES, PLAIN):
        portal.add_site(site)
    there = kafka.url("hits")

    code, text = said(luot(portal, "move", "--yes", "--to", there))
    assert (code, "an aggregator is running" in text) == (2, True), text

    async with Generator(books, [portal.ingest.url], RATE, repeats=2).sending():
        for server, at, to, settings in (
            (portal.redis, "", there, {"LUOT_LOG_URL": there}),
            (kafka, there, redis_of(portal), dict[str, str]()),
        ):
            # Some are counted, and come again after the move.
            await asyncio.sleep(2)
            left = await left_behind(portal, server)
            portal.aggregator.kill()
            await asyncio.sleep(1)
            await moved(portal, chance, to, at)
            services = (portal.ingest, portal.aggregator, portal.api)
            for service in services:
                service.kill()
            for path, content in left.items():
                path.write_bytes(content)
            for service in services:
                service.start(wait=False, **settings)
            for service in services:
                await asyncio.to_thread(service.wait_until_ready)
            code, text = await asyncio.to_thread(
                said, luot(portal, "move", "--yes", "--to", to, at=at)
            )
            assert (code, "The log has already been moved there." in text) == (0, True), text
    store = portal.accounts.clickhouse_url("luot", portal.clickhouse.port)
    assert await settle(store, books, portal.api.url) == []
    assert portal.counter(PLAIN, metric="views")["total"] == 2 * AGAIN
    assert len(books.accepted) > 200
    # Nobody was refused: hits waited in the spool.
    assert {reason for reason in books.refused if reason[0] in "45"} <= {"503"}


def test_a_log_is_made_and_what_is_wrong_is_said(portal: System, kafka: KafkaServer) -> None:
    code, text = said(luot(portal, "create"))
    assert (code, "Nothing needs to be created in Redis" in text) == (0, True), text
    code, text = said(luot(portal, "create", kafka.url("made")))
    assert code == 0, text
    for topic in ("made", "made-notes", "made-dead"):
        assert f"created the topic {topic}\n" in text
    assert "one copy of each entry" in text
    code, text = said(luot(portal, "create", at=kafka.url("made")))
    assert (code, "All topics exist already." in text) == (0, True), text
    code, text = said(luot(portal, "create", "kafka://:9092x"))
    assert (code, "this is not the URL of a log" in text) == (2, True), text
