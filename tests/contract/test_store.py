"""What both drivers promise of execute and insert."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import date, datetime
from typing import Any

import pytest

from services.store.interface import Store, StoreError, StoreUnavailableError
from tests.contract.conftest import merge

MAX_U64 = (1 << 64) - 1
TEXTS = [
    "",
    "Thống kê truy cập: Đang truy cập, Hôm nay",
    'it\'s "quoted" `here`',
    "back\\slash \\n \\' \\",
    "line\nfeed\r\ttab\b\f\v\a",
    "nul\0byte",
    "100% %(name)s %s %%",
    "漢字 😀 \u200b\ufeff",
    "'); DROP TABLE values; --",
]


@pytest.fixture
async def values(store: Store) -> AsyncIterator[Store]:
    """A store with a table that has a column of each type in use."""
    await store.execute(
        """
        CREATE TABLE values
        (
            id UInt32,
            text String,
            low LowCardinality(String),
            grain Enum8('day' = 1, 'month' = 2),
            day Date,
            big UInt64,
            signed Int64,
            small UInt8
        )
        ENGINE = ReplacingMergeTree()
        ORDER BY id
        """
    )
    yield store
    await store.execute("DROP TABLE values")


def rows_of(count: int, **columns: Any) -> dict[str, Any]:
    """Return columns for that many rows, with plain values where none are given."""
    plain: dict[str, list[Any]] = {
        "id": list(range(count)),
        "text": ["x"] * count,
        "low": ["x"] * count,
        "grain": ["day"] * count,
        "day": [0] * count,
        "big": [0] * count,
        "signed": [0] * count,
        "small": [0] * count,
    }
    return plain | columns


async def test_text_of_every_kind_comes_back_as_it_went_in(values: Store) -> None:
    await values.insert("values", rows_of(len(TEXTS), text=TEXTS, low=TEXTS))
    rows = await values.execute("SELECT text, low FROM values ORDER BY id")
    assert rows == [(text, text) for text in TEXTS]


@pytest.mark.parametrize("text", TEXTS)
async def test_a_text_parameter_is_only_ever_a_text(values: Store, text: str) -> None:
    await values.insert("values", rows_of(len(TEXTS), text=TEXTS, low=TEXTS))
    rows = await values.execute(
        "SELECT %(text)s, text FROM values WHERE text = %(text)s AND low IN %(texts)s",
        {"text": text, "texts": [text]},
    )
    assert rows == [(text, text)]


async def test_numbers_and_enums_keep_their_value_and_type(values: Store) -> None:
    await values.insert(
        "values",
        rows_of(
            2,
            grain=["day", "month"],
            big=[MAX_U64, 0],
            signed=[-(1 << 63), (1 << 63) - 1],
            small=[255, 0],
        ),
    )
    rows = await values.execute("SELECT grain, big, signed, small FROM values ORDER BY id")
    assert rows == [("day", MAX_U64, -(1 << 63), 255), ("month", 0, (1 << 63) - 1, 0)]
    assert [type(value) for value in rows[0]] == [str, int, int, int]
    assert await values.execute("SELECT id FROM values WHERE big = %(big)s", {"big": MAX_U64}) == [
        (0,)
    ]


async def test_days_may_be_given_as_dates_or_as_numbers(values: Store) -> None:
    days = [0, date(1970, 1, 2), 20_000, date(2105, 12, 31), (1 << 16) - 1]
    await values.insert("values", rows_of(len(days), day=days))
    rows = await values.execute("SELECT day FROM values ORDER BY id")
    assert rows == [
        (date(1970, 1, 1),),
        (date(1970, 1, 2),),
        (date(2024, 10, 4),),
        (date(2105, 12, 31),),
        (date(2149, 6, 6),),
    ]
    assert type(rows[0][0]) is date


async def test_a_date_parameter_finds_its_day(values: Store) -> None:
    day = date(2105, 12, 31)
    await values.insert("values", rows_of(2, day=[day, 1]))
    found = "SELECT id FROM values WHERE day = %(day)s AND day IN %(days)s"
    assert await values.execute(found, {"day": day, "days": [day]}) == [(0,)]


async def test_in_takes_tuples_of_several_columns(values: Store) -> None:
    await values.insert("values", rows_of(3, text=["a", "b", "a"], grain=["day", "day", "month"]))
    keys = [("a", "month", date(1970, 1, 1), 2), ("b", "month", date(1970, 1, 1), 1)]
    found = "SELECT id FROM values WHERE (text, grain, day, id) IN %(keys)s"
    assert await values.execute(found, {"keys": keys}) == [(2,)]
    assert await values.execute(found, {"keys": tuple(keys[:1])}) == [(2,)]
    assert await values.execute(found, {"keys": keys[1:]}) == []


async def test_a_statement_may_be_longer_than_the_servers_own_limit(values: Store) -> None:
    await values.insert("values", rows_of(1, text=["x" * 500]))
    texts = [f"{number:0500}" for number in range(2_000)]
    found = "SELECT count() FROM values WHERE text IN %(texts)s"
    assert await values.execute(found, {"texts": [*texts, "x" * 500]}) == [(1,)]


async def test_no_rows_are_an_empty_list(values: Store) -> None:
    assert await values.execute("SELECT id, text FROM values") == []


async def test_an_insert_without_rows_changes_nothing(values: Store) -> None:
    await values.insert("values", rows_of(0))
    assert await values.execute("SELECT count() FROM values") == [(0,)]


async def test_a_column_left_out_has_its_default(values: Store) -> None:
    await values.insert("values", {"id": [7]})
    assert await values.execute("SELECT id, text, day, grain FROM values") == [
        (7, "", date(1970, 1, 1), "day")
    ]


async def test_a_big_insert_arrives_whole(values: Store) -> None:
    count = 200_000
    texts = [f"/tin-tức/{number % 1000}" for number in range(count)]
    big = [MAX_U64 - number for number in range(count)]
    days = [20_000 + number % 28 for number in range(count)]
    await values.insert("values", rows_of(count, text=texts, low=texts, big=big, day=days))
    (row,) = await values.execute(
        "SELECT count(), uniqExact(text), uniqExact(low), min(big), max(day) FROM values"
    )
    assert row == (count, 1000, 1000, MAX_U64 - count + 1, date(2024, 10, 31))
    assert len(await values.execute("SELECT id, text FROM values")) == count


@pytest.mark.parametrize("distinct", [1, 2, 256, 257, 65_536, 65_537])
async def test_few_and_many_different_texts_come_back_equal(values: Store, distinct: int) -> None:
    # Texts are written as indices of the different ones, of one byte, two or four.
    count = max(distinct, 300)
    low = ["tức 😀" + "x" * (each % 3) + str(each % distinct) for each in range(count)]
    text = ["" if distinct == 1 else each for each in low]
    await values.insert("values", rows_of(count, text=text, low=low))
    rows = await values.execute("SELECT text, low FROM values ORDER BY id")
    assert rows == list(zip(text, low, strict=True))


@pytest.mark.parametrize("name", ["text", "low"])
@pytest.mark.parametrize("texts", [[None, None], ["a", None], [7, 7]])
async def test_what_is_no_text_is_refused(values: Store, name: str, texts: list[Any]) -> None:
    with pytest.raises(StoreError):
        await values.insert("values", rows_of(2, **{name: texts}))
    assert await values.execute("SELECT count() FROM values") == [(0,)]


async def test_an_insert_leaves_the_callers_columns_alone(values: Store) -> None:
    columns = rows_of(2, day=[1, 2], text=["a", "b"], grain=["day", "month"])
    before = {name: list(column) for name, column in columns.items()}
    await values.insert("values", columns)
    assert columns == before


async def test_the_highest_version_of_a_row_is_read_with_argmax(store: Store) -> None:
    for version in (2, 3, 1):
        await store.insert(
            "meta", {"name": ["a"], "version": [version], "value": [f"value {version}"]}
        )
    newest = "SELECT name, argMax(value, version) FROM meta WHERE name = 'a' GROUP BY name"
    assert await store.execute(newest) == [("a", "value 3")]
    await merge(store, "meta")
    assert await store.execute("SELECT name, version FROM meta WHERE name = 'a'") == [("a", 3)]


async def test_the_schema_stands_with_its_column_types(store: Store) -> None:
    described = await store.execute("DESCRIBE TABLE hits")
    types = {row[0]: row[1] for row in described}
    assert types["source"] == "LowCardinality(String)"
    assert types["visitor"] == "UInt64"


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELEC 1", "yntax error"),
        ("SELECT nothing FROM meta", "nothing"),
        ("SELECT 1 FROM no_such_table", "no_such_table"),
        ("SELECT throwIf(1)", "throwIf"),
    ],
)
async def test_a_wrong_statement_is_an_error_that_says_why(
    store: Store, sql: str, expected: str
) -> None:
    with pytest.raises(StoreError, match=expected) as caught:
        await store.execute(sql)
    assert not isinstance(caught.value, StoreUnavailableError)
    assert "Stack trace" not in str(caught.value)
    assert await store.execute("SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": [1], "nope": [1]}, "table values has no column nope"),
        ({"id": [1, 2], "text": ["a"]}, "differ in length"),
        ({"id": [1], "text": [5]}, "does not fit"),
        ({"id": [1], "text": [None]}, "does not fit"),
        ({"id": [1], "big": [-1]}, "does not fit"),
        ({"id": [1], "big": [1 << 64]}, "does not fit"),
        ({"id": [1], "small": [256]}, "does not fit"),
        ({"id": [1], "grain": ["hour"]}, "does not fit"),
        ({"id": [1], "day": [-1]}, "day has the day -1, expected 0 to 65535"),
        ({"id": [1], "day": [1 << 16]}, "expected 0 to 65535"),
        ({"id": [1], "text": ["\ud800"]}, "does not fit"),
    ],
)
async def test_a_value_that_does_not_fit_is_refused_and_nothing_is_written(
    values: Store, columns: dict[str, Any], expected: str
) -> None:
    with pytest.raises(StoreError, match=expected) as caught:
        await values.insert("values", columns)
    assert not isinstance(caught.value, StoreUnavailableError)
    assert await values.execute("SELECT count() FROM values") == [(0,)]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "needs a parameter named 'x'"),
        ({"x": []}, "parameter x is empty"),
        ({"x": [("a", ())]}, "parameter x is empty"),
        ({"x": None}, "parameter x is None"),
        ({"x": b"1"}, "parameter x is b'1'"),
        ({"x": True}, "parameter x is True"),
        ({"x": [("a", 1), ("a", True)]}, "parameter x is True"),
        ({"x": {"a": 1}}, "of type dict"),
        ({"x": datetime(2026, 1, 1)}, "of type datetime"),  # noqa: DTZ001
    ],
)
async def test_a_parameter_without_a_literal_is_refused(
    store: Store, parameters: dict[str, Any], expected: str
) -> None:
    with pytest.raises(StoreError, match=expected):
        await store.execute("SELECT %(x)s", parameters)


async def test_an_insert_that_the_store_refuses_is_an_error(values: Store) -> None:
    await values.execute("CREATE TABLE refusing (id UInt32) ENGINE = MergeTree() ORDER BY id")
    await values.execute(
        "CREATE MATERIALIZED VIEW refuses TO refusing AS"
        " SELECT toUInt32(id + throwIf(small = 7)) AS id FROM values"
    )
    try:
        await values.insert("values", rows_of(2, small=[1, 2]))
        with pytest.raises(StoreError):
            await values.insert("values", rows_of(2, small=[1, 7]))
        assert await values.execute("SELECT count() FROM refusing") == [(2,)]
    finally:
        await values.execute("DROP TABLE refuses")
        await values.execute("DROP TABLE refusing")


async def test_percent_signs_are_plain_without_parameters_and_doubled_with(store: Store) -> None:
    assert await store.execute("SELECT '100%'") == [("100%",)]
    assert await store.execute("SELECT '100%%', %(x)s", {"x": 1}) == [("100%", 1)]
    with pytest.raises(StoreError, match="written %%"):
        await store.execute("SELECT '100%', %(x)s", {"x": 1})


async def test_many_tasks_use_the_store_at_once(values: Store) -> None:
    async def work(task: int) -> int:
        for step in range(5):
            await values.insert("values", rows_of(1, id=[task * 100 + step]))
            await values.execute("SELECT count() FROM values")
        rows = await values.execute(
            "SELECT count() FROM values WHERE id BETWEEN %(from)s AND %(to)s",
            {"from": task * 100, "to": task * 100 + 99},
        )
        return int(rows[0][0])

    assert await asyncio.gather(*(work(task) for task in range(12))) == [5] * 12


async def test_a_cancelled_call_leaves_the_store_usable(values: Store) -> None:
    slow = asyncio.create_task(values.execute("SELECT sleep(0.2)"))
    await asyncio.sleep(0)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert await values.execute("SELECT 1") == [(1,)]


async def test_a_table_made_anew_with_other_columns_is_seen(values: Store) -> None:
    await values.insert("values", rows_of(1))
    await values.execute("DROP TABLE values")
    await values.execute("CREATE TABLE values (other String) ENGINE = MergeTree() ORDER BY other")
    with pytest.raises(StoreError):
        await values.insert("values", rows_of(1))
    await values.insert("values", {"other": ["a"]})
    assert await values.execute("SELECT other FROM values") == [("a",)]


async def test_a_closed_store_says_so(open_another: Callable[[], Store]) -> None:
    store = open_another()
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.execute("SELECT 1")
