"""Checks a country file, and installs it where ingest and the API read it."""

import os
import shutil
import tempfile
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import maxminddb

from services.enrich.country import place_of
from services.runtime.reasons import reason

MAX_BYTES = 200_000_000
"""The limit of a file, because each ingest process loads it into memory."""
_LOOKED_AT = 10_000
"""How many networks are searched for a country and a province."""


class CountryFileError(Exception):
    """The file cannot be used; the text says why."""


class CountryFile(NamedTuple):
    """The properties of a file.

    kind     the type that its provider gives it
    built    when it was built, in seconds since 1970
    regions  whether it has provinces as well
    """

    kind: str
    built: int
    regions: bool

    @property
    def day(self) -> date:
        """The day on which it was built."""
        return datetime.fromtimestamp(self.built, UTC).date()


def check(file: Path) -> CountryFile:
    """Return the properties of a file. Raises CountryFileError if no country is found in it."""
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise CountryFileError(
                f"{file} has {size:,} bytes; expected at most {MAX_BYTES:,}: a file of countries"
            )
        # Only the first networks are read, so the whole file need not be in memory.
        with maxminddb.open_database(file, maxminddb.MODE_FILE) as reader:
            about = reader.metadata()
            is_known, has_regions = False, False
            for _, record in islice(reader, _LOOKED_AT):
                place = place_of(record)
                is_known = is_known or bool(place.country)
                has_regions = has_regions or bool(place.region)
                if has_regions:
                    break
    except OSError as error:
        raise CountryFileError(f"{file} cannot be read: {error.strerror}") from None
    except (maxminddb.InvalidDatabaseError, ValueError):
        raise CountryFileError(f"{file} is no file of countries (MMDB), or it is damaged") from None
    if not is_known:
        raise CountryFileError(f"{file} names no country; expected records with country.iso_code")
    return CountryFile(about.database_type, about.build_epoch, has_regions)


def install(file: Path, target: Path) -> CountryFile:
    """Check a file, and atomically replace the one in use with a copy of it.

    Raises CountryFileError; then the file in use stays.
    """
    database = check(file)
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
        temporary = Path(name)
        with file.open("rb") as source, os.fdopen(handle, "wb") as copy:
            shutil.copyfileobj(source, copy)
            copy.flush()
            os.fsync(copy.fileno())
        check(temporary)
        # Ingest and the API run as other users.
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        raise CountryFileError(f"{target} cannot be written: {reason(error)}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return database
