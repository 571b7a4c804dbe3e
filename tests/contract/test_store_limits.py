"""Statements with limits: those that take too much end, and nobody else notices."""

import asyncio
import time

import pytest

from services.store.interface import LimitError, Limits, Store, StoreUnavailableError

GENEROUS = Limits(calls=1, threads=1, seconds=60, bytes=1 << 30)
LONG = "SELECT sum(cityHash64(number)) FROM (SELECT number FROM system.numbers LIMIT 100000000000)"
LARGE = "SELECT uniqExact(number) FROM (SELECT number FROM system.numbers LIMIT 30000000)"


async def test_a_statement_that_runs_too_long_is_ended(store: Store) -> None:
    limited = store.limited(GENEROUS._replace(seconds=1))
    try:
        with pytest.raises(LimitError):
            await limited.execute(LONG)
        assert await limited.execute("SELECT 1") == [(1,)]
    finally:
        await limited.close()


async def test_a_statement_that_takes_too_much_memory_is_ended(store: Store) -> None:
    limited = store.limited(GENEROUS._replace(bytes=50_000_000))
    try:
        with pytest.raises(LimitError) as caught:
            await limited.execute(LARGE)
        assert isinstance(caught.value, StoreUnavailableError)
        assert await limited.execute("SELECT 1") == [(1,)]
        assert await store.execute(LARGE.replace("30000000", "3000000")) == [(3_000_000,)]
    finally:
        await limited.close()


async def test_the_store_answers_while_a_limited_one_is_busy(store: Store) -> None:
    limited = store.limited(GENEROUS._replace(seconds=1))
    try:
        busy = [asyncio.create_task(limited.execute(LONG)) for _ in range(2)]
        assert await store.execute("SELECT 1") == [(1,)]
        assert not any(call.done() for call in busy)
        found = await asyncio.gather(*busy, return_exceptions=True)
        assert [type(error) for error in found] == [LimitError] * 2
    finally:
        await limited.close()


async def test_limits_stay_with_their_own_sessions(store: Store) -> None:
    asked = "SELECT value FROM system.settings WHERE name = 'max_execution_time'"
    before = await store.execute(asked)
    limited = store.limited(GENEROUS._replace(seconds=7))
    try:
        assert await limited.execute(asked) == [("7",)]
        assert await store.execute(asked) == before
    finally:
        await limited.close()


async def test_a_statement_for_which_nobody_waits_is_ended(store: Store) -> None:
    limited = store.limited(GENEROUS._replace(seconds=900))
    long = LONG.replace("100000000000", "10000000000003")

    async def run(statements: int) -> None:
        asked = (
            "SELECT count() FROM system.processes WHERE query LIKE '%10000000000003%'"
            " AND query NOT LIKE '%system.processes%'"
        )
        deadline = time.monotonic() + 120
        while (await store.execute(asked))[0][0] != statements:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    try:
        for _ in range(2):
            running = asyncio.create_task(limited.execute(long))
            waiting = asyncio.create_task(limited.execute(long))
            await run(1)
            waiting.cancel()
            running.cancel()
            await asyncio.gather(running, waiting, return_exceptions=True)
            await run(0)
            assert await limited.execute("SELECT 1") == [(1,)]
    finally:
        await limited.close()
