"""A move of a log that is interrupted anywhere, and repeated, comes to the same end."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from services.log.admin import MoveMark, Way, place, refuse_moved, shown
from services.log.drivers.memory import MemoryLog
from services.log.entries import LogEntry
from services.log.errors import LogError, LogInUseError, LogRefusedError
from services.log.moving import MoveReport, cancel, move
from services.log.open import open_log

PARTITIONS = 2
REPLAY_MS = 3_600_000
COUNTED = 3


def opened(partitions: int = PARTITIONS) -> MemoryLog:
    log = open_log(f"memory://{secrets.token_hex(4)}", partitions=partitions)
    assert isinstance(log, MemoryLog)
    return log


async def filled() -> MemoryLog:
    """Return a log with five entries a partition, of which three are counted, and an import."""
    log = opened()
    await log.create()
    await log.identify("the-log")
    producer = log.producer()
    for sequence in range(1, 6):
        await producer.append(
            [LogEntry(number, "p", sequence, 1, b"%d" % sequence) for number in range(PARTITIONS)]
        )
    records = (await log.reader.read({0: 0}, limit=10))[0]
    at = records[COUNTED].position
    await log.positions.set_committed(dict.fromkeys(range(PARTITIONS), at))
    await log.positions.note_written({0: at - 1})
    await log.imports.begin("mytho", "d" * 64)
    return log


async def moved(source: MemoryLog, target: MemoryLog) -> MoveReport:
    return await move(source, target, REPLAY_MS, lambda: None)


async def assert_moved(source: MemoryLog, target: MemoryLog) -> None:
    """Hold everything that is promised of a log that was moved."""
    committed = await target.positions.committed()
    for number in range(PARTITIONS):
        records = (await target.reader.read({number: 0}, limit=20))[number]
        assert [record.value for record in records] == [b"1", b"2", b"3", b"4", b"5"]
        places = [place(record.headers, record.position) for record in records]
        assert places == sorted(set(places))
        assert records[0].position > places[-1]
        waiting = [record.value for record in records if record.position >= committed[number]]
        assert waiting == [b"4", b"5"]
    assert await target.producer().open("p") == {0: 5, 1: 5}
    assert await target.imports.find("mytho", "d" * 64) == await source.imports.find(
        "mytho", "d" * 64
    )
    assert await target.identity() == "the-log"
    assert (await target.positions.written()).keys() == {0}
    await target.check(unsafe_eviction=False)
    with pytest.raises(LogError, match="was moved to memory://"):
        await source.check(unsafe_eviction=False)
    with pytest.raises(LogError):
        await source.producer().append([LogEntry(0, "p", 6, 1, b"6")])
    assert not any((await source.reader.read({0: 0, 1: 0}, limit=1)).values())
    assert await moved(source, target) == MoveReport(before=True)


async def test_a_move_that_is_interrupted_anywhere_comes_to_the_same_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for side in (0, 1):
        for number in range(1, 200):
            logs = (await filled(), opened())
            left = number

            def check() -> None:
                nonlocal left
                left -= 1
                if left == 0:
                    raise LogError("gone")

            monkeypatch.setattr(logs[side].server, "check", check)
            try:
                await moved(*logs)
            except LogError:
                await moved(*logs)
            else:
                assert number > 10
                break
            finally:
                left = 0
            await assert_moved(*logs)
        await assert_moved(*logs)


async def test_an_empty_log_is_moved_as_others_are() -> None:
    source, target = opened(), opened()
    assert await moved(source, target) == MoveReport()
    assert await moved(source, target) == MoveReport(before=True)


async def test_a_log_that_is_read_is_not_moved() -> None:
    source, target = await filled(), opened()
    async with source.positions.hold():
        with pytest.raises(LogInUseError):
            await moved(source, target)
    await source.check(unsafe_eviction=False)


async def test_a_move_that_is_not_done_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target, other = await filled(), opened(), opened()
    with pytest.raises(LogRefusedError, match="no move from this log was begun"):
        await cancel(source, target)
    with monkeypatch.context() as broken:
        broken.setattr(target.admin, "copy", None)
        with pytest.raises(TypeError):
            await moved(source, target)
    for log in (source, target):
        with pytest.raises(LogError, match="is being moved"):
            await log.check(unsafe_eviction=False)
    with pytest.raises(LogRefusedError, match="take it back with --cancel"):
        await moved(source, other)
    await cancel(source, target)
    await source.check(unsafe_eviction=False)
    await source.producer().append([LogEntry(0, "p", 6, 1, b"6")])
    assert (await moved(source, other)).entries == 11
    with pytest.raises(LogRefusedError, match="is done, and hits may be there"):
        await cancel(source, other)


async def test_a_move_that_another_command_finished_meanwhile_is_not_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, target = await filled(), opened()
    hold = source.positions.hold

    def late() -> AbstractAsyncContextManager[None]:
        monkeypatch.undo()
        return held_after_a_move()

    @asynccontextmanager
    async def held_after_a_move() -> AsyncIterator[None]:
        assert (await moved(source, target)).entries == 10
        async with hold():
            yield

    monkeypatch.setattr(source.positions, "hold", late)
    assert await moved(source, target) == MoveReport(before=True)
    await assert_moved(source, target)


async def test_a_log_that_is_in_use_or_does_not_fit_is_no_target() -> None:
    source = await filled()
    with pytest.raises(LogRefusedError, match="is in use: there are hits in it"):
        await moved(source, await filled())
    with pytest.raises(LogRefusedError, match="is in use"):
        await moved(source, source)
    empty = opened()
    with pytest.raises(LogRefusedError, match="both names lead to the same log"):
        await moved(empty, empty)
    await empty.check(unsafe_eviction=False)
    three = opened(3)
    await three.create()
    seen = open_log(three.url, partitions=PARTITIONS)
    with pytest.raises(LogRefusedError, match="has 3 partitions, LUOT_PARTITIONS=2"):
        await move(source, seen, REPLAY_MS, lambda: None)
    await source.check(unsafe_eviction=False)


def test_a_place_is_shown_without_its_password() -> None:
    assert shown("kafkas://u:p%40@h1:9092,h2/hits?ca=/x") == "kafkas://h1:9092,h2/hits"
    assert shown("redis://:p@h:1/0") == "redis://h:1/0"
    refuse_moved(None)
    refuse_moved(MoveMark("a", Way.IN, "redis://h", done=True))
