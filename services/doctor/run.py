"""Looks at everything."""

import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from services.doctor import ingest, log, store
from services.doctor.check import Check, Findings
from services.embedded.stores import Stores
from services.settings import StoreSettings

DEFAULT_DAYS = 3
MAX_DAYS = 400
MIN_FREE_BYTES = 1 << 30


async def examine(
    stores: Stores,
    settings: StoreSettings,
    days: int = DEFAULT_DAYS,
    clock: Callable[[], float] = time.time,
) -> list[Check]:
    """Look at the log and the store; every check is there whatever fails."""
    return [
        *await ingest.examine(stores.state, clock),
        *await log.examine(stores.log, clock),
        *await store.examine(stores.store, stores.state, settings, days, clock),
    ]


def spool(environ: Mapping[str, str] = os.environ) -> list[Check]:
    """Look at the spool of ingest, where it is on this machine."""
    findings = Findings("ingest")
    named = environ.get("LUOT_SPOOL")
    folder = Path(named) if named else None
    if folder is None or not folder.is_dir():
        findings.add("spool", None, "LUOT_SPOOL names no folder here; ask where ingest runs")
        return findings.checks
    waiting = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    free = shutil.disk_usage(folder).free
    findings.add(
        "spool",
        os.access(folder, os.W_OK | os.X_OK) and free > MIN_FREE_BYTES,
        f"{folder}: {waiting:,} bytes wait, {free / (1 << 30):.1f} GiB are free",
        "let ingest write there and make room: it takes hits when Redis is away",
    )
    return findings.checks
