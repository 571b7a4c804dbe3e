"""The command `luot verify`."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.backup_records import tell
from services.cli.row_progress import RowProgress
from services.cli.terminal import fail, note, say

if TYPE_CHECKING:
    from services.backup.folder import Manifest

app = typer.Typer()

NOT_GOOD = 1
"""Exit code for a backup from which the numbers cannot be restored."""

Scratch = Annotated[
    Path | None,
    typer.Option(
        help="Folder with room for the trial restore. [default: the system's temporary folder]"
    ),
]


@app.command()
def verify(
    folder: Annotated[
        Path, typer.Argument(help="A backup, or a folder of backups, whose newest is taken.")
    ],
    scratch: Scratch = None,
) -> None:
    """Do a trial restore of a backup, into an embedded store that is removed afterwards.

    Checks every file, restores, reads everything back and compares every row. Uses neither Redis
    nor ClickHouse; but if LUOT_CLICKHOUSE_URL is set (or LUOT_TOKEN, for a running Luot), records
    there that a backup was verified. Exit code 1: the backup is unusable. 2: it could not be
    verified.
    """
    import tempfile
    from datetime import UTC, datetime

    from services.backup import shelf
    from services.backup.folder import MANIFEST, BackupError
    from services.backup.trial import TrialError
    from services.store.meta import last_done

    try:
        if not (folder / MANIFEST).exists() and folder.is_dir():
            folder = shelf.Shelf(folder).newest()
        place = (scratch or Path(tempfile.gettempdir())).absolute()
        manifest = asyncio.run(_try(folder, place))
    except TrialError as error:
        fail(str(error))
    except BackupError as error:
        note(f"{error}", fg="red")
        raise typer.Exit(NOT_GOOD) from None
    now = datetime.now(UTC)
    try:
        shelf.note_verified(folder, now)
    except OSError as error:
        note(f"{folder} could not be marked as verified: {error.strerror}")
    say(f"{folder}: verified, all {manifest.rows:,} rows were restored and compared")
    tell({last_done.BACKUP_VERIFIED_MS: int(now.timestamp() * 1000)})


async def _try(folder: Path, scratch: Path) -> "Manifest":
    from services.backup import run, trial
    from services.backup.folder import read_manifest

    trial.require_engine()
    with RowProgress("verify", 3 * read_manifest(folder).rows) as bar:
        manifest = run.inspect(folder, bar.advance)
        await trial.restore_on_trial(folder, manifest, scratch, bar.advance)
    return manifest
