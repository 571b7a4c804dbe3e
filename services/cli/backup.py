"""The commands `luot backup`, `luot restore` and `luot rewind`."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.connection import Yes, fail

if TYPE_CHECKING:
    from services.backup.folder import Manifest
    from services.backup.rewind import Step

app = typer.Typer()

Data = Annotated[Path | None, typer.Option(help="Data folder of `luot up`.")]


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="New or empty folder.")], data: Data = None
) -> None:
    """Write everything the store holds into a folder, while hits go on being counted.

    Reads the store of LUOT_CLICKHOUSE_URL; with --data, or with LUOT_TOKEN and no
    LUOT_CLICKHOUSE_URL, what the running Luot sends. The copy is consistent at one position of
    the log, and any other store can take it: see `luot restore`.
    """
    with clear_errors():
        manifest = asyncio.run(_backup(folder, data))
        newest = _newest(manifest)
    typer.echo(f"{folder}: {manifest.rows:,} rows in {len(manifest.files)} files")
    typer.echo(f"Everything counted up to {newest} is in it.")


async def _backup(folder: Path, data: Path | None) -> "Manifest":
    from services.backup import frames, run
    from services.cli.settings import ClientSettings
    from services.embedded.stores import open_stores
    from services.settings import StoreSettings

    settings = StoreSettings.read()
    with _Bar("backup") as bar:
        if through_api(data):
            client = ClientSettings.of(data)
            token = client.token.get_secret_value() if client.token else ""
            source = frames.fetch(client.url, token)
            return await run.save(source, folder, bar.total, bar.advance)
        async with open_stores(settings, data) as stores:
            source = run.dump_of(stores)
            return await run.save(source, folder, bar.total, bar.advance)


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="What `luot backup` wrote.")],
    data: Data = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Remove everything that the store holds first.")
    ] = False,
    without_log: Annotated[
        bool,
        typer.Option("--without-log", help="Leave Redis alone: the aggregator goes on as it was."),
    ] = False,
    yes: Yes = False,
) -> None:
    """Put a backup into a store of either kind, and let the aggregator go on from there.

    Into the store of LUOT_CLICKHOUSE_URL, or, with --data, into that of a `luot up` which is
    stopped. Checks the backup before it touches anything, and reads everything back afterwards.
    Stop every aggregator first. What was counted since the backup is counted again from the log
    (LUOT_REDIS_URL), as far as the log reaches.
    """
    from services.backup import run
    from services.backup.folder import read_manifest
    from services.embedded.stores import open_stores
    from services.settings import StoreSettings

    async def work(settings: StoreSettings, manifest: "Manifest") -> Sequence["Step"]:
        with _Bar("restore", 2 * manifest.rows) as bar:
            async with open_stores(settings, data) as stores:
                return await run.restore_all(
                    stores,
                    folder,
                    manifest,
                    replace=replace,
                    with_log=not without_log,
                    progress=bar.advance,
                )

    with clear_errors():
        settings = StoreSettings.read()
        with _Bar("check", read_manifest(folder).rows) as bar:
            manifest = run.inspect(folder, bar.advance)
        if replace and not yes:
            _confirm("Remove everything that the store holds?")
        steps = asyncio.run(work(settings, manifest))
        newest = _newest(manifest)
    typer.echo(f"Restored and compared: {manifest.rows:,} rows, up to {newest}.")
    if without_log:
        typer.echo("The log was left alone. `luot rewind` counts again what it still holds.")
        return
    _tell(steps)
    typer.echo("Start the aggregator, and start the API again.")
    if replace:
        typer.echo(
            "Public numbers that were higher before stay until they are reached, or until an admin"
            " forgets them: DELETE /api/admin/sites/SITE/shown"
        )


@app.command()
def rewind(
    to: Annotated[
        str | None,
        typer.Option(
            help="Time (2026-11-22T03:00+07:00), age (90m, 6h, 2d) or position."
            " [default: as far as the log tells everything]"
        ),
    ] = None,
    data: Data = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, and change nothing.")
    ] = False,
    yes: Yes = False,
) -> None:
    """Let the aggregator fold again what is still in the log.

    Counters skip what they hold already: on a healthy store nothing changes, and one that was
    restored or has lost rows is repaired. Stop every aggregator first. With --data, the log of
    a `luot up` which is stopped.
    """
    from services.backup import run
    from services.backup.moment import parse
    from services.embedded.stores import open_stores
    from services.settings import StoreSettings

    async def work(settings: StoreSettings, dry: bool) -> Sequence["Step"]:
        async with open_stores(settings, data) as stores:
            return await run.rewind_all(stores.log, to=target, dry_run=dry)

    with clear_errors():
        settings = StoreSettings.read()
        target = None if to is None else parse(to)
        steps = asyncio.run(work(settings, dry=True))
        _tell(steps)
        if dry_run:
            return
        if all(step.to == step.committed for step in steps):
            typer.echo("There is nothing to go back to.")
            return
        if not yes:
            _confirm("Go back?")
        asyncio.run(work(settings, dry=False))
    typer.echo("Start the aggregator: it goes on from there.")


def _tell(steps: Sequence["Step"]) -> None:
    from rich.console import Console
    from rich.table import Table

    from services.backup.rewind import describe

    table = Table("partition", "was read up to", "goes on from", "entries to fold")
    for step in steps:
        if step.committed is not None or step.entries:
            table.add_row(
                str(step.partition),
                describe(step.committed_ms),
                describe(step.to_ms),
                f"{step.entries:,}",
            )
    if table.row_count:
        Console().print(table)
    else:
        typer.echo("The log is empty, and nothing was read from it.")
    missing = [str(step.partition) for step in steps if step.missing]
    inexact = [str(step.partition) for step in steps if not step.exact and not step.missing]
    if missing:
        typer.echo(
            f"Partitions {', '.join(missing)}: the log begins later than that. Hits between are"
            " not in it any more; if there were any, they stay uncounted."
        )
    if inexact:
        typer.echo(
            f"Partitions {', '.join(inexact)}: so close to the beginning of the log, some visits"
            " may count twice; views are exact."
        )


def through_api(data: Path | None) -> bool:
    """Tell whether a running Luot is to be asked, and not the store itself."""
    import os

    if data is None:
        own = {"LUOT_CLICKHOUSE_URL", "LUOT_CLICKHOUSE_URL_FILE"} & os.environ.keys()
        return not own and bool({"LUOT_TOKEN", "LUOT_TOKEN_FILE"} & os.environ.keys())
    from services.embedded.data_folder import in_use

    if not (data / "clickhouse").is_dir():
        fail(f"--data {data}: there is no store in it; expected the data folder of `luot up`")
    return in_use(data)


class _Bar:
    """A progress bar of rows; silent where nobody looks."""

    def __init__(self, name: str, total: int | None = None) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        console = Console(stderr=True)
        self._progress = Progress(
            "{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(name, total=total)

    def __enter__(self) -> "_Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def total(self, rows: int) -> None:
        self._progress.update(self._task, total=rows)

    def advance(self, rows: int) -> None:
        self._progress.advance(self._task, rows)


def _newest(manifest: "Manifest") -> str:
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


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        fail(f"{question} Nobody is there to be asked; give --yes")
    typer.confirm(question, abort=True)


@contextmanager
def clear_errors() -> Iterator[None]:
    """End with one message and exit code 2 on what can be expected to go wrong."""
    from services.backup.folder import BackupError
    from services.embedded.errors import UpError
    from services.log.errors import LogError, LogInUseError
    from services.settings import SettingsError
    from services.state.errors import StateError
    from services.store.interface import StoreError

    errors: Any = (BackupError, LogInUseError, SettingsError, StoreError, UpError, ValueError)
    try:
        yield
    except errors as error:
        fail(str(error))
    except (LogError, StateError, OSError) as error:
        fail(f"Redis (LUOT_REDIS_URL) cannot be reached: {error}")
