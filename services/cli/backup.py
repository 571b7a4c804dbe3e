"""The command `luot backup`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.row_progress import RowProgress
from services.cli.stores import Data, clear_store_errors, through_api

if TYPE_CHECKING:
    from services.backup.folder import Manifest
    from services.store.interface import Store

app = typer.Typer()

WHO = "command line"
"""Who takes a backup of a store that they may open themselves, as the audit log names them."""


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="New or empty folder.")], data: Data = None
) -> None:
    """Write everything the store holds into a folder, while hits go on being counted.

    Reads the store of LUOT_CLICKHOUSE_URL; with --data, or with LUOT_TOKEN and no
    LUOT_CLICKHOUSE_URL, what the running Luot sends. The copy is consistent at one position of
    the log, and any other store can take it: see `luot restore`.
    """
    with clear_store_errors():
        manifest = asyncio.run(_backup(folder, data))
        counted_up_to = newest(manifest)
    typer.echo(f"{folder}: {manifest.rows:,} rows in {len(manifest.files)} files")
    typer.echo(f"Everything counted up to {counted_up_to} is in it.")


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
            await _record(stores.store)
            return manifest


async def _record(store: "Store") -> None:
    """Write the backup into the audit log, as the API does; an account may be one that reads."""
    import secrets
    import time

    from services.store import audit
    from services.store.interface import StoreError

    at, id_ = int(time.time() * 1000), secrets.token_hex(8)
    entry = audit.AuditEntry(at, id_, 0, WHO, "backup", "", "everything", "", "")
    try:
        await audit.add(store, entry)
    except StoreError as error:
        typer.echo(f"luot: this backup is not in the audit log: {error}", err=True)


def newest(manifest: "Manifest") -> str:
    """Return the time of the highest position that is in a backup, for people."""
    from services.backup import run
    from services.embedded.stores import log_of
    from services.settings import StoreSettings

    async def work() -> str:
        log = log_of(StoreSettings.read())
        try:
            return await run.newest(log, manifest)
        finally:
            await log.close()

    return asyncio.run(work())
