"""A Kafka client that is told to stop is stopped, also where it swallows being cancelled."""

import asyncio
from unittest.mock import create_autospec

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaConnectionError

from services.log.kafka.cluster import LEAVE_SECONDS, stop_reading

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

    made = create_autospec(AIOKafkaConsumer, instance=True)
    made.stop = stop
    return made, seen


@pytest.mark.parametrize("swallowed", [0, 2, 5])
async def test_a_consumer_that_swallows_cancellations_is_stopped(swallowed: int) -> None:
    stopping, seen = consumer(swallowed)
    await stop_reading(stopping)
    assert seen == ["swallowed"] * swallowed + ["stopped"]


async def test_whoever_is_cancelled_while_it_stops_one_is_cancelled_once_it_is_stopped() -> None:
    stopping, seen = consumer(2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(LEAVE_SECONDS / 4):
            await stop_reading(stopping)
    assert seen == ["swallowed", "swallowed", "stopped"]


async def test_brokers_that_are_away_do_not_keep_a_consumer_from_being_stopped() -> None:
    away, _ = consumer(0, KafkaConnectionError("away"))
    await stop_reading(away)
    wrong, _ = consumer(0, ValueError("a mistake"))
    with pytest.raises(ValueError, match="a mistake"):
        await stop_reading(wrong)
