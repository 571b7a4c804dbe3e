"""The command `luot backup`."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.backup_writing import write
from services.cli.stores import Data
from services.cli.terminal import fail
from services.cli.verify import Scratch

app = typer.Typer()


@app.command()
def backup(
    folder: Annotated[Path | None, typer.Argument(help="New or empty folder.")] = None,
    data: Data = None,
    into: Annotated[
        Path | None,
        typer.Option(help="Folder of backups; the new one gets its own folder in it."),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="With --into: keep the last backup of each of this many days, and remove the"
            " others.",
        ),
    ] = None,
    keep_weekly: Annotated[
        int,
        typer.Option(min=0, help="With --keep: also keep the last one of each of this many weeks."),
    ] = 0,
    verify: Annotated[
        bool,
        typer.Option(
            "--verify", help="With --into: do a trial restore before any other backup is removed."
        ),
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(
            help="With --into: keep running, and make a backup at this interval (24h, 7d)."
        ),
    ] = None,
    scratch: Scratch = None,
) -> None:
    """Write everything in the store to a folder, while hits continue to be counted.

    Reads the store at LUOT_CLICKHOUSE_URL. With --data, or with LUOT_TOKEN and no
    LUOT_CLICKHOUSE_URL, asks the running Luot; with --data and a `luot up` that is stopped, reads
    the store in that folder. The copy is consistent at one position of the log, and can be restored
    into a store of either kind: see `luot restore`. Exit code 1: the backup was written, but
    `--verify` found it unusable. 2: there is no new backup, or it could not be verified.
    """
    if (folder is None) == (into is None):
        fail("give either the new folder of one backup, or a folder of backups with --into")
    if into is not None:
        from services.cli.backup_series import Series, run

        run(Series(into, data, keep, keep_weekly, verify, scratch), every)
    elif folder is not None:
        if keep is not None or keep_weekly or verify or every is not None:
            fail("--keep, --keep-weekly, --verify and --every need --into, a folder of backups")
        write(folder, data)
