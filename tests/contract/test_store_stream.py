"""What both drivers promise of results that do not fit memory, and of states of aggregates."""

from contextlib import aclosing
from datetime import date

import pytest

from services.store.interface import Store, StoreError

ROWS = 300_000


@pytest.fixture
async def numbers(store: Store) -> Store:
    """A store with a table of 300,000 rows."""
    await store.execute("DROP TABLE IF EXISTS numbers")
    await store.execute(
        "CREATE TABLE numbers (id UInt64, low LowCardinality(String), day Date)"
        " ENGINE = ReplacingMergeTree() ORDER BY id"
    )
    await store.insert(
        "numbers", {"id": range(ROWS), "low": ["a", "b"] * (ROWS // 2), "day": [20_000] * ROWS}
    )
    return store


async def test_a_stream_brings_every_row_once_in_several_blocks(numbers: Store) -> None:
    blocks = [block async for block in numbers.stream("SELECT id, low, day FROM numbers FINAL")]
    assert len(blocks) > 2
    rows = sorted(row for block in blocks for row in block)
    assert [row[0] for row in rows] == list(range(ROWS))
    assert {row[1:] for row in rows} == {("a", date(2024, 10, 4)), ("b", date(2024, 10, 4))}


async def test_a_stream_sees_the_table_as_it_was_at_its_beginning(numbers: Store) -> None:
    total = 0
    async with aclosing(numbers.stream("SELECT id FROM numbers FINAL")) as blocks:
        async for block in blocks:
            if not total:
                await numbers.insert("numbers", {"id": range(ROWS, 2 * ROWS)})
            total += len(block)
    assert total == ROWS


async def test_a_stream_that_is_given_up_leaves_the_store_usable(numbers: Store) -> None:
    for _ in range(3):
        async with aclosing(numbers.stream("SELECT id FROM numbers")) as blocks:
            async for _block in blocks:
                break
    assert await numbers.execute("SELECT count() FROM numbers") == [(ROWS,)]


async def test_a_stream_of_nothing_is_empty(numbers: Store) -> None:
    sql = "SELECT id FROM numbers WHERE id > %(most)s"
    assert [row async for block in numbers.stream(sql, {"most": ROWS}) for row in block] == []


async def test_a_stream_that_the_store_refuses_says_why(numbers: Store) -> None:
    with pytest.raises(StoreError, match="nowhere"):
        async for _ in numbers.stream("SELECT id FROM nowhere"):
            pass


async def test_a_visitors_state_goes_out_as_text_and_comes_back(store: Store) -> None:
    states = await store.execute(
        "SELECT toUInt32(k), hex(CAST(uniqCombinedState(n) AS String)) FROM"
        " (SELECT arrayJoin([10, 5000, 200000]) AS k, arrayJoin(range(k)) AS m, toUInt64(m) AS n)"
        " GROUP BY k"
    )
    await store.insert(
        "daily_visitors",
        {
            "site": [f"site-{count}" for count, _ in states],
            "day": [20_000] * len(states),
            "visitors": [bytes.fromhex(state) for _, state in states],
        },
    )
    rows = await store.execute(
        "SELECT site, uniqCombinedMerge(visitors) FROM daily_visitors GROUP BY site"
    )
    found: dict[str, int] = dict(rows)
    assert found["site-10"] == 10
    assert found["site-5000"] == pytest.approx(5000, rel=0.01)
    assert found["site-200000"] == pytest.approx(200_000, rel=0.02)
