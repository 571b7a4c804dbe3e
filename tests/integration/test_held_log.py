"""A command that holds the log ends when it no longer does."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from services.log import keys
from services.log.errors import HoldLostError
from services.log.redis import positions
from services.log.redis.positions import RedisPositions
from tests.patience import PATIENCE_SECONDS, rounds
from tests.servers.redis import RedisServer

GROUP = "luot"
OWNERS = [keys.owner(partition, GROUP, keys.TOPIC) for partition in range(4)]


@pytest.fixture
async def redis(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Redis]:
    monkeypatch.setattr(positions, "HOLD_SECONDS", 6)
    redis = Redis.from_url(redis_server.url)
    yield redis
    await redis.aclose()


async def held(redis: Redis) -> None:
    """Hold the log as a restore does, until it is lost."""
    async with asyncio.timeout(PATIENCE_SECONDS), RedisPositions(redis, GROUP, 4).hold():
        await redis.set(OWNERS[2], "an-aggregator")
        await asyncio.Event().wait()


async def test_a_command_ends_when_an_aggregator_owns_what_it_held(redis: Redis) -> None:
    with pytest.raises(HoldLostError, match="stop every aggregator"):
        await held(redis)
    # The aggregator goes on, and nothing of the command is left.
    assert await redis.mget(OWNERS) == [None, None, b"an-aggregator", None]
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_a_hold_outlives_its_time_while_it_is_renewed(redis: Redis) -> None:
    async with RedisPositions(redis, GROUP, 4).hold():
        last = await redis.pttl(OWNERS[0])
        for _ in range(2):
            for _ in rounds(0.05):
                await asyncio.sleep(0.05)
                before, last = last, await redis.pttl(OWNERS[0])
                if last > before:
                    break
            else:
                raise AssertionError("it is not renewed")
    assert await redis.mget(OWNERS) == [None] * 4
