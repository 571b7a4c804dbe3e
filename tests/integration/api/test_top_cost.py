"""What the list of most read pages costs the store: bounded by what is asked for."""

from datetime import date

import pytest

from services.api.counter import queries_top
from services.model.calendar import to_day
from services.store.counts import counters
from services.store.interface import Store

TODAY = to_day(date(2024, 1, 3))
PAGES = 3_000
GRANULE = 512

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_neither_other_days_nor_other_sites_nor_other_grains_are_read(store: Store) -> None:
    for day in range(TODAY - 19, TODAY + 1):
        rows = {
            (site, "day", day, f"/tin-tuc/{page}"): (page + 1, 0, 1)
            for site in ("danang", "mytho", "nghean")
            for page in range(PAGES)
        }
        await counters.write(store, rows)
    totals = {("mytho", "total", 0, f"/tin-tuc/{page}"): (9, 0, 1) for page in range(PAGES)}
    await counters.write(store, totals)
    await store.execute("OPTIMIZE TABLE counters FINAL")

    for days in (1, 7):
        statement, parameters = queries_top.statement_of_top(
            ["mytho"], (TODAY - days + 1, TODAY), 50
        )
        estimate = await store.execute(f"EXPLAIN ESTIMATE {statement}", parameters)
        read = sum(rows for _, _, _, rows, _ in estimate)
        assert days * PAGES <= read <= days * PAGES + 2 * GRANULE

    top = await queries_top.top_pages(store, ["mytho"], (TODAY - 6, TODAY), 2)
    assert top == [("/tin-tuc/2999", 7 * PAGES), ("/tin-tuc/2998", 7 * (PAGES - 1))]
