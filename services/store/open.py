"""Opens the store that a URL names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from services.store.interface import Store

EXPECTED = "expected clickhouse://user:password@host:9000/luot or chdb:///path"


def open_store(url: str) -> Store:
    """Return the store of a URL; it connects with its first call.

    Raises ValueError for a URL that names none, without telling the password that may be in it.
    """
    match url.partition(":")[0].lower():
        case "clickhouse" | "clickhouses":
            from services.store.clickhouse import ClickHouseStore

            return ClickHouseStore(url)
        case "chdb":
            from services.store.chdb import ChdbStore

            parts = urlsplit(url)
            if parts.netloc or not parts.path.strip("/"):
                raise ValueError(f"{url!r} names no absolute path; expected chdb:///path")
            return ChdbStore(Path(unquote(parts.path)))
        case scheme:
            raise ValueError(f"{scheme!r} is not the scheme of a store; {EXPECTED}")
