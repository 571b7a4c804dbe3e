"""Measures the consumer lag of each partition that this aggregator owns."""

import asyncio
from collections.abc import Mapping
from typing import Any

from services.aggregator import metrics
from services.aggregator.ownership import assigned
from services.aggregator.transport.broker import Progress
from services.runtime.tasks import end

PERIOD_SECONDS = 2


async def measure_forever(consumer: Any) -> None:
    """Set the metrics of lag and ownership, except for what the log does not answer in time."""
    while True:
        await asyncio.sleep(PERIOD_SECONDS)
        owned = assigned(consumer)
        metrics.owned_partitions.set(len(owned))
        asking = asyncio.create_task(_progress(consumer.broker, owned))
        try:
            done, _ = await asyncio.wait({asking}, timeout=PERIOD_SECONDS)
            if not done:
                _clear()
            progress = await asking
        except consumer.broker.unavailable:
            _clear()
            continue
        finally:
            await end(asking)
        _clear()
        for partition, behind in progress.items():
            age = 0 if behind.oldest_ms is None else behind.now_ms - behind.oldest_ms
            metrics.lag_entries.labels(str(partition)).set(behind.entries)
            metrics.lag_seconds.labels(str(partition)).set(max(0, age) / 1000)


async def _progress(broker: Any, owned: Any) -> Mapping[int, Progress]:
    committed = await broker.committed(owned)
    progress: Mapping[int, Progress] = await broker.progress(
        {number: committed.get(number, 0) for number in owned}
    )
    return progress


def _clear() -> None:
    metrics.lag_entries.clear()
    metrics.lag_seconds.clear()
