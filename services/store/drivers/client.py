"""The driver's client, extended to send columns that serialise themselves."""

from collections.abc import Sequence
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.block import ColumnOrientedBlock

from services.store.native_column import NativeColumn


class ColumnClient(Client):  # type: ignore[misc]
    """The driver splits data into blocks, and accepts only lists; these are one block."""

    def send_data(
        self,
        sample_block: Any,
        data: Sequence[Any],
        types_check: bool = False,
        columnar: bool = False,
    ) -> Any:
        """Send the rows of an insert, and the empty block that ends it; return their number."""
        if not (columnar and any(isinstance(column, NativeColumn) for column in data)):
            return super().send_data(sample_block, data, types_check, columnar)
        block = ColumnOrientedBlock(sample_block.columns_with_types, data)
        for part in (block, ColumnOrientedBlock()):
            self.connection.send_data(part)
            self.receive_profile_events()
        return block.num_rows
