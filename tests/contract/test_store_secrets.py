"""An error of the store never holds the values that it was given: it is logged and shown."""

import logging
from typing import Any

import pytest

from services.store.interface import Store, StoreError

SECRET = "203.0.113.77 it's hush-hush \\ of Mozilla/5.0"


def text_of(error: BaseException) -> str:
    """Return all that a traceback would show of an error."""
    import traceback

    return "".join(traceback.format_exception(error)) + repr(error.args)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT %(x)s FROM nothing WHERE",
        "SELECT (%(x)s",
        "SELECT toUInt8(%(x)s)",
        "SELECT CAST(%(x)s AS Enum8('a' = 1))",
        "SELECT 1 FROM numbers(1) WHERE number IN (toDate(%(x)s))",
        "SELECT dictGet('none', %(x)s, 1)",
        "SELECT no_such_function(%(x)s)",
    ],
)
async def test_what_the_store_refuses_is_told_without_the_values(
    store: Store, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(StoreError) as raised:
        await store.execute(statement, {"x": SECRET, "many": ["danang", SECRET]})
    for words in ("203.0.113.77", "hush-hush", "Mozilla"):
        assert words not in text_of(raised.value)
        assert words not in caplog.text
    assert "code" in str(raised.value)

    with pytest.raises(StoreError) as raised:
        async for _ in store.stream(statement, {"x": SECRET}):
            pass
    assert "hush-hush" not in text_of(raised.value)


@pytest.mark.parametrize("value", [SECRET, SECRET.encode(), None, [SECRET]])
async def test_a_value_that_does_not_fit_its_column_is_not_told(store: Store, value: Any) -> None:
    row: dict[str, list[Any]] = {"id": ["t"], "version": [value], "deleted": [0], "body": ["{}"]}
    with pytest.raises(StoreError) as raised:
        await store.insert("tokens", row)
    assert "hush-hush" not in text_of(raised.value)
    for parameter in ({SECRET}, SECRET.encode()):
        with pytest.raises(StoreError) as raised:
            await store.execute("SELECT %(x)s", {"x": parameter})
        assert "hush-hush" not in text_of(raised.value)
