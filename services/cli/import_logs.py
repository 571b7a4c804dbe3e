"""The command `luot import`: counts the access logs of an old server under their own dates."""

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.connection import Admin, Data, at, connected
from services.cli.terminal import Json, fail, note

if TYPE_CHECKING:
    from services.access_log.client import UploadState
    from services.access_log.upload import FileResult
    from services.model.site import Site

app = typer.Typer()


@app.command("import")
def import_logs(
    files: Annotated[
        list[Path], typer.Argument(help="Access logs, plain, .gz, .bz2, .xz or .zst.")
    ],
    slug: Annotated[str, typer.Option("--site", help="Short name of the site to count them for.")],
    host: Annotated[
        str | None,
        typer.Option(
            help="Host name of their pages. [default: the site's hosts that a log names, or its"
            " first host]"
        ),
    ] = None,
    log_format: Annotated[
        str,
        typer.Option(
            "--format",
            help="Format, if it is not detected: a name, or a layout in the notation of Apache or"
            " nginx.",
        ),
    ] = "",
    address: Annotated[
        str,
        typer.Option(
            help="Field with the reader's address: its name (X-Real-IP), last or connection."
            " [default: X-Forwarded-For where the format has it]"
        ),
    ] = "",
    unreadable: Annotated[
        bool,
        typer.Option(help="Skip unreadable lines, even if they are more than 5% of a file."),
    ] = False,
    until: Annotated[
        str | None,
        typer.Option(
            help="Skip lines from this time on, when Luot itself began to count: 2026-11-20 or"
            " 2026-11-20T14:30, in the site's time zone."
        ),
    ] = None,
    overlapping: Annotated[
        bool,
        typer.Option(
            help="Accept files that overlap in time with files already imported, as from two"
            " servers."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check everything, but import nothing.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Import access logs of the previous server, under their own dates.

    Counts pages shown to people: GET requests with status 2xx or 304, without images, scripts,
    feeds and other files, without parts of pages, and without bots; downloads of documents are
    counted separately. The format is detected and reported: combined, common, both with the host in
    front, nginx's main, IIS (W3C), JSON of Caddy, Traefik and nginx.

    Give all files of a site in one command, in any order: a visit that is in progress at the end of
    one file continues in the next.

    If it is interrupted, run the same command again to continue. A file is recognised by its
    content and counts once, whatever its name, compressed or not. Talks to the running API
    (LUOT_URL and LUOT_TOKEN, or --data); addresses and User-Agents do not leave this machine.

    [bold]luot import /var/log/nginx/access.log* --site mytho --until 2026-11-20[/bold]
    """
    from services.access_log.client import ImportClient, UnfinishedError, UploadOptions
    from services.access_log.file import FormatOptions
    from services.access_log.hits import HitReader
    from services.access_log.parser import AccessLogError
    from services.access_log.upload import examine_all, import_all
    from services.cli.import_progress import ImportProgressBar
    from services.cli.import_summary import show
    from services.cli.settings import ImportSettings
    from services.enrich.bots import Bots
    from services.enrich.country import Countries
    from services.enrich.operator_patterns import PatternsFile
    from services.model.hosts import fold
    from services.settings import SettingsError

    try:
        settings = ImportSettings.of(data)
        countries = Countries(settings.places(data))
        bots = Bots()
        PatternsFile(settings.bot_patterns, bots.use)
    except SettingsError as error:
        fail(str(error))
    with connected(data) as admin, ImportProgressBar(as_json) as display:
        site = _site(admin, slug)
        options = UploadOptions(
            host=fold(host) if host else _first_host(site),
            until=0 if until is None else _until(until, site),
            overlapping=overlapping,
            dry_run=dry_run,
        )
        _check_host(options.host)
        client = ImportClient(admin, site.slug, waits=display.waits)
        reader = HitReader(
            site,
            options.host,
            countries=countries,
            bots=bots,
            max_paths=settings.max_paths,
            now=time.time_ns() // 1_000_000,
            until=options.until,
            only_host=host is not None,
        )
        results: list[FileResult] = []
        try:
            formats = FormatOptions(name=log_format, address=address, unreadable=unreadable)
            logs = examine_all(files, display.looks_at, formats, site, client.known())
            states = [_state(client, file, options) for file in logs]
            display.warn(logs, states)
            display.begin(logs)
            for result in import_all(logs, states, client, reader, options, display.read):
                results.append(result)
                display.next()
        except (AccessLogError, UnfinishedError) as error:
            display.stop()
            show(results, slug, dry_run, as_json)
            fail(str(error))
        except KeyboardInterrupt:
            display.stop()
            note("stopped; run the same command again to continue")
            raise typer.Exit(130) from None
    show(results, slug, dry_run, as_json)


def _state(client: Any, file: Any, options: Any) -> "UploadState":
    import msgspec

    state: UploadState = client.begin(file, msgspec.structs.replace(options, dry_run=True))
    return state


def _site(admin: Admin, slug: str) -> "Site":
    import msgspec

    from services.model.site import Site

    answer = admin.call("GET", at("sites", slug), has="slug")
    try:
        return msgspec.convert(answer, Site)
    except msgspec.ValidationError as error:
        fail(f"{admin.url} describes the site in another way than this version does: {error}")


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
        fail(f"--until {text!r} is not a time; expected for example 2026-11-20 or 2026-11-20T14:30")
    if at.tzinfo is None:
        at = at.replace(tzinfo=zone(site.zone_at(time.time_ns() // 1_000_000)))
    return max(1, int(at.timestamp() * 1000))
