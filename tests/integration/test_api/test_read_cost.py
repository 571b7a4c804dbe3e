"""What a counter costs the store: neither years nor pages nor other sites make it dearer."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from services.api.counter import queries
from services.api.counter.periods import Periods
from services.model.calendar import Grain, period_start, to_day
from services.store import counters
from services.store.interface import Row, Store

TODAY = to_day(date(2024, 1, 3))
GRANULE = 512

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Estimated:
    """A store that adds up how many rows its statements read."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.read = 0

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        estimate = await self.store.execute(f"EXPLAIN ESTIMATE {sql}", parameters)
        self.read += sum(rows for _, _, _, rows, _ in estimate)
        return await self.store.execute(sql, parameters)


async def write_history(store: Store, sites: int, days: int, pages: int) -> int:
    """Write the counters of each day up to today, and of pages in all four grains."""
    await store.execute("TRUNCATE TABLE counters")
    rows: dict[counters.CounterKey, counters.CounterRow] = {}
    for site in range(sites):
        for grain in Grain:
            for day in range(TODAY - days + 1, TODAY + 1):
                rows[f"site-{site}", grain.value, period_start(day, grain), ""] = (5, 2, 1)
            for page in range(pages):
                path = f"/tin-tuc/{page}"
                rows[f"site-{site}", grain.value, period_start(TODAY, grain), path] = (3, 0, 1)
    await counters.write(store, rows)
    await store.execute("OPTIMIZE TABLE counters FINAL")
    return len(rows)


@pytest.mark.parametrize(
    ("sites", "days", "pages"), [(3, 365, 10), (3, 3650, 10), (3, 365, 5000), (200, 365, 10)]
)
async def test_a_reading_looks_at_a_few_granules_however_much_there_is(
    store: Store, sites: int, days: int, pages: int
) -> None:
    written = await write_history(store, sites, days, pages)
    read = {}

    estimated: Any = Estimated(store)
    rows = await queries.rows(estimated, ["site-1"], Periods.around(TODAY).keys())
    read["numbers"] = estimated.read
    assert rows["site-1"][Grain.DAY, TODAY] == (5, 2)

    estimated = Estimated(store)
    views = await queries.path_views(estimated, [("site-1", "/tin-tuc/7")], [TODAY])
    read["page"] = estimated.read
    assert views["site-1", "/tin-tuc/7"] == {(Grain.DAY, TODAY): 3, (Grain.TOTAL, 0): 3}

    estimated = Estimated(store)
    first = await queries.first_days(estimated, ["site-1", "site-none"])
    read["first day"] = estimated.read
    assert first == {"site-1": TODAY - days + 1}

    assert max(read.values()) <= 12 * GRANULE, (read, written)
