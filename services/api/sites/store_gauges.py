"""Measures the store periodically, and what it knows about the last backup and doctor run."""

import asyncio
import logging

from services.api import metrics
from services.runtime.metric_kinds import LateGauge
from services.store.interface import Store, StoreError
from services.store.meta import last_done, server_info

FIRST_SECONDS = 2.0
"""The delay before the first measurement, so as not to slow down the start."""
PERIOD_SECONDS = 15.0

log = logging.getLogger(__name__)

_TIMES = {
    last_done.BACKUP_FINISHED_MS: metrics.LAST_BACKUP,
    last_done.BACKUP_VERIFIED_MS: metrics.LAST_BACKUP_VERIFIED,
    last_done.DOCTOR_FINISHED_MS: metrics.LAST_DOCTOR,
}
_NUMBERS = {
    last_done.BACKUP_BYTES: metrics.LAST_BACKUP_BYTES,
    last_done.DOCTOR_FAILURES: metrics.DOCTOR_FAILURES,
}


async def measure_forever(store: Store) -> None:
    """Set the metrics of the store for as long as this runs."""
    await asyncio.sleep(FIRST_SECONDS)
    while True:
        await measure(store)
        await asyncio.sleep(PERIOD_SECONDS)


async def measure(store: Store) -> None:
    """Set the metrics of the store; those it cannot tell now are removed."""
    for look in (_room, _parts, _last_done):
        try:
            await look(store)
        except StoreError:
            # What is known about the past stays.
            metrics.STORE_PARTS.forget()
        except Exception:
            log.exception("the store cannot be measured")


async def _room(store: Store) -> None:
    disks = await server_info.disks(store)
    fullest = min(disks, key=lambda disk: disk.free / disk.total, default=None)
    _set(metrics.STORE_FREE, None if fullest is None else fullest.free)
    _set(metrics.STORE_DISK, None if fullest is None else fullest.total)


async def _parts(store: Store) -> None:
    metrics.STORE_PARTS.set(await server_info.most_parts(store))


async def _last_done(store: Store) -> None:
    known = await last_done.load(store)
    for name, gauge in _NUMBERS.items():
        _set(gauge, known.get(name))
    for name, gauge in _TIMES.items():
        at_ms = known.get(name)
        _set(gauge, None if at_ms is None else at_ms / 1000)


def _set(gauge: LateGauge, value: float | None) -> None:
    if value is None:
        gauge.forget()
    else:
        gauge.set(value)
