"""Writes one backup, from the store itself or from what the running Luot sends."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from services.cli.row_progress import RowProgress
from services.cli.stores import clear_store_errors, through_api
from services.cli.terminal import note, say

if TYPE_CHECKING:
    from services.backup.folder import Manifest
    from services.store.interface import Store

WHO = "command line"
"""The name in the audit log for a backup that is read from the store directly."""


def write(folder: Path, data: Path | None, name: Path | None = None) -> None:
    """Write one backup, and print a summary; `name` is the final name of its folder."""
    from services.cli.backup_records import tell

    with clear_store_errors():
        manifest = asyncio.run(_backup(folder, data))
        counted_up_to = newest(manifest)
    say(f"{name or folder}: {manifest.rows:,} rows in {len(manifest.files)} files")
    say(f"It includes everything counted up to {counted_up_to}.")
    if through_api(data):
        tell(_records(manifest), data)


async def _backup(folder: Path, data: Path | None) -> "Manifest":
    from services.backup import frames, run
    from services.cli.settings import ClientSettings
    from services.embedded.stores import open_stores
    from services.settings import StoreSettings

    settings = StoreSettings.read()
    with RowProgress("backup") as bar:
        if through_api(data):
            client = ClientSettings.of(data)
            token = client.token.get_secret_value() if client.token else ""
            source = frames.fetch(client.url, token)
            return await run.save(source, folder, bar.total, bar.advance)
        async with open_stores(settings, data) as stores:
            source = run.dump_of(stores)
            manifest = await run.save(source, folder, bar.total, bar.advance)
            await _record(stores.store, manifest)
            return manifest


async def _record(store: "Store", manifest: "Manifest") -> None:
    """Record the backup in the audit log, as the API does; a read-only account cannot."""
    import secrets
    import time

    from services.store.interface import StoreError
    from services.store.meta import last_done
    from services.store.records import audit

    at, id_ = int(time.time() * 1000), secrets.token_hex(8)
    entry = audit.AuditEntry(at, id_, 0, WHO, "backup", "", "everything", "", "")
    try:
        await audit.add(store, entry)
        await last_done.note(store, _records(manifest))
    except StoreError as error:
        note(f"this backup is not in the audit log: {error}")


def _records(manifest: "Manifest") -> dict[str, int]:
    from services.store.meta import last_done

    return {
        last_done.BACKUP_FINISHED_MS: int(manifest.ended_at.timestamp() * 1000),
        last_done.BACKUP_BYTES: sum(file.bytes for file in manifest.files),
    }


def newest(manifest: "Manifest") -> str:
    """Return the time of the highest position in a backup, as text."""
    from services.backup import run
    from services.log.open import log_of
    from services.settings import StoreSettings

    async def work() -> str:
        log = log_of(StoreSettings.read())
        try:
            return await run.newest(log, manifest)
        finally:
            await log.close()

    return asyncio.run(work())
