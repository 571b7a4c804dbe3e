"""States of the aggregate function that counts visitors: the driver knows no such type."""

from collections.abc import Sequence

from clickhouse_driver.bufferedwriter import BufferedWriter
from clickhouse_driver.columns.base import Column
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


def register() -> None:
    """Teach the driver's columns to write states."""
    column_by_type[VISITORS] = StateColumn
