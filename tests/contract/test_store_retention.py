"""Old raw hits go, month by month; what was counted stays."""

from datetime import UTC, date, datetime
from typing import Any

from services.aggregator import retention
from services.model.calendar import to_day
from services.store import hits
from services.store.interface import Store


async def write(store: Store, *days: date) -> None:
    rows = len(days)
    text = dict.fromkeys(("host", "source", "device", "browser", "os", "country"), [""] * rows)
    columns: dict[str, list[Any]] = {
        "site": ["mytho"] * rows,
        "path": ["/"] * rows,
        "at": [0] * rows,
        "day": [to_day(day) for day in days],
        "visitor": list(range(1, rows + 1)),
        "visit": [1] * rows,
        "bot": [0] * rows,
        "position": list(range(rows)),
        "idx": [0] * rows,
    }
    await hits.write(store, {**columns, **text})


async def test_months_that_ended_before_the_limit_are_dropped(store: Store) -> None:
    await write(store, date(2025, 9, 30), date(2025, 10, 1), date(2025, 10, 31), date(2026, 11, 22))
    now = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
    # 400 days before the 22nd of November 2026 is the 18th of October 2025.
    assert await retention.enforce(store, 400, now) == [202509]
    kept = await store.execute("SELECT day FROM hits ORDER BY day")
    assert [day for (day,) in kept] == [date(2025, 10, 1), date(2025, 10, 31), date(2026, 11, 22)]
    visitors = await store.execute("SELECT count() FROM visitors FINAL")
    assert visitors == [(4,)]


async def test_nothing_old_drops_nothing(store: Store) -> None:
    await write(store, date(2026, 11, 1))
    now = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
    assert await retention.enforce(store, 400, now) == []
    assert await store.execute("SELECT count() FROM hits") == [(1,)]
