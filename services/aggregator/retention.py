"""Retention: raw hits are dropped by month; counters and visitors are kept forever."""

import asyncio
import logging
import time
from collections.abc import Callable

from services.model.calendar import Grain, period_start, to_date
from services.runtime.outage import Outage
from services.store.counts import hits
from services.store.interface import Store, StoreError

PERIOD_SECONDS = 6 * 3600.0
_DAY_SECONDS = 86_400

log = logging.getLogger(__name__)


async def enforce_forever(store: Store, days: int) -> None:
    """Drop expired months at the start and then every six hours."""
    outage = Outage(log, "cannot drop old raw hits", "old raw hits are dropped")
    while True:
        try:
            await enforce(store, days, time.time())
        except StoreError as error:
            outage.begins(error)
        else:
            outage.ends()
        await asyncio.sleep(PERIOD_SECONDS)


def first_kept(days: int, now: float) -> int:
    """Return the first day whose raw hits are kept, in days since 1970-01-01, at `now` (s)."""
    return period_start(int(now) // _DAY_SECONDS - days, Grain.MONTH)


def kept_since(days: int, clock: Callable[[], float] = time.time) -> Callable[[], int]:
    """Return a function for the first day whose raw hits are kept; `clock` is in seconds."""
    return lambda: first_kept(days, clock())


async def enforce(store: Store, days: int, now: float) -> list[int]:
    """Drop the months that ended more than `days` days before `now` (s); return them as YYYYMM."""
    oldest = int(now) // _DAY_SECONDS - days
    months = await hits.drop_months_before(store, oldest)
    for month in months:
        log.warning("dropped the raw hits of %d: all older than %s", month, to_date(oldest))
    return months
