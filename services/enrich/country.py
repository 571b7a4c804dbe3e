"""The country of an address, from an optional MMDB file."""

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import maxminddb

from services.settings import SettingsError

_log = logging.getLogger(__name__)


class Countries:
    """Looks addresses up; without a file every country is unknown."""

    def __init__(self, path: Path | None) -> None:
        """Open the database. Raises SettingsError when the file cannot be used."""
        self._path = path
        self._reader: maxminddb.Reader | None = None
        self._changed = 0
        self._cached = lru_cache(16_384)(self._of)
        self.of: Callable[[str], str] = _nowhere if path is None else self._cached
        if path is None:
            return
        try:
            self._open(path)
        except (OSError, maxminddb.InvalidDatabaseError, ValueError) as error:
            raise SettingsError(
                f"LUOT_COUNTRY_DATABASE={str(path)!r} cannot be used: {error};"
                " expected an MMDB file with countries"
            ) from None

    def refresh(self) -> None:
        """Open the file again when it was replaced; a file that cannot be used changes nothing."""
        if self._path is None:
            return
        try:
            if self._path.stat().st_mtime_ns != self._changed:
                self._open(self._path)
        except (OSError, maxminddb.InvalidDatabaseError, ValueError) as error:
            _log.warning("country database: %s; keeping the one in use", error)

    def close(self) -> None:
        """Close the file."""
        if self._reader is not None:
            self._reader.close()

    def _open(self, path: Path) -> None:
        changed = path.stat().st_mtime_ns
        self._reader = maxminddb.open_database(path, maxminddb.MODE_MEMORY)
        self._changed = changed
        self._cached.cache_clear()

    def _of(self, address: str) -> str:
        """Return the ISO 3166-1 alpha-2 code of an address's country, '' when unknown."""
        if self._reader is None:
            return ""
        try:
            record = self._reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return ""
        country = record.get("country") if isinstance(record, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return code if isinstance(code, str) and len(code) == 2 else ""


def _nowhere(address: str) -> str:
    return ""
