"""Checks a file with countries, and puts it where ingest and the API read it."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import NamedTuple

import maxminddb

MAX_BYTES = 200_000_000
"""Of a file: it is read into the memory of each process of ingest."""
_LOOKED_AT = 10_000
"""Networks in which a country is looked for."""


class CountryFileError(Exception):
    """The file cannot be used; the text says why."""


class CountryFile(NamedTuple):
    """What a file is: its kind, and when it was made, in seconds since 1970."""

    kind: str
    built: int


def check(file: Path) -> CountryFile:
    """Return what a file is. Raises CountryFileError for one in which no country is found."""
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise CountryFileError(
                f"{file} has {size:,} bytes; expected at most {MAX_BYTES:,}: a file of countries"
            )
        with maxminddb.open_database(file, maxminddb.MODE_MEMORY) as reader:
            for number, (_, record) in enumerate(reader):
                if _has_country(record):
                    found = reader.metadata()
                    return CountryFile(found.database_type, found.build_epoch)
                if number >= _LOOKED_AT:
                    break
    except (OSError, maxminddb.InvalidDatabaseError, ValueError) as error:
        raise CountryFileError(f"{file} cannot be read: {error}") from None
    raise CountryFileError(f"{file} names no country; expected records with country.iso_code")


def install(file: Path, target: Path) -> CountryFile:
    """Check a file and put a copy in the place of another, whole or not at all.

    Raises CountryFileError; then the file in use stays.
    """
    found = check(file)
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
        # Other users run ingest and the API.
        temporary.chmod(0o644)
        temporary.replace(target)
    except OSError as error:
        raise CountryFileError(f"{target} cannot be written: {error}") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return found


def _has_country(record: object) -> bool:
    country = record.get("country") if isinstance(record, dict) else None
    code = country.get("iso_code") if isinstance(country, dict) else None
    return isinstance(code, str) and len(code) == len("VN")
