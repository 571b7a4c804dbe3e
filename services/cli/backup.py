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
        typer.Option(help="Folder of backups: the new one gets a folder of its own in it."),
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option(min=1, help="With --into: keep the last backup of so many days, no others."),
    ] = None,
    keep_weekly: Annotated[
        int, typer.Option(min=0, help="With --keep: and the last one of so many weeks.")
    ] = 0,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="With --into: restore it on trial before any other goes."),
    ] = False,
    every: Annotated[
        str | None,
        typer.Option(help="With --into: do not end, but make another one so often (24h, 7d)."),
    ] = None,
    scratch: Scratch = None,
) -> None:
    """Write everything the store holds into a folder, while hits go on being counted.

    Reads the store of LUOT_CLICKHOUSE_URL; with --data, or with LUOT_TOKEN and no
    LUOT_CLICKHOUSE_URL, what the running Luot sends. The copy is consistent at one position of
    the log, and any other store can take it: see `luot restore`. Exit code 1: the backup was
    written, but `--verify` finds it not good. 2: there is no new backup, or it was not verified.
    """
    if (folder is None) == (into is None):
        fail("name the new folder of one backup, or a folder of backups with --into; one of them")
    if into is not None:
        from services.cli.backup_series import Series, run

        run(Series(into, data, keep, keep_weekly, verify, scratch), every)
    elif folder is not None:
        if keep is not None or keep_weekly or verify or every is not None:
            fail("--keep, --keep-weekly, --verify and --every need --into, a folder of backups")
        write(folder, data)
