"""The command `luot restore`."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.backup_writing import newest
from services.cli.rewind import show_steps
from services.cli.row_progress import RowProgress
from services.cli.stores import Data, clear_store_errors
from services.cli.terminal import Yes, confirm, say

if TYPE_CHECKING:
    from services.backup.folder import Manifest
    from services.backup.rewind import Step

app = typer.Typer()


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="Folder that `luot backup` wrote.")],
    data: Data = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="First remove everything from the store.")
    ] = False,
    without_log: Annotated[
        bool,
        typer.Option(
            "--without-log", help="Leave the log alone: the aggregator continues as before."
        ),
    ] = False,
    yes: Yes = False,
) -> None:
    """Restore a backup into a store of either kind; the aggregator resumes from there.

    Restores into the store at LUOT_CLICKHOUSE_URL or, with --data, into that of a `luot up` that is
    stopped. Checks the backup before changing anything, and reads everything back afterwards. Stop
    every aggregator first. Hits since the backup are counted again from the log (LUOT_LOG_URL or
    LUOT_REDIS_URL), as far back as the log reaches.
    """
    from services.backup import run
    from services.backup.folder import read_manifest
    from services.embedded.stores import open_stores
    from services.settings import StoreSettings

    async def work(settings: StoreSettings, manifest: "Manifest") -> Sequence["Step"]:
        with RowProgress("restore", 2 * manifest.rows) as bar:
            async with open_stores(settings, data) as stores:
                return await run.restore_all(
                    stores,
                    folder,
                    manifest,
                    replace=replace,
                    with_log=not without_log,
                    progress=bar.advance,
                )

    with clear_store_errors():
        settings = StoreSettings.read()
        with RowProgress("check", read_manifest(folder).rows) as bar:
            manifest = run.inspect(folder, bar.advance)
        if replace and not yes:
            confirm("Remove everything from the store?")
        steps = asyncio.run(work(settings, manifest))
        counted_up_to = newest(manifest)
    say(f"Restored and compared: {manifest.rows:,} rows, up to {counted_up_to}.")
    if without_log:
        say("The log was left alone. `luot rewind` counts what it still holds again.")
        return
    show_steps(steps)
    say("Start the aggregator, and restart the API.")
    if replace:
        say(
            "Public numbers that were higher before stay as they are until the counts reach them,"
            " or until an admin resets them: DELETE /api/admin/sites/SITE/shown"
        )
