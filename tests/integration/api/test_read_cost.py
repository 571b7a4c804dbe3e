"""What a counter costs the store: neither years nor pages nor other sites make it dearer."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from services.api.counter import queries
from services.api.counter.periods import Periods
from services.api.counter.reader import HISTORY_SECONDS, PAST_SECONDS, CounterReader
from services.model.calendar import Grain, period_start, to_day
from services.model.site import Metric
from services.state.state import State
from services.store.counts import counters, hits
from services.store.interface import Row, Store
from tests.integration.api.world import SITE
from tests.servers.redis import RedisServer

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


class Noted:
    """A store that notes from which day on visitors are read."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.since: list[date] = []

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        if "FROM daily_visitors" in sql and parameters is not None:
            self.since.append(parameters["first"])
        return await self.store.execute(sql, parameters)


async def test_a_reading_of_visitors_leaves_out_days_of_long_ago_that_were_just_read(
    store: Store, redis_server: RedisServer
) -> None:
    days = [TODAY - 1500, TODAY - 400, TODAY - 40, TODAY - 20, TODAY - 1, TODAY]
    await hits.count_visitors(
        store,
        {
            "site": [SITE.slug] * len(days),
            "day": days,
            "visitor": list(range(1, len(days) + 1)),
            "bot": [0] * len(days),
        },
    )
    noted: Any = Noted(store)
    state = State.open(redis_server.url)
    passed = 0.0
    reader = CounterReader(
        noted, state, lambda: (TODAY + 0.3) * 86_400 + passed, lambda: 1000 + passed
    )

    async def numbers() -> dict[str, int]:
        noted.since.clear()
        counter = (SITE.slug, Metric.VISITORS)
        reading = (await reader.read({SITE.slug: SITE}, [counter]))[counter].reading
        return Periods.around(TODAY).numbers(reading.counted)

    try:
        first = await numbers()
        assert min(noted.since) == date(1970, 1, 1)
        passed = HISTORY_SECONDS + 1
        again = await numbers()
        assert min(noted.since) == date(2023, 12, 1), "days that hits still come for"
        passed = PAST_SECONDS + 1
        assert await numbers() == again == first
        assert min(noted.since) == date(1970, 1, 1)
    finally:
        await reader.close()
        await state.redis.aclose()
    expected = {"total": 6, "this_year": 2, "last_year": 2, "this_month": 2, "last_month": 1}
    assert {name: first[name] for name in expected} == expected
