"""The command `luot import`: access logs of an old server become counts of their own days."""

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.connection import Admin, Data, Json, connected, fail, show_json

if TYPE_CHECKING:
    from rich.table import Table

    from services.access_log.client import Begun
    from services.access_log.upload import FileResult
    from services.model.site import Site

app = typer.Typer()


@app.command("import")
def import_logs(
    files: Annotated[
        list[Path], typer.Argument(help="Access logs in combined format, plain or .gz.")
    ],
    slug: Annotated[str, typer.Option("--site", help="Short name of the site they count for.")],
    host: Annotated[
        str | None,
        typer.Option(help="Host name of their pages. [default: the first host of the site]"),
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            help="Leave out lines from this time on: the moment when Luot began to count itself,"
            " 2026-11-20 or 2026-11-20T14:30, on the site's clock."
        ),
    ] = None,
    overlapping: Annotated[
        bool,
        typer.Option(help="Take files although others of the same time are imported: two servers."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check everything, import nothing.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Import access logs of the server before, with their own times.

    Counts pages that people were shown: GET, 2xx or 304, no images, scripts, styles, feeds or
    other files, no bots. Give all files of a site in one command, in any order: who is in the
    middle of a visit at the end of one goes on with it in the next.

    What was interrupted goes on with the same command. A file counts once, by its content,
    whatever its name, packed or not. Talks to the running API (LUOT_URL and LUOT_TOKEN, or
    --data); addresses and User-Agents stay here.

    [bold]luot import /var/log/nginx/access.log* --site mytho --until 2026-11-20[/bold]
    """
    from services.access_log.client import ImportClient, Options, UnfinishedError
    from services.access_log.hits import Reader
    from services.access_log.parser import AccessLogError
    from services.access_log.upload import examine_all, import_all
    from services.cli.settings import ImportSettings
    from services.enrich.country import Countries
    from services.settings import SettingsError

    try:
        settings = ImportSettings.of(data)
        countries = Countries(settings.country_database)
    except SettingsError as error:
        fail(str(error))
    with connected(data) as admin, _Display(as_json) as display:
        site = _site(admin, slug)
        options = Options(
            host=host or _first_host(site),
            until=0 if until is None else _until(until, site),
            overlapping=overlapping,
            dry_run=dry_run,
        )
        _check_host(options.host)
        client = ImportClient(admin, slug, waits=display.waits)
        reader = Reader(
            site,
            options.host,
            countries=countries,
            max_paths=settings.max_paths,
            now=time.time_ns() // 1_000_000,
            until=options.until,
        )
        results: list[FileResult] = []
        try:
            found = examine_all(files, display.looks_at)
            asked = [_asked(client, file, options) for file in found]
            display.warn(asked)
            display.begin(found)
            for result in import_all(found, asked, client, reader, options, display.read):
                results.append(result)
                display.next()
        except (AccessLogError, UnfinishedError) as error:
            display.stop()
            _show(results, slug, dry_run, as_json)
            fail(str(error))
        except KeyboardInterrupt:
            display.stop()
            typer.secho("luot: stopped; the same command again goes on from here", err=True)
            raise typer.Exit(130) from None
    _show(results, slug, dry_run, as_json)


class _Display:
    """Progress on the terminal, on standard error."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            SpinnerColumn,
            TaskProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            SpinnerColumn(),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True),
            transient=True,
            disable=quiet,
        )
        self._task = self._progress.add_task("", total=None)
        self._before = 0
        self._size = 0
        self._text = ""

    def __enter__(self) -> "_Display":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Leave the terminal as it was."""
        self._progress.stop()

    def looks_at(self, path: Path) -> None:
        """Say which file is looked at."""
        self._progress.update(self._task, description=f"looking at {path.name}")

    def warn(self, asked: Sequence["Begun"]) -> None:
        """Say what should be known before anything counts, each thing once."""
        warnings = dict.fromkeys(text for begun in asked for text in begun.warnings)
        for text in warnings:
            typer.secho(f"luot: note: {text}", err=True, fg="yellow")

    def begin(self, files: Sequence[Any]) -> None:
        """Measure the files."""
        total = sum(file.path.stat().st_size for file in files)
        self._progress.update(self._task, total=total, completed=0)

    def read(self, file: Any, log: Any) -> None:
        """Say how far a file is read."""
        self._size = log.bytes_read
        self._text = f"{file.path.name}: {log.lines:,} lines"
        self._progress.update(
            self._task, completed=self._before + self._size, description=self._text
        )

    def next(self) -> None:
        """Go on to the next file."""
        self._before += self._size
        self._size = 0

    def waits(self, reason: str) -> None:
        """Say why nothing moves."""
        text = f"{self._text} ({reason})" if reason else self._text
        self._progress.update(self._task, description=text)


def _asked(client: Any, file: Any, options: Any) -> "Begun":
    import msgspec

    begun: Begun = client.begin(file, msgspec.structs.replace(options, dry_run=True))
    return begun


def _site(admin: Admin, slug: str) -> "Site":
    import msgspec

    from services.model.site import Site

    return msgspec.convert(admin.call("GET", f"/sites/{slug}"), Site)


def _first_host(site: "Site") -> str:
    named = [host.removeprefix("*.") for host in site.hosts if host != "*"]
    return named[0] if named else site.slug


def _check_host(host: str) -> None:
    from services.enrich.urls import read_page

    page = read_page(f"https://{host}/")
    if page is None or page.host != host:
        fail(f"--host {host!r} is not a host name; expected for example mytho.example")


def _until(text: str, site: "Site") -> int:
    from services.model.calendar import zone

    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        fail(f"--until {text!r} is no time; expected for example 2026-11-20 or 2026-11-20T14:30")
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone(site.timezone))
    return max(1, int(at.timestamp() * 1000))


def _show(results: Sequence["FileResult"], slug: str, dry_run: bool, as_json: bool) -> None:
    if as_json:
        import msgspec

        files = [msgspec.to_builtins(result) for result in results]
        show_json({"site": slug, "dry_run": dry_run, "files": files})
        return
    if results:
        from rich.console import Console

        Console().print(_table(results, dry_run))
    for result in results:
        for number, text in result.broken:
            typer.secho(f"{result.file}, line {number} cannot be read: {text!r}", err=True)


def _table(results: Sequence["FileResult"], dry_run: bool) -> "Table":
    from rich.table import Table

    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right")
    states = {"new": "imported", "resumed": "imported, begun before", "done": "was imported before"}
    for result in results:
        state = "would be imported" if dry_run and result.begun != "done" else states[result.begun]
        table.add_row(result.file, state, style="bold")
        if result.begun == "done" and not result.lines:
            continue
        rows = {"lines": result.lines, "pages of people": result.pages, "visits": result.visits}
        if result.sent != result.pages and not dry_run:
            rows["pages sent now"] = result.sent
        for name, value in rows.items():
            table.add_row(f"  {name}", f"{value:,}")
        for name, value in result.left_out.most_common():
            table.add_row(f"  left out: {name}", f"{value:,}", style="dim")
        if result.unsorted:
            table.add_row("  out of order, visits may be cut in two", f"{result.unsorted:,}")
        table.add_section()
    return table
