"""Old raw hits go, month by month; what was counted stays."""

from datetime import UTC, date, datetime
from typing import Any

from services.aggregator import retention
from services.aggregator.flush import Flusher
from services.aggregator.fold import PartitionFold
from services.log.batch import decode, encode
from services.model.calendar import to_day
from services.model.hit import Hit
from services.model.partition import partition_of
from services.store.counts import hits
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
    visitors = await store.execute("SELECT count() FROM daily_visitors FINAL")
    assert visitors == [(4,)]


async def test_nothing_old_drops_nothing(store: Store) -> None:
    await write(store, date(2026, 11, 1))
    now = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
    assert await retention.enforce(store, 400, now) == []
    assert await store.execute("SELECT count() FROM hits") == [(1,)]


async def test_raw_hits_that_are_too_old_are_counted_and_never_written(store: Store) -> None:
    """Neither when they come, as by an import, nor by the replay after a restart."""
    now = datetime(2026, 11, 22, tzinfo=UTC).timestamp()
    old, young = to_day(date(2025, 9, 30)), to_day(date(2025, 10, 1))
    assert retention.first_kept(400, now) == young
    hits_ = [
        Hit(site="mytho", path="/", at=day * 86_400_000, day=day, visitor=number)
        for number, day in enumerate((old, old, young, young, young), 1)
    ]

    async def flush(*, replayed: bool) -> None:
        # A new process: it remembers nothing.
        flusher = Flusher(store, 1000, first_kept=lambda: retention.first_kept(400, now))
        fold = PartitionFold(partition_of("mytho", 8))
        folded = [fold.fold([(7 << 20, 1_790_000_000_000, decode(encode(hits_)))])]
        await flusher.flush([] if replayed else folded, folded if replayed else [], [])

    await flush(replayed=False)
    await flush(replayed=True)
    assert await store.execute("SELECT day, count() FROM hits GROUP BY day") == [
        (date(2025, 10, 1), 3)
    ]
    days = "SELECT start, argMax(views, position) FROM counters WHERE grain = 'day' AND path = ''"
    counted = await store.execute(f"{days} GROUP BY start ORDER BY start")
    assert counted == [(date(2025, 9, 30), 2), (date(2025, 10, 1), 3)]
    visitors = (
        "SELECT day, uniqCombinedMerge(visitors) FROM daily_visitors GROUP BY day ORDER BY day"
    )
    assert await store.execute(visitors) == [(date(2025, 9, 30), 2), (date(2025, 10, 1), 3)]

    await store.execute_ddl("ALTER TABLE hits DROP PARTITION 202510")
    await flush(replayed=True)
    assert await store.execute("SELECT day, count() FROM hits GROUP BY day") == [
        (date(2025, 10, 1), 3)
    ], "what is young enough is repaired"
