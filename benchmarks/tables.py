"""What tables take on the disk, as ClickHouse tells it."""

from services.store.interface import Store

_SIZE = """
SELECT sum(rows), sum(bytes_on_disk)
FROM system.parts
WHERE database = currentDatabase() AND table = %(table)s AND active
"""
_COLUMNS = """
SELECT column, sum(column_data_compressed_bytes)
FROM system.parts_columns
WHERE database = currentDatabase() AND table = %(table)s AND active
GROUP BY column
ORDER BY sum(column_data_compressed_bytes) DESC
"""


async def merge(store: Store, table: str) -> None:
    """Merge all parts of a table, as ClickHouse does in time by itself."""
    await store.execute(f"OPTIMIZE TABLE {table} FINAL")


async def size(store: Store, table: str) -> tuple[int, int]:
    """Return the rows of a table, and its bytes on the disk with indices and marks."""
    ((rows, size),) = await store.execute(_SIZE, {"table": table})
    return rows, size


async def columns(store: Store, table: str) -> dict[str, int]:
    """Return the compressed bytes of each column, the largest first."""
    return dict(await store.execute(_COLUMNS, {"table": table}))
