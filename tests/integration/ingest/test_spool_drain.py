"""Draining into a real Redis: in order, once, and never on a guess."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.ingest.checks import RefusedError
from services.ingest.circuit_breaker import CircuitBreaker
from services.ingest.spool import drain, records
from services.ingest.spool.drain import DOUBT_MS, QUICK_SECONDS, Drain
from services.ingest.spool.folder import Folder
from services.ingest.spool.spool import Spool
from services.log import keys
from services.log.entries import Batcher, LogEntry
from services.log.interface import Log as HitLog
from services.log.interface import LogProducer
from services.log.open import open_log
from services.model.hit import Hit
from tests.chaos.proxy import Proxy
from tests.integration.ingest.conftest import NOON, Log
from tests.patience import PATIENCE_SECONDS, rounds

PARTITIONS = 4
PRODUCER = "0123456789abcdef"


def hit(number: int, site: str = "mytho") -> Hit:
    return Hit(site=site, path=f"/{number}", at=NOON + number, day=19_676, visitor=7)


def entries(count: int) -> list[LogEntry]:
    """Return so many entries of one producer, one hit each, all of one partition."""
    batcher = Batcher(PARTITIONS, PRODUCER)
    return [entry for number in range(count) for entry in batcher.prepare([hit(number)])]


def leave_behind(
    root: Path, spooled: Sequence[LogEntry], *, attempted: bool = False, written: int = NOON
) -> Path:
    """Make what a process that was killed has left: one record an entry."""
    folder = root / "fedcba9876543210"
    folder.mkdir(parents=True)
    content = [records.encode(written, [entry], attempted=attempted) for entry in spooled]
    (folder / "00000001.spool").write_bytes(records.header(PARTITIONS) + b"".join(content))
    return folder


class Check:
    """Whether Redis may be given anything."""

    refusal: str | None = None
    asked = 0

    async def __call__(self) -> None:
        self.asked += 1
        if self.refusal is not None:
            raise RefusedError(self.refusal)


@asynccontextmanager
async def draining(
    log: Log,
    root: Path,
    check: Check | None = None,
    breaker: CircuitBreaker | None = None,
    *,
    limit: int = 1 << 30,
    port: int | None = None,
) -> AsyncIterator[Spool]:
    spool = Spool(root, limit, PARTITIONS, lambda: NOON)
    await spool.open()
    logged = log_at(port or log.server.port)
    drains = Drain(logged, spool, breaker or CircuitBreaker(), check or Check(), lambda: NOON)
    drains.start()
    try:
        yield spool
    finally:
        await drains.stop()
        await drains.close()
        await logged.close()
        spool.close()


def log_at(port: int) -> HitLog:
    return open_log(f"redis://127.0.0.1:{port}", partitions=PARTITIONS)


@asynccontextmanager
async def producing(log: Log) -> AsyncIterator[LogProducer]:
    logged = log_at(log.server.port)
    producer = logged.producer()
    yield producer
    await producer.close()
    await logged.close()


async def until(reached: Callable[[], bool]) -> None:
    for _ in rounds(0.02):
        if reached():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it does not come")


async def until_drained(folder: Path) -> None:
    await until(lambda: not list(folder.glob("*.spool")))


def ttl(log: Log, entry: LogEntry) -> Any:
    return log.redis.ttl(keys.producer(entry.partition, entry.producer))


async def test_what_was_left_behind_is_appended_in_order_with_its_producer_and_sequence(
    log: Log, tmp_path: Path
) -> None:
    spooled = entries(3000)
    folder = leave_behind(tmp_path, spooled)
    async with draining(log, tmp_path):
        await until_drained(folder)
    assert log.hits() == [hit(number) for number in range(3000)]
    (stream,) = log.redis.scan_iter("hits:{*}")
    found: Any = log.redis.xrange(stream)
    assert [int(fields[b"s"]) for _, fields in found] == list(range(1, 3001))
    assert {fields[b"p"] for _, fields in found} == {PRODUCER.encode()}


async def test_a_drain_repeated_after_a_crash_repeats_nothing_however_late(
    log: Log, tmp_path: Path
) -> None:
    spooled = entries(100)
    folder = leave_behind(tmp_path, spooled, written=NOON - 2 * DOUBT_MS)
    async with producing(log) as producer:
        await producer.open(PRODUCER)
        await producer.append(spooled[:60])
    assert ttl(log, spooled[0]) == -1, "the sequence is remembered until the file is deleted"
    async with draining(log, tmp_path):
        await until_drained(folder)
        # The sequence may be forgotten now: that is the next thing the drain says.
        await until(lambda: ttl(log, spooled[0]) > 0)
    assert log.hits() == [hit(number) for number in range(100)]


async def test_the_log_remembers_a_sequence_as_long_as_its_file_is_there(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooled = entries(1)
    folder = leave_behind(tmp_path, spooled)
    deleting = asyncio.Event()
    remembered: list[Any] = []

    async def clear(_: Folder) -> None:
        remembered.append(ttl(log, spooled[0]))
        deleting.set()

    monkeypatch.setattr(Folder, "clear", clear)
    async with draining(log, tmp_path):
        await asyncio.wait_for(deleting.wait(), PATIENCE_SECONDS)
    assert folder.exists()
    assert remembered[0] == -1


async def test_an_entry_whose_reply_was_lost_long_ago_is_set_aside_and_not_guessed_at(
    log: Log, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    folder = leave_behind(tmp_path, entries(1), attempted=True, written=NOON - DOUBT_MS - 1)
    async with draining(log, tmp_path):
        await until_drained(folder)
    assert log.hits() == []
    assert [file.name for file in folder.iterdir()] == ["00000001.doubtful"]
    assert "1 hits" in caplog.text


@pytest.mark.parametrize("known", [True, False])
async def test_an_entry_whose_reply_was_lost_lately_is_in_the_log_once(
    log: Log, tmp_path: Path, known: bool
) -> None:
    spooled = entries(1)
    if known:
        async with producing(log) as producer:
            await producer.append(spooled)
    folder = leave_behind(tmp_path, spooled, attempted=True, written=NOON - DOUBT_MS + 1000)
    async with draining(log, tmp_path):
        await until_drained(folder)
    assert log.hits() == [hit(0)]


async def test_old_hits_that_were_never_tried_are_appended_however_old(
    log: Log, tmp_path: Path
) -> None:
    folder = leave_behind(tmp_path, entries(5), written=NOON - 10 * DOUBT_MS)
    async with draining(log, tmp_path):
        await until_drained(folder)
    assert len(log.hits()) == 5


async def test_nothing_is_drained_into_a_redis_that_must_not_hold_the_log(
    log: Log, tmp_path: Path
) -> None:
    check, breaker = Check(), CircuitBreaker()
    check.refusal = "another number of partitions"
    breaker.open("test")
    async with draining(log, tmp_path, check, breaker) as spool:
        await spool.append(entries(1), attempted=False)
        await until(lambda: check.asked > 0)
        assert (breaker.fault, spool.hits, log.hits()) == ("test", 1, [])
        check.refusal = None
        await until(lambda: breaker.closed)
    assert log.hits() == [hit(0)]


async def test_of_entries_in_one_append_a_smaller_sequence_is_never_left_out(log: Log) -> None:
    spooled = entries(10)
    async with producing(log) as producer:
        await producer.append(spooled[:4])
        await producer.append(spooled[2:])
        await producer.append(spooled)
    assert log.hits() == [hit(number) for number in range(10)]


def backing_off() -> tuple[CircuitBreaker, list[float]]:
    """Return a breaker that backs off, and the clock that it reads."""
    clock = [1000.0]
    breaker = CircuitBreaker(lambda: clock[0])
    breaker.open("slow", slow=True)
    breaker.close()
    breaker.open("slow", slow=True)
    assert not breaker.half_open
    return breaker, clock


async def test_a_breaker_that_backs_off_is_drained_but_not_closed(log: Log, tmp_path: Path) -> None:
    breaker, clock = backing_off()
    # A record is 80 bytes: much more passes through the spool than it may hold.
    async with draining(log, tmp_path, breaker=breaker, limit=4000) as spool:
        for number, entry in enumerate(entries(200), 1):
            if number % 10 == 0:
                await until(lambda: spool.hits == 0)
            async with spool.writing:
                await spool.append([entry], attempted=False)
        await until(lambda: len(log.hits()) == 200)
        assert not breaker.closed
        clock[0] += 2
        await until(lambda: breaker.closed)
    assert log.hits() == [hit(number) for number in range(200)]


async def test_a_log_that_does_not_answer_in_time_is_told_in_words(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(drain, "_APPEND_SECONDS", 0.1)
    leave_behind(tmp_path, entries(1))
    breaker = CircuitBreaker()
    async with (
        Proxy(log.server.port) as proxy,
        draining(log, tmp_path, breaker=breaker, port=proxy.port) as spool,
    ):
        proxy.hold()
        async with spool.writing:
            await spool.append(entries(1), attempted=False)
        breaker.open("test")
        own, left = "the spool cannot be drained: ", "that others left cannot be drained: "
        await until(lambda: own in caplog.text and left in caplog.text)
        assert f"{own}no answer in time\n" in caplog.text
        assert f"{left}no answer in time\n" in caplog.text
        monkeypatch.undo()
        proxy.heal()
        await until(lambda: breaker.closed)


async def test_a_breaker_before_a_redis_that_takes_long_for_an_append_stays_open(
    log: Log, tmp_path: Path
) -> None:
    breaker = CircuitBreaker()
    breaker.open("test")
    async with (
        Proxy(log.server.port) as proxy,
        draining(log, tmp_path, breaker=breaker, port=proxy.port) as spool,
    ):
        proxy.delay = QUICK_SECONDS + 0.1
        # Something comes all the while: an empty spool is no append that takes long.
        for entry in entries(100):
            async with spool.writing:
                await spool.append([entry], attempted=False)
            assert not breaker.closed
            await asyncio.sleep(0.02)
        await until(lambda: bool(log.hits()))
        assert not breaker.closed
        proxy.delay = 0
        await until(lambda: breaker.closed)
    assert log.hits() == [hit(number) for number in range(100)]
