"""Columns that the driver does not know, or not as they are used here."""

from collections.abc import Sequence

from clickhouse_driver.bufferedwriter import BufferedWriter
from clickhouse_driver.columns.base import Column
from clickhouse_driver.columns.datecolumn import DateColumn
from clickhouse_driver.columns.service import column_by_type

VISITORS = "AggregateFunction(uniqCombined, UInt64)"


class StateColumn(Column):  # type: ignore[misc]
    """States as ClickHouse wrote them (`CAST(state AS String)`), for inserts only.

    Where one state ends and the next begins, only ClickHouse can tell.
    """

    ch_type = VISITORS
    py_types = (bytes,)

    def write_items(self, items: Sequence[bytes], buf: BufferedWriter) -> None:
        """Write states one after another."""
        buf.write(b"".join(items))


class DayColumn(DateColumn):  # type: ignore[misc]
    """Dates that are inserted as days since 1970-01-01, which is how ClickHouse keeps them."""

    py_types = (int,)

    def before_write_items(self, items: Sequence[int], nulls_map: object = None) -> None:
        """Leave the days as they are; the caller has checked them."""


def register() -> None:
    """Teach the driver these columns."""
    column_by_type[VISITORS] = StateColumn
    column_by_type["Date"] = DayColumn
