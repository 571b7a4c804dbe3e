"""Checks the database of countries and provinces, if it is on this machine."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from services.doctor.check import Check, Findings
from services.enrich import country_file
from services.enrich.country import is_to_come
from services.enrich.country_file import CountryFileError

OLD_DAYS = 365
"""Networks move between countries; vendors publish a new database every month."""


async def examine(clock: Callable[[], float], path: Path | None) -> list[Check]:
    """Check the file at LUOT_COUNTRY_DATABASE: its kind, its age, and whether it has provinces."""
    findings = Findings("ingest")
    if path is None:
        findings.add(
            "countries",
            True,
            "no file: LUOT_COUNTRY_DATABASE is not set here, so no country is known",
        )
        return findings.checks
    if await asyncio.to_thread(is_to_come, path):
        findings.add("countries", True, f"no file at {path} yet, so no country is known")
        return findings.checks
    try:
        file = await asyncio.to_thread(country_file.check, path)
    except CountryFileError as error:
        advice = "install another file: luot country FILE"
        findings.add("countries", False, str(error), advice)
        return findings.checks
    age = datetime.fromtimestamp(clock(), UTC).date() - file.day
    findings.add(
        "countries",
        True if age.days <= OLD_DAYS else None,
        f"{path}: {file.kind} of {file.day}, with provinces"
        if file.regions
        else f"{path}: {file.kind} of {file.day}, without provinces",
        "it is more than a year old; install a newer one: luot country FILE",
    )
    return findings.checks
