"""Measures what the log holds and how much room it has left."""

import asyncio

from services.aggregator import metrics
from services.log.errors import LogError
from services.log.interface import Log
from services.log.reach import reach_seconds
from services.runtime.metric_kinds import LateGauge

PERIOD_SECONDS = 15.0


async def measure_forever(log: Log) -> None:
    """Set the metrics of the log periodically, except for what it does not answer."""
    while True:
        try:
            await measure(log)
        except LogError:
            for gauge in (metrics.log_reach, metrics.log_memory, metrics.log_memory_limit):
                gauge.forget()
        await asyncio.sleep(PERIOD_SECONDS)


async def measure(log: Log) -> None:
    """Set the metrics of the log. Raises LogError."""
    memory = await log.memory()
    now_ms = await log.reader.now()
    reach = await reach_seconds(log, await log.positions.extents(), now_ms)
    _set(metrics.log_memory, memory.used or None)
    _set(metrics.log_memory_limit, memory.limit or None)
    _set(metrics.log_reach, reach)


def _set(gauge: LateGauge, value: float | None) -> None:
    if value is None:
        gauge.forget()
    else:
        gauge.set(value)
