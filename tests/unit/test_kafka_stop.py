"""A Kafka client that is told to stop is stopped, also where it swallows being cancelled."""

import asyncio
from unittest.mock import AsyncMock, create_autospec

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from services.log.kafka.clients import LEAVE_SECONDS, start_client, stop_reading

NEVER = 3600.0


def consumer(swallowed: int, error: Exception | None = None) -> tuple[AIOKafkaConsumer, list[str]]:
    """Return a consumer that loses so many cancellations while it stops, and what it did."""
    seen: list[str] = []

    async def stop() -> None:
        for _ in range(swallowed):
            try:
                await asyncio.sleep(NEVER)
            except asyncio.CancelledError:
                seen.append("swallowed")
        if error is not None:
            raise error
        seen.append("stopped")

    async def close() -> None:
        seen.append("closed")

    made = create_autospec(AIOKafkaConsumer, instance=True)
    made.stop = stop
    made._client = AsyncMock()
    made._client.close = close
    return made, seen


@pytest.mark.parametrize("swallowed", [0, 2, 5])
async def test_a_consumer_that_swallows_cancellations_is_stopped(swallowed: int) -> None:
    stopping, seen = consumer(swallowed)
    await stop_reading(stopping)
    assert seen == ["swallowed"] * swallowed + ["stopped", "closed"]


async def test_whoever_is_cancelled_while_it_stops_one_is_cancelled_once_it_is_stopped() -> None:
    stopping, seen = consumer(2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(LEAVE_SECONDS / 4):
            await stop_reading(stopping)
    assert seen == ["swallowed", "swallowed", "stopped", "closed"]


async def test_brokers_that_are_away_do_not_keep_a_consumer_from_being_stopped() -> None:
    away, seen = consumer(0, KafkaConnectionError("away"))
    await stop_reading(away)
    assert seen == ["closed"]
    wrong, _ = consumer(0, ValueError("a mistake"))
    with pytest.raises(ValueError, match="a mistake"):
        await stop_reading(wrong)


async def test_a_start_that_is_cancelled_may_end_first() -> None:
    """The client would leave the connection open that it begins with."""
    began, may_end, seen = asyncio.Event(), asyncio.Event(), list[str]()

    async def start() -> None:
        began.set()
        await may_end.wait()
        seen.append("started")

    made = create_autospec(AIOKafkaConsumer, instance=True)
    made.start = start
    starting = asyncio.create_task(start_client(made))
    await began.wait()
    starting.cancel()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert seen == ["started"]
