"""The country and province of an address, from an optional MMDB file."""

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import NamedTuple

import maxminddb

from services.enrich.regions import region_of
from services.runtime.reasons import reason
from services.settings import SettingsError

_log = logging.getLogger(__name__)


class Whereabouts(NamedTuple):
    """Where an address is, only as precisely as it is stored.

    country  ISO 3166-1 alpha-2, '' when unknown
    region   see `region_of`; '' when unknown, as with a file that has only countries
    """

    country: str = ""
    region: str = ""


NOWHERE = Whereabouts()


class Countries:
    """Looks up addresses; without a file, every place is unknown."""

    def __init__(self, path: Path | None) -> None:
        """Open the database; if only its folder exists yet, wait for the file.

        Raises SettingsError when the file cannot be used.
        """
        self._path = path
        self._reader: maxminddb.Reader | None = None
        self._changed = 0
        self._cached = lru_cache(16_384)(self._look_up)
        self.place: Callable[[str], Whereabouts] = _nowhere if path is None else self._cached
        if path is None:
            return
        if is_to_come(path):
            _log.warning("%s is not there yet: places are unknown until `luot country` runs", path)
            return
        try:
            self._open(path)
        except (OSError, maxminddb.InvalidDatabaseError, ValueError) as error:
            raise SettingsError(
                f"LUOT_COUNTRY_DATABASE={str(path)!r} cannot be used: {reason(error)};"
                " expected an MMDB file with countries"
            ) from None

    def of(self, address: str) -> str:
        """Return the ISO 3166-1 alpha-2 code of an address's country, '' when unknown."""
        return self.place(address).country

    def refresh(self) -> None:
        """Reopen the file if it was replaced; an unusable file changes nothing."""
        if self._path is None or (self._reader is None and not self._path.exists()):
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

    def _look_up(self, address: str) -> Whereabouts:
        if self._reader is None:
            return NOWHERE
        try:
            record = self._reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return NOWHERE
        return place_of(record)


def is_to_come(path: Path) -> bool:
    """Tell whether a file does not exist yet, but its folder does."""
    return not path.exists() and path.parent.is_dir()


def place_of(record: object) -> Whereabouts:
    """Return the place that a record of a file names."""
    if not isinstance(record, dict):
        return NOWHERE
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else None
    if not isinstance(code, str) or len(code) != len("VN"):
        return NOWHERE
    # Thousands of addresses share a few places.
    return Whereabouts(intern(code), intern(region_of(code, record)))


def _nowhere(address: str) -> Whereabouts:
    return NOWHERE
