"""The hot rows are bounded by what they take in memory, not by their number alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.aggregator.rows import BYTES_A_ROW, HotRows
from services.store.counters import CounterKey, CounterRow
from services.store.interface import Row, Store

LIMIT = 100


class Empty(Store):
    """A store without rows."""

    prepare = close = stream = insert = limited = None  # type: ignore[assignment]

    async def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        return []


def rows(numbers: Sequence[int], length: int) -> dict[CounterKey, CounterRow]:
    return {("mytho", "total", 0, f"/{number}".ljust(length, "x")): (1, 1, 1) for number in numbers}


async def test_so_many_rows_of_ordinary_pages_are_kept() -> None:
    hot = HotRows()
    for number in range(10 * LIMIT):
        changed = rows([number], 40)
        await hot.holding(Empty(), changed)
        hot.put(changed, LIMIT)
    assert len(hot) == LIMIT
    kept = await hot.holding(Empty(), ())
    assert list(kept) == list(rows(range(9 * LIMIT, 10 * LIMIT), 40))


async def test_rows_of_pages_with_long_names_count_for_several() -> None:
    hot = HotRows()
    hot.put(rows(range(10 * LIMIT), 10 * BYTES_A_ROW), LIMIT)
    assert LIMIT // 5 < len(hot) < LIMIT // 2
    hot.put(rows(range(10 * LIMIT), 40), LIMIT)
    assert len(hot) == LIMIT
