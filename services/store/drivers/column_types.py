"""Column types that the driver lacks, supports differently, or writes value by value.

Both drivers write through these: to a server, and to the embedded engine.
"""

from collections.abc import Mapping, Sequence
from struct import pack
from typing import Any

from clickhouse_driver.bufferedwriter import BufferedWriter
from clickhouse_driver.columns import service
from clickhouse_driver.columns.base import Column
from clickhouse_driver.columns.datecolumn import DateColumn
from clickhouse_driver.columns.enumcolumn import Enum8Column
from clickhouse_driver.columns.intcolumn import UInt8Column, UInt16Column, UInt64Column
from clickhouse_driver.columns.lowcardinalitycolumn import LowCardinalityColumn
from clickhouse_driver.columns.service import column_by_type
from clickhouse_driver.columns.stringcolumn import String

from services.store.native_column import NativeColumn

VISITORS = "AggregateFunction(uniqCombined, UInt64)"

TEXT = "String"
CODED_TEXT = "LowCardinality(String)"


class NativeWriter(Column):  # type: ignore[misc]
    """Writes a column that is already in ClickHouse's format unchanged."""

    def _write_data(self, items: Sequence[Any] | NativeColumn, buf: BufferedWriter) -> None:
        if isinstance(items, NativeColumn):
            buf.write(items.native(self.written_as(), getattr(self, "serialization_type", 0)))
        else:
            super()._write_data(items, buf)

    def written_as(self) -> str:
        """Return ClickHouse's name of the type."""
        return str(self.ch_type)


class NativeEnum8Column(NativeWriter, Enum8Column):  # type: ignore[misc]
    """Names as numbers of one byte."""

    def written_as(self) -> str:
        """Return the type with its names."""
        names = (f"'{name}' = {value}" for name, value in self.value_by_name.items())
        return f"{self.ch_type}({', '.join(names)})"


class NativeUInt8Column(NativeWriter, UInt8Column):  # type: ignore[misc]
    """Numbers of one byte."""


class NativeUInt16Column(NativeWriter, UInt16Column):  # type: ignore[misc]
    """Numbers of two bytes."""


class NativeUInt64Column(NativeWriter, UInt64Column):  # type: ignore[misc]
    """Numbers of eight bytes."""


class StateColumn(Column):  # type: ignore[misc]
    """States as ClickHouse wrote them (`CAST(state AS String)`), for inserts only.

    Only ClickHouse can tell where one state ends and the next begins.
    """

    ch_type = VISITORS
    py_types = (bytes,)

    def write_items(self, items: Sequence[bytes], buf: BufferedWriter) -> None:
        """Write states one after another."""
        buf.write(b"".join(items))


class DayColumn(NativeWriter, DateColumn):  # type: ignore[misc]
    """Dates inserted as days since 1970-01-01, which is how ClickHouse stores them."""

    py_types = (int,)

    def prepare_items(self, items: Sequence[int]) -> Sequence[int]:
        """Return the days unchanged; the caller has checked them."""
        return items


class TextColumn(NativeWriter, String):  # type: ignore[misc]
    """Strings; a column of empty ones, which is common, is written at once."""

    def write_items(self, items: Sequence[str], buf: BufferedWriter) -> None:
        """Write strings one after another, each preceded by its length."""
        if _is_alike(items) and items[0] == "":
            buf.write(bytes(len(items)))
        else:
            super().write_items(items, buf)


class CodedTextColumn(LowCardinalityColumn):  # type: ignore[misc]
    """Strings as a dictionary of distinct ones and, for each value, its index."""

    def _write_data(self, items: Sequence[str] | NativeColumn, buf: BufferedWriter) -> None:
        if not len(items):
            return
        if isinstance(items, NativeColumn):
            buf.write(items.native(CODED_TEXT, self.serialization_type))
            return
        codes = _Codes()
        if _is_alike(items):
            codes[items[0]] = 0
            indices: Sequence[int] = bytes(len(items))
        else:
            indices = list(map(codes.__getitem__, items))
        width = next(width for width, (_, most) in enumerate(_WIDTHS) if len(codes) <= most)
        buf.write(pack("<qq", self.serialization_type | width, len(codes)))
        self.nested_column.write_data(list(codes), buf)
        buf.write(pack("<q", len(items)))
        buf.write(bytes(indices) if not width else _packed(indices, _WIDTHS[width][0]))


_WIDTHS = (("B", 1 << 8), ("H", 1 << 16), ("I", 1 << 32))
"""`struct`'s code for each index width of the format, and how many values that has."""


def _packed(indices: Sequence[int], of_one: str) -> bytes:
    return pack(f"<{len(indices)}{of_one}", *indices)


class _Codes(dict[str, int]):
    """Distinct strings, numbered in order of appearance; a loop in C numbers a whole column."""

    def __missing__(self, text: str) -> int:
        code = self[text] = len(self)
        return code


def _is_alike(items: Sequence[object]) -> bool:
    """Tell whether all items are the same object; merely equal ones count as different."""
    first = items[0] if items else None
    if not (items and first is items[-1] and first is items[len(items) // 2]):
        return False
    return items.count(first) == len(items)


def register() -> None:
    """Teach the driver these columns."""
    column_by_type[VISITORS] = StateColumn
    column_by_type["Date"] = DayColumn
    for column in (NativeUInt8Column, NativeUInt16Column, NativeUInt64Column):
        column_by_type[column.ch_type] = column
    plain, coded = service.create_string_column, service.create_low_cardinality_column
    named = service.create_enum_column

    def text_column(spec: str, options: Mapping[str, Any]) -> Column:
        if spec != TEXT or options["context"].client_settings["strings_as_bytes"]:
            return plain(spec, options)
        return TextColumn(**options)

    def coded_column(spec: str, by_spec: Any, options: Mapping[str, Any]) -> Column:
        if spec != CODED_TEXT:
            return coded(spec, by_spec, options)
        return CodedTextColumn(text_column(TEXT, options), **options)

    def enum_column(spec: str, options: Mapping[str, Any]) -> Column:
        column = named(spec, options)
        if not isinstance(column, Enum8Column):
            return column
        return NativeEnum8Column(column.name_by_value, column.value_by_name, **options)

    service.create_enum_column = enum_column
    service.create_string_column = text_column
    service.create_low_cardinality_column = coded_column
