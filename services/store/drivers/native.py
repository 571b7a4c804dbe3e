"""The Native format, read and written by the same code as the native protocol.

So a type that round-trips through one driver does so through the other.
"""

from collections.abc import Sequence
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.block import ColumnOrientedBlock
from clickhouse_driver.bufferedreader import CompressedBufferedReader
from clickhouse_driver.bufferedwriter import CompressedBufferedWriter
from clickhouse_driver.connection import ServerInfo
from clickhouse_driver.streams.native import BlockInputStream, BlockOutputStream

from services.store.interface import Row

_BUFFER_BYTES = 1 << 20
# Files in this format are written as for a client of revision 0: no block info, no extras.
_REVISION = 0


class NativeFormat:
    """Encodes and decodes blocks; used by one thread only."""

    def __init__(self) -> None:
        # A client that never connects: it carries the default settings that columns ask for.
        self._context = Client("").connection.context
        self._context.server_info = ServerInfo("", 0, 0, 0, 0, "UTC", "", _REVISION)

    def encode(self, types: Sequence[tuple[str, str]], columns: Sequence[Any]) -> bytes:
        """Return one block; `types` are the columns' names and types. The columns are consumed."""
        chunks = _Chunks()
        writer = CompressedBufferedWriter(chunks, _BUFFER_BYTES)
        block = ColumnOrientedBlock(list(types), list(columns))
        BlockOutputStream(writer, self._context).write(block)
        return b"".join(chunks)

    def decode(self, data: bytes) -> list[Row]:
        """Return the rows of every block."""
        if not data:
            return []
        chunks = iter((data,))
        reader = CompressedBufferedReader(lambda: next(chunks, b""), 0)
        stream = BlockInputStream(reader, self._context)
        rows: list[Row] = []
        while True:
            block = stream.read()
            if block.num_rows:
                rows.extend(block.get_rows())
            if reader.position >= len(data):
                return rows


class _Chunks(list[bytes]):
    def write(self, data: bytes) -> None:
        self.append(data)
