"""Runs all checks."""

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from services.doctor import ingest, log, places
from services.doctor import store as store_checks
from services.doctor.check import Check, Findings
from services.embedded.stores import Stores
from services.log import spool_marks
from services.log.errors import LogError
from services.log.interface import Log
from services.settings import StoreSettings
from services.store.interface import Store, StoreError
from services.store.meta import last_done

DEFAULT_DAYS = 3
MAX_DAYS = 400
MIN_FREE_BYTES = 1 << 30


async def examine(
    stores: Stores,
    settings: StoreSettings,
    days: int = DEFAULT_DAYS,
    clock: Callable[[], float] = time.time,
    *,
    country_database: Path | None = None,
) -> list[Check]:
    """Check ingest, the log and the store; a failure in one does not skip the others."""
    return [
        *await ingest.examine(stores.state, stores.log, clock),
        *await places.examine(clock, country_database),
        *await log.examine(stores.log, clock),
        *await store_checks.examine(stores, settings, days, clock),
    ]


def failures(checks: Sequence[Check]) -> int:
    """Return how many checks found something wrong."""
    return sum(check.ok is False for check in checks)


async def record(store: Store, checks: Sequence[Check], clock: Callable[[], float]) -> str | None:
    """Record the verdict in the store, for the metrics; return why it could not be, or None.

    For a store that cannot be used at all, a check has already said so.
    """
    if any(check.ok is False and check.name == store_checks.SERVER for check in checks):
        return None
    values = {
        last_done.DOCTOR_FINISHED_MS: int(clock() * 1000),
        last_done.DOCTOR_FAILURES: failures(checks),
    }
    try:
        await last_done.note(store, values)
    except StoreError as error:
        return str(error)
    return None


async def spool(log: Log, environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Check the spool of ingest, if it is on this machine."""
    findings = Findings("ingest")
    named = environ.get("LUOT_SPOOL")
    folder = Path(named) if named else None
    if folder is None or not folder.is_dir():
        findings.add(
            "spool", None, "LUOT_SPOOL names no folder on this machine; run this where ingest runs"
        )
        return findings.checks
    waiting = _bytes_in(folder)
    free = shutil.disk_usage(folder).free
    findings.add(
        "spool",
        os.access(folder, os.W_OK | os.X_OK) and free > MIN_FREE_BYTES,
        f"{folder}: {waiting:,} bytes waiting, {free / (1 << 30):.1f} GiB free",
        "let ingest write there, and make room: the spool takes hits while"
        f" {log.server_name} is away",
    )
    await findings.attempt(
        "spools of other logs", lambda: _others(findings, folder, log), LogError, OSError
    )
    return findings.checks


def _bytes_in(folder: Path) -> int:
    """Return how many bytes the files hold that can be read, here and below.

    Ingest may delete at any moment what it has drained.
    """
    waiting = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                waiting += Path(parent, name).stat().st_size
    return waiting


def _has_files(folder: Path) -> bool:
    try:
        return any(folder.iterdir())
    except FileNotFoundError:
        return False


async def _others(findings: Findings, folder: Path, log: Log) -> None:
    identity = await log.identity()
    if identity is None:
        findings.add("spools of other logs", None, "this log has no identity yet")
        return
    others = {
        path: other
        for path, other in spool_marks.others(folder, identity).items()
        if _has_files(path)
    }
    findings.add(
        "spools of other logs",
        None if others else True,
        f"this log is {identity}; hits of other logs wait in"
        f" {', '.join(f'{path.name} (of {other})' for path, other in others.items())}"
        if others
        else f"none; this log is {identity}",
        "start the ingest of that Luot. If that log is gone for good and its hits belong to this"
        " one, delete the .log file next to the folder: the next ingest to start here adopts it",
    )
