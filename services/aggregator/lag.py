"""Measures the consumer lag of each partition that this aggregator owns."""

import asyncio
from typing import Any

from services.aggregator import metrics
from services.aggregator.ownership import assigned

PERIOD_SECONDS = 2


async def measure_forever(consumer: Any) -> None:
    """Set the metrics of lag and ownership; they keep their values while the log is down."""
    while True:
        await asyncio.sleep(PERIOD_SECONDS)
        owned = assigned(consumer)
        metrics.owned_partitions.set(len(owned))
        try:
            committed = await consumer.broker.committed(owned)
            progress = await consumer.broker.progress({p: committed.get(p, 0) for p in owned})
        except consumer.broker.unavailable:
            continue
        metrics.lag_entries.clear()
        metrics.lag_seconds.clear()
        for partition, behind in progress.items():
            age = 0 if behind.oldest_ms is None else behind.now_ms - behind.oldest_ms
            metrics.lag_entries.labels(str(partition)).set(behind.entries)
            metrics.lag_seconds.labels(str(partition)).set(max(0, age) / 1000)
