"""The file that countries and provinces are from, where it is on this machine."""

import asyncio
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from services.doctor.check import Check, Findings
from services.enrich import country_file
from services.enrich.country_file import CountryFile, CountryFileError

NAME = "countries"
OLD_DAYS = 365
"""Networks move from one country to another; makers publish a file every month."""


async def examine(
    clock: Callable[[], float], environ: Mapping[str, str] = os.environ
) -> list[Check]:
    """Look at the file of LUOT_COUNTRY_DATABASE: what it is, of when, and whether of provinces."""
    findings = Findings("ingest")
    path = environ.get("LUOT_COUNTRY_DATABASE")
    if not path:
        unset = "no file: LUOT_COUNTRY_DATABASE is not set here, so no country is known"
        findings.add(NAME, True, unset)
        return findings.checks
    try:
        found = await asyncio.to_thread(country_file.check, Path(path))
    except CountryFileError as error:
        findings.add(NAME, False, str(error), "put a file in its place: luot country FILE")
        return findings.checks
    days = (datetime.fromtimestamp(clock(), UTC).date() - found.day).days
    findings.add(
        NAME,
        True if days <= OLD_DAYS else None,
        f"{path}: {_shown(found)}" + (f"; it is {days} days old" if days > OLD_DAYS else ""),
        "put a newer one in its place: luot country FILE",
    )
    return findings.checks


def _shown(found: CountryFile) -> str:
    has = "with provinces" if found.regions else "without provinces"
    return f"{found.kind} of {found.day}, {has}"
